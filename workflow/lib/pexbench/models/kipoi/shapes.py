"""How a Kipoi model wants its sequences and what its output means: shapes, without Kipoi."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pexbench.errors import InputError, listing

LETTERS = 4
LAYOUTS = ("bins,tracks", "tracks,bins")


@dataclass(frozen=True)
class InputLayout:
    """Where a model wants a one-hot sequence.

    Attributes:
        shape: the array of one sequence, such as (4, 1, 1000).
        channels_first: whether letters come before positions.
        key: name of the input where the model takes a mapping, 0 where it takes a list, None for a bare array.
    """

    shape: tuple[int, ...]
    channels_first: bool
    key: str | int | None = None

    def arrange(self, sequences: NDArray[np.float32]) -> Any:
        """One-hot sequences float32 [N, L, 4] as the model takes them: an array, or a mapping or list of one."""
        turned = sequences.transpose(0, 2, 1) if self.channels_first else sequences
        array = np.ascontiguousarray(turned).reshape(len(sequences), *self.shape)
        if self.key is None:
            return array
        return {self.key: array} if isinstance(self.key, str) else [array]


def input_layout(model: str, inputs: Any, length: int) -> InputLayout:
    """Read where a model wants its sequence.

    Args:
        model: its name, for errors.
        inputs: ``schema.inputs`` of the model: an object with ``shape`` (without the axis of sequences; None where any
            size will do), or a mapping or list of such objects.
        length: length of the sequences in bp.

    Returns:
        The layout.

    Raises:
        InputError: the model has several inputs, or one whose shape is no sequence of this length.
    """
    key: str | int | None = None
    if isinstance(inputs, Mapping | Sequence):
        names = list(inputs) if isinstance(inputs, Mapping) else [getattr(one, "name", "?") for one in inputs]
        if len(names) != 1:
            raise InputError(
                f"{model}: it has {len(names)} inputs ({listing(names)}); a model whose only input is a sequence is "
                "allowed; choose another model, or write an adapter for this one."
            )
        key = names[0] if isinstance(inputs, Mapping) else 0
        (inputs,) = inputs.values() if isinstance(inputs, Mapping) else inputs
    shape = getattr(inputs, "shape", None)
    fault = InputError(
        f"{model}: its input has the shape {_text(shape)} per sequence; {LETTERS} letters by {length} bp in either order "
        "(axes of size 1 may stand anywhere) are allowed; set the option length to the model's, or choose another model."
    )
    if not isinstance(shape, Sequence) or not all(size is None or isinstance(size, int) for size in shape):
        raise fault
    wide = [place for place, size in enumerate(shape) if size != 1]
    if len(wide) != 2:
        raise fault
    first, second = (shape[place] for place in wide)
    # Letters are told from positions by their number; where that cannot tell, nothing is guessed.
    orders = [
        channels_first
        for channels_first, letters, positions in ((False, second, first), (True, first, second))
        if letters in (LETTERS, None) and positions in (length, None)
    ]
    if len(orders) != 1:
        raise fault
    filled = list(shape)
    filled[wide[0]], filled[wide[1]] = (LETTERS, length) if orders[0] else (length, LETTERS)
    return InputLayout(tuple(filled), orders[0], key)


def letter_order(model: str, asked: str, loader: object) -> str:
    """The order of letters in the one-hot encoding.

    Args:
        model: its name, for errors.
        asked: the option ``alphabet``: four letters, or ``auto``.
        loader: ``default_dataloader`` of the model's description; only one that names its arguments says an order.

    Returns:
        ``ACGT`` or another order of these letters.

    Raises:
        InputError: no such order.
    """
    arguments = getattr(loader, "default_args", None)
    said = arguments.get("alphabet") if isinstance(arguments, Mapping) else None
    order = ("ACGT" if said is None else "".join(said)) if asked == "auto" else asked
    if sorted(order) != sorted("ACGT"):
        where = "option alphabet" if asked != "auto" else "the alphabet of its data loader"
        raise InputError(
            f"{model}: {where} is {order!r}; the letters A, C, G, T, each once, are allowed, or auto; correct the option "
            "alphabet."
        )
    return order


@dataclass(frozen=True)
class Readout:
    """Which number of an output is the prediction.

    Attributes:
        track: 0-based index, -1 for the only one.
        bins: number of bins in the centre to average, 0 for an output without bins.
        layout: ``bins,tracks`` or ``tracks,bins``.
    """

    track: int
    bins: int
    layout: str

    def check(self, model: str) -> None:
        """Refuse settings that fit no model.

        Raises:
            InputError: a number below the least or an unknown layout.
        """
        for name, least in (("track", -1), ("bins", 0)):
            if getattr(self, name) < least:
                raise InputError(
                    f"{model}: option {name} is {getattr(self, name)}; {least} or more is allowed; correct the option."
                )
        if self.layout not in LAYOUTS:
            raise InputError(
                f"{model}: option layout is {self.layout!r}; {' or '.join(LAYOUTS)} is allowed; correct the option."
            )

    def select(self, model: str, result: Any, count: int) -> NDArray[np.float32]:
        """The prediction of each sequence.

        Args:
            model: its name, for errors.
            result: what the model gave: an array [N], [N, tracks], [N, bins, tracks] or [N, tracks, bins], or a
                mapping or list that holds only one.
            count: N.

        Returns:
            float32 [N].

        Raises:
            InputError: the output is none of these, or has no such track or bins.
        """
        if isinstance(result, Mapping | list | tuple):
            if len(result) != 1:
                raise InputError(
                    f"{model}: it gave {len(result)} outputs ({listing(result) if isinstance(result, Mapping) else 'a list'});"
                    " a model with one output is allowed; choose another model, or write an adapter for this one."
                )
            (result,) = result.values() if isinstance(result, Mapping) else result
        shape = getattr(result, "shape", None)
        if (
            not isinstance(result, np.ndarray)
            or result.dtype.kind not in "fiu"
            or not 1 <= result.ndim <= 3
            or result.shape[0] != count
            or math.prod(result.shape) == 0
        ):
            raise InputError(
                f"{model}: it gave {getattr(result, 'dtype', type(result).__name__)} {_text(shape)} for {count} sequences; "
                f"numbers [{count}], [{count}, tracks] or [{count}, {self.layout.replace(',', ', ')}] are allowed; choose "
                "another model, or write an adapter for this one."
            )
        by_bin = self._by_bin(model, result)
        found, tracks = by_bin.shape[1:]
        averaged = self.bins or 1
        start = (found - averaged) // 2
        centre = by_bin[:, start : start + averaged, self._index(model, tracks)]
        return np.asarray(centre.mean(axis=1, dtype=np.float64), dtype=np.float32)

    def _by_bin(self, model: str, result: NDArray[Any]) -> NDArray[Any]:
        """The output [N, bins, tracks], with one bin where the model has none; refuses ``bins`` that do not fit."""
        if result.ndim < 3:
            if self.bins:
                raise InputError(
                    f"{model}: option bins is {self.bins}, but its output {_text(result.shape)} has no bins; 0 is allowed; "
                    "correct the option."
                )
            return result.reshape(len(result), 1, -1)
        by_bin = result if self.layout == LAYOUTS[0] else result.transpose(0, 2, 1)
        found = by_bin.shape[1]
        if not 1 <= self.bins <= found:
            raise InputError(
                f"{model}: its output {_text(result.shape)}, read as {self.layout}, has {found} bins, option bins is "
                f"{self.bins}; 1 to {found} is allowed; correct the option bins or layout."
            )
        return by_bin

    def _index(self, model: str, found: int) -> int:
        """The index of the track among those found."""
        if self.track == -1 and found == 1:
            return 0
        if not 0 <= self.track < found:
            raise InputError(
                f"{model}: option track is {self.track}, its output has {found} tracks; 0 to {found - 1} is allowed; "
                "set the option."
            )
        return self.track


def _text(shape: Any) -> str:
    """A shape for an error sentence."""
    return str(list(shape)) if isinstance(shape, Sequence) and not isinstance(shape, str) else str(shape)
