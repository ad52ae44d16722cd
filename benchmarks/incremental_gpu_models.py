"""The four models from what ``incremental.py export`` wrote: needs numpy, PyTorch and this clone, no h5py, no PyYAML."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

UNTRAINED, PUBLISHED = "drawn at random, untrained", "published"
SMALL = "small network, drawn at random, untrained"


def fill_in(held: Mapping[str, Any]) -> list[str]:
    """Stand-ins for packages that are not there: h5py is named by code that is not reached, cards are JSON here."""
    import sys

    absent = []
    for name in ("h5py", "yaml"):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            absent.append(name)
            sys.modules[name] = made = ModuleType(name)
            for part in ("File", "Group", "Dataset", "SafeLoader", "MappingNode", "ScalarNode"):
                setattr(made, part, type(part, (), {}))
            made.YAMLError = ValueError  # type: ignore[attr-defined]
            made.load = lambda text, Loader: _card(text, held)  # type: ignore[attr-defined]
    return absent


def _card(text: str, held: Mapping[str, Any]) -> Any:
    """The card whose text begins with a model's name."""
    name = next(line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("name:"))
    return json.loads(str(held[f"{name}/card"]))


def load(model: str, held: Mapping[str, Any], device: str, scratch: Path, given: Path | None, small: bool) -> Any:
    """An adapter on a device, and words for its weights.

    Args:
        model: its name.
        held: what ``export`` wrote.
        device: for PyTorch.
        scratch: a folder for files that are drawn.
        given: a folder that may hold full-size weight files under their published names.
        small: draw a small network, to try the path.
    """
    from pexbench.models import find_model, load_adapter

    files, words = MAKERS[model](held, scratch, None if small else given, small)
    return load_adapter(find_model(model), None, files, device=device), words


def _found(given: Path | None, name: str) -> Path | None:
    return given / name if given is not None and (given / name).is_file() else None


def _xpresso(held: Mapping[str, Any], scratch: Path, given: Path | None, small: bool) -> tuple[dict[str, Path], str]:
    import pexbench.models.xpresso.adapter as module
    from pexbench.models.xpresso.published import Layer, PublishedNetwork

    told = json.loads(str(held["xpresso/network"]))
    layers = []
    for fields in told.pop("layers"):
        prefix = f"xpresso/{fields['name']}/"
        parameters = {name.removeprefix(prefix): held[name] for name in held if name.startswith(prefix)}
        fields = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
        layers.append(Layer(**fields, parameters=parameters))
    network = PublishedNetwork(layers=tuple(layers), **told)
    module.read_published = lambda path, length: network
    return {"network": _empty(scratch)}, PUBLISHED


def _expecto(held: Mapping[str, Any], scratch: Path, given: Path | None, small: bool) -> tuple[dict[str, Path], str]:
    import expecto_file as drawing

    beluga, booster = _found(given, drawing.BELUGA), scratch / drawing.BOOSTER
    booster.write_bytes(held["expecto/booster"].tobytes())
    if small:
        beluga = drawing.write_beluga(scratch / drawing.BELUGA, drawing.parameters(drawing.shapes(), 1))
        booster.write_bytes(drawing.booster_bytes(drawing.booster_weights(10, 1), 0.0))
    elif beluga is None:
        sizes = drawing.shapes(drawing.PUBLISHED, 2003, 2002)
        beluga = drawing.write_beluga(scratch / drawing.BELUGA, drawing.parameters(sizes, 1))
    return {"beluga": beluga, "booster": booster}, SMALL if small else f"{UNTRAINED} (booster: published)"


def _basenji2(held: Mapping[str, Any], scratch: Path, given: Path | None, small: bool) -> tuple[dict[str, Path], str]:
    import basenji2_file as drawing
    import pexbench.models.basenji2.adapter as module
    from pexbench.models.basenji2.published import Weights

    settings = drawing.SMALL if small else json.loads(str(held["basenji2/params"]))
    params = drawing.write_params(scratch / "params.json", settings)
    found = _found(given, "model_human.h5")
    if found is not None and hasattr(importlib.import_module("h5py"), "__version__"):
        return {"weights": found, "params": params}, UNTRAINED
    drawn = drawing.weights(settings, 4)

    def arrays(layer: str, kinds: tuple[str, ...]) -> dict[str, Any]:
        return {kind: drawn[f"{layer}/{layer}/{kind}:0"] for kind in kinds}

    norms, convolutions = ("gamma", "beta", "moving_mean", "moving_variance"), []
    while f"conv1d{(end := f'_{len(convolutions)}' if convolutions else '')}/conv1d{end}/kernel:0" in drawn:
        convolutions.append(arrays(f"conv1d{end}", ("kernel",)) | arrays(f"batch_normalization{end}", norms))
    weights = Weights(tuple(convolutions), arrays("dense", ("kernel", "bias")))
    module.read_weights = lambda path, architecture: weights
    return {"weights": _empty(scratch), "params": params}, SMALL if small else UNTRAINED


def _enformer(held: Mapping[str, Any], scratch: Path, given: Path | None, small: bool) -> tuple[dict[str, Path], str]:
    import enformer_file as drawing

    found = _found(given, "pytorch_model.bin")
    if found is None:
        sizes = drawing.SMALL
        if not small:
            channels = (768, 768, 896, 1024, 1152, 1280, 1536)
            sizes = drawing.Sizes(
                channels, layers=11, heads=8, keys=64, values=192, features=192, hidden=3072, pointwise=3072
            )
        found = drawing.write(scratch / "pytorch_model.bin", drawing.parameters(sizes, 1), "first")
    return {"network": found}, SMALL if small else UNTRAINED


def _empty(scratch: Path) -> Path:
    """A file for an adapter that wants one and is given its arrays otherwise."""
    path = scratch / "empty"
    path.write_bytes(b"")
    return path


MAKERS = {"xpresso": _xpresso, "expecto": _expecto, "basenji2": _basenji2, "enformer": _enformer}


def sequences(model: str, held: Mapping[str, Any], people: int | None) -> tuple[Any, Any]:
    """The distinct sequences of the first people, the reference with them, and everyone's rows."""
    from pexbench.incremental import from_letters

    if f"{model}/index" not in held:
        raise SystemExit(f"the file holds no haplotypes of {model}: export them, or name others with --models")
    index, letters, reference = held[f"{model}/index"], held[f"{model}/letters"], held[f"{model}/reference"]
    others = np.empty((0, len(reference)), np.uint8)
    own = letters[index[:people].ravel()]
    made, rows = from_letters(reference, held[f"{model}/positions"], own, others)
    return made, rows.reshape(-1, 2)
