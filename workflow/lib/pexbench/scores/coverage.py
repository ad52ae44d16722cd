"""Coverage: how many people, genes and variants were asked for, used, and left out, and why, down to each model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pexbench.scores.correlation import CONSTANT_PREDICTION

#: Columns of ``coverage.tsv``. ``kind``: people, genes, variants, or what else was left out. ``stage``: asked, dropped, used
#: (of the run, ``model`` empty); predicted, not predicted, scored, scored as 0, not scored (of a model, across
#: individuals), left out (of a table of predictions). ``reason`` is empty where none is needed.
COLUMNS = ("kind", "stage", "model", "count", "reason")
TYPES: dict[str, Any] = {"count": "int64"}
KINDS = {"sample": "people", "gene": "genes"}


def coverage(
    counts: Mapping[str, Any],
    dropped: pd.DataFrame,
    genes: pd.DataFrame,
    scores: pd.DataFrame,
    imports: Mapping[str, Mapping[str, Any]],
) -> pd.DataFrame:
    """Count what was used and what was not.

    Args:
        counts: ``inputs.json`` of ``check_inputs``.
        dropped: ``dropped.tsv``: kind, id, count, reason.
        genes: ``genes.tsv``, with the column ``personal``.
        scores: long tables of all models, one below the other.
        imports: by model, the report of a table of predictions (``left_out_by_reason``: number by kind and reason).

    Returns:
        Table with the columns :data:`COLUMNS`.
    """
    rows: list[tuple[object, ...]] = []
    for kind, key in (("people", "people_asked"), ("genes", "genes_asked")):
        if counts.get(key) is not None:
            rows.append((kind, "asked", "", counts[key], ""))
    for kind, key in (("people", "people_genotyped"), ("people", "people_with_expression")):
        if counts.get(key) is not None:
            rows.append((kind, "asked", "", counts[key], key.removeprefix("people_").replace("_", " ")))
    lost = dropped.assign(reason=[_reason(*row) for row in dropped[["kind", "id", "reason"]].itertuples(index=False)])
    for (what, why), group in lost.groupby(["kind", "reason"], sort=True):
        rows.append((KINDS.get(str(what), what), "dropped", "", int(group["count"].sum()), why))
    for kind, key, why in (
        ("people", "people", ""),
        ("genes", "genes", ""),
        ("genes", "genes_personal", "genotypes around the TSS"),
        ("genes", "genes_with_expression_across_individuals", "expression across individuals"),
        ("genes", "genes_with_expression_across_genes", "expression across genes"),
        ("variants", "variants_used", ""),
    ):
        if counts.get(key) is not None:
            rows.append((kind, "used", "", counts[key], why))
    across = scores[(scores["metric"] == "across_individuals") & (scores["statistic"] == "spearman")]
    personal = set(genes.loc[genes["personal"], "gene_id"])
    for model, units in across.groupby("model", sort=False):
        rows += _of_model(str(model), units, set(genes["gene_id"]), personal)
        for said, number in sorted(imports.get(str(model), {}).get("left_out_by_reason", {}).items()):
            kind, _, reason = str(said).partition(": ")
            rows.append((KINDS.get(kind, kind), "left out", model, number, reason))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(TYPES)


def _reason(kind: str, name: str, reason: str) -> str:
    """The reason; for variants with their kind, which stands in the id before the contig."""
    return f"{name.rpartition(' on ')[0]}: {reason}" if kind == "variants" and " on " in name else reason


def _of_model(model: str, units: pd.DataFrame, genes: set[str], personal: set[str]) -> list[tuple[object, ...]]:
    predicted = set(units["unit_id"])
    scored = units[units["value"].notna()]
    rows: list[tuple[object, ...]] = [("genes", "predicted", model, len(predicted), "")]
    for without, reason in (
        (genes - personal - predicted, "no genotypes around the TSS"),
        ((genes & personal) - predicted, "no prediction of the model"),
    ):
        if without:
            rows.append(("genes", "not predicted", model, len(without), reason))
    rows.append(("genes", "scored", model, len(scored), ""))
    notes = scored["note"].str.partition("; ")[0]
    for note, number in notes[notes.str.startswith(CONSTANT_PREDICTION)].value_counts().sort_index().items():
        rows.append(("genes", "scored as 0", model, number, note))
    lost = units.loc[units["value"].isna(), "note"]
    for note, number in lost.value_counts().sort_index().items():
        rows.append(("genes", "not scored", model, number, note))
    if len(scored):
        rows.append(("people", "scored", model, int(scored["n"].max()), "most for one gene"))
        if scored["n"].min() < scored["n"].max():
            rows.append(("people", "scored", model, int(scored["n"].min()), "fewest for one gene"))
    return rows
