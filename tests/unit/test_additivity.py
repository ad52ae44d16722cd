"""Sums of effects, contributions and driver variants, against formulas written out and all subsets tried."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from pexbench.additivity import ENOUGH, compare, driver_table, drivers, parts_of, shares


def cohort(seed: int, people: int = 60, variants: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Effects and dosages; neighbouring variants are in linkage."""
    rng = np.random.default_rng(seed)
    haplotypes = rng.random((people, 2, variants)) < rng.uniform(0.05, 0.6, variants)
    for column in range(1, variants, 2):
        linked = rng.random((people, 2)) < 0.9
        haplotypes[:, :, column] = np.where(linked, haplotypes[:, :, column - 1], haplotypes[:, :, column])
    return rng.normal(size=variants) * rng.choice([0.05, 1.0], variants), haplotypes.sum(axis=1).astype(np.float32)


def given(parts: np.ndarray, columns: tuple[int, ...] | list[int]) -> float:
    total = parts.sum(axis=1)
    return 1 - float(np.var(total - parts[:, list(columns)].sum(axis=1)) / np.var(total))


def test_the_sum_is_that_of_both_haplotypes_averaged() -> None:
    rng = np.random.default_rng(1)
    effects, haplotypes = rng.normal(size=5), rng.integers(0, 2, (9, 2, 5))
    by_haplotype = (haplotypes * effects).sum(axis=2)
    total = parts_of(effects, haplotypes.sum(axis=1)).sum(axis=1)
    np.testing.assert_allclose(total, by_haplotype.mean(axis=1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_additivity_is_what_others_compute(seed: int) -> None:
    rng = np.random.default_rng(seed)
    total = rng.normal(size=50)
    whole = 0.3 + 0.7 * total + rng.normal(size=50) * 0.2 * seed
    found = compare(total, whole)
    assert found.r2 == pytest.approx(r2_score(whole, total))
    fitted = LinearRegression().fit(total[:, None], whole)
    assert found.slope == pytest.approx(float(fitted.coef_[0]))
    assert found.r == pytest.approx(float(np.corrcoef(total, whole)[0, 1]))


def test_additivity_of_sums_that_are_right_worse_than_the_mean_and_constant() -> None:
    total = np.array([0.0, 1.0, 2.0, 1.0])
    assert compare(total, total) == (1.0, 1.0, 1.0)
    assert compare(total, -total).r2 < -1
    assert compare(total, -total).r == -1
    assert np.isnan(compare(total, np.ones(4))).all() is np.False_  # the slope is 0, and known
    assert compare(total, np.ones(4)).slope == 0
    assert np.isnan(compare(total, np.ones(4)).r2)
    assert np.isnan(compare(np.zeros(4), total).slope)
    assert compare(np.zeros(4), total).r2 < 0


@pytest.mark.parametrize("seed", range(8))
def test_shares_are_covariances_and_add_up(seed: int) -> None:
    parts = parts_of(*cohort(seed))
    total = parts.sum(axis=1)
    wanted = [np.cov(part, total)[0, 1] / np.var(total, ddof=1) for part in parts.T]
    np.testing.assert_allclose(shares(parts), wanted, rtol=1e-9, atol=1e-12)
    assert shares(parts).sum() == pytest.approx(1)


def test_drivers_reach_what_is_asked_and_none_of_them_can_be_spared() -> None:
    for seed in range(60):
        parts = parts_of(*cohort(seed, variants=9))
        chosen, told = drivers(parts)
        assert given(parts, chosen) >= ENOUGH
        assert told[-1] == pytest.approx(given(parts, chosen))
        assert [given(parts, chosen[: n + 1]) for n in range(len(chosen))] == pytest.approx(told)
        assert len(set(chosen)) == len(chosen)
        for one in chosen:
            assert given(parts, [other for other in chosen if other != one]) < ENOUGH


def test_drivers_are_nearly_always_as_few_as_there_can_be() -> None:
    more = []
    for seed in range(60):
        parts = parts_of(*cohort(seed))
        least = next(
            size
            for size in range(1, parts.shape[1] + 1)
            if any(given(parts, columns) >= ENOUGH for columns in combinations(range(parts.shape[1]), size))
        )
        more.append(len(drivers(parts)[0]) - least)
    assert min(more) == 0
    assert max(more) <= 1
    assert np.mean(np.array(more) > 0) < 0.1


def test_linkage_counts() -> None:
    """Variants carried together: one stands for the other where it adds enough; two that cancel are no drivers."""
    rng = np.random.default_rng(5)
    one, other = rng.integers(0, 3, (2, 200)).astype(np.float32)
    dosages = np.stack([one, one, other, other], axis=1)
    parts = parts_of(np.array([1.0, 0.02, 3.0, -3.0]), dosages)
    assert drivers(parts)[0] == [0]
    np.testing.assert_allclose(shares(parts)[:2].sum(), 1, atol=0.2)


def test_nothing_varies() -> None:
    for parts in (np.zeros((5, 3)), np.ones((5, 3)), np.empty((5, 0))):
        assert drivers(parts) == ([], [])
        assert np.isnan(shares(parts)).all()
        assert len(driver_table("G", ["a", "b", "c"], np.zeros(3), parts)) == 0


def test_the_table_has_drivers_in_order() -> None:
    dosages = np.random.default_rng(2).integers(0, 3, (300, 3)).astype(np.float32)
    effects = np.array([0.1, -4.0, 2.0])
    made = driver_table("G", ["v0", "v1", "v2"], effects, parts_of(effects, dosages))
    assert made["variant"].tolist() == ["v1", "v2"]
    assert made["rank"].tolist() == [1, 2]
    assert made["effect"].tolist() == [-4.0, 2.0]
    assert made["cumulative"].is_monotonic_increasing
    assert made["cumulative"].iloc[-1] > ENOUGH
    assert made["share"].sum() == pytest.approx(1, abs=0.01)
