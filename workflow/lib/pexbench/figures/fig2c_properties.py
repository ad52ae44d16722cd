"""In which genes does a model rank people? Correlation against properties of the gene (the paper's Fig. 2c)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from scipy import stats

from pexbench.figures import FigureCard, FigureData
from pexbench.figures.joined import across_individuals, lead_variants, main_models
from pexbench.figures.one_gene import LEAST_P
from pexbench.figures.style import (
    ACROSS_INDIVIDUALS,
    FAINT,
    INK,
    JOURNAL_WIDTH,
    MARGIN,
    RULE,
    SMALL,
    TEXT,
    applied,
    canvas,
    counted,
    in_words,
    number,
    panel,
    probability,
    say,
    text_width,
    wrapped,
    zero_line,
)
from pexbench.figures.trend import trend
from pexbench.scores.across_genes import PSEUDOCOUNT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

FIGURE = FigureCard(
    name="fig2c_properties",
    title="In which genes do the models rank people?",
    caption=(
        "Spearman correlation across individuals, one point per gene, one row per model (controls left out), against "
        "the strength of the gene's own eQTL (-log10 p of its lead variant), the lead variant's distance from the TSS "
        "(kb, either side; nearer than 0.1 kb is shown at 0.1 kb), median expression (log2, 0.01 added) and the "
        "coefficient of variation across people (standard deviation over mean, both not logged). Line and band: local "
        "linear trend (tricube weights, each fit sees 75 % of the genes) with a pointwise 95 % interval (bootstrap over "
        "genes), where 95 % of the genes lie, from 10 genes on. Above each panel: Spearman correlation of the gene's "
        "score with the property and its p value. These p values are not corrected for the number of panels, and take "
        "genes for independent, which neighbouring genes are not. Genes where a model predicts no difference between "
        "people are left out. The properties go together: strong eQTLs lie nearer to the TSS, and variation falls with "
        "expression. The eQTL is measured in the same people as the correlation, so that both share their noise, and "
        "the lead variant is the strongest of many: its p value is not corrected, and it may stand for a neighbour in "
        "linkage disequilibrium."
    ),
    paper="Fig. 2c",
    order=50,
    needs=("associations",),
)
#: Rows shown; the table has all.
MOST_ROWS = 10
#: kb: shown at least.
NEAREST = 0.1
#: More genes than this are drawn as pixels inside the vector files.
MANY = 400
# Inches: the models' names, panels, gaps.
NAMES, WIDE, GAP = 1.32, 1.34, 0.13
COLUMNS = ("model", "gene_id", "property", "x", "value", "kind", "lower", "upper", "rho", "p", "n")


@dataclass(frozen=True)
class Property:
    """A column of panels."""

    name: str
    label: str
    log: bool
    absent: str


PROPERTIES = (
    Property("neg_log10_p", "eQTL strength\n(\u2212log10 p, lead variant)", True, "no associations in this run"),
    Property("distance_kb", "lead variant to TSS\n(kb)", True, "no associations in this run"),
    Property("median_expression", "median expression\n(log2)", False, "no expression levels"),
    Property(
        "variation", "coefficient of variation\nof expression", True, "not defined: expression has negative values"
    ),
)


def properties(data: FigureData) -> pd.DataFrame:
    """Properties of every gene with expression or a lead variant: index ``gene_id``, one column per property.

    Expression with negative values is taken for logged or normalised: its median is left as it is, and it has no
    coefficient of variation.
    """
    leads = lead_variants(data)
    levels = data.expression_genes.sort_index()
    levels = levels[sorted(levels.columns)].astype(np.float64)
    logged = bool((levels < 0).any(axis=None))
    median, mean = levels.median(axis=1), levels.mean(axis=1)
    variation = levels.std(axis=1, ddof=1) / mean.where(mean > 0)
    found = pd.DataFrame(
        {
            "neg_log10_p": -np.log10(leads["p"].astype(np.float64).clip(lower=LEAST_P)),
            "distance_kb": leads["distance"].astype(np.float64).abs().div(1000).clip(lower=NEAREST),
            "median_expression": median if logged else np.log2(median + PSEUDOCOUNT),
            "variation": variation.where(variation > 0) if not logged else np.nan,
        }
    ).sort_index()
    found["neg_log10_p"] = found["neg_log10_p"].where(found["neg_log10_p"] > 0)
    return found.rename_axis("gene_id")


def points(data: FigureData, model: str, known: pd.DataFrame, name: str) -> pd.DataFrame:
    """Columns ``gene_id``, ``x``, ``value`` of one panel, genes that have both, sorted."""
    both = across_individuals(data, model)[["value"]].join(known[name].rename("x"), how="inner").dropna()
    return both.rename_axis("gene_id").reset_index()[["gene_id", "x", "value"]].astype({"x": float, "value": float})


def rank_correlation(x: Floats, y: Floats) -> tuple[float, float]:
    """Spearman correlation with its p value; NaN for fewer than three points or where one side is constant."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan"), float("nan")
    found = stats.spearmanr(x, y)
    return float(found.statistic), float(found.pvalue)


def fitted(shown: pd.DataFrame, log: bool) -> pd.DataFrame:
    """Trend of one panel, made on the scale that is drawn, ``x`` in the property's unit."""
    x = shown["x"].to_numpy(dtype=np.float64)
    found = trend(np.log10(x) if log else x, shown["value"].to_numpy(dtype=np.float64))
    return found.assign(x=10 ** found["x"]) if log else found


@lru_cache(maxsize=1)
def table(data: FigureData) -> pd.DataFrame:
    """The points, trends and correlations shown.

    Returns:
        ``kind`` ``gene``: the correlation ``value`` of ``gene_id`` at ``x``; ``trend``: the trend's ``value`` with
        ``lower`` and ``upper``; ``correlation``: ``rho``, ``p`` and ``n`` of a panel.
    """
    known = properties(data)
    parts = []
    for model in main_models(data):
        for one in PROPERTIES:
            shown = points(data, model, known, one.name)
            if shown.empty:
                continue
            rho, p = rank_correlation(shown["x"].to_numpy(), shown["value"].to_numpy())
            line = fitted(shown, one.log).rename(columns={"trend": "value"})
            told = pd.DataFrame({"rho": [rho], "p": [p], "n": [len(shown)]})
            for kind, part in (("gene", shown), ("trend", line), ("correlation", told)):
                if len(part):
                    parts.append(part.assign(kind=kind, model=model, property=one.name).reindex(columns=list(COLUMNS)))
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.DataFrame(
        {name: [value for part in parts for value in part[name]] for name in COLUMNS}, columns=list(COLUMNS)
    ).astype({"n": "Int64"})


def log_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers on a log axis, at least two where there are any, at most about ``most``."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    best: list[float] = []
    for digits in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
        found = [digit * 10.0**decade for decade in decades for digit in digits]
        found = [value for value in found if low <= value <= high]
        best = found if len(found) > len(best) else best
        if len(best) >= 3:
            break
    if len(best) >= 2:
        return best[:: -(-len(best) // most)]
    return [float(f"{value:.3g}") for value in MaxNLocator(3).tick_values(low, high) if low <= value <= high]


def _limits(x: Floats, log: bool) -> tuple[float, float]:
    values = np.log10(x) if log else x
    low, high = float(values.min()), float(values.max())
    pad = 0.06 * (high - low) or (0.1 if log else 0.5)
    low, high = low - pad, high + pad
    return (10**low, 10**high) if log else (low, high)


def _axis(axes: Axes, one: Property, limits: tuple[float, float], last: bool) -> None:
    """The property's scale, the same in every row; numbers below the last row."""
    if one.log:
        axes.set_xscale("log")
    axes.set_xlim(*limits)
    ticks = log_ticks(*limits) if one.log else [*MaxNLocator(4).tick_values(*limits)]
    inside = [tick for tick in ticks if limits[0] <= tick <= limits[1]]
    axes.xaxis.set_major_locator(FixedLocator(_apart(inside, limits, one.log)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "\u2212")))
    axes.tick_params(axis="x", labelbottom=last)
    if last:
        axes.set_xlabel(one.label, linespacing=1.2)


def _apart(ticks: list[float], limits: tuple[float, float], log: bool) -> list[float]:
    """Ticks whose labels do not touch."""
    scale = np.log10 if log else float
    kept: list[float] = []
    free = -np.inf
    for tick in ticks:
        place = (scale(tick) - scale(limits[0])) / (scale(limits[1]) - scale(limits[0])) * WIDE
        half = text_width(f"{tick:g}", SMALL) / 2 + 0.02
        # A label that reaches over the panel's end would meet the next panel's.
        if place - half >= free and place - half >= -GAP / 2 and place + half <= WIDE + GAP / 2:
            kept.append(tick)
            free = place + half
    return kept


def _panel(axes: Axes, own: pd.DataFrame) -> None:
    """Points, trend and correlation: a panel's rows of :func:`table`."""
    kind = own["kind"]
    shown, line, told = own[kind == "gene"], own[kind == "trend"], own[kind == "correlation"].iloc[0]
    x, y = shown["x"].to_numpy(), shown["value"].to_numpy()
    axes.scatter(
        x,
        y,
        s=7 if len(x) <= 60 else 3 if len(x) <= MANY else 1.5,
        color=ACROSS_INDIVIDUALS,
        alpha=0.7 if len(x) <= MANY else 0.25,
        linewidths=0,
        rasterized=len(x) > MANY,
        zorder=2,
    )
    axes.fill_between(line["x"], line["lower"], line["upper"], color=INK, alpha=0.18, linewidth=0, zorder=3)
    axes.plot(line["x"], line["value"], color=INK, linewidth=1.1, zorder=4)
    rho, p = float(told["rho"]), float(told["p"])
    said = f"\u03c1 = {number(rho)}, {probability(p)}" if np.isfinite(rho) else "no correlation"
    axes.text(0, 1.02, said, transform=axes.transAxes, fontsize=SMALL, color=FAINT, va="bottom")


def draw(data: FigureData) -> Figure:
    """Draw the figure; one row per model, in the order of ``data.predictions``."""
    known = properties(data)
    scored = {model: across_individuals(data, model) for model in main_models(data)}
    scored = {model: values for model, values in scored.items() if len(values.join(known, how="inner"))}
    if not scored:
        return in_words(
            data,
            FIGURE.title,
            "No model besides the controls has a gene with a correlation across individuals: there is nothing to set "
            "against the properties of genes.",
        )
    models = list(scored)[:MOST_ROWS]
    found = table(data)
    with applied():
        high = min(1.15, (7.6 - 0.21 * len(models)) / len(models))
        step = high + 0.21
        more = [] if len(scored) <= MOST_ROWS else [f"{len(scored) - MOST_ROWS} more models stand in the table."]
        bottom = 0.44 + 0.14 * len(more)
        figure = canvas(data, FIGURE.title, JOURNAL_WIDTH, bottom + step * len(models) + 0.04)
        values = np.concatenate([scored[model]["value"].to_numpy() for model in models])
        low, highest = max(-1.05, min(-0.1, 1.1 * values.min())), min(1.05, max(0.1, 1.1 * values.max()))
        genes = pd.Index([]).append([scored[model].index for model in models]).unique()
        told = (one.name for one in PROPERTIES if known[one.name].reindex(genes).notna().any())
        first = next(told, None)  # the panel with numbers on its axis; none where no property is known
        for row, model in enumerate(models):
            corner = bottom + (len(models) - 1 - row) * step
            _name(figure, data, model, corner + high / 2, len(scored[model]))
            for column, one in enumerate(PROPERTIES):
                x = known[one.name].reindex(genes).dropna().to_numpy(dtype=np.float64)
                left = NAMES + column * (WIDE + GAP)
                if not len(x):
                    if row == 0:
                        _absent(figure, one, left, bottom, high + step * (len(models) - 1))
                    continue
                axes = panel(figure, left, corner, WIDE, high)
                axes.set_ylim(low, highest)
                axes.yaxis.set_major_locator(MaxNLocator(4 if high > 0.8 else 3, steps=[1, 2, 2.5, 5, 10]))
                axes.tick_params(axis="y", labelleft=one.name == first)
                axes.grid(axis="y", color=RULE)
                zero_line(axes, vertical=False)
                _axis(axes, one, _limits(x, one.log), last=row == len(models) - 1)
                own = found[(found["model"] == model) & (found["property"] == one.name)]
                if len(own):
                    _panel(axes, own)
        for line in more:
            say(figure, MARGIN, 0.06, line, fontsize=SMALL, color=FAINT)
        return figure


def _name(figure: Figure, data: FigureData, model: str, middle: float, genes: int) -> None:
    lines = wrapped(data.label(model), NAMES - MARGIN - 0.42, TEXT, bold=True)[:3]
    place = middle + 0.06 * len(lines)
    for line in lines:
        say(figure, MARGIN, place, line, fontsize=TEXT, fontweight="bold", va="center")
        place -= 0.12
    say(figure, MARGIN, place, counted(genes, "gene", "genes"), fontsize=SMALL, color=FAINT, va="center")


def _absent(figure: Figure, one: Property, left: float, bottom: float, high: float) -> None:
    """A column without data, in words."""
    # Narrower, for the numbers of the next column's axis.
    axes = panel(figure, left, bottom, WIDE - 0.22, high, xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(RULE)
    lines = [one.label.replace("\n", " "), one.absent]
    said = "\n".join(part for line in lines for part in wrapped(line, WIDE - 0.4, SMALL))
    axes.text(0.5, 0.5, said, transform=axes.transAxes, ha="center", va="center", fontsize=SMALL, color=FAINT)
