"""How additive a model is in the variants of a gene, and which few variants make its predictions differ.

A person's sum is that of effect x dosage / 2 over the variants: both haplotypes' sums of effects, averaged. Needs numpy
and pandas only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Share of the sum's variance that driver variants give together.
ENOUGH = 0.95
#: Of every variant that a gene's sum has: its share of the sum's variance, its rank among the drivers (NaN: none).
SHARE_COLUMNS = ("gene_id", "variant", "share", "driver")
DRIVER_COLUMNS = ("gene_id", "rank", "variant", "effect", "share", "cumulative")


class Additivity(NamedTuple):
    """Sums of single effects against whole predictions.

    Attributes:
        r2: of the line of identity: 1 - sum (whole - sum)² / sum (whole - mean whole)²; 1 if effects add up, negative
            where the sums are worse than the mean; NaN where the predictions do not differ.
        slope: of whole predictions on sums, by least squares; NaN where the sums do not differ.
        r: Pearson correlation; NaN where either does not differ.
    """

    r2: float
    slope: float
    r: float


def parts_of(effects: Floats, dosages: NDArray[np.floating[Any]]) -> Floats:
    """What each variant adds to each person's sum: effects [M], dosages [S, M] (copies of ALT) to float64 [S, M]."""
    return np.asarray(dosages, np.float64) * (np.asarray(effects, np.float64) / 2)


def compare(total: Floats, whole: Floats) -> Additivity:
    """Compare sums with whole predictions.

    Args:
        total: float64 [S], sums of single effects.
        whole: float64 [S], predictions minus the reference's, on the same scale.
    """
    t, w = total - total.mean(), whole - whole.mean()
    tt, ww, tw = float(t @ t), float(w @ w), float(t @ w)
    missed = float(((whole - total) ** 2).sum())
    return Additivity(
        1 - missed / ww if ww else np.nan,
        tw / tt if tt else np.nan,
        float(np.clip(tw / np.sqrt(tt * ww), -1, 1)) if tt and ww else np.nan,
    )


def shares(parts: Floats) -> Floats:
    """Each variant's share of the sum's variance: cov(part, total) / var(total), float64 [M].

    They add up to 1; a variant that is carried together with one of opposite effect may have a negative one.
    NaN where the sum does not differ between people.
    """
    total = parts.sum(axis=1)
    centred = total - total.mean()
    variance = float(centred @ centred)
    if not variance:
        return np.full(parts.shape[1], np.nan)
    return np.asarray((parts - parts.mean(axis=0)).T @ centred / variance)


def drivers(parts: Floats, enough: float = ENOUGH) -> tuple[list[int], list[float]]:
    """A small set of variants whose summed effects give most of the spread of the whole sum.

    Given is 1 - var(total - partial) / var(total), so that linkage counts: of variants carried together, one may stand
    for all, and two that cancel give nothing. Taken one by one, each time the variant that leaves the least variance;
    then those are left out again, the least needed first, without which the rest is enough. The smallest set there is
    may still be smaller: to find it for sure takes all subsets.

    Args:
        parts: float64 [S, M], see :func:`parts_of`.
        enough: share of the variance to reach, less than 1.

    Returns:
        Columns in the order in which they were taken, and the share given by each with those before it. Nothing where
        the sum does not differ between people.
    """
    centred = parts - parts.mean(axis=0)
    total = centred.sum(axis=1)
    variance = float(total @ total)
    own = (centred**2).sum(axis=0)
    if not variance:
        return [], []
    left, rest = np.ones(len(own), bool), total.copy()
    chosen: list[int] = []
    while float(rest @ rest) > (1 - enough) * variance and left.any():
        gain = np.where(left, 2 * (centred.T @ rest) - own, -np.inf)
        best = int(gain.argmax())
        chosen.append(best)
        left[best] = False
        rest = rest - centred[:, best]
    pruned = True
    while pruned and len(chosen) > 1:
        # Without one of them its part is back in the rest.
        without = np.array([float(((rest + centred[:, one]) ** 2).sum()) for one in chosen])
        least = int(without.argmin())
        pruned = without[least] <= (1 - enough) * variance
        if pruned:
            rest = rest + centred[:, chosen.pop(least)]
    given = [1 - float(((total - some) ** 2).sum()) / variance for some in np.cumsum(centred[:, chosen], axis=1).T]
    return chosen, given


def driver_table(gene_id: str, variants: Sequence[str], effects: Floats, parts: Floats) -> pd.DataFrame:
    """Driver variants of one gene: :data:`DRIVER_COLUMNS`, ``rank`` from 1; see :func:`shares`, :func:`drivers`."""
    chosen, given = drivers(parts)
    share = shares(parts)[chosen] if chosen else np.empty(0)
    return pd.DataFrame(
        {
            "gene_id": np.full(len(chosen), gene_id, object),
            "rank": np.arange(1, len(chosen) + 1),
            "variant": np.array([variants[column] for column in chosen], object),
            "effect": effects[chosen] if chosen else np.empty(0),
            "share": share,
            "cumulative": np.array(given),
        },
        columns=list(DRIVER_COLUMNS),
    )


def share_table(gene_id: str, variants: Sequence[str], parts: Floats, chosen: pd.DataFrame) -> pd.DataFrame:
    """:data:`SHARE_COLUMNS` of one gene's variants, in their order.

    Args:
        gene_id: the gene.
        variants: M names.
        parts: float64 [S, M], see :func:`parts_of`.
        chosen: the gene's :func:`driver_table`.
    """
    rank = dict(zip(chosen["variant"], chosen["rank"], strict=True))
    return pd.DataFrame(
        {
            "gene_id": np.full(len(variants), gene_id, object),
            "variant": np.array(list(variants), object),
            "share": shares(parts),
            "driver": np.array([rank.get(variant, np.nan) for variant in variants], np.float64),
        },
        columns=list(SHARE_COLUMNS),
    )
