"""The k-mer ridge model: counts against plain strings, ridge against scikit-learn, and no gene predicting itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, spearmanr
from sklearn.linear_model import Ridge

from pexbench.errors import InputError
from pexbench.models import find_model, load_adapter
from pexbench.models.base import Adapter
from pexbench.models.kmer_ridge.adapter import features, kmer_columns
from pexbench.models.kmer_ridge.train import assign_folds, fit_ridge, overlap_groups, rank_normal, train

LENGTH = find_model("kmer_ridge").input.length
COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}


def cohort(genes: int = 60, seed: int = 1) -> dict[str, Any]:
    """Genes whose expression follows their GC content, every fifth a near copy of its neighbour's window."""
    rng = np.random.default_rng(seed)
    gc = rng.uniform(0.3, 0.7, genes)
    codes = np.stack([rng.choice(4, LENGTH, p=[(1 - g) / 2, g / 2, g / 2, (1 - g) / 2]) for g in gc]).astype(np.uint8)
    starts = np.arange(genes) * 50_000
    for i in range(5, genes, 5):
        gc[i], codes[i], starts[i] = gc[i - 1], codes[i - 1], starts[i - 1] + 500
    return {
        "codes": codes,
        "gene_ids": [f"GENE{i:03d}" for i in rng.permutation(genes)],
        "positions": [
            ("chr1" if i < 30 else "chr2", int(start), int(start) + LENGTH) for i, start in enumerate(starts)
        ],
        "target": np.exp(5 * gc + 0.1 * rng.standard_normal(genes)),
    }


def saved(arrays: dict[str, Any], path: Path) -> Adapter:
    np.savez(path, **arrays)
    return load_adapter(find_model("kmer_ridge"), None, {"trained": path})


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_counts_are_those_of_plain_strings(k: int) -> None:
    rng = np.random.default_rng(k)
    codes = rng.choice(5, (4, 120), p=[0.3, 0.2, 0.2, 0.25, 0.05]).astype(np.uint8)
    columns = kmer_columns(k)
    found = np.rint(np.expm1(features(codes, k))).astype(int)
    for row, sequence in zip(found, ("".join("ACGTN"[c] for c in code) for code in codes), strict=True):
        expected: Counter[str] = Counter()
        for i in range(len(sequence) - k + 1):
            word = sequence[i : i + k]
            if "N" not in word:
                other = "".join(COMPLEMENT[letter] for letter in reversed(word))
                expected[min(word, other)] += 1
        seen = {}
        for number, column in enumerate(columns):
            word = "".join("ACGT"[number // 4 ** (k - 1 - i) % 4] for i in range(k))
            other = "".join(COMPLEMENT[letter] for letter in reversed(word))
            seen[min(word, other)] = row[column]
        assert sum(row) == sum(expected.values()) > 0
        assert {word: count for word, count in seen.items() if count} == dict(expected)
        assert len(seen) == len(row)


def test_the_reverse_complement_has_the_same_counts() -> None:
    codes = np.random.default_rng(1).integers(0, 4, (3, 200)).astype(np.uint8)
    assert np.array_equal(features(codes, 5), features(3 - codes[:, ::-1], 5))


def test_a_sequence_of_n_has_no_kmers() -> None:
    assert not features(np.full((2, 50), 4, np.uint8), 6).any()


def test_overlapping_windows_are_one_group() -> None:
    rng = np.random.default_rng(3)
    starts = rng.integers(0, 3000, 60)
    places = [(str(rng.integers(1, 4)), int(start), int(start + rng.integers(20, 90))) for start in starts]
    names = [f"G{i:02d}" for i in rng.permutation(60)]
    label = list(range(60))
    for _ in range(60):  # labels spread over overlaps until nothing changes
        for i, (contig, start, end) in enumerate(places):
            for j, (other, low, high) in enumerate(places):
                if contig == other and start < high and low < end:
                    label[i] = label[j] = min(label[i], label[j])
    group = overlap_groups(names, places)
    assert 5 < len(set(group)) < 55
    for i in range(60):
        assert [group[i] == group[j] for j in range(60)] == [label[i] == label[j] for j in range(60)]
        assert group[i] == min(name for name, own in zip(names, label, strict=True) if own == label[i])


def test_windows_that_only_touch_are_two_groups() -> None:
    assert list(overlap_groups(["A", "B", "C"], [("1", 0, 10), ("1", 10, 20), ("2", 5, 9)])) == ["A", "B", "C"]


def test_folds_keep_groups_whole_and_are_even() -> None:
    rng = np.random.default_rng(4)
    group = np.array([f"G{i}" for i in rng.integers(0, 40, 200)])
    fold = assign_folds(group, 5, seed=1)
    assert all(len(set(fold[group == name])) == 1 for name in set(group))
    sizes = np.bincount(fold, minlength=5)
    assert sizes.max() - sizes.min() <= np.unique(group, return_counts=True)[1].max()
    order = rng.permutation(200)
    assert np.array_equal(assign_folds(group[order], 5, seed=1), fold[order])
    assert not np.array_equal(assign_folds(group, 5, seed=2), fold)
    assert set(assign_folds(np.array(["A", "A", "B"]), 5, seed=1)) == {0, 1}


def test_rank_normal() -> None:
    values = rank_normal(np.array([5.0, -1.0, 100.0, 5.0]))
    np.testing.assert_allclose(values, norm.ppf([0.5, 0.125, 0.875, 0.5]), atol=1e-12)


def test_the_fit_is_that_of_scikit_learn_with_whole_groups_left_out() -> None:
    rng = np.random.default_rng(5)
    group = np.array([f"G{i}" for i in np.repeat(np.arange(12), [1, 2, 3, 4, 5, 1, 1, 2, 6, 3, 1, 1])])
    shared = rng.standard_normal((12, 40))[np.unique(group, return_inverse=True)[1]]
    X = shared + 0.3 * rng.standard_normal((30, 40))
    y = 3 * X[:, 0] - 2 * X[:, 1] + rng.standard_normal(30) + 3
    unit = np.mean(np.sum((X - X.mean(axis=0)) ** 2, axis=1))
    penalties = 10.0 ** np.arange(-3.0, 3.25, 0.5)

    def left_out(penalty: float) -> float:
        error = 0.0
        for name in np.unique(group):
            held = group == name
            model = Ridge(alpha=penalty * unit, solver="svd").fit(X[~held], y[~held])
            error += float(np.sum((y[held] - model.predict(X[held])) ** 2))
        return error

    errors = [left_out(penalty) for penalty in penalties]
    best = penalties[int(np.argmin(errors))]
    assert penalties[0] < best < penalties[-1]
    fit = fit_ridge(X, y, group)
    np.testing.assert_allclose(fit.penalty, best * unit, rtol=1e-12)
    expected = Ridge(alpha=best * unit, solver="svd").fit(X, y)
    np.testing.assert_allclose(fit.coefficient, expected.coef_, atol=1e-10)
    np.testing.assert_allclose(fit.intercept, expected.intercept_, atol=1e-10)


def test_genes_are_predicted_without_themselves(tmp_path: Path) -> None:
    data = cohort()
    arrays = train(**data, seed=1)
    adapter = saved(arrays, tmp_path / "a.npz")
    predicted = np.array(
        [adapter.predict_gene(name, row[None])[0] for name, row in zip(data["gene_ids"], data["codes"], strict=True)]
    )
    assert spearmanr(predicted, data["target"])[0] > 0.8

    # Genes 9 and 10 share a window. Whatever their own levels are, their predictions stay the same to the last bit.
    group = [9, 10]
    moved = {**data, "target": data["target"].copy()}
    moved["target"][group] = [1e6, 0.0]
    other = saved(train(**moved, seed=1), tmp_path / "b.npz")
    again = np.array(
        [other.predict_gene(name, row[None])[0] for name, row in zip(data["gene_ids"], data["codes"], strict=True)]
    )
    assert np.array_equal(again[group], predicted[group])
    fold = dict(zip(arrays["gene_id"].tolist(), arrays["fold"].tolist(), strict=True))
    held = fold[data["gene_ids"][9]]
    assert fold[data["gene_ids"][10]] == held
    for i, name in enumerate(data["gene_ids"]):
        assert (again[i] == predicted[i]) == (fold[name] == held), name


def test_the_order_of_genes_and_the_unit_of_expression_do_not_matter() -> None:
    data = cohort()
    first = train(**data, seed=1)
    order = np.random.default_rng(1).permutation(60)
    second = train(
        data["codes"][order],
        [data["gene_ids"][i] for i in order],
        [data["positions"][i] for i in order],
        np.log2(data["target"][order]) - 7,
        1,
    )
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.dtype.kind != "O"
        assert np.array_equal(array, second[name]), name


def test_an_unknown_gene_gets_the_mean_of_the_folds(tmp_path: Path) -> None:
    data = cohort()
    arrays = train(**data, seed=1)
    adapter = saved(arrays, tmp_path / "a.npz")
    held = {int(fold): str(name) for name, fold in zip(arrays["gene_id"], arrays["fold"], strict=True)}
    each = np.stack([adapter.predict_gene(held[fold], data["codes"]) for fold in range(5)])
    assert np.ptp(each, axis=0).max() > 1e-3
    np.testing.assert_allclose(adapter.predict_gene("NEW", data["codes"]), each.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(adapter.predict(data["codes"]), each.mean(axis=0), atol=1e-5)


def test_results_are_the_same_to_the_last_bit_in_any_batch(tmp_path: Path) -> None:
    data = cohort(genes=40)
    adapter = saved(train(**data, seed=1), tmp_path / "a.npz")
    codes = np.random.default_rng(6).integers(0, 5, (300, LENGTH)).astype(np.uint8)
    alone = np.concatenate([adapter.predict(row[None]) for row in codes])
    assert np.array_equal(adapter.predict(codes), alone)
    assert np.array_equal(adapter.predict(codes[::-1]), alone[::-1])


def test_options_reach_the_training(tmp_path: Path) -> None:
    card = find_model("kmer_ridge")
    arrays = train(**cohort(), seed=1, **card.settings({"k": 3, "folds": 3}))
    assert arrays["coefficient"].shape == (3, 32)
    assert np.isfinite(saved(arrays, tmp_path / "a.npz").predict(cohort()["codes"])).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target": np.zeros(60)}, "distinct median"),
        ({"target": np.r_[np.nan, np.arange(59.0)]}, "is no finite number"),
        ({"target": np.arange(59.0)}, "different lengths"),
        ({"gene_ids": ["G"] * 60}, "gene G occurs more than once"),
        ({"positions": [("1", 0, LENGTH)] * 60}, r"in 1 group\(s\)"),
        ({"k": 9}, "option k is 9"),
        ({"folds": 1}, "option folds is 1"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        train(**{**cohort(), "seed": 1, **change})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("format", np.array("pexbench kmer_ridge 99"), "pexbench kmer_ridge 99"),
        ("fold", None, "fold not found"),
        ("fold", np.zeros(3, np.int64), r"array fold is \[3\]; \[60\]"),
        ("fold", np.full(60, 7), "outside 0 to 4"),
        ("coefficient", np.zeros((5, 10)), r"array coefficient is \[5, 10\]; \[5, 2080\]"),
        ("coefficient", np.zeros((5, 2080), np.int64), "kind 'f'"),
        ("gene_id", np.array(["a", 1], dtype=object), "no readable"),
    ],
)
def test_a_wrong_trained_file_is_refused(tmp_path: Path, name: str, value: Any, said: str) -> None:
    arrays = train(**cohort(), seed=1)
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value
    with pytest.raises(InputError, match=said):
        saved(arrays, tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a file", b"text"])
def test_a_file_that_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match="no readable"):
        load_adapter(find_model("kmer_ridge"), None, {"trained": tmp_path / "a.npz"})


def test_it_runs_on_the_cpu_only(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **train(**cohort(), seed=1))
    with pytest.raises(InputError, match="device 'cuda'"):
        load_adapter(find_model("kmer_ridge"), None, {"trained": tmp_path / "a.npz"}, "cuda")
