"""Vectorised correlations equal scipy's, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pexbench.scores.correlation import (
    CONSTANT_MEASUREMENT,
    CONSTANT_PREDICTION,
    STATISTICS,
    correlate,
    fisher_interval,
    prepared,
)

SCIPY = {"spearman": stats.spearmanr, "pearson": stats.pearsonr}


def pairs(seed: int, units: int = 40, members: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Rows from uncorrelated to nearly perfect, predictions float32 with many ties."""
    rng = np.random.default_rng(seed)
    measured = rng.normal(size=(units, members))
    slope = np.linspace(-3, 3, units)[:, None]
    predicted = np.round(slope * measured + rng.normal(size=measured.shape), 1).astype(np.float32)
    return predicted, measured


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("members", [3, 4, 5, 30, 400])
def test_values_and_p_equal_scipy(statistic: str, members: int) -> None:
    predicted, measured = pairs(members, members=members)
    found = correlate(predicted, measured, statistic)
    assert (found.n == members).all()
    compared = 0
    for row in range(len(predicted)):
        if np.ptp(predicted[row]) == 0:
            continue
        expected = SCIPY[statistic](predicted[row].astype(np.float64), measured[row])
        assert found.value[row] == pytest.approx(expected.statistic, abs=1e-12)
        if abs(expected.statistic) < 1 - 1e-12:
            # Close to 1 the p value depends on the last bits of r.
            assert found.p[row] == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-300)
        compared += 1
    assert compared >= len(predicted) - 3


@pytest.mark.parametrize("statistic", STATISTICS)
def test_missing_pairs_equal_scipy_on_complete_pairs(statistic: str) -> None:
    predicted, measured = pairs(1)
    rng = np.random.default_rng(2)
    measured[rng.random(measured.shape) < 0.2] = np.nan
    predicted[rng.random(measured.shape) < 0.1] = np.nan
    found = correlate(predicted, measured, statistic)
    for row in range(len(predicted)):
        keep = ~np.isnan(predicted[row]) & ~np.isnan(measured[row])
        expected = SCIPY[statistic](predicted[row, keep].astype(np.float64), measured[row, keep])
        assert found.n[row] == keep.sum() < 30
        assert found.value[row] == pytest.approx(expected.statistic, abs=1e-12)
        assert found.p[row] == pytest.approx(expected.pvalue, rel=1e-6)


def test_fisher_interval_equals_scipy() -> None:
    predicted, measured = pairs(3)
    found = correlate(predicted, measured, "pearson")
    lower, upper = fisher_interval(found.value, found.n, "pearson")
    for row in range(len(predicted)):
        expected = stats.pearsonr(predicted[row].astype(np.float64), measured[row]).confidence_interval(0.95)
        assert (lower[row], upper[row]) == pytest.approx((expected.low, expected.high), abs=1e-10)
    assert [float(end[0]) for end in fisher_interval(np.array([0.5]), np.array([3]), "spearman")] == [-1, 1]


@pytest.mark.parametrize("statistic", STATISTICS)
def test_lost_freedom_is_that_of_a_partial_correlation(statistic: str) -> None:
    predicted, measured = pairs(3)
    r = correlate(predicted, measured, statistic).value
    found = correlate(predicted, measured, statistic, freedom_lost=4).p
    for row in range(len(predicted)):
        # The same correlation as from four pairs fewer, by scipy's distribution of r.
        shape = (30 - 4) / 2 - 1
        expected = 2 * stats.beta(shape, shape, loc=-1, scale=2).sf(abs(r[row]))
        assert found[row] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_within_strata_equals_a_regression_on_indicators(statistic: str) -> None:
    rng = np.random.default_rng(5)
    strata = rng.integers(0, 3, 40)
    predicted, measured = rng.normal(size=(4, 40)) + strata, np.round(rng.normal(size=(4, 40)) - 2 * strata, 1)
    measured[1, ::7] = np.nan
    found = correlate(predicted, measured, statistic, strata=strata)
    for row in range(4):
        keep = ~np.isnan(measured[row])
        x, y, group = predicted[row, keep].copy(), measured[row, keep].copy(), strata[keep]
        for one in range(3):
            for side in (x, y):
                here = side[group == one]
                side[group == one] = stats.rankdata(here) / len(here) if statistic == "spearman" else here
        indicators = (group[:, None] == np.arange(3)).astype(float)
        residuals = [side - indicators @ np.linalg.lstsq(indicators, side, rcond=None)[0] for side in (x, y)]
        r = np.corrcoef(*residuals)[0, 1]
        t = r * np.sqrt((keep.sum() - 4) / (1 - r * r))
        assert found.value[row] == pytest.approx(r)
        assert found.p[row] == pytest.approx(2 * stats.t.sf(abs(t), keep.sum() - 4))


def test_perfect_agreement() -> None:
    perfect = correlate(np.arange(9.0)[None], np.arange(9.0)[None] ** 3, "spearman")
    assert (perfect.value[0], perfect.p[0]) == (1, 0)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("level", [0.0, 0.1, 1 / 3, -7.7e-5, 1e20])
def test_constant_prediction_is_zero_and_said(statistic: str, level: float) -> None:
    measured = np.random.default_rng(4).normal(size=(1, 421))
    found = correlate(np.full((1, 421), level, dtype=np.float32), measured, statistic)
    assert (found.value[0], found.p[0], found.n[0]) == (0.0, 1.0, 421)
    assert found.note == [CONSTANT_PREDICTION]


@pytest.mark.parametrize("people", [7, 421, 1000])
def test_constants_whose_mean_rounds_are_constant(people: int) -> None:
    measured = np.random.default_rng(4).normal(size=(3, people))
    levels = np.array([[0.1], [1 / 3], [1e-3 / 7]])
    found = correlate(levels.repeat(people, axis=1), measured, "pearson")
    assert found.note == [CONSTANT_PREDICTION] * 3
    assert correlate(measured, levels.repeat(people, axis=1), "pearson").note == [CONSTANT_MEASUREMENT] * 3


@pytest.mark.parametrize("statistic", STATISTICS)
def test_prediction_constant_among_the_measured_is_constant(statistic: str) -> None:
    predicted = np.array([[1.0, 1, 1, 1, 5]])
    found = correlate(predicted, np.array([[3.0, 1, 2, 4, np.nan]]), statistic)
    assert (found.value[0], found.n[0], found.note[0]) == (0.0, 4, CONSTANT_PREDICTION)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_unscorable_rows_are_nan_with_a_reason(statistic: str) -> None:
    nan = np.nan
    predicted = np.array([[1.0, 2, 3, 4], [1.0, 2, 3, 4], [1.0, 2, 3, 4], [1.0, 1, 1, 1]])
    measured = np.array([[0.1] * 4, [1, 2, nan, nan], [nan] * 4, [5.0] * 4])
    found = correlate(predicted, measured, statistic, "people")
    assert np.isnan(found.value).all()
    assert np.isnan(found.p).all()
    assert found.n.tolist() == [4, 2, 0, 4]
    assert found.note == [CONSTANT_MEASUREMENT, "fewer than 3 people", "fewer than 3 people", CONSTANT_MEASUREMENT]


def test_float32_ties_stay_ties() -> None:
    # Two values that differ in float64 alone must not be told apart once stored as float32.
    stored = np.array([[0.1, 0.1 + 1e-12, 0.2, 0.3]], dtype=np.float32)
    x, _ = prepared(stored, np.array([[1.0, 2, 3, 4]]), "spearman")
    assert x[0, 0] == x[0, 1] < x[0, 2]


def test_tiny_differences_far_from_zero_are_ranked() -> None:
    one = np.float32(100)
    steps = np.array([one, np.nextafter(one, np.float32(200)), one, np.float32(100.5)])[None]
    measured = np.array([[1.0, 3, 0, 9]])
    for statistic in STATISTICS:
        expected = SCIPY[statistic](steps[0].astype(np.float64), measured[0])
        assert correlate(steps, measured, statistic).value[0] == pytest.approx(expected.statistic, abs=1e-9)


def test_unknown_statistic_is_refused() -> None:
    with pytest.raises(ValueError, match="kendall"):
        correlate(np.eye(3), np.eye(3), "kendall")
