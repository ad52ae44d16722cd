"""Which modules of this library a stage depends on, so that a changed module reruns what it changes.

Snakemake does not see imports. Each rule therefore carries a digest of the modules behind its verb in ``params``.
Found by reading import statements, standard library only: nothing is imported to find out.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
#: What a change of which never changes a result: texts of errors, the command line, this file.
NEUTRAL = {"errors", "cli", "code", "settings", "plan", "resources"}


@cache
def files(*modules: str) -> tuple[Path, ...]:
    """Files of this package that some modules depend on, themselves included.

    Args:
        *modules: dotted names inside the package, for example ``predict`` or ``scores.summary``.

    Returns:
        Sorted paths, without the models (their cards name their own files) and without neutral modules.
    """
    found: set[Path] = set()
    waiting = [path for module in modules if (path := _path(module)) is not None]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting += [other for name in _imports(path) if (other := _path(name)) is not None]
    return tuple(sorted(found))


def submodules(package: str, having: str = "") -> list[str]:
    """Modules of a subpackage, by name.

    Args:
        package: for example ``figures``.
        having: only modules that assign this name at their top, for example ``FIGURE``. Without it, dotted names
            inside this package are given, fit for :func:`files`.

    Returns:
        Sorted names.
    """
    paths = sorted(path for path in FOLDER.joinpath(*package.split(".")).glob("*.py") if path.stem != "__init__")
    if not having:
        return [f"{package}.{path.stem}" for path in paths]
    return [path.stem for path in paths if having in _assigned(path)]


def literals(module: str, name: str) -> dict[str, Any]:
    """What a module gives by name to the call that it assigns to a name, without importing it.

    Args:
        module: dotted name inside this package, for example ``figures.power``.
        name: assigned at the module's top, for example ``FIGURE = FigureCard(name="power", order=70)``.

    Returns:
        Value by keyword.

    Raises:
        ValueError: the module assigns no such call, or an argument is no literal.
    """
    for node in ast.parse(FOLDER.joinpath(*module.split(".")).with_suffix(".py").read_text()).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        if any(isinstance(target, ast.Name) and target.id == name for target in node.targets):
            return {word.arg: ast.literal_eval(word.value) for word in node.value.keywords if word.arg}
    raise ValueError(f"{module}: no {name} = ...(...) with literals as arguments")


def attached(package: str) -> list[Path]:
    """Files of a subpackage that are no Python: templates, styles.

    Args:
        package: for example ``report``.
    """
    return sorted(path for path in FOLDER.joinpath(package).iterdir() if path.is_file() and path.suffix != ".py")


def _assigned(path: Path) -> set[str]:
    """Names assigned at the top of a file."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _path(module: str) -> Path | None:
    """File of a module of this package, or None for neutral ones and models."""
    parts = module.split(".")
    if parts[0] in NEUTRAL or parts[0] == "models":
        return None
    base = FOLDER.joinpath(*parts)
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    return None


def _imports(path: Path) -> list[str]:
    """Dotted names inside this package that a file imports, at its top or in a function."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "pexbench":
            inside = node.module.partition(".")[2]
            names += [inside] if inside else []
            names += [f"{inside}.{alias.name}".lstrip(".") for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name.partition(".")[2] for alias in node.names if alias.name.startswith("pexbench.")]
    return names
