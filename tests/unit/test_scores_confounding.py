"""Correlations within populations and without covariates against regressions; predictions below their error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pexbench.errors import InputError
from pexbench.scores import ScoreInputs
from pexbench.scores.correlation import BELOW_FLOOR, CONSTANT_PREDICTION
from pexbench.scores.evaluate import evaluate
from pexbench.scores.summary import summarise

GENES = [f"g{i:02d}" for i in range(12)]
PEOPLE = [f"p{i:03d}" for i in range(90)]


def cohort(error: float = 0.0) -> ScoreInputs:
    """Prediction and expression differ between populations and by sex; within both they are independent."""
    rng = np.random.default_rng(0)
    population = np.array(["GBR", "FIN", "TSI"])[np.arange(90) % 3]
    shift = (population == "FIN") * 3.0
    sex = np.arange(90) // 3 % 2
    predicted = shift + 2 * sex + rng.normal(size=(12, 90))
    measured = pd.DataFrame(shift + 2 * sex + rng.normal(size=(12, 90)), index=GENES, columns=PEOPLE)
    measured.iloc[1, ::7] = np.nan
    predicted[2] = 1 + 1e-7 * np.round(predicted[2])
    predicted[3] = 1.0
    tidy = pd.DataFrame(
        {
            "gene_id": np.repeat(GENES, 90),
            "sample": PEOPLE * 12,
            "prediction": predicted.ravel().astype(np.float32),
        }
    )
    facts = pd.DataFrame(
        {"pop": population, "sex": np.array(["F", "M"])[sex], "pc1": [f"{v:.3f}" for v in rng.normal(size=90)]},
        index=pd.Index(PEOPLE, name="sample"),
    )
    return ScoreInputs("m", tidy, None, measured, measured, False, False, people=facts, numerical_error=error)


def spearman(inputs: ScoreInputs, metric: str) -> pd.DataFrame:
    scores = evaluate(inputs, resamples=200, permutations=200, seed=1).scores
    return scores[(scores["metric"] == metric) & (scores["statistic"] == "spearman")].set_index("unit_id")


def test_within_populations_is_free_of_populations() -> None:
    inputs = replace(cohort(), population="pop")
    raw, within = (
        spearman(replace(cohort(), population=None), "across_individuals"),
        spearman(inputs, "within_populations"),
    )
    assert (within["axis"] == "across_individuals").all()
    x = inputs.personal.pivot(index="gene_id", columns="sample", values="prediction").loc[GENES[1], PEOPLE]
    y = inputs.expression_individuals.loc[GENES[1]]
    keep = y.notna()
    a, b = x[keep].groupby(inputs.people["pop"][keep]), y[keep].groupby(inputs.people["pop"][keep])
    ranks = [side.rank() / side.transform("size") for side in (a, b)]
    centred = [side - side.groupby(inputs.people["pop"][keep]).transform("mean") for side in ranks]
    r = np.corrcoef(*centred)[0, 1]
    n = int(keep.sum())
    t = r * np.sqrt((n - 4) / (1 - r * r))
    row = within.loc[GENES[1]]
    assert (row["value"], row["n"], row["p"]) == pytest.approx((r, n, 2 * stats.t.sf(abs(t), n - 4)))
    assert row["lower"] < row["value"] < row["upper"]
    assert raw["value"].drop(GENES[2:4]).mean() > within["value"].drop(GENES[2:4]).mean() + 0.15
    assert within.loc[GENES[3], "note"] == CONSTANT_PREDICTION


def test_people_without_population_are_told() -> None:
    facts = cohort().people.copy()
    facts.iloc[:5, 0] = ""
    within = spearman(replace(cohort(), people=facts, population="pop"), "within_populations")
    assert within.loc[GENES[0], "n"] == 85
    assert within.loc[GENES[0], "note"] == "5 people without a population left out"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"population": "tribe"}, "column 'tribe' not found"),
        ({"population": "pop", "people": None}, "column 'pop' not found"),
        ({"population": "pop", "people": cohort().people.assign(pop="")}, "column 'pop' is empty for all 90 people"),
        ({"population": "pop", "people": cohort().people.rename(index="x{}".format)}, "none of the 90 people"),
    ],
)
def test_populations_of_nobody_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        evaluate(replace(cohort(), **change), resamples=100, permutations=100)


def test_rows_without_a_score_take_no_part_in_the_null() -> None:
    """Four people of three populations leave no degree of freedom: no score, and no p of any kind."""
    inputs = replace(cohort(), population="pop")
    inputs.expression_individuals.iloc[0, 4:] = np.nan
    row = spearman(inputs, "within_populations").loc[GENES[0]]
    assert np.isnan(row["value"])
    assert row["note"] == "too few people for the covariates or populations"
    assert np.isnan(row["p_permutation"])


def test_adjusted_equals_a_regression() -> None:
    inputs = replace(cohort(), covariates=["pop", "sex", "pc1"])
    found = evaluate(inputs, resamples=200, permutations=200, seed=1).scores
    design = np.column_stack(
        [
            np.ones(90),
            *((inputs.people["pop"] == one).astype(float) for one in ("GBR", "TSI")),
            (inputs.people["sex"] == "M").astype(float),
            inputs.people["pc1"].astype(float),
        ]
    )
    table = inputs.personal.pivot(index="gene_id", columns="sample", values="prediction")
    for gene in (GENES[0], GENES[1]):
        y = inputs.expression_individuals.loc[gene].to_numpy()
        keep = ~np.isnan(y)
        rest = y[keep] - design[keep] @ np.linalg.lstsq(design[keep], y[keep], rcond=None)[0]
        x = table.loc[gene, PEOPLE].to_numpy()[keep].astype(float)
        for statistic, by in (("spearman", stats.spearmanr), ("pearson", stats.pearsonr)):
            r, n = by(x, rest).statistic, int(keep.sum())
            t = r * np.sqrt((n - 6) / (1 - r * r))
            row = found[
                (found["metric"] == "adjusted") & (found["unit_id"] == gene) & (found["statistic"] == statistic)
            ].iloc[0]
            assert (row["value"], row["n"], row["p"]) == pytest.approx((r, n, 2 * stats.t.sf(abs(t), n - 6)))
    raw = found[(found["metric"] == "across_individuals") & (found["statistic"] == "spearman")]["value"].mean()
    adjusted = found[(found["metric"] == "adjusted") & (found["statistic"] == "spearman")]["value"].mean()
    assert raw > adjusted + 0.3


def test_floor_of_logs_does_not_depend_on_their_size() -> None:
    """A log near 0 is as uncertain as any other: the relative error of what it is the log of."""
    inputs = cohort(2e-6)
    near = inputs.personal.assign(prediction=inputs.personal["prediction"] - np.float32(1))
    near = near[near["gene_id"] == GENES[2]]
    assert near["prediction"].abs().max() < 2e-6
    found = {
        logs: spearman(replace(inputs, personal=near, logs=logs), "across_individuals").loc[GENES[2]]
        for logs in (False, True)
    }
    assert found[False]["value"] != 0
    assert (found[True]["value"], found[True]["note"]) == (0.0, BELOW_FLOOR)


def test_below_the_numerical_floor() -> None:
    plain = spearman(cohort(), "across_individuals")
    floored = spearman(cohort(2e-6), "across_individuals")
    assert plain.loc[GENES[2], "value"] != 0
    row = floored.loc[GENES[2]]
    assert (row["value"], row["p"], row["note"]) == (0.0, 1.0, BELOW_FLOOR)
    assert np.isnan(row["lower"])
    assert floored.loc[GENES[3], "note"] == CONSTANT_PREDICTION
    same = [gene for gene in GENES if gene != GENES[2]]
    pd.testing.assert_series_equal(floored.loc[same, "value"], plain.loc[same, "value"])
    found = evaluate(cohort(2e-6), resamples=100, permutations=100)
    row = summarise(found.scores, found.intervals).iloc[0]
    assert (row["n_units"], row["n_constant"], row["n_below_floor"]) == (12, 1, 1)
    assert f"1 score 0: {BELOW_FLOOR}" in row["note"]
    assert row["n_positive"] + row["n_negative"] == 10
