"""Reading Basenji2's published files without Keras: the architecture parameters (JSON) and the weights (HDF5).

The architecture is what the parameter file says. The weights are taken in the order the file lists them and checked
by shape, as Keras does when it restores a model: names of layers carry numbers that depend on what else was built in
the process that saved them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pexbench.errors import InputError, listing

ACTIVATIONS = ("gelu", "relu")
#: What Keras adds to the variance in batch norm unless told otherwise; the original tells it nothing.
EPSILON = 1e-3
NORMS = ("gamma", "beta", "moving_mean", "moving_variance")
#: Keys of the parameter file that matter in training only.
TRAINING = ("bn_momentum", "dropout", "l2_scale", "augment_rc", "augment_shift")

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Convolution:
    """Activation, convolution without bias ('same' padding with zeros), batch norm, max pooling."""

    inputs: int
    filters: int
    width: int
    dilation: int = 1
    pool: int = 1


@dataclass(frozen=True)
class Residual:
    """Convolutions one after the other, whose result is added to what they read."""

    steps: tuple[Convolution, ...]


@dataclass(frozen=True)
class Crop:
    """Drops as many positions at each end."""

    positions: int


@dataclass(frozen=True)
class Architecture:
    """The network: its trunk, then one more activation, and a dense layer with softplus for every position.

    Attributes:
        steps: the trunk, in order.
        activation: ``gelu``, which is x * sigmoid(1.702 x) here, or ``relu``.
        features: channels that the head reads.
        tracks: numbers that the head gives for each bin.
    """

    steps: tuple[Convolution | Residual | Crop, ...]
    activation: str
    features: int
    tracks: int

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """All convolutions, in the order in which Keras stores them."""
        inner = [step.steps if isinstance(step, Residual) else (step,) for step in self.steps]
        return tuple(step for steps in inner for step in steps if isinstance(step, Convolution))

    @property
    def bin_width(self) -> int:
        """Width of an output bin in bp."""
        return int(np.prod([step.pool for step in self.convolutions], dtype=np.int64))

    def bins(self, length: int) -> int:
        """Output bins for an input of some length in bp; 0 or less for one that is too short."""
        return length // self.bin_width - 2 * sum(step.positions for step in self.steps if isinstance(step, Crop))


@dataclass(frozen=True)
class Weights:
    """Parameters as in the file, float32.

    Attributes:
        convolutions: for each convolution ``kernel`` [width, in, out] and ``gamma``, ``beta``, ``moving_mean``,
            ``moving_variance`` [out].
        head: ``kernel`` [features, tracks] and ``bias`` [tracks].
    """

    convolutions: tuple[Arrays, ...]
    head: Arrays


def read_architecture(path: str | Path, length: int) -> Architecture:
    """Read the published architecture parameters.

    Args:
        path: JSON file with the key ``model``.
        length: input length in bp; not the file's ``seq_length``, since the network reads any whole number of bins.

    Returns:
        The architecture.

    Raises:
        InputError: no JSON, a part or setting that is missing or unknown, or a length the network cannot read.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: no readable JSON ({error}); Basenji2's published parameter file is needed; fetch it again."
        ) from error
    top = content.get("model") if isinstance(content, dict) else None
    architecture = _architecture(_Settings(path, "model", top))
    if length % architecture.bin_width or architecture.bins(length) < 1:
        raise InputError(
            f"{path}: an input of {length} bp gives {architecture.bins(length)} bins of {architecture.bin_width} bp; "
            f"a multiple of {architecture.bin_width} bp that gives at least one bin is allowed; correct the card or "
            "the parameter file."
        )
    return architecture


def _architecture(model: _Settings) -> Architecture:
    """The part of the parameter file called ``model``."""
    steps: list[Convolution | Residual | Crop] = []
    channels = 4
    for part in model.parts("trunk"):
        made, channels = _steps(part, channels)
        steps += made
    heads = [key for key in model.values if key.startswith("head")]
    if len(heads) != 1:
        raise model.fault("head", listing(heads) or "missing", "exactly one key that starts with 'head'")
    head = model.part(heads[0])
    head.choice("name", ("dense",))
    head.choice("activation", ("softplus",))
    made_of = Architecture(tuple(steps), model.choice("activation", ACTIVATIONS), channels, head.whole("units"))
    head.done()
    if not model.flag("batch_norm", False):
        raise model.fault("batch_norm", "missing or false", "true")
    length, bins = model.whole("seq_length"), model.whole("target_length")
    if length != bins * made_of.bin_width:
        raise model.fault("target_length", bins, f"seq_length {length} over bins of {made_of.bin_width} bp")
    model.done()
    return made_of


def _steps(part: _Settings, channels: int) -> tuple[list[Convolution | Residual | Crop], int]:
    """Steps of one entry of the trunk, and the channels after it."""
    steps: list[Convolution | Residual | Crop] = []
    kind = part.choice("name", ("conv_block", "conv_tower", "dilated_residual", "Cropping1D"))
    if kind == "conv_block":
        filters = part.whole("filters")
        steps.append(
            Convolution(channels, filters, part.whole("kernel_size", 1), pool=part.whole("pool_size", 1)),
        )
        channels = filters
    elif kind == "conv_tower":
        exact, factor = float(part.whole("filters_init")), part.number("filters_mult", 1)
        width, pool = part.whole("kernel_size", 1), part.whole("pool_size", 1)
        for _ in range(part.whole("repeat", 1)):
            steps.append(Convolution(channels, max(round(exact), 1), width, pool=pool))
            channels, exact = max(round(exact), 1), exact * factor
    elif kind == "dilated_residual":
        filters, width = part.whole("filters"), part.whole("kernel_size", 3)
        rate, factor, rounded = 1.0, part.number("rate_mult", 2), part.flag("round", False)
        for _ in range(part.whole("repeat", 1)):
            # Python rounds half to even, as the original does; with "round" the rounded rate is what is multiplied.
            wide = Convolution(channels, filters, width, dilation=max(round(rate), 1))
            steps.append(Residual((wide, Convolution(filters, channels, 1))))
            rate = float(round(rate * factor)) if rounded else rate * factor
    else:
        steps.append(Crop(part.whole("cropping")))
    part.done()
    return steps, channels


class _Settings:
    """One mapping of the parameter file; every fault names file and place."""

    def __init__(self, path: Path, place: str, values: Any) -> None:
        self.path, self.place = path, place
        self.taken: set[str] = set(TRAINING)
        if not isinstance(values, dict):
            self.values: dict[str, Any] = {}
            raise self.fault("", json.dumps(values)[:60], "a mapping")
        self.values = values

    def fault(self, key: str, found: object, allowed: str) -> InputError:
        """The error sentence."""
        where = ".".join(part for part in (self.place, key) if part)
        return InputError(
            f"{self.path}: {where} is {found}; {allowed} is expected; fetch Basenji2's published parameter file again."
        )

    def take(self, key: str, default: Any = None) -> Any:
        """A value, or its default."""
        self.taken.add(key)
        return self.values.get(key, default)

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number of at least 1."""
        value = self.take(key, default)
        if type(value) is not int or value < 1:
            raise self.fault(key, "missing" if value is None else repr(value), "a whole number of at least 1")
        return value

    def number(self, key: str, default: float) -> float:
        """A number above 0."""
        value = self.take(key, default)
        if type(value) not in (int, float) or not 0 < value < float("inf"):
            raise self.fault(key, repr(value), "a number above 0")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.take(key, default)
        if not isinstance(value, bool):
            raise self.fault(key, repr(value), "true or false")
        return value

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self.take(key)
        if value not in allowed:
            raise self.fault(key, "missing" if value is None else repr(value), f"one of {', '.join(allowed)}")
        return str(value)

    def part(self, key: str) -> _Settings:
        """A mapping inside."""
        return _Settings(self.path, f"{self.place}.{key}", self.take(key))

    def parts(self, key: str) -> list[_Settings]:
        """A list of mappings inside."""
        values = self.take(key)
        if not isinstance(values, list) or not values:
            raise self.fault(key, "missing" if values is None else repr(values)[:60], "a list of at least one part")
        return [_Settings(self.path, f"{self.place}.{key}[{i}]", value) for i, value in enumerate(values)]

    def done(self) -> None:
        """Refuse settings that nothing has read: they may change the network."""
        left = [key for key in self.values if key not in self.taken]
        if left:
            raise self.fault(left[0], repr(self.values[left[0]])[:60], "no such key")


def read_weights(path: str | Path, architecture: Architecture) -> Weights:
    """Read the weights of a published network.

    Args:
        path: Keras HDF5 file, the whole model (group ``model_weights``) or its weights only.
        architecture: the network they must fit.

    Returns:
        All parameters.

    Raises:
        InputError: no HDF5 file (or a truncated one), no Keras weights inside, or a parameter that is missing,
            unexpected, has another shape or type, or holds a value that is not allowed.
    """
    path = Path(path)
    shapes = list(_expected(architecture))
    try:
        with h5py.File(path, "r") as file:
            arrays = list(_arrays(path, file, shapes))
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{path}: no whole HDF5 file ({' '.join(str(error).split())}); Basenji2's published .h5 file is needed; "
            "fetch it again."
        ) from error
    parts: list[Arrays] = [{} for _ in range(len(architecture.convolutions) + 1)]
    for (part, kind, _), array in zip(shapes, arrays, strict=True):
        parts[part][kind] = array
    return Weights(tuple(parts[:-1]), parts[-1])


def _expected(architecture: Architecture) -> Iterator[tuple[int, str, tuple[int, ...]]]:
    """Number of the convolution (after the last: the head), kind and shape of each array, in order."""
    for i, step in enumerate(architecture.convolutions):
        yield i, "kernel", (step.width, step.inputs, step.filters)
        for kind in NORMS:
            yield i, kind, (step.filters,)
    yield len(architecture.convolutions), "kernel", (architecture.features, architecture.tracks)
    yield len(architecture.convolutions), "bias", (architecture.tracks,)


def _arrays(
    path: Path, file: h5py.File, shapes: list[tuple[int, str, tuple[int, ...]]]
) -> Iterator[NDArray[np.float32]]:
    """The file's arrays in order, each checked against what is expected in its place."""
    last = shapes[-1][0]
    for name_data, wanted in zip_longest(_listed(path, file), shapes):
        if wanted is None:
            raise _fault(path, f"array {name_data[0]}", "there", "nothing after the head's bias")
        part, kind, shape = wanted
        what = f"{kind} of {'the head' if part == last else f'convolution {part + 1}'}"
        allowed = f"float32 {list(shape)}"
        if name_data is None:
            raise _fault(path, what, "missing", allowed)
        name, data = name_data
        if data.shape != shape or data.dtype != np.float32:
            raise _fault(path, f"{name}, read as the {what},", f"{data.dtype} {list(data.shape or [])}", allowed)
        array = data[()]
        if not np.isfinite(array).all():
            raise _fault(path, f"{name}, read as the {what},", "not finite everywhere", "a finite number everywhere")
        if kind == "moving_variance" and array.min() < 0:
            raise _fault(path, f"{name}, read as the {what},", f"{array.min()} somewhere", "no negative number")
        yield array


def _listed(path: Path, file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Name and dataset of every weight, in the order of the attributes ``layer_names`` and ``weight_names``."""
    top = file["model_weights"] if isinstance(file.get("model_weights"), h5py.Group) else file
    layers = _names(top, "layer_names")
    if layers is None:
        found = listing([*file, *file.attrs]) or "nothing"
        raise _fault(path, "the content", found, "Keras weights (attribute layer_names)")
    for layer in layers:
        group = top.get(layer)
        weights = _names(group, "weight_names") if isinstance(group, h5py.Group) else None
        if weights is None:
            raise _fault(path, f"layer {layer}", "missing", "a group with the attribute weight_names")
        for weight in weights:
            data = group.get(weight)
            if not isinstance(data, h5py.Dataset):
                raise _fault(path, f"{layer}/{weight}", "missing", "the array that weight_names lists")
            yield f"{layer}/{weight}", data


def _names(group: h5py.Group, attribute: str) -> list[str] | None:
    """A list of names; Keras cuts one that is too long for an attribute into NAME0, NAME1 and so on."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        parts = []
        while f"{attribute}{len(parts)}" in group.attrs:
            parts.append(group.attrs[f"{attribute}{len(parts)}"])
        if not parts:
            return None
    names = [name for part in parts for name in np.atleast_1d(part)]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _fault(path: Path, what: str, found: str, allowed: str) -> InputError:
    """The error sentence for a weights file."""
    return InputError(
        f"{path}: {what} is {found}; {allowed} is expected, so the file does not belong to the parameter file, or is "
        "damaged; fetch both again."
    )
