"""Power: subsets of people against scipy one gene at a time, theory against simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pexbench.scores.correlation import correlate
from pexbench.scores.power import added_up, interval_width, power, sizes, subsets, within


def awkward(units: int, members: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Ties, constants, missing values, and a gene without any measurement."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(units, members)).round(1)
    y = x * np.linspace(-1, 1, units)[:, None] + rng.normal(size=x.shape)
    x[0], y[1] = 2.5, -1.0
    y[2] = np.nan
    y[3, 3:] = np.nan
    x[rng.random(x.shape) < 0.05] = np.nan
    y[rng.random(x.shape) < 0.05] = np.nan
    x[4, : members // 2] = 0.0
    return x, y


def one_by_one(x: np.ndarray, y: np.ndarray) -> tuple[float, int, int, int]:
    """Mean, genes, significant positive and negative ones: a plain loop over genes."""
    values, ps = [], []
    for gene in range(len(x)):
        both = ~np.isnan(x[gene]) & ~np.isnan(y[gene])
        a, b = x[gene, both], y[gene, both]
        if len(a) < 3 or np.ptp(b) == 0:
            continue
        if np.ptp(a) == 0:
            values.append(0.0)
            ps.append(1.0)
            continue
        found = stats.spearmanr(a, b)
        values.append(found.statistic)
        ps.append(found.pvalue)
    low = stats.false_discovery_control(ps) <= 0.05
    r = np.array(values)
    return float(r.mean()), len(r), int((low & (r > 0)).sum()), int((low & (r < 0)).sum())


@pytest.mark.parametrize("people", [12, 61])
def test_subsets_are_what_scipy_finds_gene_by_gene(people: int) -> None:
    x, y = awkward(30, people)
    drawn = subsets(x, y, repeats=3, seed=4)
    assert sorted(drawn["n"].unique()) == sizes(people)
    assert (drawn.groupby("n").size() == [*[3] * (len(sizes(people)) - 1), 1]).all()
    for row in drawn.itertuples():
        subset = np.sort(np.random.default_rng([4, people, row.n, row.repeat]).permutation(people)[: row.n])
        mean, genes, positive, negative = one_by_one(x[:, subset], y[:, subset])
        assert row.mean == pytest.approx(mean, abs=1e-12)
        assert (row.n_genes, row.n_positive, row.n_negative) == (genes, positive, negative)


def test_one_subset_is_what_the_scores_find() -> None:
    x, y = awkward(40, 50, seed=1)
    subset = np.array([1, 5, 6, 7, 20, 21, 30, 33, 48, 49])
    value, n = within(x, y, np.isin(np.arange(50), subset)[:, None])
    expected = correlate(x[:, subset], y[:, subset], "spearman")
    assert np.isnan(expected.value).any()
    np.testing.assert_allclose(value[0], expected.value, atol=1e-14)
    np.testing.assert_array_equal(n[0], expected.n)


def test_whole_cohort_is_the_score_and_subsets_do_not_depend_on_the_model() -> None:
    x, y = awkward(20, 40)
    drawn = subsets(x, y, repeats=2)
    scored = correlate(x, y, "spearman")
    known = ~np.isnan(scored.value)
    assert drawn["mean"].iloc[-1] == pytest.approx(scored.value[known].mean())
    assert drawn["width"].iloc[-1] == pytest.approx(np.median(interval_width(scored.value[known], scored.n[known])))
    pd.testing.assert_frame_equal(drawn, subsets(x, y, repeats=2))
    # Genes alone, in any order, of any scale: the same subsets of people.
    pd.testing.assert_frame_equal(drawn, subsets(3 * x[::-1], y[::-1], repeats=2))


@pytest.mark.parametrize("fill", ["constant", "missing", "one gene"])
def test_nothing_to_score(fill: str) -> None:
    x, y = awkward(8, 30)
    if fill == "constant":
        x[:] = np.arange(8)[:, None]
    elif fill == "missing":
        y[:] = np.nan
    else:
        x, y = x[5:6], y[5:6]
    table = added_up(subsets(x, y, repeats=2))
    assert list(table["n"]) == sizes(30)
    if fill == "missing":
        assert (table["n_genes"] == 0).all()
        assert table[["mean", "share_positive", "width"]].isna().all(axis=None)
    elif fill == "constant":
        assert (table["mean"] == 0).all()
        assert (table["share_positive"] == 0).all()
    else:
        assert (table["n_genes"] == 1).all()


def test_error_is_that_of_new_people() -> None:
    """Subsets of a cohort, corrected for the people they share, spread as subsets of the population do."""
    rng = np.random.default_rng(3)
    people, genes = 60, 6

    def cohort(count: int) -> tuple[np.ndarray, np.ndarray]:
        shared = rng.normal(size=count)
        x = rng.normal(size=(genes, count)) + shared
        return x, 0.5 * x + rng.normal(size=x.shape) + shared

    truth = np.std([correlate(*cohort(20), "spearman").value.mean() for _ in range(1500)])
    found = []
    for seed in range(25):
        table = added_up(subsets(*cohort(people), repeats=20, seed=seed)).set_index("n")
        found.append(table.loc[20, "error"] ** 2)
    assert np.sqrt(np.mean(found)) == pytest.approx(truth, rel=0.12)
    assert np.isnan(table.loc[people, "error"])


@pytest.mark.parametrize(("r", "n"), [(0.0, 30), (0.1, 100), (0.2, 100), (0.3, 60), (-0.3, 100), (0.3, 12)])
def test_power_is_what_simulation_finds(r: float, n: int) -> None:
    rng = np.random.default_rng(5)
    rho = 2 * np.sin(np.pi * r / 6)
    a, b = rng.normal(size=(2, 6000, n))
    found = correlate(a, rho * a + np.sqrt(1 - rho**2) * b, "spearman")
    assert power(r, n)[0] == pytest.approx(float((found.p < 0.05).mean()), abs=0.025)


def test_power_against_its_own_limits() -> None:
    grid = np.array([2, 3, 4, 10, 100, 1000, 100000])
    found = power(0.2, grid)
    assert np.isnan(found[:2]).all()
    assert (np.diff(found[2:]) >= 0).all()
    assert found[-1] == pytest.approx(1)
    np.testing.assert_allclose(power(-0.2, grid), found)
    np.testing.assert_allclose(power(0.0, grid[3:]), 0.05, atol=0.003)
    assert (power(0.2, grid, level=0.001)[2:] <= found[2:]).all()


def test_width_is_that_of_the_interval() -> None:
    n = np.array([10, 100, 421])
    half = 1.959963984540054 * np.sqrt((1 + 0.3**2 / 2) / (n - 3))
    np.testing.assert_allclose(
        interval_width(0.3, n), np.tanh(np.arctanh(0.3) + half) - np.tanh(np.arctanh(0.3) - half)
    )
    np.testing.assert_array_equal(interval_width(0.3, [2, 3]), 2.0)
    np.testing.assert_allclose(interval_width([1.0, -1.0], [9, 9]), 0, atol=1e-6)
    rng = np.random.default_rng(8)
    a, b = rng.normal(size=(2, 400))
    found = stats.pearsonr(a, b).confidence_interval()
    # The same transform; without correlation Spearman's standard error is Pearson's.
    assert interval_width(0.0, 400)[0] == pytest.approx(found.high - found.low, rel=0.02)


def test_sizes_are_round_and_end_with_the_cohort() -> None:
    assert sizes(421) == [20, 50, 100, 200, 300, 421]
    assert sizes(25) == [5, 10, 20, 25]
    assert sizes(3) == [3]
