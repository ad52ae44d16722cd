"""What a report is made from, read from a run's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pexbench.errors import InputError, listing
from pexbench.figures import FigureCard, figures
from pexbench.files import read_json, read_table
from pexbench.models import find_model
from pexbench.models.card import Card
from pexbench.report.catalogue import TableCard, caption_text, card_of, sorted_cards
from pexbench.scores.summary import TYPES


@dataclass(frozen=True)
class ReportData:
    """Everything a report tells.

    Attributes:
        run: name of the run.
        title: its heading.
        provenance: ``provenance.json``: settings, versions, checksums.
        counts: ``inputs.json``: people, genes, variants, and what was left out.
        summary: ``summary.tsv``, typed.
        tables: the run's tables and where they lie, in the order of the report.
        figures: the run's figures, and the folder with their files.
        captions: what each table's columns mean, by the caption's name.
        cards: model card by model, of the models that have one.
        labels: readable names of models.
        notes: remarks on the run: that it is simulated, which models did not run.
        checks: ``haplotype_checks.json``; None where a run builds no haplotypes.
    """

    run: str
    title: str
    provenance: Mapping[str, Any]
    counts: Mapping[str, Any]
    summary: pd.DataFrame
    tables: Sequence[tuple[TableCard, Path]]
    figures: Sequence[FigureCard]
    figure_folder: Path
    captions: Mapping[str, str]
    cards: Mapping[str, Card] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    checks: Mapping[str, Any] | None = None

    @property
    def settings(self) -> Mapping[str, Any]:
        """The run's scientific settings."""
        found: Mapping[str, Any] = self.provenance["settings"]
        return found

    @property
    def models(self) -> list[str]:
        """Everything that was scored, in the order of the summary: models, baselines, controls."""
        return list(dict.fromkeys(self.summary["model"][self.summary["statistic"] != ""]))

    @property
    def simulated(self) -> bool:
        """Whether the cohort was made by the workflow."""
        return bool(self.settings.get("simulation"))

    def label(self, model: str) -> str:
        """Readable name of a model."""
        return self.labels.get(model, model.replace("_", " "))


def read_report(
    folder: str | Path,
    tables: Sequence[str | Path],
    figure_names: Sequence[str],
    captions: str | Path,
    *,
    title: str,
    labels: Mapping[str, str],
    notes: Sequence[str],
) -> ReportData:
    """Read what the report of a run tells.

    Args:
        folder: the run's folder; ``provenance.json``, ``summary.tsv`` and ``inputs/inputs.json`` lie in it.
        tables: tables inside that folder.
        figure_names: figures of the run.
        captions: folder of the captions, ``workflow/report``.
        title: heading.
        labels: readable names of models.
        notes: remarks on the run.

    Raises:
        InputError: a table that the report has no place for, a figure that is not there, or no caption.
    """
    folder = Path(folder)
    found = {}
    for path in map(Path, tables):
        try:
            found[card_of(str(path.relative_to(folder)), labels)] = path
        except (KeyError, ValueError):
            raise InputError(
                f"{path}: a table of {folder} that the report has a place for is allowed; name others in "
                "report/catalogue.py, with a caption in workflow/report."
            ) from None
    known = {name: entry.card for name, entry in figures().items()}
    strange = [name for name in figure_names if name not in known]
    if strange:
        raise InputError(f"figure {listing(strange)} not found; there are {listing(known, 20)}; correct the name.")
    provenance = read_json(folder / "provenance.json")
    models = provenance["settings"]["models"]
    counts = read_json(folder / "inputs" / "inputs.json")
    return ReportData(
        run=folder.name,
        title=title,
        provenance=provenance,
        counts=counts,
        summary=read_table(folder / "summary.tsv", **TYPES),
        tables=[(card, found[card]) for card in sorted_cards(found)],
        figures=sorted((known[name] for name in figure_names), key=lambda card: (card.order, card.name)),
        figure_folder=folder / "figures",
        captions={card.caption: caption_text(captions, card.caption) for card in found},
        cards={name: find_model(model["card"]) for name, model in models.items() if model.get("card")},
        labels=labels,
        notes=notes,
        # A file that an earlier run with genotypes left there says nothing of one without.
        checks=read_json(folder / "haplotype_checks.json") if counts.get("genotypes", True) else None,
    )
