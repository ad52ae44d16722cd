"""Derivatives of a prediction by its letters, against finite differences in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pexbench.models import find_model
from pexbench.models.base import Adapter
from pexbench.models.kmer_ridge.adapter import count_gradient, features, kmer_columns

STEP = 1e-5


def probes(length: int, seed: int, count: int = 40) -> np.ndarray:
    """Places, among them the ends."""
    rng = np.random.default_rng(seed)
    return np.unique([0, length - 1, *rng.integers(0, length, count)])


def differences(value: Callable[[np.ndarray], float], letters: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Central differences of a function of letters float64 [L, 4], at some places: float64 [P, 4].

    NaN where those to the left and to the right are not the same: max pooling over two stretches that are alike has no
    derivative.
    """
    sides, here = np.empty((2, len(places), 4)), value(letters)
    for number, place in enumerate(places):
        for channel in range(4):
            for side, sign in enumerate((1, -1)):
                changed = letters.copy()
                changed[place, channel] += sign * STEP
                sides[side, number, channel] = sign * (value(changed) - here) / STEP
    return np.where(np.abs(sides[0] - sides[1]) < 1e-3 * np.abs(sides).max(), sides.mean(axis=0), np.nan)


def counted(letters: np.ndarray, k: int) -> np.ndarray:
    """Counts of k-mers where letters may be any numbers: sums over places of products, written out."""
    columns = kmer_columns(k)
    counts = np.zeros(int(columns.max()) + 1)
    for number, column in enumerate(columns):
        spelled = [number // 4 ** (k - 1 - i) % 4 for i in range(k)]
        products = np.prod([letters[i : len(letters) - k + 1 + i, spelled[i]] for i in range(k)], axis=0)
        counts[column] += products.sum()
    return counts


@pytest.mark.parametrize("k", [1, 2, 3])
def test_kmer_ridge(k: int) -> None:
    rng = np.random.default_rng(k)
    codes = rng.integers(0, 5, 60).astype(np.uint8)
    letters = np.eye(5)[codes][:, :4]
    weights = rng.normal(size=int(kmer_columns(k).max()) + 1)
    np.testing.assert_allclose(np.log1p(counted(letters, k)), features(codes[None], k)[0], atol=1e-12)
    every = np.arange(len(codes))
    wanted = differences(lambda given: float(np.log1p(counted(given, k)) @ weights), letters, every)
    np.testing.assert_allclose(count_gradient(codes, k, weights), wanted, atol=1e-6)
    assert np.abs(wanted).max() > 0.01


def test_kmer_ridge_takes_the_genes_own_fold(tmp_path: Path) -> None:
    from pexbench.models import load_adapter, load_training

    card = find_model("kmer_ridge")
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 4, (40, card.input.length)).astype(np.uint8)
    names = [f"G{number}" for number in range(40)]
    places = [("1", 10_000 * i, 10_000 * i + card.input.length) for i in range(40)]
    np.savez(tmp_path / "trained.npz", **load_training(card)(codes, names, places, (codes == 2).mean(axis=1), 1))
    made = load_adapter(card, None, {"trained": tmp_path / "trained.npz"})
    found = [made.input_gradient(name, codes[:1]) for name in ("G0", "unknown")]
    assert found[0].shape == (1, card.input.length, 4)
    assert found[0].dtype == np.float32
    assert not np.array_equal(found[0], found[1])


def test_a_model_without_a_gradient_says_none() -> None:
    assert Adapter.input_gradient(object(), "G", np.zeros((1, 4), np.uint8)) is None  # type: ignore[arg-type]


# PyTorch: the networks in float64, then what the adapter gives in float32.

torch = pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def doubled(made: Any) -> Any:
    """The same model computing in float64."""
    twin = copy.copy(made)
    for name, value in vars(made).items():
        if isinstance(value, torch.nn.Module):
            setattr(twin, name, copy.deepcopy(value).double())
        elif isinstance(value, torch.Tensor):
            setattr(twin, name, value.double())
    if hasattr(made, "_parameters"):  # Xpresso
        twin._parameters = {
            layer: {name: value.double() for name, value in own.items()} for layer, own in made._parameters.items()
        }
    if hasattr(getattr(made, "network", None), "tower"):  # Basenji2
        twin.network = copy.deepcopy(made.network)
        waiting = [twin.network, twin.network.tower, twin.network.body]
        while waiting:
            part = waiting.pop()
            inner = getattr(part, "steps", ())
            waiting += inner if isinstance(inner, tuple) else [inner]
            for name, value in vars(part).items():
                if isinstance(value, torch.Tensor):
                    setattr(part, name, value.double())
    return twin


def check(made: Any, codes: np.ndarray, tolerance: float = 2e-5) -> None:
    """Differences and derivative agree in float64 (but where a kink lies between), and float32 agrees with them."""
    twin = doubled(made)
    letters = np.eye(5)[codes][:, :4]

    def value(given: np.ndarray) -> float:
        with torch.no_grad():
            return float(twin.from_letters(torch.from_numpy(np.ascontiguousarray(given.T[None]))))

    assert value(letters) == pytest.approx(float(made.predict(codes[None])[0]), rel=2e-5, abs=1e-6)
    places = probes(len(codes), 1)
    wanted = differences(value, letters, places)
    found = made.input_gradient("G", codes[None])
    assert found.shape == (1, len(codes), 4)
    assert found.dtype == np.float32
    smooth = ~np.isnan(wanted)
    assert smooth.mean() > 0.9
    size = np.abs(wanted[smooth]).max()
    assert size > 1e-4
    np.testing.assert_allclose(found[0, places][smooth], wanted[smooth], rtol=0, atol=tolerance * size)


def drawn(length: int, seed: int, unknown: int = 0) -> np.ndarray:
    """Random bases; N's are for networks without max pooling, which has no derivative where all is alike."""
    codes = np.random.default_rng(seed).integers(0, 4, length).astype(np.uint8)
    codes[length // 3 : length // 3 + unknown] = 4
    return codes


def test_xpresso(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="h5py, which writes the drawn weights, is not installed here")
    import xpresso_file
    from pexbench.models import load_adapter

    arrays = xpresso_file.parameters(xpresso_file.PUBLISHED, seed=4)
    file = xpresso_file.write(tmp_path / "network.h5", xpresso_file.PUBLISHED, arrays)
    made = load_adapter(find_model("xpresso"), "torch", {"network": Path(file)})
    check(made, drawn(10500, 1))


def test_basenji2(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="h5py, which writes the drawn weights, is not installed here")
    from test_shared_models import basenji2

    for number, options in enumerate([{"bins": 10}, {"bins": 3, "shifts": "3,0,-128"}]):
        folder = tmp_path / str(number)
        folder.mkdir()
        check(basenji2(folder, 512, **options), drawn(512, 2))


@pytest.mark.parametrize("both", [False, True])
def test_enformer(tmp_path: Path, both: bool) -> None:
    import enformer_file

    file = enformer_file.write(tmp_path / "net.bin", enformer_file.parameters(enformer_file.TINY, seed=1))
    check(enformer_file.adapter(file, 256, reverse_complement=both), drawn(256, 3, unknown=20), tolerance=1e-4)


def test_expecto(tmp_path: Path) -> None:
    import expecto_file

    made = expecto_file.load(expecto_file.files(tmp_path), expecto_file.short_card(3200, 1599, 1599))
    check(made, drawn(3200, 4))
