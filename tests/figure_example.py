"""A run of the figures' tests: people, genotypes, expression, predictions, and every table made from them.

Small, but nothing is made up on its own: scores come from the predictions, associations from the genotypes, by the
functions of the library or by scipy.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from pexbench.figures import FigureData
from pexbench.scores import ScoreInputs
from pexbench.scores.evaluate import evaluate
from pexbench.scores.summary import summarise

PEOPLE = [f"NA{i:03d}" for i in range(25)]
TITLE = "A run of the tests"
NOTE = "Simulated cohort: no finding."
#: Models of a run that predict nothing from sequence: no variant effects.
NO_NETWORK = ("level", "elastic_net", "top_snp")
VARIANTS = 40
BASES = "ACGT"
Floats = npt.NDArray[np.float64]


@cache
def example(genes: int = 12, models: tuple[str, ...] = ("network", "level", "elastic_net")) -> FigureData:
    """Predictions that follow expression from against it (first gene) to with it (last), or are the same for all.

    The third-last gene has the strongest association, the third has no genotypes around it, the fourth is predicted
    the same for everyone by every model, the first is not measured across individuals.
    """
    rng = np.random.default_rng(0)
    ids = [f"ENSG{i:011d}" for i in range(genes)]
    dosages = _dosages(rng, genes)
    slopes = rng.normal(0, 0.4, size=genes)
    slopes[-3] = 1.6
    causal = dosages[:, VARIANTS // 2] - dosages[:, VARIANTS // 2].mean(axis=1, keepdims=True)
    values = slopes[:, None] * causal + rng.normal(size=(genes, len(PEOPLE)))
    expression = pd.DataFrame(values, index=ids, columns=PEOPLE)
    rpkm = np.exp(expression + rng.normal(size=(genes, 1)))
    predictions, scores, intervals = {}, [], []
    for number, model in enumerate(models):
        predicted = expression * np.linspace(-1, 1, genes)[:, None] ** 3 * 4 + rng.normal(size=expression.shape)
        if model == "level":
            predicted[:] = predicted.to_numpy()[:, :1]
        predicted.iloc[3] = 1.0
        tidy = (
            predicted.rename_axis("gene_id").reset_index().melt("gene_id", var_name="sample", value_name="prediction")
        )
        predictions[model] = tidy.assign(prediction=tidy["prediction"].astype(np.float32))
        reference = pd.DataFrame({"gene_id": ids, "prediction": predicted.mean(axis=1).to_numpy()})
        inputs = ScoreInputs(model, predictions[model], None if number else reference, expression.iloc[1:], rpkm)
        found = evaluate(inputs, resamples=100, permutations=100)
        scores.append(found.scores)
        intervals.append(found.intervals)
    table = pd.concat(scores, ignore_index=True)
    data = FigureData(
        scores=table,
        summary=summarise(table, pd.concat(intervals)),
        predictions=predictions,
        expression_individuals=expression,
        expression_genes=rpkm,
        genes=dict.fromkeys(ids, "") | {ids[-1]: "LAST1"},
        run_title=TITLE,
        notes=[NOTE],
        controls=["level"],
        windows={model: 10_500 * (place + 1) for place, model in enumerate(models) if model not in NO_NETWORK},
    )
    return _with_variants(data, dosages)


def bare(data: FigureData) -> FigureData:
    """The same run without any table that a run may lack."""
    return replace(
        data,
        associations=None,
        leads=None,
        cis=None,
        effects={},
        lead_effects={},
        direction=None,
    )


def _dosages(rng: np.random.Generator, genes: int) -> Floats:
    """Copies of ALT [genes, variants, people]; neighbouring variants go together, every variant varies."""
    base = rng.normal(size=(genes, 1, len(PEOPLE), 2))
    own = rng.normal(size=(genes, VARIANTS, len(PEOPLE), 2))
    dosages = ((0.8 * base + 0.6 * own) > rng.uniform(-0.6, 0.9, size=(genes, VARIANTS, 1, 1))).sum(axis=3)
    dosages[..., 0], dosages[..., 1], dosages[..., 2] = 0, 1, 2
    return dosages.astype(np.float64)


def _with_variants(data: FigureData, dosages: Floats) -> FigureData:
    """Add associations, effects of variants and directions to a run."""
    rng = np.random.default_rng(1)
    ids = list(data.expression_individuals.index)
    cis = {
        gene: _associate(rng, gene, dosages[place], data.expression_individuals.loc[gene].to_numpy(), 1_000_000 * place)
        for place, gene in enumerate(ids)
        if place != 2
    }
    leads = {gene: int(table["p"].to_numpy().argmin()) for gene, table in cis.items()}
    rows = [_association(gene, cis[gene], leads[gene]) for gene in cis]
    rows.append({"gene_id": ids[2], "lead_variant": "", "n_variants": 0, "note": "no genotypes around it"})
    associations = pd.DataFrame(rows).fillna({"note": "", "lead_variant": ""}).sort_values("gene_id", ignore_index=True)
    dosage = pd.concat(
        [
            pd.DataFrame({"gene_id": gene, "sample": PEOPLE, "dosage": dosages[ids.index(gene), lead]})
            for gene, lead in leads.items()
        ],
        ignore_index=True,
    ).astype({"dosage": "float32"})
    shown = str(associations.loc[associations["p"].idxmin(), "gene_id"])
    effects, lead_effects, direction = {}, {}, []
    for model in data.models:
        if model in NO_NETWORK:
            continue
        every = {
            gene: rng.normal(0, 0.02, len(table)) + 0.1 * _sign(ids, gene) * table["slope"]
            for gene, table in cis.items()
        }
        table = cis[shown]
        effect = every[shown].to_numpy()
        effects[model] = table[["gene_id", "variant", "pos", "ref", "alt"]].assign(
            effect=effect, gradient=effect * rng.uniform(0.5, 1.5, len(effect))
        )
        lead_effects[model] = pd.DataFrame(
            {
                "gene_id": list(cis),
                "scope": ["all" if gene == shown else "lead" for gene in cis],
                "n_variants": [len(cis[gene]) if gene == shown else 1 for gene in cis],
                "lead_variant": [cis[gene]["variant"].iloc[leads[gene]] for gene in cis],
                "lead_effect": [every[gene].iloc[leads[gene]] for gene in cis],
                "additivity_r2": [0.97 if gene == shown else np.nan for gene in cis],
                "additivity_slope": [1.02 if gene == shown else np.nan for gene in cis],
                "n_drivers": [4.0 if gene == shown else np.nan for gene in cis],
                "note": "",
            }
        )
        for gene in cis:
            row = cis[gene].iloc[leads[gene]]
            predicted = float(every[gene].iloc[leads[gene]])
            direction.append(
                {
                    "model": model,
                    "gene_id": gene,
                    "variant": row["variant"],
                    "measured_slope": row["slope"],
                    "measured_p": row["p"],
                    "predicted_effect": predicted,
                    "agree": str(bool(np.sign(predicted) == np.sign(row["slope"]))),
                    "note": "",
                }
            )
    columns = ["model", "gene_id", "variant", "measured_slope", "measured_p", "predicted_effect", "agree", "note"]
    return replace(
        data,
        associations=associations,
        leads=dosage,
        cis=cis[shown],
        effects=effects,
        lead_effects=lead_effects,
        direction=pd.DataFrame(direction, columns=columns),
    )


def _sign(ids: list[str], gene: str) -> float:
    """The first half of the genes is predicted in the wrong direction."""
    return 1.0 if ids.index(gene) >= len(ids) / 2 else -1.0


def _associate(rng: np.random.Generator, gene: str, dosages: Floats, expression: Floats, start: int) -> pd.DataFrame:
    """A gene's cis variants with slope, standard error, r and p of each, by scipy."""
    fits = [stats.linregress(dosage, expression) for dosage in dosages]
    distance = np.sort(rng.choice(np.arange(-90_000, 90_000), len(dosages), replace=False))
    pos = start + 500_000 + distance
    ref = rng.integers(0, 4, len(dosages))
    alt = (ref + rng.integers(1, 4, len(dosages))) % 4
    return pd.DataFrame(
        {
            "gene_id": gene,
            "variant": [f"1:{p}:{BASES[r]}:{BASES[a]}" for p, r, a in zip(pos, ref, alt, strict=True)],
            "contig": "1",
            "pos": pos,
            "ref": [BASES[r] for r in ref],
            "alt": [BASES[a] for a in alt],
            "af": dosages.mean(axis=1) / 2,
            "distance": distance,
            "slope": [fit.slope for fit in fits],
            "se": [fit.stderr for fit in fits],
            "r": [fit.rvalue for fit in fits],
            "p": [fit.pvalue for fit in fits],
        }
    )


def _association(gene: str, table: pd.DataFrame, lead: int) -> dict[str, object]:
    row = table.iloc[lead]
    return {
        "gene_id": gene,
        "n": float(len(PEOPLE)),
        "n_variants": len(table),
        "lead_variant": row["variant"],
        **{name: row[name] for name in ("pos", "ref", "alt", "af", "distance", "slope", "se", "r", "p")},
        "p_bonferroni": min(1.0, float(row["p"]) * len(table)),
        "h2": float(row["r"]) ** 2,
        "h2_se": 0.1,
        "h2_p": float(row["p"]),
        "note": "",
    }
