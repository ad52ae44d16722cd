"""ExPecto's port against slow float64 arithmetic written out by hand, and what it says about damaged files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import expecto_file
from expecto_file import LENGTH, load, random_codes, short_card
from pexbench.errors import InputError
from pexbench.genes import Gene
from pexbench.models import find_model, load_adapter
from pexbench.windows import window_of

torch = pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")

SHIFTS = range(-600, 601, 200)  # of the short input's windows


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """On a busy machine threads that wait for each other cost more than they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return expecto_file.files(tmp_path_factory.mktemp("expecto"))


def slow_beluga(
    arrays: dict[str, np.ndarray], convolutions: Sequence[tuple[int, int, int]], letters: np.ndarray
) -> np.ndarray:
    """One window, float64 [2000, 4] in the order A, G, C, T, position by position."""
    x = letters
    for i, (place, _, width) in enumerate(convolutions):
        kernel = arrays[f"model.0.{place}.weight"].astype(np.float64)[:, :, 0]
        bias = arrays[f"model.0.{place}.bias"].astype(np.float64)
        x = np.array([np.einsum("wi,oiw->o", x[p : p + width], kernel) + bias for p in range(len(x) - width + 1)])
        x = np.maximum(x, 0)
        if i + 1 < len(convolutions) and convolutions[i + 1][0] - place == 4:
            x = np.array([x[p : p + 4].max(axis=0) for p in range(0, len(x) - 3, 4)])
    x = np.array([value for channel in x.T for value in channel])
    x = np.maximum(arrays["model.1.2.1.weight"].astype(np.float64) @ x + arrays["model.1.2.1.bias"], 0)
    x = arrays["model.1.4.1.weight"].astype(np.float64) @ x + arrays["model.1.4.1.bias"]
    return 1 / (1 + np.exp(-x))


def letters_of(text: str) -> np.ndarray:
    return np.array([[float(letter == channel) for channel in "AGCT"] for letter in text])


def reverse_complement(text: str) -> str:
    return text.translate(str.maketrans("ACGT", "TGCA"))[::-1]


@pytest.mark.parametrize(
    "convolutions",
    [expecto_file.SMALL, ((0, 3, 8), (2, 3, 4), (6, 4, 8), (8, 5, 3), (12, 4, 8), (14, 6, 2)), ((0, 5, 11),)],
    ids=["small", "as deep as the published one", "one convolution"],
)
def test_equals_the_model_written_out(tmp_path: Path, convolutions: Any) -> None:
    arrays = expecto_file.parameters(expecto_file.shapes(convolutions, hidden=7, features=5), seed=3)
    weights = expecto_file.booster_weights(5, seed=4)
    (tmp_path / "booster.save").write_bytes(expecto_file.booster_bytes(weights, bias=0.25, base_score=2))
    beluga = expecto_file.write_beluga(tmp_path / "beluga.pth", arrays)
    made = load({"beluga": beluga, "booster": tmp_path / "booster.save"})
    codes = random_codes(2)
    features, predictions = made.features(codes), made.predict(codes)
    assert features.dtype == np.float64
    assert features.shape == (2, 10 * 6)
    for row, found, prediction in zip(codes, features, predictions, strict=True):
        text = "".join("ACGTN"[code] for code in row)
        marks = {}
        for shift in SHIFTS:
            window = text[600 + shift : 2600 + shift]
            both = [slow_beluga(arrays, convolutions, letters_of(x)) for x in (window, reverse_complement(window))]
            marks[shift] = (both[0] + both[1]) / 2
        expected: list[float] = []
        for side in (-1, 1):
            for decay in (0.01, 0.02, 0.05, 0.1, 0.2):
                near = {shift: np.exp(-decay * abs(shift) / 200) for shift in SHIFTS if side * shift >= 0}
                expected.append(0.0)
                expected.extend(sum(weight * marks[shift][mark] for shift, weight in near.items()) for mark in range(5))
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
        assert prediction == pytest.approx(np.dot(expected, weights.astype(np.float64)) + 0.25 + 2, rel=0, abs=1e-6)
    assert predictions[0] != predictions[1]


@pytest.mark.parametrize("strand", ["+", "-"])
def test_windows_are_those_of_the_original(strand: str) -> None:
    """The original cuts each window from the + strand, at shifts in gene direction, and reads it on both strands."""
    from pexbench.models.expecto.adapter import STEP, WINDOW, window_shifts

    card = find_model("expecto")
    chromosome = "".join(np.random.default_rng(5).choice(list("ACGT"), 60_000))
    centre = 30_123
    gene = Gene(gene_id="G", symbol="", contig="1", tss=centre + 1, strand=strand)
    window = window_of(gene, card.window_rule())
    oriented = chromosome[window.start : window.end]
    if window.reverse:
        oriented = reverse_complement(oriented)
    sign = 1 if strand == "+" else -1
    shifts = list(range(-20_000, 20_000, 200))
    assert window_shifts(card).tolist() == shifts
    for i, shift in enumerate(shifts):
        at = centre + shift * sign - 999
        original = chromosome[at : at + 2000]
        ours = oriented[STEP * i : STEP * i + WINDOW]
        assert sorted([ours, reverse_complement(ours)]) == sorted([original, reverse_complement(original)])
        assert ours == (original if strand == "+" else reverse_complement(original))
    assert len(oriented) == STEP * 199 + WINDOW
    # Windows have an even length, so that the same base is one further on the other strand.
    at = centre - window.start if strand == "+" else window.end - 1 - centre
    assert at == 100 * STEP + (999 if strand == "+" else 1000)


def test_weights_of_distance() -> None:
    from pexbench.models.expecto.adapter import distance_weights, window_shifts

    weights = distance_weights(window_shifts(find_model("expecto")))
    assert weights.shape == (10, 200)
    assert (weights[:, 100] == 1).all()
    assert (weights[:5, 101:] == 0).all()
    assert (weights[5:, :100] == 0).all()
    assert (weights[:5, :101] > 0).all()
    assert weights[0, 0] == pytest.approx(np.exp(-1))
    assert weights[4, 0] == pytest.approx(np.exp(-20))
    assert weights[5, 199] == pytest.approx(np.exp(-0.99))
    assert weights[9, 101] == pytest.approx(np.exp(-0.2))


def test_results_are_the_same_to_the_last_bit_in_any_batch(files: dict[str, Path]) -> None:
    made, codes = load(files), random_codes(5)
    alone = np.concatenate([made.predict(row[None]) for row in codes])
    assert len(set(alone.tolist())) == 5
    assert np.array_equal(made.predict(codes), alone)
    assert np.array_equal(made.predict(codes[::-1]), alone[::-1])
    assert np.array_equal(made.features(codes)[3:4], made.features(codes[3:4]))


@pytest.mark.parametrize("group", [1, 3, 1000])
def test_the_group_of_windows_does_not_matter(files: dict[str, Path], group: int) -> None:
    codes = random_codes(2)
    expected = load(files, window_batch=2).features(codes)
    np.testing.assert_allclose(load(files, window_batch=group).features(codes), expected, rtol=0, atol=1e-6)


def test_no_more_windows_at_once_than_asked(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    made, seen = load(files, window_batch=3), []
    trunk = made.network.trunk
    monkeypatch.setattr(made.network, "trunk", lambda letters: seen.append(tuple(letters.shape)) or trunk(letters))
    made.predict(random_codes(1))
    assert sum(shape[0] for shape in seen) == 14  # seven windows, two strands
    assert {shape[1:] for shape in seen} == {(4, 2000)}
    assert max(shape[0] for shape in seen) == 3


def test_features_and_chromatin_on_request(files: dict[str, Path]) -> None:
    made, codes = load(files), random_codes(3)
    chromatin, features = made.chromatin(codes), made.features(codes)
    assert chromatin.shape == (3, 7, 10)
    assert chromatin.dtype == features.dtype == np.float64
    assert ((chromatin > 0) & (chromatin < 1)).all()
    assert features.shape == (3, made.feature_count) == (3, 110)
    assert np.flatnonzero((features == 0).all(axis=0)).tolist() == list(range(0, 110, 11))
    weights = expecto_file.booster_weights(10, seed=2).astype(np.float64)
    np.testing.assert_allclose(made.predict(codes), features @ weights + np.float32(-0.4) + 2, rtol=0, atol=1e-6)
    assert made.chromatin(codes[:0]).shape == (0, 7, 10)
    assert made.features(codes[:0]).shape == (0, 110)
    for method in (made.features, made.chromatin):
        with pytest.raises(InputError, match=r"uint8 \[N, 3200\]"):
            method(codes[:, :-1])


def test_both_strands_count_the_same(files: dict[str, Path]) -> None:
    """Windows of the reverse complement are the same windows in the other order."""
    made, codes = load(files), np.random.default_rng(8).integers(0, 4, (1, LENGTH)).astype(np.uint8)
    np.testing.assert_allclose(made.chromatin(3 - codes[:, ::-1])[0], made.chromatin(codes)[0][::-1], rtol=0, atol=1e-6)


def test_n_is_no_letter(files: dict[str, Path]) -> None:
    """All N: every window is the same, and what the network makes of zeros."""
    made = load(files)
    chromatin = made.chromatin(np.full((1, LENGTH), 4, np.uint8))[0]
    arrays = expecto_file.parameters(expecto_file.shapes(), seed=1)
    expected = slow_beluga(arrays, expecto_file.SMALL, np.zeros((2000, 4)))
    np.testing.assert_allclose(chromatin, np.tile(expected, (7, 1)), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("length", "plus", "minus"), [(3300, 1599, 1599), (3200, 1600, 1599), (3200, 1599, 1799), (3200, 999, 999)]
)
def test_a_card_without_a_place_for_the_tss(files: dict[str, Path], length: int, plus: int, minus: int) -> None:
    with pytest.raises(InputError, match=f"input length {length} with the TSS at {plus} "):
        load(files, short_card(length, plus, minus))


def test_a_card_with_fewer_windows_upstream(files: dict[str, Path]) -> None:
    made = load(files, short_card(3200, 1199, 1999))
    assert made.predict(random_codes(2)).shape == (2,)


@pytest.mark.parametrize("group", [0, -1])
def test_a_group_of_no_windows(files: dict[str, Path], group: int) -> None:
    with pytest.raises(InputError, match=f"window_batch is {group}; a whole number of at least 1"):
        load(files, window_batch=group)


def test_an_unknown_device_is_refused(files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="device 'abacus' cannot be used"):
        load_adapter(short_card(), "torch", files, "abacus")


@pytest.mark.parametrize("name", ["beluga", "booster"])
def test_a_file_that_is_not_given_or_not_there(files: dict[str, Path], tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"weights '{name}' not given"):
        load({key: path for key, path in files.items() if key != name})
    with pytest.raises(InputError, match=r"absent\.bin: weights of model expecto not found"):
        load({**files, name: tmp_path / "absent.bin"})
