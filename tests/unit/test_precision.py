"""Faster arithmetic: by name only, close to float32, leaving float32 as it was; and the numbers that judge it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import basenji2_file
import enformer_file
import expecto_file
import xpresso_file
from pexbench.errors import InputError
from pexbench.incremental import Sequences, from_letters
from pexbench.models import find_model, load_adapter
from pexbench.precision import agreement

NETWORKS = ["basenji2", "enformer", "expecto", "xpresso"]


@pytest.fixture
def one_thread() -> Iterator[None]:
    torch = pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def adapter(request: pytest.FixtureRequest, tmp_path: Path, one_thread: None) -> Any:
    """A small network of the model asked for."""
    pytest.importorskip("h5py", reason="h5py, which writes the drawn weights, is not installed here")
    if request.param == "enformer":
        file = enformer_file.write(tmp_path / "net.bin", enformer_file.parameters(enformer_file.TINY, seed=1))
        return enformer_file.adapter(file, reverse_complement=True)
    if request.param == "expecto":
        return expecto_file.load(expecto_file.files(tmp_path))
    card = find_model(request.param)
    card = dataclasses.replace(card, input=dataclasses.replace(card.input, length=512))
    if request.param == "basenji2":
        files = basenji2_file.files(tmp_path, basenji2_file.tiny())
        return load_adapter(card, "torch", files, options={"track": 3})
    model = xpresso_file.config(
        512, [{"filters": 8, "width": 6, "pool": 5}, {"filters": 4, "width": 9, "pool": 3}], [5, 2, 1]
    )
    file = xpresso_file.write(tmp_path / "net.h5", model, xpresso_file.parameters(model, seed=3))
    return load_adapter(card, "torch", {"network": file})


def haplotypes(length: int) -> Sequences:
    """Twenty that differ at many sites, and one kept whole."""
    rng = np.random.default_rng(1)
    reference = rng.integers(0, 4, length).astype(np.uint8)
    positions = np.sort(rng.choice(length, length // 8, replace=False))
    letters = np.where(rng.random((20, len(positions))) < 0.5, reference[positions], 3 - reference[positions])
    return from_letters(reference, positions, letters.astype(np.uint8), np.roll(reference, 1)[None])[0]


@pytest.mark.parametrize("adapter", NETWORKS, indirect=True)
def test_bf16_is_close_and_leaves_float32_alone(adapter: Any) -> None:
    sequences = haplotypes(adapter.card.input.length)
    codes = sequences.codes(np.arange(len(sequences)))
    assert adapter.precision == "float32"
    exact, plain = adapter.predict_haplotypes("G", sequences), adapter.predict(codes)
    adapter.use("bf16")
    fast, fast_plain = adapter.predict_haplotypes("G", sequences), adapter.predict(codes)
    for made in (fast, fast_plain):
        assert made.dtype == np.float32
        assert not np.array_equal(made, exact)
        assert agreement(made, exact).error_over_spread < 0.3
        assert np.corrcoef(made, exact)[0, 1] > 0.9
    adapter.use("float32")
    assert np.array_equal(adapter.predict_haplotypes("G", sequences), exact)
    assert np.array_equal(adapter.predict(codes), plain)


@pytest.mark.parametrize("adapter", NETWORKS, indirect=True)
def test_tf32_is_for_gpus(adapter: Any) -> None:
    with pytest.raises(InputError, match=r"precision tf32 on cpu; only NVIDIA GPUs have it; set inference\.precision"):
        adapter.use("tf32")


@pytest.mark.parametrize("adapter", NETWORKS, indirect=True)
def test_after_a_refusal_the_adapter_computes_in_what_it_had(adapter: Any) -> None:
    for name in ("tf32", "float16", "BF16"):
        with pytest.raises(InputError, match=f"model {adapter.card.name}: precision "):
            adapter.use(name)
        assert adapter.precision == "float32"


def test_settings_of_pytorch_are_put_back(one_thread: None) -> None:
    torch = pytest.importorskip("torch")
    from pexbench.models.torch_exact import PRECISIONS, arithmetic

    def state() -> tuple[bool, ...]:
        return (
            torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark,
            torch.backends.cudnn.deterministic, torch.is_autocast_enabled("cpu"), torch.is_inference_mode_enabled(),
        )  # fmt: skip

    for before in (False, True):
        torch.backends.cuda.matmul.allow_tf32 = before
        outside = state()
        for precision in PRECISIONS:
            with arithmetic(precision):
                assert torch.backends.cuda.matmul.allow_tf32 == torch.backends.cudnn.allow_tf32 == (precision == "tf32")
                assert torch.is_autocast_enabled("cpu") == (precision == "bf16")
                assert torch.is_inference_mode_enabled()
            assert state() == outside
            with pytest.raises(RuntimeError, match="inside"), arithmetic(precision):
                raise RuntimeError("inside")
            assert state() == outside
    torch.backends.cuda.matmul.allow_tf32 = False


@pytest.mark.parametrize("ties", [False, True])
def test_agreement_is_error_over_spread_and_spearman(ties: bool) -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy, the oracle, is not in this environment")
    rng = np.random.default_rng(2)
    for count in (2, 3, 10, 200):
        exact = rng.standard_normal(count).astype(np.float32)
        fast = (exact + 0.3 * rng.standard_normal(count)).astype(np.float32)
        if ties:
            exact, fast = np.append(exact, exact[:1]), np.append(fast, fast[:1])
        found = agreement(fast, exact)
        off = fast.astype(np.float64) - exact.astype(np.float64)
        assert found.error_over_spread == pytest.approx(off.std() / exact.astype(np.float64).std(), rel=1e-12)
        assert found.rank_agreement == pytest.approx(stats.spearmanr(fast, exact).statistic, rel=1e-12)


def test_an_offset_alone_is_no_error() -> None:
    exact = np.array([1, 2, 4, 8], np.float32)
    assert agreement(exact + 16, exact) == (0, pytest.approx(1))
    assert agreement(exact, exact) == (0, pytest.approx(1))
    assert agreement(-exact, exact).rank_agreement == pytest.approx(-1)
    assert agreement(-exact, exact).error_over_spread == pytest.approx(2)


def test_a_faster_precision_that_tells_nobody_apart() -> None:
    found = agreement(np.full(4, 3, np.float32), np.array([1, 2, 4, 8], np.float32))
    assert found == (pytest.approx(1), 0)


@pytest.mark.parametrize("exact", [[], [1], [2, 2, 2]])
def test_nothing_to_compare(exact: list[float]) -> None:
    values = np.array(exact, np.float32)
    assert np.isnan(agreement(values, values)).all()
