"""Predictions of one model for the genes of one shard: the reference and every person's two haplotypes."""

from __future__ import annotations

import logging
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.genes import Gene
from pexbench.genotypes import Genotypes, Missing, Unphased, read_genotypes
from pexbench.haplotypes import FLANK, Cohort, cohort_sequences, encode
from pexbench.incremental import Sequences
from pexbench.models.card import Card
from pexbench.performance import Progress
from pexbench.precision import Agreement, agreement
from pexbench.predictions import REFERENCE_COLUMNS, haplotype_table
from pexbench.reference import Reference, match_contig
from pexbench.windows import Window, window_of

if TYPE_CHECKING:
    from pexbench.models.base import Adapter

LOG = logging.getLogger(__name__)
Method = Literal["incremental", "plain"]


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

    def read(self, contig: str, start: int, end: int) -> Genotypes:
        """Everyone's genotypes in an interval, 0-based, ``end`` not included; see ``genotypes.read_genotypes``."""
        return read_genotypes(
            self.store, contig, start, end, self.samples, unphased=self.unphased, missing=self.missing
        )


@dataclass(frozen=True)
class How:
    """How predictions are computed.

    Attributes:
        method: ``incremental`` computes what haplotypes share once; ``plain`` passes every haplotype through the model
            by itself, those that are alike as well.
        precision: ``float32``, ``tf32`` or ``bf16``.
        batch_size: most sequences or pieces at once; None leaves it to the model.
        sample: haplotypes per gene on which a faster precision is compared with float32.
        seed: draws the sample.
    """

    method: Method = "incremental"
    precision: str = "float32"
    batch_size: int | None = None
    sample: int = 16
    seed: int = 1


class Predicted(NamedTuple):
    """What became of a shard: tidy tables (see :mod:`pexbench.predictions`) and how the time was spent.

    Attributes:
        people: prediction of every person's two haplotypes.
        reference: one row per gene; ``n_share`` is the share of N in the reference window, ``n_distinct`` the number of
            different sequences among people's haplotypes.
        performance: see :mod:`pexbench.performance`.
    """

    people: pd.DataFrame
    reference: pd.DataFrame
    performance: dict[str, object]


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
    genotyping: Genotyping,
    how: How,
) -> Predicted:
    """Predict all genes of a shard.

    Args:
        adapter: the model, loaded.
        card: its card, for the window.
        genes: genes of the shard.
        personal: ids of genes whose haplotypes can be built; the others get their reference prediction only.
        reference: reference sequence.
        genotyping: genotypes.
        how: method, precision and batch size.

    Returns:
        Predictions and performance.
    """
    adapter.use(how.precision, how.batch_size)
    people: list[pd.DataFrame] = []
    rows: list[tuple[object, ...]] = []
    progress = Progress(adapter, len(genes), how.method)
    for gene in genes:
        window = window_of(gene, card.window_rule())
        cohort, n_variants = cohort_of(gene, window, reference, genotyping if gene.gene_id in personal else None)
        if how.method == "plain":
            values = _one_by_one(adapter, gene.gene_id, cohort)
            by_person = values[1:].reshape(-1, 2)
        else:
            values = adapter.predict_haplotypes(gene.gene_id, cohort.sequences)
            by_person = values[cohort.index]
        used = np.unique(cohort.index)
        n_distinct = len(used)
        if n_distinct:
            people.append(haplotype_table(gene.gene_id, cohort.samples, by_person))
        compared = Agreement()
        if how.precision != "float32" and n_distinct:
            compared = _compared(adapter, gene.gene_id, cohort, used, how)
        n_share = float(np.mean(cohort.sequences.reference == 4))
        share = genotyped_share(window, genotyping.region) if n_distinct else 0.0
        rows.append((gene.gene_id, values[0], n_share, share, n_variants, n_distinct, *compared))
        progress.gene(gene.label, cohort, n_distinct)
    empty = haplotype_table("", [], np.empty((0, 2), dtype=np.float32))
    table = pd.concat(people, ignore_index=True) if people else empty
    table["gene_id"] = table["gene_id"].astype(str)
    return Predicted(table, pd.DataFrame(rows, columns=list(REFERENCE_COLUMNS)), progress.summary(how.precision))


def cohort_of(gene: Gene, window: Window, reference: Reference, genotyping: Genotyping | None) -> tuple[Cohort, int]:
    """The sequences of one gene.

    Args:
        gene: the gene.
        window: the model's window around it.
        reference: reference sequence.
        genotyping: genotypes, or None for the reference alone.

    Returns:
        The distinct sequences, the reference as row 0, with everyone's rows, and the number of variants in the window.
    """
    if genotyping is None:
        known = np.frombuffer(reference.fetch(window.contig, window.start, window.end), dtype=np.uint8)
        alone = Sequences.whole(encode(known[None, :], window.reverse))
        return Cohort((), alone, np.empty((0, 2), np.int64)), 0
    genotypes = genotyping.read(gene.contig, window.start - FLANK, window.end + FLANK)
    variants = len(genotypes.select(window.start, window.end).positions)
    return cohort_sequences(reference, window, genotypes), variants


def _one_by_one(adapter: Adapter, gene_id: str, cohort: Cohort) -> npt.NDArray[np.float32]:
    """The plain path: the reference, then both haplotypes of each person in turn, one pass each."""
    rows = np.concatenate([[0], cohort.index.ravel()])
    return np.concatenate([adapter.predict_gene(gene_id, cohort.sequences.codes(rows[[i]])) for i in range(len(rows))])


def _compared(adapter: Adapter, gene_id: str, cohort: Cohort, used: npt.NDArray[np.int64], how: How) -> Agreement:
    """A faster precision against float32 on some of the haplotypes that people have."""
    random = np.random.default_rng([how.seed, *gene_id.encode()])
    chosen = np.sort(random.choice(used, min(how.sample, len(used)), replace=False))
    some, shared = cohort.sequences.take(chosen), dict(adapter.work.pieces)
    fast = adapter.predict_haplotypes(gene_id, some)
    adapter.use("float32", how.batch_size)
    exact = adapter.predict_haplotypes(gene_id, some)
    adapter.use(how.precision, how.batch_size)
    # The comparison takes time and multiply-adds, but shares nothing with the cohort.
    adapter.work.pieces = shared
    return agreement(fast, exact)
