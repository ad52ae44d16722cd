"""Intervals of mean correlations by a two-way bootstrap that resamples people and genes together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.scores import Block, ScoreInputs, metrics
from pexbench.scores.correlation import LEAST, STATISTICS, prepared

Floats = npt.NDArray[np.float64]

#: Columns of the table of intervals, one row per mean.
COLUMNS = ("model", "metric", "axis", "statistic", "mean", "lower", "upper", "resamples", "seed", "method")
TYPES = {"mean": float, "lower": float, "upper": float, "resamples": "int64", "seed": "int64"}
#: Resamples per matrix product; bounds the memory to about this many numbers per unit.
AT_ONCE = 250
DECIMALS = 6


@dataclass(frozen=True)
class Draws:
    """Bootstrap means of U correlations over M members.

    Attributes:
        mean: mean over units in the full data.
        both: float64 [B], units and members resampled (the pigeonhole bootstrap).
        members: float64 [B], the same member weights alone.
        units: float64 [B], the same unit weights alone.
        n_units: scored units.
        n_members: members.
    """

    mean: float
    both: Floats
    members: Floats
    units: Floats
    n_units: int
    n_members: int


def weighted_correlations(x: Floats, y: Floats, weights: Floats) -> Floats:
    """Weighted Pearson correlation of every row under every set of weights.

    Args:
        x: float64 [U, M]; pairs that are NaN (in x and y alike) are left out.
        y: float64 [U, M].
        weights: float64 [B, M], at least 0.

    Returns:
        float64 [B, U]; 0 where a resample leaves either side constant, the rule for the full data too.
    """
    present = (~np.isnan(x)).astype(np.float64).T
    xt, yt = np.nan_to_num(x).T, np.nan_to_num(y).T
    total = weights @ present
    total[total == 0] = 1
    mean_x, mean_y = weights @ xt / total, weights @ yt / total
    xx = weights @ (xt * xt) / total - mean_x**2
    yy = weights @ (yt * yt) / total - mean_y**2
    xy = weights @ (xt * yt) / total - mean_x * mean_y
    # Values lie within -1..1, so what a constant leaves is rounding of this size.
    varied = (xx > 1e-12) & (yy > 1e-12)
    return np.where(varied, np.clip(xy / np.sqrt(np.where(varied, xx * yy, 1)), -1, 1), 0.0)


def two_way_draws(x: Floats, y: Floats, resamples: int, seed: int) -> Draws:
    """Resample units and members by multinomial weights; the values (ranks) stay those of the full data.

    Rows without a score (fewer than three pairs, constant ``y``) are left out; a constant ``x`` counts as 0.

    Args:
        x: float64 [U, M] as from ``correlation.prepared``.
        y: float64 [U, M].
        resamples: number of bootstrap samples B.
        seed: the weights follow from it and the numbers of units and members alone, so that models predicted for
            the same genes and people are resampled alike.
    """
    present = ~np.isnan(x)
    scored = (present.sum(axis=1) >= LEAST) & (np.abs(np.nan_to_num(y)).max(axis=1, initial=0) > 0)
    x, y = x[scored], y[scored]
    n_units, n_members = x.shape
    if n_units == 0:
        empty = np.full(resamples, np.nan)
        return Draws(float("nan"), empty, empty, empty, 0, n_members)
    full = weighted_correlations(x, y, np.ones((1, n_members)))[0]
    generator = np.random.default_rng([seed, n_units, n_members])
    member_weights = generator.multinomial(n_members, np.full(n_members, 1 / n_members), resamples).astype(np.float64)
    unit_weights = generator.multinomial(n_units, np.full(n_units, 1 / n_units), resamples) / n_units
    both, members = np.empty(resamples), np.empty(resamples)
    for start in range(0, resamples, AT_ONCE):
        part = slice(start, start + AT_ONCE)
        r = weighted_correlations(x, y, member_weights[part])
        both[part] = np.einsum("bu,bu->b", r, unit_weights[part])
        members[part] = r.mean(axis=1)
    return Draws(float(full.mean()), both, members, unit_weights @ full, n_units, n_members)


def interval(draws: Draws, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the pigeonhole draws, contracted to the variance of a two-way mean.

    Let a mean over U units and M members have variance a/M + b/U + e/(UM): members, units, and what is left. The
    pigeonhole bootstrap gives a/M + b/U + 3e/(UM) (Owen 2007, 10.1214/07-AOAS122), up to 73 % too wide where
    nothing but noise is in the data. Member weights alone give a/M + e/(UM), unit weights alone b/U + e/(UM), and
    what the draws hold beyond the sum of both gives e/(UM); so the sum of the first two less the third is the
    variance wanted (Cameron, Gelbach and Miller 2011, 10.1198/jbes.2010.07136). Each carries its n/(n - 1).
    The members' part holds the correlation between neighbouring genes.

    Args:
        draws: from :func:`two_way_draws`.
        level: confidence level.

    Returns:
        Lower and upper end; NaN without units.
    """
    if draws.n_units == 0:
        return float("nan"), float("nan")
    members, units, mean = draws.members - draws.mean, draws.units - draws.mean, draws.mean
    small_m = draws.n_members / max(draws.n_members - 1, 1)
    small_u = draws.n_units / max(draws.n_units - 1, 1)
    var_m, var_u = members.var() * small_m, units.var() * small_u
    var_left = (draws.both - mean - members - units).var() * small_m * small_u
    wanted = max(var_m + var_u - var_left, var_m, var_u)
    got = draws.both.var()
    factor = np.sqrt(wanted / got) if got > 0 else 1.0
    tail = (1 - level) / 2
    centre = np.median(draws.both)
    low, high = np.quantile(draws.both, [tail, 1 - tail])
    return float(max(-1, mean + (low - centre) * factor)), float(min(1, mean + (high - centre) * factor))


def block_interval(block: Block, statistic: str, resamples: int, seed: int) -> tuple[float, float, float]:
    """Mean over a block's units, lower and upper end of its 95 % interval."""
    x, y = prepared(block.predicted, block.measured_by(statistic), statistic)
    draws = two_way_draws(x, y, resamples, seed)
    return (draws.mean, *interval(draws))


def mean_intervals(inputs: ScoreInputs, *, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """95 % intervals of all mean scores of one model.

    Args:
        inputs: predictions and measurements.
        resamples: bootstrap samples, at least 100.
        seed: seed of the weights.

    Returns:
        Table with the columns :data:`COLUMNS`; ``method`` is ``two-way bootstrap``, or ``unit bootstrap`` for
        metrics that are no correlations.
    """
    if resamples < 100:
        raise ValueError(f"resamples {resamples}: at least 100 are needed for a 95 % interval")
    rows: list[tuple[object, ...]] = []
    for metric in metrics().values():
        if metric.blocks is not None:
            for block in metric.blocks(inputs):
                for statistic in STATISTICS:
                    ends = block_interval(block, statistic, resamples, seed)
                    rows.append(
                        (inputs.model, metric.name, block.axis, statistic, *ends, resamples, seed, "two-way bootstrap")
                    )
            continue
        for key, group in metric.score(inputs).groupby(["axis", "statistic"], sort=True):
            ends = unit_interval(group["value"].dropna().to_numpy(dtype=np.float64), resamples, seed)
            rows.append((inputs.model, metric.name, *key, *ends, resamples, seed, "unit bootstrap"))
    # Far below the bootstrap's own error; last bits differ between linear algebra libraries.
    return pd.DataFrame(rows, columns=list(COLUMNS)).round({"mean": DECIMALS, "lower": DECIMALS, "upper": DECIMALS})


def unit_interval(values: Floats, resamples: int, seed: int) -> tuple[float, float, float]:
    """Mean of independent values with the percentile interval of its bootstrap.

    Args:
        values: float64 [U].
        resamples: bootstrap samples.
        seed: seed of the weights.
    """
    if not len(values):
        return float("nan"), float("nan"), float("nan")
    weights = np.random.default_rng([seed, len(values)]).multinomial(
        len(values), np.full(len(values), 1 / len(values)), resamples
    )
    low, high = np.quantile(weights @ values / len(values), [0.025, 0.975])
    return float(values.mean()), float(low), float(high)
