"""Do the models rank the same genes high across individuals? (the paper's Fig. 2b)."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from pexbench.figures import FigureCard, FigureData
from pexbench.figures.joined import across_individuals, main_models
from pexbench.figures.style import (
    ACROSS_INDIVIDUALS,
    FAINT,
    HEADING,
    INK,
    JOURNAL_WIDTH,
    RULE,
    SMALL,
    TEXT,
    applied,
    canvas,
    in_words,
    number,
    panel,
    shortened,
    wrapped,
)
from pexbench.scores.correlation import correlate, fisher_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE = FigureCard(
    name="fig2b_agreement",
    title="Do the models do well on the same genes?",
    caption=(
        "Agreement between models on which genes they predict well across individuals; controls are left out. Below "
        "the diagonal: one point per gene, its Spearman correlation across individuals with the model of the column "
        "against that with the model of the row. Above the diagonal: Spearman correlation of the two over the genes "
        "that both have, with 95 % interval (Bonett and Wright 2000; genes taken for independent, so that it is too "
        "narrow where neighbours share variants) and number of genes; the greener (browner), the more positive "
        "(negative). Diagonal: histogram of each model's correlations. Genes that a model predicts the same for "
        "everyone are left out of its panels. With more than seven models the correlations are a heat map."
    ),
    paper="Fig. 2b",
    order=40,
)
#: From this many models on, a heat map.
MOST = 7
# Inches: margins of the matrix, and the largest cell.
LEFT = 0.62
RIGHT = 0.12
BELOW = 0.40
CELL = 1.5
GAP = 0.07
#: Brown, white, green: told apart by colour-blind readers.
SHADES = LinearSegmentedColormap.from_list("agreement", ["#B8702A", "#FFFFFF", ACROSS_INDIVIDUALS])
MANY = 1000


def scored(data: FigureData) -> pd.DataFrame:
    """Correlation across individuals: genes x models, controls and models without any left out; sorted by gene."""
    columns = {model: across_individuals(data, model)["value"] for model in main_models(data)}
    columns = {model: values for model, values in columns.items() if len(values)}
    return pd.DataFrame(columns).sort_index()


@lru_cache(maxsize=1)
def table(data: FigureData) -> pd.DataFrame:
    """Pairs of models with spearman, lower, upper, n, p over their common genes, then the points: gene, value_a, value_b.

    ``mark`` is ``pair`` or ``gene``; with one model its genes stand alone, without a second value.
    """
    values = scored(data)
    columns = ["mark", "model_a", "model_b", "spearman", "lower", "upper", "n", "p", "gene_id", "value_a", "value_b"]
    pairs, genes = [], []
    for a, b in combinations(map(str, values), 2):
        both = values[[a, b]].dropna()
        found = correlate(both[[a]].to_numpy().T, both[[b]].to_numpy().T, "spearman", "genes")
        # A constant side ranks nothing: no interval.
        value = np.where([bool(found.note[0])], np.nan, found.value)
        lower, upper = fisher_interval(value, found.n, "spearman")
        row = {"spearman": found.value[0], "lower": lower[0], "upper": upper[0], "p": found.p[0]}
        pairs.append({"mark": "pair", "model_a": a, "model_b": b, **row, "n": len(both)})
        named = both.rename_axis("gene_id").reset_index().rename(columns={a: "value_a", b: "value_b"})
        genes.append(named.assign(mark="gene", model_a=a, model_b=b))
    if len(values.columns) == 1:
        (only,) = values.columns
        named = values[only].rename("value_a").rename_axis("gene_id").reset_index()
        genes.append(named.assign(mark="gene", model_a=only, model_b=""))
    parts = [part.reindex(columns=columns) for part in (pd.DataFrame(pairs), *genes) if len(part)]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return whole.fillna({"gene_id": ""}).astype({"n": "Int64"})


def draw(data: FigureData) -> Figure:
    """Draw the figure; models in the order of ``data.predictions``."""
    values = scored(data)
    models = list(values.columns)
    if len(models) < 2:
        who = f"only {data.label(models[0])} has" if models else "no model has"
        return in_words(
            data,
            FIGURE.title,
            f"Agreement needs two models; in this run {who} predictions that differ between people. Name further "
            "models or baselines in the configuration.",
        )
    found = table(data)
    pairs = found[found["mark"] == "pair"].set_index(["model_a", "model_b"])
    with applied():
        return _matrix(data, values, pairs) if len(models) <= MOST else _heat(data, models, pairs)


def _matrix(data: FigureData, values: pd.DataFrame, pairs: pd.DataFrame) -> Figure:
    models = list(values.columns)
    cell = min(CELL, (JOURNAL_WIDTH - LEFT - RIGHT) / len(models))
    height = BELOW + cell * len(models) + 0.04
    figure = canvas(data, FIGURE.title, JOURNAL_WIDTH, height)
    reach = min(1.0, float(np.ceil(np.nanmax(np.abs(values.to_numpy())) * 10.5) / 10))
    left = (JOURNAL_WIDTH - cell * len(models) + LEFT - RIGHT) / 2
    for i, row in enumerate(models):
        for j, column in enumerate(models):
            corner = (left + j * cell, BELOW + (len(models) - 1 - i) * cell)
            axes = panel(figure, *corner, cell - GAP, cell - GAP)
            if i == j:
                _histogram(axes, values[row].dropna().to_numpy(), data.label(row), reach, cell)
            elif i > j:
                _scatter(axes, values[[column, row]].dropna(), reach)
            else:
                _said(axes, pairs.loc[[(row, column)]].iloc[0], cell)
            if i == len(models) - 1:
                axes.set_xlabel(shortened(data.label(column), cell - 0.05, SMALL), fontsize=SMALL)
            else:
                axes.tick_params(labelbottom=False)
            # The first row's first panel is a histogram: its height is no correlation.
            if j == 0 and i > 0:
                axes.set_ylabel(shortened(data.label(row), cell - 0.05, SMALL), fontsize=SMALL)
            else:
                axes.tick_params(labelleft=False)
    return figure


def _histogram(axes: Axes, values: npt.NDArray[np.float64], name: str, reach: float, cell: float) -> None:
    axes.hist(values, bins=np.linspace(-reach, reach, 21).tolist(), color=ACROSS_INDIVIDUALS, alpha=0.55, linewidth=0)
    axes.axvline(0, ymax=0.8, color=INK, linewidth=0.6)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.75)
    axes.set_xticks(_ticks(reach))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    lines = wrapped(name, cell - GAP - 0.06, TEXT, bold=True)[:2]
    axes.text(0.03, 0.97, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=TEXT, fontweight="bold")


def _scatter(axes: Axes, both: pd.DataFrame, reach: float) -> None:
    x, y = both.to_numpy().T
    axes.axhline(0, color=RULE, linewidth=0.6, zorder=0)
    axes.axvline(0, color=RULE, linewidth=0.6, zorder=0)
    axes.plot([-reach, reach], [-reach, reach], color=RULE, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0)
    many = len(x) > MANY
    size = 8 if len(x) <= 60 else 3 if not many else 1
    axes.scatter(x, y, s=size, color=ACROSS_INDIVIDUALS, alpha=0.3 if many else 0.6, linewidths=0, rasterized=many)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_xticks(_ticks(reach))
    axes.set_yticks(_ticks(reach))


def _ticks(reach: float) -> list[float]:
    """Zero and one round number on either side, away from the edges, where the next panel's begin."""
    most = max(step for step in (0.05, 0.1, 0.2, 0.3, 0.5) if step <= max(0.72 * reach, 0.05))
    return [-most, 0, most]


def _said(axes: Axes, pair: pd.Series, cell: float) -> None:
    """Correlation, interval and number of genes, on a shade of the correlation."""
    value = float(pair["spearman"])
    axes.set_facecolor(SHADES(0.5 + 0.3 * value) if np.isfinite(value) else "white")
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    lines = [
        (number(value) if np.isfinite(value) else "not known", HEADING + (2 if cell > 1.1 else 0), INK, "bold"),
        (f"[{number(pair['lower'])}, {number(pair['upper'])}]" if np.isfinite(value) else "", SMALL, INK, "normal"),
        (f"n = {int(pair['n']):,}", SMALL, INK, "normal"),
    ]
    for line, (text, size, colour, weight) in enumerate(lines):
        axes.text(
            *(0.5, 0.5 + (0.15 - 0.14 * line) / cell, text),
            transform=axes.transAxes,
            ha="center",
            va="center",
            fontsize=size,
            color=colour,
            fontweight=weight,
        )


def _heat(data: FigureData, models: list[str], pairs: pd.DataFrame) -> Figure:
    """Correlations of all pairs as shaded cells with numbers; lower triangle."""
    left = 1.35
    rows, columns = models[1:], models[:-1]
    cell = min(0.6, (JOURNAL_WIDTH - left - RIGHT) / len(columns))
    tall = min(cell, 0.42)
    foot = 0.5
    figure = canvas(data, FIGURE.title, JOURNAL_WIDTH, foot + tall * len(rows) + 0.04)
    axes = panel(figure, left, foot, cell * len(columns), tall * len(rows))
    shown = np.full((len(rows), len(columns)), np.nan)
    for (a, b), pair in zip(pairs.index, pairs.to_dict("records"), strict=True):
        i, j = rows.index(b), columns.index(a)
        shown[i, j] = pair["spearman"]
        text = number(pair["spearman"]) if np.isfinite(pair["spearman"]) else "\u2013"
        axes.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=SMALL)
    # Shades end beyond 1, so that black numbers stay readable on all of them.
    axes.pcolormesh(shown, cmap=SHADES, vmin=-1.5, vmax=1.5, edgecolors="white", linewidth=0.6)
    axes.set_xlim(0, len(columns))
    axes.set_ylim(len(rows), 0)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    names = [shortened(data.label(model), left - 0.15, TEXT) for model in rows]
    axes.set_yticks(np.arange(len(rows)) + 0.5, names, fontsize=TEXT)
    lines = ["\n".join(wrapped(data.label(model), cell - 0.03, SMALL)[:3]) for model in columns]
    axes.set_xticks(np.arange(len(columns)) + 0.5, lines, fontsize=SMALL)
    counts = pairs["n"].astype("int64")
    genes = f"{counts.min():,}" if counts.min() == counts.max() else f"{counts.min():,} to {counts.max():,}"
    said = f"Spearman correlation of two models' correlations across individuals, over the {genes} genes that both have"
    axes.text(
        *(1, 1, "\n".join(wrapped(said, 0.55 * cell * len(columns), SMALL))),
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=SMALL,
        color=FAINT,
        linespacing=1.3,
    )
    return figure
