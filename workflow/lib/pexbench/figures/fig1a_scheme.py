"""What a run does, drawn with its own numbers (the paper's Fig. 1a)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from pexbench.figures import FigureCard, FigureData
from pexbench.figures.fig1c_across_genes import person, points
from pexbench.figures.joined import main_models, people_of
from pexbench.figures.one_gene import chosen_gene
from pexbench.figures.style import (
    ACROSS_GENES,
    ACROSS_INDIVIDUALS,
    CONTROL,
    FAINT,
    HEADING,
    INK,
    JOURNAL_WIDTH,
    RULE,
    SMALL,
    TEXT,
    applied,
    canvas,
    counted,
    frame,
    panel,
    shortened,
    text_width,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE = FigureCard(
    name="fig1a_scheme",
    title="From personal genomes to two questions",
    caption=(
        "Scheme of this run, with its own numbers. Both haplotypes of every person are built around every gene's "
        "transcription start site (TSS; arrow); ticks are variants, dark where the haplotype carries the ALT allele "
        "(their places are drawn, not data). Models predict each person's expression of each gene from both "
        "haplotypes; the length is what a model reads. Baselines that learn from genotypes, and controls, give a "
        "prediction in the same place. The matrices hold predicted and measured expression of some genes and people "
        "of this run, ranked within each gene (light: low, dark: high). A column compares genes within one person "
        "(across genes, blue), a row compares people at one gene (across individuals, green); the two small panels "
        "are that column and that row for the first model of the run, all genes and all people, as ranks."
    ),
    paper="Fig. 1a",
    order=10,
    needs=("associations",),
)
HEIGHT = 3.25
#: Inches: side of a cell, left edges of the matrices, their upper edge below the top of the drawing.
CELL = 0.095
MATRICES = (4.30, 5.76)
DOWN = 0.46
#: Inches: height of the small panels' headings, where the arrows from the matrices end.
ARROWS_END = 1.50
#: What is asked, and its colour.
QUESTIONS = (
    ("Across genes", "Within one genome: are genes that are predicted high expressed high?", ACROSS_GENES),
    (
        "Across individuals",
        "At one gene: do people whose sequence is predicted higher express it more?",
        ACROSS_INDIVIDUALS,
    ),
)
#: Most genes and people in the drawn matrices.
GENES, PEOPLE = 9, 12
#: Names of models in the box; further ones are counted.
NAMED = 9


def first_model(data: FigureData) -> str:
    """The model in the matrices: the first that is no control, else the first."""
    return (main_models(data) or data.models)[0]


def example(data: FigureData) -> tuple[str | None, str | None]:
    """Gene of the row and person of the column."""
    predictions = data.predictions[first_model(data)]
    both = sorted(set(predictions["gene_id"]) & set(data.expression_individuals.index))
    gene = chosen_gene(data)
    if gene not in both:
        gene = both[0] if both else None
    named = person(data)
    if named is None and gene is not None:
        people = people_of(data, first_model(data), gene)["sample"]
        named = str(people.iloc[0]) if len(people) else None
    return gene, named


def _some(names: list[str], wanted: str | None, most: int) -> list[str]:
    """Names in order, spread over the whole list, the wanted one among them."""
    others = [name for name in names if name != wanted]
    room = most - (1 if wanted in names else 0)
    if len(others) > room:
        others = [others[place] for place in np.linspace(0, len(others) - 1, room).astype(int)]
    return sorted([*others, wanted] if wanted is not None and wanted in names else others)


def table(data: FigureData) -> pd.DataFrame:
    """Numbers of the scheme: what, value; and the cells of the matrices: gene, sample, predicted, measured."""
    gene, sample = example(data)
    model = first_model(data)
    numbers: list[tuple[str, object]] = [(what, value) for what, value, _ in counts(data)]
    numbers += [(f"window of {name} in bp", length) for name, length in data.windows.items()]
    numbers += [
        ("model of the matrices", model),
        ("gene of the row", gene or ""),
        ("person of the column", sample or ""),
    ]
    said = pd.DataFrame(numbers, columns=["what", "value"]).astype(str)
    cells = _cells(data).assign(what="cell", value="")
    columns = ["what", "value", "gene_id", "sample", "predicted", "measured"]
    return pd.concat([said.reindex(columns=columns), cells[columns]], ignore_index=True)


def counts(data: FigureData) -> list[tuple[str, int, str]]:
    """Numbers of the run: what, number, words on the figure."""
    people = {sample for table in data.predictions.values() for sample in table["sample"].unique()}
    personal = {gene for table in data.predictions.values() for gene in table["gene_id"].unique()}
    named = set(data.genes)
    found = [
        ("people", len(people), counted(len(people), "person", "people")),
        ("haplotypes", 2 * len(people), counted(2 * len(people), "haplotype", "haplotypes") + " per gene"),
        ("genes of the run", len(named | personal), counted(len(named | personal), "gene", "genes")),
        ("genes predicted per person", len(personal), f"{len(personal):,} with personal predictions"),
    ]
    if data.associations is not None:
        n = pd.to_numeric(data.associations["n_variants"], errors="coerce")
        n = n[n > 0]
        if len(n):
            middle = int(np.median(n))
            found.append(("median variants per gene", middle, f"{middle:,} common variants near a gene (median)"))
    return found


def _cells(data: FigureData) -> pd.DataFrame:
    """Cells of the drawn matrices: gene_id, sample, predicted, measured."""
    gene, sample = example(data)
    rows = data.predictions[first_model(data)]
    predicted = rows.pivot(index="gene_id", columns="sample", values="prediction").sort_index().sort_index(axis=1)
    measured = data.expression_individuals
    genes = _some(sorted(set(predicted.index) & set(measured.index)), gene, GENES)
    people = _some(sorted(set(predicted.columns) & set(measured.columns)), sample, PEOPLE)
    index = pd.MultiIndex.from_product([genes, people], names=["gene_id", "sample"])
    found = pd.DataFrame(
        {
            "predicted": predicted.loc[genes, people].to_numpy(dtype=np.float64).ravel(),
            "measured": measured.loc[genes, people].to_numpy(dtype=np.float64).ravel(),
        },
        index=index,
    )
    return found.reset_index()


def _box(axes: Axes, x: float, y: float, width: float, height: float, colour: str = RULE) -> None:
    style = "round,pad=0,rounding_size=0.06"
    axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor="#FAFAFA", edgecolor=colour, lw=0.7))


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = FAINT, bend: float = 0
) -> None:
    style = f"arc3,rad={bend}"
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=7, lw=0.9, color=colour, connectionstyle=style)
    )


def _genomes(axes: Axes, x: float, y: float, width: float, names: list[str]) -> None:
    """Two haplotypes of a few people along one gene, with variants and the TSS; ``y`` is the highest line."""
    places = np.array([0.06, 0.13, 0.24, 0.31, 0.40, 0.47, 0.58, 0.66, 0.73, 0.84, 0.93])
    name = 0.58
    line, end = x + name, x + width
    tss = line + 0.5 * (end - line)
    axes.plot([tss, tss], [y + 0.06, y + 0.17], color=INK, linewidth=0.9, solid_capstyle="butt")
    _arrow(axes, (tss - 0.004, y + 0.165), (tss + 0.24, y + 0.165), INK)
    axes.text(tss - 0.05, y + 0.11, "TSS", fontsize=SMALL, ha="right", va="center", color=INK)
    for index, sample in enumerate(names):
        low = y - 0.36 * index
        axes.text(x, low - 0.06, shortened(sample, name - 0.06, SMALL), fontsize=SMALL, va="center")
        for haplotype in range(2):
            level = low - 0.12 * haplotype
            axes.plot([line, end], [level, level], color="#D4D4D4", linewidth=1.8, solid_capstyle="butt", zorder=1)
            # A fixed pattern that differs from haplotype to haplotype.
            carried = np.array(
                [(3 * k * k + 2 * index + 3 * haplotype + k * index) % 5 < 2 for k in range(len(places))]
            )
            for place, dark in zip(places, carried, strict=True):
                at = line + place * (end - line)
                colour = INK if dark else "#A6A6A6"
                axes.plot(
                    [at, at], [level - 0.032, level + 0.032], color=colour, lw=1.3, solid_capstyle="butt", zorder=2
                )
    low = y - 0.36 * len(names) + 0.14
    axes.annotate(
        "", (line, low), (end, low), arrowprops={"arrowstyle": "|-|,widthA=0.2,widthB=0.2", "lw": 0.6, "color": FAINT}
    )
    axes.text((line + end) / 2, low - 0.09, "window of a gene", fontsize=SMALL, ha="center", va="center", color=FAINT)


def _models(axes: Axes, data: FigureData, x: float, y: float, width: float) -> None:
    """Box of the models' names with what each reads; ``y`` is its upper edge."""
    shown = data.models[:NAMED]
    lines = [(data.label(model), data.windows.get(model), model in data.controls) for model in shown]
    more = len(data.models) - len(shown)
    tall = 0.135 * (len(lines) + bool(more)) + 0.13
    _box(axes, x, y - tall, width, tall)
    for index, (name, length, grey) in enumerate(lines):
        level = y - 0.13 - 0.135 * index
        size = f"{length / 1000:,.4g} kb" if length else ""
        room = width - 0.2 - (text_width(size, SMALL) + 0.05 if size else 0)
        colour = CONTROL if grey else INK
        axes.text(x + 0.08, level, shortened(name, room, TEXT), fontsize=TEXT, color=colour, va="center")
        axes.text(x + width - 0.08, level, size, fontsize=SMALL, color=FAINT, ha="right", va="center")
    if more:
        level = y - 0.13 - 0.135 * len(lines)
        axes.text(x + 0.08, level, f"and {more} more", fontsize=SMALL, color=FAINT, va="center")


def _matrix(axes: Axes, cells: pd.DataFrame, column: str, x: float, y: float, marked: tuple[int, int]) -> None:
    """Genes x people, ranked within each gene, with the marked row and column; ``y`` is the upper edge."""
    values = cells.pivot(index="gene_id", columns="sample", values=column)
    ranks = values.rank(axis=1, pct=True).to_numpy(dtype=np.float64)
    high, wide = values.shape
    for i in range(high):
        for j in range(wide):
            rank = float(ranks[i, j])
            shade = "white" if np.isnan(rank) else str(round(0.97 - 0.55 * rank, 3))
            axes.add_patch(
                Rectangle((x + j * CELL, y - (i + 1) * CELL), CELL, CELL, facecolor=shade, edgecolor="white", lw=0.4)
            )
    row, person_ = marked
    if person_ >= 0:
        axes.add_patch(
            Rectangle(
                (x + person_ * CELL, y - high * CELL), CELL, high * CELL, fill=False, ec=ACROSS_GENES, lw=1.5, zorder=4
            )
        )
    if row >= 0:
        axes.add_patch(
            Rectangle((x, y - (row + 1) * CELL), wide * CELL, CELL, fill=False, ec=ACROSS_INDIVIDUALS, lw=1.5, zorder=4)
        )


def _column(data: FigureData, model: str, sample: str | None) -> pd.DataFrame:
    """All genes of one person, predicted and measured; nothing without a person."""
    if sample is None or sample not in data.expression_genes.columns:
        return pd.DataFrame(columns=["predicted", "measured"])
    return points(data, model, sample)


def _row(data: FigureData, model: str, gene: str | None) -> pd.DataFrame:
    """All people at one gene, predicted and measured; nothing without a gene."""
    return people_of(data, model, gene) if gene is not None else pd.DataFrame(columns=["predicted", "measured"])


def draw(data: FigureData) -> Figure:
    """Draw the scheme; left to right: genomes, models, matrices; below the matrices, one column and one row of them."""
    gene, sample = example(data)
    model = first_model(data)
    cells = _cells(data)
    with applied():
        figure = canvas(data, FIGURE.title, JOURNAL_WIDTH, HEIGHT)
        axes = panel(figure, 0, 0, JOURNAL_WIDTH, HEIGHT)
        axes.set_xlim(0, JOURNAL_WIDTH)
        axes.set_ylim(0, HEIGHT)
        axes.set_axis_off()
        top = HEIGHT - 0.12
        for x, text in ((0.12, "Personal genomes"), (2.42, "Models"), (4.30, "Expression, genes \u00d7 people")):
            axes.text(x, top, text, fontsize=HEADING, fontweight="bold", va="center")
        some = sorted({str(name) for name in data.predictions[model]["sample"].unique()})
        _genomes(axes, 0.12, top - 0.44, 1.92, some[:3])
        for index, (_, _, words) in enumerate(counts(data)):
            axes.text(0.12, top - 1.86 - 0.14 * index, words, fontsize=TEXT, color=INK, va="center")
        _models(axes, data, 2.42, top - 0.18, 1.45)
        _arrow(axes, (2.10, top - 0.75), (2.38, top - 0.75))
        _arrow(axes, (3.91, top - 0.75), (4.22, top - 0.75))
        _matrices(axes, cells, gene, sample, top)
        level = 1.12
        for heading, question, colour in QUESTIONS:
            axes.text(2.42, level, heading, fontsize=TEXT, fontweight="bold", color=colour, va="top")
            lines = wrapped(question, 1.62, TEXT)
            axes.text(2.42, level - 0.13, "\n".join(lines), fontsize=TEXT, va="top", linespacing=1.25)
            level -= 0.21 + 0.125 * len(lines)
        _questions(figure, data, gene, sample)
        return figure


def _matrices(axes: Axes, cells: pd.DataFrame, gene: str | None, sample: str | None, top: float) -> None:
    """Predicted and measured, side by side."""
    genes, people = sorted(cells["gene_id"].unique()), sorted(cells["sample"].unique())
    marked = (genes.index(gene) if gene in genes else -1, people.index(sample) if sample in people else -1)
    upper = top - DOWN
    low = upper - len(genes) * CELL
    for x, column in zip(MATRICES, ("predicted", "measured"), strict=True):
        if genes and people:
            _matrix(axes, cells, column, x, upper, marked)
        axes.text(x, upper + 0.1, column, fontsize=TEXT, va="center", color=FAINT)
    between = (MATRICES[0] + len(people) * CELL + MATRICES[1]) / 2
    axes.text(between, upper - GENES * CELL / 2, "?", fontsize=HEADING + 2, ha="center", va="center", color=INK)
    row, column_ = marked
    if column_ >= 0:
        x = MATRICES[0] + (column_ + 0.5) * CELL
        _arrow(axes, (x, low - 0.02), (x, ARROWS_END), ACROSS_GENES)
    if row >= 0:
        x = MATRICES[1] + len(people) * CELL
        _arrow(axes, (x, upper - (row + 0.5) * CELL), (x, ARROWS_END), ACROSS_INDIVIDUALS, bend=-0.45)


def _questions(figure: Figure, data: FigureData, gene: str | None, sample: str | None) -> None:
    """The two comparisons, each drawn for one person and for one gene."""
    model = first_model(data)
    for x, colour, heading, said, values in (
        (4.44, ACROSS_GENES, "Across genes", (sample or "", "gene", "genes"), _column(data, model, sample)),
        (
            *(5.92, ACROSS_INDIVIDUALS, "Across individuals"),
            (data.gene_label(gene) if gene else "", "person", "people"),
            _row(data, model, gene),
        ),
    ):
        axes = panel(figure, x, 0.22, 1.02, 0.92)
        frame(axes, colour)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel("predicted", fontsize=SMALL)
        axes.set_ylabel("measured", fontsize=SMALL)
        width = 1.22
        axes.set_title(heading, color=colour, fontsize=TEXT, pad=11)
        name, one, plural = said
        lines = shortened(f"{name}: {counted(len(values), one, plural)}", width, SMALL) if name else ""
        axes.annotate(
            lines, (0, 1), (0, 3), xycoords="axes fraction", textcoords="offset points", fontsize=SMALL, color=FAINT
        )
        if len(values):
            many = len(values) > 1000
            x_, y_ = values["predicted"].rank(pct=True), values["measured"].rank(pct=True)
            size = 5 if len(values) <= 150 else 2 if not many else 0.6
            axes.scatter(x_, y_, s=size, color=colour, alpha=0.6, linewidths=0, rasterized=many)
            axes.set_xlim(-0.05, 1.05)
            axes.set_ylim(-0.05, 1.05)
