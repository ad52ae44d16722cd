"""What a report shows of a run: its tables by their place in the run's folder, its pages, its figures' headings.

Standard library only: the Snakefile reads it while the workflow is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

SCORES = "Scores"
EFFECTS = "Variant effects"
INPUTS = "Inputs and coverage"
METHODS = "Methods and provenance"
PERFORMANCE = "Performance"
#: Groups in the order of the report. Snakemake's report calls them categories.
GROUPS = (SCORES, EFFECTS, INPUTS, PERFORMANCE, METHODS)

#: Pages without pictures, which Snakemake's report can hold as well: file, heading, group.
PAGES = {
    "methods": ("Methods", METHODS),
    "inputs": ("Inputs, and what was left out", INPUTS),
    "versions": ("Versions, settings, checksums", METHODS),
    "performance": ("Performance", PERFORMANCE),
}

#: Places in the run's folder, with the page's name, heading, group, and the file of the caption.
_PLACES = (
    (r"summary\.tsv", "summary", "Mean scores of every model", SCORES, "summary"),
    (r"comparisons\.tsv", "comparisons", "Models compared in pairs", SCORES, "comparisons"),
    (r"added_value\.tsv", "added_value", "What each model adds to the elastic net", SCORES, "added_value"),
    (
        r"direction_summary\.tsv",
        "direction_summary",
        "Direction of lead variants' effects",
        SCORES,
        "direction_summary",
    ),
    (r"direction\.tsv", "direction", "Direction of lead variants' effects, gene by gene", SCORES, "direction"),
    (r"scores/([^/]+)\.tsv", "scores_{0}", "Scores of {0}", SCORES, "scores"),
    (r"associations\.tsv", "associations", "Genotypes and measured expression", EFFECTS, "associations"),
    (
        r"variant_effects/([^/]+)\.genes\.tsv",
        "variant_effects_{0}",
        "Effects of single variants, {0}",
        EFFECTS,
        "variant_effects",
    ),
    (r"variant_effects/([^/]+)\.drivers\.tsv", "drivers_{0}", "Driver variants, {0}", EFFECTS, "drivers"),
    (r"coverage\.tsv", "coverage", "People, genes and variants used", INPUTS, "coverage"),
    (r"inputs/dropped\.tsv", "dropped", "What was left out", INPUTS, "dropped"),
    (r"benchmarks/inference\.tsv", "inference", "How the time was spent", PERFORMANCE, "performance"),
    (
        r"incremental_checks/([^/]+)\.tsv",
        "incremental_{0}",
        "Shared against plain computation, {0}",
        PERFORMANCE,
        "incremental_checks",
    ),
    (r"port_checks/([^/]+)\.tsv", "ports_{0}", "Implementations compared, {0}", METHODS, "ports"),
)


@dataclass(frozen=True)
class TableCard:
    """A table of the run as the report shows it.

    Attributes:
        place: path inside the run's folder.
        name: name of its page, without suffix.
        title: heading.
        group: one of :data:`GROUPS`.
        caption: name of the file in ``workflow/report`` that says what its columns mean.
    """

    place: str
    name: str
    title: str
    group: str
    caption: str


def card_of(place: str, labels: Mapping[str, str] | None = None) -> TableCard:
    """The card of a table.

    Args:
        place: path inside the run's folder.
        labels: readable names of models.

    Raises:
        KeyError: the report knows no table of that place.
    """
    for pattern, name, title, group, caption in _PLACES:
        found = re.fullmatch(pattern, place)
        if found:
            label = [(labels or {}).get(text, text.replace("_", " ")) for text in found.groups()]
            return TableCard(place, name.format(*found.groups()), title.format(*label), group, caption)
    raise KeyError(place)


def sorted_cards(cards: Iterable[TableCard]) -> list[TableCard]:
    """Cards by group, within a group in the order of the places above and then as given."""
    order = [caption for *_, caption in _PLACES]
    return sorted(cards, key=lambda card: (GROUPS.index(card.group), order.index(card.caption)))


def figure_group(paper: str) -> str:
    """Heading under which a figure stands.

    Args:
        paper: the panel of the paper that it stands for, as on its card.
    """
    found = re.match(r"Fig\. (\d+)", paper)
    return f"Figure {found[1]} of the paper" if found else "Beyond the paper"


def caption_text(folder: str | Path, name: str) -> str:
    """A caption as plain text: what ``workflow/report`` holds, without the marks of reStructuredText."""
    text = Path(folder, f"{name}.rst").read_text()
    text = re.sub(r"\{[{%#].*?[}%#]\}", "", text, flags=re.DOTALL)
    text = re.sub(r"`([^`<]+?)\s*<([^>]+)>`_+", r"\1 (\2)", text)
    return re.sub(r"\s+", " ", text.replace("``", "").replace("**", "")).strip()
