"""Every model's correlations across genes and across individuals, as distributions (the paper's Fig. 1b)."""

from __future__ import annotations

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
    JOURNAL_HEIGHT,
    JOURNAL_WIDTH,
    RULE,
    SMALL,
    TEXT,
    applied,
    canvas,
    counted,
    number,
    panel,
    shortened,
    text_width,
    wrapped,
    zero_line,
)
from pexbench.scores.correlation import CONSTANT_PREDICTION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

FIGURE = FigureCard(
    name="fig1b_distributions",
    title="Do the models rank genes, and do they rank people?",
    caption=(
        "Spearman correlation of prediction and measurement, one row per model. Left, blue: across genes, one point "
        "per person (that person's predictions against own expression); the diamond is the reference-sequence "
        "prediction against the cohort's median expression. Right, green: across individuals, one point per gene. "
        "Curves are densities, each scaled to the same height. Black: mean with 95 % interval (bootstrap over people "
        "and genes), in numbers beside the row. Arrows: share of points significantly positive and significantly "
        "negative (false discovery rate 5 %, Benjamini-Hochberg within the row). Open points: genes whose prediction "
        "is the same for all people (constant); they count as 0. Controls are grey. A baseline that is trained gene "
        "by gene on normalised expression knows nothing of levels: its blue row is no test of it."
    ),
    paper="Fig. 1b",
    order=12,
)
#: Panels: axis, metric, colour, heading, noun of a unit, noun of a member.
PANELS = (
    ("across_genes_personal", "across_genes", ACROSS_GENES, "Across genes, per person", "person", "people"),
    ("across_individuals", "across_individuals", ACROSS_INDIVIDUALS, "Across individuals, per gene", "gene", "genes"),
)
REFERENCE = ("across_genes_reference", "across_genes")
# Inches: height of a row, the least that holds three lines of numbers, and the most; names, panels, and the text
# beside each panel; what lies below and above the panels.
ROW = (0.36, 0.60)
NAMES = 0.98
PANEL = 1.88
BESIDE = 1.22
BELOW = 0.70
ABOVE = 0.22
#: Of a row, above the first for its density.
HEADROOM = 0.06
#: Inches between two lines of numbers.
STEP = 0.105
#: More points than this are drawn as pixels inside the vector files.
MANY = 400
#: A density needs this many values.
LEAST_FOR_DENSITY = 10


def table(data: FigureData) -> pd.DataFrame:
    """What is drawn: model, metric, axis, statistic, mark, unit, value, lower, upper, n, note.

    ``mark`` is ``reference`` (diamond), ``point``, ``mean``, or ``share_significant_positive`` or ``_negative``.
    """
    keys = ["model", "metric", "axis", "statistic"]
    parts = []
    for model in data.models:
        reference = data.chosen(data.scores, model, *REFERENCE)
        parts.append(reference.assign(mark="reference"))
        for axis, metric, *_ in PANELS:
            parts.append(data.chosen(data.scores, model, axis, metric).sort_values("unit_id").assign(mark="point"))
            summary = data.chosen(data.summary, model, axis, metric)
            summary = summary[summary["n_units"] > 0]
            parts.append(
                summary[[*keys, "lower", "upper"]].assign(value=summary["mean"], n=summary["n_units"], mark="mean")
            )
            for sign in ("positive", "negative"):
                mark = f"share_significant_{sign}"
                parts.append(summary[keys].assign(value=summary[mark], n=summary["n_units"], mark=mark))
    columns = [*keys, "mark", "unit_id", "value", "lower", "upper", "n", "note"]
    whole = pd.concat([part.reindex(columns=columns) for part in parts if len(part)], ignore_index=True)
    return whole.fillna({"unit_id": "", "note": ""})


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
    shown = table(data)
    shown = shown[~shown["mark"].str.startswith("share")]
    ends = shown.loc[shown["mark"] == "mean", ["lower", "upper"]].to_numpy(dtype=np.float64)
    values = np.concatenate([shown["value"].to_numpy(dtype=np.float64), ends.ravel(), [-0.2, 0.2]])
    values = values[np.isfinite(values)]
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
        top = place + 0.50 * density / density.max()
        axes.fill_between(grid, place, top, color=colour, alpha=0.28, linewidth=0)
        axes.plot(grid, top, color=colour, linewidth=0.7)
    axes.plot(
        values,
        place - 0.12 - 0.26 * spread(len(values)),
        linestyle="none",
        marker="o",
        markersize=1.1 if many else 2.6 if len(values) <= 60 else 1.7,
        markerfacecolor=colour,
        markeredgewidth=0,
        alpha=0.35 if many else 0.75,
        rasterized=many,
    )
    if constant.any():
        count = int(constant.sum())
        axes.plot(
            np.zeros(count),
            place - 0.12 - 0.26 * spread(count),
            linestyle="none",
            marker="o",
            markersize=2.6 if count <= 60 else 1.7,
            markerfacecolor="white",
            markeredgecolor=FAINT,
            markeredgewidth=0.5,
            rasterized=count > MANY,
        )


def _mean(axes: Axes, place: float, summary: pd.DataFrame) -> str:
    """Draw mean and interval on the row's line; return them as text."""
    if summary.empty or not np.isfinite(summary["mean"].iloc[0]):
        return "not scored"
    row = summary.iloc[0]
    axes.plot([row["lower"], row["upper"]], [place, place], color=INK, linewidth=1.5, solid_capstyle="butt", zorder=5)
    axes.plot(row["mean"], place, marker="o", markersize=3.6, color=INK, mec="white", mew=0.5, zorder=6)
    said = ""
    for decimals in (3, 2) if 0 < row["upper"] - row["lower"] < 0.05 else (2,):
        mean, lower, upper = (number(row[column], decimals) for column in ("mean", "lower", "upper"))
        said = f"{mean} [{lower}, {upper}]"
        if text_width(said, SMALL, bold=True) <= BESIDE - 0.1:
            break
    return said


def _counts(summary: pd.DataFrame, one: str, many: str) -> list[str]:
    """How many units stand behind a row, how many of them are special, and what share is significant."""
    if summary.empty or not summary["n_units"].iloc[0]:
        return ["predicts each gene", "on its own scale"] if summary.empty else []
    row = summary.iloc[0]
    n = int(row["n_units"])
    # As drawn: predictions that differ by less than the model's numerical error are open points too.
    same = int(row["n_constant"] + row["n_below_floor"])
    constant = f", {same:,} constant" if same else ""
    if n > 1 and same == n:
        constant = ", all constant"
    up, down = (row[f"share_significant_{sign}"] for sign in ("positive", "negative"))
    return [counted(n, one, many) + constant, f"\u2191 {up:.0%}  \u2193 {down:.0%}".replace("%", " %")]


def draw(data: FigureData) -> Figure:
    """Draw the figure; one row per model, in the order of ``data.predictions``."""
    with applied():
        count = len(data.models)
        row = min(ROW[1], max(ROW[0], (JOURNAL_HEIGHT - 0.8 - BELOW - ABOVE) / count))
        height = row * (count + HEADROOM) + BELOW + ABOVE
        figure = canvas(data, FIGURE.title, JOURNAL_WIDTH, height)
        low, high = limits(data)
        names = ["\n".join(wrapped(data.label(model), NAMES - 0.12, TEXT)[:3]) for model in data.models]
        for column, (axis, metric, colour, heading, one, many) in enumerate(PANELS):
            axes = panel(figure, NAMES + column * (PANEL + BESIDE), BELOW, PANEL, row * (count + HEADROOM))
            zero_line(axes)
            for index, model in enumerate(data.models):
                place = float(count - 1 - index)
                axes.axhline(place, color=RULE, linewidth=0.5, zorder=0)
                scored = data.chosen(data.scores, model, axis, metric)
                scored = scored[scored["value"].notna()]
                summary = data.chosen(data.summary, model, axis, metric)
                _row(axes, place, scored, CONTROL if model in data.controls else colour)
                text = _mean(axes, place, summary)
                _beside(axes, place, row, [text, *_counts(summary, one, many)])
                if column == 0:
                    _reference(axes, place, data, model)
            axes.set_xlim(low - 0.02, high + 0.02)
            axes.set_ylim(-0.5, count - 0.5 + HEADROOM)
            axes.xaxis.set_major_locator(MultipleLocator(0.25 if high - low <= 1 else 0.5))
            axes.grid(axis="x", color=RULE, linewidth=0.4)
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0, pad=4)
            axes.set_yticks(range(count - 1, -1, -1), names if column == 0 else [""] * count, fontsize=TEXT)
            axes.set_xlabel("Spearman correlation")
            axes.set_title(heading, color=colour)
        _legend(figure)
        return figure


def _beside(axes: Axes, place: float, row: float, lines: list[str]) -> None:
    """Lines of text to the right of a row, centred on it, the first in bold."""
    for line, said in enumerate(lines):
        axes.text(
            1.03,
            place + STEP / row * ((len(lines) - 1) / 2 - line),
            shortened(said, BESIDE - 0.1, SMALL, bold=not line),
            transform=axes.get_yaxis_transform(),
            va="center_baseline",
            clip_on=False,
            fontsize=SMALL,
            fontweight="normal" if line else "bold",
            color=FAINT if line else INK,
        )


def _reference(axes: Axes, place: float, data: FigureData, model: str) -> None:
    reference = data.chosen(data.scores, model, *REFERENCE)
    if not reference.empty and np.isfinite(reference["value"].iloc[0]):
        axes.plot(
            reference["value"].iloc[0],
            place - 0.25,
            marker="D",
            markersize=3.8,
            markerfacecolor="white",
            markeredgecolor=INK,
            markeredgewidth=0.8,
            linestyle="none",
            zorder=6,
        )


def _legend(figure: Figure) -> None:
    """What the marks mean, at the bottom."""
    marks = [
        Line2D([], [], color=INK, marker="o", markersize=3.6, markeredgecolor="white", linewidth=1.5),
        Line2D([], [], marker="D", markersize=3.8, markerfacecolor="white", markeredgecolor=INK, linestyle="none"),
        Line2D([], [], marker="o", markersize=2.6, markerfacecolor="white", markeredgecolor=FAINT, linestyle="none"),
        Line2D([], [], marker="o", markersize=2.6, color=CONTROL, linestyle="none"),
        Line2D([], [], linestyle="none"),
    ]
    texts = [
        "mean, 95 % interval",
        "reference against median expression",
        "constant: same for all people, counts as 0",
        "control",
        "\u2191 \u2193  share significantly positive, negative",
    ]
    figure.legend(marks, texts, loc="lower center", ncols=3, fontsize=SMALL, columnspacing=1.4)
