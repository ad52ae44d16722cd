"""The run's predictions, which share computation, against the plain path on haplotypes drawn at random."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pexbench.errors import InputError
from pexbench.genes import Gene
from pexbench.predict import Genotyping, cohort_of
from pexbench.reference import Reference
from pexbench.windows import window_of

if TYPE_CHECKING:
    from pexbench.models.base import Adapter

LOG = logging.getLogger(__name__)
#: A difference is too large where it exceeds both this share of the prediction's size and that of the spread.
OF_SIZE, OF_SPREAD = 2e-6, 0.01
COLUMNS = (
    *("gene_id", "n", "largest_difference", "prediction_size", "spread"),
    *("difference_over_size", "difference_over_spread", "exact"),
)


def check_shard(
    adapter: Adapter,
    genes: Sequence[Gene],
    reference: Reference,
    genotyping: Genotyping,
    people: pd.DataFrame,
    number: int,
    seed: int,
) -> pd.DataFrame:
    """Predict some haplotypes of every gene by themselves, one pass each, and compare.

    Args:
        adapter: the model, loaded; it computes in float32.
        genes: genes with personal predictions.
        reference: reference sequence.
        genotyping: genotypes.
        people: the run's predictions: ``gene_id``, ``sample``, ``haplotype_1``, ``haplotype_2``.
        number: haplotypes per gene.
        seed: draws them.

    Returns:
        One row per gene: ``n`` haplotypes compared, ``largest_difference``, ``prediction_size`` (mean absolute
        prediction), ``spread`` (standard deviation between all haplotypes), the difference over either, and whether
        it is small enough (``exact``).
    """
    adapter.use("float32")
    table = people.set_index(["gene_id", "sample"])[["haplotype_1", "haplotype_2"]]
    rows = []
    for gene in genes:
        cohort, _ = cohort_of(gene, window_of(gene, adapter.card.window_rule()), reference, genotyping)
        stored = table.loc[gene.gene_id].loc[list(cohort.samples)].to_numpy(np.float32)
        random = np.random.default_rng([seed, *gene.gene_id.encode()])
        chosen = random.choice(stored.size, min(number, stored.size), replace=False)
        codes = [cohort.sequences.codes(cohort.index.ravel()[[place]]) for place in chosen]
        plain = np.concatenate([adapter.predict_gene(gene.gene_id, one) for one in codes]).astype(np.float64)
        difference = float(np.abs(stored.ravel()[chosen] - plain).max())
        size, spread = float(np.abs(plain).mean()), float(stored.astype(np.float64).std())
        of_size = difference / size if size else np.inf if difference else 0.0
        of_spread = difference / spread if spread else np.inf if difference else 0.0
        exact = of_size <= OF_SIZE or of_spread <= OF_SPREAD
        rows.append((gene.gene_id, len(chosen), difference, size, spread, of_size, of_spread, exact))
        LOG.info(
            "%s: %d haplotypes, largest difference %.2g (%.2g of the prediction, %.2g of the spread)",
            *(gene.label, len(chosen), difference, of_size, of_spread),
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def refuse(table: pd.DataFrame, model: str) -> None:
    """Stop where shared and plain path differ by more than rounding.

    Raises:
        InputError: names the gene with the largest difference.
    """
    wrong = table[~table["exact"]]
    if len(wrong):
        worst = wrong.loc[wrong["difference_over_spread"].idxmax()]
        raise InputError(
            f"model {model}: gene {worst['gene_id']}{f' and {len(wrong) - 1} more' if len(wrong) > 1 else ''}: shared "
            f"and plain path differ by {worst['largest_difference']:.2g}, {worst['difference_over_size']:.2g} of the "
            f"prediction and {worst['difference_over_spread']:.2g} of the spread; at most {OF_SIZE:g} of the prediction "
            f"or {OF_SPREAD:g} of the spread is allowed; set inference.method to 'plain' and report the model."
        )
