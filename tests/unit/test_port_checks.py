"""Checks of ports: what is drawn depends on names alone, differences are found, and found differences fail."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pysam
import pytest
from scipy import stats

from cohorts import PEOPLE, Cohort
from pexbench.checks import InputFiles
from pexbench.cli import main
from pexbench.errors import InputError
from pexbench.files import write_table
from pexbench.genes import read_genes
from pexbench.haplotypes import Haplotypes
from pexbench.port_checks import compare_ports, compare_published, read_predictions, read_published, spearman
from pexbench.port_sequences import (
    Sequences,
    draw,
    draw_haplotypes,
    predict_sequences,
    read_sequences,
    sample_sequences,
    write_sequences,
)
from pexbench.predict import Genotyping
from pexbench.reference import Reference
from pexbench.variants import VariantRules
from pexbench.windows import WindowRule

RULE = WindowRule(2001, 1200, 800, oriented=True)


def test_a_draw_depends_on_names_and_seed_alone() -> None:
    names = [f"N{number}" for number in range(40)]
    drawn = draw(names, 7, 1)
    assert len(set(drawn)) == 7
    assert draw(names[::-1], 7, 1) == drawn
    assert draw(names, 7, 2) != drawn
    assert draw(names, 7, 1, "gene") != drawn
    # Fewer names change nothing but the places of those that went.
    assert draw([name for name in names if name != drawn[2]], 6, 1) == [name for name in drawn if name != drawn[2]]


def test_people_are_drawn_until_there_are_enough_sequences() -> None:
    random = np.random.default_rng(3)
    people = tuple(f"P{number}" for number in range(60))
    index = random.choice(12, size=(60, 2), p=np.arange(1, 13) / 78).astype(np.int32)
    made = Haplotypes(people, np.zeros((12, 4), np.uint8), index, np.zeros(4, np.uint8), None)
    rows, labels, copies = draw_haplotypes(made, "G", 5, seed=1)
    assert len(set(rows)) == 5
    for row, label in zip(rows, labels, strict=True):
        name, copy = label.split(":")
        assert index[people.index(name), int(copy) - 1] == row
    # The haplotypes counted are those of the first people of the order, up to the sixth different one.
    order = [int(row) for name in draw(people, 60, 1, "G") for row in index[people.index(name)]]
    until = next(place for place in range(len(order)) if len(set(order[: place + 1])) == 6)
    assert {row: order[:until].count(row) for row in rows} == dict(zip(rows, copies, strict=True))
    assert sum(copies) == until
    # All there are.
    rows, _, copies = draw_haplotypes(made, "G", 100, seed=1)
    assert sorted(rows) == sorted(set(index.ravel().tolist()))
    assert sum(copies) == 120


def sample(files: InputFiles, people: list[str], **changes: Any) -> Sequences:
    genes = read_genes(files.genes)
    settings: dict[str, Any] = {"number_genes": 5, "number_haplotypes": 4, "seed": 1} | changes
    return sample_sequences(
        "model",
        RULE,
        dict(reversed(genes.items())) if people != PEOPLE else genes,
        {"G1", "G2"} - set(settings.get("also", ())),
        Reference(files.reference),
        files.genotype_file,
        VariantRules(flank=3000),
        Genotyping(Path(), people),
        **settings,
    )


def haplotype(files: InputFiles, name: str, copy: int) -> str:
    """A person's chromosome, straight from the text of the VCF."""
    bases = list(Cohort().reference())
    with pysam.VariantFile(files.genotypes) as records:
        for record in records:
            bases[record.pos - 1] = record.alleles[record.samples[name]["GT"][copy - 1]]
    return "".join(bases)


def window(bases: str, gene: str) -> list[int]:
    """The model's input by hand: G1 is + at 6000, G2 is - at 12000 (1-based)."""
    start = {"G1": 5999 - 1200, "G2": 11999 - 800}[gene]
    cut = bases[start : start + 2001]
    if gene == "G2":
        cut = cut[::-1].translate(str.maketrans("ACGT", "TGCA"))
    return ["ACGT".index(base) for base in cut]


def test_sequences_are_the_persons_own(tmp_path: Path) -> None:
    files = Cohort().write(tmp_path)
    made = sample(files, PEOPLE)
    assert made.codes.dtype == np.uint8
    assert made.codes.shape == (10, 2001)
    for codes, gene, label in zip(made.codes, made.gene_ids, made.labels, strict=True):
        name, _, copy = label.partition(":")
        bases = Cohort().reference() if name == "reference" else haplotype(files, name, int(copy))
        assert codes.tolist() == window(bases, gene)
    assert sorted(set(made.gene_ids)) == ["G1", "G2"]
    assert [made.labels[place] for place, count in enumerate(made.copies) if count == 0] == ["reference"] * 2
    # Another order of people and genes draws the same.
    again = sample(files, PEOPLE[::-1])
    assert (again.gene_ids, again.labels) == (made.gene_ids, made.labels)
    assert np.array_equal(again.codes, made.codes)
    assert set(sample(files, PEOPLE, seed=2).labels) != set(made.labels)


def test_further_genes_get_their_reference_sequence(tmp_path: Path) -> None:
    files = Cohort().write(tmp_path)
    made = sample(files, PEOPLE, also=["G2", "elsewhere"])
    assert [label for gene, label in zip(made.gene_ids, made.labels, strict=True) if gene == "G2"] == ["reference"]
    assert set(made.gene_ids) == {"G1", "G2"}
    with pytest.raises(InputError, match="0 genes and at most 4 haplotypes"):
        sample(files, PEOPLE, also=["G1", "G2"])


def test_sequences_are_files_without_pickle_and_repeat(tmp_path: Path) -> None:
    made = sample(Cohort().write(tmp_path), PEOPLE)
    write_sequences(made, tmp_path / "a.npz")
    write_sequences(made, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    read = read_sequences(tmp_path / "a.npz")
    assert (read.model, read.rule, read.gene_ids, read.labels) == (made.model, made.rule, made.gene_ids, made.labels)
    assert np.array_equal(read.codes, made.codes)
    assert np.array_equal(read.copies, made.copies)


class Fake:
    """A model: how often each base occurs at even places, and the gene's number; ``error`` for one base."""

    def __init__(self, name: str = "model", rule: WindowRule = RULE, error: float = 0) -> None:
        self.card = SimpleNamespace(name=name, window_rule=lambda: rule)
        self.error = error

    def predict_gene(self, gene_id: str, codes: np.ndarray) -> np.ndarray:
        counts = (codes[:, ::2, None] == np.arange(4)).sum(axis=1)
        return (counts @ np.array([0.01, 0.02, 0.05, 0.1 + self.error]) + int(gene_id[1:])).astype(np.float32)


def test_implementations_predict_the_same_sequences(tmp_path: Path) -> None:
    made = sample(Cohort().write(tmp_path), PEOPLE)
    one, other = (predict_sequences(Fake(error=error), made, size) for error, size in ((0, 64), (1e-3, 3)))  # type: ignore[arg-type]
    for number, (codes, gene) in enumerate(zip(made.codes, made.gene_ids, strict=True)):
        alone = Fake().predict_gene(gene, codes[None])[0]
        assert one["prediction"][number] == alone
    write_table(one, tmp_path / "one.tsv")
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "one.tsv"), one)
    verdict = compare_ports("model", {"one": one, "other": other}, 1e-6)
    # The port counts T a thousandth too much: 2001 bases have about 250 Ts at even places.
    assert 0.2 < verdict.report["pairs"][0]["max_difference"] < 0.3
    assert verdict.report["passed"] is False
    for wrong in (Fake("another"), Fake(rule=WindowRule(2001, 1200, 801, oriented=True))):
        with pytest.raises(InputError, match="drawn for model model"):
            predict_sequences(wrong, made, 3)  # type: ignore[arg-type]


def predictions(change: float = 0.0, genes: int = 3) -> pd.DataFrame:
    """One implementation's predictions; another is off by ``change`` at one sequence of gene G1."""
    random = np.random.default_rng(5)
    rows = []
    for number in range(genes):
        for place in range(6):
            label = f"P{place}:1" if place else "reference"
            value = np.float32(number + random.normal() / 10)
            rows.append((f"G{number}", label, place, f"digest{number}{place}", value))
    table = pd.DataFrame(rows, columns=["gene_id", "label", "copies", "sequence", "prediction"])
    table.loc[(table["gene_id"] == "G1") & (table["label"] == "P3:1"), "prediction"] += np.float32(change)
    return table


def test_the_comparison_is_what_it_says() -> None:
    # Lowered by so much, the haplotype changes its rank among people.
    one, other = predictions(), predictions(-0.25)
    verdict = compare_ports("m", {"torch": one, "original": other}, 0.2)
    (pair,) = verdict.report["pairs"]
    assert (pair["gene_id"], pair["label"], pair["passed"]) == ("G1", "P3:1", False)
    assert pair["max_difference"] == pytest.approx(0.25, abs=1e-6)
    (said,) = verdict.faults
    assert "torch and original differ by 0.25 (gene G1, sequence P3:1), 0.2 is allowed" in said
    rows = verdict.genes.set_index("gene_id")
    for gene in ("G0", "G1", "G2"):
        spreads, people = [], []
        for table in (one, other):
            own = table[(table["gene_id"] == gene) & (table["label"] != "reference")]
            people.append(own["prediction"].tolist())
            # As many times as the haplotype occurs.
            repeated = [float(v) for v, n in zip(own["prediction"], own["copies"], strict=True) for _ in range(n)]
            spreads.append(statistics.variance(repeated))
        spread = (sum(spreads) / 2) ** 0.5
        assert rows.loc[gene, "spread"] == pytest.approx(spread)
        assert rows.loc[gene, "spearman"] == pytest.approx(stats.spearmanr(*people).statistic)
        assert rows.loc[gene, "difference_over_spread"] == pytest.approx(rows.loc[gene, "max_difference"] / spread)
        assert rows.loc[gene, "n_haplotypes"] == 15
    assert rows.loc["G1", "spearman"] < 0.99 < rows.loc["G0", "spearman"]
    assert pair["lowest_spearman_within_gene"] == rows.loc["G1", "spearman"]
    assert pair["max_difference_over_spread"] == rows["difference_over_spread"].max()
    everyone = stats.spearmanr(one["prediction"], other["prediction"]).statistic
    assert pair["spearman"] == pytest.approx(everyone)


def test_rows_are_joined_by_name() -> None:
    one, other = predictions(), predictions(0.25)
    straight = compare_ports("m", {"a": one, "b": other}, 0.2)
    mixed = compare_ports("m", {"a": one.sample(frac=1, random_state=1), "b": other[::-1]}, 0.2)
    assert mixed.report == straight.report
    pd.testing.assert_frame_equal(mixed.genes, straight.genes)


def test_within_tolerance_passes_and_every_pair_is_compared() -> None:
    tables = {"a": predictions(), "b": predictions(0.25), "c": predictions(0.26)}
    verdict = compare_ports("m", tables, 0.3)
    assert verdict.faults == ()
    assert [(pair["first"], pair["second"]) for pair in verdict.report["pairs"]] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert len(compare_ports("m", tables, 0.1).faults) == 2
    same = compare_ports("m", {"a": predictions(), "b": predictions()}, 1e-12).report
    assert same["passed"] is True
    assert same["pairs"][0]["max_difference"] == 0
    assert same["pairs"][0]["spearman"] == pytest.approx(1)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table[table["label"] != "P2:1"],
        lambda table: table.assign(sequence=["another", *table["sequence"][1:]]),
        lambda table: table.assign(gene_id=table["gene_id"].replace("G2", "G3")),
    ],
)
def test_predictions_of_other_sequences_are_not_compared(change: Any) -> None:
    with pytest.raises(InputError, match="a and b predicted different sequences"):
        compare_ports("m", {"a": predictions(), "b": change(predictions())}, 1.0)


def test_genes_where_nobody_differs_have_no_ratio_and_json_has_no_nan(tmp_path: Path) -> None:
    constant = predictions().assign(prediction=np.float32(2))
    verdict = compare_ports("m", {"a": constant, "b": constant}, 1e-6)
    (pair,) = verdict.report["pairs"]
    assert pair["genes_without_spread"] == 3
    assert pair["max_difference_over_spread"] is pair["spearman"] is pair["lowest_spearman_within_gene"] is None
    assert json.loads(json.dumps(verdict.report, allow_nan=False)) == verdict.report
    assert np.isnan(spearman(pd.Series([1.0, 2.0]), pd.Series([1.0, 2.0])))


def published_csv(path: Path, column: str, off: float = 0.0) -> Path:
    """Reference predictions of G0 and G2 of the first implementation, G2 off by something, and of an unknown gene."""
    reference = predictions().query("label == 'reference'").set_index("gene_id")["prediction"]
    path.write_text(f"gene_id,other,{column}\nG2,x,{reference['G2'] + off!r}\nG0,y,{reference['G0']!r}\nG9,z,1\n")
    return path


def test_published_predictions_are_compared_with_the_reference_sequences(tmp_path: Path) -> None:
    tables = {"a": predictions()}
    path = published_csv(tmp_path / "p.csv", "column", off=0.5)
    verdict = compare_published(compare_ports("m", tables, 1e-6), tables, read_published(path, "column"), 0.4)
    (row,) = verdict.report["published"]["implementations"]
    assert (row["genes"], row["gene_id"], row["passed"]) == (2, "G2", False)
    assert row["max_difference"] == pytest.approx(0.5, abs=1e-6)
    assert verdict.report["passed"] is False
    assert "a and the published reference predictions differ by 0.5 (gene G2), 0.4 is allowed" in verdict.faults[0]
    assert compare_published(compare_ports("m", tables, 1), tables, read_published(path, "column"), 0.6).faults == ()


def test_published_logs(tmp_path: Path) -> None:
    positive = predictions()
    positive["prediction"] = np.exp(positive["prediction"])
    values = read_published(published_csv(tmp_path / "p.csv", "c"), "c")
    start = compare_ports("m", {"a": positive}, 1)
    assert compare_published(start, {"a": positive}, values, 1e-6, "log").faults == ()
    assert compare_published(start, {"a": positive}, values, 1e-6, "same").faults != ()
    with pytest.raises(InputError, match="logs were published"):
        compare_published(start, {"a": positive.assign(prediction=np.float32(-1))}, values, 1e-6, "log")


def test_no_published_gene_among_those_drawn_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "p.tsv").write_text("gene_id\tm\nG77\t1\n")
    tables = {"a": predictions()}
    verdict = compare_published(compare_ports("m", tables, 1), tables, read_published(tmp_path / "p.tsv", "m"), 1)
    assert "none of the published genes (G77)" in verdict.faults[0]
    assert verdict.report["passed"] is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gene_id,n\nG1,1\n", "column m not found; there are gene_id, n"),
        ("gene_id,m\nG1,1\nG1,2\n", "gene G1 occurs more than once"),
        ("gene_id,m\nG1,high\n", "could not convert string to float"),
        ("gene_id,m\nG1,nan\n", "not finite"),
    ],
)
def test_published_tables_with_faults(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_published(tmp_path / "p.csv", "m")


def compare_verb(folder: Path, *further: object) -> None:
    for name, change in (("torch", 0.0), ("original", 1e-4)):
        write_table(predictions(change), folder / f"{name}.tsv")
    given = [f"{name}={folder / name}.tsv" for name in ("torch", "original")]
    outputs = ["--output", str(folder / "report.json"), "--output-genes", str(folder / "report.tsv")]
    main(["compare_ports", "--card", "xpresso", "--predictions", *given, *outputs, *map(str, further)])


def test_the_verb_fails_above_the_cards_tolerance_and_leaves_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        compare_verb(tmp_path)
    assert raised.value.code == 1
    assert "torch and original differ by 0.0001 (gene G1, sequence P3:1), 1e-05 is allowed" in capsys.readouterr().err
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["passed"] is False
    assert report["tolerance"] == 1e-5
    assert len(pd.read_csv(tmp_path / "report.tsv", sep="\t")) == 3


def test_the_verb_passes_within_tolerance_and_reads_the_cards_column(tmp_path: Path) -> None:
    published = published_csv(tmp_path / "p.csv", "xpresso")
    compare_verb(tmp_path, "--tolerance", 1e-3, "--published", published)
    first = [(tmp_path / name).read_bytes() for name in ("report.json", "report.tsv")]
    report = json.loads(first[0])
    assert report["passed"] is True
    assert [row["genes"] for row in report["published"]["implementations"]] == [2, 2]
    compare_verb(tmp_path, "--tolerance", 1e-3, "--published", published)
    assert [(tmp_path / name).read_bytes() for name in ("report.json", "report.tsv")] == first


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop(columns="sequence"),
        lambda table: pd.concat([table, table.iloc[[2]]]),
        lambda table: table.assign(prediction=np.nan),
    ],
)
def test_broken_predictions_are_refused(tmp_path: Path, change: Any) -> None:
    write_table(change(predictions()), tmp_path / "t.tsv")
    with pytest.raises(InputError, match="predict again"):
        read_predictions(tmp_path / "t.tsv")
