"""Covariates in the baselines: inside folds, against plain loops; and what a confounder does without them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import linregress
from sklearn.linear_model import ElasticNet, LinearRegression

from pexbench.associations import associate_gene
from pexbench.baselines.elastic_net import Settings, fit_weights, predict_elastic_net
from pexbench.baselines.folds import outer_folds
from pexbench.baselines.nearest_snp import predict_nearest_snp
from pexbench.baselines.top_snp import predict_top_snp
from pexbench.genes import Gene

QUICK = Settings(n_lambdas=20, min_ratio=0.05)
GENE = Gene("G", "", "1", 150, "+")


def confounded(seed, people=200, snps=20, difference=0.35, shift=1.5):
    """Two populations that differ in allele frequencies and in expression; no SNP has an effect."""
    rng = np.random.default_rng(seed)
    population = rng.integers(0, 2, people)
    frequency = np.where(population[:, None] == 1, 0.5 + difference / 2, 0.5 - difference / 2)
    x = rng.binomial(2, frequency, (people, snps)).astype(np.float32)
    component = population + 0.1 * rng.normal(size=people)
    y = shift * population + rng.normal(size=people)
    return (
        (x, [f"1:{100 + 10 * j}:A:C" for j in range(snps)], y, [f"p{i:03d}" for i in range(people)]),
        component[:, None],
        population,
    )


def left(y, c, train):
    """Residuals by coefficients of the training people, their mean kept."""
    return y - LinearRegression().fit(c[train], y[train]).predict(c) + y[train].mean()


METHODS = {
    "elastic_net": lambda data, c: predict_elastic_net(*data, QUICK, c),
    "top_snp": lambda data, c: predict_top_snp(*data, covariates=c),
    "nearest_snp": lambda data, c: predict_nearest_snp(*data, 150, covariates=c),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_confounder_fools_the_unadjusted_baseline_and_not_the_adjusted(name):
    fooled, adjusted = [], []
    for seed in range(25):
        data, c, _ = confounded(seed)
        fooled.append(METHODS[name](data, None).r_within_folds)
        adjusted.append(METHODS[name](data, c).r_within_folds)
    assert np.mean(fooled) > 0.15
    error = np.std(adjusted) / np.sqrt(len(adjusted))
    assert abs(np.mean(adjusted)) < 3.5 * error + 0.01


def test_a_confounder_fools_unadjusted_associations_and_heritability_and_not_the_adjusted():
    plain, with_c = [], []
    for seed in range(25):
        data, _, population = confounded(seed)
        for found, given in ((plain, None), (with_c, population[:, None].astype(float))):
            gene = associate_gene(GENE, *data, 0.05, given)
            found.append((np.median(gene.cis["p"]), gene.row["h2"], gene.row["h2_p"]))
    plain, with_c = np.array(plain), np.array(with_c)
    assert np.median(plain[:, 0]) < 1e-3
    assert plain[:, 1].mean() > 0.1
    assert 0.35 < with_c[:, 0].mean() < 0.65, "p values are uniform again"
    assert with_c[:, 1].mean() < 0.05
    assert (with_c[:, 2] < 0.05).sum() <= 5


def test_the_top_snp_equals_a_plain_loop():
    data, c, _ = confounded(40, difference=0.1)
    x, variants, y, samples = data
    y = y + 0.6 * x[:, 4]
    found = predict_top_snp(x, variants, y, samples, covariates=c, seed=2)
    folds = outer_folds(samples, 5, 2)
    for fold in range(5):
        train, test = folds != fold, folds == fold
        rest = left(y, c, train)
        fits = [linregress(snp, rest[train]) for snp in x[train].astype(float).T]
        column = int(np.argmax([abs(fit.rvalue) for fit in fits]))
        assert found.fold_variants[fold] == variants[column]
        expected = fits[column].slope * (x[test, column] - x[train, column].mean())
        np.testing.assert_allclose(found.prediction[test], expected, atol=1e-6)
    lead = associate_gene(GENE, x, variants, y, samples, 0.05, c)
    assert (found.variant, found.r) == (lead.row["lead_variant"], pytest.approx(lead.row["r"]))
    assert found.p == pytest.approx(lead.row["p"])


def test_the_elastic_net_adjusts_each_outer_and_inner_fold_by_its_own_training_part():
    data, c, _ = confounded(41, people=80, snps=12, difference=0.1)
    x, variants, y, samples = data
    y = y + 0.8 * x[:, 4]
    c = np.column_stack([c, np.random.default_rng(1).normal(size=80)])
    settings = Settings(maf=0, n_folds=3, n_inner=4, n_lambdas=12, min_ratio=0.05, patience=12, seed=9)
    found = predict_elastic_net(x, variants, y, samples, settings, c)
    folds = outer_folds(samples, 3, 9)

    def coefficients(a, t, penalty):
        scale = a.std(0)
        model = ElasticNet(alpha=penalty, l1_ratio=0.5, fit_intercept=False, tol=1e-12, max_iter=200_000)
        return model.fit((a - a.mean(0)) / scale, (t - t.mean()) / t.std()).coef_ * t.std() / scale

    x = x.astype(float)
    for fold in range(3):
        train = np.flatnonzero(folds != fold)
        mask = folds != fold
        t = left(y, c, mask)[train]
        z = (x[train] - x[train].mean(0)) / x[train].std(0)
        path = np.abs(z.T @ ((t - t.mean()) / t.std())).max() / len(t) / 0.5 * np.geomspace(1, 0.05, 12)
        inner = outer_folds([samples[i] for i in train], 4, f"9/inner/{fold}")
        error = np.zeros(12)
        for k in range(4):
            inside = np.isin(np.arange(80), train[inner != k])
            held = train[inner == k]
            rest = left(y, c, inside)
            for i, penalty in enumerate(path):
                b = coefficients(x[inside], rest[inside], penalty)
                predicted = rest[inside].mean() + (x[held] - x[inside].mean(0)) @ b
                error[i] += ((rest[held] - predicted) ** 2).sum()
        assert found.lambdas[fold] == pytest.approx(path[error.argmin()], rel=1e-9)
        b = coefficients(x[train], t, path[error.argmin()])
        expected = (x[~mask] - x[train].mean(0)) @ b
        np.testing.assert_allclose(found.prediction[~mask], expected, atol=1e-4)
    assert found.prediction.std() > 0.1


@pytest.mark.parametrize("name", METHODS)
def test_held_out_expression_and_its_covariates_coefficients_are_never_seen(name):
    (x, variants, y, samples), c, _ = confounded(42)
    found = METHODS[name]((x, variants, y, samples), c)
    out = found.folds == 1
    changed = y.copy()
    changed[out] = 5 * np.random.default_rng(0).permutation(y[out]) - 20
    other = METHODS[name]((x, variants, changed, samples), c)
    np.testing.assert_array_equal(other.prediction[out], found.prediction[out])
    assert not np.allclose(other.prediction[~out], found.prediction[~out])


@pytest.mark.parametrize("name", METHODS)
def test_scale_of_covariates_and_order_of_people_play_no_part(name):
    data, c, _ = confounded(43)
    x, variants, y, samples = data
    c = np.column_stack([c, np.random.default_rng(3).normal(size=200)])
    found = METHODS[name](data, c)
    order = np.random.default_rng(4).permutation(200)
    other = METHODS[name]((x[order], variants, y[order], [samples[i] for i in order]), 7 - 3 * c[order])
    np.testing.assert_allclose(other.prediction, found.prediction[order], atol=1e-5)


def test_weights_are_those_of_adjusted_expression():
    (x, variants, y, samples), c, _ = confounded(44)
    everyone = np.ones(200, dtype=bool)
    found = fit_weights(x, variants, y, samples, QUICK, c)
    assert np.abs(found.effects).sum() < np.abs(fit_weights(x, variants, y, samples, QUICK).effects).sum()
    y2 = y + 0.9 * x[:, 3]
    found = fit_weights(x, variants, y2, samples, QUICK, c)
    rest = left(y2, c, everyone)
    t = (rest - rest.mean()) / rest.std()
    z = (x - x.mean(0)) / x.std(0)
    expected = ElasticNet(alpha=found.penalty, l1_ratio=0.5, fit_intercept=False, tol=1e-12, max_iter=200_000)
    expected = expected.fit(z.astype(np.float64), t)
    effects = dict(zip(found.variants, found.effects, strict=True))
    np.testing.assert_allclose(
        [effects.get(name, 0.0) for name in variants], expected.coef_ * rest.std() / x.std(0), atol=1e-4
    )
