"""Predictions as files: tidy, named, float32."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.errors import InputError, listing
from pexbench.files import read_table

Float32 = npt.NDArray[np.float32]
REFERENCE_COLUMNS = (
    "gene_id",
    "prediction",
    "n_share",
    "genotyped_share",
    "n_variants",
    "n_distinct",
    "error_over_spread",  # of a precision faster than float32; see precision.Agreement
    "rank_agreement",
)


def haplotype_table(gene_id: str, samples: Sequence[str], values: Float32) -> pd.DataFrame:
    """Predictions of one gene as a tidy table.

    Args:
        gene_id: the gene.
        samples: names, in the order of ``values``.
        values: float32 [S, 2], the model's prediction for each person's haplotypes 1 and 2.

    Returns:
        Columns ``gene_id``, ``sample``, ``haplotype_1``, ``haplotype_2``.
    """
    return pd.DataFrame(
        {"gene_id": gene_id, "sample": list(samples), "haplotype_1": values[:, 0], "haplotype_2": values[:, 1]}
    )


def combine_haplotypes(table: pd.DataFrame, how: str, model: str) -> Float32:
    """A person's prediction from those of the two haplotypes.

    Args:
        table: columns ``haplotype_1`` and ``haplotype_2``, float32.
        how: ``mean``, or ``mean_of_logs`` (natural log; for models whose output is a positive amount).
        model: named in errors.

    Returns:
        float32, one per row. Computed symmetrically: exchanging the haplotypes changes no bit.

    Raises:
        InputError: logs are asked for and a prediction is not positive.
    """
    first, second = (table[f"haplotype_{number}"].to_numpy(np.float64) for number in (1, 2))
    if how == "mean_of_logs":
        lowest = min(first.min(initial=np.inf), second.min(initial=np.inf))
        if lowest <= 0:
            raise InputError(
                f"model {model}: combine_haplotypes is 'mean_of_logs' and a prediction is {lowest:g}; logs need positive "
                "predictions; use 'mean' (models that already predict logs need it)."
            )
        first, second = np.log(first), np.log(second)
    combined: Float32 = ((first + second) / 2).astype(np.float32)
    return combined


def gather(shards: Sequence[str | Path], how: str, model: str) -> pd.DataFrame:
    """Put the shards of one model together.

    Args:
        shards: Parquet files with ``gene_id``, ``sample`` and either ``prediction`` or two haplotypes.
        how: see :func:`combine_haplotypes`.
        model: named in errors.

    Returns:
        Columns ``gene_id``, ``sample``, ``prediction`` (float32), and the haplotypes where there are any.

    Raises:
        InputError: a gene and person occur twice, or a prediction is not finite.
    """
    table = pd.concat([pd.read_parquet(path) for path in shards], ignore_index=True)
    if "prediction" not in table:
        table.insert(2, "prediction", combine_haplotypes(table, how, model))
    twice = table.duplicated(["gene_id", "sample"])
    if twice.any():
        raise InputError(
            f"model {model}: gene {listing(table['gene_id'][twice].unique())} is predicted twice for a person; a shard "
            "was computed for another gene table; delete results of this model and run again."
        )
    wrong = table["gene_id"][~np.isfinite(table["prediction"])].unique()
    if len(wrong):
        raise InputError(
            f"model {model}: predictions of gene {listing(wrong)} are not finite; a number is needed for everyone; "
            "look at the model's output for these genes."
        )
    return table


def gather_reference(shards: Sequence[str | Path]) -> pd.DataFrame:
    """Put the reference predictions of one model together; float32 values are kept as they were written."""
    return pd.concat([read_reference(path) for path in shards], ignore_index=True)


def read_reference(path: str | Path) -> pd.DataFrame:
    """Read a reference prediction table (``gene_id``, ``prediction`` float32, and how much of the window is known)."""
    return read_table(
        path,
        prediction="float32",
        n_share="float64",
        genotyped_share="float64",
        n_variants=int,
        n_distinct=int,
        error_over_spread="float64",
        rank_agreement="float64",
    )


def shuffled(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Control: every person gets the prediction made from another person's haplotypes, the same other for all genes.

    Args:
        table: gathered predictions.
        seed: with the names alone it decides who gets whose.

    Returns:
        The table with ``prediction`` exchanged between people and without haplotype columns.
    """
    people = sorted(table["sample"].unique())
    order = np.random.default_rng(seed).permutation(len(people))
    # A cycle through the permuted people: nobody keeps their own.
    donor = {people[order[i]]: people[order[i - 1]] for i in range(len(people))}
    values = table.set_index(["gene_id", "sample"])["prediction"]
    keys = pd.MultiIndex.from_arrays([table["gene_id"], table["sample"].map(donor)])
    result = table[["gene_id", "sample"]].copy()
    result["prediction"] = values.reindex(keys).to_numpy(np.float32)
    if result["prediction"].isna().any():
        raise InputError("control shuffled: a model did not predict every person for every gene; all are needed.")
    return result


def reference_only(table: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Control: every person gets the reference sequence's prediction."""
    values = reference.set_index("gene_id")["prediction"]
    result = table[["gene_id", "sample"]].copy()
    result["prediction"] = values.reindex(table["gene_id"]).to_numpy(np.float32)
    return result
