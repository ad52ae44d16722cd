"""The gene table: which genes, and where their transcription start sites (TSS) lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pexbench.errors import InputError, listing
from pexbench.files import read_table
from pexbench.names import valid_name

COLUMNS = ("gene_id", "symbol", "contig", "tss", "strand")


@dataclass(frozen=True)
class Gene:
    """One gene.

    Attributes:
        gene_id: unique id, the key everywhere.
        symbol: readable name, may be empty.
        contig: chromosome, in the gene table's naming.
        tss: transcription start site, **1-based** position on the contig.
        strand: ``+`` or ``-``.
    """

    gene_id: str
    symbol: str
    contig: str
    tss: int
    strand: str

    @property
    def tss0(self) -> int:
        """TSS as a 0-based position."""
        return self.tss - 1

    @property
    def label(self) -> str:
        """Symbol where there is one, else the id."""
        return self.symbol or self.gene_id


def without_version(gene_id: str) -> str:
    """Ensembl id without its version: ``ENSG00000100075.5`` becomes ``ENSG00000100075``; others stay as they are."""
    return re.sub(r"^(ENS[A-Z]*G\d{11})\.\d+$", r"\1", gene_id)


def read_genes(path: str | Path) -> dict[str, Gene]:
    """Read a gene table.

    Args:
        path: tab-separated, columns ``gene_id symbol contig tss strand``, TSS 1-based.

    Returns:
        Genes by id, in the file's order.

    Raises:
        InputError: a column is absent, an id is repeated or has unsafe characters, a TSS is no
            positive whole number, a strand is neither ``+`` nor ``-``.
    """
    table = read_table(path)
    absent = [column for column in COLUMNS if column not in table.columns]
    if absent:
        raise InputError(
            f"{path}: column(s) {listing(absent)} not found; a gene table has the tab-separated columns "
            f"{' '.join(COLUMNS)}; add them (symbol may be empty)."
        )
    return genes_from_table(table, path)


def genes_from_table(table: pd.DataFrame, path: str | Path) -> dict[str, Gene]:
    """Check the rows of a gene table and turn them into :class:`Gene`; ``path`` is named in errors."""
    repeated = table["gene_id"][table["gene_id"].duplicated()].unique()
    if len(repeated):
        raise InputError(
            f"{path}: gene_id {listing(repeated)} occurs more than once; each gene needs one row; "
            "remove the duplicates or give each TSS an id of its own."
        )
    genes: dict[str, Gene] = {}
    for row in table[list(COLUMNS)].itertuples(index=False):
        gene_id, symbol, contig, tss, strand = (str(value) for value in row)
        if not valid_name(gene_id):
            raise InputError(
                f"{path}: gene_id {gene_id!r} has characters other than letters, digits, '.', '_' and '-'; rename it."
            )
        if not tss.isdigit() or int(tss) < 1:
            raise InputError(
                f"{path}: gene {gene_id} has tss {tss!r}; a 1-based position, a whole number of at least 1, "
                "is allowed; correct the table."
            )
        if strand not in ("+", "-"):
            raise InputError(f"{path}: gene {gene_id} has strand {strand!r}; '+' or '-' is allowed; correct the table.")
        genes[gene_id] = Gene(gene_id, symbol, contig, int(tss), strand)
    return genes


def genes_to_table(genes: dict[str, Gene]) -> pd.DataFrame:
    """The gene table of these genes, one row each, in their order."""
    rows = [(g.gene_id, g.symbol, g.contig, g.tss, g.strand) for g in genes.values()]
    return pd.DataFrame(rows, columns=list(COLUMNS))
