"""Predicted against measured sign of lead variants."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from pexbench.direction import BELOW, FLAT, directions, gather, summarise
from pexbench.errors import InputError
from pexbench.variant_sums import OUTSIDE


def tables(effects: list[float], slopes: list[float], reference: float = 10.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = [f"G{number}" for number in range(len(effects))]
    genes = pd.DataFrame(
        {
            "gene_id": names,
            "lead_variant": [f"1:{number + 1}:A:C" for number in range(len(effects))],
            "lead_effect": effects,
            "reference_prediction": reference,
            "note": "",
        }
    )
    associations = genes[["gene_id", "lead_variant"]].assign(
        slope=slopes, p=0.01, p_bonferroni=[0.001, 0.2] * (len(names) // 2)
    )
    return genes, associations.iloc[::-1]  # genes are matched by name


def test_signs_floors_and_reasons() -> None:
    genes, associations = tables([1, -1, 1e-5, 0, 0, 2], [2, 3, 1, 1, 1, 0])
    genes.loc[4, "note"] = OUTSIDE
    found = directions("m", genes, associations, 2e-6, False)
    assert found["agree"].tolist() == [True, False, pd.NA, pd.NA, pd.NA, pd.NA]
    assert found["note"].tolist() == ["", "", BELOW, BELOW, OUTSIDE, FLAT]
    assert found["measured_slope"].tolist() == [2, 3, 1, 1, 1, 0]
    # The floor is relative to the reference prediction; of logs it is the relative error itself.
    assert directions("m", genes, associations, 5e-7, False)["agree"].tolist()[2] is True
    assert directions("m", genes, associations, 2e-6, True)["agree"].tolist()[2] is True


def test_effects_of_other_variants_are_refused() -> None:
    genes, associations = tables([1, 1], [1, 1])
    with pytest.raises(InputError, match=r"model m: effects of gene\(s\) G1 are of another lead variant"):
        directions("m", genes, associations[associations["gene_id"] != "G1"], 2e-6, False)
    genes.loc[0, "lead_variant"] = "1:9:A:C"
    with pytest.raises(InputError, match="G0 are of another"):
        directions("m", genes, associations, 2e-6, False)


def test_genes_without_a_lead_have_no_row() -> None:
    genes, associations = tables([1, 1], [1, 1])
    genes.loc[0, "lead_variant"] = ""
    assert directions("m", genes, associations, 0, False)["gene_id"].tolist() == ["G1"]


@pytest.mark.parametrize(("agree", "n"), [(0, 4), (4, 4), (13, 20), (51, 100), (1, 2)])
def test_share_interval_and_p_against_others(agree: int, n: int) -> None:
    genes, associations = tables([1.0] * agree + [-1.0] * (n - agree), [1.0] * n)
    row = summarise(directions("m", genes, associations, 0, False), associations).iloc[0]
    assert (row["n"], row["n_agree"], row["share"]) == (n, agree, agree / n)
    wanted = proportion_confint(agree, n, method="beta")
    assert (row["lower"], row["upper"]) == pytest.approx(tuple(np.nan_to_num(wanted, nan=0 if agree == 0 else 1)))
    weights = binom.pmf(np.arange(n + 1), n, 0.5)
    assert row["p"] == pytest.approx(weights[weights <= weights[agree] * (1 + 1e-9)].sum())


def test_two_scopes_of_two_models() -> None:
    genes, associations = tables([1, 1, -1, -1], [1, 1, 1, 1])
    none = genes.assign(lead_effect=0.0)
    table, summary = gather({"a": genes, "b": none}, associations, {"a": 2e-6, "b": 2e-6}, {})
    assert len(table) == 8
    assert summary["model"].tolist() == ["a", "a", "b", "b"]
    assert summary["scope"].tolist() == ["all", "significant"] * 2
    assert summary["n"].tolist() == [4, 2, 0, 0]
    assert summary["n_agree"].tolist() == [2, 1, 0, 0]
    assert summary["n_below"].tolist() == [0, 0, 4, 2]
    assert summary["note"].tolist() == ["", "", "no gene could be judged", "no gene could be judged"]
