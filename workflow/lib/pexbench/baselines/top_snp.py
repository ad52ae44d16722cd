"""The best single SNP near a gene, as a predictor: the simplest use of a cohort's genotypes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pexbench.baselines.arrays import Floats, first_of_best, gene_data
from pexbench.baselines.folds import mean_fold_correlation, outer_folds
from pexbench.covariates import adjusted, without
from pexbench.errors import InputError


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


def best_snp(x: Floats, y: Floats) -> tuple[int, float, float]:
    """The SNP most correlated with expression, by absolute value; the first of equals.

    Args:
        x: float64 [S, M], dosages.
        y: float64 [S], expression.

    Returns:
        Column, Pearson correlation, slope per allele; ``(-1, nan, 0.0)`` if no SNP or no expression value varies.
    """
    varies = np.flatnonzero(np.ptp(x, axis=0) > 0) if x.size else np.array([], dtype=np.int64)
    centred = y - y.mean()
    if len(varies) == 0 or not np.any(centred):
        return -1, float("nan"), 0.0
    c = x[:, varies] - x[:, varies].mean(axis=0)
    r = (c.T @ centred) / np.sqrt((c**2).sum(axis=0) * (centred**2).sum())
    k = first_of_best(r)
    return int(varies[k]), float(np.clip(r[k], -1, 1)), float(c[:, k] @ centred / (c[:, k] ** 2).sum())


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
    if len(samples) < 2 * n_folds:
        raise InputError(
            f"top_snp: {len(samples)} people for {n_folds} folds; at least 2 people per fold are needed; "
            "add people or use fewer folds."
        )
    folds = outer_folds(data.samples, n_folds, seed)
    prediction, measured = np.zeros(len(data.samples)), data.y.copy()
    chosen = []
    for fold in range(n_folds):
        train, test = folds != fold, folds == fold
        y = adjusted(data.y, data.c, train)
        measured[test] = y[test]
        column, _, slope = best_snp(data.x[train], y[train])
        chosen.append("" if column < 0 else data.variants[column])
        if column >= 0:
            prediction[test] = (data.x[test, column] - data.x[train, column].mean()) * slope
    column, r, _ = (
        best_snp(without(data.x, data.c), without(data.y, data.c)) if data.c.size else best_snp(data.x, data.y)
    )
    return TopSnp(
        prediction=data.as_given(prediction).astype(np.float32),
        folds=data.as_given(folds),
        fold_variants=tuple(chosen),
        n_snps=len(data.variants),
        r_within_folds=mean_fold_correlation(prediction, measured, folds),
        variant="" if column < 0 else data.variants[column],
        r=r,
        p=p_value(r, len(data.samples) - data.c.shape[1]),
    )


def p_value(r: float, n: int) -> float:
    """Two-sided p-value of a Pearson correlation over ``n`` people by the t-test with n-2 degrees of freedom."""
    if not np.isfinite(r) or n < 3:
        return float("nan")
    if abs(r) >= 1:
        return 0.0
    return float(2 * stats.t.sf(abs(r) * np.sqrt((n - 2) / (1 - r * r)), n - 2))
