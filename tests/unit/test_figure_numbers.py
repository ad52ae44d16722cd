"""Numbers behind the figures on power and signs, against computations of their own."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import brentq

from pexbench.figures import FigureData, figures
from pexbench.figures.joined import across_individuals, exact_share, people_of
from pexbench.figures.sign_agreement import independent_counts

PEOPLE = [f"NA{i:03d}" for i in range(30)]


def cohort(signs: dict[str, list[int]], seed: int = 0) -> FigureData:
    """Models whose correlation across individuals has, gene by gene, the sign that is asked for; 0 is constant.

    Nothing stands beside the others by order: people and genes are shuffled in every table.
    """
    rng = np.random.default_rng(seed)
    genes = [f"G{i:02d}" for i in range(len(next(iter(signs.values()))))]
    measured = pd.DataFrame(rng.normal(size=(len(genes), len(PEOPLE))), index=genes, columns=PEOPLE)
    predictions, scores = {}, []
    for model, wanted in signs.items():
        rows = []
        for gene, sign in zip(genes, wanted, strict=True):
            y = measured.loc[gene].to_numpy()
            x = sign * y + 0.3 * abs(sign) * rng.normal(size=len(y))
            rows.append(pd.DataFrame({"gene_id": gene, "sample": PEOPLE, "prediction": x}))
            r = stats.spearmanr(x, y) if sign else None
            scores.append(
                {
                    "model": model,
                    "metric": "across_individuals",
                    "axis": "across_individuals",
                    "unit_id": gene,
                    "statistic": "spearman",
                    "value": r.statistic if r else 0.0,
                    "n": len(y),
                    "p": r.pvalue if r else 1.0,
                    "lower": np.nan,
                    "upper": np.nan,
                    "note": "" if sign else "constant prediction",
                }
            )
        predictions[model] = pd.concat(rows).sample(frac=1, random_state=seed)
    table = pd.DataFrame(scores).sample(frac=1, random_state=seed)
    return FigureData(
        scores=table,
        summary=pd.DataFrame(),
        predictions=predictions,
        expression_individuals=measured.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2),
        expression_genes=np.exp(measured),
        genes={},
        run_title="numbers",
        controls=[model for model in signs if model.startswith("control")],
    )


SIGNS = {
    "a": [1, 1, -1, -1, 1, 0, 1, 1],
    "b": [1, -1, -1, 1, 1, 1, 1, -1],
    "c": [1, 1, 1, 1, 1, 1, -1, 0],
    "control": [1, 1, 1, 1, 1, 1, 1, 1],
}


def rows(table: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def test_pairs_and_models_right_are_what_a_loop_counts() -> None:
    table = figures()["sign_agreement"].table(cohort(SIGNS))
    assert "control" not in set(table["model"]) | set(table["other"])
    for model, other in combinations("abc", 2):
        row = rows(table, kind="pair", model=model, other=other).iloc[0]
        both = [(x, y) for x, y in zip(SIGNS[model], SIGNS[other], strict=True) if x and y]
        assert row["n_genes"] == len(both)
        assert row["n"] == sum(x == y for x, y in both)
        ups = [np.mean([pair[side] > 0 for pair in both]) for side in (0, 1)]
        assert row["expected"] == pytest.approx(ups[0] * ups[1] + (1 - ups[0]) * (1 - ups[1]))
    for model in "abc":
        row = rows(table, kind="right", model=model).iloc[0]
        assert (row["n"], row["n_genes"]) == (SIGNS[model].count(1), 8 - SIGNS[model].count(0))
    complete = [gene for gene in zip(*(SIGNS[model] for model in "abc"), strict=True) if 0 not in gene]
    for number in range(4):
        row = rows(table, kind="models right", model=str(number)).iloc[0]
        assert row["n"] == sum(gene.count(1) == number for gene in complete)
        assert row["n_genes"] == len(complete)


@pytest.mark.parametrize(("hits", "total"), [(0, 7), (3, 7), (7, 7), (150, 421)])
def test_shares_have_the_exact_interval(hits: int, total: int) -> None:
    """Clopper and Pearson's ends: where the observed count or a more extreme one has a probability of 2.5 %."""
    share, lower, upper = exact_share(hits, total)
    assert share == hits / total
    if hits:
        assert lower == pytest.approx(brentq(lambda p: stats.binom.sf(hits - 1, total, p) - 0.025, 1e-9, 1 - 1e-9))
    if hits < total:
        assert upper == pytest.approx(brentq(lambda p: stats.binom.cdf(hits, total, p) - 0.025, 1e-9, 1 - 1e-9))
    assert np.isnan(exact_share(0, 0)).all()


def test_counts_of_independent_models_by_enumeration() -> None:
    rates = np.array([0.2, 0.5, 0.9, 0.35])
    expected = np.zeros(5)
    for outcome in product([0, 1], repeat=4):
        expected[sum(outcome)] += np.prod(np.where(outcome, rates, 1 - rates))
    np.testing.assert_allclose(independent_counts(rates), expected)


def test_right_direction_is_the_tables_and_else_that_of_effects_and_slopes() -> None:
    data = cohort(SIGNS)
    genes = [f"G{i:02d}" for i in range(8)]
    slopes = np.array([0.5, -0.2, 0.3, 0.1, -0.4, 0.2, np.nan, 0.3])
    effects = np.array([0.1, 0.2, 0.3, 0.0, -0.1, np.nan, 0.2, 0.3])
    associations = pd.DataFrame({"gene_id": genes, "lead_variant": [f"1:{i}:A:C" for i in range(8)], "slope": slopes})
    lead = pd.DataFrame({"gene_id": genes, "lead_variant": associations["lead_variant"], "lead_effect": effects})
    # Another lead variant than the associations': its sign says nothing of this slope.
    lead.loc[7, "lead_variant"] = "1:7:A:G"
    data = replace(data, associations=associations[::-1], lead_effects={"a": lead.sample(frac=1, random_state=3)})
    row = rows(figures()["sign_agreement"].table(data), kind="right", basis="lead effect").iloc[0]
    assert (row["model"], row["n"], row["n_genes"]) == ("a", 3, 4)
    told = pd.DataFrame({"model": "a", "gene_id": genes[:3], "agree": ["True", "", "False"]})
    row = rows(figures()["sign_agreement"].table(replace(data, direction=told)), basis="lead effect", kind="right")
    assert (row["n"].iloc[0], row["n_genes"].iloc[0]) == (1, 2)


def test_effects_that_the_run_does_not_judge_agree_with_nobody() -> None:
    data = cohort(SIGNS)
    genes = [f"G{i:02d}" for i in range(4)]
    variants = [f"1:{i}:A:C" for i in range(4)]
    associations = pd.DataFrame({"gene_id": genes, "lead_variant": variants, "slope": [1.0, 1.0, -1.0, 1.0]})
    lead = {
        model: pd.DataFrame({"gene_id": genes, "lead_variant": variants, "lead_effect": effects})
        for model, effects in (("a", [0.1, 0.2, -0.3, 1e-9]), ("b", [0.2, -0.1, -0.2, 0.3]))
    }
    # The last effect of a is below its numerical floor.
    told = pd.DataFrame({"model": "a", "gene_id": genes, "agree": ["True", "True", "True", ""]})
    told = pd.concat([told, told.assign(model="b", agree=["True", "False", "True", "True"])])
    data = replace(data, associations=associations, lead_effects=lead, direction=told)
    row = rows(figures()["sign_agreement"].table(data), kind="pair", basis="lead effect").iloc[0]
    assert (row["model"], row["other"], row["n"], row["n_genes"]) == ("a", "b", 2, 3)


def test_power_shows_the_cohort_as_it_was_scored() -> None:
    data = cohort(SIGNS)
    table = figures()["power"].table(data)
    people = table["n"][table["kind"] == "cohort"]
    assert people.max() == len(PEOPLE)
    for model in "abc":
        last = table[(table["model"] == model) & (table["n"] == len(PEOPLE)) & (table["kind"] == "cohort")].iloc[0]
        values = data.scores[(data.scores["model"] == model)]["value"]
        assert last["mean"] == pytest.approx(values.mean())
        significant = stats.false_discovery_control(data.scores[data.scores["model"] == model]["p"]) <= 0.05
        assert last["share_positive"] == np.mean(significant & (values > 0))
        assert last["share_negative"] == np.mean(significant & (values < 0))
    assert "control" not in set(table["model"])


def test_a_model_of_the_wrong_sign_is_shown_as_one() -> None:
    """Right across genes or not: where people are ranked the wrong way round, every table says so."""
    data = cohort({"wrong": [-1] * 8, "right": [1] * 8})
    signs = figures()["sign_agreement"].table(data)
    for model, hits in (("wrong", 0), ("right", 8)):
        row = rows(signs, kind="right", model=model).iloc[0]
        assert (row["n"], row["n_genes"]) == (hits, 8)
    pair = rows(signs, kind="pair").iloc[0]
    assert (pair["share"], pair["expected"]) == (0, 0)
    assert list(rows(signs, kind="models right")["n"]) == [0, 8, 0]
    last = figures()["power"].table(data)
    last = last[(last["kind"] == "cohort") & (last["n"] == len(PEOPLE))].set_index("model")
    assert last.loc["wrong", "share_negative"] == last.loc["right", "share_positive"] == 1
    assert last.loc["wrong", "share_positive"] == last.loc["right", "share_negative"] == 0
    # Predictions that follow the dosage against expression, which follows it.
    dosage = (data.expression_individuals > 0).astype("float32") + 1
    leads = dosage.rename_axis("gene_id").reset_index().melt("gene_id", var_name="sample", value_name="dosage")
    names = [f"1:{number}:A:C" for number in range(8)]
    genes = sorted(data.expression_individuals.index)
    associations = pd.DataFrame(
        {"gene_id": genes, "lead_variant": names, "slope": 1.0, "se": 0.1, "p": 1e-9, "p_bonferroni": 1e-8}
    )
    table = figures()["calibration"].table(replace(data, associations=associations, leads=leads))
    for model, hits in (("wrong", 0), ("right", 8)):
        assert rows(table, kind="right sign", model=model)["n"].iloc[0] == hits
        slope = rows(table, kind="slope", model=model).iloc[0]
        assert slope["lower"] * slope["upper"] > 0
        assert np.sign(slope["slope"]) == (1 if model == "right" else -1)


def test_people_are_joined_by_name() -> None:
    data = cohort(SIGNS)
    leads = pd.DataFrame({"gene_id": "G00", "sample": PEOPLE[::-1], "dosage": np.arange(30.0)[::-1] % 3})
    found = people_of(replace(data, leads=leads), "a", "G00").set_index("sample")
    predicted = data.predictions["a"].set_index(["gene_id", "sample"])["prediction"]
    for place, person in enumerate(PEOPLE):
        assert found.loc[person, "dosage"] == place % 3
        assert found.loc[person, "predicted"] == predicted["G00", person]
        assert found.loc[person, "measured"] == data.expression_individuals.loc["G00", person]
    assert people_of(data, "a", "G00")["dosage"].isna().all()
    assert people_of(data, "a", "no such gene").empty
    assert list(across_individuals(data, "c").index) == [f"G{i:02d}" for i in range(7)]


@pytest.mark.parametrize("name", ["power", "sign_agreement"])
@pytest.mark.parametrize(
    "signs",
    [{"a": [1]}, {"a": [0, 0]}, {"a": [0], "b": [1]}, {"a": [1, 0], "b": [0, 1]}, {"control": [1]}],
    ids=["one gene", "constants", "one constant", "no gene in common", "controls alone"],
)
def test_little_is_drawn_and_nothing_is_said(name: str, signs: dict[str, list[int]]) -> None:
    data = cohort(signs)
    figure = figures()[name].draw(data)
    figure.canvas.draw()
    table = figures()[name].table(data)
    assert list(table.columns) == list(figures()[name].table(cohort(SIGNS)).columns)
    said = " ".join(text.get_text() for axes in figure.axes for text in axes.texts)
    if signs == {"control": [1]}:
        assert "besides the controls" in said.replace("\n", " ")
