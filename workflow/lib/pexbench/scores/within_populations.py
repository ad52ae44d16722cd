"""Within populations: does the model rank people of the same population as their measured expression does?

Populations differ in genotypes and, through batches and environments, in expression; a model can score across
individuals by telling populations apart. Here people are ranked (Spearman) or centred (Pearson) within their
population, and the pairs of all populations are pooled into one correlation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pexbench.errors import InputError, listing
from pexbench.scores import Block, ScoreInputs, correlation_metric
from pexbench.scores.across_individuals import individuals_block


def blocks(inputs: ScoreInputs) -> list[Block]:
    """One row per predicted gene, over people whose population is known; nothing without populations.

    Ranks are divided by the number of people of the population, so that each weighs as many as it has. p has
    n - 1 - k degrees of freedom for k populations; people are resampled and shuffled within populations.

    Raises:
        InputError: nobody who is scored has a population.
    """
    populations = inputs.populations()
    if not populations:
        return []
    everyone = set(inputs.personal["sample"]) & set(inputs.expression_individuals.columns)
    lacking = len(everyone - set(populations))
    if lacking == len(everyone):
        raise InputError(
            f"scores.population: none of the {len(everyone)} people predicted by {inputs.model} and measured "
            f"({listing(sorted(everyone), 3)}) has a value of {inputs.population!r}; complete the sample table."
        )
    block = individuals_block(inputs, list(populations))
    labels = sorted({populations[name] for name in block.members})
    note = f"{lacking} people without a population left out" if lacking else ""
    strata = np.array([labels.index(populations[name]) for name in block.members], dtype=np.int64)
    return [replace(block, strata=strata, note=note)]


METRIC = correlation_metric(
    name="within_populations",
    label="Correlation across individuals within populations, per gene",
    reference="10.1038/s41588-023-01574-w",
    blocks=blocks,
)
