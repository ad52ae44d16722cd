"""How far a faster precision is from float32, measured against the spread between haplotypes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: A gene is marked where the error of a faster precision is above this share of the spread.
LARGEST_ERROR = 0.05


class Agreement(NamedTuple):
    """A faster precision against float32 on the same haplotypes; NaN where nothing was compared.

    Attributes:
        error_over_spread: standard deviation of the differences over that of the float32 predictions. What all
            haplotypes are off by alike changes no correlation and is not counted.
        rank_agreement: Spearman correlation of the two.
    """

    error_over_spread: float = float("nan")
    rank_agreement: float = float("nan")


def agreement(fast: NDArray[np.float32], exact: NDArray[np.float32]) -> Agreement:
    """Compare predictions of the same haplotypes.

    Args:
        fast: float32 [N], in the faster precision.
        exact: float32 [N], in float32.

    Returns:
        NaN for fewer than two haplotypes, and where all float32 predictions are equal.
    """
    first, second = fast.astype(np.float64), exact.astype(np.float64)
    if len(second) < 2 or np.ptp(second) == 0:
        return Agreement()
    error = float(np.std(first - second) / np.std(second))
    # pandas, because SciPy is in none of the environments of networks.
    ranks = pd.DataFrame({"fast": first, "exact": second}).rank()
    agree = float(np.corrcoef(ranks["fast"], ranks["exact"])[0, 1]) if np.ptp(first) else 0.0
    return Agreement(error, agree)
