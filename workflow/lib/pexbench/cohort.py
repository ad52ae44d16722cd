"""People: the sample table and measured expression."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.errors import InputError, listing
from pexbench.files import read_table
from pexbench.genes import without_version
from pexbench.names import valid_name

#: Columns of expression tables that describe the gene; every other column is a person.
GENE_COLUMNS = {
    *("chr", "chrom", "contig", "start", "end", "tss", "strand", "length", "symbol", "pid", "gid", "id"),
    *("gene_symbol", "coord"),  # E-GEUV-1
}
#: Names under which tables call the gene id, best first.
ID_COLUMNS = ("gene_id", "gene", "targetid", "gid", "pid", "id", "name")


def read_samples(path: str | Path) -> pd.DataFrame:
    """Read a sample table.

    Args:
        path: tab-separated, or separated by white space where the header has no tab, with a header that has the column
            ``sample``; further columns are kept. A ``.txt`` file of one column without that header is a plain list of names.

    Returns:
        Table with the column ``sample`` (text), one row per person, in the file's order.

    Raises:
        InputError: no such column, a person twice, or a name with unsafe characters.
    """
    with (gzip.open if str(path).endswith(".gz") else open)(path, "rt") as handle:
        # By tabs where there are any: an empty fact must not move the next one into its column.
        separator = "\t" if "\t" in handle.readline() else r"\s+"
    table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, index_col=False)
    table = table.loc[:, [not name.startswith("Unnamed: ") for name in table.columns]]
    if str(path).endswith(".txt") and len(table.columns) == 1 and "sample" not in table.columns:
        table = pd.DataFrame({"sample": [table.columns[0], *table.iloc[:, 0]]})
    if "sample" not in table.columns:
        raise InputError(
            f"{path}: column 'sample' not found, only {listing(table.columns)}; a sample table has a header with "
            "'sample'; name the column of ids so."
        )
    repeated = table["sample"][table["sample"].duplicated()].unique()
    if len(repeated):
        raise InputError(
            f"{path}: {listing(repeated)} occurs more than once; each person needs one row; remove the others."
        )
    check_sample_names(table["sample"], path)
    return table


def check_sample_names(names: pd.Series | list[str], where: str | Path) -> None:
    """Refuse sample names that are unsafe as command arguments.

    Raises:
        InputError: a name has characters other than letters, digits, ``.``, ``_`` and ``-``.
    """
    wrong = [name for name in names if not valid_name(str(name))]
    if wrong:
        raise InputError(
            f"{where}: sample name {listing(repr(name) for name in wrong)} has characters other than letters, digits, "
            "'.', '_' and '-'; rename the sample in every input."
        )


def read_expression_rows(path: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read an expression table as it is: gene columns as text, people as numbers.

    Args:
        path: tab-separated or BED, plain or gzip, header line with sample names.

    Returns:
        ``(genes, values)``: ``genes`` has the columns that describe genes, lower-case, with ``gene_id`` (Ensembl
        version removed), and ``contig``, ``tss`` (1-based, text) and ``strand`` where the table has them;
        ``values`` is float64 [genes, people] with people's names as columns. Rows of both correspond.

    Raises:
        InputError: no gene id column, a person's column twice, or a value that is no number.
    """
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt") as handle:
        header = handle.readline().rstrip("\n").lstrip("#").split("\t")
        names = [name.strip() for name in header]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise InputError(
                f"{path}: column {listing(repeated)} occurs more than once in the header; each person needs one "
                "column; remove the others."
            )
    lower = {name.lower(): name for name in names}
    id_column = next((lower[name] for name in ID_COLUMNS if name in lower), None)
    if id_column is None:
        raise InputError(
            f"{path}: no column of gene ids among {listing(names)}; it may be called {', '.join(ID_COLUMNS)}; "
            "rename it."
        )
    about = [name for name in names if name == id_column or name.lower() in GENE_COLUMNS]
    people = [name for name in names if name not in about]
    check_sample_names(people, path)
    table = _table(path, names, set(people))
    genes = table[about].rename(columns={name: name.lower() for name in about if name != id_column})
    genes = genes.rename(columns={id_column: "gene_id", "chr": "contig", "chrom": "contig"})
    genes["gene_id"] = [without_version(value) for value in genes["gene_id"]]
    if "start" in genes and "end" in genes and "tss" not in genes:
        # BED of FastQTL and its kin: [start, end) is the single base of the TSS.
        genes["tss"] = genes["end"]
    try:
        values = table[people].astype(np.float64)
    except ValueError as fault:
        raise InputError(
            f"{path}: {fault} in a person's column; finite numbers are allowed; correct the table, or name columns "
            f"that describe genes one of {', '.join(sorted(GENE_COLUMNS))}."
        ) from None
    return genes, values


def _table(path: str | Path, names: list[str], numbers: set[str]) -> pd.DataFrame:
    """The rows below the header: some columns as numbers, read exactly, the others as text."""
    from pyarrow import ArrowInvalid, csv

    opener = gzip.open if str(path).endswith(".gz") else open
    types = {name: "float64" if name in numbers else "string" for name in names}
    try:
        # Many times faster than pandas where every digit counts; a full table has ten million numbers.
        with opener(path, "rb") as handle:
            table: pd.DataFrame = csv.read_csv(
                handle,
                csv.ReadOptions(skip_rows=1, column_names=names),
                csv.ParseOptions(delimiter="\t"),
                csv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False),
            ).to_pandas()
            return table
    except ArrowInvalid:
        # As text: the caller's conversion says better what is wrong with a number.
        return pd.read_csv(path, sep="\t", skiprows=1, header=None, names=names, dtype=str, keep_default_na=False)


def read_expression(path: str | Path) -> pd.DataFrame:
    """Read measured expression.

    Args:
        path: see :func:`read_expression_rows`.

    Returns:
        float64, genes x people; index ``gene_id`` (Ensembl version removed), columns sample names.

    Raises:
        InputError: as :func:`read_expression_rows`, and for a gene that occurs twice.
    """
    genes, values = read_expression_rows(path)
    repeated = genes["gene_id"][genes["gene_id"].duplicated()].unique()
    if len(repeated):
        raise InputError(
            f"{path}: gene {listing(repeated)} occurs more than once (after removing the Ensembl version); each gene "
            "needs one row; remove or merge the others."
        )
    values.index = pd.Index(genes["gene_id"], name="gene_id")
    return values


def constant(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether the values of each gene differ by rounding at most.

    Args:
        values: float64 [..., S], finite; S at least 1.

    Returns:
        bool [...].
    """
    return np.asarray(np.ptp(values, axis=-1) <= 1e-12 * np.abs(values).max(axis=-1))


def usable_rows(values: pd.DataFrame) -> pd.Series:
    """Why rows of an expression table cannot be scored.

    Args:
        values: float64, genes x people, already reduced to the people of the run.

    Returns:
        Text by gene: empty where the row is usable, else the reason.
    """
    array = values.to_numpy()
    finite = np.isfinite(array).all(axis=1)
    same = constant(np.where(finite[:, None], array, 0))
    reason = np.where(~finite, "expression not finite", np.where(same, "expression the same for everyone", ""))
    return pd.Series(reason, index=values.index, dtype=str)


def read_run_samples(path: str | Path) -> list[str]:
    """Names of the run's people, from the table that ``check_inputs`` wrote."""
    return list(read_table(path)["sample"])


def read_people(path: str | Path) -> pd.DataFrame:
    """What is known about the run's people, from the table that ``people_facts`` wrote.

    Args:
        path: tab-separated, column ``sample`` and one column per fact.

    Returns:
        Text, index ``sample`` in the run's order; empty where a fact is not known.
    """
    return read_table(path).set_index("sample")
