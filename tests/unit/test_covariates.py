"""Covariates as numbers, and regressed out, against least squares."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from pexbench.covariates import adjusted, covariate_matrix, without
from pexbench.errors import InputError


def facts(people=30, **columns):
    rng = np.random.default_rng(1)
    table = {
        "PC1": rng.normal(size=people),
        "sex": rng.choice(["f", "m"], people),
        "batch": rng.choice(list("abc"), people),
    }
    table |= columns
    return pd.DataFrame({name: [str(value) for value in values] for name, values in table.items()})


def test_numbers_stay_numbers_and_text_becomes_indicators():
    table = facts()
    found = covariate_matrix(table, ["PC1", "sex", "batch"])
    assert found.names == ("PC1", "sex=m", "batch=b", "batch=c")
    np.testing.assert_allclose(found.values.mean(axis=0), 0, atol=1e-12)
    pc1 = table["PC1"].astype(float)
    np.testing.assert_allclose(found.values[:, 0], (pc1 - pc1.mean()) / pc1.std(ddof=0))
    assert np.corrcoef(found.values[:, 2], table["batch"] == "b")[0, 1] == pytest.approx(1)


def test_columns_that_depend_on_others_are_found_and_named():
    table = facts()
    pc1 = table["PC1"].astype(float)
    table["twice"] = (3 - 2 * pc1).map(repr)
    table["same"] = "1"
    table["female"] = (table["sex"] == "f").astype(int).astype(str)
    found = covariate_matrix(table, ["PC1", "sex", "twice", "same", "female"])
    assert found.names == ("PC1", "sex=m")
    assert found.left_out == {
        "twice": "a linear combination of PC1, sex=m",
        "same": "the same for everyone",
        "female": "a linear combination of PC1, sex=m",
    }


@pytest.mark.parametrize(
    ("columns", "asked", "said"),
    [
        ({}, ["PC9"], r"column PC9 \(scores.covariates\) not found"),
        ({"PC2": [""] + ["1"] * 29}, ["PC2"], "PC2 has no value"),
        ({"PC2": ["inf"] + ["1"] * 29}, ["PC2"], "no finite number"),
        ({"name": [f"n{i}" for i in range(30)]}, ["name"], "text with 30 different values"),
        ({f"X{k}": np.random.default_rng(k).normal(size=30) for k in range(28)}, [f"X{k}" for k in range(28)], "at least 31"),
    ],
)  # fmt: skip
def test_unusable_columns_stop(columns, asked, said):
    with pytest.raises(InputError, match=said):
        covariate_matrix(facts(**columns), asked)


def test_the_coefficients_of_some_are_applied_to_all():
    rng = np.random.default_rng(2)
    c, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    train = np.arange(40) % 4 != 0
    fit = LinearRegression().fit(c[train], y[train])
    expected = y - fit.predict(c) + y[train].mean()
    np.testing.assert_allclose(adjusted(y, c, train), expected, atol=1e-10)
    np.testing.assert_allclose(adjusted(y, c), y - LinearRegression().fit(c, y).predict(c) + y.mean(), atol=1e-10)
    assert adjusted(y, c[:, :0], train) is y


def test_a_batch_that_the_training_part_lacks_changes_nobody():
    rng = np.random.default_rng(3)
    c, y = rng.normal(size=(40, 1)), rng.normal(size=40)
    train = np.arange(40) >= 5
    only_held_out = np.column_stack([c, ~train])
    np.testing.assert_allclose(adjusted(y, only_held_out.astype(float), train), adjusted(y, c, train), atol=1e-10)


def test_expression_that_covariates_explain_leaves_no_rounding_behind():
    rng = np.random.default_rng(4)
    c = rng.normal(size=(40, 2))
    train = np.arange(40) < 30
    assert np.ptp(adjusted(c @ [1.0, 2.0], c, train)[train]) == 0
    assert not np.any(without(c @ [1.0, 2.0], c))


def test_residuals_are_those_of_least_squares():
    rng = np.random.default_rng(5)
    c, x = rng.normal(size=(40, 3)), rng.normal(size=(40, 4))
    c = np.column_stack([c, c[:, 0] + c[:, 1]])
    np.testing.assert_allclose(without(x, c), x - LinearRegression().fit(c, x).predict(c), atol=1e-10)
