"""The elastic net, against scikit-learn and against what statistics demands."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet

from pexbench.baselines import elastic_net
from pexbench.baselines.elastic_net import Settings, fit_weights, predict_elastic_net, solve
from pexbench.baselines.folds import outer_folds
from pexbench.errors import InputError

QUICK = Settings(n_lambdas=20, min_ratio=0.05)


def gene(seed, people=100, snps=20, h2=0.0, frequency=0.3):
    """Independent SNPs; the middle one explains ``h2`` of expression by a positive effect."""
    rng = np.random.default_rng(seed)
    x = rng.binomial(2, frequency, (people, snps)).astype(np.float32)
    causal = (x[:, snps // 2] - x[:, snps // 2].mean()) / x[:, snps // 2].std()
    y = np.sqrt(1 - h2) * rng.normal(size=people) + np.sqrt(h2) * causal
    return x, [f"1:{100 + j}:A:C" for j in range(snps)], y, [f"p{i:03d}" for i in range(people)]


def scaled(x, y):
    x = np.asarray(x, dtype=np.float64)
    return (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()


def sklearn_coefficients(z, t, penalty, l1_ratio):
    model = ElasticNet(alpha=penalty, l1_ratio=l1_ratio, fit_intercept=False, tol=1e-12, max_iter=200_000)
    return model.fit(z, t).coef_


@pytest.mark.parametrize("l1_ratio", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("share", [0.9, 0.3, 0.05])
def test_solver_has_scikit_learns_objective_and_optimum(l1_ratio, share):
    x, _, y, _ = gene(1, people=120, snps=150, h2=0.3)
    x = np.column_stack([x, x[:, 3], 2 - x[:, 75]])  # perfect linkage
    z, t = scaled(x, y)
    penalty = share * np.abs(z.T @ t).max() / len(t) / l1_ratio
    ours = solve(np.asfortranarray(z), t, np.array([penalty]), l1_ratio, tolerance=1e-10)[0][0]
    theirs = sklearn_coefficients(z, t, penalty, l1_ratio)

    def objective(b):
        return np.mean((t - z @ b) ** 2) / 2 + penalty * (l1_ratio * np.abs(b).sum() + (1 - l1_ratio) / 2 * b @ b)

    assert objective(ours) == pytest.approx(objective(theirs), rel=1e-6)
    np.testing.assert_allclose(z @ ours, z @ theirs, atol=2e-3)
    assert objective(theirs) < objective(np.zeros(len(ours)))


def test_the_path_solved_in_blocks_is_the_path_solved_at_once():
    x, _, y, _ = gene(2, h2=0.3, snps=60)
    z, t = scaled(x, y)
    z = np.asfortranarray(z)
    path = np.geomspace(0.8, 0.02, 30)
    whole, _ = solve(z, t, path, 0.5, tolerance=1e-12)
    first, state = solve(z, t, path[:10], 0.5, tolerance=1e-12)
    second, state = solve(z, t, path[10:20], 0.5, tolerance=1e-12, after=state)
    third, _ = solve(z, t, path[20:], 0.5, tolerance=1e-12, after=state)
    np.testing.assert_allclose(np.concatenate([first, second, third]), whole, atol=1e-5)


def test_nested_cross_validation_equals_a_plain_rewrite_with_scikit_learn():
    x, variants, y, samples = gene(3, people=60, snps=15, h2=0.3)
    settings = Settings(maf=0, n_folds=3, n_inner=4, n_lambdas=15, min_ratio=0.05, patience=15, seed=9)
    found = predict_elastic_net(x, variants, y, samples, settings)
    folds = outer_folds(samples, 3, 9)
    for fold in range(3):
        train = np.flatnonzero(folds != fold)
        z, t = scaled(x[train], y[train])
        path = np.abs(z.T @ t).max() / len(t) / 0.5 * np.geomspace(1, 0.05, 15)
        inner = outer_folds([samples[i] for i in train], 4, f"9/inner/{fold}")
        error = np.zeros(15)
        for k in range(4):
            a, b = train[inner != k], train[inner == k]
            za, ta = scaled(x[a], y[a])
            for i, penalty in enumerate(path):
                coefficients = sklearn_coefficients(za, ta, penalty, 0.5)
                zb = (x[b].astype(float) - x[a].astype(float).mean(0)) / x[a].astype(float).std(0)
                error[i] += ((y[b] - y[a].mean() - zb @ coefficients * y[a].std()) ** 2).sum()
        penalty = path[error.argmin()]
        assert found.lambdas[fold] == pytest.approx(penalty, rel=1e-9)
        coefficients = sklearn_coefficients(z, t, penalty, 0.5)
        test = folds == fold
        xt = x[train].astype(float)
        expected = (x[test] - xt.mean(0)) / xt.std(0) @ coefficients * y[train].std()
        np.testing.assert_allclose(found.prediction[test], expected, atol=1e-4)
        assert found.n_nonzero[fold] == np.count_nonzero(coefficients)


def test_weights_are_scikit_learns_in_units_per_allele():
    x, variants, y, samples = gene(4, h2=0.3)
    y = 5 * y + 40
    weights = fit_weights(x, variants, y, samples, QUICK)
    z, t = scaled(x, y)
    expected = sklearn_coefficients(z, t, weights.penalty, 0.5) * y.std() / x.astype(float).std(0)
    effects = dict(zip(weights.variants, weights.effects, strict=True))
    assert "1:110:A:C" in effects
    np.testing.assert_allclose([effects.get(v, 0.0) for v in variants], expected, atol=1e-4)


def test_order_of_people_and_snps_plays_no_part():
    x, variants, y, samples = gene(5, h2=0.2)
    found = predict_elastic_net(x, variants, y, samples, QUICK)
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(len(y)), rng.permutation(len(variants))
    shuffled = (x[rows][:, columns], [variants[j] for j in columns], y[rows], [samples[i] for i in rows])
    other = predict_elastic_net(*shuffled, QUICK)
    assert found.prediction.std() > 0.05
    np.testing.assert_allclose(other.prediction, found.prediction[rows], atol=1e-6)
    np.testing.assert_array_equal(other.folds, found.folds[rows])
    np.testing.assert_allclose(other.lambdas, found.lambdas)
    assert fit_weights(*shuffled, QUICK).variants == fit_weights(x, variants, y, samples, QUICK).variants


def test_held_out_expression_is_never_seen():
    x, variants, y, samples = gene(6, h2=0.3)
    found = predict_elastic_net(x, variants, y, samples, QUICK)
    held_out = found.folds == 1
    changed = y.copy()
    changed[held_out] = np.linspace(-50, 50, held_out.sum())
    other = predict_elastic_net(x, variants, changed, samples, QUICK)
    np.testing.assert_array_equal(other.prediction[held_out], found.prediction[held_out])
    assert other.lambdas[1] == found.lambdas[1]
    assert not np.allclose(other.prediction[~held_out], found.prediction[~held_out])


def test_prediction_has_the_unit_of_expression_and_not_its_level():
    x, variants, y, samples = gene(7, h2=0.3)
    found = predict_elastic_net(x, variants, y, samples, QUICK)
    other = predict_elastic_net(x, variants, 1000 - 3 * y, samples, QUICK)
    np.testing.assert_allclose(other.prediction, -3 * found.prediction, atol=1e-5)
    np.testing.assert_allclose(other.lambdas, found.lambdas)


def test_a_strong_snp_is_found_with_its_sign_and_its_share():
    # With one SNP that explains 0.25 of 358 people's expression, r is near 0.5.
    r = []
    for seed in range(4):
        x, variants, y, samples = gene(10 + seed, people=358, snps=80, h2=0.25)
        found = predict_elastic_net(x, variants, y, samples)
        r.append(np.corrcoef(found.prediction, y)[0, 1])
        assert found.r_within_folds == pytest.approx(r[-1], abs=0.06)
        weights = fit_weights(x, variants, y, samples)
        assert weights.variants[int(np.abs(weights.effects).argmax())] == "1:140:A:C"
        assert weights.effects[list(weights.variants).index("1:140:A:C")] > 0
    assert 0.42 < np.mean(r) < 0.54


def test_genes_without_heritability_are_centred_on_zero_without_the_intercept():
    genes = 200
    settings = Settings(n_inner=3, n_lambdas=10, min_ratio=0.2)
    within, covariance, pooled, with_intercept = [], [], [], []
    for seed in range(genes):
        x, variants, y, samples = gene(2000 + seed, people=60, snps=10)
        found = predict_elastic_net(x, variants, y, samples, dataclasses.replace(settings, seed=seed))
        intercepts = np.array([y[found.folds != fold].mean() for fold in range(5)])[found.folds]
        within.append(found.r_within_folds)
        covariance.append(np.cov(found.prediction, y)[0, 1])
        pooled.append(np.corrcoef(found.prediction, y)[0, 1] if np.ptp(found.prediction) else 0.0)
        with_intercept.append(np.corrcoef(found.prediction + intercepts, y)[0, 1])

    def deviation(values):
        return np.mean(values) / (np.std(values) / np.sqrt(genes))

    assert abs(deviation(within)) < 3
    assert abs(deviation(covariance)) < 3
    # The intercept: about -0.13 on average with 100 people, -0.07 with 358.
    assert deviation(with_intercept) < -10
    # One correlation over all folds keeps a small bias (see predict_elastic_net), far below the intercept's.
    assert np.mean(with_intercept) < np.mean(pooled) - 0.05
    assert abs(np.mean(pooled)) < 0.08


def test_patience_ends_the_search_and_not_the_choice():
    x, variants, y, samples = gene(20, people=150, snps=100, h2=0.2)
    found = predict_elastic_net(x, variants, y, samples, Settings(patience=20))
    other = predict_elastic_net(x, variants, y, samples, Settings(patience=100))
    np.testing.assert_array_equal(found.lambdas, other.lambdas)
    np.testing.assert_array_equal(found.prediction, other.prediction)


def test_the_search_ends_soon_after_the_best_penalty(monkeypatch):
    asked = []

    def counting(z, t, lambdas, l1_ratio, *, tolerance, after=None):
        asked.append((len(z), len(lambdas)))
        return solve(z, t, lambdas, l1_ratio, tolerance=tolerance, after=after)

    monkeypatch.setattr(elastic_net, "solve", counting)
    x, variants, y, samples = gene(20, people=150, snps=100, h2=0.2)
    weights = fit_weights(x, variants, y, samples, Settings(patience=20))
    z, t = scaled(x, y)
    path = np.abs(z.T @ t).max() / len(t) / 0.5 * np.geomspace(1, 0.01, 100)
    chosen = int(np.abs(path - weights.penalty).argmin())
    solved = sum(values for people, values in asked if people == 120) / 5
    assert chosen + 20 < solved <= chosen + 20 + elastic_net.BLOCK
    assert asked[-1] == (150, chosen + 1)


def test_a_snp_constant_in_a_training_part_is_left_out_there():
    x, variants, y, samples = gene(21, snps=5, h2=0.5)
    folds = outer_folds(samples, 5, 0)
    rare = np.zeros(100, dtype=np.float32)
    rare[np.flatnonzero(folds == 1)[:3]] = 2
    settings = dataclasses.replace(QUICK, maf=0)
    found = predict_elastic_net(np.column_stack([x, rare]), [*variants, "1:9:A:C"], y, samples, settings)
    plain = predict_elastic_net(x, variants, y, samples, settings)
    assert (found.n_snps, plain.n_snps) == (6, 5)
    np.testing.assert_array_equal(found.prediction[folds == 1], plain.prediction[folds == 1])
    constant = np.full(100, 2, dtype=np.float32)
    same = predict_elastic_net(np.column_stack([x, constant]), [*variants, "1:9:A:C"], y, samples, settings)
    np.testing.assert_array_equal(same.prediction, plain.prediction)


def test_copies_of_a_snp_share_its_effect():
    x, variants, y, samples = gene(22, snps=8, h2=0.5)
    x = np.column_stack([x, x[:, 4], 2 - x[:, 4]])
    weights = fit_weights(x, [*variants, "1:500:A:C", "1:600:A:C"], y, samples, QUICK)
    effects = dict(zip(weights.variants, weights.effects, strict=True))
    assert effects["1:500:A:C"] == pytest.approx(effects["1:104:A:C"], rel=1e-3)
    assert effects["1:600:A:C"] == pytest.approx(-effects["1:104:A:C"], rel=1e-3)


def test_frequency_filter_counts_the_rarer_allele():
    _, _, y, samples = gene(23)
    x = np.zeros((100, 4), dtype=np.float32)
    x[:10, 0] = 1  # 0.05: at the threshold, kept
    x[:9, 1] = 1  # 0.045
    x[:, 2] = 2
    x[:10, 2] = 1  # alternative allele 0.95, rarer allele 0.05
    x[:, 3] = 2
    assert predict_elastic_net(x, list("abcd"), y, samples, QUICK).n_snps == 2


def test_without_usable_snps_the_prediction_is_zero():
    x, variants, y, samples = gene(24, frequency=0.01)
    settings = dataclasses.replace(QUICK, maf=0.3)
    found = predict_elastic_net(x, variants, y, samples, settings)
    assert found.n_snps == 0
    assert found.prediction.dtype == np.float32
    assert np.all(found.prediction == 0)
    assert np.all(np.isnan(found.lambdas))
    assert found.r_within_folds == 0
    weights = fit_weights(x, variants, y, samples, settings)
    assert (weights.variants, weights.n_snps) == ((), 0)


def test_expression_that_varies_in_one_person_only_is_survived():
    x, variants, y, samples = gene(25)
    y = np.zeros(100)
    y[17] = 1
    found = predict_elastic_net(x, variants, y, samples, QUICK)
    own = found.folds == found.folds[17]
    assert np.all(found.prediction[own] == 0)
    assert np.all(np.isfinite(found.prediction))


def changed(position, value):
    def change(x, y):
        (x if isinstance(position, tuple) else y)[position] = value
        return x, y

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(3, np.nan), "expression of p003 is not finite"),
        (changed(3, np.inf), "expression of p003 is not finite"),
        (changed(slice(None), 0.1), "expression is the same in all 100 people"),
        (changed((4, 2), np.nan), "dosages of 1:102:A:C are missing"),
        (changed((4, 2), -1), "dosages of 1:102:A:C are missing or outside 0 to 2"),
        (lambda x, y: (x[:-1], y), "shape"),
        (lambda x, y: (x, y[:-1]), "shape"),
        (lambda x, y: (x[:, :-1], y), "shape"),
    ],
)
def test_refuses_unusable_arrays(change, message):
    x, variants, y, samples = gene(26)
    x, y = change(x, y)
    with pytest.raises(InputError, match=message):
        predict_elastic_net(x, variants, y, samples, QUICK)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("l1_ratio", 0), ("l1_ratio", 1.5), ("n_folds", 1), ("n_inner", 1), ("n_lambdas", 1), ("min_ratio", 0),
     ("min_ratio", 1), ("patience", 0), ("maf", 0.6)],
)  # fmt: skip
def test_refuses_settings_out_of_range(setting, value):
    with pytest.raises(InputError, match=f"{setting} is {value}"):
        predict_elastic_net(*gene(27), Settings(**{setting: value}))


def test_refuses_too_few_people():
    with pytest.raises(InputError, match="9 people in a training part for 5 inner folds"):
        predict_elastic_net(*gene(28, people=12), dataclasses.replace(QUICK, maf=0))
    assert predict_elastic_net(*gene(28, people=13), dataclasses.replace(QUICK, maf=0)).prediction.shape == (13,)
