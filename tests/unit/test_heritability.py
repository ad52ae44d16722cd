"""Heritability, against dense likelihoods, Haseman-Elston regression, and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize
from scipy.stats import chi2, multivariate_normal

from pexbench.heritability import GRID, estimate, relationship_factor, rotate


def genotypes(rng, people=150, snps=60, blocks=6):
    """Dosages with linkage: SNPs of a block are noisy copies of one."""
    founders = rng.integers(0, 2, (2 * people, blocks))
    columns = founders[:, np.arange(snps) % blocks] ^ (rng.random((2 * people, snps)) < 0.15)
    x = (columns[:people] + columns[people:]).astype(np.float64)
    return x[:, np.ptp(x, axis=0) > 0]


def trait(rng, x, h2, fixed=0.0):
    z = relationship_factor(x)
    genetic = z @ rng.normal(size=z.shape[1])
    return np.sqrt(h2) * genetic + np.sqrt(1 - h2) * rng.normal(size=len(x)) + fixed


def dense_log_likelihood(h2, x, y, fixed):
    """Restricted log-likelihood by its textbook formula, dense matrices, total variance profiled out."""
    n, q = fixed.shape
    z = (x - x.mean(0)) / x.std(0)
    v = h2 * z @ z.T / x.shape[1] + (1 - h2) * np.eye(n)
    inverse = np.linalg.inv(v)
    information = fixed.T @ inverse @ fixed
    p = inverse - inverse @ fixed @ np.linalg.solve(information, fixed.T @ inverse)
    scale = y @ p @ y / (n - q)
    determinants = np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1] - np.linalg.slogdet(fixed.T @ fixed)[1]
    return -0.5 * ((n - q) * np.log(2 * np.pi * scale) + determinants + (n - q))


def designs(rng, people):
    yield None, np.ones((people, 1))
    c = np.column_stack([rng.normal(size=people), rng.integers(0, 2, people)]).astype(float)
    yield c, np.column_stack([np.ones(people), c])


@pytest.mark.parametrize("h2", [0.0, 0.2, 0.7])
@pytest.mark.parametrize("snps", [1, 40, 400])
def test_the_likelihood_is_the_dense_one_and_the_estimate_its_maximum(h2, snps):
    rng = np.random.default_rng(int(h2 * 10) + snps)
    x = genotypes(rng, people=90, snps=snps, blocks=max(1, snps // 8))
    for c, fixed in designs(rng, 90):
        y = trait(rng, x, h2) + (0 if c is None else c @ [2.0, -3.0])
        rotated = rotate(x, y, c)
        asked = np.array([0.0, 0.1, 0.35, 0.6, 0.9])
        expected = [dense_log_likelihood(value, x, y, fixed) for value in asked]
        np.testing.assert_allclose(rotated.log_likelihood(asked), expected, rtol=1e-9)
        found = estimate(x, y, c)
        coarse = max(GRID[:-1], key=lambda value: dense_log_likelihood(value, x, y, fixed))
        best = optimize.minimize_scalar(
            lambda value, y=y, fixed=fixed: -dense_log_likelihood(value, x, y, fixed),
            bounds=(max(coarse - 0.02, 0), min(coarse + 0.02, 1 - 1e-6)),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert found.h2 == pytest.approx(best.x, abs=2e-5)
        ratio = 2 * (dense_log_likelihood(found.h2, x, y, fixed) - dense_log_likelihood(0, x, y, fixed))
        assert found.p == pytest.approx(1 if found.h2 == 0 else chi2.sf(ratio, 1) / 2, rel=1e-4)


def test_the_likelihood_is_that_of_contrasts_under_a_normal():
    """Error contrasts have no fixed effects left: their density is a plain multivariate normal."""
    rng = np.random.default_rng(3)
    x = genotypes(rng, people=40, snps=20)
    c = rng.normal(size=(40, 2))
    y = trait(rng, x, 0.4)
    fixed = np.column_stack([np.ones(40), c])
    contrasts = np.linalg.qr(fixed, mode="complete")[0][:, 3:]
    z = (x - x.mean(0)) / x.std(0)
    for h2 in (0.0, 0.3, 0.8):
        v = contrasts.T @ (h2 * z @ z.T / x.shape[1] + (1 - h2) * np.eye(40)) @ contrasts
        t = contrasts.T @ y
        scale = t @ np.linalg.solve(v, t) / len(t)
        expected = multivariate_normal(cov=scale * v).logpdf(t)
        assert rotate(x, y, c).log_likelihood(h2) == pytest.approx(expected, rel=1e-9)


def test_derivatives_and_the_standard_error_are_those_of_differences():
    rng = np.random.default_rng(4)
    x = genotypes(rng)
    y = trait(rng, x, 0.4)
    rotated, found = rotate(x, y), estimate(x, y)
    assert 0.05 < found.h2 < 0.95
    step = 1e-4
    around = rotated.log_likelihood(found.h2 + step * np.array([-1, 0, 1]))
    assert rotated.slope(found.h2) == pytest.approx(0, abs=1e-6)
    curvature = -(around[0] - 2 * around[1] + around[2]) / step**2
    assert found.se == pytest.approx(1 / np.sqrt(curvature), rel=1e-3)
    at = float((rotated.log_likelihood(0.5 + 1e-6) - rotated.log_likelihood(0.5 - 1e-6)) / 2e-6)
    assert rotated.slope(0.5) == pytest.approx(at, rel=1e-4)


@pytest.fixture(scope="module")
def recovered():
    """Estimates over many simulated genes at each heritability, with Haseman-Elston's beside."""
    rng = np.random.default_rng(5)
    result = {}
    for h2, genes in ((0.0, 800), (0.15, 200), (0.4, 200)):
        found, moments = [], []
        for number in range(genes):
            if number % 10 == 0:
                x = genotypes(rng, people=120, snps=90, blocks=30)
                z = relationship_factor(x)
                k = z @ z.T
                upper = np.triu_indices(len(x), 1)
            y = trait(rng, x, h2)
            found.append(estimate(x, y))
            if h2:
                s = (y - y.mean()) / y.std()
                moments.append(np.polyfit(k[upper], np.outer(s, s)[upper], 1)[0])
        result[h2] = np.array([(one.h2, one.se, one.p) for one in found]), np.array(moments)
    return result


@pytest.mark.parametrize("h2", [0.15, 0.4])
def test_the_mean_estimate_is_the_truth_and_agrees_with_haseman_elston(recovered, h2):
    found, moments = recovered[h2]
    error = found[:, 0].std() / np.sqrt(len(found))
    assert abs(found[:, 0].mean() - h2) < 3 * error + 0.01
    assert abs(found[:, 0].mean() - moments.mean()) < 3 * np.hypot(error, moments.std() / np.sqrt(len(moments))) + 0.01
    # The spread of estimates is what the standard error says.
    assert np.median(found[:, 1]) == pytest.approx(found[:, 0].std(), rel=0.25)


def test_without_heritability_p_has_its_level_and_half_the_genes_lie_on_the_bound(recovered):
    found, _ = recovered[0.0]
    for level in (0.05, 0.01):
        error = np.sqrt(level * (1 - level) / len(found))
        assert abs((found[:, 2] < level).mean() - level) < 3.5 * error
    assert 0.4 < (found[:, 2] == 1).mean() < 0.7
    assert (found[:, 0] < 0.05).mean() > 0.6


def test_bounds_are_said():
    rng = np.random.default_rng(6)
    x = genotypes(rng, people=120, snps=300, blocks=40)
    whole = estimate(x, relationship_factor(x) @ rng.normal(size=x.shape[1]))
    assert whole.h2 > 0.99
    none = next(found for found in (estimate(x, rng.normal(size=120)) for _ in range(50)) if found.h2 == 0)
    assert (none.p, none.note) == (1.0, "heritability at its bound of 0")
    assert np.isfinite(none.se)


def test_unit_and_level_of_expression_and_coding_of_alleles_play_no_part():
    rng = np.random.default_rng(7)
    x = genotypes(rng)
    y = trait(rng, x, 0.4)
    found, other = estimate(x, y), estimate(2 - x, 1000 - 7 * y)
    assert other.h2 == pytest.approx(found.h2, abs=1e-6)
    assert other.p == pytest.approx(found.p, rel=1e-4)
