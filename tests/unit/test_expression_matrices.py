"""Matrices of measured expression, either way round, become the table that everything else reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pexbench.cli import main
from pexbench.cohort import read_expression
from pexbench.errors import InputError
from pexbench.expression_matrices import expression_of
from pexbench.genes import Gene

PEOPLE = ["HG1", "HG2", "HG3"]
GENES = {
    gene: Gene(gene, symbol, "1", 1000, "+")
    for gene, symbol in (("ENSG00000000001", "Aaa"), ("ENSG00000000002", ""), ("ENSG00000000003", "Ccc"))
}
VALUES = np.array([[1.5, -2.25, 0.1], [1e-7, 3.0, np.nan], [7.0, 8.0, 9.0]])
NAMES = ["aaa", "ensg00000000002.7", "CCC"]


@pytest.mark.parametrize("turned", [False, True])
def test_both_ways_round_give_the_same(tmp_path: Path, turned: bool) -> None:
    frame = pd.DataFrame(VALUES, NAMES, PEOPLE)
    frame.loc["unknown"] = 5.0
    (frame.T if turned else frame).to_csv(tmp_path / "m.csv")
    table, report = expression_of(tmp_path / "m.csv", GENES)
    assert list(table.columns) == ["gene_id", *PEOPLE]
    assert list(table["gene_id"]) == list(GENES)
    np.testing.assert_array_equal(table[PEOPLE].to_numpy(), VALUES)
    assert report["counts"]["genes_not_in_sources"] == 1
    assert report["examples_not_in_sources"] == ["unknown"]


@pytest.mark.parametrize(
    ("known", "name", "head"),
    [("--sources", "list.csv", ""), ("--genes", "genes.txt", "gene_id\tsymbol\tcontig\ttss\tstrand\n")],
)
def test_what_the_verb_writes_is_read_back_exactly(tmp_path: Path, known: str, name: str, head: str) -> None:
    pd.DataFrame(VALUES, NAMES, PEOPLE).T.to_csv(tmp_path / "m.csv")
    line = "{0.gene_id}\t{0.symbol}\t1\t1000\t+\n" if head else "{0.gene_id},1,1000,{0.symbol},+\n"
    (tmp_path / name).write_text(head + "".join(line.format(gene) for gene in GENES.values()))
    words = ["--table", str(tmp_path / "m.csv"), known, str(tmp_path / name)]
    main(["expression_table", *words, "--output", str(tmp_path / "o.tsv"), "--report", str(tmp_path / "r.json")])
    table = read_expression(tmp_path / "o.tsv")
    np.testing.assert_array_equal(table.loc[list(GENES), PEOPLE].to_numpy(), VALUES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (",HG1,HG2\nxyz,1,2\n", "no gene that the gene sources know"),
        (",aaa,HG2\nccc,1,2\n", "genes in rows and in columns"),
        (",HG1,HG1\naaa,1,2\n", "HG1 occurs more than once"),
        (",HG1,HG2\naaa,1,2\nAAA,1,2\n", "occurs more than once"),
        (",HG1,HG2\naaa,1,two\n", "is no number"),
    ],
)
def test_faults_are_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        expression_of(tmp_path / "m.csv", GENES)
