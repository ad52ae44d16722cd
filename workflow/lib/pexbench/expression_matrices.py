"""Measured expression as a plain matrix (.csv), either way round, genes by id or symbol: brought into the usual form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pexbench.cohort import GENE_COLUMNS, check_sample_names
from pexbench.errors import InputError, listing
from pexbench.genes import Gene
from pexbench.prediction_names import gene_names, match_names
from pexbench.prediction_tables import numbers, read_cells, row_names

EXAMPLES = 10


def expression_of(path: str | Path, genes: Mapping[str, Gene]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a matrix of measured expression whose genes lie in rows or in columns.

    Args:
        path: ``.csv`` (comma) or what :func:`prediction_tables.read_cells` reads; the names of rows stand in a column called
            ``sample``, ``gene_id`` or ``gene``, else in the first.
        genes: genes that may occur, by id; found by id with or without version, or by symbol, in any letter case.

    Returns:
        ``(table, report)``: ``gene_id`` and one float64 column per person, genes in the file's order; the report counts
        what matched and lists names that did not.

    Raises:
        InputError: no gene known, genes both ways round, a gene or person twice, or a value that is no number.
    """
    path = Path(path)
    header, cells = read_cells(path)
    rows, others = row_names(header, cells)
    others = [number for number in others if header[number].lower() not in GENE_COLUMNS]
    titles = [header[number] for number in others]
    known = gene_names(genes)
    in_rows, in_columns = known.share(rows), known.share(titles)
    if (in_rows > 0) == (in_columns > 0):
        found = "no gene that the gene sources know" if not in_rows else "genes in rows and in columns"
        raise InputError(
            f"{path}: {found}; its rows are {listing(rows)}, its columns {listing(titles)}; genes by id or symbol one way "
            "round, people the other way, are allowed; correct the table or the gene sources."
        )
    names, people = (rows, titles) if in_rows else (titles, rows)
    repeated = sorted({name for name in people if people.count(name) > 1})
    if repeated:
        raise InputError(
            f"{path}: person {listing(repeated)} occurs more than once; one is allowed; remove the others."
        )
    check_sample_names(people, path)
    matched = match_names(path, names, known)
    part = cells[others].set_axis(titles, axis=1).set_axis(rows, axis=0)
    part = part if in_rows else part.T
    part = part.iloc[list(matched.position.values())].set_axis(list(matched.position), axis=0)
    table = pd.DataFrame(numbers(path, part), columns=people)
    table.insert(0, "gene_id", list(matched.position))
    counts = {
        "layout": "genes x people" if in_rows else "people x genes",
        "people": len(people),
        "genes": len(matched.position),
        "genes_not_in_sources": len(matched.unknown),
        "genes_ambiguous": len(matched.ambiguous),
    }
    return table, {
        "table": path.name,
        "counts": counts,
        "examples_not_in_sources": matched.unknown[:EXAMPLES],
        "ambiguous": matched.ambiguous,
    }
