"""A table of predictions made elsewhere, as a model of the run.

What is read: people in rows and genes in columns, genes in rows and people in columns, or tidy (columns ``sample``,
``gene_id`` or ``gene``, ``prediction``). Which way round a table lies is found by its names.

Who is kept: people of the run without any prediction are left out of this model; a gene is kept if every other
person of the run has a prediction for it. Both are listed in the report. So everyone is scored on the same genes,
and every gene on the same people.
"""

from __future__ import annotations

import csv
import gzip
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.errors import InputError, listing
from pexbench.files import checksum
from pexbench.genes import Gene
from pexbench.precision import Agreement
from pexbench.prediction_names import REFERENCE, Matched, Names, gene_names, match_names, person_names
from pexbench.predictions import REFERENCE_COLUMNS

LOG = logging.getLogger(__name__)
#: How tables call the column of names, best first; without one it is the first column.
NAME_COLUMNS = ("sample", "gene_id", "gene")
TIDY = {"sample", "prediction"}
#: Cells that mean: no prediction.
MISSING = ("", "NA", "N/A", "NaN", "nan", "NAN", "null", "None", ".")
SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
EXAMPLES = 10


@dataclass(frozen=True)
class Imported:
    """A table as a model.

    Attributes:
        people: columns ``gene_id``, ``sample``, ``prediction`` (float32), in the order of the run's genes and people.
        reference: columns ``predictions.REFERENCE_COLUMNS``; no rows where the table has no reference predictions.
            What only the run's own haplotypes tell is unknown here: shares are NaN, counts 0.
        report: layout, counts, and what was left out for which reason.
    """

    people: pd.DataFrame
    reference: pd.DataFrame
    report: dict[str, Any]


def import_table(
    path: str | Path,
    model: str,
    genes: Mapping[str, Gene],
    samples: Sequence[str],
    reference: tuple[str | Path, str | None] | None = None,
) -> Imported:
    """Read a table of predictions for the genes and people of a run.

    Args:
        path: ``.csv``, ``.tsv``, ``.txt`` (tab), each plain or ``.gz``, or ``.parquet``. People are named as in the
            run, genes by id (with or without Ensembl version) or symbol; letter case does not count. A person called
            ``reference`` or ``ref`` holds the predictions for the reference sequence.
        model: named in messages.
        genes: the run's genes by id.
        samples: the run's people.
        reference: another table with the predictions for the reference sequence, genes in rows, and its column (None:
            the only one beside the genes).

    Returns:
        Predictions by name, and a report.

    Raises:
        InputError: the file cannot be read or its names are not the run's, a gene or person occurs twice, a
            prediction is text, infinite or too large for float32, or nothing is left.
    """
    path = Path(path)
    header, cells = read_cells(path)
    by_gene, by_person = gene_names(genes), person_names(samples)
    lower = [name.lower() for name in header]
    if set(lower) >= TIDY and {"gene_id", "gene"} & set(lower):
        layout = "tidy"
        values, matched = _tidy(path, lower, cells, by_gene, by_person)
    else:
        layout, values, matched = _wide(path, header, cells, by_gene, by_person)
    if reference is not None:
        if REFERENCE in values.index:
            raise InputError(
                f"{path}: it has a row or sample of reference predictions, and {reference[0]} is given for them as well; one "
                "of them is allowed; remove the other."
            )
        known = reference_predictions(reference[0], reference[1], by_gene)
        values = pd.concat([values, known.to_frame(REFERENCE).T.reindex(columns=values.columns.union(known.index))])
    return _assemble(path, model, layout, values, matched, genes, samples)


def reference_predictions(path: str | Path, column: str | None, by_gene: Names) -> pd.Series:
    """Predictions for the reference sequence from a table with a row per gene and a column per model.

    Args:
        path: as for :func:`import_table`.
        column: the model's column, in any letter case; None: the only one beside the genes.
        by_gene: names of the run's genes.

    Returns:
        float64 by gene id of the run, NaN where the table has no number.

    Raises:
        InputError: no such column, no gene of the run, or a value that is no number.
    """
    path = Path(path)
    header, cells = read_cells(path)
    rows, others = row_names(header, cells)
    chosen = [number for number in others if column is None or header[number].lower() == column.lower()]
    if len(chosen) != 1:
        found = f"no column {column!r}" if column else f"{len(others)} columns beside the genes"
        raise InputError(
            f"{path}: {found}; columns are {listing(header[number] for number in others)}; name one of them in "
            "reference_column."
        )
    matched = match_names(path, rows, by_gene)
    if not matched.position:
        raise InputError(
            f"{path}: no gene of the run found; the table names {listing(rows)}, the run {listing(by_gene.tiers[0])}; names "
            "must be the same (genes by id or symbol)."
        )
    part = cells.iloc[list(matched.position.values()), chosen].set_axis(list(matched.position), axis=0)
    return pd.Series(numbers(path, part.set_axis([header[chosen[0]]], axis=1))[:, 0], index=list(matched.position))


def read_cells(path: Path) -> tuple[list[str], pd.DataFrame]:
    """A table's header and its cells, columns numbered; text as text, numbers of a Parquet file as numbers."""
    if not path.is_file():
        raise InputError(f"{path}: table not found; correct the path.")
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        if not isinstance(table.index, pd.RangeIndex):
            table = table.reset_index()
        header = [str(name) for name in table.columns]
        table.columns = pd.RangeIndex(len(header))
        return header, table
    if suffix not in SEPARATORS:
        raise InputError(
            f"{path}: ending {suffix!r} found; .csv, .tsv and .txt (also with .gz) and .parquet are allowed; rename "
            "or convert the file."
        )
    separator = SEPARATORS[suffix]
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as handle:
            header = next(csv.reader([handle.readline()], delimiter=separator), [])
            cells = pd.read_csv(handle, sep=separator, header=None, dtype=str, keep_default_na=False, na_filter=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError, OSError, EOFError) as fault:
        raise InputError(
            f"{path}: {str(fault).strip()}; a header and rows of as many fields, separated by "
            f"{'commas' if separator == ',' else 'tabs'}, are allowed; correct the file."
        ) from None
    header = [name.strip() for name in header]
    if len(header) == cells.shape[1] - 1:
        header = ["", *header]  # R's write.table gives names of rows no heading
    if len(header) != cells.shape[1] or len(header) < 2:
        raise InputError(
            f"{path}: {len(header)} names in the header and {cells.shape[1]} fields in the first row; as many, at least "
            f"2, separated by {'commas' if separator == ',' else 'tabs'}, are allowed; correct the file or its ending."
        )
    return header, cells


def row_names(header: Sequence[str], cells: pd.DataFrame) -> tuple[list[str], list[int]]:
    """Names of a table's rows, from the column called one of :data:`NAME_COLUMNS` or the first, and its other columns.

    Args:
        header: names of the columns.
        cells: the rows below it, columns numbered, as :func:`read_cells` gives them.
    """
    lower = [name.lower() for name in header]
    place = next((lower.index(name) for name in NAME_COLUMNS if name in lower), 0)
    return _texts(cells[place]), [number for number in range(len(header)) if number != place]


def _texts(column: pd.Series) -> list[str]:
    return [str(value).strip() for value in column]


def _wide(
    path: Path, header: Sequence[str], cells: pd.DataFrame, by_gene: Names, by_person: Names
) -> tuple[str, pd.DataFrame, tuple[Matched, Matched]]:
    """Layout, predictions [people, genes] by the run's names, and how names matched."""
    rows, columns = row_names(header, cells)
    titles = [header[number] for number in columns]
    people_first = min(by_person.share(rows), by_gene.share(titles))
    genes_first = min(by_gene.share(rows), by_person.share(titles))
    if (people_first > 0) == (genes_first > 0):
        found = "no names of the run" if people_first == 0 else "names of people and of genes both ways round"
        # The last tier holds symbols.
        symbols = listing(by_gene.tiers[2], 3) or "none"
        raise InputError(
            f"{path}: {found}; its rows are {listing(rows)}, its columns {listing(titles)}; the run's people are "
            f"{listing(by_person.tiers[0])}, its genes {listing(by_gene.tiers[0])} (symbols {symbols}); people must "
            "be named as in the run and genes by id or symbol (any letter case, any Ensembl version); are there typos, "
            "another cohort, or a genome build with other gene ids?"
        )
    if people_first:
        people, matched_genes = match_names(path, rows, by_person), match_names(path, titles, by_gene)
        part = cells.iloc[list(people.position.values()), [columns[p] for p in matched_genes.position.values()]]
    else:
        people, matched_genes = match_names(path, titles, by_person), match_names(path, rows, by_gene)
        part = cells.iloc[list(matched_genes.position.values()), [columns[p] for p in people.position.values()]].T
    part = part.set_axis(list(people.position), axis=0).set_axis(list(matched_genes.position), axis=1)
    layout = "people x genes" if people_first else "genes x people"
    return layout, pd.DataFrame(numbers(path, part), part.index, part.columns), (people, matched_genes)


def _tidy(
    path: Path, lower: Sequence[str], cells: pd.DataFrame, by_gene: Names, by_person: Names
) -> tuple[pd.DataFrame, tuple[Matched, Matched]]:
    """Predictions [people, genes] by the run's names, and how names matched."""
    gene_column = lower.index("gene_id" if "gene_id" in lower else "gene")
    people = pd.Series(_texts(cells[lower.index("sample")]))
    genes = pd.Series(_texts(cells[gene_column]))
    matched = []
    for names, known in ((people, by_person), (genes, by_gene)):
        distinct = list(dict.fromkeys(names))
        matched.append(match_names(path, distinct, known))
        if not matched[-1].position:
            raise InputError(
                f"{path}: no {known.noun} of the run found; the table names {listing(distinct)}, the run "
                f"{listing(known.tiers[0])}; names must be the same (genes by id or symbol); are there typos, another "
                "cohort, or a genome build with other gene ids?"
            )
    own = []
    for names, match in zip((people, genes), matched, strict=True):
        distinct = list(dict.fromkeys(names))
        own.append(names.map({distinct[place]: name for name, place in match.position.items()}))
    keys = pd.DataFrame({"sample": own[0], "gene_id": own[1]})
    known_rows = keys.notna().all(axis=1).to_numpy()
    keys = keys[known_rows]
    twice = keys[keys.duplicated()]
    if len(twice):
        pairs = (f"{gene} of {person}" for person, gene in twice.itertuples(index=False))
        raise InputError(
            f"{path}: {listing(pairs)} occurs more than once; one prediction per gene and person is allowed; remove "
            "the others."
        )
    column = cells.loc[known_rows, [lower.index("prediction")]]
    labels = [f"{gene} of {person}" for person, gene in keys.itertuples(index=False)]
    found = numbers(path, column.set_axis(labels, axis=0).set_axis([""], axis=1))[:, 0]
    values = keys.assign(prediction=found).pivot(index="sample", columns="gene_id", values="prediction")
    return values.rename_axis(index=None, columns=None), (matched[0], matched[1])


def numbers(path: Path, part: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Cells as float64, NaN where there is no prediction.

    Raises:
        InputError: a cell is text, infinite, or too large for float32.
    """
    part = part.astype(object)
    cells = part.mask(part.isin(MISSING) | part.isna(), "nan").to_numpy(dtype=object)
    if not all(map(_is_number, cells.flat)):
        row, column = next(place for place in np.ndindex(cells.shape) if not _is_number(cells[place]))
        raise InputError(
            f"{path}: value {cells[row, column]!r} ({_place(part, row, column)}) is no number; a number, or "
            "nothing where there is no prediction, is allowed; correct the table."
        )
    values = cells.astype(np.float64)
    with np.errstate(over="ignore"):
        infinite = np.argwhere(np.isinf(values.astype(np.float32)))
    if len(infinite):
        row, column = infinite[0]
        raise InputError(
            f"{path}: value {cells[row, column]!r} ({_place(part, row, column)}) is not finite as float32; a "
            "finite number, or nothing where there is none, is allowed; correct the table."
        )
    return values


def _is_number(cell: object) -> bool:
    try:
        float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    # Python reads 1_000 and True as numbers; a table that holds them holds something else.
    return "_" not in str(cell) and not isinstance(cell, bool | np.bool_)


def _place(part: pd.DataFrame, row: int, column: int) -> str:
    return ", ".join(str(name) for name in (part.index[row], part.columns[column]) if name)


def _assemble(
    path: Path,
    model: str,
    layout: str,
    values: pd.DataFrame,
    matched: tuple[Matched, Matched],
    genes: Mapping[str, Gene],
    samples: Sequence[str],
) -> Imported:
    """Keep whole genes, in the run's order, and tell what was left out."""
    people_match, gene_match = matched
    left_out: list[dict[str, str]] = []

    def leave_out(kind: str, name: str, reason: str) -> None:
        left_out.append({"kind": kind, "id": name, "reason": reason})

    everyone = values.reindex(index=list(samples), columns=list(genes))
    has_any = everyone.notna().any(axis=1)
    present = [name for name in samples if has_any[name]]
    for name in samples:
        if not has_any[name]:
            given = name in people_match.position
            leave_out("person", name, "no prediction for any gene of the run" if given else "not in the table")
    # Without a row of that name: NaN for all.
    reference = values.reindex(index=[REFERENCE], columns=list(genes)).loc[REFERENCE]
    complete = everyone.loc[present].notna().to_numpy()
    kept = [name for name, whole in zip(genes, complete.all(axis=0), strict=True) if whole and present]
    for number, name in enumerate(genes):
        if name not in gene_match.position:
            leave_out("gene", name, "not in the table")
        elif not complete[:, number].any():
            only = np.isfinite(reference[name])
            leave_out("gene", name, "reference prediction only" if only else "no prediction for anyone")
        elif not complete[:, number].all():
            lacking = [person for person, have in zip(present, complete[:, number], strict=True) if not have]
            leave_out("gene", name, f"no prediction for some people ({listing(lacking, 3)})")
    for match, kind in ((people_match, "name of a person in the table"), (gene_match, "name of a gene in the table")):
        for name, meanings in sorted(match.ambiguous.items()):
            leave_out(kind, name, f"stands for several of the run: {', '.join(meanings)}")
    if not kept:
        raise InputError(
            f"{path}: no gene has a prediction for each of the {len(present)} people of the run who are in the table "
            f"({_reasons(left_out)}); at least one complete gene is needed; fill the table or leave out people."
        )
    table = everyone.loc[present, kept].astype(np.float32)
    people = pd.DataFrame(
        {
            "gene_id": np.repeat(np.array(kept, dtype=object), len(present)),
            "sample": np.tile(np.array(present, dtype=object), len(kept)),
            "prediction": table.to_numpy().T.ravel(),
        }
    )
    known = reference.dropna()
    made = pd.DataFrame({"gene_id": list(known.index), "prediction": known.to_numpy(np.float32)})
    shares = ("n_share", "genotyped_share", *Agreement._fields)
    unknown = {**dict.fromkeys(shares, np.nan), "n_variants": 0, "n_distinct": 0}
    report = {
        "model": model,
        "table": {"name": path.name, "sha256": checksum(path), "layout": layout},
        "people": {
            "in_run": len(samples),
            "kept": len(present),
            "in_table_not_in_run": len(people_match.unknown),
            "examples_not_in_run": people_match.unknown[:EXAMPLES],
        },
        "genes": {
            "in_run": len(genes),
            "kept": len(kept),
            "with_reference_prediction": len(known),
            "in_table_not_in_run": len(gene_match.unknown),
            "examples_not_in_run": gene_match.unknown[:EXAMPLES],
        },
        "left_out": left_out,
        "left_out_by_reason": _counts(left_out),
    }
    return Imported(people, made.assign(**unknown)[list(REFERENCE_COLUMNS)], report)


def _counts(left_out: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """Number left out by kind and reason; names in brackets or after a colon do not count as another reason."""
    texts = (f"{entry['kind']}: {entry['reason'].partition(' (')[0].partition(':')[0]}" for entry in left_out)
    return dict(sorted(Counter(texts).items()))


def _reasons(left_out: Iterable[Mapping[str, str]]) -> str:
    return "; ".join(f"{number} x {reason}" for reason, number in _counts(left_out).items())
