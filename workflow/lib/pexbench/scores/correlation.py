"""Correlations of many rows at once, equal to scipy's one by one, with p values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Floats = npt.NDArray[np.float64]

#: The headline first.
STATISTICS = ("spearman", "pearson")
#: Note of a unit whose prediction ranks nobody; its score is 0 by rule.
CONSTANT_PREDICTION = "constant prediction"
CONSTANT_MEASUREMENT = "constant measurement"
#: Note of a unit whose prediction varies by less than the model's numerical error: 0 by rule as well.
BELOW_FLOOR = f"{CONSTANT_PREDICTION} within numerical error"
#: Fewest pairs that are scored: two points always correlate perfectly.
LEAST = 3


@dataclass(frozen=True)
class Correlations:
    """Correlations of U rows.

    Attributes:
        value: float64 [U], NaN where a row could not be scored.
        n: int64 [U], pairs used.
        p: float64 [U], two-sided p value of no correlation.
        note: [U], why a row is 0 by rule or not scored, else empty.
    """

    value: Floats
    n: npt.NDArray[np.int64]
    p: Floats
    note: list[str]


def prepared(
    predicted: Floats, measured: Floats, statistic: str, strata: npt.NDArray[np.int64] | None = None
) -> tuple[Floats, Floats]:
    """Values whose Pearson correlation is the statistic, incomplete pairs set to NaN in both.

    Args:
        predicted: float [U, M].
        measured: float [U, M].
        statistic: ``spearman`` (average ranks within each row) or ``pearson`` (the values).
        strata: int64 [M]; values are ranked and centred within each stratum, and ranks divided by the number of
            pairs in it, so that a stratum weighs as many as it has. None: all members are one stratum.

    Returns:
        Two float64 arrays [U, M], each row with mean 0 (in every stratum) and greatest absolute value 1 (0 where it
        is constant).
    """
    if statistic not in STATISTICS:
        raise ValueError(f"statistic {statistic!r}: one of {STATISTICS} is allowed")
    # float32 fits into float64 exactly, so predictions that tie as stored still tie here.
    # One memory layout, so that sums do not depend on how a table was turned.
    x, y = np.array(predicted, dtype=np.float64, order="C"), np.array(measured, dtype=np.float64, order="C")
    incomplete = np.isnan(x) | np.isnan(y)
    x[incomplete] = np.nan
    y[incomplete] = np.nan
    return alone(x, statistic, strata), alone(y, statistic, strata)


def alone(values: Floats, statistic: str, strata: npt.NDArray[np.int64] | None = None) -> Floats:
    """One side of :func:`prepared`, each row over the members it has itself."""
    if strata is None:
        return _scaled(_centred(_ranked(values, statistic)))
    made = np.full(values.shape, np.nan)
    for stratum in np.unique(strata):
        here = strata == stratum
        part = _ranked(np.ascontiguousarray(values[:, here]), statistic)
        if statistic == "spearman":
            part = part / np.maximum((~np.isnan(part)).sum(axis=1, keepdims=True), 1)
        made[:, here] = _centred(part)
    return _scaled(made)


def _ranked(values: Floats, statistic: str) -> Floats:
    if statistic != "spearman":
        return values
    return np.asarray(stats.rankdata(values, axis=1, nan_policy="omit"), dtype=np.float64)


def _centred(values: Floats) -> Floats:
    complete = ~np.isnan(values)
    n = np.maximum(complete.sum(axis=1, keepdims=True), 1)
    centred = values - np.where(complete, values, 0).sum(axis=1, keepdims=True) / n
    # The mean of equal numbers may be off by a rounding, which would pass for variation.
    low = np.min(values, axis=1, keepdims=True, initial=np.inf, where=complete)
    high = np.max(values, axis=1, keepdims=True, initial=-np.inf, where=complete)
    return np.where((low == high) & complete, 0.0, centred)


def _scaled(centred: Floats) -> Floats:
    size = np.max(np.abs(centred), axis=1, keepdims=True, initial=0.0, where=~np.isnan(centred))
    return np.asarray(centred / np.where(size > 0, size, 1), dtype=np.float64)


def correlate(
    predicted: Floats,
    measured: Floats,
    statistic: str,
    noun: str = "pairs",
    strata: npt.NDArray[np.int64] | None = None,
    freedom_lost: int | npt.NDArray[np.int64] = 0,
) -> Correlations:
    """Correlate each row of two matrices.

    Pairs with a NaN on either side are left out. A prediction equal for all members ranks nobody: r = 0, p = 1.
    A row with fewer than three pairs or a constant measurement is not scored (NaN).

    p is two-sided, from Student's t with n - 2 degrees of freedom (for Spearman an approximation, as in scipy); with
    strata n - 1 - the strata that have pairs; less those that were lost before.

    Args:
        predicted: float [U, M].
        measured: float [U, M].
        statistic: ``spearman`` or ``pearson``.
        noun: what the members are, for notes.
        strata: int64 [M], see :func:`prepared`.
        freedom_lost: degrees of freedom that the measurements lost before, for all rows or for each (int64 [U]).

    Returns:
        Values, counts, p values and notes of the U rows.
    """
    x, y = prepared(predicted, measured, statistic, strata)
    present = ~np.isnan(x)
    n = present.sum(axis=1).astype(np.int64)
    groups = np.ones_like(n) if strata is None else _groups(present, strata)
    freedom = n - 1 - groups - freedom_lost
    x, y = np.nan_to_num(x), np.nan_to_num(y)
    xx, yy = np.einsum("um,um->u", x, x), np.einsum("um,um->u", y, y)
    few, flat_x, flat_y = (n < LEAST) | (freedom < 1), xx == 0, yy == 0
    scored = ~few & ~flat_y
    varied = scored & ~flat_x
    value = np.where(scored, 0.0, np.nan)
    value[varied] = np.clip(np.einsum("um,um->u", x, y)[varied] / np.sqrt(xx[varied] * yy[varied]), -1, 1)
    p = np.where(scored, 1.0, np.nan)
    p[varied] = p_values(value[varied], freedom[varied])
    least = f"fewer than {LEAST} {noun}"
    note = [
        (least if n[u] < LEAST else f"too few {noun} for the covariates or populations")
        if few[u]
        else CONSTANT_MEASUREMENT
        if flat_y[u]
        else CONSTANT_PREDICTION
        if flat_x[u]
        else ""
        for u in range(len(n))
    ]
    return Correlations(value, n, p, note)


def _groups(present: npt.NDArray[np.bool_], strata: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many strata have a pair, by row."""
    return sum(
        (present[:, strata == stratum].any(axis=1).astype(np.int64) for stratum in np.unique(strata)),
        start=np.zeros(len(present), dtype=np.int64),
    )


def p_values(value: Floats, freedom: npt.NDArray[np.int64]) -> Floats:
    """Two-sided p values of correlations from Student's t.

    Args:
        value: float64 [U], correlations.
        freedom: int64 [U], degrees of freedom, at least 1; n - 2 for a plain correlation of n pairs.
    """
    free = freedom.astype(np.float64)
    with np.errstate(divide="ignore"):
        t = np.abs(value) * np.sqrt(free / ((1 - value) * (1 + value)))
    return np.asarray(2 * special.stdtr(free, -t), dtype=np.float64)


def fisher_interval(
    value: Floats, n: npt.NDArray[np.int64], statistic: str, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Interval of correlations by Fisher's z, for a correlation of pairs without resamples.

    The standard error is 1/sqrt(n - 3) for Pearson, sqrt((1 + r^2/2)/(n - 3)) for Spearman (Bonett and Wright 2000,
    10.1007/BF02294183).

    Args:
        value: float64 [U], correlations.
        n: int64 [U]; with 3 pairs the interval is -1 to 1.
        statistic: ``spearman`` or ``pearson``.
        level: confidence level.
    """
    shape = 1 + value**2 / 2 if statistic == "spearman" else np.ones_like(value)
    error = np.sqrt(shape / np.maximum(n - 3, 1))
    with np.errstate(divide="ignore"):
        z = np.arctanh(value)
    half = special.ndtri((1 + level) / 2) * error
    known = (n > 3) | np.isnan(value)
    return np.where(known, np.tanh(z - half), -1.0), np.where(known, np.tanh(z + half), 1.0)
