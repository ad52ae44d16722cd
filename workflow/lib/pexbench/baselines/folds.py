"""Which people are held out together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pexbench.errors import InputError, listing


def outer_folds(samples: Sequence[str], n_folds: int, seed: int | str) -> NDArray[np.int64]:
    """Divide people into folds of equal size, by the digest of their names.

    A person's fold depends on the set of names and the seed, never on the order in a file, so that every
    gene, baseline and rerun holds out the same people.

    Args:
        samples: names of the people, each once, in any order.
        n_folds: number of folds, at least 2 and at most the number of people.
        seed: any number or text; another one gives another division.

    Returns:
        int64 [S], the fold 0 .. n_folds-1 of each person, in the order of ``samples``; fold sizes differ by at most 1.

    Raises:
        InputError: a name is repeated, or the number of folds does not fit the number of people.
    """
    if len(set(samples)) != len(samples):
        repeated = sorted({name for name in samples if samples.count(name) > 1})
        raise InputError(
            f"folds: sample {listing(repeated)} occurs more than once; each person is allowed once; "
            "remove the duplicates from the sample table."
        )
    if not 2 <= n_folds <= len(samples):
        raise InputError(
            f"folds: {n_folds} folds for {len(samples)} people; 2 folds up to one per person are allowed; "
            "change the number of folds or add people."
        )
    digests = [hashlib.sha256(f"{seed}\t{name}".encode()).digest() for name in samples]
    folds = np.empty(len(samples), dtype=np.int64)
    for rank, place in enumerate(sorted(range(len(samples)), key=digests.__getitem__)):
        folds[place] = rank % n_folds
    return folds


def mean_fold_correlation(
    prediction: NDArray[np.floating[Any]], expression: NDArray[np.floating[Any]], folds: NDArray[np.int64]
) -> float:
    """Mean over folds of the Pearson correlation of held-out predictions with expression within the fold.

    Within a fold the model is fixed by other people, so without heritability the expected value is zero. One
    correlation over all people is not free of bias: the models of different folds share most of their people.

    Args:
        prediction: [S], each person's held-out prediction.
        expression: [S], any unit.
        folds: int64 [S], the fold of each person.

    Returns:
        A value from -1 to 1. A fold with constant prediction or expression counts as 0; leaving it out would favour
        genes whose models agree.
    """
    values = []
    for fold in np.unique(folds):
        x, y = (np.asarray(a, dtype=np.float64)[folds == fold] for a in (prediction, expression))
        varies = np.ptp(x) > 0 and np.ptp(y) > 0
        values.append(float(np.corrcoef(x, y)[0, 1]) if varies else 0.0)
    return float(np.mean(values))
