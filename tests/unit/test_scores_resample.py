"""Resampled correlations equal scipy's on resamples written out; intervals of units cover as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pexbench.scores.correlation import STATISTICS, correlate
from pexbench.scores.resample import Weights, cumulated, expanded, resampled, unit_intervals, untrusted

SCIPY = {"spearman": stats.spearmanr, "pearson": stats.pearsonr}
HARD = ("plain", "ties", "few values", "constant", "missing", "one gene", "three people", "huge")


def hard(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of every kind of trouble."""
    rng = np.random.default_rng(HARD.index(kind))
    shape = {"one gene": (1, 17), "three people": (6, 3)}.get(kind, (6, 25))
    x, y = rng.normal(size=shape), rng.normal(size=shape)
    if kind == "ties":
        x, y = np.round(x), np.round(y)
    if kind == "few values":
        x, y = (x > 1).astype(float), np.round(y, 1)
    if kind == "constant":
        x[0], x[1, 1:], y[2], y[3, 1:] = 0.1, 0.1, 1 / 3, 1 / 3
    if kind == "missing":
        x[rng.random(shape) < 0.2] = np.nan
        y[rng.random(shape) < 0.2] = np.nan
        y[5] = np.nan
    if kind == "huge":
        x, y = np.exp(8 * x), 1e20 + 1e15 * np.round(y)
    return x, y


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("kind", HARD)
def test_equal_to_resamples_written_out(kind: str, statistic: str) -> None:
    x, y = hard(kind)
    rng = np.random.default_rng(1)
    members = x.shape[1]
    counts = rng.multinomial(members, np.full(members, 1 / members), 60).T
    found = resampled(x, y, statistic, counts.astype(np.float32))
    assert found.shape == (60, len(x))
    for u in range(len(x)):
        keep = ~np.isnan(x[u]) & ~np.isnan(y[u])
        for b in range(60):
            a, c = (np.repeat(side[u, keep], counts[keep, b]) for side in (x, y))
            varied = len(a) > 1 and np.ptp(a) > 0 and np.ptp(c) > 0
            expected = SCIPY[statistic](a, c).statistic if varied else 0.0
            assert found[b, u] == pytest.approx(expected, abs=3e-6)


@pytest.mark.parametrize("kind", ["plain", "ties", "missing"])
def test_within_strata_equal_to_resamples_written_out(kind: str) -> None:
    x, y = hard(kind)
    rng = np.random.default_rng(2)
    strata = rng.permutation(np.repeat([0, 1, 2], [12, 9, 4]))
    counts = rng.multinomial(25, np.full(25, 1 / 25), 60).T
    for statistic in STATISTICS:
        found = resampled(x, y, statistic, counts.astype(np.float32), strata)
        for u in range(len(x)):
            keep = ~np.isnan(x[u]) & ~np.isnan(y[u])
            for b in range(60):
                a, c, group = (np.repeat(side[keep], counts[keep, b]) for side in (x[u], y[u], strata))
                expected = correlate(a[None], c[None], statistic, strata=group).value[0] if len(a) > 2 else 0.0
                assert found[b, u] == pytest.approx(np.nan_to_num(expected), abs=3e-6)


@pytest.mark.parametrize("length", [1, 2, 3, 10, 421])
def test_cumulated(length: int) -> None:
    values = np.random.default_rng(length).integers(0, 5, (length, 7)).astype(np.float32)
    assert (cumulated(values) == np.vstack([np.zeros(7), values.cumsum(axis=0)])).all()


def test_full_size_ranks_are_exact() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 3259)), rng.normal(size=(2, 3259))
    found = resampled(x, y, "spearman", np.ones((3259, 1), dtype=np.float32))[0]
    for u in range(2):
        assert found[u] == pytest.approx(stats.spearmanr(x[u], y[u]).statistic, abs=3e-6)


def test_weights_follow_names_and_seed() -> None:
    names = {"people": ["c", "a", "b", "d"], "genes": ["g", "h"]}
    populations = {"a": "X", "b": "Y", "c": "X"}
    weights = Weights(names, 500, 4, populations)
    every = weights.of("people", ["a", "b", "c", "d"])
    assert (every.sum(axis=0) == 4).all()
    assert every.mean(axis=1) == pytest.approx(1, abs=0.15)
    again = Weights({"people": sorted(names["people"])}, 500, 4)
    assert (again.of("people", ["d", "b"]) == every[[3, 1]]).all()
    assert (Weights(names, 500, 5).of("people", ["a", "b", "c", "d"]) != every).any()
    within = weights.of("people", ["a", "c", "b"], within=True)
    assert (within[:2].sum(axis=0) == 2).all()
    assert (within[2] == 1).all()


def test_expanded_tail_by_hand() -> None:
    n = np.array([20, 100, 421])
    wanted = stats.norm.cdf(-np.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1))
    np.testing.assert_allclose(expanded(n), wanted)
    draws = np.random.default_rng(6).normal(size=(1000, 2)).astype(np.float32)
    lower, upper = unit_intervals(draws, np.array([100, 100]), np.array([True, False]))
    assert lower[0] == pytest.approx(np.quantile(draws[:, 0], wanted[1]), abs=1e-6)
    assert upper[0] == pytest.approx(np.quantile(draws[:, 0], 1 - wanted[1]), abs=1e-6)
    assert np.isnan([lower[1], upper[1]]).all()


def test_no_interval_where_it_cannot_be_trusted() -> None:
    x = np.random.default_rng(0).normal(size=(3, 40))
    y = x.copy()
    x[1] = 0
    x[1, :9] = 1
    y[2, 19:] = np.nan
    reasons = untrusted(x, y, "people")
    assert reasons[0] == ""
    assert reasons[1] == "no interval: fewer than 10 people differ from the commonest value"
    assert reasons[2] == "no interval: fewer than 20 people"


@pytest.mark.parametrize(("kind", "people"), [("normal", 100), ("genotypes", 150)])
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.7])
def test_intervals_of_units_cover(kind: str, people: int, rho: float) -> None:
    """Larger simulations stand in benchmarks/intervals.py."""
    rng = np.random.default_rng(int(10 * rho) + people)

    def draw(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=shape)
        y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=shape)
        return (np.digitize(x, stats.norm.ppf([0.49, 0.91])).astype(float), y) if kind == "genotypes" else (x, y)

    truth = stats.spearmanr(*draw((300_000,))).statistic
    x, y = draw((1500, people))
    # Every row is a cohort of its own; sharing the weights between cohorts changes no row's coverage.
    weights = Weights({"people": [str(i) for i in range(people)]}, 400, 1).of("people", [str(i) for i in range(people)])
    lower, upper = unit_intervals(
        resampled(x, y, "spearman", weights), np.full(1500, people), np.ones(1500, dtype=bool)
    )
    covered = ((lower <= truth) & (truth <= upper)).mean()
    assert 0.93 <= covered <= 0.97
