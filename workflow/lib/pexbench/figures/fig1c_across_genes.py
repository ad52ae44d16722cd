"""Measured against predicted expression over all genes for one person (the paper's Fig. 1c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from pexbench.errors import InputError, listing
from pexbench.figures import FigureCard, FigureData
from pexbench.figures.style import (
    ACROSS_GENES,
    CONTROL,
    FAINT,
    INK,
    JOURNAL_HEIGHT,
    JOURNAL_WIDTH,
    MARGIN,
    SMALL,
    TEXT,
    applied,
    canvas,
    frame,
    in_words,
    number,
    panel,
    say,
    shortened,
    wrapped,
)
from pexbench.scores.across_genes import PSEUDOCOUNT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE = FigureCard(
    name="fig1c_across_genes",
    title="Across genes, for one person",
    caption=(
        "Measured expression against prediction for one person, one point per gene, one panel per model that predicts "
        "genes on a common scale; Spearman correlation with 95 % interval and number of genes above each panel. The "
        "person is the one in the middle of the cohort, by the mean over the models of the correlation across genes, "
        "unless the configuration names another. Measured expression is log2(x + 0.01), as for the Pearson scores. "
        "Predictions that span several powers of ten are on a logarithmic axis. Grey: controls."
    ),
    paper="Fig. 1c",
    order=13,
)
# Inches: panels in a row, their width and step, place of the first; heights of a row; what lies above and below.
COLUMNS = 4
FIRST = 0.46
WIDE = 1.40
STEP = 1.74
ROW = (1.25, 1.90)
ABOVE = 0.34
BELOW = 0.36
#: A prediction is drawn on a logarithmic axis if its largest value is this many times its median.
FAR = 20
MANY = 1000


def scored(data: FigureData) -> pd.DataFrame:
    """Each person's correlation across genes: people x models that have one, in their order; NaN where not scored."""
    columns = {}
    for model in data.models:
        rows = data.chosen(data.scores, model, "across_genes_personal", "across_genes")
        rows = rows[rows["value"].notna()]
        if len(rows):
            columns[model] = rows.set_index("unit_id")["value"]
    return pd.DataFrame(columns).sort_index()


def person(data: FigureData) -> str | None:
    """The person shown: the one named, else the lower middle one by mean correlation; None if nobody is scored.

    Raises:
        InputError: the person named is not scored across genes.
    """
    values = scored(data)
    if data.example_person is not None:
        if data.example_person not in values.index:
            raise InputError(
                f"figures: person {data.example_person!r} is not among the {len(values)} people scored across genes "
                f"({listing(values.index, 3)}); a sample name of the run is allowed; correct figures.person in the "
                "configuration."
            )
        return data.example_person
    main = [model for model in values if model not in data.controls] or list(values)
    mean = values[main].dropna().mean(axis=1)
    if mean.empty:
        return None
    return str(mean.round(12).sort_values(kind="stable").index[(len(mean) - 1) // 2])


def points(data: FigureData, model: str, sample: str) -> pd.DataFrame:
    """Columns gene_id, predicted, measured of one person, genes with both, sorted by gene."""
    rows = data.predictions[model]
    predicted = rows[rows["sample"] == sample].set_index("gene_id")["prediction"].astype(np.float64)
    measured = data.expression_genes[sample].astype(np.float64)
    both = pd.DataFrame({"predicted": predicted, "measured": measured}).dropna().sort_index()
    return both.rename_axis("gene_id").reset_index()


def table(data: FigureData) -> pd.DataFrame:
    """The points shown: model, sample, gene, predicted, measured (not logged)."""
    columns = ["model", "sample", "gene_id", "predicted", "measured"]
    sample = person(data)
    parts = (
        [points(data, model, sample).assign(model=model, sample=sample) for model in map(str, scored(data))]
        if sample
        else []
    )
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _panel(axes: Axes, data: FigureData, model: str, sample: str, logged: bool) -> None:
    found = points(data, model, sample)
    x, y = found["predicted"].to_numpy(), found["measured"].to_numpy()
    y = np.log2(y + PSEUDOCOUNT) if logged else y
    colour = CONTROL if model in data.controls else ACROSS_GENES
    many = len(x) > MANY
    size = 9 if len(x) <= 150 else 4 if not many else 1.5
    axes.scatter(x, y, s=size, color=colour, alpha=0.3 if many else 0.6, linewidths=0, rasterized=many)
    label = "predicted"
    if x.min() > 0 and x.max() > FAR * np.median(x):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        label = "predicted, logarithmic"
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.margins(0.06)
    axes.set_xlabel(label, fontsize=SMALL)
    rows = data.chosen(data.scores, model, "across_genes_personal", "across_genes")
    row = rows[rows["unit_id"] == sample]
    name = shortened(data.label(model), STEP - 0.1, TEXT, bold=True)
    axes.set_title(name, fontsize=TEXT, pad=11, color=CONTROL if model in data.controls else INK)
    value, lower, upper = (number(float(row[column].iloc[0])) for column in ("value", "lower", "upper"))
    said = f"\u03c1 = {value} [{lower}, {upper}], n = {int(row['n'].iloc[0]):,}"
    axes.annotate(
        said, (0, 1), (0, 3), xycoords="axes fraction", textcoords="offset points", fontsize=SMALL, color=FAINT
    )
    frame(axes, colour)


def draw(data: FigureData) -> Figure:
    """Draw the figure; one panel per model scored across genes, in the order of ``data.predictions``."""
    values, sample = scored(data), person(data)
    if sample is None:
        return in_words(
            data, FIGURE.title, "No model of this run predicts genes on a common scale: there is nothing to rank."
        )
    models = [str(model) for model in values if pd.notna(values.at[sample, model])]
    with applied():
        rest = {
            "no common scale between genes": [model for model in data.models if model not in values],
            "this person is not scored": [model for model in map(str, values) if model not in models],
        }
        reasons = [f"({why}): {', '.join(map(data.label, names))}" for why, names in rest.items() if names]
        said = wrapped(f"Not shown {'; '.join(reasons)}", JOURNAL_WIDTH - 0.3, SMALL) if reasons else []
        foot = 0.11 * len(said) + 0.04
        rows = -(-len(models) // COLUMNS)
        high = min(ROW[1], (JOURNAL_HEIGHT - 1.0 - foot) / rows)
        height = rows * high + foot
        title = f"{FIGURE.title}: {sample}"
        figure = canvas(data, title, JOURNAL_WIDTH, height)
        matrix = data.expression_genes.to_numpy(dtype=np.float64)
        logged = bool(np.nanmin(matrix) >= 0)
        for index, model in enumerate(models):
            line, column = divmod(index, COLUMNS)
            low = height - (line + 1) * high + BELOW
            axes = panel(figure, FIRST + column * STEP, low, WIDE, high - ABOVE - BELOW)
            _panel(axes, data, model, sample, logged)
            if column == 0:
                axes.set_ylabel("measured, log\u2082(x + 0.01)" if logged else "measured", fontsize=SMALL)
        for place, text in enumerate(reversed(said)):
            say(figure, MARGIN, 0.04 + 0.11 * place, text, fontsize=SMALL, color=FAINT, va="bottom")
        return figure
