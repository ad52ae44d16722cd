"""Trends and properties of genes: against statsmodels, scipy and loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.nonparametric.smoothers_lowess import lowess

from pexbench.figures.fig2c_properties import log_ticks, rank_correlation
from pexbench.figures.trend import LEAST, SPAN, local_lines, trend


@pytest.mark.parametrize(("n", "span"), [(30, SPAN), (300, 0.4), (11, 1.0)])
def test_trend_is_lowess(n: int, span: float) -> None:
    rng = np.random.default_rng(n)
    x = rng.exponential(size=n)
    y = np.sin(x) + rng.normal(0, 0.3, size=n)
    found = trend(x, y, span=span, resamples=50)
    expected = lowess(y, x, frac=span, it=0, delta=0.0, xvals=found["x"].to_numpy())
    np.testing.assert_allclose(found["trend"], expected, atol=1e-6)
    assert (found["lower"] <= found["upper"]).all()


def test_a_resample_is_a_fit_to_repeated_points() -> None:
    """A point of weight 3 counts as three points; the kernel stays that of all points."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 25))
    at = np.array([-0.5, 0.2, 1.0])
    weights = rng.multinomial(25, np.full(25, 1 / 25), 4).astype(float)
    found = local_lines(x, y, at, weights, 0.6)
    for b, g in np.ndindex(found.shape):
        away = np.abs(x - at[g])
        kernel = np.clip(1 - (away / np.sort(away)[int(0.6 * 25) - 1]) ** 3, 0, None) ** 3
        repeated = np.repeat(np.arange(25), weights[b].astype(int))
        root = np.sqrt(kernel[repeated])
        design = np.column_stack([np.ones(25), x[repeated] - at[g]])
        line = np.linalg.lstsq(design * root[:, None], y[repeated] * root, rcond=None)[0]
        assert found[b, g] == pytest.approx(line[0])


def test_the_interval_covers_a_straight_line() -> None:
    rng = np.random.default_rng(2)
    inside = []
    for seed in range(60):
        x = rng.normal(size=80)
        found = trend(x, 0.5 * x + rng.normal(size=80), resamples=200, points=5, seed=seed)
        inside.append(((found["lower"] <= 0.5 * found["x"]) & (0.5 * found["x"] <= found["upper"])).to_numpy())
    assert 0.88 <= np.mean(inside) <= 0.99


def test_awkward_points() -> None:
    rng = np.random.default_rng(3)
    assert trend(np.arange(LEAST - 1.0), np.arange(LEAST - 1.0)).empty
    assert trend(np.ones(50), rng.normal(size=50)).empty
    # All but a few points on one place: the local mean there, no division by zero.
    x = np.r_[np.zeros(45), np.linspace(1, 2, 5)]
    y = rng.normal(size=50)
    found = trend(x, y, span=0.5)
    assert np.isfinite(found).all(axis=None)
    assert found["trend"].iloc[0] == pytest.approx(y[:45].mean())
    pd.testing.assert_frame_equal(found, trend(x, y, span=0.5))


def test_rank_correlations_are_scipys_or_nothing() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 40)).round(1)
    assert rank_correlation(x, y) == pytest.approx(tuple(stats.spearmanr(x, y)))
    assert np.isnan(rank_correlation(x[:2], y[:2])).all()
    assert np.isnan(rank_correlation(np.ones(9), y[:9])).all()


@pytest.mark.parametrize(("low", "high"), [(0.09, 120), (0.3, 8), (3.1, 4.2), (2, 130), (0.11, 0.12)])
def test_log_ticks_are_a_few_round_numbers(low: float, high: float) -> None:
    found = log_ticks(low, high)
    assert 2 <= len(found) <= 6
    assert all(low <= value <= high for value in found)
    assert found == sorted(found)
