"""Heritability of one gene's expression by its cis variants: restricted maximum likelihood with one variance component.

The model is that of GREML (Yang et al. 2010, 10.1038/ng.608): expression = fixed effects + g + e, g with covariance
s² h² K, e with s² (1 - h²), K the relationship of people at the cis variants (standardised dosages). After a rotation
onto the eigenvectors of K within the residual space of the fixed effects the likelihood is one-dimensional in h²
(Kang et al. 2008, EMMA, 10.1534/genetics.107.080101).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, stats

Floats = NDArray[np.float64]
#: With fewer people the estimate says next to nothing.
FEWEST_PEOPLE = 100
#: The largest h² looked at: at 1 the covariance of fewer variants than people has no inverse.
LARGEST = 1 - 1e-6
#: The likelihood may have several maxima; the best of these starts the search.
GRID = np.concatenate([np.linspace(0, 0.99, 100), [0.995, 0.999, 0.9999, LARGEST]])
#: Log-likelihoods nearer to each other than this count as equal.
EQUAL = 1e-9


class Estimate(NamedTuple):
    """Share of the variance that cis variants explain.

    Attributes:
        h2: 0 .. 1.
        se: standard error, from the curvature of the restricted likelihood (from its expected curvature at a bound).
        p: of h2 = 0, by the likelihood ratio; half the probability lies on the bound (Self and Liang 1987).
        note: whether the estimate lies on a bound.
    """

    h2: float
    se: float
    p: float
    note: str


@dataclass(frozen=True)
class Rotated:
    """Expression in the space in which its parts are independent.

    Attributes:
        values: float64 [N], eigenvalues of K among contrasts free of the fixed effects, at least 0.
        squares: float64 [N], squared coordinates of expression.
    """

    values: Floats
    squares: Floats

    def log_likelihood(self, h2: Floats | float) -> Floats:
        """Restricted log-likelihood at its maximum over the total variance, float64 of the shape of ``h2``."""
        h = np.asarray(h2, dtype=np.float64)[..., None]
        v = h * self.values + (1 - h)
        n = len(self.values)
        scale = (self.squares / v).sum(axis=-1) / n
        return np.asarray(-0.5 * (n * np.log(2 * np.pi * scale) + np.log(v).sum(axis=-1) + n))

    def slope(self, h2: float) -> float:
        """First derivative of the log-likelihood."""
        a, v, n = self.values - 1, h2 * self.values + (1 - h2), len(self.values)
        q, dq = (self.squares / v).sum(), -(self.squares * a / v**2).sum()
        return float(-0.5 * (n * dq / q + (a / v).sum()))

    def information(self, h2: float, expected: bool) -> float:
        """Minus the second derivative of the log-likelihood, observed or expected, over the total variance."""
        a, v, n = self.values - 1, h2 * self.values + (1 - h2), len(self.values)
        if expected:
            return float(0.5 * (((a / v) ** 2).sum() - (a / v).sum() ** 2 / n))
        q, dq = (self.squares / v).sum(), -(self.squares * a / v**2).sum()
        d2q = 2 * (self.squares * a**2 / v**3).sum()
        return float(0.5 * (n * (d2q / q - (dq / q) ** 2) - ((a / v) ** 2).sum()))


def relationship_factor(x: Floats) -> Floats:
    """Standardised dosages Z with K = Z Z'.

    Args:
        x: float64 [S, M], dosages; every column varies.

    Returns:
        float64 [S, M], columns of mean 0 and variance 1 / M, so that K has a mean of 1 on its diagonal.
    """
    return np.asarray((x - x.mean(axis=0)) / (x.std(axis=0) * np.sqrt(x.shape[1])))


def rotate(x: Floats, y: Floats, covariates: Floats | None = None) -> Rotated:
    """Rotate expression onto the eigenvectors of the cis relationship, free of intercept and covariates.

    Args:
        x: float64 [S, M], dosages; every column varies.
        y: float64 [S], expression.
        covariates: float64 [S, K], independent of each other and of the intercept.
    """
    fixed = np.ones((len(y), 1)) if covariates is None else np.column_stack([np.ones(len(y)), covariates])
    # Contrasts: orthonormal, and free of the fixed effects.
    contrasts = linalg.null_space(fixed.T)
    z = contrasts.T @ relationship_factor(x)
    values, vectors = np.linalg.eigh(z @ z.T)
    return Rotated(np.maximum(values, 0), (vectors.T @ (contrasts.T @ y)) ** 2)


def estimate(x: Floats, y: Floats, covariates: Floats | None = None) -> Estimate:
    """Estimate the heritability of one gene by restricted maximum likelihood.

    Args:
        x: float64 [S, M], dosages of the cis variants in use, M at least 1; every column varies.
        y: float64 [S], expression in any unit; varies beyond what the covariates explain.
        covariates: float64 [S, K], fixed effects beside the intercept.
    """
    rotated = rotate(x, y, covariates)
    grid = rotated.log_likelihood(GRID)
    best = int(grid.argmax())
    low, high = GRID[max(best - 1, 0)], GRID[min(best + 1, len(GRID) - 1)]
    h2 = float(GRID[best])
    if rotated.slope(low) > 0 > rotated.slope(high):
        h2 = float(optimize.brentq(rotated.slope, low, high, xtol=1e-12))
    found, null = float(rotated.log_likelihood(h2)), float(rotated.log_likelihood(0.0))
    if found - null <= EQUAL:
        h2, found = 0.0, null
    bound = h2 == 0.0 or h2 >= LARGEST
    information = rotated.information(h2, expected=bound)
    se = float(1 / np.sqrt(information)) if information > 0 else float("nan")
    statistic = max(0.0, 2 * (found - null))
    p = 1.0 if h2 == 0.0 else float(0.5 * stats.chi2.sf(statistic, 1))
    return Estimate(h2, se, p, f"heritability at its bound of {h2:.0f}" if bound else "")
