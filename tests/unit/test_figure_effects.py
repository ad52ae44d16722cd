"""Numbers behind the figures on genes' properties and effects of lead variants, against computations of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from test_figure_numbers import PEOPLE, SIGNS, cohort, rows

from pexbench.figures import FigureData, figures
from pexbench.figures.calibration import panels, through_origin
from pexbench.figures.joined import across_individuals

GENES = [f"G{i:02d}" for i in range(8)]


def associated(seed: int = 0) -> FigureData:
    """The cohort of signs with associations, dosages and effects of model a; rows in any order."""
    rng = np.random.default_rng(seed)
    data = cohort(SIGNS)
    dosage = rng.integers(0, 3, size=(8, len(PEOPLE)))
    # The sixth gene's lead variant is carried by nobody, the last has none.
    dosage[5] = 0
    leads = pd.concat(
        [pd.DataFrame({"gene_id": gene, "sample": PEOPLE, "dosage": dosage[i]}) for i, gene in enumerate(GENES[:7])]
    ).astype({"dosage": "float32"})
    associations = pd.DataFrame(
        {
            "gene_id": GENES,
            "lead_variant": [f"1:{i}:A:C" for i in range(7)] + [""],
            "slope": [*rng.normal(size=7), np.nan],
            "se": [*rng.uniform(0.1, 0.2, size=7), np.nan],
            "p": [*10.0 ** -np.arange(1, 7), 0.0, np.nan],
            "p_bonferroni": [*10.0 ** -np.arange(7), np.nan],
            "distance": [10, -250, 3000, -40_000, 90_000, 0, 500, np.nan],
        }
    )
    lead = associations[["gene_id", "lead_variant"]].assign(lead_effect=[0.1, -0.3, 0.2, 0.0, np.nan, 0.4, -0.2, 0.1])
    return replace(
        data,
        associations=associations.sample(frac=1, random_state=1),
        leads=leads.sample(frac=1, random_state=2),
        lead_effects={"a": lead.sample(frac=1, random_state=3)},
    )


@pytest.mark.parametrize("n", [5, 15, 400])
def test_line_through_the_origin_is_statsmodels(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.standard_t(3, size=n)
    y = 0.3 * x + rng.normal(size=n) * (1 + np.abs(x))
    found = sm.OLS(y, x).fit(cov_type="HC3", use_t=True)
    np.testing.assert_allclose(through_origin(x, y), [found.params[0], *found.conf_int()[0]])
    # Which allele is called ALT changes nothing.
    flip = rng.choice([-1, 1], size=n)
    np.testing.assert_allclose(through_origin(flip * x, flip * y), through_origin(x, y))


def test_lines_without_an_interval() -> None:
    assert through_origin(np.array([2.0]), np.array([1.0]))[0] == 0.5
    assert np.isnan(through_origin(np.array([2.0]), np.array([1.0]))[1:]).all()
    assert np.isnan(through_origin(np.r_[2.0, np.zeros(9)], np.ones(10))[1:]).all()
    assert np.isnan(through_origin(np.arange(4.0), np.ones(4))[1:]).all()
    assert np.isnan(through_origin(np.zeros(3), np.ones(3))).all()


def test_calibration_takes_computed_effects_and_else_the_slope_on_dosage() -> None:
    data = associated()
    table = figures()["calibration"].table(data)
    known = data.associations.set_index("gene_id")
    a = rows(table, kind="gene", model="a", basis="effect of ALT").set_index("gene_id")
    # 0 and NaN are no effects; the last gene has no lead variant.
    assert list(a.index) == ["G00", "G01", "G02", "G05", "G06"]
    effects = data.lead_effects["a"].set_index("gene_id")["lead_effect"][a.index]
    np.testing.assert_array_equal(a["predicted"].astype(float), effects)
    np.testing.assert_allclose(a["scaled"].astype(float), effects / np.sqrt((effects**2).mean()))
    np.testing.assert_array_equal(a["measured"].astype(float), known.loc[a.index, "slope"])
    b = rows(table, kind="gene", model="b").set_index("gene_id")
    assert set(b["basis"]) == {"regression on dosage"}
    assert list(b.index) == ["G00", "G01", "G02", "G03", "G04", "G06"]
    for gene in b.index:
        people = data.leads[data.leads["gene_id"] == gene].set_index("sample")["dosage"].astype(float)
        predicted = data.predictions["b"][data.predictions["b"]["gene_id"] == gene].set_index("sample")["prediction"]
        expected = stats.linregress(people[PEOPLE], predicted[PEOPLE]).slope
        assert b.loc[gene, "predicted"] == pytest.approx(expected)
    # Model c predicts the eighth gene, and model a the sixth, the same for everyone.
    assert "control" not in set(table["model"])


def test_calibration_counts_quadrants_and_signs() -> None:
    data = associated()
    table = figures()["calibration"].table(data)
    bases = [("a", "effect of ALT"), *((model, "regression on dosage") for model in "abc")]
    assert set(zip(table["model"], table["basis"], strict=True)) == set(bases)
    for model, basis in bases:
        chosen = rows(table, model=model, basis=basis)
        shown = rows(chosen, kind="gene")
        x, y = shown["predicted"].astype(float), shown["measured"].astype(float)
        right = rows(chosen, kind="right sign").iloc[0]
        assert right["n"] == (x * y > 0).sum()
        interval = stats.binomtest(int(right["n"]), len(x)).proportion_ci()
        assert (right["lower"], right["upper"]) == pytest.approx((interval.low, interval.high))
        quadrants = chosen[chosen["kind"].str.startswith("quadrant")].set_index("kind")["n"]
        assert quadrants.sum() == len(x)
        assert quadrants["quadrant: both lower"] == ((x < 0) & (y < 0)).sum()
        assert quadrants["quadrant: measured raises, predicted lowers"] == ((x < 0) & (y > 0)).sum()
        slope = rows(chosen, kind="slope").iloc[0]
        found = sm.OLS(y.to_numpy(), shown["scaled"].astype(float).to_numpy()).fit(cov_type="HC3", use_t=True)
        assert slope["slope"] == pytest.approx(found.params[0])
        assert slope["lower"] == pytest.approx(found.conf_int()[0, 0])


def test_effects_that_the_run_does_not_count_are_left_out() -> None:
    data = associated()
    told = pd.DataFrame({"model": "a", "gene_id": ["G00", "G01", "G02"], "agree": ["True", "", "False"]})
    table = figures()["calibration"].table(replace(data, direction=told))
    table = rows(table, kind="gene", model="a", basis="effect of ALT")
    assert list(table["gene_id"]) == ["G00", "G02"]
    other = data.lead_effects["a"].assign(lead_variant=lambda lead: lead["lead_variant"].str.replace("C", "G"))
    table = figures()["calibration"].table(replace(data, lead_effects={"a": other}))
    assert rows(table, model="a", basis="effect of ALT").empty


def test_slopes_stand_beside_effects_that_most_genes_lack() -> None:
    data = associated()
    drawn, more = panels(data)
    assert list(drawn) == [("a", "effect of ALT"), *((model, "regression on dosage") for model in "bc")]
    assert more == []
    few = {"a": data.lead_effects["a"].assign(lead_effect=lambda t: t["lead_effect"].where(t["gene_id"] == "G00", 0.0))}
    few["b"] = few["a"].assign(lead_effect=0.0)
    drawn, _ = panels(replace(data, lead_effects=few))
    assert list(drawn) == [("a", "effect of ALT"), *((model, "regression on dosage") for model in "abc")]
    said = " ".join(text.get_text() for text in figures()["calibration"].draw(replace(data, lead_effects=few)).texts)
    assert "No effect of any gene's lead variant alone: b." in said
    # More panels than a page holds: the second ones stand in the table, in words.
    models = [f"m{number}" for number in range(9)]
    scores = pd.concat([data.scores[data.scores["model"] == "a"].assign(model=model) for model in models])
    many = replace(
        data,
        scores=scores,
        predictions=dict.fromkeys(models, data.predictions["a"]),
        lead_effects=dict.fromkeys(models, few["a"]),
    )
    drawn, more = panels(many)
    assert [basis for _, basis in drawn] == ["effect of ALT"] * 9
    assert more == models


def test_properties_are_those_of_the_tables() -> None:
    data = associated()
    table = figures()["fig2c_properties"].table(data)
    known = data.associations.set_index("gene_id")
    for model in "abc":
        values = across_individuals(data, model)["value"]
        for name in ("neg_log10_p", "distance_kb", "median_expression", "variation"):
            shown = rows(table, model=model, property=name, kind="gene").set_index("gene_id")
            expected = [gene for gene in values.index if name in ("median_expression", "variation") or gene != "G07"]
            assert list(shown.index) == expected
            for gene in shown.index:
                assert shown.loc[gene, "value"] == values[gene]
                level = data.expression_genes.loc[gene].to_numpy()
                wanted = {
                    "neg_log10_p": min(300, -np.log10(max(known.loc[gene, "p"], 1e-300))),
                    "distance_kb": max(abs(known.loc[gene, "distance"]) / 1000, 0.1),
                    "median_expression": np.log2(np.median(level) + 0.01),
                    "variation": np.std(level, ddof=1) / np.mean(level),
                }[name]
                assert shown.loc[gene, "x"] == pytest.approx(wanted)
            told = rows(table, model=model, property=name, kind="correlation").iloc[0]
            r, p = stats.spearmanr(shown["x"].astype(float), shown["value"].astype(float))
            assert (told["rho"], told["p"], told["n"]) == (pytest.approx(r), pytest.approx(p), len(shown))


def test_logged_expression_has_no_coefficient_of_variation() -> None:
    data = associated()
    logged = replace(data, expression_genes=np.log(data.expression_genes))
    table = figures()["fig2c_properties"].table(logged)
    assert "variation" not in set(table["property"])
    row = rows(table, model="a", property="median_expression", kind="gene").iloc[0]
    assert row["x"] == pytest.approx(logged.expression_genes.loc[row["gene_id"]].median())
    figure = figures()["fig2c_properties"].draw(logged)
    said = " ".join(text.get_text().replace("\n", " ") for axes in figure.axes for text in axes.texts)
    assert "not defined: expression has negative values" in said


@pytest.mark.parametrize("name", ["calibration", "fig2c_properties"])
@pytest.mark.parametrize("case", ["one gene", "constants", "no slope", "one person", "no associations"])
def test_little_is_drawn(name: str, case: str) -> None:
    data = associated()
    if case == "one gene":
        data = replace(
            data,
            scores=data.scores[data.scores["unit_id"] == "G00"],
            associations=data.associations[data.associations["gene_id"] == "G00"],
        )
    elif case == "constants":
        scores = data.scores.assign(value=0.0, note="constant prediction")
        flat = {model: table.assign(prediction=1.0) for model, table in data.predictions.items()}
        data = replace(data, scores=scores, predictions=flat, lead_effects={})
    elif case == "no slope":
        data = replace(data, associations=data.associations.assign(slope=np.nan, lead_variant="", p=np.nan))
    elif case == "one person":
        data = replace(data, expression_genes=data.expression_genes.iloc[:, :1], leads=data.leads.iloc[:1])
    else:
        data = replace(data, associations=None)
    figures()[name].draw(data).canvas.draw()
    assert list(figures()[name].table(data).columns) == list(figures()[name].table(associated()).columns)
