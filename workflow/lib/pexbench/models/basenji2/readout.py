"""What is read from the network's output: the card's options, checked. Shared by both implementations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pexbench.errors import InputError
from pexbench.models.basenji2.published import Architecture


@dataclass(frozen=True)
class Readout:
    """What to read and what to average over.

    Attributes:
        track: index of the track.
        bins: first bin and the one after the last, of the whole output.
        whole: number of bins of the whole output.
        shifts: in bp, positive to the right.
        reverse_complement: whether each shifted sequence is predicted on both strands.
    """

    track: int
    bins: tuple[int, int]
    whole: int
    shifts: tuple[int, ...]
    reverse_complement: bool

    @property
    def passes(self) -> list[tuple[int, bool]]:
        """Shift and whether the reverse complement is meant, for every pass through the network."""
        strands = (False, True) if self.reverse_complement else (False,)
        return [(shift, reverse) for shift in self.shifts for reverse in strands]


def read_readout(name: str, options: Mapping[str, object], architecture: Architecture, length: int) -> Readout:
    """Check the options of the card against the network.

    Args:
        name: of the model, for error sentences.
        options: ``track``, ``bins``, ``reverse_complement``, ``shifts``.
        architecture: the network.
        length: input length in bp.

    Returns:
        What to read.

    Raises:
        InputError: a track or more bins than the network has, or shifts that cannot be made.
    """
    track, count, text = int(str(options["track"])), int(str(options["bins"])), str(options["shifts"])
    whole = architecture.bins(length)
    if not 0 <= track < architecture.tracks:
        raise _fault(name, "track", track, f"a whole number from 0 to {architecture.tracks - 1}")
    if not 1 <= count <= whole:
        raise _fault(name, "bins", count, f"a whole number from 1 to {whole}")
    try:
        shifts = tuple(int(part) for part in text.split(","))
    except ValueError:
        shifts = ()
    if not shifts or len(set(shifts)) < len(shifts) or max(map(abs, shifts)) >= length:
        allowed = f"different whole numbers between -{length} and {length}, separated by commas, such as '1,0,-1',"
        raise _fault(name, "shifts", repr(text), allowed)
    first = (whole - count) // 2
    return Readout(track, (first, first + count), whole, shifts, bool(options["reverse_complement"]))


def _fault(name: str, option: str, found: object, allowed: str) -> InputError:
    """The error sentence for an option."""
    return InputError(f"model {name}: option {option} is {found}; {allowed} is allowed; correct the configuration.")
