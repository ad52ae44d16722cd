"""The SNP nearest to a gene's TSS, as a predictor: what the promoter's place alone, without any choice, can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pexbench.baselines.arrays import Floats, gene_data
from pexbench.baselines.single_snp import predict_by_one_snp


@dataclass(frozen=True)
class NearestSnp:
    """Held-out predictions of the nearest SNP.

    Attributes:
        prediction: float32 [S], genetic part of expression, in the order and unit given; see
            :func:`predict_nearest_snp`.
        folds: int64 [S], the fold in which each person was held out.
        slopes: float64 [F], expression per copy of ALT in each fold's training part; 0 where the SNP does not vary.
        n_snps: SNPs that passed the frequency filter.
        r_within_folds: mean Pearson correlation with expression within folds, the one free of bias.
        variant: the SNP, empty if there was none.
        distance: bp between SNP and TSS, at least 0; -1 if there was none.
    """

    prediction: NDArray[np.float32]
    folds: NDArray[np.int64]
    slopes: Floats
    n_snps: int
    r_within_folds: float
    variant: str
    distance: int


def nearest(variants: Sequence[str], tss: int) -> int:
    """The variant nearest to a TSS: of two equally near the one of lower position, then the first name.

    Args:
        variants: ids, ``contig:position:REF:ALT``.
        tss: 1-based, as the positions.

    Returns:
        Its place among ``variants``; -1 if there are none.
    """
    positions = [int(variant.rsplit(":", 3)[1]) for variant in variants]
    order = ((abs(p - tss), p, name, i) for i, (p, name) in enumerate(zip(positions, variants, strict=True)))
    return min(order, default=(0, 0, "", -1))[-1]


def predict_nearest_snp(
    dosages: NDArray[np.floating[Any]],
    variants: Sequence[str],
    expression: NDArray[np.floating[Any]],
    samples: Sequence[str],
    tss: int,
    *,
    maf: float = 0.05,
    n_folds: int = 5,
    seed: int | str = 0,
    covariates: Floats | None = None,
) -> NearestSnp:
    """Predict each person's expression from the frequent SNP nearest to the TSS, slope fitted on the other folds.

    The prediction is ``(x - mean of x in training) * slope``, without the training mean of expression, for the reason
    given in :func:`pexbench.baselines.elastic_net.predict_elastic_net`. Expression plays no part in the choice of the
    SNP.

    Args:
        dosages: float32 [S, M], alternative alleles per person and SNP near the gene, 0 .. 2.
        variants: M variant ids.
        expression: float64 [S], any unit.
        samples: S names.
        tss: 1-based.
        maf: smallest minor allele frequency in these people.
        n_folds: number of folds.
        seed: names the division into folds, as in the elastic net.
        covariates: float64 [S, K], regressed out of expression by the training part's coefficients.

    Returns:
        Predictions in the order of ``samples``; all zero where no SNP could be used.

    Raises:
        InputError: the arrays are not usable (see :func:`pexbench.baselines.arrays.gene_data`) or people are too few.
    """
    data = gene_data(dosages, variants, expression, samples, maf, covariates)
    column = nearest(data.variants, tss)
    variant = data.variants[column] if column >= 0 else ""
    found = predict_by_one_snp(data, lambda _, __: column, n_folds, seed, "nearest_snp")
    return NearestSnp(
        prediction=found.prediction,
        folds=found.folds,
        slopes=found.slopes,
        n_snps=len(data.variants),
        r_within_folds=found.r_within_folds,
        variant=variant,
        distance=abs(int(variant.rsplit(":", 3)[1]) - tss) if variant else -1,
    )
