"""Reading genotypes: by name, by interval, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from pexbench import bcf, bcftools
from pexbench.errors import InputError
from pexbench.genotypes import Genotypes, read_genotypes, with_iupac

META = """##fileformat=VCFv4.2
##contig=<ID=7,length=1000>
##contig=<ID=22,length=1000>
##INFO=<ID=END,Number=1,Type=Integer,Description="E">
##FORMAT=<ID=DS,Number=1,Type=Float,Description="D">
##FORMAT=<ID=GT,Number=1,Type=String,Description="G">
"""
#: Three people whose order is neither sorted nor the order asked for.
PEOPLE = ("NA3", "HG1", "HG2")
LINES = (
    "22 10 . ACGT A . . . GT 0|1 0|0 1|1",
    "22 13 rs1 T C . . . DS:GT 1.5:1|0 0:0|0 .:0|1",
    "22 20 . G C,T . . . GT 1|2 2|0 0|0",
    f"22 30 . A {'ACGT' * 30} . . . GT 0|0 0|1 0|0",
    "22 40 . c t . . . GT:DS 1|1:2 1/1:2 0/0:0",
)


def write(folder: Path, lines: tuple[str, ...], suffix: str = "bcf") -> Path:
    path = folder / f"in.{suffix}"
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *PEOPLE]
    text = META + "\n".join(["\t".join(columns), *(line.replace(" ", "\t") for line in lines)]) + "\n"
    bcftools.run(["view", "-Ob" if suffix == "bcf" else "-Oz", "-o", str(path), "-"], stdin=text.encode())
    bcftools.run(["index", str(path)])
    return path


@pytest.mark.parametrize("suffix", ["bcf", "vcf.gz"])
@pytest.mark.parametrize("choice", ["", "pysam"])
def test_people_by_name_and_contig_in_either_naming(
    tmp_path: Path, suffix: str, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(bcftools.CHOICE, choice)
    found = read_genotypes(write(tmp_path, LINES, suffix), "chr22", 0, 1000, ["HG2", "NA3"])
    assert (found.contig, found.samples) == ("chr22", ("HG2", "NA3"))
    assert found.positions.tolist() == [9, 12, 19, 29, 39]
    assert found.ends.tolist() == [13, 13, 20, 30, 40]
    assert found.refs == ("ACGT", "T", "G", "A", "c")
    assert found.alts == (("A",), ("C",), ("C", "T"), ("ACGT" * 30,), ("t",))
    assert found.alleles.dtype == np.int8
    assert found.alleles[:, 0].tolist() == [[1, 1], [0, 1], [0, 0], [0, 0], [0, 0]]
    assert found.alleles[:, 1].tolist() == [[0, 1], [1, 0], [1, 2], [0, 0], [1, 1]]
    assert not found.unphased.any()


def test_interval_takes_deletions_that_begin_before(tmp_path: Path) -> None:
    path = write(tmp_path, LINES)
    assert read_genotypes(path, "22", 12, 20, PEOPLE).positions.tolist() == [9, 12, 19]
    assert read_genotypes(path, "22", 13, 19, PEOPLE).positions.tolist() == []
    assert read_genotypes(path, "22", -50, 5, PEOPLE).alleles.shape == (0, 3, 2)
    assert read_genotypes(path, "22", -50, -5, PEOPLE).samples == PEOPLE
    assert read_genotypes(path, "7", 0, 500, PEOPLE).alleles.shape == (0, 3, 2)
    everything = read_genotypes(path, "22", 0, 1000, PEOPLE)
    for start, end in [(12, 20), (13, 19), (0, 1), (29, 30), (10, 40)]:
        narrow, chosen = read_genotypes(path, "22", start, end, PEOPLE), everything.select(start, end)
        assert narrow.refs == chosen.refs
        assert narrow.positions.tolist() == chosen.positions.tolist()
        assert np.array_equal(narrow.alleles, chosen.alleles)


def test_choosing_people_and_records(tmp_path: Path) -> None:
    found = read_genotypes(write(tmp_path, LINES), "22", 0, 1000, PEOPLE)
    turned = found.of_samples(["HG2", "NA3"])
    assert turned.samples == ("HG2", "NA3")
    assert np.array_equal(turned.alleles, found.alleles[:, [2, 0]])
    taken = found.take(np.array([0, 3]))
    assert taken.refs == ("ACGT", "A")
    assert np.array_equal(taken.alleles, found.alleles[[0, 3]])
    with pytest.raises(InputError, match="NOBODY"):
        found.of_samples(["NOBODY"])


def test_dosages_of_biallelic_single_bases(tmp_path: Path) -> None:
    lines = (*LINES, "22 50 . A T . . . GT .|1 ./. 1|1")
    dosages, positions, ids = read_genotypes(
        write(tmp_path, lines), "chr22", 0, 1000, ["HG1", "NA3", "HG2"], missing="reference"
    ).dosages()
    assert dosages.dtype == np.float32
    assert positions.tolist() == [12, 39, 49]
    assert ids == ["chr22:13:T:C", "chr22:40:C:T", "chr22:50:A:T"]
    assert dosages.tolist() == [[0, 2, 0], [1, 2, 1], [1, 0, 2]]


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("22 5 . A T . . . GT 0|0 0/1 0|0", r"chr22:5: HG1 has 0/1, heterozygous without phase.*'iupac'"),
        ("22 5 . A T . . . GT 0|0 0|0 1", r"22:5: HG2 has a haploid call; two alleles are allowed"),
        ("22 5 . A T . . . GT 1 0 0", r"22:5: NA3 has a haploid call"),
        ("22 5 . A T . . . GT 0|0 0|0|1 0|0", r"22:5: HG1 has a call of more than two alleles"),
        ("22 5 . A T . . . GT 0|0 0|0 .|1", r"22:5: HG2 has \./1, a missing genotype.*'reference'"),
        ("22 5 . A T . . . GT 0|0 0|0 .", r"22:5: HG2 has \./\., a missing genotype"),
        ("22 5 . A <DEL> . . END=9 GT 0|0 0|0 0|0", r"22:5 has the allele <DEL>;.*bcftools view -e"),
        ("22 5 . A T,* . . . GT 0|0 0|0 0|0", r"22:5 has the allele \*;"),
        ("22 5 . A R . . . GT 0|0 0|0 0|0", r"22:5 has the allele R;"),
        ("22 5 . AC A . . END=9 GT 0|0 0|0 0|0", r"22:5 covers 5 bases .* REF has 2"),
        ("22 5 . A T . . . DS 0 0 0", r"22:5 has no GT field"),
    ],
)
def test_refused(tmp_path: Path, line: str, pattern: str) -> None:
    path = write(tmp_path, (line, *LINES))
    with pytest.raises(InputError, match=pattern):
        read_genotypes(path, "chr22", 0, 1000, PEOPLE)


def test_only_people_asked_for_are_judged(tmp_path: Path) -> None:
    path = write(tmp_path, ("22 5 . A T . . . GT 0|1 0/1 1",))
    assert read_genotypes(path, "22", 0, 100, ["NA3"]).alleles.tolist() == [[[0, 1]]]


def test_unknown_names(tmp_path: Path) -> None:
    path = write(tmp_path, LINES)
    with pytest.raises(InputError, match=r"sample\(s\) hg1 not found among its 3 samples"):
        read_genotypes(path, "22", 0, 100, ["hg1", "HG2"])
    with pytest.raises(InputError, match=r"contig 'chrX' not found; the header declares 7, 22"):
        read_genotypes(path, "chrX", 0, 100, PEOPLE)
    with pytest.raises(InputError, match=r"absent\.bcf: No such file"):
        read_genotypes(tmp_path / "absent.bcf", "22", 0, 100, PEOPLE)


def test_missing_kept_as_reference(tmp_path: Path) -> None:
    path = write(tmp_path, ("22 5 . A T . . . GT .|1 ./. .",))
    found = read_genotypes(path, "22", 0, 100, PEOPLE, missing="reference")
    assert found.alleles.tolist() == [[[-1, 1], [-1, -1], [-1, -1]]]


def test_unphased_single_bases_become_codes(tmp_path: Path) -> None:
    path = write(tmp_path, ("22 5 . A C,G . . . GT 0/1 1/2 2|0", "22 9 . c t . . . GT 0/0 1/0 1/1"))
    found = read_genotypes(path, "22", 0, 100, PEOPLE, unphased="iupac")
    assert found.unphased.tolist() == [[True, True, False], [False, True, False]]
    coded = with_iupac(found)
    assert coded.alts == (("C", "G", "M", "S"), ("t", "Y"))
    assert coded.alleles.tolist() == [[[3, 3], [4, 4], [2, 0]], [[0, 0], [2, 2], [1, 1]]]
    assert not coded.unphased.any()


def test_unphased_indel_has_no_code(tmp_path: Path) -> None:
    path = write(tmp_path, ("22 5 . A AC . . . GT 1/1 0/1 0|0",))
    with pytest.raises(InputError, match=r"22:5: HG1 is heterozygous for A/AC without phase"):
        read_genotypes(path, "22", 0, 100, PEOPLE, unphased="iupac")
    assert isinstance(read_genotypes(path, "22", 0, 100, ["NA3", "HG2"]), Genotypes)


def test_many_alleles_and_people_against_the_text(tmp_path: Path) -> None:
    """The binary decoder against what bcftools prints, long IDs, alleles and 300 people included."""
    generator = np.random.default_rng(5)
    names = [f"P{number}" for number in generator.permutation(300)]
    rows = []
    for position in range(10, 100, 3):
        calls = generator.integers(0, 4, (300, 2))
        alts = ",".join(["C", "G" * 20, "T"])
        ident = "x" * int(generator.integers(1, 400))
        rows.append(["22", str(position), ident, "A", alts, "9.5", "PASS", ".", "GT", *(f"{a}|{b}" for a, b in calls)])
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]
    text = META + "\n".join("\t".join(row) for row in [columns, *rows]) + "\n"
    path = tmp_path / "many.bcf"
    bcftools.run(["view", "-Ob", "-o", str(path), "-"], stdin=text.encode())
    bcftools.run(["index", str(path)])
    asked = sorted(names)[:200]
    found = read_genotypes(path, "22", 0, 1000, asked)
    order = [names.index(name) for name in asked]
    for row, alleles in zip(rows, found.alleles, strict=True):
        assert [f"{a}|{b}" for a, b in alleles.tolist()] == [row[9 + number] for number in order]


def test_stream_must_be_bcf() -> None:
    with pytest.raises(ValueError, match="no BCF 2 stream"):
        bcf.parse(b"##fileformat=VCFv4.2\n")
    with pytest.raises(ValueError, match="no BCF 2 stream"):
        bcf.parse(gzip.compress(b"text"))
