"""Intervals of mean correlations by a two-way bootstrap that resamples people and genes together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pexbench.scores.resample import Float32

Floats = npt.NDArray[np.float64]

#: Nulls of a mean (``permutation``), empty where there is none: the mean of |r| with people shuffled, p values of the
#: mean of |r| (larger than shuffled) and of the mean of r (two-sided), and |r| against the expression of other genes.
NULLS = (
    "null_mean_absolute",
    "p_mean_absolute",
    "p_mean",
    "null_other_genes_mean_absolute",
    "null_other_genes_q95",
)
#: Columns of the table of intervals, one row per mean.
COLUMNS = (
    *("model", "metric", "axis", "statistic", "mean", "lower", "upper"),
    *NULLS,
    *("resamples", "permutations", "seed", "method"),
)
TYPES = {
    **dict.fromkeys(("mean", "lower", "upper", *NULLS), float),
    **dict.fromkeys(("resamples", "permutations", "seed"), "int64"),
}
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


def two_way_draws(values: Floats, resampled: Float32, unit_weights: Float32, n_members: int) -> Draws:
    """Means of resamples of units and members.

    Args:
        values: float64 [U], correlations in the full data (or any statistic of one unit over members); units with NaN
            are left out.
        resampled: float32 [B, U], the same of resampled members, from ``resample.resampled``.
        unit_weights: float32 [U, B], how often each unit is drawn.
        n_members: number of members.
    """
    scored = ~np.isnan(values)
    full, r, drawn = values[scored], resampled[:, scored].astype(np.float64), unit_weights[scored].T.astype(np.float64)
    if not len(full):
        empty = np.full(len(resampled), np.nan)
        return Draws(float("nan"), empty, empty, empty, 0, n_members)
    total = drawn.sum(axis=1)
    # Some units of a run can be drawn not once; the mean of all stands in then.
    drawn[total == 0] = 1
    drawn /= drawn.sum(axis=1, keepdims=True)
    both, units = np.einsum("bu,bu->b", r, drawn), drawn @ full
    return Draws(float(full.mean()), both, r.mean(axis=1), units, len(full), n_members)


def interval(draws: Draws, level: float = 0.95, bound: float = 1.0) -> tuple[float, float]:
    """Percentile interval of the pigeonhole draws, contracted to the variance of a two-way mean.

    Let a mean over U units and M members have variance a/M + b/U + e/(UM): members, units, and what is left. The
    pigeonhole bootstrap gives a/M + b/U + 3e/(UM) (Owen 2007, 10.1214/07-AOAS122), up to 73 % too wide where
    nothing but noise is in the data. Member weights alone give a/M + e/(UM), unit weights alone b/U + e/(UM), and
    what the draws hold beyond the sum of both gives e/(UM); so the sum of the first two less the third is the
    variance wanted (Cameron, Gelbach and Miller 2011, 10.1198/jbes.2010.07136). Each carries its n/(n - 1).
    The members' part holds the correlation between neighbouring genes.

    Args:
        draws: from :func:`two_way_draws`; with one unit there is nothing to resample but members.
        level: confidence level.
        bound: the greatest possible absolute value.

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
    return float(max(-bound, mean + (low - centre) * factor)), float(min(bound, mean + (high - centre) * factor))


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
