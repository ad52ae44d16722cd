"""What the figure on one gene shows: its people, its variants, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.figures import FigureData
from pexbench.figures.joined import lead_variants, main_models, people_of

Floats = npt.NDArray[np.float64]

EFFECT_COLUMNS = ("variant", "pos", "x", "effect", "contribution", "driver")
CIS_COLUMNS = ("variant", "pos", "x", "neg_log10_p", "lead")
#: The smallest p value that is told from 0.
LEAST_P = 1e-300


@dataclass(frozen=True)
class Place:
    """Where a gene's positions are counted from.

    Attributes:
        tss: 1-based position of the TSS; None where it is not known, then positions are those on the contig.
        direction: 1 for a gene on the + strand, -1 on the other.
    """

    tss: int | None
    direction: int = 1

    def kb(self, positions: npt.ArrayLike) -> Floats:
        """Distance from the TSS in kb, positive downstream in the gene's direction; without a TSS, kb on the contig."""
        place = np.asarray(positions, dtype=np.float64)
        if self.tss is None:
            return np.asarray(place / 1000, dtype=np.float64)
        return np.asarray((place - self.tss) * self.direction / 1000, dtype=np.float64)


def chosen_gene(data: FigureData) -> str | None:
    """The gene that is asked for, else the one with the strongest association (smallest p, then largest r)."""
    if data.example_gene is not None:
        return data.example_gene
    if data.associations is None:
        return None
    known = data.associations[data.associations["p"].notna()]
    if known.empty:
        return None
    size = -known["r"].abs() if "r" in known else 0.0
    return str(known.assign(size=size).sort_values(["p", "size", "gene_id"])["gene_id"].iloc[0])


def rows_of(table: pd.DataFrame | None, gene_id: str) -> pd.DataFrame | None:
    """The rows of one gene sorted by position; None where there are none."""
    if table is None:
        return None
    found = table[table["gene_id"] == gene_id]
    return found.sort_values(["pos", "variant"], ignore_index=True) if len(found) else None


def place_of(cis: pd.DataFrame | None) -> Place:
    """TSS and direction from positions and distances, which tell them once two variants differ.

    Args:
        cis: ``pos`` and ``distance`` (bp from the TSS, positive downstream) of one gene's variants.
    """
    if cis is None:
        return Place(None)
    known = cis.dropna(subset=["distance"]).drop_duplicates("pos")
    if len(known) < 2:
        return Place(None)
    pos, distance = known["pos"].to_numpy(dtype=np.int64), known["distance"].to_numpy(dtype=np.int64)
    direction = int(np.sign((distance[-1] - distance[0]) * (pos[-1] - pos[0])))
    starts = pos - direction * distance
    if direction == 0 or (starts != starts[0]).any():
        return Place(None)
    return Place(int(starts[0]), direction)


def cis_points(data: FigureData, gene_id: str, place: Place) -> pd.DataFrame:
    """Association of every cis variant: :data:`CIS_COLUMNS`, ``lead`` marks the gene's lead variant."""
    table = rows_of(data.cis, gene_id)
    if table is None:
        return pd.DataFrame(columns=list(CIS_COLUMNS))
    lead = lead_of(data, gene_id)
    name = str(lead["lead_variant"]) if lead is not None else str(table.loc[table["p"].idxmin(), "variant"])
    found = table[["variant", "pos"]].assign(
        x=place.kb(table["pos"]),
        neg_log10_p=-np.log10(table["p"].astype(np.float64).clip(lower=LEAST_P)),
        lead=table["variant"] == name,
    )
    return found[found["neg_log10_p"].notna()].reset_index(drop=True)[list(CIS_COLUMNS)]


def lead_of(data: FigureData, gene_id: str) -> pd.Series | None:
    """The gene's row of ``associations``; None where it has no lead variant."""
    leads = lead_variants(data)
    return leads.loc[[gene_id]].iloc[0] if gene_id in leads.index else None


def effect_points(data: FigureData, model: str, gene_id: str, place: Place) -> pd.DataFrame:
    """Effects of one model's variants with their contribution to the spread of its prediction between people.

    ``contribution`` is the column ``share`` of the effects where the run gives it: cov(part, sum) / var(sum), a part
    being effect times dosage. Else it is the variant's own variance over that of the predictions,
    ``(effect / 2)^2 2 f (1 - f) / var``, f the ALT frequency among the associations: without linkage; NaN for variants
    that are too rare for the associations. Effects are of two copies, people's predictions means of two haplotypes.

    ``driver`` marks the driver variants where the run names them (column ``driver``: their rank).

    Returns:
        :data:`EFFECT_COLUMNS`, sorted by position.
    """
    table = rows_of(data.effects.get(model), gene_id)
    if table is None:
        return pd.DataFrame(columns=list(EFFECT_COLUMNS))
    effect = table["effect"].astype(np.float64)
    if "share" in table and table["share"].notna().any():
        # The lead variant has a row even where the window does not reach it.
        contribution = table["share"].astype(np.float64).mask(table["share"].isna() & (effect == 0), 0.0)
    else:
        contribution = _alone(data, model, gene_id, table, effect)
    found = table[["variant", "pos"]].assign(x=place.kb(table["pos"]), effect=effect, contribution=contribution)
    found["driver"] = table["driver"].notna() if "driver" in table else False
    return found[list(EFFECT_COLUMNS)]


def _alone(
    data: FigureData, model: str, gene_id: str, table: pd.DataFrame, effect: pd.Series[float]
) -> pd.Series[float]:
    """Each variant's own variance over that of the prediction."""
    spread = data.predictions[model].loc[data.predictions[model]["gene_id"] == gene_id, "prediction"]
    variance = float(spread.sort_values().astype(np.float64).var(ddof=0)) if len(spread) else 0.0
    cis = rows_of(data.cis, gene_id)
    if cis is None or not variance > 0:
        return pd.Series(np.nan, index=table.index)
    frequency = table["variant"].map(cis.set_index("variant")["af"]).astype(np.float64)
    own = (effect / 2) ** 2 * 2 * frequency * (1 - frequency) / variance
    # No effect contributes nothing, however rare the variant.
    return own.where(effect != 0, 0.0)


def fact_of(data: FigureData, model: str, gene_id: str, column: str) -> float | None:
    """A number of ``lead_effects``; None where there is none."""
    table = data.lead_effects.get(model)
    if table is None or column not in table:
        return None
    found = table.loc[table["gene_id"] == gene_id, column].dropna()
    return float(found.iloc[0]) if len(found) else None


def table_of(data: FigureData, gene_id: str) -> pd.DataFrame:
    """Points of the figure on one gene, see ``fig2a_gene.table``."""
    place = place_of(rows_of(data.cis, gene_id))
    parts = [cis_points(data, gene_id, place).assign(kind="association")]
    for model in main_models(data):
        parts.append(people_of(data, model, gene_id).assign(kind="person", model=model))
        parts.append(effect_points(data, model, gene_id, place).assign(kind="effect", model=model))
    columns = [
        *("kind", "model", "gene_id", "sample", "predicted", "measured", "dosage"),
        *("variant", "pos", "kb", "neg_log10_p", "lead", "effect", "contribution", "driver"),
    ]
    shown = [part.rename(columns={"x": "kb"}).assign(gene_id=gene_id) for part in parts if len(part)]
    if not shown:
        return pd.DataFrame(columns=columns)
    # Whole numbers and marks stay what they are where other kinds of rows have none.
    found = {
        name: [v for part in shown for v in (part[name] if name in part else [None] * len(part))] for name in columns
    }
    return pd.DataFrame(found).astype({"pos": "Int64", "lead": "boolean", "driver": "boolean"})
