"""Across individuals: for each gene, does the model rank people as their measured expression does?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.scores import (
    Block,
    Floats,
    ScoreInputs,
    check_expression,
    correlation_metric,
    personal_matrix,
    shared_samples,
)

WHAT = "expression for scores across individuals"


def floored(predicted: pd.DataFrame, numerical_error: float, logs: bool) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Predictions whose spread is above the numerical error; the others are made constant, for they rank nobody.

    Args:
        predicted: genes x people, NaN where not predicted.
        numerical_error: relative to the gene's largest absolute prediction; 0: off.
        logs: predictions are logs, whose error is the relative error of what they are logs of, whatever their size.

    Returns:
        float64 [genes, people] and bool [genes]: which rows vary, but by a standard deviation below the error.
    """
    values = predicted.to_numpy(dtype=np.float64, copy=True)
    complete = ~np.isnan(values)
    n = np.maximum(complete.sum(axis=1), 1)
    first = np.where(complete.any(axis=1), values[np.arange(len(values)), complete.argmax(axis=1)], 0)[:, None]
    shifted = np.where(complete, values - first, 0)
    mean = shifted.sum(axis=1) / n
    spread = np.sqrt((np.where(complete, shifted - mean[:, None], 0) ** 2).sum(axis=1) / n)
    size = 1.0 if logs else np.abs(np.where(complete, values, 0)).max(axis=1, initial=0)
    below = (spread > 0) & (spread < numerical_error * size)
    values[below] = np.where(complete[below], first[below], np.nan)
    return values, below


def individuals_block(inputs: ScoreInputs, people: Sequence[str] | None = None) -> Block:
    """One row per predicted gene, over the people who were both predicted and measured.

    A gene that the expression matrix lacks keeps its row, without measurements, so that it is counted.

    Args:
        inputs: predictions and measurements.
        people: use only these.
    """
    predicted = personal_matrix(inputs)
    check_expression(inputs.expression_individuals, WHAT)
    shared = shared_samples(predicted, inputs.expression_individuals, inputs.model, WHAT)
    chosen = shared if people is None else sorted(set(shared) & set(people))
    measured = inputs.expression_individuals.reindex(index=predicted.index, columns=chosen)
    values, below = floored(predicted[chosen], inputs.numerical_error, inputs.logs)
    return Block(
        axis="across_individuals",
        units=tuple(predicted.index),
        members=tuple(chosen),
        member_noun="people",
        predicted=values,
        measured=measured.to_numpy(dtype=np.float64),
        absent="no expression in the matrix",
        below_floor=below,
    )


def blocks(inputs: ScoreInputs) -> list[Block]:
    """One row per predicted gene."""
    return [individuals_block(inputs)]


METRIC = correlation_metric(
    name="across_individuals",
    label="Correlation across individuals, per gene",
    reference="10.1038/s41588-023-01574-w",
    blocks=blocks,
)
