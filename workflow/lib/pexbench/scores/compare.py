"""Models in pairs over the same genes: which ranks people better?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from pexbench.scores.added_value import Added
from pexbench.scores.correlation import Floats
from pexbench.scores.intervals import DECIMALS, interval, two_way_draws
from pexbench.scores.resample import Float32, Weights

#: Columns of ``comparisons.tsv``. ``statistic`` is ``spearman`` (across individuals), or ``r2_added``: then model_b is the
#: elastic net, mean_a the cross-validated R2 of both together, mean_b that of the elastic net. ``lower`` and ``upper`` are
#: the two-way 95 % interval of ``difference``; ``share_a_higher`` counts genes where they differ and a is higher, of all;
#: ``p`` is Wilcoxon's signed-rank test over genes, which takes genes for independent (they are not: trust the interval).
COLUMNS = (
    *("model_a", "model_b", "statistic", "n_genes", "mean_a", "mean_b", "difference", "lower", "upper"),
    *("share_a_higher", "p", "note"),
)
TYPES: dict[str, Any] = {
    "n_genes": "int64",
    **dict.fromkeys(
        ("mean_a", "mean_b", "difference", "lower", "upper", "share_a_higher", "p"),
        float,
    ),
}


def compare(
    scores: pd.DataFrame, resampled: Mapping[str, pd.DataFrame], added: Mapping[str, Added], base: str, seed: int
) -> pd.DataFrame:
    """All pairs of models, and what each model adds to the elastic net.

    Args:
        scores: long tables of the models, one below the other.
        resampled: by model, index gene id, a column per resample: Spearman across individuals. The same resample is
            the same draw of people for all models.
        added: by model, what it adds to ``base``; may be empty.
        base: name of the elastic net.
        seed: seed of the draws of genes.

    Returns:
        Table with the columns :data:`COLUMNS`; pairs in the models' order. A pair without common genes has its row.
    """
    chosen = scores[(scores["metric"] == "across_individuals") & (scores["statistic"] == "spearman")]
    chosen = chosen[chosen["value"].notna()]
    values = {str(model): rows.set_index("unit_id") for model, rows in chosen.groupby("model", sort=False)}
    genes = set().union(*(table.index for table in resampled.values()), *(table.genes for table in added.values()))
    sizes = {table.shape[1] for table in resampled.values()} | {table.resampled.shape[0] for table in added.values()}
    if len(sizes) > 1:
        raise ValueError(f"resamples of models differ in number ({sorted(sizes)}): they were not drawn alike")
    weights = Weights({"genes": sorted(genes)}, max(sizes, default=0), seed)
    rows = []
    for a, b in combinations(resampled, 2):
        common = [] if a not in values or b not in values else sorted(set(values[a].index) & set(values[b].index))
        one, other = (
            values[model].loc[common, "value"].to_numpy(np.float64) if common else np.empty(0) for model in (a, b)
        )
        draws = (resampled[a].loc[common].to_numpy() - resampled[b].loc[common].to_numpy()).T
        people = int(np.median(values[a].loc[common, "n"])) if common else 0
        rows.append(_row(a, b, "spearman", common, one, other, draws, people, weights))
    for model, table in added.items():
        here = ~np.isnan(table.added)
        rows.append(
            _row(
                *(model, base, "r2_added", [gene for gene, good in zip(table.genes, here, strict=True) if good]),
                *(table.joint[here], table.baseline[here], table.resampled[:, here]),
                *(int(np.median(table.n[here])) if here.any() else 0, weights),
            )
        )
    result = pd.DataFrame(rows, columns=list(COLUMNS)).astype(TYPES)
    return result.round(dict.fromkeys(("mean_a", "mean_b", "difference", "lower", "upper"), DECIMALS))


def _row(
    a: str,
    b: str,
    statistic: str,
    genes: list[str],
    one: Floats,
    other: Floats,
    draws: Float32,
    people: int,
    weights: Weights,
) -> tuple[object, ...]:
    if not genes:
        return (a, b, statistic, 0, *[np.nan] * 7, "no gene that both score")
    difference = one - other
    lower, upper = interval(two_way_draws(difference, draws, weights.of("genes", genes), people), bound=np.inf)
    p = float(stats.wilcoxon(difference, method="approx").pvalue) if np.any(difference) else 1.0
    same = int((difference == 0).sum())
    note = f"{same} genes the same" if same else ""
    share = float((difference > 0).mean())
    return (a, b, statistic, len(genes), one.mean(), other.mean(), difference.mean(), lower, upper, share, p, note)
