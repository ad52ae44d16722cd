"""The two-way bootstrap: equal to a loop, calibrated on null data, the same for any order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pexbench.scores import Metric, intervals
from pexbench.scores.correlation import prepared
from pexbench.scores.intervals import interval, mean_intervals, two_way_draws, unit_interval, weighted_correlations
from unit.test_scores_metrics import GENES, PEOPLE, example


def neighbours(rng: np.random.Generator, genes: int, people: int, block: int, correlation: float) -> np.ndarray:
    """Normal values, correlated between genes of one block."""
    shared = np.repeat(rng.normal(size=(genes // block, people)), block, axis=0)
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.normal(size=(genes, people))


def test_weighted_correlation_equals_repeating_people() -> None:
    rng = np.random.default_rng(0)
    x, y = prepared(rng.integers(0, 4, (6, 12)).astype(float), rng.normal(size=(6, 12)), "spearman")
    weights = rng.multinomial(12, np.full(12, 1 / 12), 20)
    found = weighted_correlations(x, y, weights.astype(float))
    for b, counts in enumerate(weights):
        for gene in range(6):
            a, c = np.repeat(x[gene], counts), np.repeat(y[gene], counts)
            expected = 0.0 if np.ptp(a) == 0 else np.corrcoef(a, c)[0, 1]
            assert found[b, gene] == pytest.approx(expected, abs=1e-9)


def test_weighted_correlation_skips_missing_pairs() -> None:
    rng = np.random.default_rng(1)
    measured = rng.normal(size=(3, 10))
    measured[1, 4:6] = np.nan
    x, y = prepared(rng.normal(size=(3, 10)), measured, "pearson")
    keep = ~np.isnan(measured[1])
    found = weighted_correlations(x, y, np.ones((1, 10)))[0, 1]
    assert found == pytest.approx(np.corrcoef(x[1, keep], measured[1, keep])[0, 1])


def test_draws_equal_a_loop_with_the_same_weights() -> None:
    rng = np.random.default_rng(2)
    x, y = prepared(rng.normal(size=(5, 9)), rng.normal(size=(5, 9)), "spearman")
    draws = two_way_draws(x, y, 300, seed=7)
    generator = np.random.default_rng([7, 5, 9])
    people = generator.multinomial(9, np.full(9, 1 / 9), 300)
    genes = generator.multinomial(5, np.full(5, 1 / 5), 300)
    full = [np.corrcoef(x[g], y[g])[0, 1] for g in range(5)]
    assert draws.mean == pytest.approx(np.mean(full))
    for b in range(300):
        r = []
        for g in range(5):
            a, c = np.repeat(x[g], people[b]), np.repeat(y[g], people[b])
            r.append(np.corrcoef(a, c)[0, 1] if np.ptp(a) > 0 and np.ptp(c) > 0 else 0.0)
        assert draws.members[b] == pytest.approx(np.mean(r), abs=1e-9)
        assert draws.both[b] == pytest.approx(np.mean(np.repeat(r, genes[b])), abs=1e-9)
        assert draws.units[b] == pytest.approx(np.mean(np.repeat(full, genes[b])), abs=1e-9)


@pytest.mark.parametrize(("block", "correlation"), [(1, 0.0), (10, 0.5), (20, 0.9)])
def test_interval_covers_zero_on_null_data(block: int, correlation: float) -> None:
    rng = np.random.default_rng(3)
    rounds, covered, covered_by_genes = 150, 0, 0
    for seed in range(rounds):
        x, y = prepared(
            neighbours(rng, 40, 60, block, correlation), neighbours(rng, 40, 60, block, correlation), "spearman"
        )
        draws = two_way_draws(x, y, 250, seed)
        low, high = interval(draws)
        covered += low <= 0 <= high
        low, high = np.quantile(draws.units, [0.025, 0.975])
        covered_by_genes += low <= 0 <= high
    # 95 % of 150 within four standard errors of a binomial count.
    assert 0.88 <= covered / rounds <= 0.995
    if block > 1:
        # Resampling genes alone takes neighbours for independent: the reason for the second way.
        assert covered_by_genes / rounds < 0.8


def test_interval_width_on_independent_noise_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(4)
    means, widths = [], []
    for seed in range(100):
        x, y = prepared(rng.normal(size=(30, 50)), rng.normal(size=(30, 50)), "spearman")
        draws = two_way_draws(x, y, 250, seed)
        low, high = interval(draws)
        means.append(draws.mean)
        widths.append(high - low)
    # Exact: variance of a null rank correlation is 1/(M - 1).
    truth = 2 * 1.96 / np.sqrt(30 * 49)
    assert np.mean(widths) == pytest.approx(truth, rel=0.1)
    assert np.std(means) * 2 * 1.96 == pytest.approx(truth, rel=0.25)


def test_all_constant_predictions_give_a_point() -> None:
    x, y = prepared(np.ones((4, 10)), np.random.default_rng(5).normal(size=(4, 10)), "spearman")
    draws = two_way_draws(x, y, 100, 0)
    assert (draws.mean, draws.n_units, interval(draws)) == (0.0, 4, (0.0, 0.0))


def test_nothing_scored_gives_no_interval() -> None:
    x, y = prepared(np.ones((2, 5)), np.full((2, 5), np.nan), "spearman")
    assert np.isnan(interval(two_way_draws(x, y, 100, 0))).all()
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
    assert (other["lower"] != table["lower"]).all()
    assert ((table["lower"] <= table["mean"]) & (table["mean"] <= table["upper"])).all()
    assert not table.duplicated(["metric", "axis", "statistic"]).any()
    assert len(table) == 8


def test_metric_without_pairs_is_resampled_by_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [0.1, 0.4, float("nan"), 0.7]

    def score(inputs: object) -> pd.DataFrame:
        return pd.DataFrame({"axis": "across_individuals", "statistic": "share", "value": values})

    card = Metric("share", "Share", (0.0, 1.0), "higher", "10.0/none", score)
    monkeypatch.setattr(intervals, "metrics", lambda: {"share": card})
    row = mean_intervals(example(), resamples=500, seed=0).iloc[0]
    assert (row["axis"], row["statistic"], row["method"]) == ("across_individuals", "share", "unit bootstrap")
    assert row["mean"] == pytest.approx(0.4)
    assert 0.1 <= row["lower"] < 0.25 < 0.55 < row["upper"] <= 0.7


def test_few_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 100"):
        mean_intervals(example(), resamples=20)
