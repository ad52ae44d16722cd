"""The best single SNP near a gene, as a predictor: the simplest use of a cohort's genotypes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pexbench.baselines.arrays import Floats, first_of_best, gene_data
from pexbench.baselines.single_snp import predict_by_one_snp
from pexbench.regression import regress


@dataclass(frozen=True)
class TopSnp:
    """Held-out predictions of the best single SNP.

    Attributes:
        prediction: float32 [S], genetic part of expression, in the order and unit given; see :func:`predict_top_snp`.
        folds: int64 [S], the fold in which each person was held out.
        fold_variants: per fold, the id of the SNP chosen without the held-out people; empty if there was none.
        n_snps: SNPs that passed the frequency filter.
        r_within_folds: mean Pearson correlation with expression within folds, the one free of bias.
        variant: the best SNP over all people, empty if there was none.
        r: its Pearson correlation with expression over all people, partial with covariates; NaN if there was none.
        p: two-sided p-value of ``r`` (t-test, S-2-K degrees of freedom), **not** corrected for the choice among SNPs.
    """

    prediction: NDArray[np.float32]
    folds: NDArray[np.int64]
    fold_variants: tuple[str, ...]
    n_snps: int
    r_within_folds: float
    variant: str
    r: float
    p: float


def predict_top_snp(
    dosages: NDArray[np.floating[Any]],
    variants: Sequence[str],
    expression: NDArray[np.floating[Any]],
    samples: Sequence[str],
    *,
    maf: float = 0.05,
    n_folds: int = 5,
    seed: int | str = 0,
    covariates: Floats | None = None,
) -> TopSnp:
    """Predict each person's expression from the best SNP found among the other folds' people.

    SNP and slope come from the training part alone. The prediction is ``(x - mean of x in training) * slope``:
    the genetic part without the training mean of expression, for the reason given in
    :func:`pexbench.baselines.elastic_net.predict_elastic_net`.

    Args:
        dosages: float32 [S, M], alternative alleles per person and SNP near the gene, 0 .. 2.
        variants: M variant ids; among SNPs in perfect linkage the first id is chosen.
        expression: float64 [S], any unit.
        samples: S names.
        maf: smallest minor allele frequency in these people.
        n_folds: number of folds.
        seed: names the division into folds, as in the elastic net.
        covariates: float64 [S, K], regressed out of expression by the training part's coefficients before SNP and
            slope are chosen; see :func:`pexbench.covariates.adjusted`.

    Returns:
        Predictions in the order of ``samples``; all zero where no SNP could be used.

    Raises:
        InputError: the arrays are not usable (see :func:`pexbench.baselines.arrays.gene_data`) or people are too few.
    """
    data = gene_data(dosages, variants, expression, samples, maf, covariates)
    found = predict_by_one_snp(data, lambda x, y: first_of_best(regress(x, y).r), n_folds, seed, "top_snp")
    everyone = regress(data.x, data.y, data.c)
    best = first_of_best(everyone.r)
    return TopSnp(
        prediction=found.prediction,
        folds=found.folds,
        fold_variants=found.variants,
        n_snps=len(data.variants),
        r_within_folds=found.r_within_folds,
        variant="" if best < 0 else data.variants[best],
        r=float(everyone.r[best]) if best >= 0 else float("nan"),
        p=float(everyone.p[best]) if best >= 0 else float("nan"),
    )
