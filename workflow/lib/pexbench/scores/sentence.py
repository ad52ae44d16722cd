"""The run's answer in words: one sentence per model, with numbers and intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd


def answer(summary: pd.DataFrame) -> list[str]:
    """What the scores say of each model: does it rank genes, does it rank people, or people the wrong way round?

    A model ranks where the 95 % interval of its mean Spearman correlation lies above 0, ranks with the wrong sign where
    it lies below, and does not rank where the interval holds 0. Without an interval nothing is decided.

    Args:
        summary: table of ``summary.summarise``, with ``summary.annotate``'s rows or without.

    Returns:
        One sentence per model, in the order of the table.
    """
    return [
        _sentence(str(model), rows[(rows["statistic"] == "spearman") | (rows["metric"] == "")])
        for model, rows in summary.groupby("model", sort=False)
    ]


def _sentence(model: str, rows: pd.DataFrame) -> str:
    people = rows[rows["metric"] == "across_individuals"]
    genes = rows[rows["axis"] == "across_genes_reference"]
    kind = "r"
    if genes.empty:
        genes = rows[(rows["metric"] == "across_genes") & (rows["axis"] == "across_genes_personal")]
        kind = "mean r"
    if people.empty and genes.empty:
        notes = [str(note) for note in rows["note"] if note]
        return f"{model}: {notes[0] if notes else 'no score'}."
    parts = [_verdict(genes.iloc[0], "genes", kind)] if len(genes) else []
    parts += [_verdict(people.iloc[0], "people", "mean r")] if len(people) else []
    # "ranks genes but not people" where the two differ, "and" where they agree.
    words = {part[0] for part in parts}
    said = (" but " if len(words) > 1 else " and ").join(part[1] for part in parts)
    return f"{model} {said}{_shares(people.iloc[0]) if len(people) else ''}."


def _verdict(row: pd.Series, what: str, kind: str) -> tuple[str, str]:
    """Whether a model ranks, for comparison, and the same in words."""
    if not np.isfinite(row["mean"]):
        return "none", f"has no score across {'genes' if what == 'genes' else 'people'}"
    number = f"{kind} {row['mean']:.3f}"
    if not (np.isfinite(row["lower"]) and np.isfinite(row["upper"])):
        return "open", f"has {number} across {what}, without an interval"
    number += f" [{row['lower']:.3f}, {row['upper']:.3f}]"
    if row["lower"] > 0:
        return "right", f"ranks {what} ({number})"
    if row["upper"] < 0:
        return "wrong", f"ranks {what} with the wrong sign ({number})"
    return "not", f"does not rank {what} ({number})"


def _shares(row: pd.Series) -> str:
    """Shares of genes that are right or wrong beyond chance, and of those that say nothing."""
    if not row["n_units"]:
        return ""
    text = (
        f"; {percent(row['share_significant_positive'])} of {row['n_units']:,} genes significantly right, "
        f"{percent(row['share_significant_negative'])} significantly wrong in sign (FDR 5 %)"
    )
    silent = int(row["n_constant"]) + int(row["n_below_floor"])
    if silent:
        text += f", {percent(silent / row['n_units'])} with the same prediction for everyone"
    if np.isfinite(row["null_mean_absolute"]):
        p = row["p_mean_absolute"]
        text += (
            f"; mean |r| {row['mean_absolute']:.3f}, {row['null_mean_absolute']:.3f} with people shuffled (p = {p:.2g})"
        )
    return text


def percent(share: float) -> str:
    """A share as per cent, for example ``6.7 %``."""
    return f"{100 * share:.3g} %"
