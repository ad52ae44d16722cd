"""Sums of single variants' effects against a model's predictions of people, gene by gene."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pexbench.additivity import (
    DRIVER_COLUMNS,
    SHARE_COLUMNS,
    Additivity,
    compare,
    driver_table,
    parts_of,
    share_table,
)
from pexbench.errors import InputError, listing
from pexbench.genes import Gene
from pexbench.predict import Genotyping
from pexbench.variant_effects import carried_variants, choices, on_scale, parse_variant
from pexbench.windows import Window, WindowRule, window_of

LOG = logging.getLogger(__name__)
#: One row per personal gene. ``reference_prediction`` and ``lead_effect`` are on the scale of a person's prediction;
#: ``n_variants`` have effects, ``n_outside`` lie within variants.flank of the TSS but outside the model's window, where
#: the effect is 0 (of a gene with its lead alone: whether that one does). Additivity and drivers are those of
#: :mod:`pexbench.additivity`, empty for genes with their lead alone.
GENE_COLUMNS = (
    *("gene_id", "scope", "n_variants", "n_outside", "lead_variant", "lead_effect", "lead_gradient"),
    *("reference_prediction", "additivity_r2", "additivity_slope", "additivity_r", "n_drivers", "note"),
)
OUTSIDE = "lead variant outside the model's window"


def shard_sums(
    genes: Sequence[Gene],
    chosen: pd.DataFrame,
    effects: pd.DataFrame,
    people: pd.DataFrame,
    reference: pd.DataFrame,
    genotyping: Genotyping,
    rule: WindowRule,
    flank: int,
    combine: str,
    model: str,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """What single effects say of each gene of a shard.

    Args:
        genes: genes of the shard.
        chosen: ``variant_effects.CHOSEN_COLUMNS``; genes that it lacks are passed over.
        effects: ``variant_effects.COLUMNS`` of the shard.
        people: the shard's predictions: ``gene_id``, ``sample``, ``haplotype_1``, ``haplotype_2``.
        reference: the shard's reference predictions: ``gene_id``, ``prediction``.
        genotyping: genotypes.
        rule: the model's window.
        flank: bp on either side of the TSS whose variants the run uses.
        combine: how a person's prediction is made: ``mean`` or ``mean_of_logs``.
        model: named in errors.

    Returns:
        :data:`GENE_COLUMNS`, ``additivity.DRIVER_COLUMNS`` and ``additivity.SHARE_COLUMNS``.

    Raises:
        InputError: effects and genotypes are not of the same variants.
    """
    facts = choices(chosen)
    known = dict(zip(reference["gene_id"], reference["prediction"], strict=True))
    rows: list[tuple[object, ...]] = []
    drivers = [pd.DataFrame(columns=list(DRIVER_COLUMNS))]
    shares = [pd.DataFrame(columns=list(SHARE_COLUMNS)).astype({"share": float, "driver": float})]
    for gene in genes:
        if gene.gene_id not in facts:
            continue
        scope, lead, note = facts[gene.gene_id]
        window = window_of(gene, rule)
        own = effects[effects["gene_id"] == gene.gene_id]
        given = own["variant"].to_numpy(str)
        outside = bool(lead) and not parse_variant(lead).overlaps(window)
        lead_effect, lead_gradient = _of_lead(own, lead, model)
        base = float(on_scale(np.array([known[gene.gene_id]]), combine, model)[0])
        inside = given != lead if outside else np.ones(len(own), np.bool_)
        n_outside, fit, n_drivers = int(outside), Additivity(np.nan, np.nan, np.nan), None
        notes = ([note] if note else []) + ([OUTSIDE] if outside else [])
        if scope == "all":
            names, dosages, n_outside = _carried(gene, window, genotyping, flank)
            if names != given[inside].tolist():
                raise InputError(
                    f"model {model}: gene {gene.gene_id}: effects of {int(inside.sum())} variants found, genotypes have "
                    f"{len(names)} in the window ({listing(sorted(set(names) ^ set(given[inside])))} in one only); "
                    "delete the model's variant_effects and run again."
                )
            values = own["effect"].to_numpy(np.float64)[inside]
            whole = _people(people, gene.gene_id, genotyping.samples, combine, model) - base
            parts = parts_of(values, dosages)
            fit = compare(parts.sum(axis=1), whole)
            drivers.append(driver_table(gene.gene_id, names, values, parts))
            shares.append(share_table(gene.gene_id, names, parts, drivers[-1]))
            n_drivers = len(drivers[-1])
            if n_drivers == 0:
                notes.append("the sum of effects is the same for everyone")
        rows.append(
            (
                *(gene.gene_id, scope, int(inside.sum()), n_outside, lead, lead_effect, lead_gradient, base),
                *(*fit, n_drivers, "; ".join(notes)),
            )
        )
    table = pd.DataFrame(rows, columns=list(GENE_COLUMNS))
    table["n_drivers"] = table["n_drivers"].astype("Int64")
    together = [pd.concat([one for one in some if len(one)] or some, ignore_index=True) for some in (drivers, shares)]
    return table, together[0], together[1]


def _of_lead(own: pd.DataFrame, lead: str, model: str) -> tuple[float, float]:
    """Effect and gradient of the lead variant; NaN for a gene without one."""
    if not lead:
        return np.nan, np.nan
    row = own[own["variant"] == lead]
    if len(row) != 1:
        raise InputError(
            f"model {model}: {len(row)} effects of lead variant {lead} found; there must be one; delete the model's "
            "variant_effects and run again."
        )
    return float(row["effect"].iloc[0]), float(row["gradient"].iloc[0])


def _carried(
    gene: Gene, window: Window, genotyping: Genotyping, flank: int
) -> tuple[list[str], NDArray[np.float32], int]:
    """Names and copies of the window's variants, and how many of the run's variants lie outside the window."""
    start, end = min(window.start, gene.tss0 - flank), max(window.end, gene.tss0 + flank + 1)
    genotypes = genotyping.read(gene.contig, start, end)
    variants, _ = carried_variants(genotypes)
    within, copies = carried_variants(genotypes.select(window.start, window.end))
    return [variant.name for variant in within], copies, len(variants) - len(within)


def _people(
    people: pd.DataFrame, gene_id: str, samples: Sequence[str], combine: str, model: str
) -> NDArray[np.float64]:
    """Everyone's prediction in float64, in the order of ``samples``."""
    own = people[people["gene_id"] == gene_id].set_index("sample").loc[list(samples)]
    both = [on_scale(own[f"haplotype_{number}"].to_numpy(), combine, model) for number in (1, 2)]
    return np.asarray((both[0] + both[1]) / 2)
