"""Covariates: columns of facts about people as numbers, and regressing them out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pexbench.errors import InputError, listing

LOG = logging.getLogger(__name__)
Floats = NDArray[np.float64]
#: A column that the others explain up to this share of its own length adds nothing.
EXPLAINED = 1e-8


@dataclass(frozen=True)
class Covariates:
    """Covariates of the run's people as numbers.

    Attributes:
        names: K columns; an indicator is called ``column=value``.
        values: float64 [S, K], each column with mean 0 and standard deviation 1 over these people; linearly
            independent of each other and of the intercept.
        left_out: why a column was left out, by name.
    """

    names: tuple[str, ...]
    values: Floats
    left_out: dict[str, str]


def covariate_matrix(facts: pd.DataFrame, columns: Sequence[str]) -> Covariates:
    """Turn columns of facts into independent columns of numbers.

    A column whose every value is a number is used as it is (a batch that is numbered needs names, such as ``b1``);
    any other becomes one indicator for each value but the first in alphabetical order.

    Args:
        facts: text, one row per person; nothing missing in ``columns``.
        columns: which, in order; of columns that depend on each other the earlier ones stay.

    Raises:
        InputError: a column is not there or has gaps, a number is not finite, or people are too few.
    """
    absent = [name for name in columns if name not in facts.columns]
    if absent:
        raise InputError(
            f"covariates: column {listing(absent)} (scores.covariates) not found; the tables of people (inputs.people, "
            f"inputs.samples) have {listing(facts.columns, 20) or 'no columns'}; correct the name or add a table that has "
            "the column."
        )
    parts: dict[str, Floats] = {}
    for name in columns:
        parts |= _numbers(facts[name].astype(str), name)
    people = len(facts)
    basis = np.full((people, 1), 1 / np.sqrt(max(people, 1)))
    kept: dict[str, Floats] = {}
    left_out: dict[str, str] = {}
    for name, values in parts.items():
        if np.ptp(values) == 0:
            left_out[name] = "the same for everyone"
            continue
        scaled = (values - values.mean()) / values.std()
        # Twice: one pass loses the last digits where columns are nearly dependent.
        rest = scaled - basis @ (basis.T @ scaled)
        rest -= basis @ (basis.T @ rest)
        if np.linalg.norm(rest) <= EXPLAINED * np.linalg.norm(scaled):
            left_out[name] = f"a linear combination of {listing(kept, 10)}"
            continue
        kept[name] = scaled
        basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    for name, reason in left_out.items():
        LOG.warning("covariate %s is left out: %s", name, reason)
    if kept and people < len(kept) + 3:
        raise InputError(
            f"covariates: {len(kept)} columns ({listing(kept)}) for {people} people; at least {len(kept) + 3} people are "
            "needed; use fewer covariates."
        )
    matrix = np.column_stack(list(kept.values())) if kept else np.empty((people, 0))
    return Covariates(tuple(kept), matrix, left_out)


def _numbers(texts: pd.Series[str], name: str) -> dict[str, Floats]:
    """One column of facts as columns of numbers, by name."""
    gaps = list(texts.index[texts == ""])
    if gaps:
        raise InputError(
            f"covariates: {name} has no value for {len(gaps)} of {len(texts)} people ({listing(gaps)}); each person needs "
            "one; complete the table, leave these people out (inputs.samples), or take the column out of "
            "scores.covariates."
        )
    try:
        values = texts.to_numpy().astype(np.float64)
    except ValueError:
        levels = sorted(set(texts))
        if len(levels) > len(texts) / 2:
            raise InputError(
                f"covariates: {name} is text with {len(levels)} different values in {len(texts)} people "
                f"({listing(levels)}); groups of people or numbers are allowed; choose another column."
            ) from None
        if len(levels) == 1:
            return {name: np.zeros(len(texts))}
        return {f"{name}={level}": (texts == level).to_numpy(np.float64) for level in levels[1:]}
    if not np.isfinite(values).all():
        raise InputError(f"covariates: {name} has a value that is no finite number; correct the table of people.")
    return {name: values}


def adjusted(y: Floats, covariates: Floats, train: NDArray[np.bool_] | None = None) -> Floats:
    """Take out of ``y`` what covariates explain, with coefficients of some people applied to all.

    Args:
        y: float64 [S], any unit.
        covariates: float64 [S, K]; K may be 0, then ``y`` comes back as it is.
        train: bool [S], the people whose values give the coefficients; default everyone. Columns that are constant
            or dependent among them get the coefficients of least norm.

    Returns:
        float64 [S]: ``y - (covariates - their mean in training) @ coefficients``, so that the training mean stays.
    """
    if covariates.shape[1] == 0:
        return y
    chosen = np.ones(len(y), dtype=bool) if train is None else train
    centre = covariates[chosen].mean(axis=0)
    c, t = covariates - centre, y[chosen] - y[chosen].mean()
    coefficients = np.linalg.lstsq(c[chosen], t, rcond=None)[0]
    result = y - c @ coefficients
    if np.linalg.norm(t - c[chosen] @ coefficients) <= EXPLAINED * np.linalg.norm(t):
        # Nothing is left but rounding, which must not be taken for expression.
        result[chosen] = y[chosen].mean()
    return np.asarray(result)


def without(values: Floats, covariates: Floats) -> Floats:
    """Residuals on an intercept and covariates (Frisch-Waugh-Lovell: their regression is the joint one's).

    Args:
        values: float64 [S] or [S, M].
        covariates: float64 [S, K].

    Returns:
        The same shape. A column that the covariates explain but for rounding is exactly 0.
    """
    centred = _centred(values)
    if covariates.shape[1] == 0:
        return centred
    basis = orthonormal(covariates)
    rest = centred - basis @ (basis.T @ centred)
    rest -= basis @ (basis.T @ rest)
    nothing = np.linalg.norm(rest, axis=0) <= EXPLAINED * np.linalg.norm(centred, axis=0)
    return np.where(nothing, 0.0, rest)


def _centred(values: Floats) -> Floats:
    """Columns of mean 0; those that are constant exactly 0, not what rounding of their mean leaves."""
    return np.where(np.ptp(values, axis=0) == 0, 0.0, values - values.mean(axis=0))


def orthonormal(covariates: Floats) -> Floats:
    """float64 [S, K'], an orthonormal basis of the covariates' centred columns; K' is their rank."""
    u, s, _ = np.linalg.svd(_centred(covariates), full_matrices=False)
    return np.asarray(u[:, s > EXPLAINED * (s[0] if len(s) else 0.0)])
