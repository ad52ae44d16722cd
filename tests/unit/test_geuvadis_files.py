"""Files of the paper's run in their real shape: expression, people, genes, resources by contig."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pexbench.cohort import read_expression, read_samples
from pexbench.errors import InputError
from pexbench.gene_table import describe, place_genes
from pexbench.resources import named_by, read_resources

HEADER = "TargetID\tGene_Symbol\tChr\tCoord\tHG00096\tHG00097\tNA06984\n"


@pytest.fixture
def expression(tmp_path: Path) -> Path:
    path = tmp_path / "GD462.txt.gz"
    rows = [
        "ENSG00000152931.6\tENSG00000152931.6\t5\t59783540\t0.101858741304588\t0.0781095249582053\t0.0489806714207954",
        "ENSG00000183696.9\tENSG00000183696.9\t7\t48128225\t8.18380494632815\t5.68691051653862\t2.43465332606958",
        "ENSG00000139269.2\tENSG00000139269.2\tX\t57846106\t1.19991028786187\t1.57357169385325\t0.521618578800261",
    ]
    path.write_bytes(gzip.compress((HEADER + "\n".join(rows) + "\n").encode()))
    return path


def test_expression_of_e_geuv_1_is_read_exactly(expression: Path) -> None:
    table = read_expression(expression)
    assert list(table.index) == ["ENSG00000152931", "ENSG00000183696", "ENSG00000139269"]
    assert list(table.columns) == ["HG00096", "HG00097", "NA06984"]
    assert table.loc["ENSG00000183696", "NA06984"] == 2.43465332606958


def test_a_word_among_numbers_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(HEADER + "a\ta\t1\t2\t1.0\tlow\t2.0\n")
    with pytest.raises(InputError, match="low"):
        read_expression(path)


def test_people_may_be_a_plain_list(tmp_path: Path) -> None:
    path = tmp_path / "samples.txt"
    path.write_text("HG00096\nHG00097\nNA06984")
    assert list(read_samples(path)["sample"]) == ["HG00096", "HG00097", "NA06984"]


def test_a_plain_list_names_nobody_twice(tmp_path: Path) -> None:
    path = tmp_path / "samples.txt"
    path.write_text("HG00096\nHG00097\nHG00096\n")
    with pytest.raises(InputError, match="HG00096 occurs more than once"):
        read_samples(path)


def test_the_gene_table_says_what_it_did(tmp_path: Path, expression: Path) -> None:
    genes = tmp_path / "gene_list.csv"
    genes.write_text(
        "ENSG00000152931,5,59783540,PART1,-\nENSG00000183696,7,48128225,,+\nENSG00000000001,9,1000,GONE,+\n"
    )
    placed, report = place_genes([genes], [expression], [])
    assert list(placed) == ["ENSG00000152931", "ENSG00000183696"]
    said = " ".join(describe(report))
    assert "3 genes on 3 contigs (autosomes only), 1 without a symbol, 1 left out because" in said
    assert "2 genes in the table, 1 of them without a symbol" in said
    assert "1 that no source places" in said


def test_the_papers_list(mirror: Path, tmp_path: Path) -> None:
    found, measured = mirror / "paper" / "gene_list.csv", tmp_path / "expression.tsv"
    rows = (line.split(",") for line in found.read_text().splitlines())
    measured.write_text(HEADER + "".join(f"{row[0]}.1\t{row[0]}.1\t{row[1]}\t{row[2]}\t1\t2\t3\n" for row in rows))
    _, report = place_genes([found], [measured], [])
    assert report["sources"]["gene_list.csv"] == {  # type: ignore[index]
        "genes": 3259,
        "without_symbol": 108,
        "contigs": sorted(map(str, range(1, 23))),
        "without_expression": 0,
    }


def test_a_name_with_contig_stands_for_one_resource_per_chromosome(root: Path) -> None:
    table = read_resources(root / "config" / "resources.tsv")
    found = named_by("geuvadis_chr{contig}", table)
    assert found == [f"geuvadis_chr{number}" for number in range(1, 23)]
    assert all(f".chr{name.removeprefix('geuvadis_chr')}." in table[name].url for name in found)
    assert named_by("hg19", table) == ["hg19"]
    assert named_by("some/file.{contig}.vcf.gz", table) == []
