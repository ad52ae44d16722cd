"""The best single SNP, against explicit formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from pexbench.baselines.folds import outer_folds
from pexbench.baselines.top_snp import predict_top_snp
from pexbench.errors import InputError


def gene(seed, people=100, snps=20, effect=0.0, frequency=0.3):
    rng = np.random.default_rng(seed)
    x = rng.binomial(2, frequency, (people, snps)).astype(np.float32)
    y = rng.normal(size=people) + effect * x[:, snps // 2]
    return x, [f"1:{100 + j}:A:C" for j in range(snps)], y, [f"p{i:03d}" for i in range(people)]


def test_equals_a_plain_loop():
    x, variants, y, samples = gene(1, effect=0.5)
    found = predict_top_snp(x, variants, y, samples, maf=0, n_folds=4, seed=3)
    folds = outer_folds(samples, 4, 3)
    expected = np.empty(len(y))
    for fold in range(4):
        train = folds != fold
        r = [abs(pearsonr(x[train, j], y[train])[0]) for j in range(x.shape[1])]
        best = int(np.argmax(r))
        slope, _ = np.polyfit(x[train, best].astype(float), y[train], 1)
        expected[~train] = slope * (x[~train, best] - x[train, best].mean())
        assert found.fold_variants[fold] == variants[best]
    np.testing.assert_array_equal(found.folds, folds)
    np.testing.assert_allclose(found.prediction, expected, rtol=1e-5, atol=1e-6)
    assert found.prediction.dtype == np.float32


def test_reports_the_best_snp_over_all_people():
    x, variants, y, samples = gene(2, effect=-0.6)
    found = predict_top_snp(x, variants, y, samples)
    r, p = pearsonr(x[:, 10], y)
    assert found.variant == variants[10]
    assert found.r == pytest.approx(r, abs=1e-12)
    assert found.p == pytest.approx(p, rel=1e-8)
    assert found.n_snps == 20


def test_among_snps_in_perfect_linkage_the_first_id_is_chosen():
    x, variants, y, samples = gene(3, effect=0.8)
    x = np.column_stack([x, x[:, 10], 2 - x[:, 10]])
    variants = [*variants, "1:050:G:T", "1:001:G:T"]
    found = predict_top_snp(x, variants, y, samples)
    assert found.variant == "1:001:G:T"
    assert found.r < 0  # its alternative allele is the other one's reference allele
    plain = predict_top_snp(x[:, :20], variants[:20], y, samples)
    np.testing.assert_allclose(found.prediction, plain.prediction, atol=1e-6)


def test_rounding_does_not_choose_among_snps_in_perfect_linkage():
    for seed in range(5):
        x, variants, y, samples = gene(40 + seed, effect=0.8)
        # The same SNP on other scales, as in uncertain dosages: r differs in the last digits.
        scales = np.float32([0.9, 0.7, 0.6, 0.35, 0.3])
        x = np.column_stack([x, x[:, [10]] * scales])
        found = predict_top_snp(x, [*variants, *(f"1:00{k}:G:T" for k in range(5))], y, samples)
        assert found.variant == "1:000:G:T"
        assert set(found.fold_variants) == {"1:000:G:T"}


def test_order_of_people_and_snps_plays_no_part():
    x, variants, y, samples = gene(4, effect=0.3)
    found = predict_top_snp(x, variants, y, samples)
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(len(y)), rng.permutation(len(variants))
    other = predict_top_snp(x[rows][:, columns], [variants[j] for j in columns], y[rows], [samples[i] for i in rows])
    np.testing.assert_allclose(other.prediction, found.prediction[rows], atol=1e-6)
    np.testing.assert_array_equal(other.folds, found.folds[rows])
    assert (other.fold_variants, other.variant) == (found.fold_variants, found.variant)


def test_held_out_expression_is_never_seen():
    x, variants, y, samples = gene(5, effect=0.3)
    found = predict_top_snp(x, variants, y, samples)
    changed = y.copy()
    changed[found.folds == 2] = np.linspace(-50, 50, (found.folds == 2).sum())
    other = predict_top_snp(x, variants, changed, samples)
    np.testing.assert_array_equal(other.prediction[found.folds == 2], found.prediction[found.folds == 2])
    assert not np.allclose(other.prediction[found.folds != 2], found.prediction[found.folds != 2])


def test_a_snp_constant_in_a_training_part_is_not_used_there():
    _, _, y, samples = gene(6)
    folds = outer_folds(samples, 5, 0)
    x = np.zeros((100, 1), dtype=np.float32)
    x[np.flatnonzero(folds == 1)[:3]] = 1
    found = predict_top_snp(x, ["1:5:A:C"], y, samples, maf=0)
    assert found.fold_variants == ("1:5:A:C", "", "1:5:A:C", "1:5:A:C", "1:5:A:C")
    assert np.all(found.prediction[folds == 1] == 0)


def test_without_frequent_snps_the_prediction_is_zero():
    x, variants, y, samples = gene(7, frequency=0.01)
    found = predict_top_snp(x, variants, y, samples, maf=0.2)
    assert (found.n_snps, found.variant, found.fold_variants) == (0, "", ("",) * 5)
    assert np.all(found.prediction == 0)
    assert np.isnan(found.r)
    assert np.isnan(found.p)
    assert predict_top_snp(x[:, :0], [], y, samples).n_snps == 0


def test_genes_without_heritability_are_centred_on_zero():
    within, covariance, with_intercept = [], [], []
    for seed in range(300):
        x, variants, y, samples = gene(1000 + seed, people=60, snps=10)
        found = predict_top_snp(x, variants, y, samples, seed=seed)
        means = np.array([y[found.folds != fold].mean() for fold in range(5)])
        within.append(found.r_within_folds)
        covariance.append(np.cov(found.prediction, y)[0, 1])
        with_intercept.append(np.corrcoef(found.prediction + means[found.folds], y)[0, 1])
    for values in (within, covariance):
        assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)
    assert np.mean(with_intercept) < -5 * np.std(with_intercept) / np.sqrt(300)


def test_refuses_too_few_people():
    x, variants, y, samples = gene(8, people=9)
    with pytest.raises(InputError, match="9 people for 5 folds"):
        predict_top_snp(x, variants, y, samples, maf=0)
