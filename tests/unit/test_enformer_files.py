"""What Enformer's adapters say of damaged, wrong and dangerous weight files; the original framework's adapter."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import enformer_file
from enformer_file import TINY, adapter, draw
from pexbench.errors import InputError

torch = pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")
ROOT = Path(__file__).resolve().parents[2]


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


def refusal(file: Path) -> str:
    with pytest.raises(InputError) as error:
        adapter(file)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "not found" in refusal(tmp_path / "absent.bin")


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_truncated_file(tmp_path: Path, path: Path, share: float) -> None:
    whole = path.read_bytes()
    (tmp_path / "half.bin").write_bytes(whole[: int(len(whole) * share)])
    assert "no whole file of PyTorch" in refusal(tmp_path / "half.bin")


def test_a_page_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "page.bin").write_text("<html>404</html>")
    assert "no whole file of PyTorch" in refusal(tmp_path / "page.bin")


class Payload:
    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> Any:
        return (Path.touch, (self.touched,))


def test_a_file_that_carries_code_runs_none_of_it(tmp_path: Path) -> None:
    torch.save({"stem.0.weight": Payload(tmp_path / "touched")}, tmp_path / "evil.bin")
    sentence = refusal(tmp_path / "evil.bin")
    assert "tensors only" in sentence
    assert "weights_only=False" not in sentence
    assert not (tmp_path / "touched").exists()
    torch.load(tmp_path / "evil.bin", weights_only=False)
    assert (tmp_path / "touched").exists(), "the file would have run code, had it been let"


def test_a_file_of_something_else(tmp_path: Path) -> None:
    torch.save([1, 2, 3], tmp_path / "list.bin")
    assert "the content is list" in refusal(tmp_path / "list.bin")
    torch.save({"model.0.weight": torch.zeros(3)}, tmp_path / "other.bin")
    assert "parameter stem.0.weight is missing; float32 [any, 4, any] is expected" in refusal(tmp_path / "other.bin")


@pytest.mark.parametrize(
    "name",
    [
        "stem.0.weight",
        "conv_tower.1.0.2.bias",
        "conv_tower.0.1.fn.0.running_var",
        "conv_tower.0.2.to_attn_logits.weight",
        "transformer.1.0.fn.1.to_rel_k.weight",
        "transformer.0.1.fn.4.bias",
        "final_pointwise.1.2.weight",
        "_heads.human.0.bias",
    ],
)
def test_a_missing_parameter_is_named(tmp_path: Path, arrays: dict[str, np.ndarray], name: str) -> None:
    del arrays[name]
    assert f"parameter {name} is missing; float32 [" in refusal(enformer_file.write(tmp_path / "network.bin", arrays))


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("stem.0.weight", np.zeros((4, 5, 15), np.float32), "is float32 [4, 5, 15]; float32 [any, 4, any]"),
        ("stem.0.weight", np.zeros((4, 4, 14), np.float32), "is 14 wide; an odd width"),
        ("stem.0.bias", np.zeros(5, np.float32), "is float32 [5]; float32 [4]"),
        ("conv_tower.0.0.2.weight", np.zeros((6, 4), np.float32), "is float32 [6, 4]; float32 [any, 4, any]"),
        ("conv_tower.0.1.fn.2.weight", np.zeros((6, 6, 3), np.float32), "is float32 [6, 6, 3]; float32 [6, 6, 1]"),
        ("conv_tower.0.1.fn.0.running_var", np.full(6, -1, np.float32), "is negative somewhere"),
        ("conv_tower.1.0.2.bias", np.zeros(8, np.float16), "is float16 [8]; float32 [8]"),
        ("transformer.0.0.fn.1.to_k.weight", np.zeros((5, 8), np.float32), "is float32 [5, 8]; float32 [6, 8]"),
        ("transformer.1.0.fn.1.to_rel_k.weight", np.zeros((6, 18), np.float32), "[6, 18]; float32 [6, 12]"),
        ("transformer.0.0.fn.1.to_rel_k.weight", np.zeros((6, 8), np.float32), "8 position features; a multiple of 6"),
        ("transformer.0.0.fn.1.to_v.weight", np.zeros((9, 8), np.float32), "9 channels; a multiple of the 2 heads"),
        ("transformer.1.1.fn.1.bias", np.full(9, np.nan, np.float32), "is not finite everywhere"),
        ("_heads.human.0.weight", np.zeros((7, 11), np.float32), "is float32 [7, 11]; float32 [any, 10]"),
    ],
)
def test_a_wrong_parameter_is_named(
    tmp_path: Path, arrays: dict[str, np.ndarray], name: str, array: np.ndarray, told: str
) -> None:
    sentence = refusal(enformer_file.write(tmp_path / "network.bin", {**arrays, name: array}))
    assert f"parameter {name} is " in sentence
    assert told in sentence


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("stem.3.weight", "stem.3.weight"),
        ("transformer.4.0.fn.0.weight", "transformer.4.0.fn.0.weight"),
        ("_heads.cat.0.weight", "_heads.cat.0.weight"),
    ],
)
def test_an_unexpected_parameter_is_named(tmp_path: Path, arrays: dict[str, np.ndarray], name: str, told: str) -> None:
    sentence = refusal(enformer_file.write(tmp_path / "network.bin", {**arrays, name: np.zeros(2, np.float32)}))
    assert f"besides Enformer's parameters is {told}" in sentence


def test_no_transformer_layer_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    trunk = {name: array for name, array in arrays.items() if not name.startswith("transformer.")}
    assert "number of transformer layers is 0" in refusal(enformer_file.write(tmp_path / "trunk.bin", trunk))


def test_second_names_that_differ_are_refused(tmp_path: Path, path: Path) -> None:
    held = torch.load(path, weights_only=True)
    held["_trunk.1.0.bias"] = held["stem.0.bias"] + 1
    torch.save(held, tmp_path / "two.bin")
    assert "parameter _trunk.1.0.bias is different; the same as stem.0.bias" in refusal(tmp_path / "two.bin")


#: Loads each archive, and says what it predicts for three sequences or why it is refused.
ORIGINAL = """
import dataclasses, json, sys
from pathlib import Path
import numpy as np
import tensorflow as tf
import enformer_file
from pexbench.errors import InputError
from pexbench.models import find_model, load_adapter
folder, length = Path(sys.argv[1]), int(sys.argv[2])
card = find_model("enformer")
card = dataclasses.replace(card, input=dataclasses.replace(card.input, length=length))
codes = np.load(folder / "codes.npy", allow_pickle=False)
with np.load(folder / "arrays.npz", allow_pickle=False) as given:
    arrays = {name: given[name] for name in given.files}
def written(name, change):
    model = enformer_file.saved_model(arrays, 2 * length, 2)
    change(model)
    return enformer_file.write_saved_model(folder / name, model)
def no_model(model):
    del model.model
def reads_a_file(model):
    inner = model.model.predict_on_batch
    spec = tf.TensorSpec([None, 2 * length, 4], tf.float32)
    def predict(x):
        size = tf.strings.length(tf.io.read_file("/etc/hostname"))
        return {"human": inner(x)["human"] + tf.cast(size, tf.float32)}
    model.model.predict_on_batch = tf.function(predict, input_signature=[spec])
def calls_python(model):
    spec = tf.TensorSpec([None, 2 * length, 4], tf.float32)
    def predict(x):
        return {"human": tf.numpy_function(lambda y: y[:, :3], [x], tf.float32)}
    model.model.predict_on_batch = tf.function(predict, input_signature=[spec])
good = written("good.tar.gz", lambda model: None)
written("no_model.tar.gz", no_model)
written("file.tar.gz", reads_a_file)
written("python.tar.gz", calls_python)
(folder / "half.tar.gz").write_bytes(good.read_bytes()[:2000])
(folder / "unpacked").mkdir()
import tarfile
with tarfile.open(good) as archive:
    archive.extractall(folder / "unpacked", filter="data")
(folder / "damaged").mkdir()
(folder / "damaged" / "saved_model.pb").write_bytes(b"\\xff" * 100)
options = {"track": 3, "bins": 4, "crop": 2}
told = {}
def attempt(name, path, **other):
    try:
        made = load_adapter(card, "original", {"saved_model": path}, options={**options, **other})
        told[name] = made.predict(codes).tolist()
    except InputError as error:
        told[name] = str(error)
for name in ("good", "no_model", "file", "python", "half", "empty", "outside"):
    attempt(name, folder / f"{name}.tar.gz")
attempt("unpacked", folder / "unpacked" / "saved_model.pb")
attempt("damaged", folder / "damaged" / "saved_model.pb")
attempt("both strands", good, reverse_complement=True, bins=3)
attempt("another crop", good, crop=1)
attempt("another track", good, track=99)
(folder / "told.json").write_text(json.dumps(told))
"""


@pytest.mark.original
@pytest.mark.slow
def test_the_original_framework_loads_predicts_and_refuses(tmp_path: Path) -> None:
    python = enformer_file.TENSORFLOW
    if not python.exists():
        pytest.skip("environment tensorflow is not built: python3 workflow/bin/environments.py tensorflow")
    # The original's bins are 128 bp.
    length = 20 * 128
    arrays = enformer_file.parameters(dataclasses.replace(enformer_file.SMALL, tracks=7), seed=5)
    np.savez(tmp_path / "arrays.npz", **arrays)
    codes = draw(3, length)
    np.save(tmp_path / "codes.npy", codes)
    with tarfile.open(tmp_path / "empty.tar.gz", "w:gz"):
        pass
    with tarfile.open(tmp_path / "outside.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("../../escaped.txt")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    paths = os.pathsep.join([str(ROOT / "workflow" / "lib"), str(ROOT / "tests")])
    done = subprocess.run(
        [python, "-c", ORIGINAL, tmp_path, str(length)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads((tmp_path / "told.json").read_text())
    file = enformer_file.write(tmp_path / "pytorch_model.bin", arrays)
    np.testing.assert_allclose(told["good"], adapter(file, length).predict(codes), rtol=0, atol=1e-4)
    assert told["unpacked"] == told["good"]
    both = adapter(file, length, reverse_complement=True, bins=3).predict(codes)
    np.testing.assert_allclose(told["both strands"], both, rtol=0, atol=1e-4)
    for name, part in {
        "no_model": "no model.predict_on_batch",
        "file": "operations that reach beyond the graph (ReadFile)",
        "python": "operations that reach beyond the graph (PyFunc)",
        "half": "no whole archive",
        "empty": "an archive with 0 files saved_model.pb",
        "outside": "no whole archive",
        "damaged": "a damaged saved_model.pb",
        "another crop": "an output of 16 bins",
        "another track": "option track is 99; 0 to 6",
    }.items():
        assert part in str(told[name]), name
    assert not (tmp_path.parent / "escaped.txt").exists()
