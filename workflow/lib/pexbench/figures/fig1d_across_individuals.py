"""Measured against predicted expression for each model's best and worst gene (the paper's Fig. 1d)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pexbench.figures import FigureCard, FigureData
from pexbench.figures.joined import PAIR_COLUMNS, across_individuals, lead_variants, people_of
from pexbench.figures.style import (
    ACROSS_INDIVIDUALS,
    CONTROL,
    FAINT,
    GENOTYPES,
    HEADING,
    INK,
    JOURNAL_HEIGHT,
    JOURNAL_WIDTH,
    MARGIN,
    SMALL,
    TEXT,
    applied,
    canvas,
    exponent_of,
    frame,
    genotype_colours,
    in_words,
    listed,
    number,
    panel,
    power_of,
    say,
    shortened,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE = FigureCard(
    name="fig1d_across_individuals",
    title="Each model's best and worst gene across individuals",
    caption=(
        "Measured expression (as scored across individuals) against predicted expression, one point per person, for "
        "the gene with the highest and the gene with the lowest Spearman correlation of each model, among genes whose "
        "prediction differs between people; correlation with 95 % interval and number of people above each panel. "
        "Predictions are shown as difference to their mean over people, which the label names. Colours: copies of the "
        "ALT allele of the gene's lead variant, the one that goes with expression most strongly in these people; grey "
        "where unknown. The line is the least-squares fit. Grey frames: controls. Models without such a gene are named "
        "below. Best and worst of many genes are extremes: chance alone makes some."
    ),
    paper="Fig. 1d",
    order=14,
    needs=("associations", "leads"),
)
# Inches: a block of two panels and its parts: place of the first panel, size of a panel, step to the second; heights
# of a row, the least and the most; what of it lies above and below its panels.
BLOCK = 3.6
FIRST = 0.42
WIDE = 1.36
STEP = 1.68
ROW = (1.20, 1.66)
ABOVE = 0.46
BELOW = 0.34
LEGEND = 0.2


def extremes(data: FigureData, model: str) -> list[tuple[str, pd.Series]]:
    """Best and worst gene of a model as rows of the scores named by gene; one if there is only one, or none."""
    ordered = across_individuals(data, model).sort_values("value", ascending=False, kind="stable")
    if ordered.empty:
        return []
    if len(ordered) == 1:
        return [("only", ordered.iloc[0])]
    return [("best", ordered.iloc[0]), ("worst", ordered.iloc[-1])]


def table(data: FigureData) -> pd.DataFrame:
    """The points: model, place (best or worst), gene, correlation, lead variant, sample, predicted, measured, dosage."""
    leads = lead_variants(data)["lead_variant"]
    parts = [
        people_of(data, model, str(row.name)).assign(
            model=model,
            place=place,
            gene_id=str(row.name),
            spearman=row["value"],
            lead_variant=leads.get(str(row.name), ""),
        )
        for model in data.models
        for place, row in extremes(data, model)
    ]
    columns = ["model", "place", "gene_id", "spearman", "lead_variant", *PAIR_COLUMNS]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _scaled(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], str]:
    """Differences to the mean, and the label that says from what and in which unit they are."""
    mean = float(values.mean())
    differences = values - mean
    # Small differences on a large level: the power of ten stands in the label, not in a corner.
    exponent = exponent_of(float(np.abs(differences).max()))
    unit = f", in {power_of(exponent)}" if exponent else ""
    level = f"{abs(mean):.4g}".replace("-", "\u2212")
    sign = "+" if mean < 0 else "\u2212"
    return differences / 10.0**exponent, f"predicted {sign} {level}{unit}"


def _panel(axes: Axes, data: FigureData, model: str, place: str, row: pd.Series) -> None:
    points = people_of(data, model, str(row.name))
    x, label = _scaled(points["predicted"].to_numpy())
    y = points["measured"].to_numpy()
    size = 9 if len(x) <= 60 else 5
    axes.scatter(x, y, s=size, c=genotype_colours(points["dosage"]), alpha=0.7, lw=0, rasterized=len(x) > 1000)
    slope, intercept = np.polyfit(x, y, 1)
    ends = np.array([x.min(), x.max()])
    axes.plot(ends, slope * ends + intercept, color=INK, linewidth=0.9)
    gene = shortened(f"{place}: {data.gene_label(str(row.name))}", STEP - 0.05, TEXT, bold=True)
    axes.set_title(gene, fontsize=TEXT, pad=11)
    said = f"\u03c1 = {number(row['value'])} [{number(row['lower'])}, {number(row['upper'])}], n = {int(row['n']):,}"
    axes.annotate(
        said, (0, 1), (0, 3), xycoords="axes fraction", textcoords="offset points", fontsize=SMALL, color=FAINT
    )
    axes.set_xlabel(shortened(label, STEP - 0.05, SMALL), fontsize=SMALL)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.margins(0.07)
    frame(axes, CONTROL if model in data.controls else ACROSS_INDIVIDUALS)


def draw(data: FigureData) -> Figure:
    """Draw the figure; two models per row, in the order of ``data.predictions``, best on the left of each."""
    found = {model: extremes(data, model) for model in data.models}
    told = [model for model in data.models if found[model]]
    if not told:
        return in_words(
            data, FIGURE.title, "No model has a gene whose prediction differs between people: there is none to show."
        )
    with applied():
        space = JOURNAL_HEIGHT - 1.0 - LEGEND
        most = 2 * int(space // ROW[0])
        shown = told[:most]
        lines = _remarks(data, [model for model in data.models if not found[model]], told[most:])
        rows = -(-len(shown) // 2)
        high = min(ROW[1], space / rows)
        height = rows * high + LEGEND + (0.04 + 0.11 * len(lines) if lines else 0)
        figure = canvas(data, FIGURE.title, JOURNAL_WIDTH, height)
        for index, model in enumerate(shown):
            line, block = divmod(index, 2)
            left, upper = block * BLOCK, height - line * high
            name = shortened(data.label(model), BLOCK - 0.3, HEADING, bold=True)
            grey = CONTROL if model in data.controls else INK
            say(figure, left + MARGIN, upper - 0.04, name, fontsize=HEADING, fontweight="bold", color=grey, va="top")
            for column, (place, row) in enumerate(found[model]):
                low = upper - high + BELOW
                axes = panel(figure, left + FIRST + column * STEP, low, WIDE, high - ABOVE - BELOW)
                _panel(axes, data, model, place, row)
                if column == 0:
                    axes.set_ylabel("measured", fontsize=SMALL)
        _legend(figure, data)
        for place_, words in enumerate(reversed(lines)):
            say(figure, MARGIN, LEGEND + 0.02 + 0.11 * place_, words, fontsize=SMALL, color=FAINT)
        return figure


def _remarks(data: FigureData, silent: list[str], left_out: list[str]) -> list[str]:
    """What is not there, in lines of words."""
    said = []
    if silent:
        names = listed([data.label(model) for model in silent])
        said.append(f"No gene whose prediction differs between people: {names}.")
    if left_out:
        names = listed([data.label(model) for model in left_out])
        said.append(f"Not drawn for want of space, but in the table: {names}.")
    return wrapped(" ".join(said), JOURNAL_WIDTH - 2 * MARGIN, SMALL) if said else []


def _legend(figure: Figure, data: FigureData) -> None:
    """Colours of the genotypes; only what the run knows."""
    if data.leads is None:
        colours = {"genotype of the lead variant not known in this run": CONTROL}
    else:
        named = zip(GENOTYPES, ("0 copies", "1 copy", "2 copies of the lead variant's ALT allele"), strict=True)
        colours = {name: colour for colour, name in named} | {"not known": CONTROL}
    marks = [Line2D([], [], marker="o", markersize=3.6, color=colour, linestyle="none") for colour in colours.values()]
    figure.legend(marks, list(colours), loc="lower center", ncols=4, fontsize=SMALL, columnspacing=1.4)
