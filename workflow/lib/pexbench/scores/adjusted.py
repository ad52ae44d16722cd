"""Adjusted: the correlation across individuals after covariates were regressed out of expression.

Sex, batch, principal components of genotypes or PEER factors explain expression without any help of the sequence
around a gene. Each gene's expression is regressed on an intercept and the covariates over its measured people, and
the residuals take its place; the prediction stays as it is. Its p has n - 2 - k degrees of freedom for k covariates
and is conservative where the prediction itself follows them. Resamples and shuffles keep the residuals.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pexbench.covariates import covariate_matrix, orthonormal, without
from pexbench.errors import InputError, listing
from pexbench.scores import Block, Floats, ScoreInputs, correlation_metric
from pexbench.scores.across_individuals import individuals_block


def blocks(inputs: ScoreInputs) -> list[Block]:
    """One row per predicted gene; nothing without covariates.

    Raises:
        InputError: a covariate is not there or has gaps, or a person has no facts.
    """
    if not inputs.covariates:
        return []
    block = individuals_block(inputs)
    facts = inputs.people
    absent = list(block.members) if facts is None else [name for name in block.members if name not in facts.index]
    if facts is None or absent:
        raise InputError(
            f"scores.covariates: no facts about {listing(absent)}; everyone scored needs a value of every covariate; "
            "complete the table of people, or set 'covariates: []'."
        )
    covariates = covariate_matrix(facts.loc[list(block.members)], inputs.covariates)
    measured, lost = residuals(block.measured, covariates.values)
    note = f"expression less {listing(covariates.names, 4)}" if covariates.names else "no covariate varies"
    return [replace(block, measured=measured, freedom_lost=lost, note=note)]


def residuals(measured: Floats, covariates: Floats) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Residuals of each row on an intercept and covariates, over the people it has.

    Args:
        measured: float64 [U, M], NaN where not measured.
        covariates: float64 [M, K].

    Returns:
        float64 [U, M], NaN where ``measured`` is, and int64 [U], the rank of the covariates among those people.
    """
    result = np.full(measured.shape, np.nan)
    rank = np.zeros(len(measured), dtype=np.int64)
    present = ~np.isnan(measured)
    patterns, which = np.unique(present, axis=0, return_inverse=True)
    for number, keep in enumerate(patterns):
        rows = np.flatnonzero(which.ravel() == number)
        if not keep.any():
            continue
        result[np.ix_(rows, keep)] = without(measured[np.ix_(rows, keep)].T, covariates[keep]).T
        rank[rows] = orthonormal(covariates[keep]).shape[1] if covariates.shape[1] else 0
    return result, rank


METRIC = correlation_metric(
    name="adjusted",
    label="Correlation across individuals, covariates regressed out of expression, per gene",
    reference="10.1038/nprot.2011.457",
    blocks=blocks,
)
