"""Enformer's port against a slow float64 network written out by hand, and which of its numbers are read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import enformer_file
from enformer_file import TINY, TINY_OPTIONS, Sizes, adapter, card_of, draw
from pexbench.errors import InputError
from pexbench.models import find_model, load_adapter
from pexbench.models.base import one_hot
from pexbench.models.enformer.positions import gamma_features, position_features
from pexbench.models.enformer.readout import readout

torch = pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    return enformer_file.parameters(TINY, seed=1)


@pytest.fixture
def path(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Path:
    return enformer_file.write(tmp_path / "pytorch_model.bin", arrays)


def slow(p: dict[str, np.ndarray], codes: np.ndarray) -> np.ndarray:
    """All bins and tracks of one sequence, position by position in float64, before any crop."""
    p = {name: array.astype(np.float64) for name, array in p.items()}

    def convolution(name: str, x: np.ndarray) -> np.ndarray:
        kernel, reach = p[f"{name}.weight"], p[f"{name}.weight"].shape[2] // 2
        x = np.concatenate([np.zeros((reach, x.shape[1])), x, np.zeros((reach, x.shape[1]))])
        windows = [x[i : i + 2 * reach + 1] for i in range(len(x) - 2 * reach)]
        return np.array([np.einsum("wi,oiw->o", window, kernel) for window in windows]) + p[f"{name}.bias"]

    def gelu(x: np.ndarray) -> np.ndarray:
        return x / (1 + np.exp(-1.702 * x))

    def block(name: str, x: np.ndarray) -> np.ndarray:
        x = (x - p[f"{name}.0.running_mean"]) / np.sqrt(p[f"{name}.0.running_var"] + 1e-5)
        return convolution(f"{name}.2", gelu(x * p[f"{name}.0.weight"] + p[f"{name}.0.bias"]))

    def pool(name: str, x: np.ndarray) -> np.ndarray:
        logits = x @ p[f"{name}.to_attn_logits.weight"][:, :, 0, 0].T
        pooled = []
        for i in range(0, len(x), 2):
            weights = np.exp(logits[i : i + 2])
            pooled.append((x[i : i + 2] * weights / weights.sum(axis=0)).sum(axis=0))
        return np.array(pooled)

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
        return x * p[f"{name}.weight"] + p[f"{name}.bias"]

    def attention(name: str, x: np.ndarray) -> np.ndarray:
        _, heads, _, keys = p[f"{name}.rel_content_bias"].shape
        table = enformer_file.position_table(len(x), p[f"{name}.to_rel_k.weight"].shape[1])
        query, key, value = (x @ p[f"{name}.to_{part}.weight"].T for part in "qkv")
        distance, mixed = table @ p[f"{name}.to_rel_k.weight"].T, []
        for h in range(heads):
            mine = slice(h * keys, (h + 1) * keys)
            content, position = (p[f"{name}.rel_{kind}_bias"][0, h, 0] for kind in ("content", "pos"))
            out = []
            for i in range(len(x)):
                q = query[i, mine] / np.sqrt(keys)
                logits = [
                    (q + content) @ key[j, mine] + (q + position) @ distance[j - i + len(x) - 1, mine]
                    for j in range(len(x))
                ]
                weights = np.exp(logits - np.max(logits))
                out.append(weights / weights.sum() @ np.split(value, heads, axis=1)[h])
            mixed.append(out)
        return np.concatenate(mixed, axis=1) @ p[f"{name}.to_out.weight"].T + p[f"{name}.to_out.bias"]

    x = convolution("stem.0", one_hot(codes[None])[0].astype(np.float64))
    x = pool("stem.2", x + block("stem.1.fn", x))
    for i in range(sum(name.startswith("conv_tower.") and name.endswith(".0.2.weight") for name in p)):
        x = block(f"conv_tower.{i}.0", x)
        x = pool(f"conv_tower.{i}.2", x + block(f"conv_tower.{i}.1.fn", x))
    for i in range(sum(name.endswith(".to_q.weight") for name in p)):
        x = x + attention(f"transformer.{i}.0.fn.1", norm(f"transformer.{i}.0.fn.0", x))
        y = norm(f"transformer.{i}.1.fn.0", x) @ p[f"transformer.{i}.1.fn.1.weight"].T
        y = np.maximum(y + p[f"transformer.{i}.1.fn.1.bias"], 0)
        x = x + y @ p[f"transformer.{i}.1.fn.4.weight"].T + p[f"transformer.{i}.1.fn.4.bias"]
    x = gelu(block("final_pointwise.1", x))
    return np.log1p(np.exp(x @ p["_heads.human.0.weight"].T + p["_heads.human.0.bias"]))


@pytest.mark.parametrize(
    "sizes",
    [
        TINY,
        Sizes((5, 3, 4, 6), 7, 3, layers=1, heads=3, keys=2, values=1, features=6, tracks=7, mouse=4),
        Sizes((6, 6), 3, 9, layers=3, heads=1, keys=8, values=3, features=24, tracks=7),
    ],
    ids=["eight-fold", "sixteen-fold, with a mouse head", "four-fold"],
)
def test_equals_the_network_written_out(tmp_path: Path, sizes: Sizes) -> None:
    arrays = enformer_file.parameters(sizes, seed=3)
    made = adapter(enformer_file.write(tmp_path / "network.bin", arrays))
    codes = draw(3)
    codes[2, 40:] = 4
    total = 160 // 2 ** len(sizes.channels)
    for row in codes:
        expected = slow(arrays, row)
        assert expected.std() > 0.1
        np.testing.assert_allclose(made.outputs(row[None], slice(None)), expected, rtol=0, atol=2e-5)
        np.testing.assert_allclose(made.outputs(row[None]), expected[2 : total - 2], rtol=0, atol=2e-5)
        here = expected[total // 2 - 2 : total // 2 + 2, 3].mean()
        np.testing.assert_allclose(made.predict(row[None]), [here], rtol=0, atol=2e-5)


@pytest.mark.parametrize(("bins", "first", "last"), [(10, 443, 452), (1, 448, 448), (3, 447, 449), (896, 0, 895)])
def test_bins_read_of_the_published_network(bins: int, first: int, last: int) -> None:
    card = find_model("enformer")
    made = readout(card, card.settings({"bins": bins}), 5313)
    assert made.total == 1536
    assert made.target == 896
    assert (made.forward.start - made.crop, made.forward.stop - 1 - made.crop) == (first, last)
    # The bin of the TSS is the one in the middle, and the reverse complement's bins cover the same bases.
    assert card.input.tss_index_plus == card.input.tss_index_minus == 98304
    assert 98304 // 128 in range(made.forward.start, made.forward.stop)
    bases = set(range(made.forward.start * 128, made.forward.stop * 128))
    turned = {196607 - base for base in range(made.reverse.start * 128, made.reverse.stop * 128)}
    assert bases == turned


def test_track_and_bins_are_chosen_by_options(path: Path) -> None:
    codes = draw(2)
    every = np.stack([adapter(path).outputs(row[None], slice(None)) for row in codes])
    for track, bins, chosen in [
        (0, 4, slice(8, 12)),
        (6, 1, slice(10, 11)),
        (6, 3, slice(9, 12)),
        (2, 5, slice(8, 13)),
    ]:
        found = adapter(path, track=track, bins=bins).predict(codes)
        np.testing.assert_allclose(found, every[:, chosen, track].mean(axis=1), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(adapter(path, crop=0).predict(codes), adapter(path, crop=8).predict(codes))


@pytest.mark.parametrize(("bins", "turned"), [(4, slice(8, 12)), (3, slice(8, 11))])
def test_both_strands_are_averaged_over_the_same_bases(path: Path, bins: int, turned: slice) -> None:
    codes = draw(2)
    complement = np.array([3, 2, 1, 0, 4], np.uint8)[codes[:, ::-1]]
    one = adapter(path, bins=bins)
    other = np.array([one.outputs(row[None], turned)[:, 3].mean() for row in complement])
    found = adapter(path, bins=bins, reverse_complement=True).predict(codes)
    np.testing.assert_allclose(found, (one.predict(codes) + other) / 2, rtol=0, atol=1e-6)
    assert np.abs(found - one.predict(codes)).min() > 1e-3


def test_results_are_the_same_to_the_last_bit_in_any_batch(path: Path) -> None:
    made, codes = adapter(path), draw(7)
    alone = np.concatenate([made.predict(row[None]) for row in codes])
    assert len(set(alone.tolist())) == 7
    assert np.array_equal(made.predict(codes), alone)
    assert np.array_equal(made.predict(codes[::-1]), alone[::-1])


@pytest.mark.parametrize("names", ["first", "second"])
def test_second_names_may_be_absent_or_the_only_ones(
    tmp_path: Path, arrays: dict[str, np.ndarray], path: Path, names: str
) -> None:
    other = enformer_file.write(tmp_path / "other.bin", arrays, names)
    assert np.array_equal(adapter(other).predict(draw(2)), adapter(path).predict(draw(2)))


def test_the_trunk_in_pieces_is_the_trunk(tmp_path: Path) -> None:
    sizes = dataclasses.replace(enformer_file.SMALL, tracks=1)
    file = enformer_file.write(tmp_path / "small.bin", enformer_file.parameters(sizes, 2))
    trunk = adapter(file, 40 * 128, track=0, crop=15).network.trunk
    assert (trunk.bin, trunk.margin) == (128, 259)
    codes = np.random.default_rng(1).integers(0, 4, (1, 40 * 128))
    x = torch.from_numpy(one_hot(codes.astype(np.uint8)).transpose(0, 2, 1).copy())
    whole = trunk(x)
    assert whole.shape == (1, 8, 40)
    assert float(whole.std()) > 0.1
    for bins in (1, 7, 16, 40, 100):
        np.testing.assert_allclose(trunk.in_pieces(x, bins), whole, rtol=0, atol=1e-5, err_msg=str(bins))
    # The margin is what a bin sees, and no more is needed: bin 20 begins at base 2560.
    for distance, seen in [(259, True), (260, False)]:
        changed = x.clone()
        changed[0, :, 2560 - distance] = torch.tensor([5.0, -5.0, 3.0, -3.0])
        assert bool((trunk(changed)[0, :, 20] != whole[0, :, 20]).any()) == seen


def test_position_features_are_the_published_formulas() -> None:
    scipy_stats = pytest.importorskip("scipy.stats", reason="scipy, the oracle, is not in this environment")
    table = position_features(1536, 192, "exact")
    assert table.shape == (3071, 192)
    assert table.dtype == np.float32
    middle = 1535
    np.testing.assert_allclose(table[middle + 8, 0], 0.5, rtol=1e-6)
    np.testing.assert_allclose(table[middle + 16, 0], 0.25, rtol=1e-6)
    np.testing.assert_allclose(table[-1, 31], 0.5 ** (1535 / 1536), rtol=1e-6)
    for k in range(32):
        assert table[:, 32 + k].sum() == min(2 * (2 ** (k + 1) - 1) - 1, 3071)
    distance = np.abs(np.arange(-1535, 1536))
    for k, mean in enumerate(range(48, 1537, 48)):
        density = scipy_stats.gamma.pdf(distance, (mean / 24) ** 2, scale=24**2 / mean) + 1e-8
        np.testing.assert_allclose(table[:, 64 + k], density / density.max(), rtol=0, atol=1e-6)
    # Once as they are, once with the sign of the distance (key minus query).
    np.testing.assert_array_equal(table[middle + 1 :, 96:], table[middle + 1 :, :96])
    np.testing.assert_array_equal(table[:middle, 96:], -table[:middle, :96])
    assert not table[middle, 96:].any()


def test_the_rounded_gamma_table_is_another_one_and_nearly_the_same(path: Path) -> None:
    exact, rounded = gamma_features(1536, 32), gamma_features(1536, 32, "float32")
    assert rounded.dtype == np.float32
    assert 1e-3 < np.abs(exact - rounded).max() < 3e-3
    codes = draw(2)
    first, second = adapter(path).predict(codes), adapter(path, gamma="float32").predict(codes)
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"track": 7}, "option track is 7; 0 to 6"),
        ({"track": -1}, "option track is -1"),
        ({"bins": 0}, "option bins is 0; 1 to 16"),
        ({"bins": 17}, "option bins is 17; 1 to 16"),
        ({"crop": -1}, "option crop is -1; 0 to 9"),
        ({"crop": 10}, "option crop is 10; 0 to 9"),
        ({"gamma": "double"}, "option gamma is 'double'; one of exact, float32"),
        ({"bins": 4.0}, "option bins is 4.0"),
    ],
)
def test_an_option_out_of_range_is_refused(path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match="model enformer: ") as error:
        adapter(path, **options)
    assert told in str(error.value)


def test_an_odd_number_of_bins_in_all(path: Path) -> None:
    codes = draw(1, 168)
    made = adapter(path, 168, bins=17)
    assert made.predict(codes) == pytest.approx(made.outputs(codes)[:, 3].mean(), abs=1e-6)
    with pytest.raises(InputError, match="option bins is 18; 1 to 17"):
        adapter(path, 168, bins=18)


@pytest.mark.parametrize("length", [164, 8, 4])
def test_a_length_that_is_no_number_of_bins_is_refused(path: Path, length: int) -> None:
    with pytest.raises(InputError, match=f"input length {length} found; a multiple of 8, at least 16"):
        adapter(path, length)


def test_an_unknown_device_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="device 'abacus' cannot be used"):
        load_adapter(card_of(160), "torch", {"network": path}, "abacus", TINY_OPTIONS)
