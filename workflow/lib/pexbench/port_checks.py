"""Do two implementations of a model say the same about real people? And do they say what was published?

Predictions of the same sequences (see :mod:`pexbench.port_sequences`) are compared by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pexbench.errors import InputError, listing
from pexbench.files import read_table
from pexbench.genes import without_version
from pexbench.port_sequences import COLUMNS, KEYS, REFERENCE


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read the predictions of one implementation.

    Raises:
        InputError: a column is absent, a sequence occurs twice, or a prediction is not finite.
    """
    table = read_table(path, copies="int64", prediction="float32")
    absent = [name for name in COLUMNS if name not in table]
    if absent or table.duplicated(KEYS).any() or not np.isfinite(table["prediction"]).all():
        what = f"column {listing(absent)} is not there" if absent else "a sequence occurs twice or without a number"
        raise InputError(f"{path}: {what}; the table that predict_sequences writes is needed; predict again.")
    return table


@dataclass(frozen=True)
class Verdict:
    """A comparison.

    Attributes:
        report: totals, fit for JSON; ``passed`` says whether every difference is within tolerance.
        genes: one row per pair of implementations and gene.
        faults: one sentence per comparison that failed.
    """

    report: dict[str, Any]
    genes: pd.DataFrame
    faults: tuple[str, ...]


def compare_ports(model: str, tables: Mapping[str, pd.DataFrame], tolerance: float) -> Verdict:
    """Compare each two implementations on the same sequences.

    Args:
        model: named in faults.
        tables: predictions by implementation, see :func:`predict_sequences`; rows in any order.
        tolerance: largest absolute difference allowed, in the unit of the model's output.

    Returns:
        For each pair and gene the largest difference, the spread between people (standard deviation over the
        haplotypes of the people drawn, of both implementations pooled), their ratio, and the rank correlation over
        different haplotypes; ratio and correlation are NaN where nobody differs.

    Raises:
        InputError: the tables are of different sequences.
    """
    sorted_tables = {name: table.sort_values(KEYS, ignore_index=True) for name, table in tables.items()}
    first_name, first = next(iter(sorted_tables.items()))
    for name, table in sorted_tables.items():
        compared = [*KEYS, "copies", "sequence"]
        if not table[compared].equals(first[compared]):
            raise InputError(
                f"model {model}: {first_name} and {name} predicted different sequences ({len(first)} and {len(table)}); "
                "the same are needed; run predict_sequences on one file for both."
            )
    rows: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    faults: list[str] = []
    for one, other in combinations(sorted_tables, 2):
        both = first[[*KEYS, "copies"]].assign(
            one=sorted_tables[one]["prediction"].astype(np.float64),
            other=sorted_tables[other]["prediction"].astype(np.float64),
        )
        both["difference"] = (both["one"] - both["other"]).abs()
        found = [_compare_gene(str(gene_id), group) for gene_id, group in both.groupby("gene_id", sort=True)]
        rows += [{"first": one, "second": other, **row} for row in found]
        worst = both.loc[both["difference"].idxmax()]
        largest = float(worst["difference"])
        passed = largest <= tolerance
        if not passed:
            faults.append(
                f"model {model}: {one} and {other} differ by {largest:.3g} (gene {worst['gene_id']}, sequence "
                f"{worst['label']}), {tolerance:g} is allowed; use weights of the same network for both, or mend one."
            )
        pairs.append(
            {
                "first": one,
                "second": other,
                "passed": passed,
                "max_difference": largest,
                "gene_id": worst["gene_id"],
                "label": worst["label"],
                "median_spread": _over_known(np.median, (row["spread"] for row in found)),
                "max_difference_over_spread": _over_known(max, (row["difference_over_spread"] for row in found)),
                "genes_without_spread": sum(row["n_haplotypes"] > 0 and not row["spread"] > 0 for row in found),
                "spearman": _number(spearman(both["one"], both["other"])),
                "lowest_spearman_within_gene": _over_known(min, (row["spearman"] for row in found)),
            }
        )
    report = {
        "model": model,
        "tolerance": tolerance,
        "passed": not faults,
        "genes": int(first["gene_id"].nunique()),
        "sequences": len(first),
        "pairs": pairs,
    }
    columns = ["first", "second", "gene_id", "n_haplotypes", "n_distinct", "max_difference", "label", "spread"]
    table = pd.DataFrame(rows, columns=[*columns, "difference_over_spread", "spearman"])
    return Verdict(report, table, tuple(faults))


def _compare_gene(gene_id: str, group: pd.DataFrame) -> dict[str, Any]:
    """Two implementations on the sequences of one gene."""
    people = group[group["label"] != REFERENCE]
    worst = group.loc[group["difference"].idxmax()]
    spread = float(np.sqrt(np.mean([_variance(people[side], people["copies"]) for side in ("one", "other")])))
    return {
        "gene_id": gene_id,
        "n_haplotypes": int(people["copies"].sum()),
        "n_distinct": len(people),
        "max_difference": float(worst["difference"]),
        "label": worst["label"],
        "spread": spread,
        "difference_over_spread": float(worst["difference"]) / spread if spread > 0 else np.nan,
        "spearman": spearman(people["one"], people["other"]),
    }


def _variance(values: pd.Series, copies: pd.Series) -> float:
    """Variance over haplotypes, each sequence as often as it occurs; NaN with fewer than two haplotypes."""
    return float(np.var(np.repeat(values.to_numpy(), copies.to_numpy()), ddof=1)) if copies.sum() > 1 else np.nan


def spearman(one: pd.Series, other: pd.Series) -> float:
    """Rank correlation; NaN for fewer than three pairs or where one side is constant."""
    if len(one) < 3 or one.nunique() < 2 or other.nunique() < 2:
        return float("nan")
    return float(np.corrcoef(one.rank(), other.rank())[0, 1])


def _number(value: float) -> float | None:
    """A number for JSON, which has no NaN."""
    return float(value) if np.isfinite(value) else None


def _over_known(summary: Callable[[list[float]], Any], values: Iterable[float]) -> float | None:
    """A summary of the values that are known, for JSON."""
    known = [value for value in values if np.isfinite(value)]
    return float(summary(known)) if known else None


def read_published(path: str | Path, column: str | None = None) -> pd.Series:
    """Published reference predictions by gene id (without Ensembl version).

    Args:
        path: ``.csv``, else tab-separated; columns ``gene_id`` and ``column``.
        column: the model's; None reads the ids alone.

    Raises:
        InputError: a column is absent, a gene occurs twice, or a value is no finite number.
    """
    table = pd.read_csv(
        path, sep="," if Path(path).suffix == ".csv" else "\t", dtype=str, keep_default_na=False, na_filter=False
    )
    absent = [name for name in ("gene_id", column) if name is not None and name not in table]
    if absent:
        raise InputError(
            f"{path}: column {listing(absent)} not found; there are {listing(table.columns, 20)}; correct it."
        )
    ids = pd.Index([without_version(value) for value in table["gene_id"]], name="gene_id")
    if not ids.is_unique:
        raise InputError(
            f"{path}: gene {listing(ids[ids.duplicated()])} occurs more than once; one row each is allowed; remove the "
            "others."
        )
    try:
        values = table[column].to_numpy().astype(np.float64) if column else np.zeros(len(table))
    except ValueError as fault:
        raise InputError(f"{path}: column {column}: {fault}; numbers are allowed; correct the table.") from None
    if not np.isfinite(values).all():
        raise InputError(f"{path}: column {column} has values that are not finite; numbers are allowed; correct it.")
    return pd.Series(values, index=ids)


def compare_published(
    verdict: Verdict, tables: Mapping[str, pd.DataFrame], values: pd.Series, tolerance: float, scale: str = "same"
) -> Verdict:
    """Compare each implementation's reference predictions with published ones, and add that to a verdict.

    Args:
        verdict: of :func:`compare_ports`.
        tables: predictions by implementation.
        values: published predictions by gene id.
        tolerance: largest absolute difference allowed, on the published scale.
        scale: ``same``, or ``log`` where natural logs of the model's output were published.

    Returns:
        The verdict with ``published`` in its report, and its faults.

    Raises:
        InputError: logs are asked for and a prediction is not positive.
    """
    model = verdict.report["model"]
    faults = list(verdict.faults)
    rows: list[dict[str, Any]] = []
    for name, table in tables.items():
        own = table[table["label"] == REFERENCE]
        predicted = pd.Series(
            own["prediction"].to_numpy(np.float64), index=[without_version(gene) for gene in own["gene_id"]]
        )
        shared = sorted(set(predicted.index) & set(values.index))
        predicted, expected = predicted[shared], values[shared]
        if scale == "log":
            if (predicted <= 0).any():
                raise InputError(
                    f"model {model}: {name} predicts {predicted.min():g}; logs were published and need positive "
                    "predictions; use scale 'same'."
                )
            predicted = predicted.map(math.log)
        row: dict[str, Any] = {"implementation": name, "genes": len(shared), "passed": False, "max_difference": None}
        if not shared:
            faults.append(
                f"model {model}: none of the published genes ({listing(values.index)}) has a reference sequence among "
                f"those drawn ({listing(own['gene_id'])}); at least one is needed; draw with --published."
            )
        else:
            differences = (predicted - expected).abs()
            largest = float(differences.max())
            row |= {"max_difference": largest, "gene_id": differences.idxmax(), "passed": largest <= tolerance}
            row["spearman"] = _number(spearman(predicted, expected))
            if largest > tolerance:
                faults.append(
                    f"model {model}: {name} and the published reference predictions differ by {largest:.3g} (gene "
                    f"{differences.idxmax()}), {tolerance:g} is allowed; use the published network, window and options."
                )
        rows.append(row)
    report = verdict.report | {
        "passed": not faults,
        "published": {"scale": scale, "tolerance": tolerance, "implementations": rows},
    }
    return replace(verdict, report=report, faults=tuple(faults))
