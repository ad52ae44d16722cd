"""Held-out predictions from one SNP per fold: what the best SNP and the nearest one share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pexbench.baselines.arrays import Floats, GeneData
from pexbench.baselines.folds import mean_fold_correlation, outer_folds
from pexbench.covariates import adjusted
from pexbench.errors import InputError


@dataclass(frozen=True)
class OneSnp:
    """Held-out predictions, people in the order in which they were given.

    Attributes:
        prediction: float32 [S], ``(x - mean of x in training) * slope``, in expression's unit; 0 without a SNP.
        folds: int64 [S], the fold in which each person was held out.
        variants: per fold, the id of the SNP chosen; empty if there was none.
        slopes: float64 [F], expression per copy of ALT in each fold's training part; 0 where the SNP does not vary.
        r_within_folds: mean Pearson correlation with expression within folds.
    """

    prediction: NDArray[np.float32]
    folds: NDArray[np.int64]
    variants: tuple[str, ...]
    slopes: Floats
    r_within_folds: float


def predict_by_one_snp(
    data: GeneData, choose: Callable[[Floats, Floats], int], n_folds: int, seed: int | str, what: str
) -> OneSnp:
    """Predict each person's expression from one SNP, chosen and fitted on the other folds' people.

    Args:
        data: one gene's genotypes and expression.
        choose: column of the SNP, -1 for none, from dosages float64 [T, M] and expression float64 [T] of a training
            part, covariates taken out by its coefficients.
        n_folds: number of folds.
        seed: names the division into folds, as in the elastic net.
        what: the baseline, named in messages.

    Raises:
        InputError: people are too few for the folds.
    """
    if len(data.samples) < 2 * n_folds:
        raise InputError(
            f"{what}: {len(data.samples)} people for {n_folds} folds; at least 2 people per fold are needed; "
            "add people or use fewer folds."
        )
    folds = outer_folds(data.samples, n_folds, seed)
    prediction, measured, slopes = np.zeros(len(data.samples)), data.y.copy(), np.zeros(n_folds)
    variants = []
    for fold in range(n_folds):
        train, test = folds != fold, folds == fold
        y = adjusted(data.y, data.c, train)
        measured[test] = y[test]
        column = choose(data.x[train], y[train])
        variants.append("" if column < 0 else data.variants[column])
        if column >= 0 and np.ptp(data.x[train, column]) > 0:
            x = data.x[:, column] - data.x[train, column].mean()
            slopes[fold] = x[train] @ (y[train] - y[train].mean()) / (x[train] @ x[train])
            prediction[test] = x[test] * slopes[fold]
    return OneSnp(
        prediction=data.as_given(prediction).astype(np.float32),
        folds=data.as_given(folds),
        variants=tuple(variants),
        slopes=slopes,
        r_within_folds=mean_fold_correlation(prediction, measured, folds),
    )
