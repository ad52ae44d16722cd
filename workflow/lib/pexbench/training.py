"""Training of models that learn from the run's own reference, across genes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pexbench.errors import InputError
from pexbench.files import published
from pexbench.genes import Gene
from pexbench.haplotypes import encode
from pexbench.models import load_training
from pexbench.models.card import Card
from pexbench.reference import Reference
from pexbench.windows import window_of

FEWEST_GENES = 20


def training_target(levels: pd.DataFrame, genes: Sequence[str], samples: Sequence[str]) -> pd.Series[float]:
    """Median expression over the run's people, of the genes that have it.

    Args:
        levels: genes x people, any unit that is comparable between genes.
        genes: ids wanted.
        samples: the run's people; those without a column are left out.

    Returns:
        float64 by gene id, in the unit of ``levels``; how to transform it is the model's choice.
    """
    here = [name for name in samples if name in levels.columns]
    known = levels.loc[[gene for gene in genes if gene in levels.index], here]
    values = np.median(known.to_numpy(np.float64), axis=1)
    usable = np.isfinite(values)
    return pd.Series(values[usable], index=known.index[usable])


def train_model(
    card: Card,
    genes: dict[str, Gene],
    reference: Reference,
    levels: pd.DataFrame,
    samples: Sequence[str],
    seed: int,
    options: Mapping[str, object],
    output: str | Path,
) -> None:
    """Train a model on reference sequences across genes and write its arrays.

    Args:
        card: a model with ``trained: true``.
        genes: genes of the run.
        reference: reference sequence.
        levels: expression, genes x people.
        samples: the run's people.
        seed: for folds.
        options: settings of the card's options.
        output: ``.npz`` without pickled objects.

    Raises:
        InputError: too few genes have expression.
    """
    target = training_target(levels, list(genes), samples)
    if len(target) < FEWEST_GENES:
        raise InputError(
            f"training of {card.name}: {len(target)} genes have sequence and expression, at least {FEWEST_GENES} are "
            "needed; use more genes or leave the model out of the configuration."
        )
    windows = {gene_id: window_of(genes[gene_id], card.window_rule()) for gene_id in target.index}
    codes = np.concatenate(
        [
            encode(np.frombuffer(reference.fetch(w.contig, w.start, w.end), dtype=np.uint8)[None, :], w.reverse)
            for w in windows.values()
        ]
    )
    places = [(w.contig, w.start, w.end) for w in windows.values()]
    arrays = load_training(card)(codes, list(target.index), places, target.to_numpy(), seed, **card.settings(options))
    with published(output) as aside, open(aside, "wb") as handle:
        np.savez(handle, **arrays)
