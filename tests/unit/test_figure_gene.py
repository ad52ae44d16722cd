"""The figure on one gene: positions, contributions and drivers against computations of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_figure_numbers import PEOPLE, SIGNS, cohort, rows

from pexbench.figures import FigureData, figures
from pexbench.figures.fig2a_gene import FIGURE
from pexbench.figures.gene_tracks import Tracks
from pexbench.figures.one_gene import chosen_gene, effect_points, place_of, rows_of
from pexbench.figures.style import exponent_of

TSS = 1_000_000
FREQUENCY = np.array([0.5, 0.1, 0.3, 0.25, 0.4, 0.05])
KB = np.array([-90.0, -4.0, -1.0, 0.0, 2.0, 95.0])


def variants(strand: int = 1) -> pd.DataFrame:
    """Six cis variants of gene G00, in the order of their positions on the contig."""
    pos = TSS + (strand * KB * 1000).astype(int)
    table = pd.DataFrame(
        {
            "gene_id": "G00",
            "variant": [f"1:{p}:A:C" for p in pos],
            "pos": pos,
            "ref": "A",
            "alt": "C",
            "af": FREQUENCY,
            "distance": (KB * 1000).astype(int),
            "p": [0.5, 1e-9, 1e-3, 0.2, 0.04, 0.9],
        }
    )
    return table.sort_values("pos", ignore_index=True)


def gene(strand: int = 1, narrow: bool = True) -> FigureData:
    """Model a reaches from -4 to 2 kb (or sees all), and sees a variant too rare for the associations."""
    data = cohort(SIGNS)
    cis = variants(strand)
    associations = pd.DataFrame(
        {
            "gene_id": ["G00", "G01", "G02"],
            "lead_variant": [f"1:{TSS - strand * 4000}:A:C", "1:5:A:C", ""],
            "ref": "A",
            "alt": "C",
            "p": [1e-9, 1e-9, np.nan],
            "r": [-0.9, 0.8, np.nan],
            "slope": [-0.5, 0.1, np.nan],
        }
    )
    effects = cis[["gene_id", "variant", "pos", "ref", "alt"]].assign(effect=[0.0, 0.3, -0.2, 0.1, 0.05, 0.0][::strand])
    if not narrow:
        effects["effect"] = [0.2, 0.3, -0.2, 0.1, 0.05, 0.1][::strand]
    rare = pd.DataFrame(
        {
            "gene_id": ["G00"],
            "variant": [f"1:{TSS + 500 * strand}:G:T"],
            "pos": [TSS + 500 * strand],
            "ref": ["G"],
            "alt": ["T"],
            "effect": [0.4],
        }
    )
    lead = pd.DataFrame({"gene_id": ["G00"], "lead_variant": associations["lead_variant"][:1], "n_drivers": [2.0]})
    leads = pd.DataFrame({"gene_id": "G00", "sample": PEOPLE, "dosage": np.arange(30.0) % 3})
    return replace(
        data,
        associations=associations[::-1],
        cis=cis.sample(frac=1, random_state=1),
        effects={"a": pd.concat([rare, effects]).sample(frac=1, random_state=2)},
        lead_effects={"a": lead.assign(lead_effect=0.3, additivity_r2=0.9)},
        leads=leads,
    )


@pytest.mark.parametrize("strand", [1, -1])
def test_positions_run_in_the_genes_direction(strand: int) -> None:
    data = gene(strand)
    place = place_of(rows_of(data.cis, "G00"))
    assert (place.tss, place.direction) == (TSS, strand)
    table = figures()["fig2a_gene"].table(data)
    shown = rows(table, kind="association").set_index("variant")
    wanted = variants(strand).set_index("variant")
    np.testing.assert_allclose(shown["kb"].astype(float), wanted.loc[shown.index, "distance"] / 1000)
    np.testing.assert_allclose(shown["neg_log10_p"].astype(float), -np.log10(wanted.loc[shown.index, "p"]))
    assert list(shown.index[shown["lead"].astype(bool)]) == [f"1:{TSS - strand * 4000}:A:C"]
    effects = rows(table, kind="effect", model="a").set_index("variant")
    assert effects.loc[f"1:{TSS + 500 * strand}:G:T", "kb"] == 0.5


def test_positions_that_do_not_tell_the_tss() -> None:
    table = variants()
    assert place_of(None).tss is None
    assert place_of(table.iloc[:1]).tss is None
    assert place_of(table.assign(distance=[1, 5, 2, 8, 3, 9])).tss is None
    assert place_of(table.iloc[[0, 0, 1]]).tss == TSS
    np.testing.assert_array_equal(place_of(None).kb([2000]), [2.0])


@pytest.mark.parametrize("strand", [1, -1])
def test_contributions_without_linkage_are_variances_of_single_variants(strand: int) -> None:
    data = gene(strand)
    shown = effect_points(data, "a", "G00", place_of(rows_of(data.cis, "G00"))).set_index("variant")
    predicted = data.predictions["a"]
    variance = np.var(predicted[predicted["gene_id"] == "G00"]["prediction"])
    cis = data.cis.set_index("variant")
    rng = np.random.default_rng(0)
    for variant in shown.index.intersection(cis.index):
        dosage = rng.binomial(2, cis.loc[variant, "af"], size=400_000)
        part = dosage * shown.loc[variant, "effect"] / 2
        assert shown.loc[variant, "contribution"] == pytest.approx(np.var(part) / variance, rel=0.02, abs=1e-12)
    rare = f"1:{TSS + 500 * strand}:G:T"
    assert np.isnan(shown.loc[rare, "contribution"])
    assert not shown.loc[rare, "driver"]
    assert not shown["driver"].any()


def test_shares_and_drivers_of_the_run_come_first() -> None:
    data = gene()
    effects = data.effects["a"].assign(share=lambda table: np.linspace(-0.1, 0.6, len(table)), driver=np.nan)
    effects.iloc[3, effects.columns.get_loc("driver")] = 1.0
    data = replace(data, effects={"a": effects})
    shown = effect_points(data, "a", "G00", place_of(rows_of(data.cis, "G00"))).set_index("variant")
    np.testing.assert_allclose(shown.loc[effects["variant"], "contribution"], effects["share"])
    assert list(shown.index[shown["driver"].astype(bool)]) == [effects["variant"].iloc[3]]
    beyond = effects.assign(share=effects["share"].where(effects["effect"] != 0))
    shown = effect_points(replace(data, effects={"a": beyond}), "a", "G00", place_of(rows_of(data.cis, "G00")))
    assert (shown.loc[shown["effect"] == 0, "contribution"] == 0).all()
    said = [text.get_text() for text in figures()["fig2a_gene"].draw(data).texts]
    assert any(f"1 driver, largest {effects['variant'].iloc[3]}" in line for line in said)


def test_the_strongest_gene_is_chosen_or_the_one_that_is_named() -> None:
    data = gene()
    # Both p are the same: the larger r decides.
    assert chosen_gene(data) == "G00"
    assert chosen_gene(replace(data, example_gene="G04")) == "G04"
    assert chosen_gene(replace(data, associations=None)) is None
    assert chosen_gene(replace(data, associations=data.associations.assign(p=np.nan))) is None


def test_a_narrow_model_gets_a_column_of_its_own() -> None:
    data = gene()
    tracks = Tracks.of(data, "G00", ["a", "b"])
    assert tracks.zoom is not None
    assert tracks.zoom[0] < -4 < 2 < tracks.zoom[1]
    assert tracks.whole[0] < -90 < 95 < tracks.whole[1]
    assert list(tracks.effects) == ["a"]
    # Of two narrow models the wider one fills the column; one that sees the whole region has no say.
    narrower = data.effects["a"].assign(
        effect=lambda table: table["effect"].where(table["pos"].between(TSS, TSS + 600))
    )
    both = data.effects | {"b": narrower.fillna({"effect": 0.0}), "c": gene(narrow=False).effects["a"]}
    assert Tracks.of(replace(data, effects=both), "G00", ["a", "b", "c"]).zoom == tracks.zoom
    assert Tracks.of(gene(narrow=False), "G00", ["a"]).zoom is None
    texts = [text.get_text() for text in figures()["fig2a_gene"].draw(data).texts]
    assert {"association with expression", "a"} <= set(texts)
    wide, narrow = (len(figures()["fig2a_gene"].draw(gene(narrow=flag)).axes) for flag in (False, True))
    assert narrow == wide + 2


def test_people_are_shown_with_their_genotype() -> None:
    data = gene()
    table = figures()["fig2a_gene"].table(data)
    people = rows(table, kind="person", model="b").set_index("sample")
    assert sorted(people.index) == PEOPLE
    for place, person in enumerate(PEOPLE):
        assert people.loc[person, "dosage"] == place % 3
        assert people.loc[person, "measured"] == data.expression_individuals.loc["G00", person]
    assert set(table["model"].dropna()) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "case",
    ["no effects", "no cis", "one variant", "unknown gene", "flat", "nothing changes", "no dosage", "one person"],
)
def test_what_is_missing_is_left_out_or_said(case: str) -> None:
    data = gene()
    assert data.cis is not None
    if case == "no effects":
        data = replace(data, effects={}, lead_effects={})
    elif case == "no cis":
        data = replace(data, cis=None)
    elif case == "one variant":
        data = replace(data, cis=data.cis.iloc[:1], effects={"a": data.effects["a"].iloc[:1]})
    elif case == "unknown gene":
        data = replace(data, example_gene="elsewhere")
    elif case == "flat":
        data = replace(data, predictions={m: t.assign(prediction=1.0) for m, t in data.predictions.items()})
    elif case == "nothing changes":
        data = replace(data, effects={"a": data.effects["a"].assign(effect=0.0)})
    elif case == "no dosage":
        data = replace(data, leads=None, associations=data.associations.assign(ref="", alt=""))
    else:
        one = data.expression_individuals[["NA000"]]
        data = replace(data, expression_individuals=one)
    figure = figures()["fig2a_gene"].draw(data)
    figure.canvas.draw()
    said = " ".join(text.get_text() for text in figure.texts)
    if case == "no effects":
        assert "No effects of single variants: a, b and c." in said
    if case in ("no cis", "unknown gene"):
        assert "no associations of this gene's variants" in said
    assert "control" not in set(figures()["fig2a_gene"].table(data)["model"].dropna())


def test_powers_of_ten_stand_in_labels() -> None:
    assert [exponent_of(value) for value in (0.0, 0.5, 0.02, 0.0034, 12.0, 45_000.0)] == [0, 0, -2, -3, 0, 4]
    assert FIGURE.paper == "Fig. 2a"
