"""Regressions of expression on one variant at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pexbench.covariates import orthonormal, without

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Regressions:
    """Simple regressions of expression on each of M variants, covariates taken out of both.

    Attributes:
        slope: float64 [M], expression per copy of ALT.
        se: float64 [M], its standard error.
        r: float64 [M], Pearson's r, partial with covariates.
        p: float64 [M], two-sided, by the t-test with n - 2 - (rank of the covariates) degrees of freedom.
    """

    slope: Floats
    se: Floats
    r: Floats
    p: Floats


def regress(x: Floats, y: Floats, covariates: Floats | None = None) -> Regressions:
    """Regress expression on each variant with an intercept and covariates.

    By Frisch, Waugh and Lovell the residuals of both on the covariates have the joint regression's slope; without
    covariates these are the values of ``scipy.stats.linregress``.

    Args:
        x: float64 [S, M], dosages.
        y: float64 [S], expression.
        covariates: float64 [S, K], or None.

    Returns:
        All NaN for a variant that does not vary or that covariates explain; where this is so of expression, the slope
        is 0 and the rest NaN.
    """
    c = np.empty((len(y), 0)) if covariates is None else covariates
    u, v = without(x, c), without(y, c)
    df = len(y) - 2 - orthonormal(c).shape[1]
    xx, yy, xy = (u**2).sum(axis=0), float(v @ v), u.T @ v
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.clip(xy / np.sqrt(xx * yy), -1, 1)
        slope = xy / xx
        rest = (1 - r) * (1 + r)
        se = np.sqrt(rest * yy / xx / df)
        t = np.abs(r) * np.sqrt(df / rest)
    p = 2 * stats.t.sf(t, df)
    return Regressions(*(np.where(xx > 0, values, np.nan) for values in (slope, se, r, p)))
