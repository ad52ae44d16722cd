"""Figures: one file each.

A module of this package with a :class:`FigureCard` named ``FIGURE`` and a function ``draw`` is found by itself; a
function ``table`` beside them gives the numbers that the figure shows.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from pexbench.errors import InputError, listing
from pexbench.files import write_table

#: Fields of :class:`FigureData` that a figure may need and a run may lack.
OPTIONAL = ("associations", "leads", "cis", "effects", "lead_effects", "direction")


@dataclass(frozen=True)
class FigureCard:
    """Card of a figure; its fields are written as literals, for the workflow reads them without importing this.

    Attributes:
        name: key and file name.
        title: one line, says what is shown.
        caption: what every mark means, one paragraph.
        paper: the panel of Huang et al. 2023 it stands for, for example ``Fig. 1b``; empty for those beyond the paper.
        order: place among the figures of a report, smallest first.
        needs: fields of :class:`FigureData` that the figure reads beyond scores, summary, predictions, expression and
            names of genes; the figure is drawn again when one of them changes, and gets no others.
    """

    name: str
    title: str
    caption: str
    paper: str = ""
    order: int = 100
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse needs that no run can meet."""
        unknown = sorted(set(self.needs) - set(OPTIONAL))
        if unknown:
            raise InputError(
                f"figure {self.name!r}: needs {listing(unknown)}; {listing(OPTIONAL, 20)} are allowed; correct the card."
            )


@dataclass(frozen=True, eq=False)
class FigureData:
    """Everything a figure may show; equal to itself alone, so that what is computed from it can be kept.

    Attributes:
        scores: long table of all models (``scores.COLUMNS``).
        summary: table of ``scores.summary.summarise``.
        predictions: by model, in the order of the figures: columns ``gene_id``, ``sample``, ``prediction``.
        expression_individuals: genes x samples, as scored across individuals.
        expression_genes: genes x samples, as scored across genes.
        genes: readable label by gene id.
        run_title: name of the run, printed on every figure.
        notes: remarks printed on every figure, for example that the cohort is simulated.
        controls: models drawn in grey.
        labels: readable name by model, where it differs from the model's name.
        associations: one row per gene, what genotypes say of its expression (lead variant, heritability).
        leads: ``gene_id``, ``sample``, ``dosage``: copies of each gene's lead variant's ALT allele.
        cis: the variants of the example gene with slope, r and p of each.
        effects: by model, each variant's effect on the example gene's reference prediction.
        lead_effects: by model, one row per gene: the lead variant's effect, additivity, drivers.
        direction: per model and gene, sign of the predicted against the measured effect of the lead variant.
        windows: bp of sequence that a model reads around each TSS, for models that read sequence.
        example_gene: gene id of the figure on one gene; None: the gene with the strongest association.
        example_person: sample name of the figure on one person; None: the person with the median score across genes.
    """

    scores: pd.DataFrame
    summary: pd.DataFrame
    predictions: Mapping[str, pd.DataFrame]
    expression_individuals: pd.DataFrame
    expression_genes: pd.DataFrame
    genes: Mapping[str, str]
    run_title: str
    notes: Sequence[str] = ()
    controls: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    associations: pd.DataFrame | None = None
    leads: pd.DataFrame | None = None
    cis: pd.DataFrame | None = None
    effects: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    lead_effects: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    direction: pd.DataFrame | None = None
    windows: Mapping[str, int] = field(default_factory=dict)
    example_gene: str | None = None
    example_person: str | None = None

    @property
    def models(self) -> list[str]:
        """Models in the order of the figures."""
        return list(self.predictions)

    def label(self, model: str) -> str:
        """Readable name of a model."""
        return self.labels.get(model, model.replace("_", " "))

    def gene_label(self, gene_id: str) -> str:
        """Readable name of a gene."""
        return self.genes.get(gene_id) or gene_id

    def chosen(
        self, table: pd.DataFrame, model: str, axis: str, metric: str, statistic: str = "spearman"
    ) -> pd.DataFrame:
        """Rows of ``scores`` or ``summary`` of one model, axis, metric and statistic."""
        return table[
            (table["model"] == model)
            & (table["axis"] == axis)
            & (table["metric"] == metric)
            & (table["statistic"] == statistic)
        ]


@dataclass(frozen=True)
class Entry:
    """A registered figure: its card, how to draw it, and the numbers it shows where it tells them."""

    card: FigureCard
    draw: Callable[[FigureData], Figure]
    table: Callable[[FigureData], pd.DataFrame] | None


def figures() -> dict[str, Entry]:
    """Every figure of this package by name, sorted.

    Raises:
        InputError: two files give their figure the same name.
    """
    found: dict[str, Entry] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda item: item.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        card = getattr(module, "FIGURE", None)
        if card is None:
            continue
        if card.name in found:
            raise InputError(
                f"figures/{info.name}.py: figure {card.name!r} is defined in another file too; names must differ; "
                "rename one of them."
            )
        found[card.name] = Entry(card, module.draw, getattr(module, "table", None))
    return dict(sorted(found.items()))


def write_figure(name: str, data: FigureData, folder: str | Path) -> list[Path]:
    """Draw one figure and write ``<name>.pdf``, ``.svg``, ``.png``, and ``<name>.tsv`` with the numbers it shows.

    Args:
        name: a registered figure.
        data: what to show.
        folder: where the files go.

    Returns:
        The files written.

    Raises:
        InputError: there is no such figure.
    """
    from pexbench.figures.style import save

    known = figures()
    if name not in known:
        raise InputError(f"figure {name!r} not found; there are {listing(known, 20)}; correct the name.")
    entry = known[name]
    stem = Path(folder) / name
    paths = save(entry.draw(data), stem)
    if entry.table is not None:
        paths.append(Path(f"{stem}.tsv"))
        write_table(entry.table(data), paths[-1])
    return paths
