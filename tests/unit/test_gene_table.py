"""The gene table from files that place genes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pexbench.errors import InputError
from pexbench.gene_table import place_genes
from pexbench.genes import read_genes, without_version


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Path]:
    paper = tmp_path / "list.csv"
    paper.write_text("ENSG00000000001,22,1000,,-\n")
    gtf = tmp_path / "genes.gtf"
    gtf.write_text(
        "#comment\n"
        'chr22\tX\tgene\t500\t1500\t.\t-\t.\tgene_id "ENSG00000000001.3"; gene_name "ONE";\n'
        'chr22\tX\tgene\t2000\t2500\t.\t+\t.\tgene_id "ENSG00000000002.1"; gene_name "TWO";\n'
        'chr22\tX\texon\t9\t10\t.\t+\t.\tgene_id "ENSG00000000002.1"; gene_name "TWO";\n'
        'chr22\tX\tgene\t3000\t3500\t.\t-\t.\tgene_id "ENSG00000000003.1"; gene_name "THREE";\n'
        'chr1\tX\tgene\t3000\t3500\t.\t-\t.\tgene_id "ENSG00000000004.1"; gene_name "FOUR";\n'
    )
    bed = tmp_path / "expression.bed"
    bed.write_text(
        "#chr\tstart\tend\tgene\tlength\tstrand\tP1\tP2\n"
        "chr22\t999\t1000\tENSG00000000001.5\t9\t-\t1\t2\n"
        "chr22\t2009\t2010\tENSG00000000002.5\t9\t+\t1\t2\n"
        "chr22\t3499\t3500\tENSG00000000003.5\t9\t-\t1\t2\n"
        "chr1\t3499\t3500\tENSG00000000004.5\t9\t-\t1\t2\n"
        "chr22\t7\t8\tENSG00000000009.5\t9\t.\t1\t2\n"
    )
    return {"paper": paper, "gtf": gtf, "bed": bed}


def test_the_first_source_that_knows_a_gene_places_it(sources: dict[str, Path]) -> None:
    genes, report = place_genes([sources["paper"], sources["gtf"]], [sources["bed"]], ["22"])
    places = {g.gene_id[-1]: (g.contig, g.tss, g.strand, g.symbol) for g in genes.values()}
    assert places == {
        "1": ("22", 1000, "-", "ONE"),  # the paper's TSS, GENCODE's symbol
        "2": ("22", 2000, "+", "TWO"),
        "3": ("22", 3500, "-", "THREE"),  # 5' end of a - gene is its end
    }
    assert report["placed"] == {"list.csv": 1, "genes.gtf": 2}
    assert report["elsewhere"] == 1
    assert report["placed_by_no_source"] == ["ENSG00000000009"]
    assert report["placed_differently_by_later_sources"] == ["ENSG00000000001"]


def test_an_expression_table_places_genes_by_its_bed_end(sources: dict[str, Path]) -> None:
    genes, _ = place_genes([sources["bed"]], [sources["bed"]], ["chr22"])
    assert genes["ENSG00000000002"].tss == 2010
    assert "ENSG00000000009" not in genes, "no strand, no place"


def test_a_part_of_a_contig_can_be_chosen(sources: dict[str, Path]) -> None:
    genes, report = place_genes([sources["gtf"]], [sources["bed"]], ["chr22:2000-3499", "1"])
    assert [gene_id[-1] for gene_id in genes] == ["4", "2"]
    assert report["elsewhere"] == 2


def test_no_gene_placed_is_told(sources: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="none of 5 genes"):
        place_genes([sources["paper"]], [sources["bed"]], ["7"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("A\t\t1\t5\t+\nA\t\t1\t6\t+\n", "A occurs more than once"),
        ("A\t\t1\t0\t+\n", "tss '0'"),
        ("A\t\t1\t5\t.\n", "strand '.'"),
        ("A;B\t\t1\t5\t+\n", "characters other"),
    ],
)
def test_gene_tables_are_checked(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "genes.tsv"
    path.write_text("gene_id\tsymbol\tcontig\ttss\tstrand\n" + line)
    with pytest.raises(InputError, match=said):
        read_genes(path)


def test_a_gene_called_na_stays_a_gene(tmp_path: Path) -> None:
    path = tmp_path / "genes.tsv"
    path.write_text("gene_id\tsymbol\tcontig\ttss\tstrand\nNA\tNaN\t1\t5\t+\n")
    assert read_genes(path)["NA"].symbol == "NaN"


def test_ensembl_versions_are_removed_and_nothing_else() -> None:
    assert without_version("ENSG00000100075.12") == "ENSG00000100075"
    assert without_version("AC016026.1") == "AC016026.1"
