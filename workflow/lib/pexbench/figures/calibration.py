"""Is a predicted effect as large as the measured one, and in the same direction?"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from scipy import stats

from pexbench.figures import FigureCard, FigureData
from pexbench.figures.joined import counted_effects, exact_share, lead_variants, main_models
from pexbench.figures.style import (
    ACROSS_INDIVIDUALS,
    FAINT,
    HEADING,
    INK,
    JOURNAL_WIDTH,
    MARGIN,
    SMALL,
    WARNING,
    applied,
    canvas,
    counted,
    in_words,
    listed,
    number,
    panel,
    say,
    shortened,
    wrapped,
    zero_line,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

FIGURE = FigureCard(
    name="calibration",
    title="Predicted against measured effect of each gene's lead variant",
    caption=(
        "One point per gene: effect of one copy of the lead variant's ALT allele on measured expression (vertical, "
        "slope over people with 1.96 standard errors where there is room; unit of the expression table) against the "
        "predicted effect (horizontal). Models predict in different units: each model's effects are divided by their "
        "own root mean square over genes (the unit below the panel), so that only sign and relative size can be "
        "judged, not the absolute size. 'Effect of ALT' is the prediction with two copies of this allele alone on "
        "the reference, less the reference's; 'regression on dosage' (models without computed effects, and beside "
        "them where more than half of the lead variants have none, for example outside the model's window) is the slope "
        "of people's predictions on the dosage, which takes in neighbours in linkage disequilibrium. Filled: the "
        "measured association passes 0.05 after Bonferroni correction for the gene's variants; open: it does not, and "
        "its sign may be chance. Triangles at the border: predicted effects beyond four times the typical one. Green "
        "quadrants, right sign; numbers are genes. Line and wedge: least squares through the origin, because which "
        "allele is called ALT is arbitrary, with 95 % interval (robust to unequal variances, HC3, t distribution; from "
        "5 genes on); share of right signs with exact 95 % interval. Controls are left out, and so are genes without a "
        "predicted effect. Winner's curse: the lead variant is the one with the strongest of many associations in "
        "these people, so that measured effects are too large on "
        "average, the more the weaker the association, and slopes of the line with them. The lead variant need not be "
        "the causal one: a model can be right about its own effect, near zero, and count as wrong. Neighbouring genes "
        "share variants, so that intervals are too narrow."
    ),
    order=60,
    needs=("associations", "leads", "lead_effects", "direction"),
)
EFFECT, REGRESSION = "effect of ALT", "regression on dosage"
#: Typical effects: farther points stand at the border.
FARTHEST = 4.0
#: More genes than this: no error bars; and than that: pixels inside the vector files.
SOME, MANY = 60, 400
LEVEL = 0.05
#: Panels that fit on a page.
MOST_PANELS = 12
#: Fewer genes give no interval of the slope.
LEAST = 5
#: Behind the quadrants of the right sign.
RIGHT = "#E6F4EF"
COLUMNS = (
    *("kind", "model", "basis", "gene_id", "variant", "predicted", "scale", "scaled", "measured", "se"),
    *("p_bonferroni", "right", "n", "share", "slope", "lower", "upper"),
)
#: Name, whether measured and predicted are positive.
QUADRANTS = (
    ("both raise", True, True),
    ("both lower", False, False),
    ("measured raises, predicted lowers", True, False),
    ("measured lowers, predicted raises", False, True),
)
# Inches: panels and what stands between them.
WIDE, HIGH, GAP, BELOW, ABOVE, LEFT = 1.42, 1.42, 0.2, 0.42, 0.42, 0.55
MOST_COLUMNS = 4


def dosage_slopes(data: FigureData, model: str) -> pd.Series[float]:
    """Slope of people's predictions on copies of the lead variant's ALT allele, by gene, where it is not 0."""
    if data.leads is None:
        return pd.Series(dtype=np.float64)
    table = data.predictions[model][["gene_id", "sample", "prediction"]].merge(
        data.leads[["gene_id", "sample", "dosage"]], on=["gene_id", "sample"]
    )
    table = table.dropna().sort_values(["gene_id", "sample"], ignore_index=True)
    values = table[["prediction", "dosage"]].astype(np.float64)
    grouped = values.groupby(table["gene_id"], sort=True)
    # A constant stays exactly constant, and its slope 0.
    away = values - grouped.transform("mean")
    varied = grouped.transform("min") != grouped.transform("max")
    away = away.where(varied, 0.0)
    above = (away["prediction"] * away["dosage"]).groupby(table["gene_id"], sort=True).sum()
    below = (away["dosage"] ** 2).groupby(table["gene_id"], sort=True).sum()
    slope = above[below > 0] / below[below > 0]
    return slope[np.isfinite(slope) & (slope != 0)]


def genes(data: FigureData, model: str, basis: str) -> pd.DataFrame:
    """The points of one panel, sorted by gene: rows of :func:`table`, ``kind`` ``gene``."""
    effect = counted_effects(data, model) if basis == EFFECT else dosage_slopes(data, model)
    leads = lead_variants(data)
    both = leads.join(effect.rename("predicted"), how="inner").sort_index()
    both = both[both["predicted"].notna() & (both["slope"].astype(np.float64) != 0)]
    scale = float(np.sqrt((both["predicted"] ** 2).mean())) if len(both) else float("nan")
    return (
        pd.DataFrame(
            {
                "kind": "gene",
                "model": model,
                "basis": basis,
                "gene_id": both.index,
                "variant": both["lead_variant"].to_numpy(),
                "predicted": both["predicted"].to_numpy(dtype=np.float64),
                "scale": scale,
                "scaled": both["predicted"].to_numpy(dtype=np.float64) / scale,
                "measured": both["slope"].to_numpy(dtype=np.float64),
                "se": both["se"].to_numpy(dtype=np.float64),
                "p_bonferroni": both["p_bonferroni"].to_numpy(dtype=np.float64),
            }
        )
        .assign(right=lambda shown: np.sign(shown["predicted"]) == np.sign(shown["measured"]))
        .reindex(columns=list(COLUMNS))
    )


def through_origin(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Least-squares slope through the origin with a 95 % interval.

    Standard error HC3 (MacKinnon and White 1985, 10.1016/0304-4076(85)90158-7), t distribution with N - 1 degrees of
    freedom.

    Args:
        x: float64 [N].
        y: float64 [N].

    Returns:
        Slope, lower and upper end; the ends are NaN for fewer than :data:`LEAST` points, or where one decides the slope.
    """
    square = float(x @ x)
    if square == 0:
        return float("nan"), float("nan"), float("nan")
    slope = float(x @ y) / square
    leverage = x**2 / square
    if len(x) < LEAST or leverage.max() > 1 - 1e-12:
        return slope, float("nan"), float("nan")
    error = np.sqrt(np.sum((x * (y - slope * x) / (1 - leverage)) ** 2)) / square
    half = float(stats.t.ppf(0.975, len(x) - 1) * error)
    return slope, slope - half, slope + half


def fit(shown: pd.DataFrame) -> pd.DataFrame:
    """Line, share of right signs and quadrants of one panel: rows of :func:`table`, ``kind`` other than ``gene``."""
    if shown.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    slope, low, high = through_origin(shown["scaled"].to_numpy(), shown["measured"].to_numpy())
    share, lower, upper = exact_share(int(shown["right"].sum()), len(shown))
    rows: list[dict[str, object]] = [
        {"kind": "slope", "n": len(shown), "slope": slope, "lower": low, "upper": high},
        {"kind": "right sign", "n": int(shown["right"].sum()), "share": share, "lower": lower, "upper": upper},
    ]
    for name, up, right in QUADRANTS:
        count = int((((shown["measured"] > 0) == up) & ((shown["predicted"] > 0) == right)).sum())
        rows.append({"kind": f"quadrant: {name}", "n": count, "share": count / len(shown)})
    about = {name: shown[name].iloc[0] for name in ("model", "basis", "scale")}
    return pd.DataFrame([row | about for row in rows]).reindex(columns=list(COLUMNS))


@lru_cache(maxsize=1)
def table(data: FigureData) -> pd.DataFrame:
    """The points and numbers shown, and those of models' other ``basis``, where there is one.

    Returns:
        ``kind`` ``gene``: ``predicted`` effect (model's unit; of two copies of ALT, or per copy where it is a slope), ``scale`` (root mean square over genes),
        ``scaled`` (their ratio), ``measured`` slope with ``se``, ``right`` (same sign). ``slope``: least squares
        through the origin of measured on scaled, over ``n`` genes. ``right sign``: ``n`` genes, their ``share`` with
        interval. ``quadrant: ...``: ``n`` genes and their ``share``.
    """
    parts = []
    for model in main_models(data):
        for basis in (EFFECT, REGRESSION):
            shown = genes(data, model, basis)
            parts += [part for part in (shown, fit(shown)) if len(part)]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.DataFrame({name: [value for part in parts for value in part[name]] for name in COLUMNS})


def _points(axes: Axes, shown: pd.DataFrame) -> None:
    x = shown["scaled"].to_numpy()
    y = shown["measured"].to_numpy()
    sure = (shown["p_bonferroni"] < LEVEL).to_numpy(dtype=bool)
    far = np.abs(x) > FARTHEST
    drawn = np.clip(x, -FARTHEST, FARTHEST)
    colours = np.where(shown["right"].to_numpy(dtype=bool), ACROSS_INDIVIDUALS, WARNING)
    if len(x) <= SOME:
        axes.errorbar(drawn, y, 1.96 * shown["se"].to_numpy(), fmt="none", ecolor=FAINT, elinewidth=0.4, zorder=1)
    for chosen, marker in ((~far, "o"), (far & (x > 0), ">"), (far & (x < 0), "<")):
        axes.scatter(
            drawn[chosen],
            y[chosen],
            s=9 if len(x) <= SOME else 4,
            marker=marker,
            facecolors=np.where(sure, colours, "white")[chosen],
            edgecolors=colours[chosen],
            linewidths=0.6,
            rasterized=len(x) > MANY,
            alpha=1 if len(x) <= MANY else 0.6,
            clip_on=False,
            zorder=3,
        )


def _panel(axes: Axes, shown: pd.DataFrame, span: float, possible: int) -> None:
    told = fit(shown).set_index("kind")
    limit = min(FARTHEST, 1.15 * float(shown["scaled"].abs().max()))
    axes.set_xlim(-1.02 * limit, 1.02 * limit)
    axes.set_ylim(-span, span)
    for side in (-1, 1):
        axes.fill_between([0, 1.02 * side * limit], 0, side * span, color=RIGHT, linewidth=0, zorder=0)
    zero_line(axes)
    zero_line(axes, vertical=False)
    ends = np.array([-limit, limit])
    line = told.loc["slope"]
    axes.plot(ends, line["slope"] * ends, color=INK, linewidth=1.1, zorder=4)
    if np.isfinite(line["lower"]):
        axes.fill_between(
            ends, line["lower"] * ends, line["upper"] * ends, color=INK, alpha=0.15, linewidth=0, zorder=2
        )
    _points(axes, shown)
    for name, up, right in QUADRANTS:
        axes.text(
            0.97 if right else 0.03,
            0.97 if up else 0.03,
            f"{told.loc[f'quadrant: {name}', 'n']:,}",
            transform=axes.transAxes,
            ha="right" if right else "left",
            va="top" if up else "bottom",
            fontsize=SMALL,
            fontweight="bold",
            color=ACROSS_INDIVIDUALS if up == right else WARNING,
            zorder=5,
            bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.6},
        )
    share = told.loc["right sign"]
    hits = f"{share['n']:,}/{len(shown):,}"
    said = f"right {hits}: {100 * share['share']:.0f} % [{100 * share['lower']:.0f}, {100 * share['upper']:.0f}]"
    slope, lower, upper = (number(float(line[name])) for name in ("slope", "lower", "upper"))
    fitted = f"slope {slope} [{lower}, {upper}]" if np.isfinite(line["lower"]) else f"slope {slope}"
    axes.text(0, 1.02, f"{said}\n{fitted}", transform=axes.transAxes, fontsize=SMALL, color=FAINT, va="bottom")
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    unit = f"{shown['scale'].iloc[0]:.2g}".replace("-", "\u2212")
    count = f"{len(shown):,} of {counted(possible, 'gene', 'genes')}"
    axes.set_xlabel(f"{shown['basis'].iloc[0]}\n{count}, unit {unit}", fontsize=SMALL, linespacing=1.2)


def panels(data: FigureData) -> tuple[dict[tuple[str, str], pd.DataFrame], list[str]]:
    """Points by model and basis, in the order of the figure.

    Computed effects where there are any; beside them the slope on dosage where more than half of the genes have no
    effect, as of a model whose window the lead variants lie outside of; else the slope alone.

    Returns:
        The panels, and the models whose second panel there is no room for.
    """
    shown: dict[tuple[str, str], pd.DataFrame] = {}
    second: dict[tuple[str, str], pd.DataFrame] = {}
    found = table(data)
    points = found[found["kind"] == "gene"]
    for model in main_models(data):
        own = points[points["model"] == model]
        effects, slopes = (own[own["basis"] == basis] for basis in (EFFECT, REGRESSION))
        if len(effects):
            shown[model, EFFECT] = effects
        if len(slopes) > 2 * len(effects):
            (second if len(effects) else shown)[model, REGRESSION] = slopes
    if len(shown) + len(second) > MOST_PANELS:
        return shown, [model for model, _ in second]
    both = shown | second
    return {key: both[key] for model in main_models(data) for key in both if key[0] == model}, []


def _remarks(data: FigureData, shown: dict[tuple[str, str], pd.DataFrame], more: list[str]) -> str:
    """What is not there, in words."""
    drawn = {model for model, _ in shown}
    silent = [data.label(model) for model in main_models(data) if model not in drawn]
    outside = [
        data.label(model) for model in main_models(data) if model in data.lead_effects and (model, EFFECT) not in shown
    ]
    found = []
    if outside:
        found.append(f"No effect of any gene's lead variant alone: {listed(outside)}.")
    if set(silent) - set(outside):
        found.append(f"No predicted effect: {listed([name for name in silent if name not in outside])}.")
    if more:
        found.append(f"Regressions on dosage stand in the table: {listed([data.label(model) for model in more])}.")
    return " ".join(found)


def draw(data: FigureData) -> Figure:
    """Draw the figure; models in the order of ``data.predictions``, one panel or two each (:func:`panels`)."""
    shown, more = panels(data)
    if not shown:
        reason = (
            "This run has no associations of variants with expression: run the target 'associations' first."
            if data.associations is None
            else "No model besides the controls predicts an effect of a gene's lead variant."
        )
        return in_words(data, FIGURE.title, reason)
    with applied():
        lines = wrapped(_remarks(data, shown, more), JOURNAL_WIDTH - 2 * MARGIN, SMALL)
        possible = len(lead_variants(data))
        columns = min(len(shown), MOST_COLUMNS)
        rows = -(-len(shown) // columns)
        bottom = 0.3 + 0.11 * len(lines)
        step = ABOVE + HIGH + BELOW
        figure = canvas(data, FIGURE.title, JOURNAL_WIDTH, bottom + rows * step)
        span = 1.45 * max(float(found["measured"].abs().max()) for found in shown.values())
        for place, ((model, _), found) in enumerate(shown.items()):
            row, column = divmod(place, columns)
            corner = bottom + (rows - 1 - row) * step + BELOW
            axes = panel(figure, LEFT + column * (WIDE + GAP), corner, WIDE, HIGH)
            _panel(axes, found, span, possible)
            axes.set_title(shortened(data.label(model), WIDE, HEADING, bold=True), pad=19)
            axes.tick_params(axis="y", labelleft=column == 0)
            if column == 0:
                axes.set_ylabel("measured, per ALT copy")
        _key(figure, bottom - 0.24)
        for number_, line in enumerate(lines):
            say(figure, MARGIN, 0.06 + 0.11 * (len(lines) - 1 - number_), line, fontsize=SMALL, color=FAINT)
        return figure


def _key(figure: Figure, bottom: float) -> None:
    """What the points mean."""

    def point(edge: str, face: str, marker: str = "o") -> Line2D:
        return Line2D(
            [], [], linestyle="none", marker=marker, markersize=3.5, markeredgecolor=edge, markerfacecolor=face
        )

    marks = [
        point(ACROSS_INDIVIDUALS, ACROSS_INDIVIDUALS),
        point(WARNING, WARNING),
        point(INK, "white"),
        point(INK, INK, ">"),
    ]
    words = ["right sign", "wrong sign", "open: association not significant", f"beyond {FARTHEST:g} units"]
    wide, high = figure.get_size_inches()
    figure.legend(
        marks, words, loc="lower left", bbox_to_anchor=(LEFT / wide, bottom / high), ncols=4, columnspacing=1.4
    )
