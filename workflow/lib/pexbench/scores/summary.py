"""One row per model and score: means, intervals, and how many genes or people stand behind them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from pexbench.errors import InputError, listing
from pexbench.scores.correlation import BELOW_FLOOR, CONSTANT_PREDICTION
from pexbench.scores.intervals import NULLS

KEYS = ["model", "metric", "axis", "statistic"]
COLUMNS = (
    *KEYS,
    "mean",
    "lower",
    "upper",
    "median",
    "mean_absolute",
    "mean_not_constant",
    "n_units",
    "n_constant",
    "n_below_floor",
    "n_not_scored",
    "n_per_unit",
    "share_positive",
    "n_positive",
    "n_negative",
    "p_sign",
    "n_significant_positive",
    "n_significant_negative",
    "share_significant_positive",
    "share_significant_negative",
    *NULLS,
    "note",
)
COUNTS = (
    *("n_units", "n_constant", "n_below_floor", "n_not_scored", "n_positive", "n_negative"),
    *("n_significant_positive", "n_significant_negative"),
)
TYPES = {
    **{name: float for name in COLUMNS if name not in (*KEYS, *COUNTS, "note")},
    **dict.fromkeys(COUNTS, "int64"),
}
FALSE_DISCOVERY_RATE = 0.05


def summarise(scores: pd.DataFrame, intervals: pd.DataFrame) -> pd.DataFrame:
    """Summarise the scores of all models of a run.

    Args:
        scores: long tables of all models, one below the other (``scores.COLUMNS``).
        intervals: tables ``evaluate.Evaluation.intervals`` of the same models, one below the other.

    Returns:
        One row per model, metric, axis and statistic, models in the order of ``scores``:
        ``mean`` with its 95 % interval ``lower``, ``upper``; ``median``; ``mean_absolute``, the mean of absolute
        values; ``mean_not_constant``, the mean without constant predictions (which count as 0 in ``mean``);
        ``n_units`` scored, of them ``n_constant`` and ``n_below_floor`` (predictions that vary less than their
        numerical error; 0 as well); ``n_not_scored``, reasons in ``note``; ``n_per_unit``, median number of pairs;
        ``share_positive`` of the scored; ``n_positive``, ``n_negative`` and ``p_sign``, the two-sided sign test over
        units that are not constant. It takes units for independent, which neighbouring genes (and people, across
        genes) are not: the p values of shuffled people keep their correlation. ``n_significant_positive`` and
        ``_negative`` at a false discovery rate of 5 % (Benjamini-Hochberg over the units of the row, p by Student's
        t), and their shares of the scored. Across individuals, with people shuffled as wholes
        (``permutation.permuted``): ``null_mean_absolute``, what |r| is then in the mean; ``p_mean_absolute``, whether
        the mean of |r| is larger; ``p_mean``, whether the mean of r differs, two-sided (over these genes, where the
        interval of the mean also asks whether other genes would say the same). Against the expression of
        unrelated genes (``permutation.other_genes``): ``null_other_genes_mean_absolute`` and
        ``null_other_genes_q95``, mean and 95 % quantile of |r|.

    Raises:
        InputError: a score occurs twice, or a mean has no interval, or two.
    """
    twice = scores.loc[scores.duplicated([*KEYS, "unit_id"]), "model"].unique()
    if len(twice):
        raise InputError(
            f"scores of {listing(twice)} occur more than once; one table per model is allowed; give each model once."
        )
    order = {model: place for place, model in enumerate(scores["model"].unique())}
    rows = [_row(dict(zip(KEYS, key, strict=True)), group) for key, group in scores.groupby(KEYS, sort=True)]
    table = pd.DataFrame(rows)
    repeated = intervals.loc[intervals.duplicated(KEYS), "model"].unique()
    if len(repeated):
        raise InputError(
            f"intervals of {listing(repeated)} occur more than once; one table per model is allowed; "
            "give each model once."
        )
    table = table.merge(intervals[[*KEYS, "lower", "upper", *NULLS]], on=KEYS, how="left", indicator="found")
    absent = table.loc[table["found"] != "both", "model"].unique()
    if len(absent):
        raise InputError(
            f"intervals of {listing(absent)} not found; every scored model needs its table of intervals; "
            "score the model again."
        )
    place = table["model"].map(order)
    table = table.assign(place=place).sort_values(["place", *KEYS[1:]], kind="stable", ignore_index=True)
    return table[list(COLUMNS)]


def _row(key: dict[str, Hashable], group: pd.DataFrame) -> dict[str, object]:
    scored = group[group["value"].notna()].sort_values("unit_id")
    values = scored["value"].to_numpy(dtype=np.float64)
    constant = scored["note"].str.startswith(CONSTANT_PREDICTION).to_numpy(dtype=bool)
    below = scored["note"].str.startswith(BELOW_FLOOR).to_numpy(dtype=bool)
    positive, negative = int((values[~constant] > 0).sum()), int((values[~constant] < 0).sum())
    significant = significant_units(scored["p"].to_numpy(dtype=np.float64))
    reasons = group.loc[group["value"].isna(), "note"].value_counts().sort_index()
    remarks = scored.loc[~constant & (scored["note"] != ""), "note"].value_counts().sort_index()
    ways = [significant & (values > 0), significant & (values < 0)]
    some = len(values) > 0
    return {
        **key,
        "mean": values.mean() if some else np.nan,
        "median": np.median(values) if some else np.nan,
        "mean_absolute": np.abs(values).mean() if some else np.nan,
        "mean_not_constant": values[~constant].mean() if (~constant).any() else np.nan,
        "n_units": len(values),
        "n_constant": int((constant & ~below).sum()),
        "n_below_floor": int(below.sum()),
        "n_not_scored": len(group) - len(values),
        "n_per_unit": float(np.median(scored["n"])) if some else np.nan,
        "share_positive": float((values > 0).mean()) if some else np.nan,
        "n_positive": positive,
        "n_negative": negative,
        "p_sign": float(stats.binomtest(positive, positive + negative).pvalue) if positive + negative else np.nan,
        "n_significant_positive": int(ways[0].sum()),
        "n_significant_negative": int(ways[1].sum()),
        "share_significant_positive": float(ways[0].mean()) if some else np.nan,
        "share_significant_negative": float(ways[1].mean()) if some else np.nan,
        "note": "; ".join(
            [
                *(f"{count} not scored: {reason}" for reason, count in reasons.items()),
                *([f"{int(below.sum())} score 0: {BELOW_FLOOR}"] if below.any() else []),
                *(str(said) if count == (~constant).sum() else f"{count}: {said}" for said, count in remarks.items()),
            ]
        ),
    }


def annotate(table: pd.DataFrame, remarks: Mapping[str, str], not_run: Mapping[str, str]) -> pd.DataFrame:
    """Say in the summary what no number says.

    Args:
        table: summary of :func:`summarise`.
        remarks: by model, a remark put before the note of each of its rows, for example ``untrained``.
        not_run: by model, why it was left out; each gets a row of its own without scores.

    Returns:
        The table with the remarks and, at its end, the models that did not run.
    """
    said = table["model"].map(dict(remarks)).fillna("")
    joined = [
        f"{remark}; {note}" if remark and note else remark or note
        for remark, note in zip(said, table["note"], strict=True)
    ]
    counts = {name: 0 for name, dtype in TYPES.items() if dtype == "int64"}
    empty = dict.fromkeys(KEYS[1:], "")
    rows = [{"model": model, **empty, **counts, "note": f"not run: {why}"} for model, why in not_run.items()]
    annotated = table.assign(note=joined)
    if not rows:
        return annotated
    left_out = pd.DataFrame(rows, columns=list(COLUMNS))
    for column, dtype in TYPES.items():
        left_out[column] = left_out[column].astype(dtype)  # type: ignore[call-overload] # a name or a type, as pandas takes
    tables: list[pd.DataFrame] = [annotated, left_out]
    return pd.concat(tables, ignore_index=True)


def significant_units(p: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which of many p values pass a false discovery rate of 5 % (Benjamini and Hochberg).

    Args:
        p: float64 [U], without NaN.

    Returns:
        bool [U].
    """
    if not len(p):
        return np.zeros(0, dtype=bool)
    return np.asarray(stats.false_discovery_control(p) <= FALSE_DISCOVERY_RATE)
