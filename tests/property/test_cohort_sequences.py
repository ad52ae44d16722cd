"""Haplotypes as letters at the sites that vary, against the haplotypes built base by base."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from hostile_variants import ASKED, PHASED, TRICKY, WITH_UNPHASED, Case, bounded, case, write
from pexbench.errors import InputError
from pexbench.genotypes import Genotypes, read_genotypes
from pexbench.haplotypes import build_haplotypes, cohort_sequences, encode
from pexbench.reference import Reference
from pexbench.windows import Window


def compare(reference: Reference, window: Window, genotypes: Genotypes) -> None:
    """Both ways give everybody the same codes, or refuse alike."""
    try:
        built = build_haplotypes(reference, window, genotypes)
    except InputError as error:
        event("refused")
        with pytest.raises(InputError, match=f"^{re.escape(str(error))}$"):
            cohort_sequences(reference, window, genotypes)
        return
    cohort = cohort_sequences(reference, window, genotypes)
    wanted = encode(built.sequences, window.reverse)
    plain = encode(built.reference[None], window.reverse)
    found = cohort.sequences.codes(np.arange(len(cohort.sequences)))
    assert cohort.samples == built.samples
    assert cohort.index.shape == built.index.shape
    assert np.array_equal(found[cohort.index], wanted[built.index])
    # The reference comes first, and nothing twice: letter case makes no difference to a model.
    assert np.array_equal(found[:1], plain)
    texts = [row.tobytes() for row in found]
    assert len(set(texts)) == len(texts)
    assert set(texts) == {plain.tobytes(), *(row.tobytes() for row in wanted)}
    event(f"{min(len(cohort.sequences.others), 2)} or more with lengths changed")


def every_window(cases: list[Case], unphased: str) -> None:
    """Both orientations, the TSS at the first, the middle and the last base."""
    with tempfile.TemporaryDirectory() as name:
        fasta, store = write(Path(name), cases)
        reference = Reference(fasta)
        for number, one in enumerate(cases):
            genotypes = read_genotypes(store, f"c{number}", -9, 99, ASKED, unphased=unphased, missing="reference")
            for start, end in one.windows:
                for tss in {start, (start + end) // 2, end - 1}:
                    for reverse in (False, True):
                        compare(reference, Window(f"c{number}", start, end, tss, reverse), genotypes)


@bounded(15)
@given(st.lists(case(PHASED), min_size=4, max_size=6))
@example(TRICKY)
def test_indels_mnps_and_overlaps(cases: list[Case]) -> None:
    every_window(cases, "error")


@bounded(8)
@given(st.lists(case(WITH_UNPHASED, snps=True), min_size=4, max_size=6))
def test_single_bases_with_iupac_codes(cases: list[Case]) -> None:
    every_window(cases, "iupac")
