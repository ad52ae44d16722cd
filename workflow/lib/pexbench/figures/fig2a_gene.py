"""One gene: predicted against measured, and which variants move the predictions (the paper's Fig. 2a)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pexbench.figures import FigureCard, FigureData
from pexbench.figures.gene_tracks import LEFT, LINE, SIGNAL, Tracks, draw_tracks
from pexbench.figures.joined import main_models, people_of
from pexbench.figures.one_gene import chosen_gene, lead_of, table_of
from pexbench.figures.style import (
    FAINT,
    GENOTYPES,
    JOURNAL_HEIGHT,
    JOURNAL_WIDTH,
    MARGIN,
    SMALL,
    TEXT,
    applied,
    canvas,
    counted,
    exponent_of,
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
    name="fig2a_gene",
    title="One gene: people and variants",
    caption=(
        "The gene with the strongest association of a variant with expression, or the one the configuration names. "
        "Top: measured against predicted expression, one point per person, per model (controls left out), as "
        "difference to the mean prediction; colour, copies of the lead variant's ALT allele; above each panel the "
        "Spearman correlation with its 95 % interval. Below, on one axis in the gene's direction (arrow: TSS): the "
        "association of each common variant of the region with expression (-log10 p; diamond and dotted line: the lead "
        "variant; dashed: 0.05 corrected for the number of variants), then for each model what every variant of its "
        "input does to the prediction when it stands alone on the reference (two copies against none; height), and how "
        "much it contributes to the prediction's spread between people (colour: share of the variance; open: variants "
        "too rare to have one here). Ringed: driver variants, a small set whose summed effects give 95 % of that "
        "spread. Bars under the zero line: from the first to the last variant that changes the prediction. The right "
        "column is the shaded part of the left one. Neighbouring variants are in linkage disequilibrium: a high "
        "association does not make a variant causal, and the lead variant is the strongest of many. One gene, chosen "
        "for its association, is an example and no test of the models."
    ),
    paper="Fig. 2a",
    order=30,
    needs=("associations", "leads", "cis", "effects", "lead_effects"),
)
#: Models shown; the table has all.
MOST = 10
PER_ROW = 5
# Inches: scatter panels and what surrounds them, the keys below the tracks.
WIDE, GAP, ABOVE, BELOW, KEYS = 1.12, 0.2, 0.3, 0.36, 0.62


def table(data: FigureData) -> pd.DataFrame:
    """The points shown.

    Returns:
        ``kind`` ``person``: ``sample``, ``predicted``, ``measured``, ``dosage`` per ``model``; ``association``:
        ``variant``, ``pos``, ``kb`` from the TSS in the gene's direction, ``neg_log10_p``, ``lead``; ``effect``: the
        same with ``effect``, ``contribution`` and ``driver`` per ``model``
        (:func:`pexbench.figures.one_gene.effect_points`).
    """
    return table_of(data, chosen_gene(data) or "")


def _scatter(axes: Axes, data: FigureData, model: str, gene_id: str, first: bool) -> None:
    people = people_of(data, model, gene_id)
    axes.set_title(shortened(data.label(model), WIDE, TEXT, bold=True), fontsize=TEXT, pad=10)
    rows = data.chosen(data.scores, model, "across_individuals", "across_individuals")
    row = rows[rows["unit_id"] == gene_id]
    said = "not scored"
    if len(row) and np.isfinite(row["value"].iloc[0]):
        r, low, high = (number(float(row[name].iloc[0])) for name in ("value", "lower", "upper"))
        said = f"r = {r} [{low}, {high}]" if low != "none" else f"r = {r}"
    axes.text(0, 1.03, said, transform=axes.transAxes, fontsize=SMALL, color=FAINT, va="bottom")
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    label = "predicted"
    if len(people):
        x = people["predicted"].to_numpy() - people["predicted"].mean()
        exponent = exponent_of(float(np.abs(x).max()))
        label = f"predicted, {power_of(exponent)}" if exponent else label
        axes.scatter(
            x / 10.0**exponent,
            people["measured"],
            s=9 if len(people) <= 60 else 4,
            color=genotype_colours(people["dosage"]),
            alpha=0.75,
            linewidths=0,
            rasterized=len(people) > 1000,
        )
        axes.margins(0.07)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
    axes.set_xlabel(label)
    if first:
        axes.set_ylabel("measured")


def _genotypes(figure: Figure, data: FigureData, gene_id: str, bottom: float) -> None:
    """Colours of the people, in one line."""
    lead = lead_of(data, gene_id)
    if lead is None or data.leads is None:
        return
    ref, alt = str(lead["ref"]), str(lead["alt"])
    words = ["0", "1", "2"]
    if len(ref) == len(alt) == 1:
        words = [f"0 ({ref}{ref})", f"1 ({ref}{alt})", f"2 ({alt}{alt})"]
    words[0] = f"copies of {shortened(str(lead['lead_variant']), 1.6, SMALL)}: {words[0]}"
    marks = [Line2D([], [], linestyle="none", marker="o", markersize=3.5, color=colour) for colour in GENOTYPES]
    wide, high = figure.get_size_inches()
    figure.legend(
        marks, words, loc="lower left", bbox_to_anchor=(LEFT / wide, bottom / high), ncols=3, columnspacing=1.2
    )


def _remarks(data: FigureData, tracks: Tracks, models: list[str], left_out: int) -> list[str]:
    """What is not there, in words."""
    found = []
    if not len(tracks.cis):
        found.append("This run has no associations of this gene's variants.")
    silent = [data.label(model) for model in models if model not in tracks.effects]
    if silent:
        found.append(f"No effects of single variants: {listed(silent)}.")
    if left_out:
        found.append(f"{counted(left_out, 'more model stands', 'more models stand')} in the table.")
    return wrapped(" ".join(found), JOURNAL_WIDTH - 2 * MARGIN, SMALL) if found else []


def draw(data: FigureData) -> Figure:
    """Draw the figure; models in the order of ``data.predictions``."""
    gene_id = chosen_gene(data)
    everyone = main_models(data)
    if gene_id is None or not everyone:
        reason = (
            "There is no model besides the controls."
            if gene_id is not None
            else "This run has no associations of variants with expression, and no gene is named: set "
            "'figures.gene', or run the target 'associations'."
        )
        return in_words(data, FIGURE.title, reason)
    models = everyone[:MOST]
    with applied():
        tracks = Tracks.of(data, gene_id, models)
        remarks = _remarks(data, tracks, models, len(everyone) - len(models))
        rows = -(-len(models) // PER_ROW)
        high = 1.0 if rows == 1 else 0.78
        people = rows * (ABOVE + high + BELOW) + 0.16
        signal = LINE + SIGNAL if len(tracks.cis) else 0
        count = len(tracks.effects)
        drawn = bool(count or signal)
        foot = (KEYS if drawn else 0.04) + 0.11 * len(remarks)
        room = JOURNAL_HEIGHT - 0.95 - people - signal - foot
        track = min(0.5, room / count - LINE) if count else 0.0
        body = signal + count * (LINE + track) + (0.1 if drawn else 0)
        title = f"{FIGURE.title}, {data.gene_label(gene_id)}"
        figure = canvas(data, title, JOURNAL_WIDTH, foot + body + people)
        top = foot + body + people
        for place, model in enumerate(models):
            row, column = divmod(place, PER_ROW)
            corner = top - (row + 1) * (ABOVE + high) - row * BELOW
            axes = panel(figure, LEFT + column * (WIDE + GAP), corner, WIDE, high)
            _scatter(axes, data, model, gene_id, first=column == 0)
            axes.tick_params(axis="y", labelleft=column == 0)
        _genotypes(figure, data, gene_id, top - people)
        if drawn:
            draw_tracks(figure, data, gene_id, tracks, foot + body - 0.1, track)
        for place, line in enumerate(reversed(remarks)):
            say(figure, MARGIN, 0.05 + 0.11 * place, line, fontsize=SMALL, color=FAINT)
        return figure
