"""Tables that several figures show, joined by gene and by sample name."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from pexbench.figures import FigureData
from pexbench.scores.correlation import CONSTANT_PREDICTION

#: One gene of a table of pairs.
PAIR_COLUMNS = ("sample", "predicted", "measured", "dosage")


def main_models(data: FigureData) -> list[str]:
    """Models and baselines in the order of the figures, without the controls."""
    return [model for model in data.models if model not in data.controls]


def across_individuals(data: FigureData, model: str) -> pd.DataFrame:
    """Genes of one model with a Spearman correlation across individuals that is not 0 by rule.

    Returns:
        Index ``gene_id``, sorted; columns ``value``, ``n``, ``p``, ``lower``, ``upper``.
    """
    rows = data.chosen(data.scores, model, "across_individuals", "across_individuals")
    varied = rows["value"].notna() & ~rows["note"].astype(str).str.startswith(CONSTANT_PREDICTION)
    found = rows.loc[varied].rename(columns={"unit_id": "gene_id"}).set_index("gene_id").sort_index()
    return found[["value", "n", "p", "lower", "upper"]]


def people_of(data: FigureData, model: str, gene_id: str) -> pd.DataFrame:
    """Everyone with a prediction and a measurement of a gene.

    Returns:
        Columns :data:`PAIR_COLUMNS`, sorted by sample; ``dosage`` copies of the lead variant's ALT allele, NaN where
        unknown.
    """
    table = data.predictions[model]
    predicted = table[table["gene_id"] == gene_id].set_index("sample")["prediction"].astype(np.float64)
    measured = (
        data.expression_individuals.loc[gene_id].astype(np.float64)
        if gene_id in data.expression_individuals.index
        else pd.Series(dtype=np.float64)
    )
    both = pd.DataFrame({"predicted": predicted, "measured": measured}).dropna().sort_index()
    dosage = pd.Series(dtype=np.float64)
    if data.leads is not None:
        rows = data.leads[data.leads["gene_id"] == gene_id]
        dosage = rows.set_index("sample")["dosage"].astype(np.float64)
    both["dosage"] = dosage.reindex(both.index)
    return both.rename_axis("sample").reset_index()[list(PAIR_COLUMNS)]


def lead_variants(data: FigureData) -> pd.DataFrame:
    """Genes with a lead variant: index ``gene_id``, sorted; the columns of ``associations``; none without the table."""
    if data.associations is None:
        return pd.DataFrame(
            columns=["lead_variant", "slope", "se", "p", "p_bonferroni", "distance"], index=pd.Index([], name="gene_id")
        )
    table = data.associations.set_index("gene_id").sort_index()
    return table[table["slope"].notna() & (table["lead_variant"].fillna("") != "")]


def counted_effects(data: FigureData, model: str) -> pd.Series[float]:
    """A model's effect of every gene's lead variant, in the model's unit, two copies of ALT against none; by gene.

    Genes whose effect the run counts as none (0, below the numerical floor, another variant) are left out.
    """
    if model not in data.lead_effects:
        return pd.Series(dtype=np.float64)
    table = data.lead_effects[model].set_index("gene_id").sort_index()
    same = table["lead_variant"] == lead_variants(data)["lead_variant"].reindex(table.index)
    effect = table.loc[same, "lead_effect"].astype(np.float64)
    if data.direction is not None:
        rows = data.direction[data.direction["model"] == model]
        effect = effect[effect.index.isin(rows.loc[rows["agree"].astype(str).isin(["True", "False"]), "gene_id"])]
    return effect[np.isfinite(effect) & (effect != 0)]


def exact_share(hits: int, total: int) -> tuple[float, float, float]:
    """A share with its 95 % interval (Clopper and Pearson 1934, 10.1093/biomet/26.4.404); NaN of nothing."""
    if total == 0:
        return float("nan"), float("nan"), float("nan")
    ends = stats.binomtest(hits, total).proportion_ci(0.95, method="exact")
    return hits / total, float(ends.low), float(ends.high)
