"""Beluga and ExPecto at full size against the golden outputs of the original, with weights drawn by the golden rule."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pexbench.models import Card, find_model, load_adapter

torch = pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")
pytestmark = [pytest.mark.real, pytest.mark.slow]
MIRROR = os.environ.get("PEXBENCH_MIRROR")
CENTRE = 196_608  # of the golden sequence, the TSS on both strands


def mirror(path: str) -> Path:
    if not MIRROR:
        pytest.skip("PEXBENCH_MIRROR, the folder with the real data, is not set")
    found = Path(MIRROR) / path
    if not found.exists():
        pytest.skip(f"{found} is not in the mirror")
    return found


def golden(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(mirror(f"golden/{name}.json").read_text())
    return result


@pytest.fixture(scope="module")
def rule() -> ModuleType:
    """The golden files' rule for weights and sequences."""
    spec = importlib.util.spec_from_file_location("golden_weights", mirror("golden/golden_weights.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def card() -> Card:
    return find_model("expecto")


@pytest.fixture(scope="module")
def adapter(rule: ModuleType, card: Card, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("expecto") / card.weights()["beluga"]
    arrays = {}
    for name, entry in golden("beluga")["parameters"].items():
        arrays[name] = torch.from_numpy(rule.value(name, entry["shape"]))
        assert float(arrays[name].flatten()[0]) == entry["first"], name
    torch.save(arrays, path)
    del arrays
    booster = mirror(f"weights/expecto/{card.weights()['booster']}")
    yield load_adapter(card, "torch", {"beluga": path, "booster": booster})
    path.unlink()


def test_sizes_are_those_of_the_file(adapter: Any) -> None:
    layers = adapter.network.architecture.convolutions
    assert [layer.outputs for layer in layers] == [320, 320, 480, 480, 640, 640]
    assert [layer.pooled for layer in layers] == [False, True, False, True, False, False]
    assert adapter.network.architecture.trunk_size(2000) == 67840
    assert adapter.feature_count == 20030


def test_beluga(adapter: Any, rule: ModuleType) -> None:
    cases = golden("beluga")["cases"]
    assert len(cases) == 8
    worst = 0.0
    for case in cases:
        letters = rule.one_hot(rule.bases(case["seed"], 2000), "AGCT")
        if case["strand"] == "reverse_complement":
            letters = letters[::-1, ::-1]
        with torch.inference_mode():
            found = adapter.network(torch.from_numpy(letters.T[None].copy()))[0].numpy()
        worst = max(worst, float(np.abs(found[case["features"]] - np.array(case["values"])).max()))
        np.testing.assert_allclose(found[case["features"]], case["values"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(
            [found.mean(dtype=np.float64), found.std(dtype=np.float64)], [case["mean"], case["sd"]], rtol=0, atol=1e-6
        )
    print(f"beluga: largest difference {worst:.2e}")


@pytest.mark.parametrize("strand", ["+", "-"])
def test_expecto(adapter: Any, card: Card, rule: ModuleType, strand: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = next(case for case in golden("expecto")["cases"] if case["strand"] == strand)
    bases = rule.bases(case["seed"], case["length"])
    start = CENTRE - (card.input.tss_index_plus if strand == "+" else card.input.tss_index_minus)
    marks = case["windows"]
    if strand == "+":
        assert (start, start + 20_000) == (marks["first_starts_at"], marks["shift_0_starts_at"])
        assert start + 39_800 == marks["last_starts_at"]
    else:
        assert (start, start + 19_800) == (marks["last_starts_at"], marks["shift_0_starts_at"])
        assert start + 39_800 == marks["first_starts_at"]
    codes = bases[start : start + card.input.length].astype(np.uint8)
    codes = codes if strand == "+" else 3 - codes[::-1]

    chromatin = adapter.chromatin(codes[None])[0]
    expected = case["window_marks"]
    assert list(chromatin.shape) == expected["shape"]
    np.testing.assert_allclose(
        [chromatin.mean(), chromatin.std()], [expected["mean"], expected["sd"]], rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(chromatin[100, :5], expected["row_100_first_5"], rtol=0, atol=1e-5)

    # Further passes over the same windows would say nothing new.
    monkeypatch.setattr(adapter, "_chromatin", lambda row: chromatin)
    features, prediction = adapter.features(codes[None])[0], adapter.predict(codes[None])[0]
    expected = case["features"]
    assert features.shape == (expected["length"],)
    assert np.flatnonzero(features == 0).tolist() == expected["zeros_at"]
    for found, name in (
        (features[:20], "first_20"),
        (features[-5:], "last_5"),
        (features[2003:2008], "at_2003_to_2007"),
        (features.mean(), "mean"),
        (features.std(), "sd"),
        (np.sqrt(features @ features), "l2"),
    ):
        np.testing.assert_allclose(found, expected[name], rtol=1e-5, atol=0, err_msg=name)
    assert prediction == pytest.approx(case["prediction"], rel=0, abs=card.tolerance)
    # One float32 of this size is 7.6e-6 from the next: the sum is right to the digits that a float32 has.
    assert prediction == pytest.approx(case["prediction_float64_dot"], rel=0, abs=1e-5)
    print(
        f"expecto {strand}: features {np.abs(features[:20] / np.maximum(expected['first_20'], 1e-9) - 1)[1:].max():.2e} "
        f"relative, prediction {prediction - case['prediction']:.2e} (xgboost), "
        f"{prediction - case['prediction_float64_dot']:.2e} (float64)"
    )
