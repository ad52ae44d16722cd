"""Do the models agree with each other on the sign, and are they right?"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from pexbench.figures import FigureCard, FigureData
from pexbench.figures.joined import across_individuals, counted_effects, exact_share, lead_variants, main_models
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
    panel,
    say,
    shortened,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

FIGURE = FigureCard(
    name="sign_agreement",
    title="Do the models agree on the sign, and are they right?",
    caption=(
        "Signs per gene, controls left out. Left: for each pair of models, the share of genes in which both have the "
        "same sign: below the diagonal, of the correlation across individuals; above it, of the predicted effect of "
        "the gene's lead variant, for models whose effects were computed. Small numbers: what two models that are "
        "each positive as often as they are, but independently, would agree on; 50 % is chance only where both are "
        "positive half of the time. Cells without a number share no gene. The table beside the figure has counts and "
        "95 % intervals (Clopper-Pearson). Right: the share of genes in which a model is right, with 95 % interval "
        "(Clopper-Pearson): circles, the correlation across individuals is positive; squares, the lead variant's "
        "predicted effect has the sign of the measured one; dashed, chance. Genes where a model predicts no difference "
        "between people, or no effect, are left out of its numbers. Intervals take genes for independent; neighbouring "
        "genes share variants and expression, so that they are too narrow. The lead variant is the strongest of many "
        "in the same people: it may stand for a neighbour in linkage disequilibrium, and where the association is weak "
        "its sign may be wrong itself. Bottom: genes by the number of models whose correlation is positive, of the "
        "genes that every model has; diamonds, what to expect if models were right independently of each other, each "
        "as often as it is. More genes at both ends than diamonds: models are right, and wrong, together. Baselines "
        "trained on this cohort's expression are among the models."
    ),
    order=80,
    needs=("associations", "lead_effects", "direction"),
)
AGREEMENT = LinearSegmentedColormap.from_list("agreement", ["#C04A00", "#F7F7F7", "#0072B2"])
BAR = "#7FCEB8"
COLUMNS = ("kind", "basis", "model", "other", "n_genes", "n", "share", "lower", "upper", "expected")
CORRELATION, EFFECT = "correlation", "lead effect"
#: Inches: in larger cells the expected share stands too.
BRACKETS = 0.36
# Inches: the largest matrix, most of the names' column, height of the bars.
MATRIX, NAMES, BARS = 2.6, 1.0, 1.0


def correlation_signs(data: FigureData) -> pd.DataFrame:
    """Sign of every gene's correlation across individuals: genes x models, -1 or 1, NaN where there is none."""
    values = {model: across_individuals(data, model)["value"] for model in main_models(data)}
    return _signs(values)


def effect_signs(data: FigureData) -> pd.DataFrame:
    """Sign of the predicted effect of every gene's lead variant, as :func:`correlation_signs`."""
    return _signs({model: counted_effects(data, model) for model in main_models(data) if model in data.lead_effects})


def _signs(values: dict[str, pd.Series[float]]) -> pd.DataFrame:
    found = pd.DataFrame(values, dtype=np.float64).sort_index()
    signs = pd.DataFrame(np.sign(found.to_numpy(dtype=np.float64)), index=found.index, columns=found.columns)
    return signs.where(signs != 0).dropna(how="all")


def pairs(signs: pd.DataFrame, basis: str) -> pd.DataFrame:
    """Agreement of each pair of columns; rows of :func:`table`, ``kind`` ``pair``."""
    rows = []
    for model, other in combinations(signs.columns, 2):
        both = signs[[model, other]].dropna()
        same = int((both[model] == both[other]).sum())
        share, lower, upper = exact_share(same, len(both))
        up = (both > 0).mean().to_numpy(dtype=np.float64) if len(both) else np.full(2, np.nan)
        expected = float(up[0] * up[1] + (1 - up[0]) * (1 - up[1]))
        rows.append(("pair", basis, model, other, len(both), same, share, lower, upper, expected))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def right(data: FigureData) -> pd.DataFrame:
    """How often each model is right; rows of :func:`table`, ``kind`` ``right``."""
    rows = []
    signs = correlation_signs(data)
    for model in main_models(data):
        known = signs[model].dropna() if model in signs else pd.Series(dtype=np.float64)
        hits = int((known > 0).sum())
        rows.append(("right", CORRELATION, model, "", len(known), hits, *exact_share(hits, len(known)), 0.5))
        found = _directions(data, model)
        if found is not None:
            rows.append(
                (
                    "right",
                    EFFECT,
                    model,
                    "",
                    len(found),
                    int(found.sum()),
                    *exact_share(int(found.sum()), len(found)),
                    0.5,
                )
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _directions(data: FigureData, model: str) -> pd.Series[bool] | None:
    """Whether each gene's lead effect has the measured sign: the run's table, else from effects and associations."""
    if data.direction is not None:
        rows = data.direction[data.direction["model"] == model]
        if rows.empty:
            return None
        told = rows.set_index("gene_id")["agree"].astype(str)
        return told[told.isin(["True", "False"])] == "True"
    if model not in data.lead_effects:
        return None
    effect = counted_effects(data, model)
    slope = lead_variants(data)["slope"].astype(np.float64).reindex(effect.index)
    return (effect[slope != 0] > 0) == (slope[slope != 0] > 0)


def independent_counts(rates: Floats) -> Floats:
    """Distribution of the number of hits of K independent trials (Poisson binomial).

    Args:
        rates: float64 [K], probability of each.

    Returns:
        float64 [K + 1], probability of 0 .. K hits.
    """
    found = np.ones(1)
    for rate in rates:
        found = np.convolve(found, [1 - rate, rate])
    return found


def counts(signs: pd.DataFrame) -> pd.DataFrame:
    """Genes by number of models right; rows of :func:`table`, ``kind`` ``models right``, ``model`` the number."""
    complete = signs.dropna()
    if complete.empty or signs.shape[1] < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    hits = (complete > 0).sum(axis=1)
    expected = independent_counts((complete > 0).mean().to_numpy(dtype=np.float64)) * len(complete)
    rows = [
        (
            "models right",
            CORRELATION,
            str(number),
            "",
            len(complete),
            int((hits == number).sum()),
            *exact_share(int((hits == number).sum()), len(complete)),
            float(expected[number]),
        )
        for number in range(signs.shape[1] + 1)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


@lru_cache(maxsize=1)
def table(data: FigureData) -> pd.DataFrame:
    """The numbers shown.

    Returns:
        ``kind`` ``pair`` (two models have the same sign; ``expected`` share if they were independent), ``right`` (a
        model has the measured sign; expected 0.5) or ``models right`` (``model`` is the number of models right,
        ``expected`` the number of genes if they were independent); ``basis`` ``correlation`` or ``lead effect``;
        ``n_genes`` that count, ``n`` of them with the sign, ``share`` with 95 % interval.
    """
    signs, effects = correlation_signs(data), effect_signs(data)
    parts = [pairs(signs, CORRELATION), pairs(effects, EFFECT), right(data), counts(signs)]
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def _matrix(axes: Axes, found: pd.DataFrame, models: list[str], cell: float) -> None:
    """Correlations below the diagonal, lead effects above it; numbers as large as cells allow."""
    size = 7.0 if cell > 0.42 else SMALL
    for row in found[found["kind"] == "pair"].to_dict("records"):
        if row["n_genes"] == 0:
            continue
        low, high = sorted((models.index(row["model"]), models.index(row["other"])))
        x, y = (low, high) if row["basis"] == CORRELATION else (high, low)
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=AGREEMENT(row["share"]), edgecolor="white"))
        dark = abs(row["share"] - 0.5) > 0.3
        colour = "white" if dark else INK
        small = cell > BRACKETS
        axes.text(
            *(x, y - (0.15 if small else 0), f"{100 * row['share']:.0f}"),
            ha="center",
            va="center",
            fontsize=size,
            color=colour,
            fontweight="bold" if small else "normal",
        )
        if small:
            axes.text(
                *(x, y + 0.26, f"({100 * row['expected']:.0f})"),
                ha="center",
                va="center",
                fontsize=SMALL,
                color=colour if dark else FAINT,
            )
    for place in range(len(models)):
        axes.add_patch(Rectangle((place - 0.5, place - 0.5), 1, 1, facecolor=RULE, edgecolor="white"))
    axes.set_xlim(-0.5, len(models) - 0.5)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _right(axes: Axes, found: pd.DataFrame, models: list[str]) -> bool:
    """Shares right with intervals; whether lead effects are among them."""
    shown = found[found["kind"] == "right"]
    effects = bool((shown["basis"] == EFFECT).any())
    for row in shown.to_dict("records"):
        place = models.index(row["model"]) + (0 if not effects else -0.17 if row["basis"] == CORRELATION else 0.17)
        if row["n_genes"] == 0:
            continue
        marker, colour = ("o", ACROSS_INDIVIDUALS) if row["basis"] == CORRELATION else ("s", INK)
        axes.plot([100 * row["lower"], 100 * row["upper"]], [place, place], color=colour, linewidth=1)
        axes.plot(100 * row["share"], place, marker=marker, color=colour, markersize=4, linestyle="none")
        axes.text(
            *(1.02, place, f"{row['n']:,}/{row['n_genes']:,}"),
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=SMALL,
            color=colour,
        )
    axes.axvline(50, color=FAINT, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.grid(axis="x", color=RULE)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("% of genes")
    return effects


def _bars(axes: Axes, found: pd.DataFrame, models: int) -> None:
    shown = found[found["kind"] == "models right"]
    numbers = shown["model"].astype(int)
    axes.bar(numbers, shown["n"], width=0.7, color=BAR, zorder=2)
    axes.plot(
        numbers, shown["expected"], marker="D", markersize=3.5, color=INK, linestyle="none", clip_on=False, zorder=3
    )
    axes.set_xticks(range(models + 1))
    axes.set_xlim(-0.6, models + 0.6)
    axes.set_xlabel("models whose correlation is positive")
    axes.set_ylabel("genes")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(axis="y", color=RULE)
    complete = counted(int(shown["n_genes"].iloc[0]), "gene", "genes")
    axes.set_title(f"How many of {models} models are right, {complete} that all have")
    marks = [
        Rectangle((0, 0), 1, 1, facecolor=BAR),
        Line2D([], [], marker="D", markersize=3.5, color=INK, linestyle="none"),
    ]
    axes.legend(marks, ["counted", "expected if independent"], loc="upper left", bbox_to_anchor=(1.01, 1.0))


def draw(data: FigureData) -> Figure:
    """Draw the figure; models in the order of ``data.predictions``."""
    found = table(data)
    if found.empty or found["n_genes"].max() == 0:
        return in_words(
            data,
            FIGURE.title,
            "No model besides the controls has a gene with a correlation across individuals or a lead variant's "
            "effect: there is no sign to compare.",
        )
    with applied():
        models = main_models(data)
        many = len(models) > 1
        bars = bool((found["kind"] == "models right").any())
        cell = min(MATRIX / len(models), 0.62) if many else 0.5
        high = max(cell * len(models), 0.5)
        keys = 0.2
        bottom = 0.46 + keys + (BARS + 0.62 if bars else 0)
        # Without bars a sentence stands in their place.
        said = [] if bars else wrapped(_no_bars(models), JOURNAL_WIDTH - 0.4, TEXT)
        bottom += 0.13 * len(said)
        names = [shortened(data.label(model), NAMES, TEXT) for model in models]
        numbers = [str(place + 1) for place in range(len(models))]
        figure = canvas(data, FIGURE.title, JOURNAL_WIDTH, bottom + high + 0.36)
        left = MARGIN + NAMES + 0.22
        if many:
            matrix = panel(figure, left, bottom, cell * len(models), high)
            _matrix(matrix, found, models, cell)
            matrix.set_yticks(
                range(len(models)), [f"{name}  {number}" for name, number in zip(names, numbers, strict=True)]
            )
            matrix.set_xticks(range(len(models)), numbers)
            matrix.set_title("Same sign, % of genes")
            matrix.tick_params(axis="both", labelsize=TEXT)
            matrix.set_xlabel(_explained(found, cell))
        place = left + cell * len(models) + 0.35 if many else left
        width = JOURNAL_WIDTH - place - 0.75
        axes = panel(figure, place, bottom, min(width, 3.2), high)
        effects = _right(axes, found, models)
        axes.set_ylim(len(models) - 0.5, -0.5)
        labels = numbers if many else names
        axes.set_yticks(range(len(models)), labels)
        axes.tick_params(axis="y", labelsize=TEXT)
        axes.set_title("Right sign")
        _key(figure, place, bottom - 0.36 - keys, effects)
        if bars:
            _bars(panel(figure, 0.6, 0.36, JOURNAL_WIDTH - 2.3, BARS), found, len(models))
        for number, line in enumerate(said):
            say(figure, MARGIN, 0.1 + 0.13 * (len(said) - 1 - number), line, color=FAINT, va="bottom")
        return figure


def _explained(found: pd.DataFrame, cell: float) -> str:
    """What the two triangles are, and the numbers in brackets."""
    effects = ((found["kind"] == "pair") & (found["basis"] == EFFECT) & (found["n_genes"] > 0)).any()
    sides = "below: correlation; above: lead effect" if effects else "sign of the correlation"
    return f"{sides}\n(in brackets: if independent)" if cell > BRACKETS else sides


def _no_bars(models: list[str]) -> str:
    if len(models) < 2:
        return "One model: there is no pair to compare."
    return "No gene has a correlation in every model: models right cannot be counted per gene."


def _key(figure: Figure, left: float, bottom: float, effects: bool) -> None:
    """What circles and squares are, below the right panel."""
    marks = [Line2D([], [], marker="o", color=ACROSS_INDIVIDUALS, markersize=4, linewidth=1)]
    words = ["correlation positive"]
    if effects:
        marks.append(Line2D([], [], marker="s", color=INK, markersize=4, linewidth=1))
        words.append("lead effect as measured")
    wide, high = figure.get_size_inches()
    figure.legend(
        marks, words, loc="lower left", bbox_to_anchor=(left / wide, bottom / high), ncols=2, handlelength=1.6
    )
