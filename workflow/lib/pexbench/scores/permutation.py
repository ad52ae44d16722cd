"""Null distributions: people shuffled as wholes, and predictions against the expression of other genes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.scores.correlation import LEAST, Floats, alone, prepared
from pexbench.scores.resample import STREAMS

Ints = npt.NDArray[np.int64]

#: What rounding may make of two equal correlations.
TIE = 1e-9
#: Genes on the same contig must be further apart than this, in bp, to stand in for unrelated ones.
FAR = 1_000_000
#: Rows of predictions correlated with all measurements at once.
ROWS = 256


@dataclass(frozen=True)
class Null:
    """What shuffled people give.

    Attributes:
        p: float64 [U], p value of each row's |r|: (1 + shuffles with at least that |r|) / (1 + shuffles); NaN for
            rows without a score.
        p_mean: two-sided p value of the mean of r.
        p_mean_absolute: p value of the mean of |r| being larger than shuffled.
        mean_absolute: mean of |r| over rows and shuffles.
    """

    p: Floats
    p_mean: float
    p_mean_absolute: float
    mean_absolute: float


def shuffles(people: Sequence[str], groups: Mapping[str, str], number: int, seed: int) -> tuple[list[str], Ints]:
    """Permutations of people, drawn once for a run: the same for all genes, models and metrics.

    Args:
        people: all names of the run.
        groups: by name, the population that a person stays in; people without one are shuffled among themselves.
        number: number of permutations B.
        seed: seed of the draws.

    Returns:
        The names in places, people of one group next to each other, and int64 [B, N]: the place in this list whose
        measurement each place gets.
    """
    ordered = sorted(people, key=lambda name: (groups.get(name, ""), name))
    labels = np.array([groups.get(name, "") for name in ordered], dtype=object)
    random = np.random.default_rng([seed, STREAMS["permutations"]])
    places = np.empty((number, len(ordered)), dtype=np.int64)
    for label in sorted(set(labels)):
        here = np.flatnonzero(labels == label)
        keys = random.random((number, len(here)))
        places[:, here] = here[np.argsort(keys, axis=1)]
    return ordered, places


def restricted(places: Ints, keep: npt.NDArray[np.bool_]) -> Ints:
    """Permutations of some of the people: the rest is struck out of each, the order of those kept stays.

    Every permutation of those kept (within groups) is then as likely as any other.

    Args:
        places: int64 [B, N], from :func:`shuffles`.
        keep: bool [N].

    Returns:
        int64 [B, n], places among those kept.
    """
    if keep.all():
        return places
    renumbered = np.cumsum(keep) - 1
    return np.asarray(renumbered[places[keep[places]]].reshape(len(places), int(keep.sum())))


def permuted(
    predicted: Floats,
    measured: Floats,
    statistic: str,
    members: Sequence[str],
    people: Sequence[str],
    places: Ints,
    strata: Ints | None = None,
) -> Null:
    """Scores with people shuffled as wholes, so that the correlation between genes is kept.

    Each row's measurements change places among the people that have both values in this row, exactly. Rows without a
    score (constant measurement, fewer than three pairs) are left out; a constant prediction scores 0 in every shuffle.

    Args:
        predicted: float [U, M].
        measured: float [U, M].
        statistic: ``spearman`` or ``pearson``.
        members: names of the M columns.
        people: names of the run in the places of ``places``; members are among them.
        places: int64 [B, N], from :func:`shuffles`.
        strata: int64 [M], see ``correlation.prepared``; then ``places`` must keep people within strata.

    Returns:
        p values and means.
    """
    x, y = prepared(predicted, measured, statistic, strata)
    column = {name: place for place, name in enumerate(members)}
    own = np.array([name in column for name in people], dtype=bool)
    order = np.array([column[name] for name in people if name in column], dtype=np.intp)
    mine = restricted(places, own)
    x, y = np.ascontiguousarray(x[:, order]), np.ascontiguousarray(y[:, order])
    present = ~np.isnan(x)
    number = len(places)
    p = np.full(len(x), np.nan)
    total, total_absolute = np.zeros(number), np.zeros(number)
    values: list[float] = []
    before: tuple[bytes, Ints] = (b"", mine)
    for u in range(len(x)):
        keep = present[u]
        mask = keep.tobytes()
        if mask != before[0]:
            before = (mask, restricted(mine, keep))
        one, other = x[u, keep], y[u, keep]
        yy, xx = float(other @ other), float(one @ one)
        if len(one) < LEAST or yy == 0:
            continue
        size = np.sqrt(xx * yy) if xx else 1.0
        r = (np.take(other, before[1]) @ one) / size
        value = float(other @ one) / size
        absolute = np.abs(r)
        p[u] = (1 + np.count_nonzero(absolute >= abs(value) - TIE)) / (number + 1)
        total += r
        total_absolute += absolute
        values.append(value)
    if not values:
        nan = float("nan")
        return Null(p, nan, nan, nan)
    units = len(values)
    mean, mean_absolute = float(np.sum(values)), float(np.sum(np.abs(values)))
    # Both tails: within populations the null need not lie around 0.
    low = 1 + np.count_nonzero(total <= mean + TIE * units)
    high = 1 + np.count_nonzero(total >= mean - TIE * units)
    return Null(
        p,
        min(1.0, 2 * min(low, high) / (number + 1)),
        float((1 + np.count_nonzero(total_absolute >= mean_absolute - TIE * units)) / (number + 1)),
        float(total_absolute.mean() / units),
    )


def other_genes(
    predicted: Floats, measured: Floats, statistic: str, units: Sequence[str], positions: pd.DataFrame
) -> tuple[float, float]:
    """Each gene's prediction against the measured expression of unrelated genes: the other null.

    It keeps the correlation between people entirely (relatedness, populations, batches), on both sides. Unrelated are
    genes on other contigs, or, where all genes lie on one, those whose TSS is more than 1 Mb away. Values are ranked
    (or centred) over the people that each side has; where both lack someone, the correlation is over those who have
    both, without ranking anew.

    Args:
        predicted: float [U, M].
        measured: float [U, M].
        statistic: ``spearman`` or ``pearson``.
        units: gene ids of the rows.
        positions: index gene id, columns ``contig`` and ``tss``; genes without a position are left out.

    Returns:
        Mean of |r| (over genes, of the mean over the unrelated genes) and the 95 % quantile of |r| over all pairs;
        NaN where there is no pair. A constant prediction counts as 0.
    """
    known = np.array([unit in positions.index for unit in units], dtype=bool)
    where = positions.loc[[unit for unit in units if unit in positions.index]]
    contig = pd.factorize(where["contig"])[0]
    tss = where["tss"].to_numpy(np.int64)
    x, y = alone(np.array(predicted[known]), statistic), alone(np.array(measured[known]), statistic)
    scorable = np.nan_to_num(np.abs(y)).max(axis=1, initial=0) > 0
    several = len(set(contig)) > 1
    means, pairs = [], []
    for start in range(0, len(x), ROWS):
        part = slice(start, start + ROWS)
        r = _crossed(x[part], y)
        far = contig[part, None] != contig[None] if several else np.abs(tss[part, None] - tss[None]) > FAR
        far = far & scorable[None] & ~np.isnan(r)
        absolute = np.abs(r)
        count = far.sum(axis=1)
        means.append(np.where(far, absolute, 0).sum(axis=1)[count > 0] / count[count > 0])
        pairs.append(absolute[far].astype(np.float32))
    every = np.concatenate(pairs) if pairs else np.empty(0, dtype=np.float32)
    if not len(every):
        return float("nan"), float("nan")
    return float(np.concatenate(means).mean()), float(np.quantile(every, 0.95))


def _crossed(x: Floats, y: Floats) -> Floats:
    """Correlation of every row of x with every row of y, [X, Y], over the members both have; NaN below three."""
    has_x, has_y = ~np.isnan(x), ~np.isnan(y)
    x0, y0 = np.nan_to_num(x), np.nan_to_num(y)
    if has_x.all() and has_y.all():
        xx, yy = np.einsum("um,um->u", x0, x0)[:, None], np.einsum("um,um->u", y0, y0)[None]
        xy = x0 @ y0.T
        n = np.full(xy.shape, x.shape[1], dtype=np.float64)
    else:
        one, other = has_x.astype(np.float64), has_y.astype(np.float64)
        n = one @ other.T
        safe = np.maximum(n, 1)
        sum_x, sum_y = x0 @ other.T, one @ y0.T
        xx = (x0 * x0) @ other.T - sum_x**2 / safe
        yy = one @ (y0 * y0).T - sum_y**2 / safe
        xy = x0 @ y0.T - sum_x * sum_y / safe
    varied = (xx > 1e-12 * x.shape[1]) & (yy > 1e-12 * x.shape[1])
    r = np.where(varied, np.clip(xy / np.sqrt(np.where(varied, xx * yy, 1)), -1, 1), 0)
    return np.asarray(np.where(n >= LEAST, r, np.nan), dtype=np.float64)
