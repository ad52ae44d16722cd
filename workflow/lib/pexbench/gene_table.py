"""Make the gene table of a run from files that place genes."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pexbench.cohort import read_expression_rows
from pexbench.errors import InputError, listing
from pexbench.genes import Gene, without_version
from pexbench.reference import match_contig

GTF_ATTRIBUTE = re.compile(r'(\w+) "([^"]*)"')


def place_genes(
    sources: Sequence[str | Path], expression: Sequence[str | Path], contigs: Sequence[str]
) -> tuple[dict[str, Gene], dict[str, object]]:
    """Place every gene that has measured expression, by the first source that knows it.

    Args:
        sources: best first; kinds by suffix: ``.csv`` (no header: Ensembl id, chromosome, TSS 1-based, symbol,
            strand, as the paper's list), ``.gtf``/``.gtf.gz`` (GENCODE; TSS is the 5' end of the gene), anything
            else an expression table with ``contig``, ``tss`` and ``strand`` columns.
        expression: expression tables whose genes are wanted.
        contigs: contigs to use, in any naming, or parts of them as ``contig:start-end`` (1-based, inclusive); empty
            for all.

    Returns:
        ``(genes, report)``: genes by id, ordered by contig and position, contigs without ``chr``; the report counts
        what each source placed, what differs between sources, and lists genes that no source places.
    """
    places = [(Path(source), _read_source(source)) for source in sources]
    symbols: dict[str, str] = {}
    for _, found in reversed(places):
        symbols.update({gene_id: gene.symbol for gene_id, gene in found.items() if gene.symbol})
    wanted: dict[str, None] = {}
    for table in expression:
        wanted.update(dict.fromkeys(read_expression_rows(table)[0]["gene_id"]))
    genes: list[Gene] = []
    placed = {str(path): 0 for path, _ in places}
    unplaced, elsewhere, differing = [], 0, []
    for gene_id in wanted:
        known = [(path, found[gene_id]) for path, found in places if gene_id in found]
        if not known:
            unplaced.append(gene_id)
            continue
        path, gene = known[0]
        if contigs and not any(_within(gene, part) for part in contigs):
            elsewhere += 1
            continue
        if len({(other.tss, other.strand) for _, other in known}) > 1:
            differing.append(gene_id)
        placed[str(path)] += 1
        bare = gene.contig.removeprefix("chr")
        genes.append(Gene(gene_id, symbols.get(gene_id, ""), bare, gene.tss, gene.strand))
    if not genes:
        raise InputError(
            f"gene_sources: none of {len(wanted)} genes with expression is placed on contigs {listing(contigs) or 'any'}; "
            "the sources must know the ids of the expression tables; check ids and 'contigs'."
        )
    genes.sort(key=lambda gene: (gene.contig, gene.tss, gene.gene_id))
    report: dict[str, object] = {
        "sources": {path.name: _about(found, wanted) for path, found in places},
        "without_symbol": sum(not gene.symbol for gene in genes),
        "genes_by_contig": dict(Counter(gene.contig for gene in genes)),
        "genes_with_expression": len(wanted),
        "placed": {Path(path).name: number for path, number in placed.items()},
        "elsewhere": elsewhere,
        "placed_differently_by_later_sources": sorted(differing),
        "placed_by_no_source": sorted(unplaced),
    }
    return {gene.gene_id: gene for gene in genes}, report


def known_genes(sources: Sequence[str | Path]) -> dict[str, Gene]:
    """Every gene that some sources name, by id, by the first that has it.

    Args:
        sources: files as for :func:`place_genes`.
    """
    found: dict[str, Gene] = {}
    for source in reversed(sources):
        found |= _read_source(source)
    return found


def describe(report: Mapping[str, Any]) -> list[str]:
    """What :func:`place_genes` did, in sentences."""
    lines = []
    for name, about in report["sources"].items():
        autosomes = all(contig.isdigit() for contig in about["contigs"])
        lines.append(
            f"{name}: {about['genes']:,} genes on {len(about['contigs'])} contigs"
            f"{' (autosomes only)' if autosomes else ''}, {about['without_symbol']:,} without a symbol, "
            f"{about['without_expression']:,} left out because their expression was not measured; "
            f"{report['placed'][name]:,} genes of the run are placed by it"
        )
    placed = sum(report["placed"].values())
    lines.append(
        f"{placed:,} genes in the table, {report['without_symbol']:,} of them without a symbol: they go by their id; "
        f"{report['elsewhere']:,} on other contigs and {len(report['placed_by_no_source']):,} that no source places are left "
        "out"
    )
    return lines


def _about(found: Mapping[str, Gene], wanted: Mapping[str, None]) -> dict[str, object]:
    """What a source holds, and what of it cannot be used because nobody measured it."""
    return {
        "genes": len(found),
        "without_symbol": sum(not gene.symbol for gene in found.values()),
        "contigs": sorted({gene.contig.removeprefix("chr") for gene in found.values()}),
        "without_expression": len(set(found) - set(wanted)),
    }


def _within(gene: Gene, part: str) -> bool:
    """Whether a TSS lies on a contig or in a part of it."""
    contig, _, span = part.partition(":")
    if match_contig(gene.contig, [contig]) is None:
        return False
    if not span:
        return True
    start, _, end = span.partition("-")
    if not (start.isdigit() and end.isdigit()):
        raise InputError(f"contigs: {part!r} found; 'contig' or 'contig:start-end' is allowed; correct the setting.")
    return int(start) <= gene.tss <= int(end)


def _read_source(path: str | Path) -> dict[str, Gene]:
    name = Path(path).name
    if name.endswith(".csv"):
        return _read_gene_list(path)
    if name.endswith((".gtf", ".gtf.gz")):
        return _read_gtf(path)
    return _read_expression_places(path)


def _read_gene_list(path: str | Path) -> dict[str, Gene]:
    """The paper's gene list: id, chromosome, TSS (1-based), symbol, strand; no header."""
    genes = {}
    with open(path, newline="") as handle:
        for number, row in enumerate(csv.reader(handle), start=1):
            if len(row) != 5 or not row[2].isdigit() or row[4] not in ("+", "-"):
                raise InputError(
                    f"{path}: line {number} is {','.join(row)!r}; id,chromosome,TSS,symbol,strand is allowed; correct it."
                )
            gene_id = without_version(row[0])
            genes[gene_id] = Gene(gene_id, row[3], row[1], int(row[2]), row[4])
    return genes


def _read_gtf(path: str | Path) -> dict[str, Gene]:
    """GENCODE genes; the TSS is the gene's 5' end (GTF is 1-based, inclusive)."""
    genes = {}
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt") as handle:
        for line in handle:
            fields = line.rstrip("\n").split("\t")
            if line.startswith("#") or fields[2] != "gene":
                continue
            about = dict(GTF_ATTRIBUTE.findall(fields[8]))
            gene_id = without_version(about["gene_id"])
            tss = int(fields[3]) if fields[6] == "+" else int(fields[4])
            genes[gene_id] = Gene(gene_id, about.get("gene_name", ""), fields[0], tss, fields[6])
    return genes


def _read_expression_places(path: str | Path) -> dict[str, Gene]:
    """TSS and strand from the gene columns of an expression table."""
    rows, _ = read_expression_rows(path)
    absent = [column for column in ("contig", "tss", "strand") if column not in rows]
    if absent:
        raise InputError(
            f"{path}: no column {listing(absent)}; as a gene source an expression table needs contig, tss (or BED "
            "start, end) and strand; take it off gene_sources."
        )
    genes = {}
    for row in rows[["gene_id", "contig", "tss", "strand"]].itertuples(index=False):
        gene_id, contig, tss, strand = (str(value) for value in row)
        if strand in ("+", "-"):
            genes[gene_id] = Gene(gene_id, "", contig, int(tss), strand)
    return genes
