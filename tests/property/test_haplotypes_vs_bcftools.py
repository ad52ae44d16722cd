"""Haplotypes in memory against ``bcftools consensus``, byte for byte, on random small genomes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from hostile_variants import ASKED, PHASED, SAMPLES, TRICKY, WITH_UNPHASED, Case, bounded, case, write
from pexbench import bcftools
from pexbench.consensus import IntervalConsensus
from pexbench.errors import InputError
from pexbench.genotypes import read_genotypes, with_iupac
from pexbench.haplotypes import build_haplotypes, consensus
from pexbench.reference import Reference
from pexbench.windows import Window


def oracle(
    folder: Path, store: Path, cases: list[Case], sample: str, haplotype: int
) -> dict[tuple[int, int, int], bytes | None]:
    """What bcftools makes of every window's part within its contig; None where it refuses. N's are added outside."""
    inner: dict[tuple[int, int, int], str] = {}
    result: dict[tuple[int, int, int], bytes | None] = {}
    for number, one in enumerate(cases):
        for start, end in one.windows:
            first, last = max(start, 0), min(end, len(one.bases))
            if first < last:
                inner[number, start, end] = f">c{number}:{first + 1}-{last}\n{one.bases[first:last]}\n"
            else:
                result[number, start, end] = b"N" * (end - start)

    def ask(keys: list[tuple[int, int, int]]) -> None:
        fasta = folder / "window.fa"
        fasta.write_text("".join(inner[key] for key in keys))
        try:
            output = bcftools.run(["consensus", "-s", sample, "-H", f"{haplotype}pIu", "-f", str(fasta), str(store)])
        except InputError:
            if len(keys) == 1:
                result[keys[0]] = None
            else:  # one refusal ends the whole run: ask for each alone
                for key in keys:
                    ask([key])
            return
        for key, text in zip(keys, output.split(b">")[1:], strict=True):
            number, start, end = key
            left, right = b"N" * (max(start, 0) - start), b"N" * (end - min(end, len(cases[number].bases)))
            result[key] = left + b"".join(text.split(b"\n")[1:]) + right

    if inner:
        ask(list(inner))
    return result


def pure_deletion(ref: str, alt: str) -> bool:
    """Whether ALT is REF with one stretch taken out, the first base kept."""
    return any(ref[:kept] + ref[len(ref) - len(alt) + kept :] == alt for kept in range(1, len(alt) + 1))


def undefined(one: Case, start: int) -> bool:
    """Whether a record's ALT ends before the window without being a plain deletion: bcftools writes to memory not
    its own then, and may crash or not."""
    return any(
        position < start < position + len(ref)
        and any(len(alt) <= start - position and not pure_deletion(ref, alt) for alt in alts.split(","))
        for position, ref, alts, *_ in one.records
    )


def compare(cases: list[Case], unphased: str) -> None:
    """Every window of every contig, for both haplotypes of both people."""
    cases = [
        Case(one.bases, one.records, tuple(window for window in one.windows if not undefined(one, max(window[0], 0))))
        for one in cases
    ]
    old = bcftools.version_number() < (1, 20)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fasta, store = write(folder, cases)
        reference = Reference(fasta)
        read = [
            read_genotypes(store, f"c{number}", -9, 99, ASKED, unphased=unphased, missing="reference")
            for number in range(len(cases))
        ]
        for sample in SAMPLES:
            for haplotype in (1, 2):
                expected = oracle(folder, store, cases, sample, haplotype)
                for (number, start, end), wanted in expected.items():
                    genotypes = read[number]
                    if old:  # bcftools before 1.20 leaves out records that begin before the window
                        genotypes = genotypes.take(np.flatnonzero(genotypes.positions >= start))
                    bases = reference.fetch(f"c{number}", start, end)
                    where = (cases[number], start, end, sample, haplotype)
                    try:
                        found = consensus(bases, start, genotypes, ASKED.index(sample), haplotype)
                    except InputError:
                        found = None
                    if wanted is not None:  # the same, settled for everybody at once
                        shared = IntervalConsensus(np.frombuffer(bases, dtype=np.uint8), start, with_iupac(genotypes))
                        assert shared.sequence(2 * ASKED.index(sample) + haplotype - 1) == wanted, where
                    event("refused" if wanted is None else "changed" if found != bases else "reference")
                    assert found == wanted, where
                    if wanted is not None:
                        check_built(reference, Window(f"c{number}", start, end, start, False), genotypes, where, wanted)


def check_built(reference, window, genotypes, where, wanted) -> None:
    """The model's input, where no variant changes the length, is the same bytes."""
    _, _, _, sample, haplotype = where
    if any(len(ref) != len(alt) for ref, alts in zip(genotypes.refs, genotypes.alts, strict=True) for alt in alts):
        return
    built = build_haplotypes(reference, window, genotypes)
    row = built.index[built.samples.index(sample), haplotype - 1]
    assert built.sequences[row].tobytes() == wanted, where
    assert (built.reference_row == row) == (wanted == built.reference.tobytes()), where
    assert len({sequence.tobytes() for sequence in built.sequences}) == len(built.sequences), where


@pytest.mark.slow
@bounded(30)
@given(st.lists(case(PHASED), min_size=4, max_size=6))
@example(TRICKY)
def test_indels_and_overlaps(cases: list[Case]) -> None:
    compare(cases, "error")


@bounded(12)
@given(st.lists(case(WITH_UNPHASED, snps=True), min_size=4, max_size=6))
def test_single_bases_with_iupac_codes(cases: list[Case]) -> None:
    compare(cases, "iupac")
