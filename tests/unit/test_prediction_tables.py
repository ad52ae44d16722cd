"""Tables of predictions made elsewhere: any layout gives the same model, and what is left out is told."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pexbench.cli import main
from pexbench.errors import InputError
from pexbench.files import write_table
from pexbench.genes import Gene, genes_to_table
from pexbench.prediction_tables import Imported, import_table
from pexbench.predictions import REFERENCE_COLUMNS, read_reference

PEOPLE = ["HG00096", "NA12878", "001", "NA"]
GENES = {
    gene_id: Gene(gene_id, symbol, "22", 1000 + number, "+")
    for number, (gene_id, symbol) in enumerate(
        [
            ("ENSG00000100075", "SLC25A1"),
            ("ENSG00000099940", "SNAP29"),
            ("ENSG00000206176", ""),
            ("ENSG00000000001", "TWIN"),
            ("ENSG00000000002", "Twin"),
        ]
    )
}
#: Columns as the paper's tables have them: lower-case symbols, ids where there is none.
PAPER = {"slc25a1": "ENSG00000100075", "snap29": "ENSG00000099940", "ensg00000206176": "ENSG00000206176"}
ROWS = [*PEOPLE, "reference"]
TRUTH = {
    (gene, person): np.float32(value)
    for (gene, person), value in zip(
        [(gene, person) for gene in PAPER.values() for person in ROWS],
        np.random.default_rng(11).normal(size=len(PAPER) * len(ROWS)),
        strict=True,
    )
}


def wide(rows: list[str] = ROWS, columns: dict[str, str] = PAPER) -> pd.DataFrame:
    """People x genes, as text."""
    return pd.DataFrame(
        {title: [repr(float(TRUTH[gene, person])) for person in rows] for title, gene in columns.items()}, index=rows
    )


def paper_csv(path: Path) -> None:
    wide().to_csv(path)


def named_csv(path: Path) -> None:
    wide().iloc[::-1, ::-1].to_csv(path, index_label="sample")


def gzipped_tsv(path: Path) -> None:
    with gzip.open(path, "wt") as handle:
        wide().to_csv(handle, sep="\t")


def genes_first(path: Path) -> None:
    turned = wide(
        columns={
            "ENSG00000100075.5": PAPER["slc25a1"],
            "Snap29": PAPER["snap29"],
            **dict([[PAPER["ensg00000206176"]] * 2]),
        }
    ).T
    turned.insert(0, "chrom", "chr22")
    turned.to_csv(path, sep="\t", index_label="gene_id")


def without_corner(path: Path) -> None:
    """As R's write.table: the header has one field less than the rows."""
    path.write_text(wide().to_csv(sep="\t").removeprefix("\t"))


def marked_csv(path: Path) -> None:
    path.write_text("\ufeff" + wide().to_csv(index_label="id"), encoding="utf-8")


def tidy(gene_column: str = "gene_id") -> pd.DataFrame:
    rows = [(person, gene, float(value)) for (gene, person), value in TRUTH.items()]
    table = pd.DataFrame(rows, columns=["sample", gene_column, "prediction"])
    return table.sample(frac=1, random_state=3)


def tidy_csv(path: Path) -> None:
    tidy("Gene").assign(other="x").to_csv(path, index=False)


def tidy_parquet(path: Path) -> None:
    tidy().astype({"prediction": "float32"}).to_parquet(path, index=False)


def wide_parquet(path: Path) -> None:
    wide().astype("float32").to_parquet(path)


LAYOUTS: list[tuple[str, Callable[[Path], None], str]] = [
    ("paper.csv", paper_csv, "people x genes"),
    ("named.csv", named_csv, "people x genes"),
    ("zip.tsv.gz", gzipped_tsv, "people x genes"),
    ("genes.tsv", genes_first, "genes x people"),
    ("corner.txt", without_corner, "people x genes"),
    ("mark.csv", marked_csv, "people x genes"),
    ("tidy.csv", tidy_csv, "tidy"),
    ("tidy.parquet", tidy_parquet, "tidy"),
    ("wide.parquet", wide_parquet, "people x genes"),
]


def imported(path: Path) -> Imported:
    return import_table(path, "elsewhere", GENES, PEOPLE)


def reasons(made: Imported) -> dict[tuple[str, str], str]:
    return {(entry["kind"], entry["id"]): entry["reason"] for entry in made.report["left_out"]}


@pytest.mark.parametrize(("name", "write", "layout"), LAYOUTS, ids=[name for name, _, _ in LAYOUTS])
def test_every_layout_gives_the_same_model(
    tmp_path: Path, name: str, write: Callable[[Path], None], layout: str
) -> None:
    write(tmp_path / name)
    made = imported(tmp_path / name)
    assert made.report["table"]["layout"] == layout
    # In the order of the run, whatever the table's.
    keys = [(gene, person) for gene in GENES if gene in PAPER.values() for person in PEOPLE]
    assert list(zip(made.people["gene_id"], made.people["sample"], strict=True)) == keys
    assert made.people["prediction"].dtype == np.float32
    assert made.people["prediction"].tolist() == [TRUTH[key] for key in keys]
    assert tuple(made.reference.columns) == REFERENCE_COLUMNS
    found = dict(zip(made.reference["gene_id"], made.reference["prediction"], strict=True))
    assert found == {gene: TRUTH[gene, "reference"] for gene in PAPER.values()}
    assert reasons(made) == {("gene", gene): "not in the table" for gene in ("ENSG00000000001", "ENSG00000000002")}


def command(verb: str, **options: object) -> None:
    """Run a verb of the command line."""
    main([verb, *(str(part) for key, value in options.items() for part in (f"--{key.replace('_', '-')}", value))])


def verb(folder: Path, table: Path) -> None:
    write_table(genes_to_table(GENES).assign(personal=True), folder / "genes.tsv")
    write_table(pd.DataFrame({"sample": PEOPLE}), folder / "samples.tsv")
    command(
        "import_predictions",
        table=table,
        model="elsewhere",
        genes=folder / "genes.tsv",
        samples=folder / "samples.tsv",
        output=folder / "out.parquet",
        output_reference=folder / "out.reference.tsv",
        report=folder / "out.json",
    )


def test_the_verb_writes_what_the_rest_reads(tmp_path: Path) -> None:
    paper_csv(tmp_path / "t.csv")
    verb(tmp_path, tmp_path / "t.csv")
    files = [tmp_path / name for name in ("out.parquet", "out.reference.tsv", "out.json")]
    first = [path.read_bytes() for path in files]
    assert len(pd.read_parquet(files[0])) == len(PAPER) * len(PEOPLE)
    reference = read_reference(files[1])
    assert reference["prediction"].tolist() == [TRUTH[gene, "reference"] for gene in reference["gene_id"]]
    assert len(reference) == len(PAPER)
    assert json.loads(first[2])["genes"] == {
        "in_run": 5,
        "kept": 3,
        "with_reference_prediction": 3,
        "in_table_not_in_run": 0,
        "examples_not_in_run": [],
    }
    verb(tmp_path, tmp_path / "t.csv")
    assert [path.read_bytes() for path in files] == first


def test_without_a_reference_row_the_reference_table_is_a_header(tmp_path: Path) -> None:
    wide(PEOPLE).to_csv(tmp_path / "t.csv")
    verb(tmp_path, tmp_path / "t.csv")
    assert (tmp_path / "out.reference.tsv").read_text() == "\t".join(REFERENCE_COLUMNS) + "\n"
    assert read_reference(tmp_path / "out.reference.tsv").empty


@pytest.mark.parametrize("reference", [True, False])
def test_an_imported_model_is_scored(tmp_path: Path, reference: bool) -> None:
    """With or without reference predictions; the scores are those of the numbers in the table."""
    from pexbench.scores import read_scores

    wide(ROWS if reference else PEOPLE).to_csv(tmp_path / "t.csv")
    verb(tmp_path, tmp_path / "t.csv")
    measured = pd.DataFrame(
        {
            person: [float(TRUTH[gene, person]) * sign for gene, sign in zip(PAPER.values(), (2, -1, 1), strict=True)]
            for person in PEOPLE
        }
    )
    measured.insert(0, "gene_id", list(PAPER.values()))
    write_table(measured, tmp_path / "expression.tsv")
    command(
        "score_model",
        model="elsewhere",
        people=tmp_path / "out.parquet",
        reference=tmp_path / "out.reference.tsv",
        individuals=tmp_path / "expression.tsv",
        levels=tmp_path / "expression.tsv",
        samples=tmp_path / "samples.tsv",
        bootstrap=100,
        output=tmp_path / "scores.tsv",
        output_intervals=tmp_path / "intervals.tsv",
        output_resampled=tmp_path / "resampled.parquet",
    )
    scores = read_scores(tmp_path / "scores.tsv")
    across = scores[(scores["axis"] == "across_individuals") & (scores["statistic"] == "pearson")]
    found = across.set_index("unit_id")["value"]
    assert [found[gene] for gene in PAPER.values()] == pytest.approx([1, -1, 1])
    assert ("across_genes_reference" in set(scores["axis"])) is reference


def test_people_without_prediction_are_left_out_and_genes_must_be_whole(tmp_path: Path) -> None:
    table = wide(["HG00096", "NA", "reference", "001"])
    table.loc["NA", "snap29"] = ""
    table.loc["HG00999"] = "0.5"
    table["no_gene"] = "text that is not read"
    table.to_csv(tmp_path / "t.csv")
    made = imported(tmp_path / "t.csv")
    assert sorted(set(made.people["sample"])) == ["001", "HG00096", "NA"]
    assert list(dict.fromkeys(made.people["gene_id"])) == [PAPER["slc25a1"], PAPER["ensg00000206176"]]
    assert reasons(made) == {
        ("person", "NA12878"): "not in the table",
        ("gene", PAPER["snap29"]): "no prediction for some people (NA)",
        ("gene", "ENSG00000000001"): "not in the table",
        ("gene", "ENSG00000000002"): "not in the table",
    }
    # A gene's reference prediction does not depend on people.
    assert set(made.reference["gene_id"]) == set(PAPER.values())
    assert made.report["people"] | {"kept": 3, "in_table_not_in_run": 1} == made.report["people"]
    assert made.report["genes"]["examples_not_in_run"] == ["no_gene"]
    assert made.report["left_out_by_reason"] == {
        "gene: no prediction for some people": 1,
        "gene: not in the table": 2,
        "person: not in the table": 1,
    }


def test_a_person_without_any_number_is_left_out_not_every_gene(tmp_path: Path) -> None:
    table = wide()
    table.loc["NA12878"] = "nan"
    table.to_csv(tmp_path / "t.csv")
    made = imported(tmp_path / "t.csv")
    assert reasons(made)["person", "NA12878"] == "no prediction for any gene of the run"
    assert made.report["genes"]["kept"] == 3


def test_genes_with_a_reference_prediction_only(tmp_path: Path) -> None:
    table = wide()
    table.loc[PEOPLE, "snap29"] = "NA"
    table.to_csv(tmp_path / "t.csv")
    made = imported(tmp_path / "t.csv")
    assert reasons(made)["gene", PAPER["snap29"]] == "reference prediction only"
    assert PAPER["snap29"] in set(made.reference["gene_id"])
    assert PAPER["snap29"] not in set(made.people["gene_id"])


def test_a_symbol_of_two_genes_is_not_matched_and_listed(tmp_path: Path) -> None:
    wide().assign(TWIN="1").to_csv(tmp_path / "t.csv")
    made = imported(tmp_path / "t.csv")
    assert made.report["genes"]["kept"] == 3
    told = reasons(made)["name of a gene in the table", "TWIN"]
    assert told == "stands for several of the run: ENSG00000000001, ENSG00000000002"


def test_an_id_is_not_taken_for_another_genes_symbol(tmp_path: Path) -> None:
    genes = {"snap29": Gene("snap29", "other", "22", 5, "+"), **GENES}
    wide().to_csv(tmp_path / "t.csv")
    made = import_table(tmp_path / "t.csv", "m", genes, PEOPLE)
    assert "snap29" in set(made.people["gene_id"])
    assert PAPER["snap29"] not in set(made.people["gene_id"])


def test_a_person_of_the_run_may_be_called_reference(tmp_path: Path) -> None:
    wide().to_csv(tmp_path / "t.csv")
    made = import_table(tmp_path / "t.csv", "m", GENES, [*PEOPLE, "reference"])
    assert set(made.people["sample"]) == set(ROWS)
    assert made.reference.empty


def change(**cells: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def changed(table: pd.DataFrame) -> pd.DataFrame:
        for column, value in cells.items():
            table.loc["001", column] = value
        return table

    return changed


@pytest.mark.parametrize(
    ("change_table", "said"),
    [
        (change(snap29="high"), r"'high' \(001, ENSG00000099940\) is no number"),
        (change(snap29="1_000"), r"'1_000' \(001, ENSG00000099940\) is no number"),
        (change(snap29="inf"), r"'inf' \(001, ENSG00000099940\) is not finite"),
        (change(snap29="1e39"), r"'1e39' \(001, ENSG00000099940\) is not finite as float32"),
        (lambda table: pd.concat([table, table.loc[["NA12878"]]]), "person NA12878 occurs more than once"),
        (lambda table: table.assign(ENSG00000099940="1"), "as snap29 and as ENSG00000099940"),
        (lambda table: pd.concat([table, table["snap29"]], axis=1), "as snap29 and as snap29"),
        (
            lambda table: table.rename(columns=dict(zip(table.columns, ("A", "B", "C"), strict=True))),
            r"no names of the run; its rows are HG00096.*columns A, B, C; the run's people are HG00096.*ENSG00000100075",
        ),
        (lambda table: table.set_axis(list("VWXYZ"), axis=0), "no names of the run; its rows are V, W, X"),
        (lambda table: table.rename(index={"NA": "snap29"}, columns={"slc25a1": "NA"}), "both ways round"),
        (lambda table: table.loc[["reference"]], "each of the 0 people"),
        (lambda table: table.assign(slc25a1="", snap29="", ensg00000206176=""), "no gene has a prediction"),
    ],
)  # fmt: skip
def test_faults_are_one_sentence(
    tmp_path: Path, change_table: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    change_table(wide()).to_csv(tmp_path / "t.csv")
    with pytest.raises(InputError, match=said) as raised:
        imported(tmp_path / "t.csv")
    assert str(raised.value).startswith(str(tmp_path / "t.csv"))


def test_tidy_duplicates_and_strangers_are_refused(tmp_path: Path) -> None:
    table = tidy()
    pd.concat([table, table.iloc[[4]]]).to_csv(tmp_path / "t.csv", index=False)
    gene, person = table.iloc[4][["gene_id", "sample"]]
    person = "*reference*" if person == "reference" else person
    with pytest.raises(InputError) as raised:
        imported(tmp_path / "t.csv")
    assert f"{gene} of {person} occurs more than once" in str(raised.value)
    table.assign(sample="somebody").to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match="no person of the run found; the table names somebody"):
        imported(tmp_path / "t.csv")
    table.assign(gene_id="ENSG00000999999").to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match="no gene of the run found"):
        imported(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.csv", "a\tb\nc\t1\n", "1 names in the header"),
        ("t.tsv", "", "separated by tabs"),
        ("t.csv", ",a\n", "separated by commas"),
        ("t.csv", ",a\nx,1\ny,1,2\n", "Expected 2 fields"),
        ("t.xlsx", "x", r"ending '\.xlsx' found"),
        ("t.csv.gz", "no gzip", "gzip"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        imported(tmp_path / name)
    with pytest.raises(InputError, match="not found"):
        imported(tmp_path / "absent.csv")


def test_reference_predictions_from_a_table_of_all_models(tmp_path: Path) -> None:
    wide(PEOPLE).to_csv(tmp_path / "people.csv")
    models = pd.DataFrame(
        {
            "gene": ["snap29", "ensg00000206176", "nobody", "slc25a1"],
            "Xpresso": ["9", "9", "9", "9"],
            "Enformer": ["2.5", "", "7", "-1.25"],
        }
    )
    models.to_csv(tmp_path / "all.csv", index=False)
    made = import_table(tmp_path / "people.csv", "m", GENES, PEOPLE, (tmp_path / "all.csv", "enformer"))
    found = dict(zip(made.reference["gene_id"], made.reference["prediction"], strict=True))
    assert found == {"ENSG00000100075": -1.25, "ENSG00000099940": 2.5}
    assert set(made.people["sample"]) == set(PEOPLE)
    for column, said in (("basenji2", "no column 'basenji2'"), (None, "2 columns beside the genes")):
        with pytest.raises(InputError, match=said):
            import_table(tmp_path / "people.csv", "m", GENES, PEOPLE, (tmp_path / "all.csv", column))
    wide().to_csv(tmp_path / "both.csv")
    with pytest.raises(InputError, match="one of them is allowed"):
        import_table(tmp_path / "both.csv", "m", GENES, PEOPLE, (tmp_path / "all.csv", "Enformer"))
