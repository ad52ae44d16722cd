"""Enformer at full size against the original's outputs, under weights drawn by the golden files' rule."""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pexbench.models import find_model, load_adapter
from pexbench.models.enformer.positions import gamma_features, position_features

pytestmark = pytest.mark.real
#: Largest difference of a value and of mean and sd: with the same gamma table, and with another.
SAME, OTHER = (2e-3, 1e-5), (1e-2, 2e-5)
ROOT = Path(__file__).resolve().parents[2]
TENSORFLOW = ROOT / ".venvs" / "tensorflow" / "bin" / "python"
#: Draws the weights and saves them with the interface of the published SavedModel; the gamma features are computed by
#: TensorFlow in float32, in the original's order.
WRITE = """
import json, sys
from pathlib import Path
import numpy as np, tensorflow as tf
golden, folder = map(Path, sys.argv[1:])
sys.path.insert(0, str(golden))
import enformer_file, golden_weights
told = json.loads((golden / "enformer.json").read_text())["parameters"]
first = {golden_weights.canonical(name): entry["shape"] for name, entry in told.items()}
arrays = {name: np.ascontiguousarray(golden_weights.value(name, shape)) for name, shape in first.items()}
bins, each = 1536, 32
distance = tf.abs(tf.range(1 - bins, bins, dtype=tf.float32))[:, None]
mean, deviation = tf.constant(np.linspace(bins / each, bins, each), tf.float32), bins / each / 2
shape, rate = (mean / deviation) ** 2, mean / deviation**2
log = tf.math.xlogy(shape - 1, distance) - rate * distance
gamma = tf.exp(log - (tf.math.lgamma(shape) - shape * tf.math.log(rate))) + 1e-8
gamma = (gamma / tf.reduce_max(gamma, axis=0)).numpy()
table = enformer_file.position_table(bins, 6 * each)
assert 5e-4 < abs(table[:, 2 * each : 3 * each] - gamma).max() < 5e-3
table[:, 2 * each : 3 * each] = gamma
table[:, 5 * each :] = gamma * np.sign(np.arange(1 - bins, bins))[:, None]
tf.saved_model.save(enformer_file.saved_model(arrays, 393216, 320, table), str(folder))
"""
#: The adapter's whole output [bins, tracks] and its prediction.
PREDICT = """
import sys
from pathlib import Path
import numpy as np
from pexbench.models import find_model, load_adapter
adapter = load_adapter(find_model("enformer"), "original", {"saved_model": Path(sys.argv[1])})
outputs, network = [], adapter._predict
adapter._predict = lambda codes: outputs.append(network(codes)) or outputs[-1]
predicted = adapter.predict(np.load(sys.argv[2], allow_pickle=False))
np.savez(sys.argv[3], output=outputs[0], predicted=predicted)
"""


@pytest.fixture(scope="module")
def golden(mirror: Path) -> dict[str, Any]:
    return json.loads((mirror / "golden" / "enformer.json").read_text())


@pytest.fixture(scope="module")
def rule(mirror: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_weights", mirror / "golden" / "golden_weights.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn(golden: dict[str, Any], rule: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The drawn weights in the published layout, second names included; 1 GB, removed afterwards."""
    torch = pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")
    tensors: dict[str, Any] = {}
    for name, told in golden["parameters"].items():
        first = rule.canonical(name)
        if first not in tensors:
            array = np.ascontiguousarray(rule.value(name, told["shape"]))
            np.testing.assert_allclose(array.ravel()[0], told["first"], rtol=1e-6, atol=0, err_msg=name)
            tensors[first] = torch.from_numpy(array)
    path = tmp_path_factory.mktemp("drawn") / "pytorch_model.bin"
    torch.save({name: tensors[rule.canonical(name)] for name in golden["parameters"]}, path)
    tensors.clear()
    gc.collect()
    yield path
    path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "gamma", "case", "limits"),
    [
        (1, "exact", "human_with_float64_gamma_table", SAME),
        (1, "float32", "human_with_tensorflow_2_21_gamma_table", SAME),
        (2, "exact", "human", OTHER),
    ],
)
def test_equals_the_original(
    golden: dict[str, Any],
    rule: ModuleType,
    drawn: Path,
    seed: int,
    gamma: str,
    case: str,
    limits: tuple[float, float],
) -> None:
    told = next(entry for entry in golden["cases"] if entry["seed"] == seed)
    wanted, human = told[case], told["human"]
    adapter = load_adapter(find_model("enformer"), "torch", {"network": drawn}, options={"gamma": gamma})
    codes = rule.bases(seed, told["length"]).astype(np.uint8)[None]
    output = adapter.outputs(codes)
    assert list(output.shape) == human["shape"] == [896, 5313]
    first, last = human["bins"]
    found = output[first : last + 1][:, human["tracks"]]
    print(f"{gamma}, seed {seed}: max abs {np.abs(found - wanted['values']).max():.1e}")
    assert found.std() > 0.4
    np.testing.assert_allclose(found, wanted["values"], rtol=0, atol=limits[0])
    np.testing.assert_allclose(output.mean(dtype=np.float64), wanted["mean"], rtol=0, atol=limits[1])
    np.testing.assert_allclose(output.std(dtype=np.float64), wanted["sd"], rtol=0, atol=limits[1])
    if case == "human":
        # What the model gives: the mean of the golden file's ten bins of track 5110.
        assert human["tracks"][1] == adapter.options["track"] == 5110
        expected = np.mean([row[1] for row in wanted["values"]])
        np.testing.assert_allclose(adapter.predict(codes), [expected], rtol=0, atol=limits[0])


@pytest.mark.slow
@pytest.mark.original
def test_the_tensorflow_implementation_equals_the_original(mirror: Path, rule: ModuleType, tmp_path: Path) -> None:
    if not TENSORFLOW.exists():
        pytest.skip("environment tensorflow is not built: python3 workflow/bin/environments.py tensorflow")
    told = json.loads((mirror / "golden" / "enformer_tf.json").read_text())["cases"][0]
    assert told["seed"] == 1
    np.save(tmp_path / "codes.npy", rule.bases(1, told["length"]).astype(np.uint8)[None])
    graph, out = tmp_path / "saved_model", tmp_path / "out.npz"
    # One process to write and one to predict, so that memory is that of one of them.
    for program, *arguments in (
        (WRITE, mirror / "golden", graph),
        (PREDICT, graph / "saved_model.pb", tmp_path / "codes.npy", out),
    ):
        done = subprocess.run(
            [TENSORFLOW, "-c", program, *arguments],
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'workflow' / 'lib'}{os.pathsep}{ROOT / 'tests'}"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    shutil.rmtree(graph)  # 1 GB
    with np.load(out, allow_pickle=False) as made:
        output, predicted = made["output"], made["predicted"]
    human = told["human"]
    assert list(output.shape) == human["shape"] == [896, 5313]
    first, last = human["bins"]
    found = output[first : last + 1][:, human["tracks"]]
    moments = [output.mean(dtype=np.float64) - human["mean"], output.std(dtype=np.float64) - human["sd"]]
    largest = np.abs(found - human["values"]).max()
    print(f"TensorFlow, seed 1: max abs {largest:.1e}, mean {moments[0]:.1e}, sd {moments[1]:.1e}")
    np.testing.assert_allclose(found, human["values"], rtol=0, atol=SAME[0])
    np.testing.assert_allclose(moments, 0, atol=SAME[1])
    assert human["tracks"][1] == 5110
    np.testing.assert_allclose(predicted, [np.mean([row[1] for row in human["values"]])], rtol=0, atol=SAME[0])


def test_equals_the_original_position_features(mirror: Path) -> None:
    rows = json.loads((mirror / "golden" / "enformer_gamma.json").read_text())["rows"]
    assert len(rows) == 10
    exact, rounded = gamma_features(1536, 32), gamma_features(1536, 32, "float32")
    table = position_features(1536, 192, "exact")
    for row in rows:
        d = row["distance"]
        np.testing.assert_allclose(exact[d], row["float64"], rtol=0, atol=1e-12, err_msg=str(d))
        np.testing.assert_allclose(rounded[d], row["tensorflow_2_21"], rtol=0, atol=2e-6, err_msg=str(d))
        np.testing.assert_allclose(table[1535 + d, 64:96], row["float64"], rtol=0, atol=1e-7, err_msg=str(d))
        np.testing.assert_allclose(table[1535 - d, 64:96], row["float64"], rtol=0, atol=1e-7, err_msg=str(d))
