"""Across genes, against the median: each person's predictions against the cohort's median expression.

Beside ``across_genes`` it tells how much of a person's score is that person's own: the reference genome is scored
against the same median.
"""

from __future__ import annotations

from pexbench.scores import Block, ScoreInputs, check_expression, correlation_metric
from pexbench.scores.across_genes import WHAT, personal_block


def blocks(inputs: ScoreInputs) -> list[Block]:
    """One row per person, over genes."""
    if not inputs.comparable_between_genes:
        return []
    check_expression(inputs.expression_genes, WHAT)
    return [personal_block(inputs, against_median=True)]


METRIC = correlation_metric(
    name="across_genes_median",
    label="Correlation across genes: each person against the cohort's median",
    reference="10.1038/s41588-023-01574-w",
    blocks=blocks,
)
