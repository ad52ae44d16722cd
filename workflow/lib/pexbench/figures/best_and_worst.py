"""Measured against predicted expression for each model's best and worst gene (the paper's Fig. 1d)."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pexbench.figures import FigureCard, FigureData
from pexbench.figures.style import ACROSS_INDIVIDUALS, CONTROL, FAINT, INK, applied, canvas, number
from pexbench.scores.correlation import CONSTANT_PREDICTION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE = FigureCard(
    name="best_and_worst",
    title="Each model's best and worst gene across individuals",
    caption=(
        "Measured expression (as scored across individuals) against predicted expression, one point per person, for "
        "the gene with the highest and the gene with the lowest Spearman correlation of each model, among genes whose "
        "prediction differs between people. Predictions are shown as difference to their mean over people, which "
        "stands below the panel. The line is the least-squares fit. Best and worst of many genes are extremes: chance "
        "alone makes some."
    ),
)
# Inches: size of a panel; height of a row and what of it lies below the panel; place of the first panel in a block
# of two, step to the second, width of a block.
PANEL = (2.45, 1.85)
ROW = 3.05
BELOW = 0.66
FIRST = 0.95
STEP = 2.95
BLOCK = 6.6
SUPERSCRIPT = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
#: From this many models on, two models share a row.
TWO_PER_ROW = 5


def extremes(data: FigureData, model: str) -> list[tuple[str, pd.Series]]:
    """Best and worst gene of a model as rows of the scores; one if there is only one; none if nothing varies."""
    scores = data.chosen(data.scores, model, "across_individuals", "across_individuals")
    scores = scores[scores["value"].notna() & ~scores["note"].str.startswith(CONSTANT_PREDICTION)]
    ordered = scores.sort_values(["value", "unit_id"], ascending=[False, True])
    if ordered.empty:
        return []
    if len(ordered) == 1:
        return [("only", ordered.iloc[0])]
    return [("best", ordered.iloc[0]), ("worst", ordered.iloc[-1])]


def people(data: FigureData, model: str, gene_id: str) -> pd.DataFrame:
    """Columns sample, predicted, measured of one gene, by name, people with both."""
    table = data.predictions[model]
    predicted = table[table["gene_id"] == gene_id].set_index("sample")["prediction"].astype(np.float64)
    measured = data.expression_individuals.loc[gene_id]
    both = pd.DataFrame({"predicted": predicted, "measured": measured}).dropna().sort_index()
    return both.rename_axis("sample").reset_index()


def table(data: FigureData) -> pd.DataFrame:
    """The points shown: model, place (best or worst), gene, sample, predicted, measured."""
    parts = [
        people(data, model, str(row["unit_id"])).assign(model=model, place=place, gene_id=row["unit_id"])
        for model in data.models
        for place, row in extremes(data, model)
    ]
    columns = ["model", "place", "gene_id", "sample", "predicted", "measured"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _panel(axes: Axes, data: FigureData, model: str, place: str, row: pd.Series) -> None:
    colour = CONTROL if model in data.controls else ACROSS_INDIVIDUALS
    points = people(data, model, str(row["unit_id"]))
    mean = float(points["predicted"].mean())
    x, y = (points["predicted"] - mean).to_numpy(), points["measured"].to_numpy()
    exponent = int(np.floor(np.log10(np.abs(x).max())))
    # Small differences on a large level: the power of ten stands in the label, not in a corner.
    exponent = exponent if exponent < -1 or exponent > 3 else 0
    x = x / 10.0**exponent
    axes.scatter(x, y, s=22 if len(x) <= 60 else 12, color=colour, alpha=0.55, linewidths=0, rasterized=len(x) > 1000)
    slope, intercept = np.polyfit(x, y, 1)
    ends = np.array([x.min(), x.max()])
    axes.plot(ends, slope * ends + intercept, color=INK, linewidth=1.2)
    gene = data.gene_label(str(row["unit_id"]))
    axes.set_title(f"{place}: {gene}", loc="left", fontsize=9.5, fontweight="bold", pad=17)
    said = f"Spearman {number(row['value'])} [{number(row['lower'])}, {number(row['upper'])}], n = {row['n']:,}"
    axes.text(0, 1.035, said, transform=axes.transAxes, fontsize=8, color=FAINT, va="bottom")
    scale = f", in 10{str(exponent).translate(SUPERSCRIPT)}" if exponent else ""
    level = f"{mean:.4g}".replace("-", "\u2212")
    axes.set_xlabel(f"predicted, difference to mean{scale}\n(mean {level})", fontsize=8, linespacing=1.3)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.margins(0.06)


def draw(data: FigureData) -> Figure:
    """Draw the figure; models in the order of ``data.predictions``, best on the left, worst on the right."""
    with applied():
        blocks = 2 if len(data.models) >= TWO_PER_ROW else 1
        rows = -(-len(data.models) // blocks)
        width = blocks * BLOCK
        height = rows * ROW
        figure, top = canvas(data, FIGURE.title, width, height)
        for index, model in enumerate(data.models):
            line, block = divmod(index, blocks)
            left = block * BLOCK
            low = (height - (line + 1) * ROW + BELOW) / height * top
            middle = low + PANEL[1] / 2 / height * top
            figure.text(
                (left + 0.26) / width,
                middle,
                "\n".join(textwrap.wrap(data.label(model), 24)),
                rotation=90,
                ha="center",
                va="center",
                fontsize=10.5,
                fontweight="bold",
                color=CONTROL if model in data.controls else INK,
            )
            found = extremes(data, model)
            for column, (place, row) in enumerate(found):
                corner = (left + FIRST + column * STEP) / width
                axes = figure.add_axes((corner, low, PANEL[0] / width, PANEL[1] / height * top))
                _panel(axes, data, model, place, row)
                if column == 0:
                    axes.set_ylabel("measured expression", fontsize=8)
            if not found:
                said = "No gene to show: the prediction is the same\nfor all people in every scored gene."
                figure.text((left + FIRST) / width, middle, said, fontsize=9, color=FAINT, va="center")
        return figure
