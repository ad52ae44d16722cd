"""Across individuals: for each gene, does the model rank people as their measured expression does?"""

from __future__ import annotations

import numpy as np

from pexbench.scores import (
    Block,
    ScoreInputs,
    check_expression,
    correlation_metric,
    personal_matrix,
    shared_samples,
)


def blocks(inputs: ScoreInputs) -> list[Block]:
    """One row per predicted gene, over the people who were both predicted and measured.

    A gene that the expression matrix lacks keeps its row, without measurements, so that it is counted.
    """
    what = "expression for scores across individuals"
    predicted = personal_matrix(inputs)
    check_expression(inputs.expression_individuals, what)
    people = shared_samples(predicted, inputs.expression_individuals, inputs.model, what)
    measured = inputs.expression_individuals.reindex(index=predicted.index, columns=people)
    return [
        Block(
            axis="across_individuals",
            units=tuple(predicted.index),
            members=tuple(people),
            member_noun="people",
            predicted=predicted[people].to_numpy(dtype=np.float64),
            measured=measured.to_numpy(dtype=np.float64),
            absent="no expression in the matrix",
        )
    ]


METRIC = correlation_metric(
    name="across_individuals",
    label="Correlation across individuals, per gene",
    reference="10.1038/s41588-023-01574-w",
    blocks=blocks,
)
