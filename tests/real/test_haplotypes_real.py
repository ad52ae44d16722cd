"""Haplotypes of real people, built in memory, against bcftools on the original VCF."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from pexbench import bcftools
from pexbench.genotypes import Genotypes, read_genotypes
from pexbench.haplotypes import FLANK, build_haplotypes, consensus
from pexbench.haplotypes_check import OVERLAPS_SINCE, check_against_bcftools
from pexbench.reference import Reference
from pexbench.windows import Window

MIRROR = os.environ.get("PEXBENCH_MIRROR")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not MIRROR, reason="set PEXBENCH_MIRROR to the folder of real data to run these"),
]
START, END = 17_750_000, 19_250_000
SNPS = ["-V", "indels,mnps,other"]  # -v snps would keep sites with a SNP and an insertion
PLAIN = ["-e", 'ALT~"<"']


@pytest.fixture(scope="module")
def original() -> Path:
    return next(Path(MIRROR or "").rglob("1000G.EUR503.chr22_17.75-19.25Mb.vcf.gz"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    packed = next(Path(MIRROR or "").rglob("hg19.chr22_1-22000000.fa.gz"))
    plain = tmp_path_factory.mktemp("real") / "chr22.fa"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    return Reference(plain)


@pytest.fixture(scope="module")
def people(original: Path) -> list[str]:
    """Forty people, in an order of their own."""
    names = sorted(bcftools.run(["query", "-l", str(original)]).decode().split())
    return np.random.default_rng(3).permutation(names)[:40].tolist()


def stored(original: Path, folder: Path, choice: list[str], people: list[str]) -> Path:
    """An indexed BCF of chosen records and people."""
    path = folder / "chosen.bcf"
    bcftools.run(["view", "-I", *choice, "-s", ",".join(people), "-Ob", "-o", str(path), str(original)])
    bcftools.run(["index", str(path)])
    return path


def windows(number: int, seed: int) -> list[tuple[str, Window]]:
    centres = np.random.default_rng(seed).integers(START + 12_000, END - 12_000, number)
    return [(f"g{place}", Window("chr22", tss - 7_000, tss + 3_500, tss, False)) for place, tss in _numbered(centres)]


def _numbered(centres: np.ndarray) -> list[tuple[int, int]]:
    return list(enumerate(int(centre) for centre in centres))


@pytest.mark.parametrize("choice", [SNPS, PLAIN], ids=["snps", "indels"])
def test_random_people_against_the_original_file(
    original: Path, reference: Reference, people: list[str], tmp_path: Path, choice: list[str]
) -> None:
    """Ours comes from a BCF of forty people, theirs from the VCF of all 503, restricted by bcftools itself."""
    store = stored(original, tmp_path, choice, people)
    everyone = tmp_path / "everyone.bcf"
    bcftools.run(["view", *choice, "-Ob", "-o", str(everyone), str(original)])
    bcftools.run(["index", str(everyone)])
    generator = np.random.default_rng(8)
    resized = 0
    for _, window in windows(12, 4):
        genotypes = read_genotypes(store, "chr22", window.start - FLANK, window.end + FLANK, people)
        built = build_haplotypes(reference, window, genotypes)
        assert built.sequences.shape[1] == 10_500
        seen = genotypes
        if bcftools.version_number() < OVERLAPS_SINCE:
            seen = genotypes.take(np.flatnonzero(genotypes.positions >= window.start))
        bases = reference.fetch("chr22", window.start, window.end)
        fasta = tmp_path / "window.fa"
        fasta.write_bytes(f">22:{window.start + 1}-{window.end}\n".encode() + bases + b"\n")
        for person in generator.choice(len(people), 5, replace=False).tolist():
            for haplotype in (1, 2):
                theirs = bcftools.run(
                    ["consensus", "-s", people[person], "-H", f"{haplotype}pIu", "-f", str(fasta), str(everyone)]
                )
                theirs = b"".join(theirs.split(b"\n")[1:])
                assert consensus(bases, window.start, seen, person, haplotype) == theirs
                row = built.sequences[built.index[person, haplotype - 1]].tobytes()
                if carries_no_indel(genotypes, person, haplotype):
                    assert row == theirs
                else:
                    resized += 1
                    assert_cut_from(row, reference, window, genotypes, person, haplotype)
    assert resized > 50 if choice is PLAIN else resized == 0


def carries_no_indel(genotypes: Genotypes, person: int, haplotype: int) -> bool:
    rows = np.flatnonzero(genotypes.alleles[:, person, haplotype - 1]).tolist()
    allele = genotypes.alleles[:, person, haplotype - 1]
    return all(len(genotypes.refs[row]) == len(genotypes.alts[row][allele[row] - 1]) for row in rows)


def assert_cut_from(
    row: bytes, reference: Reference, window: Window, genotypes: Genotypes, person: int, haplotype: int
) -> None:
    """The model's input is one stretch of the consensus over a wide interval, the TSS base at its index."""
    start, end = window.start - 3_000, window.end + 3_000
    wide = consensus(reference.fetch("chr22", start, end), start, genotypes, person, haplotype)
    at = wide.find(row)
    assert at >= 0
    upstream = consensus(reference.fetch("chr22", start, window.tss), start, genotypes, person, haplotype)
    assert at + (window.tss - window.start) == len(upstream)


@pytest.mark.parametrize("choice", [SNPS, PLAIN], ids=["snps", "indels"])
def test_the_check_of_a_run(
    original: Path, reference: Reference, people: list[str], tmp_path: Path, choice: list[str]
) -> None:
    store = stored(original, tmp_path, choice, people)
    result = check_against_bcftools(reference, store, windows(30, 5), people, 40, 7)
    assert (result["compared"], result["different"], result["examples"]) == (40, 0, [])
    assert result["applied"] > 200


def test_reading_equals_the_text_of_the_original(original: Path, people: list[str], tmp_path: Path) -> None:
    """Every genotype of forty people against what ``bcftools query`` prints."""
    found = read_genotypes(stored(original, tmp_path, PLAIN, people), "chr22", START, END, people)
    form = "%POS %REF %ALT[ %SAMPLE=%GT]\n"
    text = bcftools.run(["query", *PLAIN, "-s", ",".join(people), "-f", form, str(original)]).decode()
    lines = [line.split(" ") for line in text.splitlines()]
    assert [int(line[0]) - 1 for line in lines] == found.positions.tolist()
    assert [line[1] for line in lines] == list(found.refs)
    assert [tuple(line[2].split(",")) for line in lines] == list(found.alts)
    column = {name: number for number, name in enumerate(people)}
    for line, alleles in zip(lines, found.alleles.tolist(), strict=True):
        printed = dict(call.split("=") for call in line[3:])
        assert {name: "|".join(map(str, alleles[column[name]])) for name in people} == printed
