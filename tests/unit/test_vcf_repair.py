"""Genotype files whose header does not declare what their records use, as those of E-GEUV-1."""

from __future__ import annotations

import gzip
from pathlib import Path

import pysam
import pytest

from pexbench import cli, vcf_repair
from pexbench.errors import InputError
from pexbench.genes import Gene
from pexbench.genotypes import read_genotypes
from pexbench.reference import Reference
from pexbench.variants import VariantRules, subset_variants, vcf_header

PEOPLE = [f"HG{number:05d}" for number in range(1, 7)]
CALLS = ["0|0", "0|1", "1|0", "1|1", "0|1", "0|0"]
TSS = 20_001


def text(chromosomes: tuple[str, ...] = ("22",), late: str = "") -> str:
    """A VCF as E-GEUV-1 has it: no contig line; PP, BD and INFO keys are not declared."""
    lines = [
        "##fileformat=VCFv4.1",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        '##FORMAT=<ID=DS,Number=1,Type=Float,Description="Dosage">',
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *PEOPLE]),
    ]
    for chromosome in chromosomes:
        for position in range(19_000, 21_000, 100):
            calls = "\t".join(f"{call}:1.0:0,0,1:0.9" for call in CALLS)
            lines.append(f"{chromosome}\t{position}\trs{position}\tA\tG\t.\tPASS\tGERP=1;EFF\tGT:DS:PP:BD\t{calls}")
    return "\n".join(lines) + "\n" + late


def packed(path: Path, content: str, plain: bool = False) -> Path:
    if plain:
        path.write_bytes(gzip.compress(content.encode()))
    else:
        with pysam.BGZFile(str(path), "wb") as handle:
            handle.write(content.encode())
    return path


def give(source: Path, output: Path) -> Path:
    cli.main(["genotypes", "--source", str(source), "--output", str(output)])
    return output


@pytest.fixture
def reference(tmp_path: Path) -> Reference:
    path = tmp_path / "hg19.fa"
    path.write_text(">chr22\n" + "A" * 40_000 + "\n")
    pysam.faidx(str(path))
    return Reference(path)


@pytest.mark.parametrize("plain", [False, True])
def test_a_file_of_that_shape_gives_its_genotypes(tmp_path: Path, reference: Reference, plain: bool) -> None:
    output = give(packed(tmp_path / "in.vcf.gz", text(), plain), tmp_path / "run" / "22.vcf.gz")
    assert not output.is_symlink()
    assert vcf_header(output) == (["22"], PEOPLE)
    gene = Gene("ENSG00000000001", "", "22", TSS, "+")
    store = tmp_path / "shard.bcf"
    subset_variants(output, reference, [gene], PEOPLE[1:4], VariantRules(flank=1000), store)
    found = read_genotypes(store, "chr22", TSS - 1000, TSS + 1000, PEOPLE[1:4])
    assert found.positions.tolist() == [position - 1 for position in range(19_100, 21_000, 100)]
    assert found.alleles[0].tolist() == [[0, 1], [1, 0], [1, 1]]
    assert list((tmp_path / "run").glob(".tmp-*")) == []


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    found = vcf_repair.faults(packed(tmp_path / "in.vcf.gz", text()))
    assert found.undeclared == ("contig 22", "INFO/GERP", "INFO/EFF", "FORMAT/PP", "FORMAT/BD")
    assert not found.plain_gzip


def test_several_contigs_are_all_declared(tmp_path: Path) -> None:
    output = give(packed(tmp_path / "in.vcf.gz", text(("21", "22"))), tmp_path / "all.vcf.gz")
    with pysam.VariantFile(str(output)) as handle:
        assert list(handle.header.contigs) == ["21", "22"]
        assert len(list(handle.fetch("22"))) == 20


def test_a_complete_file_is_linked(tmp_path: Path) -> None:
    first = give(packed(tmp_path / "in.vcf.gz", text()), tmp_path / "a.vcf.gz")
    assert not vcf_repair.faults(first)
    assert give(first, tmp_path / "b.vcf.gz").resolve() == first


def test_a_cut_record_is_told_with_its_line(tmp_path: Path) -> None:
    source = packed(tmp_path / "in.vcf.gz", text(late="22\t30000\t.\tA\tG\t.\tPASS\t.\tGT\t0|1\n"))
    with pytest.raises(InputError, match="line 25 has 10 columns and FORMAT GT; 15 columns"):
        vcf_repair.rewrite(source, tmp_path / "out.vcf.gz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.vcf.gz"]


def test_a_bcf_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.bcf"
    path.write_bytes(gzip.compress(b"BCF\2\2"))
    assert not vcf_repair.is_vcf(path)
