"""Loading a Kipoi model. This runs code that the model's authors wrote: name only models that you trust."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from pexbench.errors import InputError, listing

LOG = logging.getLogger("pexbench.kipoi")
ENVIRONMENT = "envs/kipoi.yaml"


class OwnModules:
    """A context in which a model's folder comes first in every import, and which leaves no trace of it.

    Kipoi models call their modules ``model``, ``utils`` and the like. Two of them in one process, or one beside a
    module of that name elsewhere on the path, would otherwise run each other's code and give numbers all the same.
    """

    def __init__(self, folder: str | Path) -> None:
        """Take the folder that holds the model's modules."""
        self._folder = Path(folder).resolve()
        self._own: dict[str, ModuleType] = {}
        self._others: dict[str, ModuleType] = {}

    def __enter__(self) -> None:
        """Put the model's modules in place."""
        importlib.invalidate_caches()
        self._others = self._take()
        sys.modules.update(self._own)
        sys.path.insert(0, str(self._folder))

    def __exit__(self, *_: object) -> None:
        """Put everybody else's back."""
        with contextlib.suppress(ValueError):
            sys.path.remove(str(self._folder))
        self._own = self._take()
        sys.modules.update(self._others)

    def _take(self) -> dict[str, ModuleType]:
        """Remove and return the loaded modules whose names the folder holds."""
        here = {path.stem for path in self._folder.glob("*.py")} | {
            path.parent.name for path in self._folder.glob("*/__init__.py")
        }
        return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in here}


def load(name: str, model: str, source: str) -> tuple[Any, Any, OwnModules]:
    """Fetch a model where that is needed, and load it.

    Args:
        name: what to call the model in errors.
        model: its name in the source; for the source ``dir`` a folder.
        source: Kipoi's name of the source.

    Returns:
        The model (it has ``predict_on_batch`` and ``schema``), the description of its data loader, and the context in
        which its code is to be called.

    Raises:
        InputError: there is no such source or model, it cannot be fetched, or its code fails.
    """
    if not model:
        raise InputError(
            f"{name}: option model is not given; the name of a Kipoi model, or its folder with 'source: dir', is needed; "
            "set the option."
        )
    if source == "dir":
        folder = Path(model).expanduser().resolve()
        if not any((folder / file).is_file() for file in ("model.yaml", "model.yml")):
            raise InputError(
                f"{folder}: no folder with model.yaml, which the source 'dir' needs; correct the option model of {name}."
            )
        model = str(folder)
    # Kipoi would take any GPU it sees, with the rounding of that GPU. It must see none before its framework starts.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    with _alone():
        kipoi = _package()
        known = kipoi.config.model_sources()
        if source not in known:
            raise InputError(
                f"{name}: option source is {source!r}; Kipoi knows the sources {listing(known, 10)}; correct the option, "
                "or add the source to ~/.kipoi/config.yaml."
            )
        try:
            place = kipoi.get_source(source)
            place.pull_model(model)
            modules = OwnModules(place.get_model_dir(model))
            loader = place.get_model_descr(model).default_dataloader
            with modules:
                loaded = kipoi.get_model(model, source=source, with_dataloader=False)
        except Exception as error:  # whatever the code of others raises
            raise failed(name, "could not be loaded", error) from error
    return loaded, loader, modules


def failed(name: str, what: str, error: Exception) -> InputError:
    """The sentence for an exception out of code that is not ours."""
    told = " ".join(str(error).split())[:300] or "no message"
    missing = isinstance(error, ModuleNotFoundError)
    mend = (
        f"add the package that is missing to {ENVIRONMENT}"
        if missing
        else f"correct the model, its options, or {ENVIRONMENT}, which must have what its model.yaml asks for"
    )
    return InputError(f"{name}: it {what} ({type(error).__name__}: {told}); {mend}.")


def _package() -> Any:
    """Kipoi itself, imported late: its import writes into the home folder, so only one job may do it at a time."""
    try:
        return importlib.import_module("kipoi")
    except ModuleNotFoundError as error:
        raise InputError(
            f"Kipoi models need {error.name}, which {sys.executable} does not have; environment 'kipoi' "
            f"({ENVIRONMENT}) is meant for them; run it there, or add the package to that file."
        ) from error


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One loading at a time: Kipoi writes its settings and its clone of the models without minding other jobs."""
    path = Path.home() / ".kipoi" / "pexbench.lock"
    with contextlib.ExitStack() as held:
        try:
            path.parent.mkdir(exist_ok=True)
            fcntl.flock(held.enter_context(open(path, "w")), fcntl.LOCK_EX)
        except OSError as error:
            LOG.warning("%s cannot be locked (%s): let no other job load a Kipoi model meanwhile", path, error)
        yield
