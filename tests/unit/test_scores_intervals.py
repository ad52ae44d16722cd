"""The two-way bootstrap: equal to a loop, calibrated on null data, the same for any order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pexbench.scores import Metric, ScoreInputs, evaluate
from pexbench.scores.correlation import correlate
from pexbench.scores.intervals import Draws, interval, two_way_draws, unit_interval
from pexbench.scores.resample import Weights, resampled
from unit.test_scores_metrics import GENES, PEOPLE, example


def mean_intervals(inputs: ScoreInputs, resamples: int, seed: int) -> pd.DataFrame:
    """The table of means with their intervals."""
    return evaluate.evaluate(inputs, resamples=resamples, permutations=100, seed=seed).intervals


def neighbours(rng: np.random.Generator, genes: int, people: int, block: int, correlation: float) -> np.ndarray:
    """Normal values, correlated between genes of one block."""
    shared = np.repeat(rng.normal(size=(genes // block, people)), block, axis=0)
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.normal(size=(genes, people))


def draws_of(x: np.ndarray, y: np.ndarray, resamples: int, seed: int) -> Draws:
    """Two-way draws of Spearman correlations."""
    units, members = x.shape
    names = {"genes": [f"g{u:04d}" for u in range(units)], "people": [f"p{m:04d}" for m in range(members)]}
    weights = Weights(names, resamples, seed)
    r = resampled(x, y, "spearman", weights.of("people", names["people"]))
    value = correlate(x, y, "spearman").value
    return two_way_draws(value, r, weights.of("genes", names["genes"]), members)


def test_draws_equal_a_loop_with_the_same_weights() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(5, 9)), rng.normal(size=(5, 9))
    draws = draws_of(x, y, 300, seed=7)
    names = {"genes": [f"g{u:04d}" for u in range(5)], "people": [f"p{m:04d}" for m in range(9)]}
    weights = Weights(names, 300, 7)
    people, genes = (weights.of(noun, names[noun]).astype(int) for noun in ("people", "genes"))
    full = [stats.spearmanr(x[g], y[g]).statistic for g in range(5)]
    assert draws.mean == pytest.approx(np.mean(full))
    for b in range(300):
        r = []
        for g in range(5):
            a, c = np.repeat(x[g], people[:, b]), np.repeat(y[g], people[:, b])
            r.append(stats.spearmanr(a, c).statistic if np.ptp(a) > 0 and np.ptp(c) > 0 else 0.0)
        assert draws.members[b] == pytest.approx(np.mean(r), abs=1e-6)
        assert draws.both[b] == pytest.approx(np.mean(np.repeat(r, genes[:, b])), abs=1e-6)
        assert draws.units[b] == pytest.approx(np.mean(np.repeat(full, genes[:, b])), abs=1e-6)


@pytest.mark.parametrize(("block", "correlation"), [(1, 0.0), (10, 0.5), (20, 0.9)])
def test_interval_covers_zero_on_null_data(block: int, correlation: float) -> None:
    """A gross error shows; 95 +- 2 % is measured on more cohorts by benchmarks/levels.py (RESULTS.md)."""
    rng = np.random.default_rng(3)
    rounds, covered, covered_by_genes = 200, 0, 0
    for seed in range(rounds):
        draws = draws_of(
            neighbours(rng, 40, 60, block, correlation), neighbours(rng, 40, 60, block, correlation), 200, seed
        )
        low, high = interval(draws)
        covered += low <= 0 <= high
        low, high = np.quantile(draws.units, [0.025, 0.975])
        covered_by_genes += low <= 0 <= high
    # 95 % of 200 within three standard errors of a binomial count.
    assert 0.90 <= covered / rounds <= 0.99
    if block > 1:
        # Resampling genes alone takes neighbours for independent: the reason for the second way.
        assert covered_by_genes / rounds < 0.8


def test_interval_width_on_independent_noise_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(4)
    means, widths = [], []
    for seed in range(100):
        draws = draws_of(rng.normal(size=(30, 50)), rng.normal(size=(30, 50)), 250, seed)
        low, high = interval(draws)
        means.append(draws.mean)
        widths.append(high - low)
    # Exact: variance of a null rank correlation is 1/(M - 1).
    truth = 2 * 1.96 / np.sqrt(30 * 49)
    assert np.mean(widths) == pytest.approx(truth, rel=0.1)
    assert np.std(means) * 2 * 1.96 == pytest.approx(truth, rel=0.25)


def test_all_constant_predictions_give_a_point() -> None:
    draws = draws_of(np.ones((4, 10)), np.random.default_rng(5).normal(size=(4, 10)), 100, 0)
    assert (draws.mean, draws.n_units, interval(draws)) == (0.0, 4, (0.0, 0.0))


def test_nothing_scored_gives_no_interval() -> None:
    assert np.isnan(interval(draws_of(np.ones((2, 5)), np.full((2, 5), np.nan), 100, 0))).all()
    assert np.isnan(unit_interval(np.empty(0), 100, 0)).all()


def test_table_matches_scores_and_is_free_of_order() -> None:
    inputs = example()
    table = mean_intervals(inputs, resamples=200, seed=1)
    rng = np.random.default_rng(6)
    matrix = inputs.expression_individuals
    shuffled = replace(
        inputs,
        personal=inputs.personal.sample(frac=1, random_state=3),
        expression_individuals=matrix.loc[rng.permutation(GENES), rng.permutation(PEOPLE)],
    )
    pd.testing.assert_frame_equal(table, mean_intervals(shuffled, resamples=200, seed=1), check_exact=True)
    pd.testing.assert_frame_equal(table, mean_intervals(inputs, resamples=200, seed=1), check_exact=True)
    other = mean_intervals(inputs, resamples=200, seed=2)
    assert (other["mean"] == table["mean"]).all()
    # Eight genes are too few for an interval of the one correlation over them.
    alone = table["axis"] == "across_genes_reference"
    assert table.loc[alone, ["lower", "upper"]].isna().all(axis=None)
    table, other = table[~alone], other[~alone]
    assert (other["lower"] != table["lower"]).all()
    assert ((table["lower"] <= table["mean"]) & (table["mean"] <= table["upper"])).all()
    assert table["p_mean"].notna().equals(table["axis"] == "across_individuals")
    assert not table.duplicated(["metric", "axis", "statistic"]).any()
    assert len(table) == 6


def test_metric_without_pairs_is_resampled_by_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [0.1, 0.4, float("nan"), 0.7]

    def score(inputs: object) -> pd.DataFrame:
        return pd.DataFrame({"axis": "across_individuals", "statistic": "share", "value": values})

    card = Metric("share", "Share", (0.0, 1.0), "higher", "10.0/none", score=score)
    monkeypatch.setattr(evaluate, "metrics", lambda: {"share": card})
    row = mean_intervals(example(), resamples=500, seed=0).iloc[0]
    assert (row["axis"], row["statistic"], row["method"]) == ("across_individuals", "share", "unit bootstrap")
    assert row["mean"] == pytest.approx(0.4)
    assert 0.1 <= row["lower"] < 0.25 < 0.55 < row["upper"] <= 0.7


def test_few_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 100"):
        mean_intervals(example(), resamples=20, seed=0)
