"""The consensus sequences of many haplotypes over one interval, sharing what they have in common.

Records that overlap no other one cannot affect each other, so each run of overlapping records is settled once per
combination of alleles that occurs, and single-base variants are settled for all haplotypes at once. What a run
becomes is decided by :mod:`pexbench.consensus_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pexbench.consensus_rules import Edited, ReferenceMismatch, apply_records
from pexbench.errors import InputError
from pexbench.genotypes import Genotypes

Bytes = NDArray[np.uint8]

_UPPER = np.frombuffer(bytes(range(256)).upper(), dtype=np.uint8)
_LOWER = np.frombuffer(bytes(range(256)).lower(), dtype=np.uint8)


class _Run:
    """Overlapping records that are not all single bases: a stretch of the interval and what it can become."""

    def __init__(self, first: int, last: int) -> None:
        """Keep the stretch ``[first, last)`` in interval coordinates; outcome 0 leaves it as it is."""
        self.first, self.last = first, last
        self.outcomes: list[Edited | None] = [None]
        self._numbers: dict[tuple[bytes, tuple[tuple[int, int, int], ...]], int] = {}

    def outcome(self, edited: Edited, unchanged: bytes) -> int:
        """Number of an outcome, the same for equal ones."""
        if not edited.resized and edited.sequence == unchanged:
            return 0
        key = (edited.sequence, edited.edits if edited.resized else ())
        number = self._numbers.setdefault(key, len(self.outcomes))
        if number == len(self.outcomes):
            self.outcomes.append(edited)
        return number


class IntervalConsensus:
    """Consensus sequences over ``[start, start + L)``.

    Attributes:
        resized: bool [H], haplotypes with an applied insertion or deletion.
        variable: int64 [P], indices in the interval at which only single bases vary.
    """

    def __init__(
        self, reference: Bytes, start: int, genotypes: Genotypes, columns: NDArray[np.int64] | None = None
    ) -> None:
        """Settle every variant that someone carries.

        Args:
            reference: uint8 [L], bases of the interval.
            start: 0-based position of its first base.
            genotypes: of the interval's contig, no call unphased.
            columns: int [H], haplotypes to consider: twice the person's place, plus 0 or 1; all by default.

        Raises:
            InputError: REF differs from the reference, or bcftools would refuse a person's variants.
        """
        self._reference, self._start = reference, start
        self._scratch = np.empty_like(reference)
        here = genotypes.select(start, start + len(reference))
        alleles = here.alleles.reshape(len(here.refs), 2 * len(here.samples))
        self._columns = np.arange(alleles.shape[1]) if columns is None else columns
        if columns is not None:
            alleles = alleles[:, columns]
        self._check_reference(here, alleles)
        carried = np.flatnonzero((alleles > 0).any(axis=1))
        self._genotypes, self._alleles = here.take(carried), alleles[carried]
        self._settle()

    def distinct(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """One haplotype of each kind (int [D], places in H), and the kind of each haplotype (int [H])."""
        letters, states = self._letters_by_haplotype, np.ascontiguousarray(self._states.T)
        kinds: dict[bytes, int] = {}
        kind = np.zeros(len(letters), dtype=np.int64)
        representatives: list[int] = []
        for place in range(len(letters)):
            kind[place] = kinds.setdefault(letters[place].tobytes() + states[place].tobytes(), len(kinds))
            if kind[place] == len(representatives):
                representatives.append(place)
        return np.array(representatives, dtype=np.int64), kind

    def is_reference(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which haplotypes carry nothing that differs from the reference, letter case included."""
        same_letters = (self._letters[:, places] == self._reference[self.variable][:, None]).all(axis=0)
        alike: NDArray[np.bool_] = same_letters & (self._states[:, places] == 0).all(axis=0)
        return alike

    def variation(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], Bytes]:
        """What haplotypes that are not :attr:`resized` have where any of them may differ from the reference.

        Args:
            places: int [n], places in H.

        Returns:
            int64 [P] indices in the interval, ascending; uint8 [n, P] bases there.
        """
        indices, letters = [self.variable], [self._letters_by_haplotype[places]]
        for run, states in zip(self._runs, self._states[:, places], strict=True):
            if not states.any():
                continue
            unchanged = self._reference[run.first : run.last].tobytes()
            texts = [unchanged if edited is None else edited.sequence for edited in run.outcomes]
            # Outcomes of another length belong to haplotypes that are not asked for.
            fitting = [text if len(text) == len(unchanged) else unchanged for text in texts]
            outcomes = np.frombuffer(b"".join(fitting), np.uint8).reshape(len(texts), -1)
            indices.append(np.arange(run.first, run.last))
            letters.append(outcomes[states])
        index = np.concatenate(indices)
        order = np.argsort(index, kind="stable")
        return index[order], np.concatenate(letters, axis=1)[:, order]

    def write(self, row: Bytes, place: int) -> None:
        """Fill ``row``, uint8 [L], with a haplotype that is not :attr:`resized`."""
        self._write_letters(row, place)
        for run, edited in self._changes(place):
            row[run.first : run.last] = np.frombuffer(edited.sequence, dtype=np.uint8)

    def write_around(self, row: Bytes, place: int, index: int, before: int) -> bool:
        """Fill ``row`` with the part of a haplotype in which a base of the reference has a given place.

        Args:
            row: uint8 [N] to fill.
            place: the haplotype's place in H.
            index: index of the base in the interval; if it is deleted, the next retained one stands for it.
            before: index it shall have in ``row``.

        Returns:
            Whether the haplotype is long enough on both sides; if not, ``row`` holds nothing of use.
        """
        changes = list(self._changes(place))
        found, total = index, len(self._reference)
        for run, edited in changes:
            gained = len(edited.sequence) - (run.last - run.first)
            total += gained
            if index >= run.last:
                found += gained
            elif index >= run.first:
                found += edited.index_after(index - run.first) - (index - run.first)
        skip = found - before
        if skip < 0 or total - skip < len(row):
            return False
        row[:] = np.frombuffer(self._joined(place, changes), dtype=np.uint8, count=len(row), offset=skip)
        return True

    def sequence(self, place: int) -> bytes:
        """One haplotype, of any length."""
        return self._joined(place, list(self._changes(place)))

    def _joined(self, place: int, changes: list[tuple[_Run, Edited]]) -> bytes:
        """A haplotype put together from stretches between changed runs and what those became."""
        self._write_letters(self._scratch, place)
        text = self._scratch.data
        pieces: list[bytes | memoryview] = []
        done = 0
        for run, edited in changes:
            pieces += [text[done : run.first], edited.sequence]
            done = run.last
        return b"".join([*pieces, text[done:]])

    def _changes(self, place: int) -> Iterator[tuple[_Run, Edited]]:
        """The runs that a haplotype changes, in order, and what they become."""
        states = self._states[:, place]
        for number in np.flatnonzero(states).tolist():
            edited = self._runs[number].outcomes[states[number]]
            if edited is not None:
                yield self._runs[number], edited

    def _write_letters(self, row: Bytes, place: int) -> None:
        """Fill a row with the reference and a haplotype's single-base variants."""
        row[:] = self._reference
        row[self.variable] = self._letters_by_haplotype[place]

    def _check_reference(self, here: Genotypes, alleles: NDArray[np.int8]) -> None:
        """Compare every REF with the reference, carried or not: a wrong reference must not pass by luck."""
        single = np.fromiter((len(ref) == 1 for ref in here.refs), dtype=bool, count=len(here.refs))
        bases = np.frombuffer("".join(ref[0] for ref in here.refs).encode(), dtype=np.uint8)
        index = here.positions - self._start
        wrong = single.copy()
        wrong[single] = _UPPER[bases[single]] != _UPPER[self._reference[index[single]]]
        text = self._reference.tobytes() if not single.all() else b""
        for row in np.flatnonzero(~single).tolist():
            first = int(index[row])
            inside = here.refs[row][max(-first, 0) : len(text) - first].upper().encode()
            wrong[row] = inside != text[max(first, 0) : max(first, 0) + len(inside)].upper()
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            first = max(int(index[row]), 0)
            found = self._reference[first : int(index[row]) + len(here.refs[row])].tobytes().decode()
            carriers = np.flatnonzero(alleles[row] > 0)
            person = f" (carried by {self._person(int(carriers[0]), here)})" if len(carriers) else ""
            raise InputError(
                f"{here.contig}:{here.positions[row] + 1}: REF of the genotypes is {here.refs[row][:50]}{person} but "
                f"the reference has {found[:50]}; they must agree; use the reference the genotypes were called on."
            )

    def _person(self, place: int, genotypes: Genotypes) -> str:
        return genotypes.samples[int(self._columns[place]) // 2]

    def _settle(self) -> None:
        """Find the runs of overlapping records and what each becomes in each haplotype."""
        genotypes, alleles = self._genotypes, self._alleles
        count = len(genotypes.refs)
        single = np.fromiter(
            (len(ref) == 1 == max(map(len, alts)) for ref, alts in zip(genotypes.refs, genotypes.alts, strict=True)),
            dtype=bool,
            count=count,
        )
        reach = np.maximum.accumulate(genotypes.ends)
        breaks = np.flatnonzero(genotypes.positions[1:] >= reach[:-1]) + 1
        bounds = np.array([0, *breaks.tolist(), count] if count else [0], dtype=np.int64)
        plain = np.logical_and.reduceat(single, bounds[:-1]) if count else np.zeros(0, dtype=bool)
        self._settle_single(bounds, plain, single)
        self._runs: list[_Run] = []
        states: list[NDArray[np.int32]] = []
        for number in np.flatnonzero(~plain).tolist():
            run, state = self._settle_run(int(bounds[number]), int(bounds[number + 1]))
            self._runs.append(run)
            states.append(state)
        self._states = np.array(states, dtype=np.int32).reshape(-1, alleles.shape[1])
        self.resized = np.zeros(alleles.shape[1], dtype=bool)
        for run, state in zip(self._runs, self._states, strict=True):
            longer = np.array([edited is not None and edited.resized for edited in run.outcomes])
            self.resized |= longer[state]

    def _settle_single(self, bounds: NDArray[np.int64], plain: NDArray[np.bool_], single: NDArray[np.bool_]) -> None:
        """Letters uint8 [P, H] at the positions where only single bases vary."""
        genotypes, alleles = self._genotypes, self._alleles
        rows = np.flatnonzero(np.repeat(plain, np.diff(bounds)))
        index = genotypes.positions[rows] - self._start
        base = self._reference[index]
        upper = _UPPER[base] == base
        carried = alleles[rows]
        letters = np.broadcast_to(base[:, None], carried.shape)
        numbers = rows.tolist()
        for allele in range(1, max((len(genotypes.alts[row]) for row in numbers), default=0) + 1):
            text = "".join(alts[allele - 1] if len(alts := genotypes.alts[row]) >= allele else "N" for row in numbers)
            alt = np.frombuffer(text.encode(), dtype=np.uint8)
            alt = np.where(upper, _UPPER[alt], _LOWER[alt])
            letters = np.where(carried == allele, alt[:, None], letters)
        # Of several records at one position the first that is carried counts.
        keep = np.concatenate([[True], index[1:] != index[:-1]]) if len(rows) else np.zeros(0, dtype=bool)
        if not keep.all():
            letters = letters.copy()
            for row in np.flatnonzero(~keep)[::-1].tolist():
                letters[row - 1] = np.where(carried[row - 1] > 0, letters[row - 1], letters[row])
            letters = letters[keep]
        self.variable = index[keep]
        self._letters: Bytes = letters
        self._letters_by_haplotype: Bytes = np.ascontiguousarray(letters.T)

    def _settle_run(self, begin: int, stop: int) -> tuple[_Run, NDArray[np.int32]]:
        """What the run of records ``[begin, stop)`` becomes, and the number of the outcome per haplotype."""
        genotypes, carried = self._genotypes, self._alleles[begin:stop]
        first = max(int(genotypes.positions[begin]) - self._start, 0)
        last = min(int(genotypes.ends[begin:stop].max()) - self._start, len(self._reference))
        run = _Run(first, last)
        unchanged = self._reference[first:last].tobytes()
        # One base more, where there is one: letter case is taken from it if all before it is deleted.
        around = self._reference[first : last + 1].tobytes()
        combinations, where, state = np.unique(carried, axis=1, return_index=True, return_inverse=True)
        numbers = []
        for combination, place in zip(combinations.T.tolist(), where.tolist(), strict=True):
            rows = [begin + offset for offset, allele in enumerate(combination) if allele > 0]
            records = [
                (int(genotypes.positions[row]), genotypes.refs[row], genotypes.alts[row][combination[row - begin] - 1])
                for row in rows
            ]
            try:
                edited = apply_records(around, self._start + first, records)
            except ReferenceMismatch as mismatch:
                raise InputError(
                    f"{genotypes.contig}:{genotypes.positions[rows[mismatch.record]] + 1}: variants of "
                    f"{self._person(place, genotypes)} overlap so that REF {mismatch.ref} meets {mismatch.found}; "
                    "bcftools consensus refuses that too; normalise the genotypes (bcftools norm -f) or exclude one."
                ) from mismatch
            extra = len(around) - len(unchanged)
            kept = edited.sequence[: len(edited.sequence) - extra]
            numbers.append(run.outcome(Edited(kept, edited.edits), unchanged))
        return run, np.array(numbers, dtype=np.int32)[state.reshape(-1)]
