"""The summary: counts and means against small cases worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from pexbench.errors import InputError
from pexbench.files import read_table, write_table
from pexbench.precision import Agreement
from pexbench.scores import COLUMNS
from pexbench.scores.correlation import BELOW_FLOOR
from pexbench.scores.evaluate import evaluate
from pexbench.scores.intervals import NULLS
from pexbench.scores.summary import COLUMNS as SUMMARY_COLUMNS
from pexbench.scores.summary import KEYS, TYPES, annotate, significant_units, summarise
from unit.test_scores_metrics import example

NAN = float("nan")


def by_hand(model: str = "m") -> tuple[pd.DataFrame, pd.DataFrame]:
    key = (model, "across_individuals", "across_individuals")
    rows = [
        (*key, "g1", "spearman", 0.5, 100, 1e-8, NAN, NAN, 0.3, 0.7, ""),
        (*key, "g2", "spearman", -0.4, 100, 1e-6, NAN, NAN, -0.6, -0.2, ""),
        (*key, "g3", "spearman", 0.1, 90, 0.3, NAN, NAN, -0.1, 0.3, ""),
        (*key, "g4", "spearman", 0.0, 100, 1.0, NAN, NAN, NAN, NAN, "constant prediction"),
        (*key, "g5", "spearman", NAN, 0, NAN, NAN, NAN, NAN, NAN, "no expression in the matrix"),
        (*key, "g6", "spearman", -0.3, 100, 1e-4, NAN, NAN, -0.5, -0.1, ""),
    ]
    scores = pd.DataFrame(rows, columns=[name for name in COLUMNS if name not in Agreement._fields])
    nulls = (0.05, 0.001, 0.4, 0.06, 0.15)
    intervals = pd.DataFrame([(*key, "spearman", -0.2, 0.3, *nulls)], columns=[*KEYS, "lower", "upper", *NULLS])
    return scores, intervals


def test_by_hand() -> None:
    table = summarise(*by_hand())
    assert tuple(table.columns) == SUMMARY_COLUMNS
    row = table.iloc[0]
    assert row["mean"] == pytest.approx(-0.02)
    assert row["median"] == 0
    assert row["mean_absolute"] == pytest.approx(0.26)
    assert row["mean_not_constant"] == pytest.approx(-0.025)
    assert (row["lower"], row["upper"]) == (-0.2, 0.3)
    assert (row["n_units"], row["n_constant"], row["n_not_scored"], row["n_per_unit"]) == (5, 1, 1, 100)
    assert row["share_positive"] == 0.4
    assert (row["n_significant_positive"], row["n_significant_negative"]) == (1, 2)
    assert (row["share_significant_positive"], row["share_significant_negative"]) == (0.2, 0.4)
    assert (row["n_positive"], row["n_negative"], row["n_below_floor"]) == (2, 2, 0)
    assert row["p_sign"] == 1.0
    assert row[list(NULLS)].tolist() == [0.05, 0.001, 0.4, 0.06, 0.15]
    assert row["note"] == "1 not scored: no expression in the matrix"


def test_sign_test_is_exact_and_constants_stand_apart() -> None:
    scores, limits = by_hand()
    more = pd.concat([scores.iloc[[0]].assign(unit_id=f"h{number}") for number in range(7)])
    floored = scores.iloc[[3]].assign(unit_id="f", note=BELOW_FLOOR)
    row = summarise(pd.concat([scores, more, floored]), limits).iloc[0]
    assert (row["n_positive"], row["n_negative"], row["n_constant"], row["n_below_floor"]) == (9, 2, 1, 1)
    # All sequences of 11 signs, counted.
    extreme = sum(min(bin(signs).count("1"), 11 - bin(signs).count("1")) <= 2 for signs in range(2**11))
    assert row["p_sign"] == pytest.approx(extreme / 2**11)
    assert row["note"] == f"1 not scored: no expression in the matrix; 1 score 0: {BELOW_FLOOR}"


def test_false_discovery_rate_equals_the_step_up_rule() -> None:
    p = np.random.default_rng(0).beta(0.3, 2, size=200)
    order = np.sort(p)
    passing = np.flatnonzero(order <= 0.05 * np.arange(1, 201) / 200)
    expected = p <= order[passing[-1]]
    assert 0 < expected.sum() < 200
    assert (significant_units(p) == expected).all()
    assert significant_units(np.empty(0)).shape == (0,)


def test_models_keep_their_order_and_rows_may_be_mixed() -> None:
    parts = [by_hand(model) for model in ("z_first", "a_second")]
    scores = pd.concat([part[0] for part in parts])
    limits = pd.concat([part[1] for part in parts])
    table = summarise(scores, limits)
    assert table["model"].tolist() == ["z_first", "a_second"]
    mixed = pd.concat([part[0].iloc[[3, 1, 4, 5, 0, 2]] for part in parts])
    pd.testing.assert_frame_equal(summarise(mixed, limits.iloc[::-1]), table, check_exact=True)


def test_real_scores_and_file(tmp_path: Path) -> None:
    found = evaluate(example(), resamples=200)
    scores, limits = found.scores, found.intervals
    table = summarise(scores, limits)
    joined = table.merge(limits, on=KEYS, suffixes=("", "_bootstrap"), validate="one_to_one")
    assert len(joined) == len(table) == 8
    # Two separate ways to the same mean.
    shown = scores[scores["value"].notna()]
    for _, units in shown.groupby(KEYS):
        np.testing.assert_allclose(units["q"], multipletests(units["p"], method="fdr_bh")[1])
    np.testing.assert_allclose(joined["mean"], joined["mean_bootstrap"], rtol=0, atol=1e-6)
    row = table[(table["axis"] == "across_individuals") & (table["statistic"] == "spearman")].iloc[0]
    values = scores[(scores["axis"] == "across_individuals") & (scores["statistic"] == "spearman")]
    q = stats.false_discovery_control(values["p"])
    assert row["n_constant"] == 1
    assert row["n_significant_positive"] == int(((q <= 0.05) & (values["value"] > 0)).sum())
    write_table(table, tmp_path / "summary.tsv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "summary.tsv", **TYPES), table, check_exact=True)


def test_nothing_scored() -> None:
    scores, limits = by_hand()
    row = summarise(scores.iloc[[4]], limits.assign(lower=NAN, upper=NAN)).iloc[0]
    assert np.isnan(row["mean"])
    assert (row["n_units"], row["n_not_scored"], row["n_significant_positive"]) == (0, 1, 0)


def test_faults_are_told() -> None:
    scores, limits = by_hand()
    with pytest.raises(InputError, match="intervals of m not found"):
        summarise(scores, limits.assign(model="other"))
    with pytest.raises(InputError, match="intervals of m occur more than once"):
        summarise(scores, pd.concat([limits, limits]))
    with pytest.raises(InputError, match="scores of m occur more than once"):
        summarise(pd.concat([scores, scores]), limits)


def test_remarks_and_models_that_did_not_run_stand_in_the_table() -> None:
    row = (
        dict.fromkeys(SUMMARY_COLUMNS, "") | dict.fromkeys(TYPES, 1) | {"model": "enformer", "note": "2 not scored: x"}
    )
    table = pd.DataFrame([row, row | {"model": "xpresso", "note": ""}], columns=list(SUMMARY_COLUMNS)).astype(TYPES)
    found = annotate(table, {"enformer": "untrained"}, {"basenji2": "weights absent: model_human.h5"})
    assert found["note"].tolist() == ["untrained; 2 not scored: x", "", "not run: weights absent: model_human.h5"]
    assert found["model"].tolist() == ["enformer", "xpresso", "basenji2"]
    assert found["n_units"].tolist() == [1, 1, 0]
    assert annotate(table, {}, {}).equals(table)
