"""The answer in words says what the numbers say, in sign as well."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pexbench.scores import ScoreInputs
from pexbench.scores.evaluate import evaluate
from pexbench.scores.sentence import answer
from pexbench.scores.summary import annotate, summarise

GENES = [f"ENSG{i:011d}" for i in range(60)]
PEOPLE = [f"NA{i:03d}" for i in range(80)]


def summary_of(across_genes: float, across_people: float, model: str = "seer") -> pd.DataFrame:
    """Summary of a model whose predictions follow levels of genes and deviations of people with given slopes."""
    rng = np.random.default_rng(1)
    level = rng.normal(size=(len(GENES), 1)) * 3
    own = rng.normal(size=(len(GENES), len(PEOPLE)))
    predicted = across_genes * level + across_people * own + 0.8 * rng.normal(size=own.shape)
    if not across_genes:
        predicted = predicted + 3 * rng.normal(size=level.shape)
    tidy = pd.DataFrame(
        {
            "gene_id": np.repeat(GENES, len(PEOPLE)),
            "sample": PEOPLE * len(GENES),
            "prediction": predicted.ravel().astype(np.float32),
        }
    )
    reference = pd.DataFrame({"gene_id": GENES, "prediction": predicted.mean(axis=1).astype(np.float32)})
    expression = pd.DataFrame(own, index=GENES, columns=PEOPLE)
    found = evaluate(
        ScoreInputs(model, tidy, reference, expression, np.exp(expression * 0.3 + level)),
        resamples=200,
        permutations=200,
        seed=1,
    )
    return summarise(found.scores, found.intervals)


def test_right_across_genes_and_wrong_in_sign_across_people() -> None:
    summary = summary_of(1.0, -0.5)
    spearman = summary[summary["statistic"] == "spearman"].set_index(["metric", "axis"])
    genes = spearman.loc[("across_genes", "across_genes_reference")]
    people = spearman.loc[("across_individuals", "across_individuals")]
    assert genes["lower"] > 0.8
    assert people["upper"] < -0.4
    assert people["n_negative"] == people["n_significant_negative"] == people["n_units"] == len(GENES)
    assert people["share_significant_negative"] == 1
    assert people["n_significant_positive"] == people["n_positive"] == 0
    assert people["p_sign"] == pytest.approx(2 * 0.5 ** len(GENES))
    assert people["p_mean"] == pytest.approx(2 / 201)
    assert people["p_mean_absolute"] == pytest.approx(1 / 201)
    (said,) = answer(summary)
    assert said.startswith(
        f"seer ranks genes (r {genes['mean']:.3f} [{genes['lower']:.3f}, {genes['upper']:.3f}]) but "
    )
    assert f"ranks people with the wrong sign (mean r {people['mean']:.3f}" in said
    assert "0 % of 60 genes significantly right, 100 % significantly wrong in sign" in said


@pytest.mark.parametrize(
    ("slopes", "words"),
    [
        ((1.0, 0.5), (" ranks genes (", ") and ranks people (")),
        ((1.0, 0.0), (" ranks genes (", ") but does not rank people (")),
        ((0.0, 0.5), (" does not rank genes (", ") but ranks people (")),
        ((-1.0, -0.5), (" ranks genes with the wrong sign (", ") and ranks people with the wrong sign (")),
    ],
)
def test_every_verdict(slopes: tuple[float, float], words: tuple[str, str]) -> None:
    (said,) = answer(summary_of(*slopes))
    assert all(word in said for word in words), said


def test_models_without_scores_are_named() -> None:
    summary = summary_of(1.0, 0.5)
    both = pd.concat([summary, summary[summary["axis"] == "across_individuals"].assign(model="baseline")])
    sentences = answer(annotate(both, {}, {"absent": "weights absent: x.h5"}))
    assert [said.split()[0].strip(":") for said in sentences] == ["seer", "baseline", "absent"]
    assert sentences[1].startswith("baseline ranks people (")
    assert sentences[2] == "absent: not run: weights absent: x.h5."


def test_model_scored_across_genes_alone_says_that() -> None:
    summary = summary_of(1.0, 0.5)
    (said,) = answer(summary[summary["axis"] == "across_genes_reference"])
    assert said.startswith("seer ranks genes (r ")
    assert "people" not in said
    nobody = summary[summary["metric"] != "across_genes_median"].copy()
    people = nobody["axis"] == "across_individuals"
    nobody.loc[people, ["mean", "lower", "upper"]] = np.nan
    nobody.loc[people, "n_units"] = 0
    assert answer(nobody)[0].endswith(" but has no score across people.")


def test_too_few_genes_for_an_interval_decide_nothing() -> None:
    summary = summary_of(1.0, 0.5)
    alone = summary["axis"] == "across_genes_reference"
    summary.loc[alone, ["lower", "upper"]] = np.nan
    assert "without an interval" in answer(summary)[0]
