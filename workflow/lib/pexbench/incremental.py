"""Which pieces of many haplotypes are the same, so that each distinct piece is computed once.

Two haplotypes differ at a few sites. They are kept as that: one reference and the letters at the sites that vary.
Which haplotypes share a stretch of sequence then follows from the letters within it; no full sequence is built or
hashed. Knows nothing of models and needs numpy only, because adapters use it where nothing but their framework exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
Rows = NDArray[np.int64]

#: Code of the opposite base: A and T, C and G; whatever is above 3 (N, an empty position) stays.
OPPOSITE = np.array([3, 2, 1, 0, *range(4, 256)], np.uint8)


@dataclass(frozen=True)
class Pieces:
    """The distinct pieces of all sequences over one interval.

    Attributes:
        rows: int64 [D], for each distinct piece a sequence that has it.
        number: int64 [N], for each sequence its piece, 0 to D - 1.
    """

    rows: Rows
    number: Rows

    def __len__(self) -> int:
        """How many distinct pieces there are."""
        return len(self.rows)


@dataclass(frozen=True)
class Sequences:
    """Sequences of one length, most of which differ from a reference in single bases only.

    The first A sequences are ``reference`` with ``letters`` at ``positions``. The R others (insertions and deletions
    have moved their bases) are kept whole. A sequence's row is its place among the A + R.

    Attributes:
        reference: uint8 [L], codes 0..3 = A, C, G, T, 4 = anything else.
        positions: int64 [P], 0-based indices in the window, ascending.
        letters: uint8 [A, P], codes.
        others: uint8 [R, L], codes.
    """

    reference: Codes
    positions: NDArray[np.int64]
    letters: Codes
    others: Codes

    @classmethod
    def whole(cls, codes: Codes) -> Sequences:
        """Sequences about which nothing is known: uint8 [N, L], kept as they are."""
        empty = np.empty((0, codes.shape[1]), np.uint8)
        first = codes[0] if len(codes) else np.empty(codes.shape[1], np.uint8)
        return cls(first, np.empty(0, np.int64), empty[:, :0], codes)

    def __len__(self) -> int:
        """Number of sequences N = A + R."""
        return len(self.letters) + len(self.others)

    @property
    def length(self) -> int:
        """Length in bp."""
        return len(self.reference)

    def codes(self, rows: Rows, start: int = 0, end: int | None = None) -> Codes:
        """Some sequences, or a piece of each.

        Args:
            rows: int [n], which sequences.
            start: 0-based index of the first base.
            end: index after the last base; the sequences' end by default.

        Returns:
            uint8 [n, end - start].
        """
        end = self.length if end is None else end
        made = np.empty((len(rows), end - start), np.uint8)
        aligned = rows < len(self.letters)
        made[aligned] = self.reference[start:end]
        low, high = np.searchsorted(self.positions, (start, end))
        places = np.flatnonzero(aligned)
        made[places[:, None], self.positions[low:high] - start] = self.letters[rows[aligned], low:high]
        made[~aligned] = self.others[rows[~aligned] - len(self.letters), start:end]
        return made

    def pieces(self, start: int = 0, end: int | None = None) -> Pieces:
        """The distinct pieces over ``[start, end)``.

        Args:
            start: 0-based index of the first base.
            end: index after the last base; the sequences' end by default.

        Returns:
            One row for each, and which sequence has which. Equal pieces have equal numbers, whether a sequence is kept
            by its letters or whole.
        """
        end = self.length if end is None else end
        low, high = np.searchsorted(self.positions, (start, end))
        rows, number = _distinct(self.letters[:, low:high])
        if len(self.others):
            known = {codes.tobytes(): place for place, codes in enumerate(self.codes(rows, start, end))}
            more, found = list(rows), list(number)
            for row, codes in enumerate(self.others[:, start:end], start=len(self.letters)):
                place = known.setdefault(codes.tobytes(), len(more))
                if place == len(more):
                    more.append(row)
                found.append(place)
            rows, number = np.array(more, np.int64), np.array(found, np.int64)
        return Pieces(rows, number)

    def sliding(self, length: int, step: int) -> Iterator[tuple[int, Pieces]]:
        """The distinct pieces of every window ``[start, start + length)``, start = 0, step, 2 step, ...

        Yields:
            The window's start and its pieces, as long as the window lies within the sequences.
        """
        for start in range(0, self.length - length + 1, step):
            yield start, self.pieces(start, start + length)

    def take(self, rows: Rows) -> Sequences:
        """Some of the sequences (int [n], each row once); those kept whole come last whatever the order asked."""
        aligned = rows < len(self.letters)
        return replace(
            self, letters=self.letters[rows[aligned]], others=self.others[rows[~aligned] - len(self.letters)]
        )

    def cropped(self, start: int, end: int) -> Sequences:
        """The sequences over ``[start, end)``, as sequences of that length; rows stay what they are."""
        low, high = np.searchsorted(self.positions, (start, end))
        return Sequences(
            self.reference[start:end],
            self.positions[low:high] - start,
            self.letters[:, low:high],
            self.others[:, start:end],
        )

    def reverse_complement(self) -> Sequences:
        """The other strand; rows stay what they are."""
        return Sequences(
            OPPOSITE[self.reference[::-1]],
            self.length - 1 - self.positions[::-1],
            OPPOSITE[self.letters[:, ::-1]],
            OPPOSITE[self.others[:, ::-1]],
        )

    def shifted(self, by: int, empty: int) -> Sequences:
        """The sequences moved by ``by`` bp, to the right where it is positive; what falls off an end is lost.

        Args:
            by: shorter than the sequences.
            empty: code of the positions that are left empty.

        Returns:
            Sequences of the same length and rows.
        """
        kept = self.cropped(max(-by, 0), self.length - max(by, 0))
        sides = (max(by, 0), max(-by, 0))
        return Sequences(
            np.pad(kept.reference, sides, constant_values=empty),
            kept.positions + sides[0],
            kept.letters,
            np.pad(kept.others, ((0, 0), sides), constant_values=empty),
        )


def from_letters(
    reference: Codes, positions: NDArray[np.int64], letters: Codes, others: Codes
) -> tuple[Sequences, Rows]:
    """Sequences without repeats, the reference as the first of them.

    Args:
        reference: uint8 [L], codes.
        positions: int64 [P], ascending.
        letters: uint8 [A, P], codes of A sequences at ``positions``, which may be alike.
        others: uint8 [R, L], codes of sequences that are kept whole, which may be alike.

    Returns:
        The distinct sequences, row 0 the reference, without positions at which nothing varies; and int64 [A + R],
        the row of each sequence given.
    """
    varies = (letters != reference[positions]).any(axis=0)
    positions, letters = positions[varies], letters[:, varies]
    every = Sequences(reference, positions, np.concatenate([reference[positions][None], letters]), others)
    found = every.pieces()
    # Representatives are in order of their rows, so those kept whole stay last.
    return every.take(found.rows), found.number[1:]


def _distinct(letters: Codes) -> tuple[Rows, Rows]:
    """First rows of each kind, in order, and the kind of each row."""
    if not letters.shape[1]:
        return np.zeros(min(len(letters), 1), np.int64), np.zeros(len(letters), np.int64)
    kinds: dict[bytes, int] = {}
    rows: list[int] = []
    number = np.empty(len(letters), np.int64)
    width, text = letters.shape[1], np.ascontiguousarray(letters).tobytes()
    for row in range(len(letters)):
        kind = kinds.setdefault(text[row * width : (row + 1) * width], len(rows))
        if kind == len(rows):
            rows.append(row)
        number[row] = kind
    return np.array(rows, np.int64), number
