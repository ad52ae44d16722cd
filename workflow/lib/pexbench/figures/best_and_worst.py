"""Measured against predicted expression for each model's best and worst gene (the paper's Fig. 1d)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pexbench.figures import FigureCard, FigureData
from pexbench.figures.distributions import number
from pexbench.figures.style import ACROSS_INDIVIDUALS, CONTROL, FAINT, INK, applied, canvas
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
PANEL = 2.75
ROW = 2.95
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
    mean = points["predicted"].mean()
    x, y = (points["predicted"] - mean).to_numpy(), points["measured"].to_numpy()
    size = 22 if len(x) <= 60 else 12
    axes.scatter(x, y, s=size, color=colour, alpha=0.55, linewidths=0, rasterized=len(x) > 1000)
    slope, intercept = np.polyfit(x / np.abs(x).max(), y, 1)
    ends = np.array([x.min(), x.max()])
    axes.plot(ends, slope * ends / np.abs(x).max() + intercept, color=INK, linewidth=1.2)
    axes.set_title(
        f"{place}: {data.gene_label(str(row['unit_id']))}", loc="left", fontsize=9.5, fontweight="bold", pad=17
    )
    said = f"Spearman {number(row['value'])}, n = {row['n']:,}"
    axes.text(0, 1.035, said, transform=axes.transAxes, fontsize=8.5, color=FAINT, va="bottom")
    axes.set_xlabel(f"predicted, difference to mean ({mean:.4g})", fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.ticklabel_format(axis="both", scilimits=(-2, 4), useMathText=False)
    axes.margins(0.06)
    axes.xaxis.get_offset_text().set_fontsize(7.5)


def draw(data: FigureData) -> Figure:
    """Draw the figure; models in the order of ``data.predictions``, best on the left, worst on the right."""
    with applied():
        blocks = 2 if len(data.models) >= TWO_PER_ROW else 1
        rows = -(-len(data.models) // blocks)
        width = 0.5 + blocks * (2 * PANEL + 1.2)
        height = rows * ROW + 0.1
        figure, top = canvas(data, FIGURE.title, width, height)
        for index, model in enumerate(data.models):
            line, block = divmod(index, blocks)
            left = 0.5 + block * (2 * PANEL + 1.2)
            base = (height - (line + 1) * ROW + 0.60) / height * top
            figure.text(
                (left - 0.28) / width,
                base + (ROW - 1.25) / 2 / height * top,
                data.label(model),
                rotation=90,
                ha="center",
                va="center",
                fontsize=11,
                fontweight="bold",
                color=CONTROL if model in data.controls else INK,
            )
            found = extremes(data, model)
            for number_, (place, row) in enumerate(found):
                corner = (left + 0.42 + number_ * (PANEL + 0.15)) / width
                size = ((PANEL - 0.55) / width, (ROW - 1.25) / height * top)
                axes = figure.add_axes((corner, base, *size))
                _panel(axes, data, model, place, row)
                if number_ == 0:
                    axes.set_ylabel("measured expression")
            if not found:
                figure.text(
                    (left + 0.42) / width,
                    base + (ROW - 1.25) / 2 / height * top,
                    "No gene to show: this model predicts the same\nfor all people in every scored gene.",
                    fontsize=9,
                    color=FAINT,
                    va="center",
                )
        return figure
