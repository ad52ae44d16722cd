"""How many people it takes: scores across individuals in random subsets of the cohort, and the theory beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from pexbench.scores.correlation import LEAST
from pexbench.scores.summary import significant_units

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Sizes of subsets that are tried, below four fifths of the cohort; the cohort itself comes last.
SIZES = (5, 10, 20, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10000)
#: At most so many sizes below the cohort's.
MOST_SIZES = 5
REPEATS = 20
#: Columns of :func:`subsets`, one row per subset of people.
COLUMNS = ("n", "repeat", "n_genes", "mean", "n_positive", "n_negative", "width")
#: Columns of :func:`added_up`, one row per number of people.
SUMMARY_COLUMNS = (
    *("n", "repeats", "n_genes", "mean", "sd", "error", "share_positive", "share_negative"),
    *("sd_positive", "sd_negative", "width"),
)


def sizes(people: int) -> list[int]:
    """Numbers of people to look at: round numbers up to four fifths of the cohort, then the cohort.

    Args:
        people: size of the cohort.
    """
    below = [size for size in SIZES if size <= 0.8 * people]
    return [*below[-MOST_SIZES:], people]


@dataclass(frozen=True)
class Ranks:
    """Rows of values prepared so that ranks within any subset of the members are counted, not sorted.

    Attributes:
        order: int32 [U, M], members in the order of their values, missing ones last.
        first: int64 [U, M], place in a flat [U, M + 1] array of counts that stands before a member's ties.
        last: int64 [U, M], the place after its ties.
        present: bool [U, M], False where the value is NaN.
    """

    order: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    present: Bools

    @classmethod
    def of(cls, values: Floats) -> Ranks:
        """Sort each row once.

        Args:
            values: float64 [U, M], NaN where missing.
        """
        units, members = values.shape
        order = np.argsort(values, axis=1, kind="stable")
        ordered = np.take_along_axis(values, order, axis=1)
        places = np.arange(members)
        new = np.ones((units, members), dtype=bool)
        new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        starts = np.maximum.accumulate(np.where(new, places, 0), axis=1)
        closes = np.ones((units, members), dtype=bool)
        closes[:, :-1] = new[:, 1:]
        ends = np.minimum.accumulate(np.where(closes, places, members)[:, ::-1], axis=1)[:, ::-1]
        rows = np.arange(units)[:, None] * (members + 1)
        first, last = np.empty_like(order), np.empty_like(order)
        np.put_along_axis(first, order, starts + rows, axis=1)
        np.put_along_axis(last, order, ends + 1 + rows, axis=1)
        return cls(order.astype(np.int32), first, last, ~np.isnan(values))

    def within(self, subset: npt.NDArray[np.intp], inside: Bools) -> Floats:
        """Average ranks within a subset, less their mean; 0 where missing.

        Args:
            subset: intp [N], the members.
            inside: bool [M], the same as a mask.

        Returns:
            float64 [U, N].
        """
        units, members = self.order.shape
        counts = np.zeros((units, members + 1), dtype=np.int32)
        chosen = inside[self.order]
        # Missing values are sorted last, so that nothing counts behind the row's last value.
        there = self.present.sum(axis=1)
        if (there < members).any():
            chosen &= np.arange(members) < there[:, None]
        np.cumsum(chosen, axis=1, out=counts[:, 1:])
        flat = counts.ravel()
        # Ranks of ties run from (counted before) + 1 to (counted up to the last of them).
        twice = flat[self.first[:, subset]] + flat[self.last[:, subset]] - counts[:, -1:]
        return np.where(self.present[:, subset], twice / 2, 0.0)


def subsets(predicted: Floats, measured: Floats, *, repeats: int = REPEATS, seed: int = 0) -> pd.DataFrame:
    """Spearman correlations across individuals in random subsets of the people.

    The rules are those of ``correlation.correlate``: incomplete pairs are left out; a prediction equal for all counts
    as r = 0, p = 1; a gene with fewer than three pairs or a constant measurement is not scored.

    Args:
        predicted: float64 [U, M], genes x people, NaN where not predicted.
        measured: float64 [U, M], NaN where not measured.
        repeats: subsets per number of people; the whole cohort is looked at once.
        seed: subsets follow from it and the number of people alone, so that models of the same people share them.

    Returns:
        Columns :data:`COLUMNS`: people, number of the subset, genes scored, their mean correlation, how many of them
        are significantly positive and negative at a false discovery rate of 5 % (Benjamini-Hochberg within the
        subset), median width of a gene's 95 % interval (Fisher's z).
    """
    x, y = np.array(predicted, dtype=np.float64), np.array(measured, dtype=np.float64)
    incomplete = np.isnan(x) | np.isnan(y)
    x[incomplete], y[incomplete] = np.nan, np.nan
    people = x.shape[1]
    ranks_x, ranks_y = Ranks.of(x), Ranks.of(y)
    rows = []
    for size in sizes(people):
        for repeat in range(repeats if size < people else 1):
            subset = np.sort(np.random.default_rng([seed, people, size, repeat]).permutation(people)[:size])
            rows.append((size, repeat, *_scored(ranks_x, ranks_y, subset)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _scored(ranks_x: Ranks, ranks_y: Ranks, subset: npt.NDArray[np.intp]) -> tuple[int, float, int, int, float]:
    """What :func:`subsets` tells of one subset."""
    inside = np.zeros(ranks_x.order.shape[1], dtype=bool)
    inside[subset] = True
    value, n, p = spearman(ranks_x, ranks_y, subset, inside)
    scored = ~np.isnan(value)
    value, n, p = value[scored], n[scored], p[scored]
    if not len(value):
        return 0, float("nan"), 0, 0, float("nan")
    significant = significant_units(p)
    return (
        len(value),
        float(value.mean()),
        int((significant & (value > 0)).sum()),
        int((significant & (value < 0)).sum()),
        float(np.median(interval_width(value, n))),
    )


def spearman(
    ranks_x: Ranks, ranks_y: Ranks, subset: npt.NDArray[np.intp], inside: Bools
) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """Spearman correlations of many rows within one subset of the members.

    Args:
        ranks_x: rows prepared, with the same values missing as in ``ranks_y``.
        ranks_y: rows prepared.
        subset: intp [N], the members.
        inside: bool [M], the same as a mask.

    Returns:
        Correlation (NaN where not scored, 0 where x is constant), pairs, two-sided p value of each row.
    """
    x, y = ranks_x.within(subset, inside), ranks_y.within(subset, inside)
    n = ranks_x.present[:, subset].sum(axis=1).astype(np.int64)
    xx, yy = np.einsum("um,um->u", x, x), np.einsum("um,um->u", y, y)
    scored = (n >= LEAST) & (yy > 0)
    varied = scored & (xx > 0)
    value, p = np.where(scored, 0.0, np.nan), np.where(scored, 1.0, np.nan)
    value[varied] = np.clip(np.einsum("um,um->u", x, y)[varied] / np.sqrt(xx[varied] * yy[varied]), -1, 1)
    with np.errstate(divide="ignore"):
        t = np.abs(value[varied]) * np.sqrt((n[varied] - 2) / (1 - value[varied] ** 2))
    p[varied] = 2 * special.stdtr(n[varied] - 2, -t)
    return value, n, p


def added_up(drawn: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread over the subsets of each size.

    Subsets of one cohort share people: the more they take of it, the less they differ. What another cohort of n people
    would do is told by ``error``, the subsets' standard deviation divided by sqrt(1 - n/N), N being the cohort (the
    correction for a finite population, Cochran, Sampling Techniques, 1977, section 2.6, the other way round); it
    cannot be had for the whole cohort.

    Args:
        drawn: table of :func:`subsets`.

    Returns:
        One row per number of people, columns :data:`SUMMARY_COLUMNS`: ``mean`` (of the subsets' mean correlations),
        ``sd`` of it between subsets, ``error``; ``share_positive`` and ``share_negative`` of the scored genes with
        their ``sd``; ``width``, mean over subsets of a gene's median interval width.
    """
    whole = drawn["n"].max()
    rows = []
    for size, group in drawn.groupby("n", sort=True):
        genes = group["n_genes"].where(group["n_genes"] > 0)
        positive, negative = group["n_positive"] / genes, group["n_negative"] / genes
        sd = float(group["mean"].std(ddof=1)) if len(group) > 1 else float("nan")
        rows.append(
            {
                "n": size,
                "repeats": len(group),
                "n_genes": int(group["n_genes"].max()),
                "mean": group["mean"].mean(),
                "sd": sd,
                "error": sd / np.sqrt(1 - size / whole) if size < whole else float("nan"),
                "share_positive": positive.mean(),
                "share_negative": negative.mean(),
                "sd_positive": positive.std(ddof=1) if len(group) > 1 else float("nan"),
                "sd_negative": negative.std(ddof=1) if len(group) > 1 else float("nan"),
                "width": group["width"].mean(),
            }
        )
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def power(r: float, n: npt.ArrayLike, level: float = 0.05) -> Floats:
    """Power of the two-sided test of one correlation, by Fisher's z.

    The estimate's arctanh is normal around ``arctanh(r) + r / (2 (n - 1))`` with standard error
    ``sqrt((1 + r^2/2) / (n - 3))`` (Spearman; Bonett and Wright 2000, 10.1007/BF02294183); the test is the t test of
    ``correlation.p_values``.

    Args:
        r: true Spearman correlation, between -1 and 1.
        n: numbers of people, at least 4; smaller ones give NaN.
        level: p values below it are called significant.

    Returns:
        float64, as long as ``n``.
    """
    people = np.atleast_1d(np.asarray(n, dtype=np.float64))
    enough = people > LEAST
    counted = np.where(enough, people, LEAST + 1)
    t = special.stdtrit(counted - 2, 1 - level / 2)
    limit = np.arctanh(t / np.sqrt(counted - 2 + t**2))
    centre = np.arctanh(r) + r / (2 * (counted - 1))
    error = np.sqrt((1 + r**2 / 2) / (counted - 3))
    found = special.ndtr((centre - limit) / error) + special.ndtr((-centre - limit) / error)
    return np.asarray(np.where(enough, found, np.nan), dtype=np.float64)


def interval_width(r: npt.ArrayLike, n: npt.ArrayLike) -> Floats:
    """Width of the 95 % interval of Spearman correlations by Fisher's z.

    Standard error ``sqrt((1 + r^2/2) / (n - 3))`` (Bonett and Wright 2000, 10.1007/BF02294183).

    Args:
        r: the correlations, between -1 and 1.
        n: numbers of people; with 3 or fewer the interval is -1 to 1.
    """
    value, people = np.asarray(r, dtype=np.float64), np.atleast_1d(np.asarray(n, dtype=np.float64))
    half = special.ndtri(0.975) * np.sqrt((1 + value**2 / 2) / np.maximum(people - 3, 1))
    # At -1 and 1 the transform is infinite and the interval a point.
    z = np.arctanh(np.clip(value, -1 + 1e-15, 1 - 1e-15))
    return np.where(people > LEAST, np.tanh(z + half) - np.tanh(z - half), 2.0)
