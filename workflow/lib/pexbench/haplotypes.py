"""The two haplotype sequences of every person around a gene, built in memory, once per distinct haplotype.

A haplotype is what ``bcftools consensus -s SAMPLE -H 1pIu`` (or ``2pIu``) gives, byte for byte, letter case included.
Versions of bcftools differ in one thing only: since 1.20 a deletion that begins before the interval and reaches into
it is applied, before it was left out. Here it is applied.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pexbench.consensus import IntervalConsensus
from pexbench.errors import InputError
from pexbench.genotypes import Genotypes, with_iupac
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


def build_haplotypes(reference: Reference, window: Window, genotypes: Genotypes) -> Haplotypes:
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

    Returns:
        Distinct sequences and who has which.

    Raises:
        InputError: REF differs from the reference, bcftools would refuse the variants, the genotypes do not cover
            the interval needed, or one haplotype has lost more bases than the widest margin holds.
    """
    genotypes = with_iupac(genotypes)
    _check_covered(reference, window, genotypes, 0)
    plain = np.frombuffer(reference.fetch(window.contig, window.start, window.end), dtype=np.uint8)
    whole = IntervalConsensus(plain, window.start, genotypes)
    representatives, number = whole.distinct()
    resized = whole.resized[representatives]
    sequences = whole.same_length(representatives[~resized])
    row = np.zeros(len(representatives), dtype=np.int32)
    row[~resized] = np.arange(len(sequences))
    if resized.any():
        cut = _cut_around_tss(reference, window, genotypes, whole, representatives[resized])
        # A haplotype may differ from another only in what fell off the window's ends.
        known = {_digest(sequence.tobytes()): place for place, sequence in enumerate(sequences)}
        added: list[bytes] = []
        for place, sequence in zip(np.flatnonzero(resized).tolist(), cut, strict=True):
            row[place] = known.setdefault(_digest(sequence), len(known))
            if row[place] == len(sequences) + len(added):
                added.append(sequence)
        more = np.frombuffer(b"".join(added), dtype=np.uint8).reshape(-1, window.length)
        sequences = np.concatenate([sequences, more])
    return Haplotypes(
        samples=genotypes.samples,
        sequences=sequences,
        index=row[number].reshape(-1, 2),
        reference=plain,
        reference_row=next((place for place, one in enumerate(sequences) if np.array_equal(one, plain)), None),
    )


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
    sequence, _ = IntervalConsensus(plain, start, one, np.array([haplotype - 1])).sequence(0, 0)
    return sequence


def _cut_around_tss(
    reference: Reference, window: Window, genotypes: Genotypes, whole: IntervalConsensus, columns: NDArray[np.int64]
) -> list[bytes]:
    """Sequences of the window's length, the TSS at its place, for haplotypes with insertions or deletions.

    Each haplotype takes the first margin that gives it bases enough, whoever else is in the cohort.
    """
    before, after = window.tss - window.start, window.end - window.tss
    sequences: dict[int, bytes] = {}
    for margin in MARGINS:
        waiting = np.array([column for column in columns.tolist() if column not in sequences], dtype=np.int64)
        if not len(waiting):
            break
        if margin:
            _check_covered(reference, window, genotypes, margin)
            start, end = window.start - margin, window.end + margin
            plain = np.frombuffer(reference.fetch(window.contig, start, end), dtype=np.uint8)
            whole = IntervalConsensus(plain, start, genotypes, waiting)
        for place, column in enumerate(waiting.tolist()):
            sequence, tss = whole.sequence(place if margin else column, before + margin)
            if tss >= before and len(sequence) - tss >= after:
                sequences[column] = sequence[tss - before : tss + after]
    lost = next((column for column in columns.tolist() if column not in sequences), None)
    if lost is not None:
        raise InputError(
            f"{window.contig}:{window.start + 1}-{window.end}: haplotype {lost % 2 + 1} of "
            f"{genotypes.samples[lost // 2]} has lost more than {FLANK} bases to deletions on one side of the TSS; "
            "fewer are allowed; exclude long deletions (for example bcftools view -e 'ILEN<-1000')."
        )
    return [sequences[column] for column in columns.tolist()]


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


def _digest(sequence: bytes) -> bytes:
    """A short stand-in for a sequence in a dictionary."""
    return hashlib.blake2b(sequence, digest_size=16).digest()
