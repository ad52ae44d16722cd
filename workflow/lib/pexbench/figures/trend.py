"""A smooth trend through points, with an interval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

#: Share of the points that a local fit sees.
SPAN = 0.75
#: Fewer points have no trend.
LEAST = 10
COLUMNS = ("x", "trend", "lower", "upper")


def kernels(x: Floats, at: Floats, span: float = SPAN) -> Floats:
    """Tricube weights of the nearest points around each place (Cleveland 1979, 10.1080/01621459.1979.10481038).

    Args:
        x: float64 [N].
        at: float64 [G], places.
        span: share of the points that get a weight, at least two of them.

    Returns:
        float64 [G, N].
    """
    away = np.abs(at[:, None] - x)
    near = max(int(span * len(x) + 1e-10), min(2, len(x)))
    reach = np.partition(away, near - 1, axis=1)[:, near - 1 : near]
    # Where the nearest points all lie on the place itself, they alone count.
    relative = np.divide(away, reach, out=np.where(away > 0, 1.0, 0.0), where=reach > 0)
    weights = (1 - np.minimum(relative, 1) ** 3) ** 3
    # Where the nearest points all lie on one other place, they would have no weight: they count alike.
    none = ~(weights > 0).any(axis=1, keepdims=True)
    return np.asarray(np.where(none, away <= reach, weights), dtype=np.float64)


def local_lines(x: Floats, y: Floats, at: Floats, weights: Floats, span: float = SPAN) -> Floats:
    """Local linear fits under several sets of weights; kernels stay those of the points unweighted.

    Args:
        x: float64 [N].
        y: float64 [N].
        at: float64 [G].
        weights: float64 [B, N], at least 0.
        span: see :func:`kernels`.

    Returns:
        float64 [B, G]; the local mean where all weight lies on one x, NaN where no point has any.
    """
    kernel = kernels(x, at, span)
    away = x - at[:, None]
    total, first, second = (weights @ (kernel * away**power).T for power in (0, 1, 2))
    sum_y, sum_xy = weights @ (kernel * y).T, weights @ (kernel * away * y).T
    spread = total * second - first**2
    flat = spread <= 1e-12 * np.maximum(total * second, np.finfo(float).tiny)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(flat, sum_y / total, (second * sum_y - first * sum_xy) / np.where(flat, 1, spread))


def trend(
    x: Floats, y: Floats, *, span: float = SPAN, points: int = 40, resamples: int = 400, seed: int = 0
) -> pd.DataFrame:
    """Local linear trend of y over x with a pointwise 95 % percentile interval of a bootstrap over the points.

    It is drawn where 95 % of the points lie: beyond, few of them decide it.

    Args:
        x: float64 [N], finite.
        y: float64 [N], finite.
        span: share of the points in each local fit.
        points: places along x.
        resamples: bootstrap samples.
        seed: seed of the resamples.

    Returns:
        Columns :data:`COLUMNS`; no rows for fewer than :data:`LEAST` points or where x does not vary.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) < LEAST:
        return pd.DataFrame(columns=list(COLUMNS), dtype=np.float64)
    low, high = np.quantile(x, [0.025, 0.975])
    if not high > low:
        return pd.DataFrame(columns=list(COLUMNS), dtype=np.float64)
    at = np.linspace(low, high, points)
    weights = np.random.default_rng([seed, len(x)]).multinomial(len(x), np.full(len(x), 1 / len(x)), resamples)
    drawn = local_lines(x, y, at, weights.astype(np.float64), span)
    lower, upper = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    middle = local_lines(x, y, at, np.ones((1, len(x))), span)[0]
    return pd.DataFrame({"x": at, "trend": middle, "lower": lower, "upper": upper}, columns=list(COLUMNS))
