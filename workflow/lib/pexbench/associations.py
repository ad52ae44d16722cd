"""Measured expression against the dosage of each cis variant: eQTL associations of the run's own cohort."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pexbench.baselines.arrays import first_of_best, gene_data
from pexbench.baselines.shard import Shard, cis_dosages
from pexbench.cohort import constant
from pexbench.covariates import without
from pexbench.errors import InputError, listing
from pexbench.files import read_table
from pexbench.genes import Gene, without_version
from pexbench.heritability import FEWEST_PEOPLE, estimate
from pexbench.people import MISSING, rows_of
from pexbench.regression import Regressions, regress

LOG = logging.getLogger(__name__)
Floats = NDArray[np.float64]

#: One row per gene and tested variant (``associations.cis.parquet``). ``variant`` is CONTIG:POS:REF:ALT, ``pos`` 1-based,
#: ``af`` the frequency of ALT among the gene's people, ``distance`` bp from the TSS (positive: downstream in the gene's
#: direction), ``slope`` expression per copy of ALT with standard error ``se``, ``r`` Pearson's (partial where covariates
#: are in use), ``p`` two-sided by the t-test, not corrected.
CIS = ("gene_id", "variant", "contig", "pos", "ref", "alt", "af", "distance", "slope", "se", "r", "p")
#: One row per gene with personal genotypes (``associations.tsv``): the variant with the smallest p, ``p_bonferroni``
#: its p times the number of tested variants, ``h2`` the share of expression's variance that the cis variants explain
#: together with its standard error and the p value of h2 = 0. ``note`` says why something is empty.
GENES = (
    *("gene_id", "n", "n_variants", "lead_variant", "pos", "ref", "alt", "af", "distance", "slope", "se", "r", "p"),
    *("p_bonferroni", "h2", "h2_se", "h2_p", "note"),
)
#: How to read the columns of the table of genes that are not text.
TYPES = dict.fromkeys(
    (
        *("n", "n_variants", "pos", "af", "distance", "slope", "se", "r", "p", "p_bonferroni", "h2", "h2_se", "h2_p"),
        *("eqtl_distance", "eqtl_maf", "eqtl_r", "eqtl_log10p"),
    ),
    float,
)
#: Columns of a table of published lead eQTLs, with their names in the table of genes.
EQTL = {
    "distance": "eqtl_distance",
    "minor_allele_freq": "eqtl_maf",
    "rvalue": "eqtl_r",
    "log10pvalue": "eqtl_log10p",
}
#: Fewest people with expression.
FEWEST = 10


@dataclass(frozen=True)
class GeneAssociations:
    """What genotypes say of one gene: its row of :data:`GENES`, rows of :data:`CIS`, lead dosages by sample."""

    row: dict[str, object]
    cis: pd.DataFrame | None
    dosage: NDArray[np.float32] | None


def associate_gene(
    gene: Gene,
    dosages: NDArray[np.float32],
    variants: Sequence[str],
    expression: Floats,
    samples: Sequence[str],
    maf: float,
    covariates: Floats | None = None,
) -> GeneAssociations:
    """Test each frequent cis variant of one gene, and estimate the heritability by all of them.

    Args:
        gene: the gene.
        dosages: float32 [S, M], copies of ALT.
        variants: M ids, CONTIG:POS:REF:ALT.
        expression: float64 [S]; NaN for people without a value, who are left out of this gene.
        samples: S names.
        maf: smallest minor allele frequency among the people with a value.
        covariates: float64 [S, K], independent columns.
    """
    known = np.isfinite(expression)
    people = np.flatnonzero(known)
    c = np.empty((len(samples), 0)) if covariates is None else covariates
    row: dict[str, object] = {"gene_id": gene.gene_id, "n": len(people), "n_variants": 0}
    notes = [] if known.all() else [f"{np.count_nonzero(~known)} of {len(samples)} people have no expression"]
    needed = max(FEWEST, c.shape[1] + 4)
    if len(people) < needed:
        notes.append(f"{len(people)} people with expression, {needed} needed")
    elif constant(expression[people]):
        notes.append("expression the same for everyone")
    elif not np.any(without(expression[people], c[people])):
        notes.append("covariates explain all of the expression")
    else:
        data = gene_data(dosages[people], variants, expression[people], [samples[i] for i in people], maf, c[people])
        found = regress(data.x, data.y, data.c)
        tested = np.flatnonzero(np.isfinite(found.r))
        if len(tested) < len(found.r):
            notes.append(f"{len(found.r) - len(tested)} variants are constant or explained by covariates")
        if not len(tested):
            notes.append(f"no variant of frequency {maf:g} or more to test")
        else:
            cis = _cis_table(gene, data.variants, data.x, found, tested)
            lead = first_of_best(found.r[tested])
            best = cis.iloc[lead]
            row |= {name: best[name] for name in GENES if name in CIS and name != "gene_id"}
            row |= {"n_variants": len(tested), "lead_variant": best["variant"]}
            row["p_bonferroni"] = min(1.0, float(best["p"]) * len(tested))
            if len(people) < FEWEST_PEOPLE:
                notes.append(f"heritability needs {FEWEST_PEOPLE} people, {len(people)} are here")
            else:
                share = estimate(data.x[:, tested], data.y, data.c)
                row |= {"h2": share.h2, "h2_se": share.se, "h2_p": share.p}
                notes += [share.note] if share.note else []
            dosage = dosages[:, list(variants).index(best["variant"])]
            cis = cis.sort_values(["pos", "variant"], ignore_index=True)
            return GeneAssociations({**row, "note": "; ".join(notes)}, cis, dosage)
    return GeneAssociations({**row, "note": "; ".join(notes)}, None, None)


def _cis_table(
    gene: Gene, variants: Sequence[str], x: Floats, found: Regressions, tested: NDArray[np.int64]
) -> pd.DataFrame:
    """Rows of :data:`CIS`, in the order of the variants' ids."""
    parts = [variants[i].rsplit(":", 3) for i in tested]
    pos = np.array([int(part[1]) for part in parts], dtype=np.int64)
    return pd.DataFrame(
        {
            "gene_id": gene.gene_id,
            "variant": [variants[i] for i in tested],
            "contig": [part[0] for part in parts],
            "pos": pos,
            "ref": [part[2] for part in parts],
            "alt": [part[3] for part in parts],
            "af": x[:, tested].mean(axis=0) / 2,
            "distance": (pos - gene.tss) * (1 if gene.strand == "+" else -1),
            "slope": found.slope[tested],
            "se": found.se[tested],
            "r": found.r[tested],
            "p": found.p[tested],
        },
        columns=list(CIS),
    )


@dataclass(frozen=True)
class Associations:
    """Tables of a shard or a run: :data:`GENES`, :data:`CIS`, and lead dosages (gene_id, sample, dosage float32)."""

    genes: pd.DataFrame
    cis: pd.DataFrame
    leads: pd.DataFrame


def associate(shard: Shard, maf: float, covariates: Floats | None = None) -> Associations:
    """Associations of every gene of a shard; a gene without any keeps its row with the reason.

    Args:
        shard: genotypes and expression.
        maf: smallest minor allele frequency among a gene's people.
        covariates: float64 [S, K], independent columns, in the order of ``shard.samples``.
    """
    found = list(_each(shard, maf, covariates))
    genes = pd.DataFrame([entry.row for entry in found], columns=list(GENES))
    empty = pd.DataFrame(columns=list(CIS)).astype(_cis_types())
    cis = [entry.cis for entry in found if entry.cis is not None]
    leads = [
        pd.DataFrame({"gene_id": entry.row["gene_id"], "sample": list(shard.samples), "dosage": entry.dosage})
        for entry in found
        if entry.dosage is not None
    ]
    none = pd.DataFrame({"gene_id": [], "sample": [], "dosage": np.empty(0, dtype=np.float32)})
    return Associations(
        genes=_whole(genes),
        cis=pd.concat(cis, ignore_index=True) if cis else empty,
        leads=pd.concat(leads, ignore_index=True) if leads else none.astype({"gene_id": str, "sample": str}),
    )


def _cis_types() -> dict[str, str]:
    numbers = dict.fromkeys(("af", "slope", "se", "r", "p"), "float64") | dict.fromkeys(("pos", "distance"), "int64")
    return {name: numbers.get(name, "str") for name in CIS}


def _whole(genes: pd.DataFrame) -> pd.DataFrame:
    """Counts and positions as whole numbers, also where some are missing."""
    return genes.astype(dict.fromkeys(("n", "n_variants", "pos", "distance"), "Int64"))


def _each(shard: Shard, maf: float, covariates: Floats | None) -> Iterator[GeneAssociations]:
    known = shard.expression.reindex(columns=list(shard.samples))
    for number, gene in enumerate(shard.genes, start=1):
        if gene.gene_id not in known.index:
            note = "no expression across individuals"
            found = GeneAssociations({"gene_id": gene.gene_id, "n": 0, "n_variants": 0, "note": note}, None, None)
        else:
            dosages, variants = cis_dosages(shard, gene)
            measured = known.loc[gene.gene_id].to_numpy(np.float64)
            found = associate_gene(gene, dosages, variants, measured, shard.samples, maf, covariates)
        LOG.info(
            "%s (%d of %d): %s variants, lead %s %s", gene.label, number, len(shard.genes), found.row["n_variants"],
            found.row.get("lead_variant", "none"), found.row["note"],
        )  # fmt: skip
        yield found


def read_associations(path: str | Path) -> pd.DataFrame:
    """Read the table of genes: numbers as float64 (NaN where empty), the rest as text."""
    return read_table(path, **TYPES)


def read_eqtl(path: str | Path) -> pd.DataFrame:
    """Read a table of published lead eQTLs.

    Args:
        path: with a header; columns ``GENE_ID`` (a version is removed) and those of :data:`EQTL`, others are passed
            over, rows without a gene id too.

    Returns:
        Index ``gene_id``; float64 columns with the names of the table of genes, NaN where empty.

    Raises:
        InputError: a column is not there, a gene occurs twice, or a value is no number.
    """
    header, *rows = rows_of(path)
    table = pd.DataFrame(rows, columns=header, dtype=str)
    absent = [name for name in ("GENE_ID", *EQTL) if name not in table.columns]
    if absent:
        raise InputError(
            f"{path}: column {listing(absent)} not found among {listing(header)}; a table of eQTLs has GENE_ID, "
            f"{', '.join(EQTL)}; rename the columns."
        )
    table = table[table["GENE_ID"] != ""]
    ids = pd.Index([without_version(value) for value in table["GENE_ID"]], name="gene_id")
    if not ids.is_unique:
        raise InputError(
            f"{path}: gene {listing(ids[ids.duplicated()].unique())} occurs more than once; one row per gene is allowed; "
            "keep its lead eQTL."
        )
    try:
        values = table[list(EQTL)].replace(dict.fromkeys(MISSING, "nan")).astype(np.float64)
    except ValueError as fault:
        raise InputError(f"{path}: {fault}; numbers are allowed in {', '.join(EQTL)}; correct the table.") from None
    return values.set_axis(ids).rename(columns=EQTL)


def join_eqtl(genes: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Put published lead eQTLs beside the run's own, by gene id.

    Raises:
        InputError: no gene of the run is in the table; see also :func:`read_eqtl`.
    """
    known = read_eqtl(path)
    matched = genes["gene_id"].isin(known.index)
    if not matched.any():
        raise InputError(
            f"{path}: none of the run's {len(genes)} genes ({listing(genes['gene_id'], 3)}) is among the table's "
            f"{len(known)} ({listing(known.index, 3)}); both need ids of one kind; correct inputs.eqtl or remove it."
        )
    LOG.info("%s: %d of the run's %d genes, of %d in the table", path, matched.sum(), len(genes), len(known))
    return genes.join(known, on="gene_id")
