"""Predictions of one model for the genes of one shard: the reference and every person's two haplotypes."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.genes import Gene
from pexbench.genotypes import Missing, Unphased, read_genotypes
from pexbench.haplotypes import FLANK, build_haplotypes, encode
from pexbench.models.card import Card
from pexbench.predictions import REFERENCE_COLUMNS, haplotype_table
from pexbench.reference import Reference, match_contig
from pexbench.windows import Window, window_of

if TYPE_CHECKING:
    from pexbench.models.base import Adapter

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Genotyping:
    """Where haplotypes come from.

    Attributes:
        store: the shard's BCF.
        samples: people, by name.
        region: ``contig:start-end`` (1-based, inclusive) where genotypes are complete, or None for whole contigs.
        unphased: see ``genotypes.read_genotypes``.
        missing: see ``genotypes.read_genotypes``.
    """

    store: Path
    samples: Sequence[str]
    region: str | None = None
    unphased: Unphased = "error"
    missing: Missing = "error"


def genotyped_share(window: Window, region: str | None) -> float:
    """Share of a window's bases that lie where genotypes are complete (1 without a region)."""
    if region is None:
        return 1.0
    contig, span = region.rsplit(":", 1)
    if match_contig(window.contig, [contig]) is None:
        return 0.0
    start, end = (int(value) for value in span.split("-"))
    return max(0, min(window.end, end) - max(window.start, start - 1)) / window.length


def predict_gene(
    adapter: Adapter, gene_id: str, codes: npt.NDArray[np.uint8], batch_size: int
) -> npt.NDArray[np.float32]:
    """Predict sequences of one gene in batches.

    Args:
        adapter: the model.
        gene_id: the gene, for models that hold genes out.
        codes: uint8 [N, L], 0..3 for A, C, G, T, 4 for anything else; in the model's orientation.
        batch_size: sequences per call; changes no result.

    Returns:
        float32 [N].
    """
    parts = [adapter.predict_gene(gene_id, codes[i : i + batch_size]) for i in range(0, len(codes), batch_size)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)


def predict_shard(
    adapter: Adapter,
    card: Card,
    genes: Sequence[Gene],
    personal: Set[str],
    reference: Reference,
    cohort: Genotyping,
    batch_size: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict all genes of a shard.

    Args:
        adapter: the model, loaded.
        card: its card, for the window.
        genes: genes of the shard.
        personal: ids of genes whose haplotypes can be built; the others get their reference prediction only.
        reference: reference sequence.
        cohort: genotypes.
        batch_size: sequences per call.

    Returns:
        ``(people, reference)``: tidy tables, see :mod:`pexbench.predictions`. ``n_share`` is the share of N in the
        reference window, ``n_distinct`` the number of different sequences among people's haplotypes.
    """
    rule = card.window_rule()
    people: list[pd.DataFrame] = []
    rows: list[tuple[object, ...]] = []
    started = time.monotonic()
    sequences = 0
    # Memory for the haplotypes of a gene, used again from gene to gene.
    memory = np.empty((2 * len(cohort.samples), rule.length), dtype=np.uint8)
    for number, gene in enumerate(genes, start=1):
        window = window_of(gene, rule)
        known = np.frombuffer(reference.fetch(window.contig, window.start, window.end), dtype=np.uint8)
        codes = encode(known[None, :], window.reverse)
        n_share = float(np.mean(codes == 4))
        n_variants = n_distinct = 0
        if gene.gene_id in personal:
            genotypes = read_genotypes(
                cohort.store,
                gene.contig,
                window.start - FLANK,
                window.end + FLANK,
                cohort.samples,
                unphased=cohort.unphased,
                missing=cohort.missing,
            )
            haplotypes = build_haplotypes(reference, window, genotypes, out=memory)
            n_variants = len(genotypes.select(window.start, window.end).positions)
            n_distinct = len(haplotypes.sequences)
            codes = np.concatenate([codes, encode(haplotypes.sequences, window.reverse)])
            values = predict_gene(adapter, gene.gene_id, codes, batch_size)
            people.append(haplotype_table(gene.gene_id, haplotypes.samples, values[1:][haplotypes.index]))
        else:
            values = predict_gene(adapter, gene.gene_id, codes, batch_size)
        sequences += len(codes)
        share = genotyped_share(window, cohort.region) if gene.gene_id in personal else 0.0
        rows.append((gene.gene_id, values[0], n_share, share, n_variants, n_distinct))
        rate = sequences / max(time.monotonic() - started, 1e-9)
        LOG.info(
            "%s (%d of %d): %d distinct of %d haplotypes, %.0f sequences/s",
            gene.label,
            number,
            len(genes),
            n_distinct,
            2 * len(cohort.samples) if n_distinct else 0,
            rate,
        )
    empty = haplotype_table("", [], np.empty((0, 2), dtype=np.float32))
    table = pd.concat(people, ignore_index=True) if people else empty
    table["gene_id"] = table["gene_id"].astype(str)
    return table, pd.DataFrame(rows, columns=list(REFERENCE_COLUMNS))
