"""All scores of one model: values, q, intervals, nulls, and the resamples behind them, from one set of draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from pexbench.errors import InputError
from pexbench.precision import Agreement
from pexbench.scores import COLUMNS, Block, ScoreInputs, marked, metrics
from pexbench.scores.correlation import BELOW_FLOOR, STATISTICS, Correlations, correlate
from pexbench.scores.intervals import COLUMNS as INTERVAL_COLUMNS
from pexbench.scores.intervals import DECIMALS, NULLS, interval, two_way_draws, unit_interval
from pexbench.scores.permutation import Null, other_genes, permuted, shuffles
from pexbench.scores.resample import Float32, Weights, resampled, unit_intervals, untrusted

Floats = npt.NDArray[np.float64]

LEAST_RESAMPLES = 100


@dataclass(frozen=True)
class Evaluation:
    """What is known of one model.

    Attributes:
        scores: long table, columns ``scores.COLUMNS``; a unit that cannot be scored keeps its row, with value NaN
            and the reason in ``note``.
        intervals: one row per mean, columns ``intervals.COLUMNS``.
        resampled: ``gene_id`` and a float32 column per resample: Spearman across individuals of each scored gene.
    """

    scores: pd.DataFrame
    intervals: pd.DataFrame
    resampled: pd.DataFrame


def evaluate(inputs: ScoreInputs, *, resamples: int = 1000, permutations: int = 1000, seed: int = 0) -> Evaluation:
    """Score one model.

    Args:
        inputs: predictions and measurements.
        resamples: bootstrap samples, at least 100.
        permutations: shuffles of people, at least 100.
        seed: seed of both; with it every number is the same again.

    Raises:
        InputError: tables repeat a name, predictions are not finite, or no name is shared.
    """
    for what, number in (("resamples", resamples), ("permutations", permutations)):
        if number < LEAST_RESAMPLES:
            raise ValueError(f"{what} {number}: at least {LEAST_RESAMPLES} are needed for a 95 % interval")
    people = set(inputs.expression_individuals.columns) | set(inputs.expression_genes.columns)
    genes = set(inputs.personal.get("gene_id", ())) | set(inputs.genes.index if inputs.genes is not None else ())
    if inputs.reference is not None:
        genes |= set(inputs.reference.get("gene_id", ()))
    populations = inputs.populations()
    weights = Weights({"people": sorted(people), "genes": sorted(genes)}, resamples, seed, populations)
    order = shuffles(sorted(people), populations, permutations, seed)
    tables, intervals, kept = [], [], pd.DataFrame({"gene_id": []}, dtype=str)
    for metric in metrics().values():
        if metric.score is not None:
            table = metric.score(inputs)
            tables.append(table)
            for key, group in table.groupby(["axis", "statistic"], sort=True):
                ends = unit_interval(group["value"].dropna().to_numpy(dtype=np.float64), resamples, seed)
                nulls = dict.fromkeys(NULLS, np.nan)
                intervals.append(
                    _mean(inputs.model, metric.name, key, ends, nulls, resamples, 0, seed, "unit bootstrap")
                )
            continue
        for block in metric.blocks(inputs) if metric.blocks is not None else ():
            individuals = block.axis == "across_individuals"
            for statistic in STATISTICS:
                x, y = block.predicted, block.measured_by(statistic)
                found = correlate(x, y, statistic, block.member_noun, block.strata, block.freedom_lost)
                drawn = weights.of(block.member_noun, block.members, within=block.strata is not None)
                draws = resampled(x, y, statistic, drawn, block.strata)
                # Rows without a score take no part in the null either.
                known = np.where(np.isnan(found.value)[:, None], np.nan, x)
                null = permuted(known, y, statistic, block.members, *order, block.strata) if individuals else None
                table = block_rows(inputs.model, metric.name, block, statistic, found, draws, null)
                tables.append(table)
                ends = _block_interval(block, found, draws, weights, table)
                nulls = _nulls(block, statistic, null, inputs)
                made = permutations if individuals else 0
                key = (block.axis, statistic)
                intervals.append(
                    _mean(inputs.model, metric.name, key, ends, nulls, resamples, made, seed, "two-way bootstrap")
                )
                if metric.name == "across_individuals" and statistic == "spearman":
                    kept = _kept(block, found, draws)
    scores = pd.concat([table for table in tables if len(table)], ignore_index=True)
    # Far below the bootstrap's own error; last bits differ between linear algebra libraries.
    means = pd.DataFrame(intervals, columns=list(INTERVAL_COLUMNS)).round(
        dict.fromkeys(("mean", "lower", "upper", *(name for name in NULLS if name.startswith("null"))), DECIMALS)
    )
    return Evaluation(marked(scores, inputs.reference), means, kept)


def block_rows(
    model: str,
    metric: str,
    block: Block,
    statistic: str,
    found: Correlations,
    draws: Float32,
    null: Null | None,
) -> pd.DataFrame:
    """Rows of the long table of one block and statistic.

    ``q`` is Benjamini and Hochberg's over the scored units of the block. ``lower`` and ``upper`` are empty for constant
    predictions, and where the bootstrap cannot be trusted (said in ``note``).
    """
    units = len(block.units)
    scored = ~np.isnan(found.value)
    q = np.full(units, np.nan)
    if scored.any():
        q[scored] = stats.false_discovery_control(found.p[scored])
    varied = scored & np.array([note == "" for note in found.note], dtype=bool)
    reasons = untrusted(block.predicted, block.measured_by(statistic), block.member_noun)
    trusted = varied & np.array([reason == "" for reason in reasons], dtype=bool)
    lower, upper = unit_intervals(draws, found.n, trusted)
    absent = np.isnan(block.measured).all(axis=1)
    below = block.below_floor if block.below_floor is not None else np.zeros(units, dtype=bool)
    notes = []
    for u in range(units):
        said = block.absent if absent[u] else BELOW_FLOOR if below[u] and scored[u] else found.note[u]
        notes.append("; ".join(part for part in (said, reasons[u] if varied[u] else "", block.note) if part))
    columns = {
        "model": model,
        "metric": metric,
        "axis": block.axis,
        "unit_id": list(block.units),
        "statistic": statistic,
        "value": found.value,
        "n": found.n,
        "p": found.p,
        "q": q,
        "p_permutation": null.p if null is not None else np.full(units, np.nan),
        "lower": lower.round(DECIMALS),
        "upper": upper.round(DECIMALS),
        **dict.fromkeys(Agreement._fields, np.full(units, np.nan)),
        "note": notes,
    }
    return pd.DataFrame(columns, columns=list(COLUMNS))


def _block_interval(
    block: Block, found: Correlations, draws: Float32, weights: Weights, table: pd.DataFrame
) -> tuple[float, float, float]:
    """Mean over a block's units with its interval; one unit's mean is that unit, with its own interval."""
    scored = np.flatnonzero(~np.isnan(found.value))
    if len(block.units) == 1 and len(scored):
        return float(found.value[0]), float(table["lower"].iloc[0]), float(table["upper"].iloc[0])
    noun = "people" if block.member_noun == "genes" else "genes"
    drawn = draws if len(scored) == len(block.units) else draws[:, scored]
    names = [block.units[u] for u in scored]
    two_way = two_way_draws(found.value[scored], drawn, weights.of(noun, names), len(block.members))
    return (two_way.mean, *interval(two_way))


def _nulls(block: Block, statistic: str, null: Null | None, inputs: ScoreInputs) -> dict[str, float]:
    if null is None:
        return dict.fromkeys(NULLS, np.nan)
    mean, high = float("nan"), float("nan")
    if inputs.genes is not None and block.strata is None:
        mean, high = other_genes(
            block.predicted, block.measured_by(statistic), statistic, block.units, inputs.genes[["contig", "tss"]]
        )
    values = (null.mean_absolute, null.p_mean_absolute, null.p_mean, mean, high)
    return dict(zip(NULLS, values, strict=True))


def _mean(
    model: str,
    metric: str,
    key: tuple[object, ...],
    ends: tuple[float, float, float],
    nulls: dict[str, float],
    resamples: int,
    permutations: int,
    seed: int,
    method: str,
) -> tuple[object, ...]:
    """A row of the table of intervals."""
    return (model, metric, *key, *ends, *(nulls[name] for name in NULLS), resamples, permutations, seed, method)


def _kept(block: Block, found: Correlations, draws: Float32) -> pd.DataFrame:
    scored = np.flatnonzero(~np.isnan(found.value))
    table = pd.DataFrame(np.ascontiguousarray(draws[:, scored].T), columns=[str(b) for b in range(len(draws))])
    table.insert(0, "gene_id", [block.units[u] for u in scored])
    return table


def read_resampled(path: str) -> pd.DataFrame:
    """Read the resamples of a model: index ``gene_id``, float32 column per resample.

    Raises:
        InputError: the file has no column ``gene_id``.
    """
    table = pd.read_parquet(path)
    if "gene_id" not in table:
        raise InputError(f"{path}: column 'gene_id' not found; a table of resamples has it; score the model again.")
    return table.set_index("gene_id")
