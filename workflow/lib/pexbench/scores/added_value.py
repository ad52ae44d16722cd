"""Added value over the elastic net: what a model's predictions tell of expression beyond a person's cis genotypes.

Per gene, expression is regressed on the elastic net's out-of-fold prediction alone, and on that together with the
model's prediction; both by least squares on all folds of people but one, and judged on the one (stacking; Wolpert 1992,
10.1016/S0893-6080(05)80023-1). Added value is the difference of the two R2 on held-out people.

What this guarantees: nobody's expression is used to predict that person within the second regression, nor within the
elastic net. What it does not: the out-of-fold predictions of the people who fit the second regression come from elastic
nets that have seen the held-out fold, so the folds are not strictly independent; the effect is that of two or three
coefficients fitted to predictions that differ slightly, small beside sampling error, and it favours neither side. An
uninformative model has a slightly negative added value, for its coefficient costs. Expression is as measured, also where
the elastic net was trained with covariates regressed out; both regressions are alike in that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.scores.correlation import Floats
from pexbench.scores.resample import Float32

#: Columns of ``added_value.tsv``, one row per model and gene; R2 on held-out people.
COLUMNS = ("model", "gene_id", "r2_baseline", "r2_joint", "added", "n")
TYPES: dict[str, Any] = {**dict.fromkeys(("r2_baseline", "r2_joint", "added"), float), "n": "int64"}
#: Fewest people that fit the regressions.
LEAST_IN_TRAINING = 10
#: A prediction that the other explains up to this share of its variance in training adds nothing there.
EXPLAINED = 1e-10


@dataclass(frozen=True)
class Added:
    """Added value of one model.

    Attributes:
        genes: ids.
        baseline: float64 [U], R2 of the elastic net alone; NaN where people are too few.
        joint: float64 [U], R2 of both.
        added: float64 [U], the difference.
        n: int64 [U], people.
        resampled: float32 [B, U], ``added`` of resampled people, the fits as they are.
    """

    genes: list[str]
    baseline: Floats
    joint: Floats
    added: Floats
    n: npt.NDArray[np.int64]
    resampled: Float32

    def table(self, model: str) -> pd.DataFrame:
        """As rows of ``added_value.tsv``."""
        columns = (model, self.genes, self.baseline, self.joint, self.added, self.n)
        return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def held_out(
    expression: Floats, baseline: Floats, model: Floats, folds: npt.NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    """Squared errors on held-out people of the training mean, of the baseline alone, and of both.

    Args:
        expression: float64 [U, M], NaN where not measured.
        baseline: float64 [U, M], the elastic net's out-of-fold predictions, NaN where not predicted.
        model: float64 [U, M].
        folds: int64 [M].

    Returns:
        Three float64 [U, M], NaN for incomplete people and for genes with too few of them.
    """
    complete = ~(np.isnan(expression) | np.isnan(baseline) | np.isnan(model))
    y, e, m = (np.where(complete, side, 0.0) for side in (expression, baseline, model))
    # Centred once, so that sums of squares keep their digits.
    n = np.maximum(complete.sum(axis=1, keepdims=True), 1)
    y, e, m = (np.where(complete, side - side.sum(axis=1, keepdims=True) / n, 0.0) for side in (y, e, m))
    errors = tuple(np.full(y.shape, np.nan) for _ in range(3))
    enough = np.ones(len(y), dtype=bool)
    for fold in np.unique(folds):
        train, test = complete & (folds != fold), complete & (folds == fold)
        count = train.sum(axis=1, keepdims=True)
        enough &= count[:, 0] >= LEAST_IN_TRAINING
        means = [np.where(train, side, 0).sum(axis=1, keepdims=True) / np.maximum(count, 1) for side in (y, e, m)]
        yc, ec, mc = (side - mean for side, mean in zip((y, e, m), means, strict=True))
        yt, et, mt = (np.where(train, side, 0.0) for side in (yc, ec, mc))
        ee, mm = (et * et).sum(axis=1), (mt * mt).sum(axis=1)
        ground_e = EXPLAINED * np.maximum((e * e).sum(axis=1), np.finfo(float).tiny)
        ground_m = EXPLAINED * np.maximum((m * m).sum(axis=1), np.finfo(float).tiny)
        slope = _ratio((et * yt).sum(axis=1), ee, ee > ground_e)
        on_baseline = _ratio((et * mt).sum(axis=1), ee, ee > ground_e)
        rest = mc - on_baseline[:, None] * ec
        rest_t = np.where(train, rest, 0.0)
        rr = (rest_t * rest_t).sum(axis=1)
        slope_rest = _ratio((rest_t * yt).sum(axis=1), rr, (rr > EXPLAINED * mm) & (mm > ground_m))
        alone = yc - slope[:, None] * ec
        for error, off in zip(errors, (yc, alone, alone - slope_rest[:, None] * rest), strict=True):
            error[test] = (off * off)[test]
    for error in errors:
        error[~enough] = np.nan
    return errors[0], errors[1], errors[2]


def _ratio(over: Floats, under: Floats, where: npt.NDArray[np.bool_]) -> Floats:
    return np.where(where, over / np.where(where, under, 1), 0.0)


def added_value(
    genes: list[str],
    expression: Floats,
    baseline: Floats,
    model: Floats,
    folds: npt.NDArray[np.int64],
    weights: Float32,
) -> Added:
    """What a model adds to the elastic net, per gene.

    Args:
        genes: ids of the rows.
        expression: float64 [U, M].
        baseline: float64 [U, M].
        model: float64 [U, M].
        folds: int64 [M], the fold of each person.
        weights: float32 [M, B], how often each person is drawn in each resample.
    """
    null, alone, both = held_out(expression, baseline, model, folds)
    n = (~np.isnan(null)).sum(axis=1)
    sums = [np.where(n > 0, np.nansum(error, axis=1), np.nan) for error in (null, alone, both)]
    varied = sums[0] > 0
    r2 = [np.where(varied, 1 - error / np.where(varied, sums[0], 1), np.nan) for error in sums[1:]]
    drawn = weights.astype(np.float64)
    gain, total = np.nan_to_num(alone - both) @ drawn, np.nan_to_num(null) @ drawn
    resampled = np.where(total > 0, gain / np.where(total > 0, total, 1), 0.0)
    return Added(
        genes, r2[0], r2[1], r2[1] - r2[0], n.astype(np.int64), np.ascontiguousarray(resampled.T, dtype=np.float32)
    )
