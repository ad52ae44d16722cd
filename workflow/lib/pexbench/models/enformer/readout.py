"""Which of Enformer's numbers make up a prediction. Numpy and the standard library only; both implementations use it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pexbench.errors import InputError
from pexbench.models.base import UNKNOWN
from pexbench.models.card import Card

BIN = 128  # bases, in the published network


@dataclass(frozen=True)
class Readout:
    """The track and the bins whose mean is the prediction.

    Attributes:
        track: 0-based index of the human track.
        total: number of bins of the sequence before the crop.
        crop: bins that are cut at either end.
        bins: how many of the rest are read, around the centre.
        both_strands: whether the reverse complement is predicted as well, and the mean of both given.
    """

    track: int
    total: int
    crop: int
    bins: int
    both_strands: bool

    @property
    def target(self) -> int:
        """Number of bins after the crop (896 in the published network)."""
        return self.total - 2 * self.crop

    @property
    def forward(self) -> slice:
        """The bins read on the strand given, counted before the crop.

        An odd number of bins is centred on the bin that holds the base in the middle (index length // 2), an even
        number starts that many halves before it: 10 of 896 are 443 .. 452 after the crop.
        """
        first = self.total // 2 - self.bins // 2
        return slice(first, first + self.bins)

    @property
    def reverse(self) -> slice:
        """The bins read of the reverse complement, which cover the same bases."""
        here = self.forward
        return slice(self.total - here.stop, self.total - here.start)

    def strands(self, codes: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], slice]]:
        """The sequences to predict, and the bins to read of each.

        Args:
            codes: uint8 [N, L].
        """
        yield codes, self.forward
        if self.both_strands:
            turned = codes[:, ::-1]
            yield np.where(turned == UNKNOWN, UNKNOWN, 3 - turned).astype(np.uint8), self.reverse


def readout(card: Card, options: dict[str, object], tracks: int, bin_length: int = BIN) -> Readout:
    """Which numbers a model's options ask for.

    Args:
        card: the model's card; its input length must be a whole number of bins.
        options: values of ``track``, ``bins``, ``crop`` and ``reverse_complement``.
        tracks: number of human tracks the network has.
        bin_length: bases per bin.

    Returns:
        The readout.

    Raises:
        InputError: a value that this network or this input length does not allow.
    """
    track, bins, crop = (int(str(options[name])) for name in ("track", "bins", "crop"))
    length = card.input.length
    if length % bin_length or length < 2 * bin_length:
        raise InputError(
            f"model {card.name}: input length {length} found; a multiple of {bin_length}, at least {2 * bin_length}, "
            "is allowed; correct the card."
        )
    made = Readout(track, length // bin_length, crop, bins, bool(options["reverse_complement"]))

    def fault(name: str, found: int, allowed: str) -> InputError:
        return InputError(f"model {card.name}: option {name} is {found}; {allowed} is allowed; correct the option.")

    if not 0 <= track < tracks:
        raise fault("track", track, f"0 to {tracks - 1}, the human tracks of these weights,")
    if crop < 0 or made.target < 1:
        raise fault("crop", crop, f"0 to {(made.total - 1) // 2}, as {length} bp have {made.total} bins,")
    if bins < 1 or made.forward.start < crop or made.forward.stop > made.total - crop:
        raise fault("bins", bins, f"1 to {made.target}, as {made.target} bins are left after the crop,")
    return made
