"""Names in a table made elsewhere against the names of the run: people, and genes by id or symbol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pexbench.errors import InputError
from pexbench.genes import Gene, without_version

#: Names of the row (or column) that holds the reference sequence's predictions.
REFERENCE_NAMES = ("reference", "ref")
#: Stands for it here; no person can be called so.
REFERENCE = "*reference*"


@dataclass(frozen=True)
class Names:
    """Names of the run, found by what a table may call them.

    Attributes:
        noun: ``gene`` or ``person``, for reports.
        tiers: for each way of writing, best first, the run's names by that writing. A name is looked up in the first
            tier that has it; it is ambiguous if several names of the run are written so.
    """

    noun: str
    tiers: tuple[Mapping[str, frozenset[str]], ...]

    def find(self, name: str) -> frozenset[str]:
        """The run's names that a table's name may mean: none, one, or several."""
        writings = (name, without_version(name.upper()).lower(), name.lower())
        found = (tier.get(text) for tier, text in zip(self.tiers, writings, strict=True))
        return next((names for names in found if names), frozenset())

    def share(self, names: Iterable[str]) -> int:
        """How many of a table's names are known."""
        return sum(bool(self.find(name)) for name in names)


@dataclass
class Matched:
    """A table's names against the run's: position by name of the run, and names without a match."""

    position: dict[str, int]
    unknown: list[str]
    ambiguous: dict[str, list[str]]


def gene_names(genes: Mapping[str, Gene]) -> Names:
    """Ways to name the run's genes: id as it is, id in any case without Ensembl version, symbol in any case."""
    ids = [(without_version(name.upper()).lower(), name) for name in genes]
    symbols = [(gene.symbol.lower(), name) for name, gene in genes.items() if gene.symbol]
    return Names("gene", (_tier((name, name) for name in genes), _tier(ids), _tier(symbols)))


def person_names(samples: Sequence[str]) -> Names:
    """Ways to name the run's people: as they are, in any case; then the reference."""
    folded = [(name.lower(), name) for name in samples]
    # A person of the run who is called so is found in an earlier tier.
    reference = [(name, REFERENCE) for name in REFERENCE_NAMES]
    return Names("person", (_tier((name, name) for name in samples), _tier(folded), _tier(reference)))


def _tier(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for writing, name in pairs:
        found.setdefault(writing, set()).add(name)
    return {writing: frozenset(names) for writing, names in found.items()}


def match_names(path: Path, names: Sequence[str], known: Names) -> Matched:
    """Find each of a table's names among the run's.

    Raises:
        InputError: two of the table's names mean the same one of the run.
    """
    result = Matched({}, [], {})
    for place, name in enumerate(names):
        found = known.find(name)
        if not found:
            result.unknown.append(name)
        elif len(found) > 1:
            result.ambiguous[name] = sorted(found)
        else:
            (own,) = found
            if own in result.position:
                first = names[result.position[own]]
                raise InputError(
                    f"{path}: {known.noun} {own} occurs more than once (as {first} and as {name}); one name each "
                    "is allowed; remove the others."
                )
            result.position[own] = place
    return result
