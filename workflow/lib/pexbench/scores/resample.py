"""Correlations of bootstrap resamples: the weights, tied to names, and Spearman ranked anew in every resample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import special

from pexbench.scores.correlation import prepared

Floats = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Real = TypeVar("Real", np.float32, np.float64)

#: Numbers in a block of weights; a few such blocks stay in the processor's cache.
BLOCK = 250_000
#: Fewest pairs for an interval, and fewest pairs on either side that differ from the commonest value. Below, the
#: bootstrap's intervals were seen to cover far less than 95 % (benchmarks/RESULTS.md).
LEAST_PAIRS = 20
LEAST_DIFFERING = 10
#: Where random numbers of one kind come from; each has a stream of its own under the run's seed.
STREAMS = {"people": 1, "genes": 2, "people within populations": 3, "permutations": 4}


@dataclass(frozen=True)
class Weights:
    """How often each person and each gene is drawn in each bootstrap resample.

    Drawn once for all names of a run: a model that predicts some of them uses their columns, so that the same
    resample means the same people for every model, and models can be compared in pairs.

    Attributes:
        names: by noun (``people``, ``genes``), all names of the run.
        resamples: number of resamples B.
        seed: seed of all draws.
        populations: by person, the population within which the draws of ``strata`` blocks are made.
    """

    names: Mapping[str, Sequence[str]]
    resamples: int
    seed: int
    populations: Mapping[str, str] = field(default_factory=dict)
    _drawn: dict[str, Float32] = field(default_factory=dict, repr=False)

    def of(self, noun: str, names: Sequence[str], within: bool = False) -> Float32:
        """Weights of some names.

        Args:
            noun: ``people`` or ``genes``.
            names: names, each among the run's.
            within: draw within populations (people only).

        Returns:
            float32 [len(names), B], whole numbers.
        """
        key = f"{noun} within populations" if within else noun
        every = sorted(self.populations) if within else sorted(self.names[noun])
        if key not in self._drawn:
            self._drawn[key] = _draw(every, self.populations if within else {}, self.resamples, self.seed, key)
        place = {name: row for row, name in enumerate(every)}
        rows = np.array([place[name] for name in names], dtype=np.intp)
        return np.ascontiguousarray(self._drawn[key][rows])


def _draw(names: Sequence[str], groups: Mapping[str, str], resamples: int, seed: int, key: str) -> Float32:
    """Multinomial counts [N, B]: each resample has as many draws as there are names (in each group)."""
    random = np.random.default_rng([seed, STREAMS[key]])
    weights = np.zeros((len(names), resamples), dtype=np.float32)
    labels = np.array([groups.get(name, "") for name in names], dtype=object)
    for label in sorted(set(labels)):
        rows = np.flatnonzero(labels == label)
        drawn = random.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), resamples)
        weights[rows] = drawn.T
    return weights


def resampled(
    predicted: Floats, measured: Floats, statistic: str, weights: Float32, strata: Ints | None = None
) -> Float32:
    """The correlation of every row in every resample, as if the resample's pairs had been written out.

    Args:
        predicted: float [U, M]; pairs with a NaN on either side are left out.
        measured: float [U, M].
        statistic: ``spearman`` (ranked anew in every resample, ties by their mean rank) or ``pearson``.
        weights: float32 [M, B], how often each member was drawn.
        strata: int64 [M], see ``correlation.prepared``.

    Returns:
        float32 [B, U]; 0 where a resample leaves either side constant, the rule for the full data too.
    """
    if statistic == "pearson":
        x, y = prepared(predicted, measured, statistic, strata)
        groups = np.zeros(x.shape[1], dtype=np.int64) if strata is None else strata
        return pearson_resampled(x, y, weights, groups)
    groups = np.zeros(predicted.shape[1], dtype=np.int64) if strata is None else strata
    return spearman_resampled(predicted, measured, weights, groups)


def pearson_resampled(x: Floats, y: Floats, weights: Float32, strata: Ints) -> Float32:
    """Weighted Pearson correlations, centred within strata.

    Args:
        x: float64 [U, M] within -1..1, NaN in x and y alike.
        y: float64 [U, M].
        weights: float32 [M, B].
        strata: int64 [M].

    Returns:
        float32 [B, U].
    """
    shape = (weights.shape[1], len(x))
    xx, yy, xy = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    raw_x, raw_y = np.zeros(shape), np.zeros(shape)
    for stratum in np.unique(strata):
        here = strata == stratum
        drawn = weights[here].T.astype(np.float64)
        present = (~np.isnan(x[:, here])).astype(np.float64).T
        xt, yt = np.nan_to_num(x[:, here]).T, np.nan_to_num(y[:, here]).T
        total = drawn @ present
        total[total == 0] = 1
        sum_x, sum_y = drawn @ xt, drawn @ yt
        squares_x, squares_y = drawn @ (xt * xt), drawn @ (yt * yt)
        raw_x += squares_x
        raw_y += squares_y
        xx += squares_x - sum_x * sum_x / total
        yy += squares_y - sum_y * sum_y / total
        xy += drawn @ (xt * yt) - sum_x * sum_y / total
    # What a constant leaves is rounding of this size.
    varied = (xx > 1e-13 * raw_x) & (yy > 1e-13 * raw_y)
    return np.where(varied, np.clip(xy / np.sqrt(np.where(varied, xx * yy, 1)), -1, 1), 0).astype(np.float32)


@dataclass(frozen=True)
class _Row:
    """Where a row's members lie in sorted order; positions count the row's own complete members.

    ``x_order``, ``y_order``: members sorted by stratum and value. The others say for each member, in the order of
    x, how many come before its ties in sorted order, how many up to their end, and the same of its stratum.
    """

    x_order: Ints
    y_order: Ints
    x_ends: tuple[Ints, Ints]
    y_ends: tuple[Ints, Ints]
    stratum: tuple[Ints, Ints]


def _row(x: Floats, y: Floats, strata: Ints) -> _Row:
    members = np.flatnonzero(~np.isnan(x) & ~np.isnan(y))
    group = strata[members]
    x_order, x_first, x_last = _ends(x[members], group)
    y_order, y_first, y_last = _ends(y[members], group)
    groups = group[x_order]
    first = np.searchsorted(groups, groups, "left")
    last = np.searchsorted(groups, groups, "right")
    return _Row(
        members[x_order],
        members[y_order],
        (x_first[x_order], x_last[x_order]),
        (y_first[x_order], y_last[x_order]),
        (first, last),
    )


def _ends(values: Floats, group: Ints) -> tuple[Ints, Ints, Ints]:
    """Sorted order by group and value, and for each value the first of its ties in it and one past the last."""
    order = np.lexsort((values, group))
    ordered, groups = values[order], group[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]) | (groups[1:] != groups[:-1])
    starts = np.flatnonzero(new)
    run = np.cumsum(new) - 1
    first, last = np.empty(len(order), dtype=np.int64), np.empty(len(order), dtype=np.int64)
    first[order] = starts[run]
    last[order] = np.append(starts[1:], len(order))[run]
    return order, first, last


def spearman_resampled(x: Floats, y: Floats, weights: npt.NDArray[Real], strata: Ints) -> npt.NDArray[Real]:
    """Spearman correlations of resamples, each ranked anew, exactly.

    With w draws of each member, the mean rank of a member among the draws, less the mean of all, is
    (C< + C<= - n) / 2: the draws below it, the draws up to and including its ties, and all draws. Both C are read
    from the cumulative sums of weights in sorted order. All are whole numbers far below 2^24, so float32 holds them
    exactly; only the final sums of products are rounded, to about 1e-6. float64 weights make all of it float64.

    Args:
        x: float [U, M], values; pairs with a NaN on either side are left out.
        y: float [U, M].
        weights: float32 or float64 [M, B].
        strata: int64 [M], ranked within, ranks divided by the draws of the stratum.

    Returns:
        [B, U], of the type of ``weights``; 0 where a resample leaves either side constant.
    """
    one_stratum = len(np.unique(strata)) <= 1
    rows = [_row(x[u], y[u], strata) for u in range(len(x))]
    found = np.zeros((weights.shape[1], len(rows)), dtype=weights.dtype)
    step = max(16, BLOCK // max(len(weights), 1))
    for start in range(0, weights.shape[1], step):
        part = np.ascontiguousarray(weights[:, start : start + step])
        for u, row in enumerate(rows):
            if not len(row.x_order):
                continue
            drawn = part[row.x_order]
            below_x, below_y = cumulated(drawn), cumulated(part[row.y_order])
            rank_x = below_x[row.x_ends[0]] + below_x[row.x_ends[1]]
            rank_y = below_y[row.y_ends[0]] + below_y[row.y_ends[1]]
            if one_stratum:
                rank_x -= below_x[-1]
                rank_y -= below_x[-1]
            else:
                first, last = below_x[row.stratum[0]], below_x[row.stratum[1]]
                size = np.maximum(last - first, 1)
                rank_x = (rank_x - (first + last)) / size
                rank_y = (rank_y - (first + last)) / size
            weighted = drawn * rank_x
            xx = np.einsum("mb,mb->b", weighted, rank_x)
            yy = np.einsum("mb,mb,mb->b", drawn, rank_y, rank_y)
            xy = np.einsum("mb,mb->b", weighted, rank_y)
            varied = (xx > 0) & (yy > 0)
            size_of = np.sqrt(np.where(varied, xx, 1)) * np.sqrt(np.where(varied, yy, 1))
            found[start : start + step, u] = np.where(varied, np.clip(xy / size_of, -1, 1), 0)
    return found


def cumulated(values: npt.NDArray[Real]) -> npt.NDArray[Real]:
    """Cumulative sums along the first axis with a row of zeros before, in about 2 sqrt(M) vectorised steps.

    Args:
        values: float32 or float64 [M, B].

    Returns:
        [M + 1, B], of the same type; row i is the sum of the first i rows.
    """
    length, width = values.shape
    side = max(1, int(np.ceil(np.sqrt(length))))
    count = -(-length // side)
    # One row more, so that the zeros before and the sums are one array.
    sums = np.zeros((1 + count * side, width), dtype=values.dtype)
    sums[1 : 1 + length] = values
    tiles = sums[1:].reshape(count, side, width)
    for place in range(1, side):
        tiles[:, place] += tiles[:, place - 1]
    for tile in range(1, count):
        tiles[tile] += tiles[tile - 1, -1]
    return sums[: 1 + length]


def expanded(n: npt.NDArray[np.int64], level: float = 0.95) -> Floats:
    """Tail of a percentile interval that is honest for small samples (Hesterberg 2015, 10.1080/00031305.2015.1089789).

    The bootstrap's spread is too small by sqrt((n - 1) / n), and normal tails are shorter than Student's; the tail
    that makes up for both is Phi(-sqrt(n / (n - 1)) t), t the quantile of Student's t with n - 1 degrees of freedom.

    Args:
        n: int64 [U], at least 2.
        level: confidence level.

    Returns:
        float64 [U], for example 0.0238 instead of 0.025 for 100.
    """
    size = n.astype(np.float64)
    quantile = special.stdtrit(size - 1, (1 + level) / 2)
    return np.asarray(special.ndtr(-np.sqrt(size / (size - 1)) * quantile), dtype=np.float64)


def unit_intervals(draws: Float32, n: npt.NDArray[np.int64], trusted: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """95 % interval of every row's correlation: expanded percentiles of its resamples.

    Args:
        draws: float32 [B, U], from :func:`resampled`.
        n: int64 [U], pairs.
        trusted: bool [U], rows that get one.

    Returns:
        Lower and upper ends, float64 [U]; NaN for the others.
    """
    lower, upper = np.full(len(n), np.nan), np.full(len(n), np.nan)
    for size in np.unique(n[trusted]):
        rows = np.flatnonzero(trusted & (n == size))
        tail = float(expanded(np.array([size]))[0])
        lower[rows], upper[rows] = np.quantile(draws[:, rows].astype(np.float64), [tail, 1 - tail], axis=0)
    return lower, upper


def untrusted(x: Floats, y: Floats, noun: str) -> list[str]:
    """Why rows get no interval: too few pairs, or nearly all of them alike on one side (a rare allele).

    Args:
        x: float64 [U, M], predictions, NaN where a pair is incomplete.
        y: float64 [U, M], measurements.
        noun: what the members are.

    Returns:
        [U], empty where an interval can be trusted.
    """
    reasons = []
    for predicted, measured in zip(x, y, strict=True):
        keep = ~np.isnan(predicted) & ~np.isnan(measured)
        n = int(keep.sum())
        if n < LEAST_PAIRS:
            reasons.append(f"no interval: fewer than {LEAST_PAIRS} {noun}")
        elif min(n - _commonest(side[keep]) for side in (predicted, measured)) < LEAST_DIFFERING:
            reasons.append(f"no interval: fewer than {LEAST_DIFFERING} {noun} differ from the commonest value")
        else:
            reasons.append("")
    return reasons


def _commonest(values: Floats) -> int:
    """How often the commonest value occurs."""
    ordered = np.sort(values)
    edges = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1], [True]]))
    return int(np.diff(edges).max())
