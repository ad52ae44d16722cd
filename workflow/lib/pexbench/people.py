"""Facts about people from tables of several layouts, joined by name: populations, sex, batches, components."""

from __future__ import annotations

import csv
import gzip
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pexbench.errors import InputError, listing

LOG = logging.getLogger(__name__)
#: How tables say that a value is not known.
MISSING = ("", "NA", "N/A", "NaN", "nan", ".")


def rows_of(path: str | Path) -> list[list[str]]:
    """Cells of a text table, line by line.

    Args:
        path: plain or gzip; tab-separated if the first line has a tab, else ``.csv`` by commas, else by white space.

    Returns:
        Stripped cells. Empty cells at the end of the header are gone; every row has as many cells as the header.

    Raises:
        InputError: the table has no rows, or a row has a value beyond the header's columns.
    """
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", newline="") as handle:
        lines = [line for line in handle.read().splitlines() if line.strip()]
    if len(lines) < 2:
        raise InputError(f"{path}: {len(lines)} line(s); a table has a header and at least one row; correct the file.")
    if "\t" in lines[0]:
        rows = [line.split("\t") for line in lines]
    elif str(path).removesuffix(".gz").endswith(".csv"):
        rows = list(csv.reader(lines))
    else:
        rows = [line.split() for line in lines]
    rows = [[cell.strip() for cell in row] for row in rows]
    while rows[0] and not rows[0][-1]:
        rows[0].pop()
    width = len(rows[0])
    for number, row in enumerate(rows, start=1):
        if any(row[width:]):
            raise InputError(
                f"{path}: line {number} has {len(row)} values, the header has {width} names; each value needs a column; "
                "correct the line."
            )
    return [(row + [""] * width)[:width] for row in rows]


def read_facts(path: str | Path, people: Sequence[str]) -> pd.DataFrame:
    """Read what a table says about people, in either layout.

    A table by person has a header and one row per person; the names stand in the column ``sample``, else in the
    column that holds most of the run's people. A covariate file (FastQTL, QTLtools, GTEx) has the people in its header
    and one row per covariate, named in the first column. Which of the two it is, is told by where the people's names
    are.

    Args:
        path: see :func:`rows_of`.
        people: names in the run.

    Returns:
        Text, one row per person of the run (index ``sample``, their order), one column per fact; an empty text where
        a person is not in the table or has no value (:data:`MISSING`).

    Raises:
        InputError: nobody is in the table, or a person or a fact occurs twice.
    """
    rows = rows_of(path)
    header, known = rows[0], set(people)
    columns = list(zip(*rows[1:], strict=True))
    counts = [len(known & set(column)) for column in columns]
    by_name = header.index("sample") if "sample" in header else int(np.argmax(counts))
    across = len(known & set(header[1:]))
    if max(counts[by_name], across) == 0:
        raise InputError(
            f"{path}: none of the run's {len(people)} people ({listing(people, 3)}) is in its header ({listing(header)}) "
            f"or in its column {header[by_name]!r} ({listing(columns[by_name], 3)}); names must be the same; correct "
            "the names."
        )
    if across > counts[by_name]:
        found = dict(zip(header[1:], list(zip(*rows[1:], strict=True))[1:], strict=True))
        names, facts = header[1:], list(columns[0])
    else:
        facts = [name for number, name in enumerate(header) if number != by_name]
        found = {row[by_name]: tuple(row[:by_name] + row[by_name + 1 :]) for row in rows[1:]}
        names = [row[by_name] for row in rows[1:]]
    for what, several in (("person", names), ("fact", facts)):
        repeated = sorted({name for name in several if several.count(name) > 1 and (what == "fact" or name in known)})
        if repeated or (what == "fact" and "" in several):
            raise InputError(
                f"{path}: {what} {listing(repeated or ['without a name'])} occurs more than once or has no name; each "
                f"{what} needs one place with a name; mend the table."
            )
    values = [[_known(cell) for cell in found.get(name, ("",) * len(facts))] for name in people]
    return pd.DataFrame(values, index=pd.Index(people, name="sample"), columns=facts, dtype=str)


def _known(cell: str) -> str:
    """A value, or an empty text where it is not known."""
    return "" if cell in MISSING else cell


def join_facts(
    samples: pd.DataFrame,
    tables: Sequence[str | Path],
    population: str | None = None,
) -> pd.DataFrame:
    """Put everything that is known about the run's people into one table.

    Args:
        samples: the run's people: column ``sample``, further columns are facts as well.
        tables: files with more; see :func:`read_facts`.
        population: the column that names populations, if the run uses one. Who has no value is counted in the log.

    Returns:
        ``samples`` with the columns of all tables; text, empty where not known.

    Raises:
        InputError: two tables have the same column, that of populations is not there, or nobody has one.
    """
    joined = samples.map(_known).set_index("sample")
    origin = dict.fromkeys(joined.columns, "inputs.samples")
    for path in tables:
        facts = read_facts(path, list(joined.index))
        twice = [name for name in facts.columns if name in origin or name == "sample"]
        if twice:
            raise InputError(
                f"{path}: column {listing(twice)} is also in {listing(sorted({origin.get(t, 'the run') for t in twice}))}; "
                "a fact comes from one table; rename or remove one of them."
            )
        origin |= dict.fromkeys(facts.columns, str(path))
        joined = pd.concat([joined, facts], axis=1)
        LOG.info("%s: %d of %d people, %s", path, (facts != "").any(axis=1).sum(), len(facts), listing(facts.columns))
    if population:
        _check_population(joined, population)
    return joined.reset_index()


def _check_population(facts: pd.DataFrame, population: str) -> None:
    """Refuse populations that nobody has, and count people without."""
    if population not in facts.columns:
        raise InputError(
            f"people: column {population!r} (scores.population) not found; the tables of people (inputs.people, "
            f"inputs.samples) have {listing(facts.columns, 20) or 'no columns'}; correct the name or add a table that has "
            "the column."
        )
    lacking = list(facts.index[facts[population] == ""])
    if len(lacking) == len(facts):
        raise InputError(
            f"people: nobody has a value of {population!r} (scores.population); correct the table, or remove the key."
        )
    if lacking:
        LOG.warning(
            "population %r: %d of %d people have no value (%s) and belong to none",
            population, len(lacking), len(facts), listing(lacking),
        )  # fmt: skip
