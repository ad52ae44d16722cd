"""Basenji2 at full size against the original's outputs, under weights drawn by the golden files' rule."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import basenji2_file
from pexbench.models import find_model, load_adapter

pytestmark = [pytest.mark.real, pytest.mark.slow]
h5py = pytest.importorskip("h5py", reason="h5py is not in the environment that runs this test")
ROOT = Path(__file__).resolve().parents[2]
TENSORFLOW = ROOT / ".venvs" / "tensorflow" / "bin" / "python"
VALUES, MOMENTS = 2e-4, 1e-5
FORWARD: dict[str, Any] = {"reverse_complement": False, "shifts": "0"}
#: Every output of every case, by the original framework, in its own environment.
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from pexbench.models import find_model, load_adapter
files = {name: Path(path) for name, path in json.loads(sys.argv[1]).items()}
codes = np.load(sys.argv[2], allow_pickle=False)
made = {}
for name, options in {"forward": json.loads(sys.argv[4]), "ensemble": {}}.items():
    adapter = load_adapter(find_model("basenji2"), "original", files, options=options)
    for i, row in enumerate(codes):
        made[f"{name} {i + 1}"] = adapter.profile(row[None], (0, 896))[0]
        made[f"{name} {i + 1} predicted"] = adapter.predict(row[None])
np.savez(sys.argv[3], **made)
"""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine take twice as long as one."""
    try:
        import torch
    except ImportError:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def found(mirror: Path, name: str) -> Path:
    """A file of the mirror, in whichever folder it lies."""
    path = next(mirror.rglob(name), None)
    if path is None:
        pytest.skip(f"{name} is not in the mirror {mirror}")
    return path


@pytest.fixture(scope="module")
def golden(mirror: Path) -> dict[str, Any]:
    return json.loads(found(mirror, "basenji2.json").read_text())


@pytest.fixture(scope="module")
def rule(mirror: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_weights", found(mirror, "golden_weights.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn(golden: dict[str, Any], rule: ModuleType) -> dict[str, np.ndarray]:
    arrays = {}
    for path, entry in golden["parameters"].items():
        array = rule.value(path, entry["shape"])
        assert np.isclose(float(array.ravel()[0]), entry["first"], rtol=1e-6), path
        arrays[path.removeprefix("model_weights/")] = array
    return arrays


@pytest.fixture(scope="module")
def files(mirror: Path, drawn: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    path = basenji2_file.write(tmp_path_factory.mktemp("basenji2") / "model_human.h5", drawn)
    yield {"weights": path, "params": found(mirror, find_model("basenji2").weights()["params"])}
    path.unlink()


def check(output: np.ndarray, case: dict[str, Any]) -> None:
    """A whole output [bins, tracks] against a golden case."""
    assert list(output.shape) == case["shape"] == [896, 5313]
    (first, last), tracks = case["bins"], case["tracks"]
    largest = 0.0
    for name, rows in {"values": range(first, last + 1), "first_bin": [0], "last_bin": [895]}.items():
        found = output[np.ix_(rows, tracks)]
        expected = np.array(case[name]).reshape(found.shape)
        largest = max(largest, float(np.abs(found - expected).max()))
        np.testing.assert_allclose(found, expected, rtol=0, atol=VALUES, err_msg=name)
    moments = [output.mean(dtype=np.float64) - case["mean"], output.std(dtype=np.float64) - case["sd"]]
    print(f"{case['case']} {case['seed']}: values {largest:.2g}, mean {moments[0]:.2g}, sd {moments[1]:.2g}")
    np.testing.assert_allclose(moments, 0, atol=MOMENTS)


def at_tss(case: dict[str, Any]) -> float:
    """What the adapter is to give: the mean of the ten centre bins of track 5110."""
    assert case["tracks"][1] == 5110
    return float(np.mean([row[1] for row in case["values"]]))


@pytest.mark.parametrize("case", ["forward", "ensemble"])
@pytest.mark.parametrize("seed", [1, 2])
def test_equals_the_original(golden: Any, rule: ModuleType, files: dict[str, Path], case: str, seed: int) -> None:
    pytest.importorskip("torch", reason="torch is not installed here; run in an environment that has it")
    expected = next(c for c in golden["cases"] if (c["case"], c["seed"]) == (case, seed))
    adapter = load_adapter(find_model("basenji2"), "torch", files, options=FORWARD if case == "forward" else {})
    codes = rule.bases(seed, expected["length"]).astype(np.uint8)[None]
    check(adapter.profile(codes, (0, 896))[0].T, expected)
    np.testing.assert_allclose(adapter.predict(codes), [at_tss(expected)], rtol=0, atol=VALUES)


def test_a_file_of_weights_only_is_the_same(
    rule: ModuleType, drawn: Any, files: dict[str, Path], tmp_path: Path
) -> None:
    """The other layout, and layers that another process has numbered and named, give the same bits."""
    pytest.importorskip("torch", reason="torch is not installed here; run in an environment that has it")
    names: dict[str, str] = {}
    renamed = {}
    for name, array in drawn.items():
        layer, _, kind = name.split("/")
        # Counted down, so that sorting by name or number would turn the network round.
        new = names.setdefault(layer, f"{layer.split('_')[0]}_{900 - len(names)}")
        renamed[f"{new}/{new}/{kind}"] = array
    path = basenji2_file.write(tmp_path / "weights_only.h5", renamed, whole=False)
    codes = rule.bases(1, 131072).astype(np.uint8)[None]
    first, second = (
        load_adapter(find_model("basenji2"), "torch", {**files, "weights": file}, options=FORWARD).predict(codes)
        for file in (files["weights"], path)
    )
    path.unlink()
    assert np.array_equal(first, second)


@pytest.mark.original
def test_the_keras_implementation_equals_the_original(
    golden: Any, rule: ModuleType, files: dict[str, Path], tmp_path: Path
) -> None:
    if not TENSORFLOW.exists():
        pytest.skip("environment tensorflow is not built: python3 workflow/bin/environments.py tensorflow")
    np.save(tmp_path / "codes.npy", np.stack([rule.bases(seed, 131072).astype(np.uint8) for seed in (1, 2)]))
    given = json.dumps({name: str(path) for name, path in files.items()})
    done = subprocess.run(
        [TENSORFLOW, "-c", PROGRAM, given, tmp_path / "codes.npy", tmp_path / "out.npz", json.dumps(FORWARD)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow" / "lib")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(tmp_path / "out.npz", allow_pickle=False) as made:
        for case in golden["cases"]:
            name = f"{case['case']} {case['seed']}"
            check(made[name], case)
            np.testing.assert_allclose(made[f"{name} predicted"], [at_tss(case)], rtol=0, atol=VALUES)
    (tmp_path / "out.npz").unlink()
