"""Tracks of the figure on one gene: association, then each model's effects, on one axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pexbench.figures import FigureData
from pexbench.figures.one_gene import Place, cis_points, effect_points, fact_of, lead_of, place_of, rows_of
from pexbench.figures.style import (
    FAINT,
    GENOTYPES,
    INK,
    JOURNAL_WIDTH,
    MARGIN,
    RULE,
    SMALL,
    counted,
    exponent_of,
    number,
    panel,
    power_of,
    probability,
    say,
    shortened,
    text_width,
    zero_line,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONTRIBUTION = LinearSegmentedColormap.from_list("contribution", ["#B9C6D0", "#4C9BD1", "#08306B"])
#: Grey of variants without a known contribution.
RARE = np.array([[0.6, 0.6, 0.6, 1.0]])
#: The right column is drawn where some model sees less than this part of the region.
ZOOM = 1 / 3
#: More variants than this are drawn as pixels inside the vector files.
MANY = 400
# Inches: the left edge, between the columns, the line of text above a track, the association's track.
LEFT, INNER, LINE, SIGNAL = 0.5, 0.22, 0.15, 0.62


@dataclass(frozen=True)
class Tracks:
    """What stands below the scatter panels: the places, the tables, and the ranges of the two columns (kb)."""

    place: Place
    cis: pd.DataFrame
    effects: dict[str, pd.DataFrame]
    whole: tuple[float, float]
    zoom: tuple[float, float] | None

    @classmethod
    def of(cls, data: FigureData, gene_id: str, models: list[str]) -> Tracks:
        """Read them."""
        place = place_of(rows_of(data.cis, gene_id))
        cis = cis_points(data, gene_id, place)
        effects = {model: effect_points(data, model, gene_id, place) for model in models}
        effects = {model: found for model, found in effects.items() if len(found)}
        x = np.concatenate(
            [np.zeros(0), cis["x"].to_numpy(float), *(found["x"].to_numpy() for found in effects.values())]
        )
        if place.tss is not None:
            x = np.append(x, 0.0)
        low, high = (float(x.min()), float(x.max())) if len(x) else (0.0, 1.0)
        pad = 0.02 * (high - low) or 0.5
        return cls(place, cis, effects, (low - pad, high + pad), _zoom(effects, place, high - low))


def reach(found: pd.DataFrame) -> tuple[float, float] | None:
    """From the first to the last variant that changes a prediction, kb; None where none does."""
    x = found.loc[found["effect"] != 0, "x"]
    return (float(x.min()), float(x.max())) if len(x) else None


def _zoom(effects: dict[str, pd.DataFrame], place: Place, whole: float) -> tuple[float, float] | None:
    """The widest reach of a model, and the TSS, among those that are a small part of the region."""
    found = []
    for effect in effects.values():
        ends = reach(effect)
        if ends is None:
            continue
        low, high = ends
        if place.tss is not None:
            low, high = min(low, 0.0), max(high, 0.0)
        pad = 0.08 * (high - low) or 0.01 * whole
        if 0 < high - low + 2 * pad < ZOOM * whole:
            found.append((low - pad, high + pad))
    return max(found, key=lambda ends: (ends[1] - ends[0], ends), default=None)


def _signal(axes: Axes, tracks: Tracks, first: bool) -> None:
    """The association of every cis variant."""
    shown = tracks.cis
    lead = shown["lead"].astype(bool)
    many = len(shown) > MANY
    axes.scatter(
        shown["x"][~lead], shown["neg_log10_p"][~lead], s=4, color=FAINT, alpha=0.6, linewidths=0, rasterized=many
    )
    axes.scatter(
        shown["x"][lead], shown["neg_log10_p"][lead], s=16, marker="D", color=GENOTYPES[1], zorder=4, linewidths=0
    )
    limit = -np.log10(0.05 / max(len(shown), 1))
    axes.axhline(limit, color=FAINT, linewidth=0.6, linestyle=(0, (4, 2)), zorder=1)
    top = 1.18 * max(float(shown["neg_log10_p"].max()), limit)
    axes.set_ylim(0, top)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    if first:
        axes.set_ylabel("\u2212log10 p")
    if tracks.place.tss is not None:
        # The TSS with the gene's direction, which is to the right on this axis.
        low, high = axes.get_xlim()
        height = 0.9 * top
        axes.plot([0, 0], [0, height], color=INK, linewidth=0.8, zorder=3)
        axes.annotate(
            "",
            xy=(0.05 * (high - low), height),
            xytext=(0, height),
            arrowprops={
                "arrowstyle": "-|>",
                "color": INK,
                "linewidth": 0.8,
                "shrinkA": 0,
                "shrinkB": 0,
                "mutation_scale": 6,
            },
        )


def _effects(axes: Axes, found: pd.DataFrame, exponent: int, norm: Normalize) -> None:
    """One model's track: stems and points, drivers ringed."""
    effect = found["effect"].to_numpy() / 10.0**exponent
    known = found["contribution"].notna().to_numpy()
    colours = CONTRIBUTION(norm(np.clip(found["contribution"].fillna(0).to_numpy(), 0, None)))
    many = len(found) > MANY
    shown = np.where(known[:, None], colours, RARE)
    axes.vlines(found["x"], 0, effect, colors=list(shown), linewidth=0.7, zorder=2, rasterized=many)
    # The strongest on top, of equals the last.
    order = np.argsort(found["contribution"].fillna(-1).to_numpy(), kind="stable")
    axes.scatter(
        found["x"].to_numpy()[order],
        effect[order],
        s=6,
        facecolors=list(np.where(known[:, None], colours, 1.0)[order]),
        edgecolors=list(shown[order]),
        linewidths=0.4,
        zorder=3,
        rasterized=many,
    )
    ringed = found["driver"].to_numpy(dtype=bool)
    axes.scatter(found["x"][ringed], effect[ringed], s=22, facecolors="none", edgecolors=INK, linewidths=0.7, zorder=4)
    low, high = min(0.0, float(effect.min())), max(0.0, float(effect.max()))
    size = high - low or 1.0
    # Room for rings above, and for the bar below.
    low, high = low - 0.3 * size, high + 0.18 * size
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    zero_line(axes, vertical=False)
    ends = reach(found)
    if ends is not None:
        axes.plot(ends, [low + 0.06 * size] * 2, color=FAINT, linewidth=2, solid_capstyle="butt", zorder=1)


def _said(data: FigureData, model: str, gene_id: str, found: pd.DataFrame, exponent: int) -> str:
    """The line above a model's track."""
    parts = [f"effect in {power_of(exponent)}" if exponent else "effect", counted(len(found), "variant", "variants")]
    drivers = found[found["driver"].astype(bool)]
    if len(drivers):
        first = drivers.loc[drivers["contribution"].fillna(0).idxmax()]
        largest = f", largest {first['variant']}" if np.isfinite(first["contribution"]) else ""
        parts.append(f"{counted(len(drivers), 'driver', 'drivers')}{largest}")
    additive = fact_of(data, model, gene_id, "additivity_r2")
    if additive is not None:
        parts.append(f"sum of effects explains R\u00b2 = {number(additive, 3)}")
    return "; ".join(parts)


def _heading(figure: Figure, bottom: float, name: str, said: str) -> None:
    """The line above a track: what it is in bold, then more about it, cut where it would not fit."""
    room = JOURNAL_WIDTH - LEFT - MARGIN
    name = shortened(name, 0.4 * room, SMALL, bold=True)
    left = text_width(name, SMALL, bold=True) + 0.08
    say(figure, LEFT, bottom, name, fontsize=SMALL, fontweight="bold", va="bottom")
    say(figure, LEFT + left, bottom, shortened(said, room - left, SMALL), fontsize=SMALL, color=FAINT, va="bottom")


def _shared(axes: Axes, tracks: Tracks, limits: tuple[float, float], first: bool) -> None:
    """What all tracks of a column have."""
    axes.set_xlim(*limits)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.tick_params(axis="y", labelleft=first)
    if tracks.place.tss is not None:
        axes.axvline(0, color=RULE, linewidth=0.7, zorder=0)
    for x in tracks.cis.loc[tracks.cis["lead"].astype(bool), "x"]:
        axes.axvline(x, color=GENOTYPES[1], linewidth=0.6, linestyle=":", zorder=0)
    if tracks.zoom is not None and first:
        axes.axvspan(*tracks.zoom, color=RULE, alpha=0.45, linewidth=0, zorder=-1)


def draw_tracks(figure: Figure, data: FigureData, gene_id: str, tracks: Tracks, top: float, high: float) -> None:
    """All tracks from ``top`` (inches) downwards, in one column or two."""
    inside = JOURNAL_WIDTH - LEFT - MARGIN - 0.06
    columns = [(LEFT, inside, tracks.whole, True)]
    if tracks.zoom is not None:
        left = 0.56 * (inside - INNER)
        columns = [(LEFT, left, tracks.whole, True), (LEFT + left + INNER, inside - INNER - left, tracks.zoom, False)]
    largest = max((float(found["contribution"].max()) for found in tracks.effects.values()), default=np.nan)
    norm = Normalize(0, min(1.0, max(0.05, largest)) if np.isfinite(largest) else 1.0)
    place = top
    last: list[Axes] = []
    if len(tracks.cis):
        place -= LINE + SIGNAL
        _heading(figure, place + SIGNAL + 0.04, "association with expression", _signal_said(data, gene_id, tracks))
        last = [panel(figure, x, place, wide, SIGNAL) for x, wide, *_ in columns]
        for axes, (_, _, limits, first) in zip(last, columns, strict=True):
            _shared(axes, tracks, limits, first)
            _signal(axes, tracks, first)
    for model, found in tracks.effects.items():
        place -= LINE + high
        exponent = exponent_of(float(found["effect"].abs().max()))
        _heading(figure, place + high + 0.04, data.label(model), _said(data, model, gene_id, found, exponent))
        last = [panel(figure, x, place, wide, high) for x, wide, *_ in columns]
        for axes, (_, _, limits, first) in zip(last, columns, strict=True):
            _shared(axes, tracks, limits, first)
            _effects(axes, found, exponent, norm)
    label = "kb from the TSS, downstream to the right" if tracks.place.tss is not None else "position, kb"
    for axes in last:
        axes.spines["bottom"].set_visible(True)
        axes.tick_params(axis="x", length=2.5, labelbottom=True)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.set_xlabel(label)
    if any(found["contribution"].notna().any() for found in tracks.effects.values()):
        _bar(figure, norm)


def _signal_said(data: FigureData, gene_id: str, tracks: Tracks) -> str:
    lead = lead_of(data, gene_id)
    parts = [counted(len(tracks.cis), "variant", "variants")]
    if lead is not None:
        parts.append(f"lead {lead['lead_variant']}, {probability(float(lead['p']))}")
    if tracks.place.tss is not None:
        parts.append(f"gene on the {'+' if tracks.place.direction > 0 else chr(0x2212)} strand")
    return "; ".join(parts)


def _bar(figure: Figure, norm: Normalize) -> None:
    """Scale of the contributions, at the bottom right."""
    axes = panel(figure, JOURNAL_WIDTH - 1.45, 0.17, 1.3, 0.07)
    axes.imshow(np.linspace(0, 1, 128)[None], aspect="auto", cmap=CONTRIBUTION, extent=(0, float(norm.vmax or 1), 0, 1))
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    say(
        figure,
        JOURNAL_WIDTH - 1.52,
        0.205,
        "share of the prediction's variance",
        fontsize=SMALL,
        ha="right",
        va="center",
    )
