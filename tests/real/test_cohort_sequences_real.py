"""Real people's haplotypes as letters at the sites that vary, against those built base by base."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from pexbench import bcftools
from pexbench.genotypes import read_genotypes
from pexbench.haplotypes import FLANK, build_haplotypes, cohort_sequences, encode
from pexbench.reference import Reference
from pexbench.windows import Window

MIRROR = os.environ.get("PEXBENCH_MIRROR")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not MIRROR, reason="set PEXBENCH_MIRROR to the folder of real data to run these"),
]


@pytest.mark.parametrize("upstream", [7_000, 98_304], ids=["10.5 kb", "197 kb"])
def test_letters_are_the_haplotypes(upstream: int, tmp_path: Path) -> None:
    """All variants, insertions and deletions included, of forty people; two genes on each strand."""
    downstream = {7_000: 3_500, 98_304: 98_304}[upstream]
    original = next(Path(MIRROR or "").rglob("1000G.EUR503.chr22_17.75-19.25Mb.vcf.gz"))
    packed = next(Path(MIRROR or "").rglob("hg19.chr22_1-22000000.fa.gz"))
    (tmp_path / "chr22.fa").write_bytes(gzip.decompress(packed.read_bytes()))
    reference, store = Reference(tmp_path / "chr22.fa"), tmp_path / "chosen.bcf"
    names = sorted(bcftools.run(["query", "-l", str(original)]).decode().split())
    people = np.random.default_rng(3).permutation(names)[:40].tolist()
    bcftools.run(["view", "-I", "-e", 'ALT~"<"', "-s", ",".join(people), "-Ob", "-o", str(store), str(original)])
    bcftools.run(["index", str(store)])
    changed = 0
    for number, tss in enumerate([17_980_123, 18_300_001, 18_644_444, 19_020_777]):
        window = Window("chr22", tss - upstream, tss + downstream, tss, number % 2 == 1)
        genotypes = read_genotypes(store, "chr22", window.start - FLANK, window.end + FLANK, people)
        built = build_haplotypes(reference, window, genotypes)
        cohort = cohort_sequences(reference, window, genotypes)
        wanted = encode(built.sequences, window.reverse)
        assert cohort.samples == built.samples == tuple(people)
        for person in range(len(people)):
            for haplotype in (0, 1):
                row = cohort.index[person, haplotype]
                found = cohort.sequences.codes(np.array([row]))[0]
                assert np.array_equal(found, wanted[built.index[person, haplotype]]), (tss, person, haplotype)
        assert np.array_equal(cohort.sequences.codes(np.array([0])), encode(built.reference[None], window.reverse))
        assert len(np.unique(cohort.index)) == len(np.unique(wanted, axis=0))
        changed += len(cohort.sequences.others)
        # Equal pieces have equal numbers, over any stretch and for either kind of sequence.
        full = cohort.sequences.codes(np.arange(len(cohort.sequences)))
        for start, length in [(0, 2_000), (window.length // 2 - 500, 1_542), (window.length - 700, 700)]:
            pieces = cohort.sequences.pieces(start, start + length)
            texts = [row.tobytes() for row in full[:, start : start + length]]
            assert len(pieces) == len(set(texts))
            assert all(texts[pieces.rows[kind]] == text for kind, text in zip(pieces.number, texts, strict=True))
    assert changed > 0
