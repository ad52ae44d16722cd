"""What Enformer's attention knows of a distance between two bins. Numpy and the standard library only.

Three families of features, each once for the distance and once times its sign:

- exponential: halves every h bins, h from 8 to the number of bins, evenly on a log scale;
- central mask: 1 within 2, 4, 8 ... bins (exclusive of the width less one), else 0;
- gamma: the density of gamma distributions with means spread over the sequence, each divided by its largest value
  over the distances that occur.

The density of the gamma features is the exponential of the difference of two numbers of several thousand. In float32,
as the original computes it, that costs up to 2.5e-3 in single entries, and which ones depends on the mathematical
library; see ``GAMMA``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: How the gamma features are computed. ``exact``: in float64, then rounded. ``float32``: rounded to float32 after
#: every step, each logarithm to the nearest. For 1,536 bins it differs from TensorFlow 2.21's table, whose logarithms
#: are at times one unit off, in 422 of 49,152 entries by 1e-6 to 2.0e-3, and by less in the others.
GAMMA = ("exact", "float32")
FAMILIES = 3
SHORTEST = 3.0  # log2 of the shortest half-life, in bins
FLOOR = 1e-8  # added to every density


def position_features(bins: int, count: int, gamma: str) -> NDArray[np.float32]:
    """Features of every distance between two bins.

    Args:
        bins: number of bins of the sequence, at least 2.
        count: number of features, a multiple of 6.
        gamma: one of ``GAMMA``.

    Returns:
        float32 [2 * bins - 1, count], the row of distance d (bin of the key minus bin of the query) at d + bins - 1.
    """
    each = count // (2 * FAMILIES)
    distance = np.arange(bins, dtype=np.float64)
    half_lives = 2.0 ** np.linspace(SHORTEST, math.log2(bins), each)
    widths = 2.0 ** np.arange(1, each + 1) - 1
    families = [
        np.exp(-math.log(2) * distance[:, None] / half_lives),
        widths > distance[:, None],
        gamma_features(bins, each, gamma),
    ]
    right = np.concatenate([np.asarray(family, np.float32) for family in families], axis=1)
    both = np.concatenate([right[:0:-1], right])
    sign = np.sign(np.arange(1 - bins, bins, dtype=np.float32))
    return np.concatenate([both, both * sign[:, None]], axis=1)


def gamma_features(bins: int, count: int, gamma: str = "exact") -> NDArray[Any]:
    """The gamma features of the distances 0 to bins - 1.

    Args:
        bins: number of bins of the sequence.
        count: number of gamma features.
        gamma: one of ``GAMMA``.

    Returns:
        [bins, count], float64 for ``exact``, float32 for ``float32``.
    """
    kind: Any = np.float64 if gamma == "exact" else np.float32

    def rounded(values: Any) -> NDArray[Any]:
        # Transcendental functions are computed in float64 whatever the table, so that no machine's float32 library
        # decides; the rounding follows.
        return np.asarray(values, kind)

    distance = np.arange(bins, dtype=kind)[:, None]
    mean = np.linspace(bins / count, bins, count).astype(kind)
    deviation = kind(bins / (2 * count))
    shape, rate = (mean / deviation) ** 2, mean / deviation**2
    with np.errstate(divide="ignore"):  # the log of distance 0
        log_distance = rounded(np.log(distance.astype(np.float64)))
    constant = rounded([math.lgamma(float(value)) for value in shape]) - shape * rounded(
        np.log(rate.astype(np.float64))
    )
    exponent = (shape - kind(1)) * log_distance - rate * distance - constant
    density = rounded(np.exp(exponent.astype(np.float64))) + kind(FLOOR)
    return np.asarray(density / density.max(axis=0), kind)
