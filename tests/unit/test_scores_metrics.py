"""Metrics on tables: joins by name, the rule for constants, reasons for what is not scored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pexbench.errors import InputError
from pexbench.files import write_table
from pexbench.scores import AXES, COLUMNS, ScoreInputs, metrics, read_scores
from pexbench.scores.evaluate import evaluate

GENES = [f"ENSG{i:011d}" for i in range(8)]
PEOPLE = [f"NA{i:03d}" for i in range(20)] + ["001"]


def example(seed: int = 0) -> ScoreInputs:
    rng = np.random.default_rng(seed)
    expression = pd.DataFrame(rng.normal(size=(len(GENES), len(PEOPLE))), index=GENES, columns=PEOPLE)
    level = np.exp(rng.normal(size=(len(GENES), 1)) * 2)
    rpkm = pd.DataFrame(level * rng.gamma(5, size=expression.shape), index=GENES, columns=PEOPLE)
    predicted = 0.5 * expression + rng.normal(size=expression.shape)
    predicted.iloc[2] = 1.25
    personal = (
        predicted.rename_axis("gene_id").reset_index().melt("gene_id", var_name="sample", value_name="prediction")
    )
    personal["prediction"] = personal["prediction"].astype(np.float32)
    reference = pd.DataFrame({"gene_id": GENES, "prediction": rng.normal(size=len(GENES)).astype(np.float32)})
    return ScoreInputs("a_model", personal, reference, expression, rpkm)


def score_model(inputs: ScoreInputs) -> pd.DataFrame:
    """The long table of scores; values do not depend on the number of resamples."""
    return evaluate(inputs, resamples=100, permutations=100).scores


def one(table: pd.DataFrame, axis: str, unit: str, statistic: str = "spearman", metric: str | None = None) -> pd.Series:
    row = table[(table["axis"] == axis) & (table["unit_id"] == unit) & (table["statistic"] == statistic)]
    row = row[row["metric"] == (metric or ("across_individuals" if axis == "across_individuals" else "across_genes"))]
    assert len(row) == 1
    return row.iloc[0]


def prediction(inputs: ScoreInputs, gene: str, sample: str) -> float:
    table = inputs.personal
    return float(table.loc[(table["gene_id"] == gene) & (table["sample"] == sample), "prediction"].item())


def test_table_has_every_unit_once() -> None:
    table = score_model(example())
    assert tuple(table.columns) == COLUMNS
    assert set(table["axis"]) == set(AXES)
    assert not table.duplicated(["metric", "axis", "unit_id", "statistic"]).any()
    counts = table[table["statistic"] == "spearman"].groupby(["metric", "axis"]).size().to_dict()
    assert counts == {
        ("across_individuals", "across_individuals"): len(GENES),
        ("across_genes", "across_genes_reference"): 1,
        ("across_genes", "across_genes_personal"): len(PEOPLE),
        ("across_genes_median", "across_genes_personal"): len(PEOPLE),
    }


def test_across_individuals_equals_scipy_by_name() -> None:
    inputs = example()
    table = score_model(inputs)
    for gene in (GENES[0], GENES[5]):
        x = [prediction(inputs, gene, person) for person in PEOPLE]
        y = [inputs.expression_individuals.loc[gene, person] for person in PEOPLE]
        row = one(table, "across_individuals", gene)
        expected = stats.spearmanr(x, y)
        assert (row["value"], row["p"], row["n"]) == pytest.approx((expected.statistic, expected.pvalue, len(PEOPLE)))


def test_across_genes_equals_scipy_by_name() -> None:
    inputs = example()
    table = score_model(inputs)
    reference = inputs.reference.set_index("gene_id")["prediction"]
    median = pd.Series({gene: np.median(inputs.expression_genes.loc[gene]) for gene in GENES})
    assert one(table, "across_genes_reference", "reference")["value"] == pytest.approx(
        stats.spearmanr(reference[GENES], median[GENES]).statistic
    )
    assert one(table, "across_genes_reference", "reference", "pearson")["value"] == pytest.approx(
        stats.pearsonr(reference[GENES].astype(float), np.log2(median[GENES] + 0.01)).statistic
    )
    differ = 0
    for person in PEOPLE[-4:]:
        x = np.array([prediction(inputs, gene, person) for gene in GENES])
        own = stats.spearmanr(x, inputs.expression_genes.loc[GENES, person]).statistic
        against_median = stats.spearmanr(x, median[GENES]).statistic
        row = one(table, "across_genes_personal", person)
        assert (row["value"], row["n"]) == pytest.approx((own, len(GENES)))
        row = one(table, "across_genes_personal", person, metric="across_genes_median")
        assert row["value"] == pytest.approx(against_median)
        differ += abs(own - against_median) > 0.01
    assert differ


def test_logged_and_negative_expression() -> None:
    inputs = example()
    x = inputs.reference.set_index("gene_id")["prediction"].astype(float)[GENES]
    as_is = score_model(replace(inputs, expression_genes_logged=True))
    median = inputs.expression_genes.median(axis=1)[GENES]
    row = one(as_is, "across_genes_reference", "reference", "pearson")
    assert row["value"] == pytest.approx(stats.pearsonr(x, median).statistic)
    shifted = inputs.expression_genes - 8.0
    negative = score_model(replace(inputs, expression_genes=shifted))
    # Ranks use the values themselves; the clip is for the logarithm alone.
    row = one(negative, "across_genes_reference", "reference")
    assert row["value"] == pytest.approx(stats.spearmanr(x, shifted.median(axis=1)[GENES]).statistic)
    row = one(negative, "across_genes_reference", "reference", "pearson")
    medians = shifted.median(axis=1)[GENES]
    assert 0 < (medians < 0).sum() < len(GENES)
    assert (row["value"], row["n"]) == pytest.approx(
        (stats.pearsonr(x, np.log2(medians.clip(lower=0) + 0.01)).statistic, len(GENES))
    )


def test_constant_prediction_counts_as_zero() -> None:
    row = one(score_model(example()), "across_individuals", GENES[2])
    assert (row["value"], row["p"], row["note"]) == (0.0, 1.0, "constant prediction")


def test_order_of_rows_and_columns_changes_nothing() -> None:
    inputs = example()
    rng = np.random.default_rng(9)

    def mixed(matrix: pd.DataFrame) -> pd.DataFrame:
        return matrix.loc[rng.permutation(matrix.index), rng.permutation(matrix.columns)]

    shuffled = replace(
        inputs,
        personal=inputs.personal.sample(frac=1, random_state=1),
        reference=inputs.reference.sample(frac=1, random_state=2),
        expression_individuals=mixed(inputs.expression_individuals),
        expression_genes=mixed(inputs.expression_genes),
    )
    assert list(shuffled.expression_genes.columns) != PEOPLE
    pd.testing.assert_frame_equal(score_model(inputs), score_model(shuffled), check_exact=True)


def test_people_are_joined_not_positioned() -> None:
    inputs = example()
    fewer = inputs.expression_individuals[PEOPLE[::-1][:15]]
    row = one(score_model(replace(inputs, expression_individuals=fewer)), "across_individuals", GENES[0])
    x = [prediction(inputs, GENES[0], person) for person in fewer.columns]
    assert row["n"] == 15
    assert row["value"] == pytest.approx(stats.spearmanr(x, fewer.loc[GENES[0]]).statistic)


def test_genes_without_expression_keep_their_row() -> None:
    inputs = example()
    table = score_model(
        replace(
            inputs,
            expression_individuals=inputs.expression_individuals.drop(index=GENES[1]),
            expression_genes=inputs.expression_genes.drop(index=[GENES[1], GENES[3]]),
        )
    )
    row = one(table, "across_individuals", GENES[1])
    assert np.isnan(row["value"])
    assert (row["n"], row["note"]) == (0, "no expression in the matrix")
    row = one(table, "across_genes_reference", "reference")
    assert (row["n"], row["note"]) == (
        6,
        "no interval: fewer than 20 genes; 2 of 8 predicted genes not in the expression matrix",
    )


def test_too_few_genes_give_a_reason() -> None:
    inputs = example()
    table = score_model(replace(inputs, expression_genes=inputs.expression_genes.loc[GENES[:2]]))
    for axis, unit in (("across_genes_reference", "reference"), ("across_genes_personal", "001")):
        row = one(table, axis, unit)
        assert np.isnan(row["value"])
        assert (row["n"], row["note"].split(";")[0]) == (2, "fewer than 3 genes")
    none = score_model(replace(inputs, expression_genes=inputs.expression_genes.rename(index=str.lower)))
    row = one(none, "across_genes_reference", "reference")
    assert (row["n"], row["note"].split(";")[0]) == (0, "no predicted gene is measured")


def test_model_without_reference_prediction() -> None:
    table = score_model(replace(example(), reference=None))
    assert set(table["axis"]) == {"across_individuals", "across_genes_personal"}


def test_scores_survive_a_file(tmp_path: Path) -> None:
    inputs = example()
    table = score_model(replace(inputs, expression_individuals=inputs.expression_individuals.drop(index=GENES[1])))
    write_table(table, tmp_path / "scores.tsv")
    pd.testing.assert_frame_equal(read_scores(tmp_path / "scores.tsv"), table, check_exact=True)


def broken(fault: str) -> ScoreInputs:
    inputs = example()
    personal = inputs.personal.copy()
    if fault == "twice":
        return replace(inputs, personal=pd.concat([personal, personal.iloc[[3]]]))
    if fault == "nan":
        personal.loc[3, "prediction"] = np.nan
        return replace(inputs, personal=personal)
    if fault == "empty":
        return replace(inputs, personal=personal.iloc[:0])
    if fault == "column":
        return replace(inputs, personal=personal.rename(columns={"sample": "person"}))
    if fault == "nobody":
        return replace(inputs, expression_individuals=inputs.expression_individuals.rename(columns=lambda s: s + "x"))
    if fault == "gene":
        return replace(inputs, expression_genes=inputs.expression_genes.iloc[[0, 0, 1]])
    matrix = inputs.expression_individuals.copy()
    matrix.iloc[0, 0] = np.inf
    return replace(inputs, expression_individuals=matrix)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("twice", "NA000 of ENSG00000000003 occurs more than once"),
        ("nan", "NA000 of ENSG00000000003"),
        ("empty", "no rows"),
        ("column", r"column\(s\) sample not found"),
        ("nobody", "none of the 21 people predicted by a_model"),
        ("gene", "gene ENSG00000000000 occurs more than once"),
        ("infinite", "gene ENSG00000000000 has infinite values"),
    ],
)
def test_faults_are_told(fault: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        score_model(broken(fault))


def test_cards_are_complete() -> None:
    assert set(metrics()) >= {"across_individuals", "across_genes", "across_genes_median"}
    for name, metric in metrics().items():
        assert metric.name == name
        assert metric.label
        assert metric.reference.startswith("10.")
        assert metric.range[0] < metric.range[1]
        assert metric.direction in ("higher", "lower")


def test_predictions_that_are_differences_are_not_scored_across_genes() -> None:
    """A genotype baseline predicts each gene on a scale of its own; its ranks over genes mean nothing."""
    genes, people = [f"G{number}" for number in range(6)], [f"P{number}" for number in range(12)]
    random = np.random.default_rng(0)
    measured = pd.DataFrame(random.normal(size=(6, 12)), index=pd.Index(genes, name="gene_id"), columns=people)
    personal = pd.DataFrame(
        {
            "gene_id": np.repeat(genes, 12),
            "sample": people * 6,
            "prediction": random.normal(size=72).astype(np.float32),
        }
    )
    inputs = ScoreInputs("m", personal, None, measured, measured, comparable_between_genes=False)
    assert set(score_model(inputs)["axis"]) == {"across_individuals"}
