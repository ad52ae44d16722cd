"""Division of people into folds, and the correlation within folds."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from pexbench.baselines.folds import mean_fold_correlation, outer_folds
from pexbench.errors import InputError

NAMES = [f"HG{number:05d}" for number in range(358)]


def test_follow_the_rule_written_out():
    names = ["b", "a", "d", "c", "e"]
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"7\t{name}".encode()).hexdigest())
    assert outer_folds(names, 2, 7).tolist() == [ranked.index(name) % 2 for name in names]


@pytest.mark.parametrize("n_folds", [2, 3, 5, 10, 358])
def test_folds_are_balanced(n_folds):
    sizes = np.bincount(outer_folds(NAMES, n_folds, 0), minlength=n_folds)
    assert len(sizes) == n_folds
    assert sizes.max() - sizes.min() <= 1


def test_folds_travel_with_names_not_with_order():
    order = np.random.default_rng(0).permutation(len(NAMES))
    shuffled = [NAMES[i] for i in order]
    np.testing.assert_array_equal(outer_folds(shuffled, 5, 0), outer_folds(NAMES, 5, 0)[order])


def test_another_seed_gives_an_unrelated_division():
    one, two = outer_folds(NAMES, 5, 0), outer_folds(NAMES, 5, "0/inner/1")
    # Independent divisions agree in a fifth of the people: 71.6, standard deviation 7.6.
    assert 45 < (one == two).sum() < 98


def test_refuses_repeated_names_and_impossible_numbers():
    with pytest.raises(InputError, match="b occurs more than once"):
        outer_folds(["a", "b", "b"], 2, 0)
    with pytest.raises(InputError, match="1 folds for 3 people"):
        outer_folds(["a", "b", "c"], 1, 0)
    with pytest.raises(InputError, match="4 folds for 3 people"):
        outer_folds(["a", "b", "c"], 4, 0)


def test_mean_fold_correlation_by_hand():
    folds = np.array([0, 1, 0, 1, 0, 1, 2, 2, 2])
    y = np.array([1.0, 10, 2, 20, 3, 30, 1, 2, 3])
    p = np.array([1.0, -1, 2, -2, 3, -3, 0, 0, 0])
    assert mean_fold_correlation(p, y, folds) == pytest.approx(0)
    p[folds == 1] *= -1
    assert mean_fold_correlation(p, y, folds) == pytest.approx(2 / 3)  # the constant fold counts as 0


def test_mean_fold_correlation_ignores_level_and_scale_of_each_fold():
    rng = np.random.default_rng(1)
    p, y, folds = rng.normal(size=60), rng.normal(size=60), np.arange(60) % 5
    shifted = p * np.array([1, 2, 3, 4, 5.0])[folds] + np.array([9, -9, 0, 4, 1.0])[folds]
    assert mean_fold_correlation(shifted, y, folds) == pytest.approx(mean_fold_correlation(p, y, folds))
    assert mean_fold_correlation(-p, y, folds) == pytest.approx(-mean_fold_correlation(p, y, folds))
