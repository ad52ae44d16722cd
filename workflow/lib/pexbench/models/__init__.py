"""The models: one folder each, with ``card.yaml`` and the modules the card names.

A model is named by its folder here, or by the path of a folder anywhere else. Each implementation's module defines a
class called ``Model``, a subclass of :class:`pexbench.models.base.Adapter`; a model with ``trained: true`` has a
``train.py`` with a function called ``train``.

Nothing is imported from a model's folder before :func:`load_adapter` or :func:`load_training`; the rest needs the
standard library and PyYAML only, because the Snakefile calls it while it is parsed.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from pexbench.errors import InputError, listing
from pexbench.models.card import FILE, Card, read_card

if TYPE_CHECKING:
    from pexbench.models.base import Adapter

__all__ = [
    "Card",
    "built_in_models",
    "code_files",
    "digest",
    "find_model",
    "load_adapter",
    "load_training",
    "read_card",
    "training_files",
]

FOLDER = Path(__file__).resolve().parent
TRAINING = "train"


def built_in_models() -> list[str]:
    """Names of the models in this package, sorted."""
    # A folder with a leading underscore is a template, not a model.
    return sorted(path.parent.name for path in FOLDER.glob(f"[!_]*/{FILE}"))


def find_model(name_or_folder: str) -> Card:
    """The card of a model.

    Args:
        name_or_folder: the name of a model in this package, or the path of a folder with ``card.yaml`` and
            ``adapter.py``. Names win: write ``./xpresso`` for a folder that is called like a model.

    Returns:
        The checked card.

    Raises:
        InputError: there is no such model or folder, its card has a fault, or a folder's card carries the name of
            a model of this package.
    """
    known = built_in_models()
    if name_or_folder in known:
        return read_card(FOLDER / name_or_folder)
    folder = Path(name_or_folder).expanduser()
    if not folder.is_dir():
        close = difflib.get_close_matches(name_or_folder, known, 1)
        raise InputError(
            f"model {name_or_folder!r} not found{f' (did you mean {close[0]}?)' if close else ''}; the models "
            f"{listing(known, 20)} or the path of a folder with {FILE} and adapter.py are allowed; correct the name."
        )
    card = read_card(folder.resolve())
    if card.name in known and card.folder != FOLDER / card.name:
        raise InputError(
            f"{card.path}: name {card.name!r} belongs to a model of pexbench; another name is allowed; "
            "rename the model, so that results cannot be mistaken."
        )
    return card


def load_adapter(
    card: Card,
    implementation: str | None,
    weights: Mapping[str, Path],
    device: str = "cpu",
    options: Mapping[str, object] = MappingProxyType({}),
) -> Adapter:
    """Import an implementation of a model and load its weights.

    Args:
        card: the model.
        implementation: a key of the card's ``implementations``; None for the default.
        weights: weight files by the adapter's name for each (see ``Card.weights``); a model with ``trained: true``
            gets ``{"trained": FILE}``.
        device: ``cpu``, or what the framework calls a device, such as ``cuda``.
        options: values for some of the card's options.

    Returns:
        The adapter, ready to predict.

    Raises:
        InputError: the implementation, a weight file or an option is not there or not valid, the module does not
            define the class ``Model``, or it imports what this Python does not have.
    """
    from pexbench.models.base import Adapter

    wanted = card.implementation(implementation)
    module = _import(card, wanted.module, wanted.environment)
    made = getattr(module, "Model", None)
    if not (isinstance(made, type) and issubclass(made, Adapter)):
        raise InputError(
            f"{module.__file__}: class Model, a subclass of pexbench.models.base.Adapter, not found "
            f"(Model is {made!r}); each implementation's module defines it; add or rename the class."
        )
    return made(card, weights, device=device, options=options)


def load_training(card: Card) -> Callable[..., Any]:
    """The function ``train`` of a model that is trained in the run.

    Returns:
        ``train(codes, gene_ids, positions, target, seed, **card.settings(options))`` gives a dict of arrays, to be
        saved as ``.npz`` without pickle; see ``kmer_ridge/train.py`` for what each argument is.

    Raises:
        InputError: the model is not trained in the run, or its ``train.py`` has no function ``train``.
    """
    if not card.trained:
        raise InputError(f"{card.path}: the model {card.name} is not trained in the run; 'trained: true' is needed.")
    module = _import(card, TRAINING, card.implementation().environment)
    train = getattr(module, TRAINING, None)
    if not callable(train):
        raise InputError(f"{module.__file__}: function train not found; a trained model's {TRAINING}.py defines it.")
    return train  # type: ignore[no-any-return]


def code_files(card: Card, implementation: str | None = None) -> list[Path]:
    """Files whose change makes an implementation's predictions stale.

    Returns:
        The card, every module in the model's folder except other implementations' and ``train.py`` (a model trained
        anew has a new weights file, which makes predictions stale by itself), and what all adapters build on.
    """
    chosen = card.implementation(implementation)
    own, shared = chosen.module, [FOLDER / "base.py", FOLDER.parent / "incremental.py"]
    if chosen.environment == "torch":
        shared += sorted(FOLDER.glob("torch_*.py"))
    others = {made.module for made in card.implementations.values()} - {own} | {TRAINING}
    modules = sorted(path for path in card.folder.glob("*.py") if path.stem not in others)
    return [card.path, *modules, *shared]


def training_files(card: Card) -> list[Path]:
    """Files whose change makes a model trained in the run stale."""
    return [*code_files(card), card.folder / f"{TRAINING}.py"]


def digest(files: Iterable[str | Path]) -> str:
    """One sha256 over the names and bytes of files; the folders they lie in do not count.

    Raises:
        InputError: a file cannot be read.
    """
    total = hashlib.sha256()
    for path in map(Path, files):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); restore the file.") from error
        total.update(f"{path.name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return total.hexdigest()


def _import(card: Card, module: str, environment: str) -> ModuleType:
    """Import a module of a model's folder; modules of one folder may import each other (``from .helper import x``)."""
    if card.folder.parent == FOLDER:
        package = f"pexbench.models.{card.folder.name}"
    else:
        # A folder outside the package becomes a package of its own; its path is part of the name, so that two folders
        # with modules of the same name do not meet.
        package = f"_pexbench_model_{hashlib.sha256(str(card.folder).encode()).hexdigest()[:16]}"
        if package not in sys.modules:
            made = ModuleType(package)
            made.__path__ = [str(card.folder)]
            sys.modules[package] = made
        importlib.invalidate_caches()
    try:
        return importlib.import_module(f"{package}.{module}")
    except ModuleNotFoundError as error:
        raise InputError(
            f"{card.folder / module}.py: it imports {error.name}, which {sys.executable} does not have; environment "
            f"{environment!r} (envs/{environment}.yaml) is meant for it; run it there, or add the package to that file."
        ) from error
