"""The two haplotype sequences of every person around a gene, built in memory, once per distinct haplotype.

A haplotype is what ``bcftools consensus -s SAMPLE -H 1pIu`` (or ``2pIu``) gives, byte for byte, letter case included.
Versions of bcftools differ in one thing only: since 1.20 a deletion that begins before the interval and reaches into
it is applied, before it was left out. Here it is applied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pexbench.consensus import IntervalConsensus
from pexbench.errors import InputError
from pexbench.genotypes import Genotypes, with_iupac
from pexbench.incremental import Sequences, from_letters
from pexbench.reference import Reference
from pexbench.windows import Window

Bytes = NDArray[np.uint8]

#: How far (bp) a window is widened on both sides, in turn, for haplotypes whose deletions leave it too short.
MARGINS = (0, 128, 1024, 8192)
#: Genotypes with insertions or deletions are to be read this much (bp) beyond the windows on both sides.
FLANK = MARGINS[-1]


def _code_table(bases: bytes) -> Bytes:
    """Code of each byte: its place among four bases, in any letter case, else 4."""
    table = np.full(256, 4, dtype=np.uint8)
    for code, base in enumerate(bases.decode()):
        table[[ord(base), ord(base.lower())]] = code
    return table


_FORWARD, _REVERSE = _code_table(b"ACGT"), _code_table(b"TGCA")


def encode(sequences: Bytes, reverse: bool) -> Bytes:
    """Bases as numbers.

    Args:
        sequences: uint8 [N, L], ASCII in any letter case.
        reverse: give the reverse complement.

    Returns:
        uint8 [N, L], 0 to 3 = A, C, G, T; 4 = anything else.
    """
    if reverse:
        return np.ascontiguousarray(_REVERSE[sequences[..., ::-1]])
    coded: Bytes = _FORWARD[sequences]
    return coded


@dataclass(frozen=True)
class Haplotypes:
    """The distinct haplotypes of some people in one window.

    Attributes:
        samples: S names.
        sequences: uint8 [D, L], ASCII on the + strand, no two rows alike.
        index: int32 [S, 2], the row of each person's haplotypes 1 and 2.
        reference: uint8 [L], the reference over the window.
        reference_row: the row that equals the reference, or None.
    """

    samples: tuple[str, ...]
    sequences: Bytes
    index: NDArray[np.int32]
    reference: Bytes
    reference_row: int | None


def build_haplotypes(
    reference: Reference, window: Window, genotypes: Genotypes, *, out: Bytes | None = None
) -> Haplotypes:
    """Build every person's two haplotypes over a window.

    Without insertions and deletions a haplotype is the consensus over the window. With them it keeps the window's
    length and the TSS its place: the consensus is cut so that the TSS base (the next retained one, if it is deleted)
    has the same index as in the reference; what falls off the ends is dropped, and what lacks is filled from the
    consensus over a window widened by the first of :data:`MARGINS` that suffices.

    Args:
        reference: any letter case; past the contig's ends it gives N.
        window: 0-based half-open; may pass the contig's ends.
        genotypes: of the window's contig, covering the window, and :data:`FLANK` bp more on both sides if they
            hold insertions or deletions.
        out: uint8 [at least 2 S, L], memory for the sequences, to be used again from gene to gene: for long
            windows getting fresh memory takes longer than filling it. The result is valid until the next use.

    Returns:
        Distinct sequences and who has which.

    Raises:
        InputError: REF differs from the reference, bcftools would refuse the variants, the genotypes do not cover
            the interval needed, or one haplotype has lost more bases than the widest margin holds.
    """
    genotypes, plain, whole = _settled(reference, window, genotypes)
    representatives, number = whole.distinct()
    resized = whole.resized[representatives]
    fixed, others = representatives[~resized], representatives[resized]
    if out is None:
        out = np.empty((len(representatives), window.length), dtype=np.uint8)
    sequences = out[: len(representatives), : window.length]
    row = np.zeros(len(representatives), dtype=np.int32)
    row[~resized] = np.arange(len(fixed))
    for place, column in enumerate(fixed.tolist()):
        whole.write(sequences[place], column)
    same = np.flatnonzero(whole.is_reference(fixed))
    reference_row = int(same[0]) if len(same) else None
    if len(others):
        _write_around_tss(reference, window, genotypes, whole, others, sequences[len(fixed) :])
        row[resized], count = _merge_equal(sequences, len(fixed), whole.variable)
        sequences = sequences[:count]
        if reference_row is None:
            reference_row = next(
                (place for place in set(row[resized]) if np.array_equal(sequences[place], plain)), None
            )
    return Haplotypes(genotypes.samples, sequences, row[number].reshape(-1, 2), plain, reference_row)


@dataclass(frozen=True)
class Cohort:
    """Everyone's haplotypes in one window as a model reads them.

    Attributes:
        samples: S names.
        sequences: the distinct ones as codes, in the window's orientation; row 0 is the reference.
        index: int64 [S, 2], the row of each person's haplotypes 1 and 2.
    """

    samples: tuple[str, ...]
    sequences: Sequences
    index: NDArray[np.int64]


def cohort_sequences(reference: Reference, window: Window, genotypes: Genotypes) -> Cohort:
    """Everyone's haplotypes over a window as codes, without building the full sequences.

    The same haplotypes as :func:`build_haplotypes`, whose arguments and errors these are; those that differ in letter
    case alone become one. Only haplotypes with insertions or deletions are built.

    Returns:
        The distinct sequences and who has which.
    """
    genotypes, plain, whole = _settled(reference, window, genotypes)
    representatives, number = whole.distinct()
    resized = whole.resized[representatives]
    fixed, others = representatives[~resized], representatives[resized]
    positions, letters = whole.variation(fixed)
    moved = np.empty((len(others), window.length), dtype=np.uint8)
    if len(others):
        _write_around_tss(reference, window, genotypes, whole, others, moved)
    places = window.length - 1 - positions[::-1] if window.reverse else positions
    sequences, rows = from_letters(
        encode(plain, window.reverse), places, encode(letters, window.reverse), encode(moved, window.reverse)
    )
    row = np.empty(len(representatives), dtype=np.int64)
    row[~resized], row[resized] = rows[: len(fixed)], rows[len(fixed) :]
    return Cohort(genotypes.samples, sequences, row[number].reshape(-1, 2))


def consensus(reference_bytes: bytes, start: int, genotypes: Genotypes, sample_index: int, haplotype: int) -> bytes:
    """One haplotype over an interval, with whatever length it has: ``bcftools consensus`` on that interval.

    Args:
        reference_bytes: bases of the interval.
        start: 0-based position of its first base.
        genotypes: of the interval's contig.
        sample_index: the person's place in ``genotypes.samples``.
        haplotype: 1 or 2.

    Returns:
        Bases in the letter case bcftools gives them.

    Raises:
        InputError: REF differs from the reference, or bcftools would refuse the variants.
    """
    one = with_iupac(genotypes.of_samples([genotypes.samples[sample_index]]))
    plain = np.frombuffer(reference_bytes, dtype=np.uint8)
    return IntervalConsensus(plain, start, one, np.array([haplotype - 1])).sequence(0)


def _settled(reference: Reference, window: Window, genotypes: Genotypes) -> tuple[Genotypes, Bytes, IntervalConsensus]:
    """Genotypes without unphased calls, the window's reference uint8 [L], and what every variant in it becomes."""
    genotypes = with_iupac(genotypes)
    _check_covered(reference, window, genotypes, 0)
    plain = np.frombuffer(reference.fetch(window.contig, window.start, window.end), dtype=np.uint8)
    return genotypes, plain, IntervalConsensus(plain, window.start, genotypes)


def _write_around_tss(
    reference: Reference,
    window: Window,
    genotypes: Genotypes,
    whole: IntervalConsensus,
    columns: NDArray[np.int64],
    rows: Bytes,
) -> None:
    """Fill ``rows`` with haplotypes that have insertions or deletions, the TSS at its place in each.

    Each haplotype takes the first margin that gives it bases enough, whoever else is in the cohort.
    """
    before = window.tss - window.start
    waiting = list(enumerate(columns.tolist()))  # row to fill, haplotype
    for margin in MARGINS:
        consensus_here = whole
        if margin:
            _check_covered(reference, window, genotypes, margin)
            start, end = window.start - margin, window.end + margin
            plain = np.frombuffer(reference.fetch(window.contig, start, end), dtype=np.uint8)
            asked = np.array([column for _, column in waiting], dtype=np.int64)
            consensus_here = IntervalConsensus(plain, start, genotypes, asked)
        waiting = [
            (row, column)
            for place, (row, column) in enumerate(waiting)
            if not consensus_here.write_around(rows[row], place if margin else column, before + margin, before)
        ]
        if not waiting:
            return
    column = waiting[0][1]
    raise InputError(
        f"{window.contig}:{window.start + 1}-{window.end}: haplotype {column % 2 + 1} of "
        f"{genotypes.samples[column // 2]} has lost more than {FLANK} bases to deletions on one side of the TSS; "
        "fewer are allowed; exclude long deletions (for example bcftools view -e 'ILEN<-1000')."
    )


def _merge_equal(sequences: Bytes, fixed: int, probes: NDArray[np.int64]) -> tuple[list[int], int]:
    """Move the rows from ``fixed`` on together, leaving out those equal to an earlier row.

    Haplotypes may differ in nothing but what fell off the window's ends.

    Args:
        sequences: uint8 [D, L], changed in place.
        fixed: how many rows at the top are distinct already.
        probes: indices at which rows usually differ; rows alike there are compared in full.

    Returns:
        The place of each row from ``fixed`` on, and how many rows remain.
    """
    alike: dict[bytes, list[int]] = {}
    for place in range(fixed):
        alike.setdefault(sequences[place, probes].tobytes(), []).append(place)
    places: list[int] = []
    count = fixed
    for sequence in sequences[fixed:]:
        candidates = alike.setdefault(sequence[probes].tobytes(), [])
        place = next((one for one in candidates if np.array_equal(sequences[one], sequence)), count)
        if place == count:
            candidates.append(place)
            sequences[count] = sequence
            count += 1
        places.append(place)
    return places, count


def _check_covered(reference: Reference, window: Window, genotypes: Genotypes, margin: int) -> None:
    """Refuse genotypes that were read for less than the window and its margin: variants would silently lack."""
    length = reference.lengths[reference.contig(window.contig)]
    start, end = max(window.start - margin, 0), min(window.end + margin, length)
    lacks_start = genotypes.start is not None and genotypes.start > start
    lacks_end = genotypes.end is not None and genotypes.end < end
    if start < end and (lacks_start or lacks_end):
        wider = f" and, because of insertions or deletions, {FLANK} bp more on both sides" if margin else ""
        raise InputError(
            f"{window.contig}:{start + 1}-{end}: genotypes were read from {genotypes.start} to {genotypes.end} "
            f"(0-based) only; they must cover the whole window{wider}; read them for a wider interval."
        )
