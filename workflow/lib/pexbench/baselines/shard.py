"""Baselines of a whole shard: from its BCF and the expression table to out-of-fold predictions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.cohort import usable_rows
from pexbench.genes import Gene
from pexbench.genotypes import Missing, Unphased, read_genotypes

LOG = logging.getLogger(__name__)
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
#: What a baseline does for one gene: gene, dosages [S, M], variant ids, expression [S] to (prediction [S], row of fits).
Fit = Callable[[Gene, Float32, Sequence[str], Float64], tuple[Float32, dict[str, object]]]


@dataclass(frozen=True)
class Shard:
    """What the baselines of a shard read.

    Attributes:
        store: the shard's BCF.
        genes: genes with genotypes around them.
        samples: the run's people.
        expression: genes x people.
        flank: bp on either side of the TSS in which variants are cis.
        unphased: see ``genotypes.read_genotypes``.
        missing: see ``genotypes.read_genotypes``.
    """

    store: Path
    genes: Sequence[Gene]
    samples: Sequence[str]
    expression: pd.DataFrame
    flank: int
    unphased: Unphased = "error"
    missing: Missing = "error"


def run_shard(shard: Shard, fit: Fit) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit a baseline for every gene of a shard.

    Args:
        shard: genotypes and expression.
        fit: the baseline.

    Returns:
        ``(predictions, fits)``: columns ``gene_id``, ``sample``, ``prediction`` (float32, out of fold), and one row
        per gene with what was fitted; a gene that could not be fitted has its reason in ``note``.
    """
    predictions: list[pd.DataFrame] = []
    fits: list[dict[str, object]] = []
    for number, (gene, dosages, variants, reason) in enumerate(_genes(shard), start=1):
        if reason:
            fits.append({"gene_id": gene.gene_id, "note": reason})
        else:
            measured = shard.expression.loc[[gene.gene_id], list(shard.samples)].to_numpy(np.float64)[0]
            predicted, about = fit(gene, dosages, variants, measured)
            predictions.append(
                pd.DataFrame({"gene_id": gene.gene_id, "sample": list(shard.samples), "prediction": predicted})
            )
            fits.append({"gene_id": gene.gene_id, **about, "note": ""})
        LOG.info("%s (%d of %d): %s", gene.label, number, len(shard.genes), reason or f"{len(variants)} cis SNPs")
    empty = pd.DataFrame({"gene_id": [], "sample": [], "prediction": np.empty(0, dtype=np.float32)})
    table = pd.concat(predictions, ignore_index=True) if predictions else empty.astype({"gene_id": str, "sample": str})
    return table, pd.DataFrame(fits, columns=None if fits else ["gene_id", "note"])


def _genes(shard: Shard) -> Iterator[tuple[Gene, Float32, Sequence[str], str]]:
    """Each gene with its cis dosages, or the reason why it has none."""
    known = shard.expression.reindex(columns=list(shard.samples))
    reasons = usable_rows(known)
    nothing = np.empty((len(shard.samples), 0), dtype=np.float32)
    for gene in shard.genes:
        reason = str(reasons.get(gene.gene_id, "no expression across individuals"))
        if reason:
            yield gene, nothing, [], reason
            continue
        dosages, variants = cis_dosages(shard, gene)
        yield gene, dosages, variants, ""


def cis_dosages(shard: Shard, gene: Gene) -> tuple[Float32, list[str]]:
    """Dosages of the SNPs within ``shard.flank`` of a gene's TSS, float32 [S, M], and their ids."""
    genotypes = read_genotypes(
        shard.store,
        gene.contig,
        gene.tss0 - shard.flank,
        gene.tss0 + shard.flank + 1,
        shard.samples,
        unphased=shard.unphased,
        missing=shard.missing,
    )
    dosages, _, variants = genotypes.dosages()
    return dosages, variants
