"""How many people it takes: scores across individuals in random subsets of the cohort, and the theory beside them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from pexbench.scores.correlation import LEAST, fisher_interval, p_values
from pexbench.scores.resample import spearman_resampled
from pexbench.scores.summary import significant_units

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

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
    people = predicted.shape[1]
    drawn = [(size, repeat) for size in sizes(people) for repeat in range(repeats if size < people else 1)]
    inside = np.zeros((people, len(drawn)), dtype=bool)
    for place, (size, repeat) in enumerate(drawn):
        inside[np.random.default_rng([seed, people, size, repeat]).permutation(people)[:size], place] = True
    value, n = within(predicted, measured, inside)
    rows = [(*key, *_counted(*found)) for key, found in zip(drawn, zip(value, n, strict=True), strict=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def within(predicted: Floats, measured: Floats, inside: npt.NDArray[np.bool_]) -> tuple[Floats, Ints]:
    """Spearman correlations of many rows within subsets of the members.

    Args:
        predicted: float64 [U, M], NaN where missing.
        measured: float64 [U, M].
        inside: bool [M, B], the members of each subset.

    Returns:
        Correlation, float64 [B, U] (NaN where not scored, 0 where the prediction is constant), and pairs, int64 [B, U].
    """
    # A subset is a resample that draws its members once and the others never; in float64, to the last digits.
    weights, together = inside.astype(np.float64), np.zeros(len(inside), dtype=np.int64)
    complete = ~(np.isnan(predicted) | np.isnan(measured))
    n = np.rint(weights.T @ complete.T).astype(np.int64)
    value = spearman_resampled(predicted, measured, weights, together)
    value[n < LEAST] = np.nan
    # A measurement correlates with itself, unless it is constant.
    doubtful = (value == 0).any(axis=0)
    own = np.where(complete, measured, np.nan)[doubtful]
    constant = spearman_resampled(own, own, weights, together) == 0
    value[:, doubtful] = np.where(constant, np.nan, value[:, doubtful])
    return value, n


def _counted(value: Floats, n: Ints) -> tuple[int, float, int, int, float]:
    """What :func:`subsets` tells of one subset."""
    scored = ~np.isnan(value)
    value, n = value[scored], n[scored]
    if not len(value):
        return 0, float("nan"), 0, 0, float("nan")
    significant = significant_units(p_values(value, n - 2))
    return (
        len(value),
        float(value.mean()),
        int((significant & (value > 0)).sum()),
        int((significant & (value < 0)).sum()),
        float(np.median(interval_width(value, n))),
    )


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
    """Width of the 95 % interval of Spearman correlations, see ``correlation.fisher_interval``.

    Args:
        r: the correlations, between -1 and 1.
        n: numbers of people; with 3 or fewer the interval is -1 to 1.
    """
    lower, upper = fisher_interval(np.asarray(r, dtype=np.float64), np.atleast_1d(n), "spearman")
    return upper - lower
