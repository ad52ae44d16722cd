"""The nearest SNP, against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import linregress

from pexbench.baselines.folds import outer_folds
from pexbench.baselines.nearest_snp import nearest, predict_nearest_snp
from pexbench.errors import InputError


def gene(seed, people=100, snps=20, effect=0.0):
    rng = np.random.default_rng(seed)
    x = rng.binomial(2, 0.3, (people, snps)).astype(np.float32)
    y = effect * x[:, 7] + rng.normal(size=people)
    return x, [f"1:{100 + 10 * j}:A:C" for j in range(snps)], y, [f"p{i:03d}" for i in range(people)]


def test_it_is_the_regression_of_the_other_folds_on_the_nearest_snp():
    x, variants, y, samples = gene(1, effect=-0.6)
    found = predict_nearest_snp(x, variants, y, samples, 172, seed=3)
    assert (found.variant, found.distance) == ("1:170:A:C", 2)
    folds = outer_folds(samples, 5, 3)
    for fold in range(5):
        train, test = folds != fold, folds == fold
        fit = linregress(x[train, 7], y[train])
        expected = fit.slope * (x[test, 7] - x[train, 7].mean())
        np.testing.assert_allclose(found.prediction[test], expected, rtol=1e-5)
        assert found.slopes[fold] == pytest.approx(fit.slope)
    assert np.corrcoef(found.prediction, y)[0, 1] > 0.2


def test_rare_snps_are_passed_over_and_distance_counts_both_ways():
    x, variants, y, samples = gene(2)
    x[:, 7] = 0
    x[:2, 7] = 1
    found = predict_nearest_snp(x, variants, y, samples, 172)
    assert (found.variant, found.distance) == ("1:180:A:C", 8)
    assert nearest(["1:90:A:C", "1:110:A:C", "1:90:A:AT"], 100) == 2
    assert nearest(["1:110:A:C", "1:9:G:T", "1:9:A:C"], 10) == 2
    assert nearest(["1:900:A:C", "1:1010:A:C"], 1000) == 1
    assert nearest([], 10) == -1


def test_the_order_of_people_and_snps_plays_no_part():
    x, variants, y, samples = gene(3, effect=0.5)
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(len(y)), rng.permutation(len(variants))
    found = predict_nearest_snp(x, variants, y, samples, 175)
    other = predict_nearest_snp(
        x[rows][:, columns], [variants[j] for j in columns], y[rows], [samples[i] for i in rows], 175
    )
    assert other.variant == found.variant == "1:170:A:C"
    np.testing.assert_allclose(other.prediction, found.prediction[rows], atol=1e-6)


def test_held_out_expression_is_never_seen():
    x, variants, y, samples = gene(4, effect=0.5)
    c = np.random.default_rng(1).normal(size=(100, 2))
    found = predict_nearest_snp(x, variants, y, samples, 170, covariates=c)
    out = found.folds == 2
    changed = y.copy()
    changed[out] = np.random.default_rng(2).permutation(y[out]) * 9
    other = predict_nearest_snp(x, variants, changed, samples, 170, covariates=c)
    np.testing.assert_array_equal(other.prediction[out], found.prediction[out])
    assert not np.allclose(other.prediction[~out], found.prediction[~out])


def test_without_frequent_snps_the_prediction_is_zero():
    x, variants, y, samples = gene(5)
    found = predict_nearest_snp(x[:, :0], [], y, samples, 170)
    assert (found.n_snps, found.variant, found.distance) == (0, "", -1)
    assert np.all(found.prediction == 0)
    with pytest.raises(InputError, match="9 people for 5 folds"):
        predict_nearest_snp(x[:9], variants, y[:9], samples[:9], 170, maf=0)
