"""Pairs of models, and what a model adds to the elastic net, against scikit-learn, scipy and loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

from pexbench.scores import ScoreInputs
from pexbench.scores.added_value import added_value, held_out
from pexbench.scores.compare import COLUMNS, compare
from pexbench.scores.correlation import correlate
from pexbench.scores.evaluate import Evaluation, evaluate
from pexbench.scores.resample import Weights, resampled

GENES = [f"g{i:03d}" for i in range(30)]
PEOPLE = [f"p{i:03d}" for i in range(60)]


def cohort() -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng, rng.normal(size=(len(GENES), len(PEOPLE)))


def scored(model: str, predicted: np.ndarray, measured: np.ndarray, genes: list[str], people: list[str]) -> Evaluation:
    tidy = pd.DataFrame(predicted, index=GENES, columns=PEOPLE).loc[genes, people]
    tidy = tidy.rename_axis("gene_id").reset_index().melt("gene_id", var_name="sample", value_name="prediction")
    expression = pd.DataFrame(measured, index=GENES, columns=PEOPLE)
    inputs = ScoreInputs(model, tidy, None, expression, expression, comparable_between_genes=False)
    return evaluate(inputs, resamples=400, permutations=100, seed=3)


def test_pairs() -> None:
    rng, measured = cohort()
    noise = rng.normal(size=measured.shape)
    good = scored("good", measured + noise, measured, GENES, PEOPLE)
    # The same model with a little more noise on fewer genes and people.
    fair = scored("fair", measured + 1.3 * noise, measured, GENES[3:], PEOPLE[:50])
    same = scored("same", measured + noise, measured, GENES, PEOPLE)
    found = {"good": good, "fair": fair, "same": same}
    scores = pd.concat([one.scores for one in found.values()])
    table = compare(scores, {name: one.resampled.set_index("gene_id") for name, one in found.items()}, {}, "", 3)
    assert tuple(table.columns) == COLUMNS
    assert table[["model_a", "model_b"]].to_numpy().tolist() == [["good", "fair"], ["good", "same"], ["fair", "same"]]
    value = {
        name: one.scores[one.scores["statistic"] == "spearman"].set_index("unit_id")["value"]
        for name, one in found.items()
    }
    first = table.iloc[0]
    a, b = value["good"][GENES[3:]], value["fair"][GENES[3:]]
    assert first["n_genes"] == 27
    assert first[["mean_a", "mean_b", "difference"]].tolist() == pytest.approx(
        [a.mean(), b.mean(), (a - b).mean()], abs=1e-6
    )
    assert first["share_a_higher"] == pytest.approx((a > b).mean())
    assert first["p"] == pytest.approx(stats.wilcoxon(a, b, method="approx").pvalue)
    assert 0 < first["lower"] < first["difference"] < first["upper"]
    # Far narrower than without pairing: the models share people, genes and noise.
    alone = sum((one.intervals.iloc[0]["upper"] - one.intervals.iloc[0]["lower"]) ** 2 for one in (good, fair)) ** 0.5
    assert first["upper"] - first["lower"] < 0.7 * alone
    second = table.iloc[1]
    assert second[["difference", "lower", "upper", "share_a_higher", "p"]].tolist() == [0, 0, 0, 0, 1]
    assert second["note"] == "30 genes the same"


def test_nothing_in_common() -> None:
    _, measured = cohort()
    a = scored("a", measured, measured, GENES[:5], PEOPLE)
    b = scored("b", measured, measured, GENES[5:], PEOPLE)
    tables = {"a": a.resampled.set_index("gene_id"), "b": b.resampled.set_index("gene_id")}
    row = compare(pd.concat([a.scores, b.scores]), tables, {}, "", 1).iloc[0]
    assert (row["n_genes"], row["note"]) == (0, "no gene that both score")
    assert np.isnan(row["difference"])


def test_paired_interval_covers() -> None:
    rng = np.random.default_rng(8)
    covered, rounds = 0, 400
    genes = GENES[:25]
    for seed in range(rounds):
        # Both models tell equally much: the difference is 0.
        measured = rng.normal(size=(25, 60))
        weights = Weights({"people": PEOPLE}, 200, seed).of("people", PEOPLE)
        scores, tables = [], {}
        for model in "ab":
            predicted = measured * 0.5 + rng.normal(size=measured.shape)
            found = correlate(predicted, measured, "spearman")
            columns = {"model": model, "unit_id": genes, "value": found.value, "n": found.n}
            scores.append(pd.DataFrame(columns).assign(metric="across_individuals", statistic="spearman"))
            tables[model] = pd.DataFrame(resampled(predicted, measured, "spearman", weights).T, index=genes)
        row = compare(pd.concat(scores), tables, {}, "", seed).iloc[0]
        covered += row["lower"] <= 0 <= row["upper"]
    # 95 % of 400 within three standard errors.
    assert 0.917 <= covered / rounds <= 0.983


def r2_by_sklearn(y: np.ndarray, columns: list[np.ndarray], folds: np.ndarray) -> float:
    errors, null = 0.0, 0.0
    x = np.column_stack(columns)
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        fit = LinearRegression().fit(x[train], y[train])
        errors += ((y[test] - fit.predict(x[test])) ** 2).sum()
        null += ((y[test] - y[train].mean()) ** 2).sum()
    return 1 - errors / null


def test_added_value_equals_sklearn() -> None:
    rng, y = cohort()
    y += 7
    e, m = 0.6 * y + rng.normal(size=y.shape), 1e3 + 0.3 * y + rng.normal(size=y.shape)
    y[4, ::5] = np.nan
    m[5] = 2 * e[5] - 1
    m[6] = 4.25
    e[7] = 1 / 3
    y[8, 9:] = np.nan
    folds = np.arange(60) % 5
    weights = rng.multinomial(60, np.full(60, 1 / 60), 50).T.astype(np.float32)
    found = added_value(GENES, y, e, m, folds, weights)
    for u in range(len(GENES)):
        keep = ~np.isnan(y[u])
        assert found.n[u] == (keep.sum() if u != 8 else 0)
        if u == 8:
            assert np.isnan([found.baseline[u], found.joint[u], found.added[u]]).all()
            continue
        one, other, mine, fold = (side[keep] for side in (y[u], e[u], m[u], folds))
        alone, both = r2_by_sklearn(one, [other], fold), r2_by_sklearn(one, [other, mine], fold)
        assert (found.baseline[u], found.joint[u]) == pytest.approx((alone, both), abs=1e-8)
        assert found.added[u] == pytest.approx(both - alone, abs=1e-8)
    assert found.added[[5, 6]] == pytest.approx(0, abs=1e-12)
    null, alone, both = held_out(y, e, m, folds)
    for b in range(50):
        drawn = np.repeat(np.arange(60), weights[:, b].astype(int))
        expected = (alone[0, drawn] - both[0, drawn]).sum() / null[0, drawn].sum()
        assert found.resampled[b, 0] == pytest.approx(expected, abs=1e-5)


def test_added_value_tells_news_from_noise() -> None:
    rng, genetic = cohort()
    other = rng.normal(size=genetic.shape)
    y = genetic + other + rng.normal(size=genetic.shape)
    folds = np.arange(60) % 5
    weights = rng.multinomial(60, np.full(60, 1 / 60), 200).T.astype(np.float32)
    kinds = {"news": other, "noise": rng.normal(size=y.shape)}
    added = {name: added_value(GENES, y, genetic, kind, folds, weights) for name, kind in kinds.items()}
    table = compare(pd.DataFrame(columns=["metric", "statistic", "value", "model"]), {}, added, "elastic_net", 1)
    news, noise = (table[table["model_a"] == name].iloc[0] for name in ("news", "noise"))
    assert (news["model_b"], news["statistic"], news["n_genes"]) == ("elastic_net", "r2_added", 30)
    assert 0.15 < news["lower"] < news["difference"] < news["upper"] < 0.5
    assert noise["difference"] < 0.01
    assert noise["lower"] < 0.0
