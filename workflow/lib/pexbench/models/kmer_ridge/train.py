"""Training the k-mer ridge model: cross-fitted over genes, the penalty chosen inside each training set."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from pexbench.errors import InputError, listing
from pexbench.models.kmer_ridge.adapter import FORMAT, features

#: Penalties tried, as multiples of the mean squared length of the centred features.
PENALTIES = 10.0 ** np.arange(-3.0, 3.25, 0.5)
LARGEST_K = 8

Float64 = NDArray[np.float64]
Position = tuple[str, int, int]


def train(
    codes: NDArray[np.uint8],
    gene_ids: Sequence[str],
    positions: Sequence[Position],
    target: Float64,
    seed: int,
    *,
    k: int = 6,
    folds: int = 5,
) -> dict[str, NDArray[np.generic]]:
    """Learn the coefficients of every fold.

    Args:
        codes: uint8 [G, L], each gene's reference sequence in gene direction; 0..3 = A, C, G, T, 4 = anything else.
        gene_ids: [G] unique ids; the order of the genes has no influence on the result.
        positions: [G] contig, start, end of each gene's window, 0-based half-open.
        target: float64 [G], median expression over people, in any unit: only ranks are used.
        seed: decides which genes share a fold.
        k: k-mer length in bp, 1 to 8.
        folds: number of folds, at least 2; fewer are made where there are fewer groups of overlapping windows.

    Returns:
        Arrays to be saved as ``.npz``: ``format``, ``k``, ``gene_id`` [G], ``fold`` [G] (the one the gene is held out
        of), ``coefficient`` float64 [folds, F] per log(1 + count), ``intercept`` float64 [folds], ``penalty`` float64
        [folds]. Features are centred in training; that is folded into the intercept.

    Raises:
        InputError: shapes that do not belong together, a repeated gene, a target that is not finite or the same for
            all genes, an option out of range, or fewer than two groups of genes.
    """
    _check(codes, gene_ids, positions, target, k, folds)
    order = sorted(range(len(gene_ids)), key=lambda i: gene_ids[i])
    names = [gene_ids[i] for i in order]
    X, y = features(codes[order], k), np.asarray(target, np.float64)[order]
    group = overlap_groups(names, [positions[i] for i in order])
    fold = assign_folds(group, folds, seed)
    fits = [
        fit_ridge(X[fold != held], rank_normal(y[fold != held]), group[fold != held]) for held in range(fold.max() + 1)
    ]
    return {
        "format": np.array(FORMAT),
        "k": np.array(k, np.int64),
        "gene_id": np.array(names),
        "fold": fold,
        "coefficient": np.stack([fit.coefficient for fit in fits]),
        "intercept": np.array([fit.intercept for fit in fits]),
        "penalty": np.array([fit.penalty for fit in fits]),
    }


def overlap_groups(names: Sequence[str], positions: Sequence[Position]) -> NDArray[np.str_]:
    """Put genes with overlapping windows together, directly or through others.

    Args:
        names: gene ids.
        positions: contig, start, end of each window, 0-based half-open.

    Returns:
        str [G]: each gene's group, called after the first of its gene ids in alphabetical order.
    """
    by_place = sorted(range(len(names)), key=lambda i: (positions[i], names[i]))
    members: list[list[int]] = []
    contig, reach = "", 0
    for i in by_place:
        if members and positions[i][0] == contig and positions[i][1] < reach:
            members[-1].append(i)
            reach = max(reach, positions[i][2])
        else:
            members.append([i])
            contig, reach = positions[i][0], positions[i][2]
    named = {i: min(names[j] for j in group) for group in members for i in group}
    return np.array([named[i] for i in range(len(names))])


def assign_folds(group: NDArray[np.str_], folds: int, seed: int) -> NDArray[np.int64]:
    """Deal whole groups to folds of about equal size.

    Args:
        group: str [G], each gene's group.
        folds: number of folds; no more than there are groups are made.
        seed: decides, with the groups' names, who goes where.

    Returns:
        int64 [G], each gene's fold.
    """
    names, sizes = np.unique(group, return_counts=True)
    keys = [
        (-int(size), hashlib.sha256(f"{seed}:{name}".encode()).hexdigest())
        for name, size in zip(names, sizes, strict=True)
    ]
    filled, where = [0] * min(folds, len(names)), {}
    for i in sorted(range(len(names)), key=lambda i: keys[i]):
        smallest = filled.index(min(filled))
        where[str(names[i])] = smallest
        filled[smallest] += int(sizes[i])
    return np.array([where[str(name)] for name in group], np.int64)


def rank_normal(values: Float64) -> Float64:
    """Standard normal quantiles of the values' ranks; equal values share their mean rank."""
    return np.asarray(norm.ppf((rankdata(values) - 0.5) / len(values)), np.float64)


@dataclass(frozen=True)
class Fit:
    """A fitted ridge regression: ``y = X @ coefficient + intercept``, and the penalty it was fitted with."""

    coefficient: Float64
    intercept: float
    penalty: float


def fit_ridge(X: Float64, y: Float64, group: NDArray[np.str_], penalties: Float64 = PENALTIES) -> Fit:
    """Ridge regression with the penalty of the smallest leave-one-group-out squared error.

    With ``H`` the matrix that turns y into fitted values, the residuals of a group predicted without it are
    ``(1 - H_gg)^-1 (y - H y)_g``: exact, from one eigendecomposition for all penalties and groups.

    Args:
        X: float64 [G, F].
        y: float64 [G].
        group: str [G]; genes of one group are left out together.
        penalties: multiples of the mean squared length of the centred rows of ``X``.

    Returns:
        The fit; the intercept is not penalised. Of equal errors the larger penalty wins.
    """
    centre, mean = X.mean(axis=0), float(y.mean())
    Xc, yc = X - centre, y - mean
    values, Q = np.linalg.eigh(Xc @ Xc.T)
    values = np.maximum(values, 0)
    unit = float(values.mean()) or 1.0
    blocks = [np.flatnonzero(group == name) for name in np.unique(group)]
    z = Q.T @ yc
    best = (np.inf, 0.0)
    for penalty in sorted((float(p) * unit for p in penalties), reverse=True):
        shrink = values / (values + penalty)
        residual = yc - Q @ (shrink * z)
        error = 0.0
        for block in blocks if len(blocks) > 1 else []:
            H = (Q[block] * shrink) @ Q[block].T + 1 / len(y)
            left_out = np.linalg.solve(np.eye(len(block)) - H, residual[block])
            error += float(left_out @ left_out)
        best = min(best, (error, penalty), key=lambda pair: pair[0])
    penalty = best[1]
    coefficient = Xc.T @ (Q @ (z / (values + penalty)))
    return Fit(coefficient, mean - float(centre @ coefficient), penalty)


def _check(
    codes: NDArray[np.uint8],
    gene_ids: Sequence[str],
    positions: Sequence[Position],
    target: Float64,
    k: int,
    folds: int,
) -> None:
    """Refuse what cannot be trained on."""
    model = "model kmer_ridge"
    counts = {"codes": len(codes), "gene_ids": len(gene_ids), "positions": len(positions), "target": len(target)}
    if len(set(counts.values())) > 1:
        raise InputError(
            f"{model}: training data of different lengths {counts}; one entry per gene is allowed; mend it."
        )
    if not 1 <= k <= LARGEST_K:
        raise InputError(f"{model}: option k is {k}; 1 to {LARGEST_K} is allowed; correct the configuration.")
    if folds < 2:
        raise InputError(f"{model}: option folds is {folds}; at least 2 is allowed; correct the configuration.")
    repeated = sorted(name for name, count in Counter(gene_ids).items() if count > 1)
    if repeated:
        raise InputError(f"{model}: gene {listing(repeated)} occurs more than once; each gene needs one row; mend it.")
    wrong = [name for name, value in zip(gene_ids, target, strict=True) if not np.isfinite(value)]
    if wrong:
        raise InputError(
            f"{model}: median expression of gene {listing(wrong)} is no finite number; every gene needs one; "
            "remove these genes or mend the expression table."
        )
    groups = len(np.unique(overlap_groups(gene_ids, positions))) if len(gene_ids) else 0
    if groups < 2 or len(np.unique(target)) < 2:
        raise InputError(
            f"{model}: {len(gene_ids)} gene(s) in {groups} group(s) of overlapping windows with "
            f"{len(np.unique(target))} distinct median(s) found; at least 2 groups and 2 distinct medians are needed "
            "to train; use more genes or leave the model out."
        )
