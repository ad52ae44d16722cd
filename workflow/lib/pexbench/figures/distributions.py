"""Every model's correlations across genes and across individuals, as distributions (the paper's Fig. 1b, c)."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator
from scipy import stats

from pexbench.figures import FigureCard, FigureData
from pexbench.figures.style import (
    ACROSS_GENES,
    ACROSS_INDIVIDUALS,
    CONTROL,
    FAINT,
    INK,
    RULE,
    applied,
    canvas,
    counted,
    number,
    zero_line,
)
from pexbench.scores.correlation import CONSTANT_PREDICTION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

FIGURE = FigureCard(
    name="distributions",
    title="Do the models rank genes, and do they rank people?",
    caption=(
        "Spearman correlation of prediction and measurement. Left, blue: across genes, one point per person (that "
        "person's predictions against own expression); the diamond is the reference-sequence prediction against the "
        "cohort's median expression. Right, green: across individuals, one point per gene. Curves are densities, each "
        "scaled to the same height. Black: mean with 95 % interval (bootstrap over people and genes). Open points: "
        "genes whose prediction is the same for all people (constant); they count as 0. Controls are grey. A baseline "
        "that is trained gene by gene on normalised expression knows nothing of levels: its blue row is no test of it."
    ),
)
#: Panels: axis, metric, colour, heading, noun of a unit, noun of a member.
PANELS = (
    ("across_genes_personal", "across_genes", ACROSS_GENES, "Across genes, per person", "person", "people"),
    ("across_individuals", "across_individuals", ACROSS_INDIVIDUALS, "Across individuals, per gene", "gene", "genes"),
)
# Inches: height of a row; names, panels, and the text beside each panel.
ROW = 0.82
NAMES = 1.5
PANEL = 3.6
BESIDE = 1.8
WIDTH = NAMES + 2 * (PANEL + BESIDE)
#: More points than this are drawn as pixels inside the vector files.
MANY = 400
#: A density needs this many values.
LEAST_FOR_DENSITY = 10


def table(data: FigureData) -> pd.DataFrame:
    """The points shown: model, axis, unit, value, note."""
    parts = [
        data.chosen(data.scores, model, axis, metric).sort_values("unit_id")
        for model in data.models
        for axis, metric in (
            ("across_genes_reference", "across_genes"),
            *((panel[0], panel[1]) for panel in PANELS),
        )
    ]
    return pd.concat(parts, ignore_index=True)[
        ["model", "metric", "axis", "unit_id", "statistic", "value", "n", "note"]
    ]


def spread(count: int) -> Floats:
    """Offsets in 0..1 for sorted values, neighbours far apart (van der Corput sequence), the same each time."""
    numbers = np.arange(1, count + 1)
    offsets = np.zeros(count)
    weight = 0.5
    while (numbers > 0).any():
        offsets += weight * (numbers & 1)
        numbers >>= 1
        weight /= 2
    return offsets


def limits(data: FigureData) -> tuple[float, float]:
    """Common range of both panels: all values and interval ends, and 0, out to the next quarter."""
    shown = table(data)["value"].dropna()
    ends = data.summary.loc[
        data.summary["metric"].isin(["across_genes", "across_individuals"]) & (data.summary["statistic"] == "spearman"),
        ["lower", "upper"],
    ].to_numpy(dtype=np.float64)
    ends = ends[np.isfinite(ends)]
    values = np.concatenate([shown.to_numpy(dtype=np.float64), ends, [-0.2, 0.2]])
    low, high = np.floor(values.min() * 4) / 4, np.ceil(values.max() * 4) / 4
    return float(max(low, -1)), float(min(high, 1))


def _row(axes: Axes, place: float, scored: pd.DataFrame, colour: str) -> None:
    """Density above the row's line, points below it."""
    constant = scored["note"].str.startswith(CONSTANT_PREDICTION).to_numpy(dtype=bool)
    values = np.sort(scored.loc[~constant, "value"].to_numpy(dtype=np.float64))
    many = len(values) > MANY
    if len(values) >= LEAST_FOR_DENSITY and np.ptp(values) > 1e-6:
        kernel = stats.gaussian_kde(values)
        tail = 2.5 * float(np.sqrt(kernel.covariance[0, 0]))
        grid = np.linspace(max(-1, values[0] - tail), min(1, values[-1] + tail), 300)
        density = kernel(grid)
        top = place + 0.52 * density / density.max()
        axes.fill_between(grid, place, top, color=colour, alpha=0.28, linewidth=0)
        axes.plot(grid, top, color=colour, linewidth=1.1)
    axes.plot(
        values,
        place - 0.10 - 0.26 * spread(len(values)),
        linestyle="none",
        marker="o",
        markersize=1.6 if many else 4.2 if len(values) <= 60 else 2.6,
        markerfacecolor=colour,
        markeredgewidth=0,
        alpha=0.35 if many else 0.75,
        rasterized=many,
    )
    if constant.any():
        count = int(constant.sum())
        axes.plot(
            np.zeros(count),
            place - 0.10 - 0.26 * spread(count),
            linestyle="none",
            marker="o",
            markersize=4.2 if count <= 60 else 2.6,
            markerfacecolor="white",
            markeredgecolor=FAINT,
            markeredgewidth=0.8,
            rasterized=count > MANY,
        )


def _mean(axes: Axes, place: float, summary: pd.DataFrame) -> str:
    """Draw mean and interval on the row's line; return them as text."""
    if summary.empty or not np.isfinite(summary["mean"].iloc[0]):
        return "not scored"
    row = summary.iloc[0]
    axes.plot([row["lower"], row["upper"]], [place, place], color=INK, linewidth=2.2, solid_capstyle="butt", zorder=5)
    axes.plot(row["mean"], place, marker="o", markersize=5.5, color=INK, markeredgecolor="white", zorder=6)
    decimals = 3 if 0 < row["upper"] - row["lower"] < 0.05 else 2
    mean, lower, upper = (number(row[column], decimals) for column in ("mean", "lower", "upper"))
    return f"{mean} [{lower}, {upper}]"


def _counts(scored: pd.DataFrame, summary: pd.DataFrame, one: str, many: str) -> list[str]:
    """How many units stand behind a row, and how many of them are special."""
    if scored.empty:
        return ["predicts each gene", "on its own scale"]
    lines = [counted(len(scored), one, many)]
    for column, word in (("n_constant", "constant"), ("n_not_scored", "not scored")):
        if not summary.empty and summary[column].iloc[0]:
            lines.append(f"{summary[column].iloc[0]:,} {word}")
    return lines


def draw(data: FigureData) -> Figure:
    """Draw the figure; one row per model, in the order of ``data.predictions``."""
    with applied():
        height = ROW * len(data.models) + 1.15
        figure, top = canvas(data, FIGURE.title, WIDTH, height)
        low, high = limits(data)
        for column, (axis, metric, colour, heading, one, many) in enumerate(PANELS):
            left = (NAMES + column * (PANEL + BESIDE)) / WIDTH
            axes = figure.add_axes((left, 0.80 * top / height, PANEL / WIDTH, ROW * len(data.models) * top / height))
            zero_line(axes)
            for index, model in enumerate(data.models):
                place = float(len(data.models) - 1 - index)
                axes.axhline(place, color=RULE, linewidth=0.8, zorder=0)
                scored = data.chosen(data.scores, model, axis, metric)
                scored = scored[scored["value"].notna()]
                summary = data.chosen(data.summary, model, axis, metric)
                _row(axes, place, scored, CONTROL if model in data.controls else colour)
                text = _mean(axes, place, summary)
                _beside(axes, place, [text, *_counts(scored, summary, one, many)])
                if column == 0:
                    _reference(axes, place, data, model)
            axes.set_xlim(low - 0.02, high + 0.02)
            axes.set_ylim(-0.55, len(data.models) - 0.35)
            axes.xaxis.set_major_locator(MultipleLocator(0.25 if high - low <= 1.5 else 0.5))
            axes.grid(axis="x", color=RULE, linewidth=0.5)
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0, pad=6)
            places = range(len(data.models) - 1, -1, -1)
            names = ["\n".join(textwrap.wrap(data.label(model), 17)) for model in data.models]
            axes.set_yticks(list(places), names if column == 0 else [""] * len(names), fontsize=9.5)
            axes.set_xlabel("Spearman correlation")
            axes.set_title(heading, loc="left", color=colour, fontweight="bold", fontsize=10.5, pad=8)
        _legend(figure)
        return figure


def _beside(axes: Axes, place: float, lines: list[str]) -> None:
    """Lines of text to the right of a row, centred on it, the first in bold."""
    for line, said in enumerate(lines):
        axes.text(
            1.025,
            place + 0.11 * (len(lines) - 1) - 0.215 * line,
            said,
            transform=axes.get_yaxis_transform(),
            va="center",
            clip_on=False,
            fontsize=8 if line else 8.5,
            fontweight="normal" if line else "bold",
            color=FAINT if line else INK,
        )


def _reference(axes: Axes, place: float, data: FigureData, model: str) -> None:
    reference = data.chosen(data.scores, model, "across_genes_reference", "across_genes")
    if not reference.empty and np.isfinite(reference["value"].iloc[0]):
        axes.plot(
            reference["value"].iloc[0],
            place - 0.23,
            marker="D",
            markersize=6,
            markerfacecolor="white",
            markeredgecolor=INK,
            markeredgewidth=1.2,
            linestyle="none",
            zorder=6,
        )


def _legend(figure: Figure) -> None:
    """What the marks mean, in one line at the bottom."""
    marks = [
        Line2D([], [], color=INK, marker="o", markersize=6, markeredgecolor="white", linewidth=2.2),
        Line2D([], [], marker="D", markersize=6, markerfacecolor="white", markeredgecolor=INK, linestyle="none"),
        Line2D([], [], marker="o", markersize=4.2, markerfacecolor="white", markeredgecolor=FAINT, linestyle="none"),
        Line2D([], [], marker="o", markersize=4.2, color=CONTROL, linestyle="none"),
    ]
    texts = [
        "mean, 95 % interval",
        "reference genome against median expression",
        "constant: same prediction for all people, counts as 0",
        "control",
    ]
    figure.legend(marks, texts, loc="lower center", ncols=4, frameon=False, fontsize=8, handletextpad=0.5)
