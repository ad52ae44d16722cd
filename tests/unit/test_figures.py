"""Figures: written whole, the same bytes each time, showing what they say."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from figure_example import NOTE, PEOPLE, TITLE, bare, example
from pexbench.errors import InputError
from pexbench.figures import OPTIONAL, FigureData, figures, write_figure
from pexbench.figures.fig1b_distributions import spread
from pexbench.figures.fig1d_across_individuals import extremes
from pexbench.figures.style import JOURNAL_HEIGHT, JOURNAL_WIDTH, METADATA, SMALLEST, applied, number
from pexbench.scores import ScoreInputs
from pexbench.scores.evaluate import evaluate
from pexbench.scores.summary import summarise

NAMES = sorted(figures())
MANY = tuple("abcdefghij")


@pytest.fixture(scope="module")
def data() -> FigureData:
    return example()


@pytest.fixture(scope="module")
def drawn(data: FigureData, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Path]]:
    """Files of a figure of the example, written once."""

    @cache
    def write(name: str) -> list[Path]:
        return write_figure(name, data, tmp_path_factory.mktemp(name))

    return write


def texts(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def svg(name: str, data: FigureData) -> str:
    """A figure as SVG, the quickest of its files."""
    with TemporaryDirectory() as folder, applied():
        path = Path(folder) / "figure.svg"
        figures()[name].draw(data).savefig(path, format="svg", metadata=METADATA["svg"])
        return texts(path)


def written(figure: Figure) -> list[Text]:
    """Every text that a reader sees, the labels of ticks included."""
    found: list[Text] = [*figure.texts]
    for legend in figure.legends:
        found += [*legend.get_texts(), legend.get_title()]
    waiting = list(figure.axes)
    while waiting:
        axes = waiting.pop()
        waiting += [child for child in axes.child_axes if child not in figure.axes]
        if not axes.get_visible():
            continue
        found += [*axes.texts, axes.title, axes._left_title, axes._right_title]
        if (legend := axes.get_legend()) is not None:
            found += [*legend.get_texts(), legend.get_title()]
        if not axes.axison:
            continue
        for axis in (axes.xaxis, axes.yaxis):
            found += [axis.label, axis.offsetText]
            for tick in axis._update_ticks():
                found += [tick.label1, tick.label2]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def check_layout(figure: Figure) -> None:
    """Printed at journal width on one page, nothing too small to read, nothing cut off, no text on another."""
    width, height = figure.get_size_inches()
    assert width == pytest.approx(JOURNAL_WIDTH)
    assert height <= JOURNAL_HEIGHT
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    whole = figure.get_tightbbox(renderer)
    assert whole.x0 >= 0
    assert whole.y0 >= 0
    assert whole.x1 <= width
    assert whole.y1 <= height
    found = written(figure)
    assert len(found) > 3
    small = [(text.get_text(), text.get_fontsize()) for text in found if text.get_fontsize() < SMALLEST]
    assert not small
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in found]
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.x1, text
        assert box.y1 <= figure.bbox.y1, text
    for number_, (text, box) in enumerate(boxes):
        shrunk = box.padded(-1)
        for other, another in boxes[:number_]:
            assert not shrunk.overlaps(another), (text, other)


@pytest.mark.parametrize("name", NAMES)
def test_files_are_whole_titled_and_repeatable(
    name: str,
    data: FigureData,
    drawn: Callable[[str], list[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = drawn(name)
    before = dict(mpl.rcParams)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 5e7)
    # A run of its own, for which nothing is kept from the first time.
    again = write_figure(name, replace(data), tmp_path)
    assert [path.suffix for path in paths] == [".pdf", ".svg", ".png", ".tsv"]
    for first, second in zip(paths, again, strict=True):
        assert first.name == second.name
        assert first.stat().st_size > 500
        assert first.read_bytes() == second.read_bytes(), first.name
    assert sorted(path.name for path in paths[0].parent.iterdir()) == sorted(path.name for path in paths)
    assert dict(mpl.rcParams) == before
    assert len(pd.read_csv(paths[3], sep="\t")) > 0
    said = texts(paths[1])
    assert TITLE in said
    assert NOTE in said
    assert figures()[name].card.title.split()[0] in said
    # Letters, not outlines: TrueType (Type 42) in PDF, text in SVG.
    assert b"/Type3" not in paths[0].read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_settings_of_the_caller_do_not_reach_the_figure(name: str, data: FigureData) -> None:
    plain = svg(name, data)
    with mpl.rc_context({"font.size": 25, "axes.facecolor": "red", "savefig.dpi": 30}):
        assert svg(name, data) == plain


@pytest.mark.parametrize("name", NAMES)
def test_order_of_rows_changes_nothing(name: str, data: FigureData) -> None:
    def mix(table: pd.DataFrame | None) -> pd.DataFrame:
        return table.sample(frac=1, random_state=1)

    mixed = replace(
        data,
        scores=mix(data.scores),
        summary=mix(data.summary),
        predictions={model: mix(table) for model, table in data.predictions.items()},
        expression_individuals=data.expression_individuals.iloc[::-1, ::-1],
        expression_genes=data.expression_genes.iloc[::-1, ::-1],
        associations=mix(data.associations),
        leads=mix(data.leads),
        cis=mix(data.cis),
        effects={model: mix(table) for model, table in data.effects.items()},
        lead_effects={model: mix(table) for model, table in data.lead_effects.items()},
        direction=mix(data.direction),
    )
    assert svg(name, mixed) == svg(name, data)
    entry = figures()[name]
    pd.testing.assert_frame_equal(entry.table(mixed), entry.table(data))


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_reads_what_its_card_says(name: str, data: FigureData) -> None:
    needs = figures()[name].card.needs
    empty = bare(data)
    given = replace(empty, **{field: getattr(data, field) for field in needs})
    assert svg(name, given) == svg(name, data)


@pytest.mark.parametrize("name", NAMES)
def test_without_the_tables_a_run_may_lack(name: str, data: FigureData) -> None:
    check_layout(figures()[name].draw(bare(data)))
    assert isinstance(figures()[name].table(bare(data)), pd.DataFrame)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("genes", "models"), [(12, ("network", "level", "elastic_net")), (4, ("network",)), (4, ("level",)), (600, MANY)]
)
def test_few_and_many(name: str, genes: int, models: tuple[str, ...]) -> None:
    figure = figures()[name].draw(example(genes, models))
    check_layout(figure)


def test_distributions_show_every_score(data: FigureData) -> None:
    entry = figures()["fig1b_distributions"]
    table = entry.table(data)
    shown = table[(table["axis"] == "across_individuals") & (table["mark"] == "point")]
    assert len(shown[shown["model"] == "network"]) == 12
    panel = next(axes for axes in entry.draw(data).axes if "individuals" in axes.get_title(loc="left"))
    drawn = np.sort(np.concatenate([line.get_xdata() for line in panel.lines if line.get_marker() == "o"]))
    means = table[(table["axis"] == "across_individuals") & (table["mark"] == "mean")]["value"]
    np.testing.assert_allclose(drawn, np.sort(np.concatenate([shown["value"].dropna(), means])))


def right_across_genes_and_wrong_across_people() -> FigureData:
    """A model that knows every gene's level, and turns every difference between people around."""
    rng = np.random.default_rng(7)
    genes, people = [f"G{i:02d}" for i in range(40)], [f"P{i:02d}" for i in range(30)]
    own = pd.DataFrame(rng.normal(size=(40, 30)), index=genes, columns=people)
    level = np.arange(40)[:, None]
    expression = own + 8.0 * level
    predicted = (8.0 * level - own).rename_axis("gene_id").reset_index()
    tidy = predicted.melt("gene_id", var_name="sample", value_name="prediction").astype({"prediction": "float32"})
    reference = pd.DataFrame({"gene_id": genes, "prediction": 8.0 * level[:, 0]})
    inputs = ScoreInputs("upside_down", tidy, reference, own, expression)
    found = evaluate(inputs, resamples=100, permutations=100)
    return FigureData(
        scores=found.scores,
        summary=summarise(found.scores, found.intervals),
        predictions={"upside_down": tidy},
        expression_individuals=own,
        expression_genes=expression,
        genes={},
        run_title=TITLE,
    )


def test_right_across_genes_and_wrong_across_people_is_shown_as_that() -> None:
    data = right_across_genes_and_wrong_across_people()
    table = figures()["fig1b_distributions"].table(data)
    value = table.set_index(["axis", "mark"])["value"].sort_index()
    assert (value["across_genes_reference", "reference"] > 0.99).all()
    people = value["across_genes_personal", "point"]
    assert len(people) == 30
    assert (people > 0.99).all()
    genes = value["across_individuals", "point"]
    assert len(genes) == 40
    assert (genes < -0.99).all()
    assert value["across_genes_personal", "share_significant_positive"].item() == 1
    assert value["across_genes_personal", "share_significant_negative"].item() == 0
    assert value["across_individuals", "share_significant_positive"].item() == 0
    assert value["across_individuals", "share_significant_negative"].item() == 1
    said = svg("fig1b_distributions", data)
    assert "\u2191 0 %  \u2193 100 %" in said
    assert "\u2191 100 %  \u2193 0 %" in said
    mean = table[(table["mark"] == "mean") & (table["axis"] == "across_individuals")].iloc[0]
    assert mean["lower"] <= mean["value"] <= mean["upper"] < -0.9
    # The worst gene's line falls, and so does the best one's.
    points = figures()["fig1d_across_individuals"].table(data)
    assert set(points["place"]) == {"best", "worst"}
    assert (points["spearman"] < -0.99).all()


def test_models_stand_in_their_order(data: FigureData) -> None:
    axes = figures()["fig1b_distributions"].draw(data).axes[0]
    ticks = {label.get_text(): label.get_position()[1] for label in axes.get_yticklabels()}
    assert ticks == {"network": 2, "level": 1, "elastic net": 0}
    for model, place in (("network", 2), ("elastic_net", 0)):
        chosen = data.chosen(data.scores, model, "across_genes_personal", "across_genes")
        values = np.sort(chosen["value"].to_numpy())
        heights = [line.get_ydata() for line in axes.lines if np.array_equal(line.get_xdata(), values)]
        assert len(heights) == 1
        assert ((heights[0] < place) & (heights[0] > place - 0.5)).all()


def test_best_and_worst_are_the_extremes(data: FigureData) -> None:
    scores = data.scores[
        (data.scores["model"] == "network")
        & (data.scores["axis"] == "across_individuals")
        & (data.scores["statistic"] == "spearman")
    ].set_index("unit_id")["value"]
    found = dict(extremes(data, "network"))
    assert found["best"].name == scores.idxmax() == data.expression_individuals.index[-1]
    assert found["worst"].name == scores.idxmin()
    assert extremes(data, "level") == []
    points = figures()["fig1d_across_individuals"].table(data)
    best = points[(points["model"] == "network") & (points["place"] == "best")].set_index("sample")
    assert sorted(best.index) == PEOPLE
    predicted = data.predictions["network"].set_index(["gene_id", "sample"])["prediction"]
    gene = found["best"].name
    for person in PEOPLE:
        assert best.loc[person, "measured"] == data.expression_individuals.loc[gene, person]
        assert best.loc[person, "predicted"] == predicted[gene, person]


def test_models_without_a_gene_to_show_are_named_and_take_no_room(data: FigureData) -> None:
    figure = figures()["fig1d_across_individuals"].draw(data)
    said = [text.get_text() for text in figure.texts]
    assert "No gene whose prediction differs between people: level." in said
    assert len(figure.axes) == 4
    assert "level" not in said


def test_genes_below_the_numerical_error_are_counted_as_they_are_drawn(data: FigureData) -> None:
    chosen = (data.summary["model"] == "network") & (data.summary["axis"] == "across_individuals")
    assert set(data.summary.loc[chosen, "n_constant"]) == {1}
    below = replace(data, summary=data.summary.assign(n_below_floor=np.where(chosen, 2, 0)))
    assert "genes, 3 constant" in svg("fig1b_distributions", below)
    assert "genes, 3 constant" not in svg("fig1b_distributions", data)


def test_a_model_that_lacks_the_person_is_not_said_to_lack_a_scale(data: FigureData) -> None:
    model, person = "network", "NA003"
    scores = data.scores[(data.scores["model"] != model) | (data.scores["unit_id"] != person)]
    said = svg("fig1c_across_genes", replace(data, scores=scores, example_person=person))
    assert "Not shown (this person is not scored): network" in said


def test_genes_are_shown_by_symbol_where_there_is_one(data: FigureData) -> None:
    assert "best: LAST1" in svg("fig1d_across_individuals", data)
    unnamed = replace(data, genes={})
    assert f"best: {data.expression_individuals.index[-1]}" in svg("fig1d_across_individuals", unnamed)


def test_spread_separates_neighbours() -> None:
    offsets = spread(100)
    assert ((offsets >= 0) & (offsets < 1)).all()
    assert len(np.unique(offsets)) == 100
    assert np.abs(np.diff(offsets)).min() > 0.2


def test_numbers_as_text() -> None:
    assert [number(0.126), number(-0.126), number(-0.004), number(float("nan"))] == ["0.13", "−0.13", "0.00", "none"]  # noqa: RUF001
    assert number(-0.0041, 3) == "−0.004"  # noqa: RUF001


def test_unknown_figure_is_refused(data: FigureData, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="figure 'pie' not found; there are calibration, fig1a_scheme"):
        write_figure("pie", data, tmp_path)


def test_cards_are_complete() -> None:
    for name, entry in figures().items():
        assert entry.card.name == name
        assert entry.card.title
        assert len(entry.card.caption) > 100
    assert {need for entry in figures().values() for need in entry.card.needs} == set(OPTIONAL)
