"""Across genes: does the model rank genes by their expression, from the reference and from each person's genome?

Pearson is computed on log2(max(expression, 0) + 0.01), because on the linear scale a handful of highly expressed
genes decide it; the prediction stays on the model's own scale. Spearman uses the expression as it is.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pexbench.scores import (
    Block,
    Floats,
    ScoreInputs,
    check_expression,
    correlation_metric,
    personal_matrix,
    reference_series,
    shared_samples,
)

WHAT = "expression for scores across genes"
#: Added before the logarithm, in the expression's unit (RPKM).
PSEUDOCOUNT = 0.01


def logged(expression: Floats, inputs: ScoreInputs) -> Floats:
    """Expression on the scale for Pearson: log2(max(x, 0) + 0.01), or as it is where it is logged already."""
    if inputs.expression_genes_logged:
        return expression
    return np.asarray(np.log2(np.maximum(expression, 0) + PSEUDOCOUNT), dtype=np.float64)


def median_expression(inputs: ScoreInputs, genes: pd.Index[str]) -> pd.Series[float]:
    """Median over all measured people, of some genes; NaN for a gene measured in nobody."""
    return inputs.expression_genes.reindex(genes).median(axis=1, skipna=True)


def left_out(predicted: pd.Index[str], inputs: ScoreInputs) -> str:
    """How many predicted genes the matrix lacks, as a note."""
    absent = int((~predicted.isin(inputs.expression_genes.index)).sum())
    return f"{absent} of {len(predicted)} predicted genes not in the expression matrix" if absent else ""


def reference_blocks(inputs: ScoreInputs) -> list[Block]:
    """One row, over genes: the reference prediction against the median; no block without a reference prediction."""
    reference = reference_series(inputs)
    if reference is None:
        return []
    genes = reference.index[reference.index.isin(inputs.expression_genes.index)]
    median = median_expression(inputs, genes).to_numpy(dtype=np.float64)[None, :]
    return [
        Block(
            axis="across_genes_reference",
            units=("reference",),
            members=tuple(genes),
            member_noun="genes",
            predicted=reference[genes].to_numpy(dtype=np.float64)[None, :],
            measured=median,
            measured_for_pearson=logged(median, inputs),
            absent="no predicted gene is measured",
            note=left_out(reference.index, inputs),
        )
    ]


def personal_block(inputs: ScoreInputs, against_median: bool) -> Block:
    """One row per person, over genes.

    Args:
        inputs: predictions and measurements.
        against_median: compare with the cohort's median instead of the person's own expression.
    """
    predicted = personal_matrix(inputs)
    people = shared_samples(predicted, inputs.expression_genes, inputs.model, WHAT)
    genes = predicted.index[predicted.index.isin(inputs.expression_genes.index)]
    if against_median:
        median = median_expression(inputs, genes).to_numpy(dtype=np.float64)
        measured = np.tile(median, (len(people), 1))
    else:
        measured = inputs.expression_genes.loc[genes, people].to_numpy(dtype=np.float64).T
    return Block(
        axis="across_genes_personal",
        units=tuple(people),
        members=tuple(genes),
        member_noun="genes",
        predicted=predicted.loc[genes, people].to_numpy(dtype=np.float64).T,
        measured=measured,
        measured_for_pearson=logged(measured, inputs),
        absent="no predicted gene is measured",
        note=left_out(predicted.index, inputs),
    )


def blocks(inputs: ScoreInputs) -> list[Block]:
    """Reference against the cohort's median, and each person's prediction against that person's expression."""
    if not inputs.comparable_between_genes:
        return []
    check_expression(inputs.expression_genes, WHAT)
    return [*reference_blocks(inputs), personal_block(inputs, against_median=False)]


METRIC = correlation_metric(
    name="across_genes",
    label="Correlation across genes: reference against the median, each person against own expression",
    reference="10.1038/s41588-023-01574-w",
    blocks=blocks,
)
