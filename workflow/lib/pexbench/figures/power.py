"""How many people it takes to tell a model's correlations across individuals from zero."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from pexbench.figures import FigureCard, FigureData
from pexbench.figures.joined import main_models
from pexbench.figures.style import (
    ACROSS_INDIVIDUALS,
    FAINT,
    INK,
    JOURNAL_WIDTH,
    RULE,
    SMALL,
    applied,
    canvas,
    counted,
    in_words,
    model_style,
    number,
    panel,
    shortened,
    text_width,
    zero_line,
)
from pexbench.scores.power import SUMMARY_COLUMNS, added_up, interval_width, power, subsets

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE = FigureCard(
    name="power",
    title="How many people does it take?",
    caption=(
        "Scores across individuals (Spearman, per gene; expression as in its table, covariates left in) in random "
        "subsets of the cohort (repeats of each size in the table), the same people for every model; controls are left out. Top left: mean correlation over genes; bars are 1.96 standard "
        "errors over people, from the spread between subsets, corrected for the people that subsets of one cohort "
        "share; the whole cohort (last point) has one value and no bar. Genes stay the same, so that the bars say "
        "nothing of other genes. Predictions stay the same too: a baseline trained on the whole cohort would be worse "
        "with fewer people. Top right: share of genes whose correlation is significantly positive (upwards, "
        "filled) or negative (downwards, open), at a false discovery rate of 5 % over the genes of a subset, mean over "
        "subsets. A flat line may mean too few people or nothing to find. Bottom left: width of the 95 % interval "
        "(Fisher's z) of one gene's correlation: points, the median gene of each model; line, theory for a correlation "
        "of zero. Bottom right: theory. Probability that a true correlation of 0.1, 0.2 or 0.3 is found by a two-sided "
        "test of one gene at p < 0.05 (solid), and at p < 0.05 divided by the number of genes tested (dashed: "
        "Bonferroni, what a gene must pass when few others have a signal). The theory is for independent people from "
        "one population."
    ),
    order=70,
)
#: Correlations whose power is shown, with the line's shade.
TRUE = {0.1: "#7FCEB8", 0.2: ACROSS_INDIVIDUALS, 0.3: "#00573F"}
#: Repeats with the same subsets for every model.
SEED = 1
# Inches: panels, their corners, the legend's lines.
WIDE, HIGH = 2.85, 1.55
LEFT = (0.55, 4.15)
LINE = 0.14
COLUMNS = ("kind", "model", "r", *SUMMARY_COLUMNS, "power", "power_bonferroni")


def matrices(data: FigureData, model: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions and measurements of a model, genes x people, both sorted by name, people that have both."""
    predicted = data.predictions[model].pivot(index="gene_id", columns="sample", values="prediction").sort_index()
    people = sorted(set(predicted.columns) & set(data.expression_individuals.columns))
    measured = data.expression_individuals.reindex(index=predicted.index, columns=people)
    return predicted[people].astype(np.float64), measured.astype(np.float64)


@lru_cache(maxsize=1)
def table(data: FigureData) -> pd.DataFrame:
    """The points and lines shown.

    Returns:
        ``kind`` ``cohort``: one row per model and number of people, columns of ``scores.power.added_up``. ``kind``
        ``theory``: one row per true correlation ``r`` (0 for the width alone) and number of people, with ``width``,
        ``power`` at p < 0.05 and ``power_bonferroni`` at 0.05 over the number of genes (``n_genes``).
    """
    parts = []
    for model in main_models(data):
        predicted, measured = matrices(data, model)
        if predicted.shape[1]:
            found = added_up(subsets(predicted.to_numpy(), measured.to_numpy(), seed=SEED))
            parts.append(found.assign(kind="cohort", model=model))
    parts = [part for part in parts if part["n_genes"].max() > 0]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    most, genes = (int(max(part[name].max() for part in parts)) for name in ("n", "n_genes"))
    least = min(int(min(part["n"].min() for part in parts)), 20)
    people = np.unique(np.rint(np.geomspace(max(least, 4), max(2 * most, 1000), 60)).astype(np.int64))
    for r in (0.0, *TRUE):
        parts.append(
            pd.DataFrame(
                {
                    "kind": "theory",
                    "r": r,
                    "n": people,
                    "n_genes": genes,
                    "width": interval_width(r, people),
                    "power": power(r, people),
                    "power_bonferroni": power(r, people, 0.05 / genes),
                }
            )
        )
    return pd.concat([part.reindex(columns=list(COLUMNS)) for part in parts if len(part)], ignore_index=True)


def _people_axis(axes: Axes, sizes: list[int], low: float, high: float) -> None:
    """Numbers of people on a log scale; of labels that would touch, the smaller number goes."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    shown: list[int] = []
    free = np.inf
    for size in sorted((size for size in sizes if low <= size <= high), reverse=True):
        place = np.log(size / low) / np.log(high / low) * WIDE
        half = text_width(f"{size:,}", SMALL) / 2
        if place + half + 0.05 < free:
            shown.insert(0, size)
            free = place - half
    axes.set_xticks(shown, [f"{size:,}" for size in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("people")


def _percent(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value) * 100:.3g} %"))


def _shares(axes: Axes, found: pd.DataFrame, colour: str, marker: str, shift: float) -> None:
    """Positive genes upwards, negative ones downwards."""
    for name, sign, face in (("share_positive", 1, colour), ("share_negative", -1, "white")):
        axes.plot(
            found["n"] * shift,
            sign * found[name],
            color=colour,
            marker=marker,
            markerfacecolor=face,
            markeredgecolor=colour,
            markeredgewidth=0.7,
            linewidth=0.9,
        )


def _theory(axes: Axes, theory: pd.DataFrame, genes: int) -> None:
    for r, colour in TRUE.items():
        line = theory[theory["r"] == r]
        axes.plot(line["n"], line["power"], color=colour, linewidth=1.2)
        axes.plot(line["n"], line["power_bonferroni"], color=colour, linewidth=0.9, linestyle=(0, (3, 2)))
    marks = [Line2D([], [], color=colour, linewidth=1.2) for colour in TRUE.values()]
    marks += [Line2D([], [], color=INK, linewidth=1.2)]
    words = [f"r = {r}" for r in TRUE] + ["p < 0.05"]
    if genes > 1:
        marks.append(Line2D([], [], color=INK, linewidth=0.9, linestyle=(0, (3, 2))))
        words.append(f"p < 0.05/{genes:,}")
    axes.legend(marks, words, loc="upper left", handlelength=1.6, labelspacing=0.25, borderaxespad=0.3)
    axes.set_ylim(0, 1.02)
    _percent(axes)


def draw(data: FigureData) -> Figure:
    """Draw the figure; models in the order of ``data.predictions``."""
    points = table(data)
    cohort, theory = points[points["kind"] == "cohort"], points[points["kind"] == "theory"]
    if cohort.empty:
        return in_words(
            data,
            FIGURE.title,
            "No model besides the controls has genes scored across individuals: nothing can be said of the number of "
            "people.",
        )
    with applied():
        models = list(cohort["model"].unique())
        columns = min(len(models), 5)
        legend = LINE * -(-len(models) // columns) + 0.12
        bottom = legend + 0.36
        figure = canvas(data, FIGURE.title, JOURNAL_WIDTH, bottom + 2 * HIGH + 0.95)
        rows = (bottom + HIGH + 0.72, bottom)
        mean, shares, width, theoretical = (panel(figure, x, y, WIDE, HIGH) for y in rows for x in LEFT)
        sizes = sorted(int(n) for n in cohort["n"].unique())
        spread = np.linspace(-0.5, 0.5, len(models)) if len(models) > 1 else [0.0]
        marks = []
        for model, place in zip(models, spread, strict=True):
            colour, marker = model_style(data, model)
            found = cohort[cohort["model"] == model]
            shift = 1 + 0.05 * place
            mean.errorbar(
                found["n"] * shift,
                found["mean"],
                1.96 * found["error"],
                color=colour,
                marker=marker,
                linewidth=0.9,
                elinewidth=0.7,
            )
            _shares(shares, found, colour, marker, shift)
            width.plot(found["n"] * shift, found["width"], color=colour, marker=marker, linestyle="none")
            marks.append(Line2D([], [], color=colour, marker=marker, linewidth=0.9))
        zero = theory[theory["r"] == 0]
        width.plot(zero["n"], zero["width"], color=FAINT, linewidth=0.9, zorder=1)
        _theory(theoretical, theory, int(cohort["n_genes"].max()))
        low, high = sizes[0] / 1.15, sizes[-1] * 1.15
        for axes in (mean, shares, width):
            _people_axis(axes, sizes, low, high)
            axes.grid(axis="y", color=RULE)
        ends = [int(theory["n"].min()), 10, 30, 100, 300, int(theory["n"].max()), *(sizes[-1:])]
        _people_axis(theoretical, sorted(set(ends)), float(theory["n"].min()), float(theory["n"].max()))
        theoretical.grid(axis="y", color=RULE)
        theoretical.axvline(sizes[-1], color=FAINT, linewidth=0.8, linestyle=":", zorder=1)
        for axes in (mean, shares):
            zero_line(axes, vertical=False)
        largest = max(0.02, float(cohort[["share_positive", "share_negative"]].max().max()))
        up = max(0.02, float(cohort["share_positive"].max()), 0.25 * largest)
        down = max(0.02, float(cohort["share_negative"].max()), 0.25 * largest)
        shares.set_ylim(-1.2 * down, 1.2 * up)
        shares.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        _percent(shares)
        width.set_ylim(0, min(2.05, 1.08 * float(cohort["width"].max())))
        mean.margins(y=0.12)
        genes = counted(int(cohort["n_genes"].max()), "gene", "genes")
        mean.set_title(f"Mean correlation, {genes}")
        mean.set_ylabel("mean Spearman r")
        shares.set_title("Genes told from zero")
        shares.set_ylabel("share of genes, FDR 5 %")
        _sides(shares, up, down)
        width.set_title("95 % interval of one gene's r")
        width.set_ylabel("width")
        last = float(zero["width"].iloc[(zero["n"] - sizes[-1]).abs().argmin()])
        width.annotate(
            f"line: r = 0 (\u00b1{number(last / 2)} with {sizes[-1]:,} people)",
            xy=(0.98, 0.94),
            xycoords="axes fraction",
            ha="right",
            va="top",
            fontsize=SMALL,
            color=FAINT,
        )
        theoretical.set_title(f"Power in theory (dotted: this cohort, {sizes[-1]:,})")
        theoretical.set_ylabel("probability to be found")
        names = [shortened(data.label(model), 1.05, SMALL) for model in models]
        figure.legend(marks, names, loc="lower center", ncols=columns, columnspacing=1.2, handlelength=1.8)
        return figure


def _sides(axes: Axes, up: float, down: float) -> None:
    """Which way is which, in the panel's corners."""
    for word, place, align in (("positive", 0.97, "top"), ("negative", 0.03, "bottom")):
        axes.text(0.02, place, word, transform=axes.transAxes, fontsize=SMALL, color=FAINT, va=align)
