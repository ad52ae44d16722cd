"""Figures: written whole, the same bytes each time, showing what they say."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from pexbench.errors import InputError
from pexbench.figures import FigureData, figures, write_figure
from pexbench.figures.best_and_worst import extremes
from pexbench.figures.distributions import spread
from pexbench.figures.style import number
from pexbench.scores import ScoreInputs, score_model
from pexbench.scores.intervals import mean_intervals
from pexbench.scores.summary import summarise

NAMES = sorted(figures())
PEOPLE = [f"NA{i:03d}" for i in range(25)]
TITLE = "A run of the tests"
NOTE = "Simulated cohort: no finding."


def example(genes: int = 12, models: tuple[str, ...] = ("network", "level", "elastic_net")) -> FigureData:
    """Predictions that follow expression, that are the same for all, and that follow it in half of the genes."""
    rng = np.random.default_rng(0)
    ids = [f"ENSG{i:011d}" for i in range(genes)]
    expression = pd.DataFrame(rng.normal(size=(genes, len(PEOPLE))), index=ids, columns=PEOPLE)
    rpkm = np.exp(expression + rng.normal(size=(genes, 1)))
    predictions, scores, intervals = {}, [], []
    for number_, model in enumerate(models):
        values = expression * np.linspace(-1, 1, genes)[:, None] ** 3 * 4 + rng.normal(size=expression.shape)
        if model == "level":
            values[:] = values.to_numpy()[:, :1]
        values.iloc[3] = 1.0
        tidy = values.rename_axis("gene_id").reset_index().melt("gene_id", var_name="sample", value_name="prediction")
        predictions[model] = tidy.assign(prediction=tidy["prediction"].astype(np.float32))
        reference = pd.DataFrame({"gene_id": ids, "prediction": values.mean(axis=1).to_numpy()})
        inputs = ScoreInputs(model, predictions[model], None if number_ else reference, expression.iloc[1:], rpkm)
        scores.append(score_model(inputs))
        intervals.append(mean_intervals(inputs, resamples=100))
    table = pd.concat(scores, ignore_index=True)
    return FigureData(
        scores=table,
        summary=summarise(table, pd.concat(intervals)),
        predictions=predictions,
        expression_individuals=expression,
        expression_genes=rpkm,
        genes=dict.fromkeys(ids, "") | {ids[-1]: "LAST1"},
        run_title=TITLE,
        notes=[NOTE],
        controls=["level"],
    )


@pytest.fixture(scope="module")
def data() -> FigureData:
    return example()


def texts(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_files_are_whole_titled_and_repeatable(
    name: str, data: FigureData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(mpl.rcParams)
    paths = write_figure(name, data, tmp_path / "a")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 5e7)
    again = write_figure(name, data, tmp_path / "b")
    assert {path.suffix for path in paths} >= {".pdf", ".svg", ".png"}
    for first, second in zip(paths, again, strict=True):
        assert first.name == second.name
        assert first.stat().st_size > 500
        assert first.read_bytes() == second.read_bytes(), first.name
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(path.name for path in paths)
    assert dict(mpl.rcParams) == before
    svg = texts(tmp_path / "a" / f"{name}.svg")
    assert TITLE in svg
    assert NOTE in svg
    assert figures()[name].card.title.split()[0] in svg


@pytest.mark.parametrize("name", NAMES)
def test_settings_of_the_caller_do_not_reach_the_figure(name: str, data: FigureData, tmp_path: Path) -> None:
    plain = write_figure(name, data, tmp_path / "a")[2].read_bytes()
    with mpl.rc_context({"font.size": 25, "axes.facecolor": "red", "savefig.dpi": 30}):
        assert write_figure(name, data, tmp_path / "b")[2].read_bytes() == plain


@pytest.mark.parametrize("name", NAMES)
def test_order_of_rows_changes_nothing(name: str, data: FigureData, tmp_path: Path) -> None:
    mixed = replace(
        data,
        scores=data.scores.sample(frac=1, random_state=1),
        summary=data.summary.sample(frac=1, random_state=2),
        predictions={model: table.sample(frac=1, random_state=3) for model, table in data.predictions.items()},
        expression_individuals=data.expression_individuals.iloc[::-1, ::-1],
        expression_genes=data.expression_genes.iloc[::-1, ::-1],
    )
    for first, second in zip(
        write_figure(name, data, tmp_path / "a"), write_figure(name, mixed, tmp_path / "b"), strict=True
    ):
        assert first.read_bytes() == second.read_bytes(), first.name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("genes", "models"), [(4, ("network",)), (4, ("level",)), (600, tuple("abcdefghij"))])
def test_few_and_many(name: str, genes: int, models: tuple[str, ...], tmp_path: Path) -> None:
    figure = figures()[name].draw(example(genes, models))
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    drawn = figure.get_tightbbox(renderer)
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0
    assert drawn.y0 >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height
    texts_ = [*figure.texts]
    for axes in figure.axes:
        texts_ += [*axes.texts, axes.xaxis.label, axes.yaxis.label, axes._left_title]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts_ if text.get_text()]
    assert len(boxes) > 3
    for number_, (text, box) in enumerate(boxes):
        for other, another in boxes[:number_]:
            shrunk = box.padded(-1)
            assert not shrunk.overlaps(another), (text, other)


def test_distributions_show_every_score(data: FigureData) -> None:
    entry = figures()["distributions"]
    table = entry.table(data)
    network = table[(table["model"] == "network") & (table["axis"] == "across_individuals")]
    assert len(network) == 12
    panel = next(axes for axes in entry.draw(data).axes if "individuals" in axes.get_title(loc="left"))
    drawn = np.sort(np.concatenate([line.get_xdata() for line in panel.lines if line.get_marker() == "o"]))
    shown = table[(table["axis"] == "across_individuals") & table["value"].notna()]["value"].to_numpy()
    means = data.summary[(data.summary["axis"] == "across_individuals") & (data.summary["statistic"] == "spearman")]
    np.testing.assert_allclose(drawn, np.sort(np.concatenate([shown, means["mean"]])))


def test_models_stand_in_their_order(data: FigureData) -> None:
    axes = figures()["distributions"].draw(data).axes[0]
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
    assert found["best"]["unit_id"] == scores.idxmax() == data.expression_individuals.index[-1]
    assert found["worst"]["unit_id"] == scores.idxmin()
    assert extremes(data, "level") == []
    points = figures()["best_and_worst"].table(data)
    best = points[(points["model"] == "network") & (points["place"] == "best")].set_index("sample")
    assert sorted(best.index) == PEOPLE
    predicted = data.predictions["network"].set_index(["gene_id", "sample"])["prediction"]
    gene = found["best"]["unit_id"]
    for person in PEOPLE:
        assert best.loc[person, "measured"] == data.expression_individuals.loc[gene, person]
        assert best.loc[person, "predicted"] == predicted[gene, person]


def test_genes_are_shown_by_symbol_where_there_is_one(data: FigureData, tmp_path: Path) -> None:
    write_figure("best_and_worst", data, tmp_path)
    assert "best: LAST1" in texts(tmp_path / "best_and_worst.svg")
    unnamed = replace(data, genes={})
    write_figure("best_and_worst", unnamed, tmp_path)
    assert f"best: {data.expression_individuals.index[-1]}" in texts(tmp_path / "best_and_worst.svg")


def test_spread_separates_neighbours() -> None:
    offsets = spread(100)
    assert ((offsets >= 0) & (offsets < 1)).all()
    assert len(np.unique(offsets)) == 100
    assert np.abs(np.diff(offsets)).min() > 0.2


def test_numbers_as_text() -> None:
    assert [number(0.126), number(-0.126), number(-0.004), number(float("nan"))] == ["0.13", "−0.13", "0.00", "none"]  # noqa: RUF001
    assert number(-0.0041, 3) == "−0.004"  # noqa: RUF001


def test_unknown_figure_is_refused(data: FigureData, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="figure 'pie' not found; there are best_and_worst, distributions"):
        write_figure("pie", data, tmp_path)


def test_cards_are_complete() -> None:
    for name, entry in figures().items():
        assert entry.card.name == name
        assert entry.card.title
        assert len(entry.card.caption) > 100
