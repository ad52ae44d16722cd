"""Kipoi itself, in its own environment: models in folders whose output is known, run through the package."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import kipoi_folder

pytestmark = pytest.mark.original

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venvs" / "kipoi" / "bin" / "python"
LENGTH = 40
#: Loads models one after the other in one process and keeps all of them; a fault is told instead of numbers.
PROGRAM = """
import json, sys
import numpy as np
from pexbench.errors import InputError
from pexbench.models import find_model, load_adapter

codes, given = np.load("codes.npy", allow_pickle=False), json.load(open("options.json"))
adapters, results = {}, {}
for name, options in given.items():
    try:
        adapters[name] = load_adapter(find_model("kipoi"), None, {}, options=options)
    except InputError as error:
        results[name] = str(error)
for name, adapter in adapters.items():
    try:
        results[name] = adapter.predict(codes).astype(float).tolist()
    except InputError as error:
        results[name] = str(error)
json.dump(results, open("results.json", "w"))
"""
NETWORK = """
import torch


class Network(torch.nn.Module):
    def __init__(self, tracks):
        super().__init__()
        self.linear = torch.nn.Linear(4 * LENGTH, tracks)

    def forward(self, x):
        return self.linear(x.flatten(1)).squeeze()
"""
NETWORK_DESCRIPTION = """
defined_as: kipoi.model.PyTorchModel
args:
  weights: weights.pth
  module_class: network.Network
  module_kwargs:
    tracks: 3
default_dataloader:
  defined_as: kipoiseq.dataloaders.SeqIntervalDl
  default_args:
    auto_resize_len: LENGTH
    alphabet_axis: 0
    dummy_axis: 1
    alphabet: AGCT
info:
  authors:
  - name: Nobody
  doc: A linear network.
schema:
  inputs:
    name: seq
    special_type: DNASeq
    shape: (4, 1, LENGTH)
    doc: DNA
    associated_metadata: ranges
  targets:
    name: y
    shape: (3, )
    doc: Tracks
dependencies:
  pip:
  - kipoiseq
"""
DRAW = """
import numpy as np, torch

torch.manual_seed(5)
linear = torch.nn.Linear(4 * LENGTH, 3)
torch.save({"linear." + name: value for name, value in linear.state_dict().items()}, "weights.pth")
np.savez("weights.npz", **{name: value.numpy() for name, value in linear.state_dict().items()})
"""
ENCODE = """
import json, sys
import numpy as np
from kipoiseq.transforms import ReorderedOneHot

codes = np.load("codes.npy", allow_pickle=False)
turn = ReorderedOneHot(alphabet="AGCT", alphabet_axis=0, dummy_axis=1, dtype=np.float32)
np.save("encoded.npy", np.stack([turn("".join("ACGTN"[code] for code in row)) for row in codes]))
"""


def run(folder: Path, program: str) -> None:
    """Run a program in Kipoi's environment, with a home folder of its own."""
    if not PYTHON.exists():
        pytest.skip("environment kipoi is not built: python3 workflow/bin/environments.py kipoi")
    done = subprocess.run(
        [PYTHON, "-c", program.replace("LENGTH", str(LENGTH))],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT / "workflow" / "lib"), "PYTHONNOUSERSITE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def results(folder: Path, codes: np.ndarray, options: dict[str, dict[str, object]]) -> dict[str, list[float] | str]:
    """What the adapter gives for codes with each set of options, all in one process."""
    np.save(folder / "codes.npy", codes)
    (folder / "options.json").write_text(
        json.dumps({name: {"source": "dir", "length": LENGTH, **given} for name, given in options.items()})
    )
    run(folder, PROGRAM)
    made: dict[str, list[float] | str] = json.loads((folder / "results.json").read_text())
    return made


@pytest.fixture
def codes() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 5, (6, LENGTH)).astype(np.uint8)


def test_folders_in_every_shape(tmp_path: Path, codes: np.ndarray) -> None:
    options: dict[str, dict[str, object]] = {}
    wanted = {}
    for number, (shape, first) in enumerate(
        [((LENGTH, 4), False), ((4, LENGTH), True), ((4, 1, LENGTH), True), ((1, LENGTH, 4), False), ((None, 4), False)]
    ):
        for inputs in ("array", "mapping", "list"):
            name = f"{number}_{inputs}"
            folder = kipoi_folder.write(tmp_path / name, shape, channels_first=first, inputs=inputs, factor=number + 1)
            options[name] = {"model": str(folder), "track": 2}
            wanted[name] = kipoi_folder.expected(codes, "G") * (number + 1)
    for result in ("scalar", "column", "squeezed"):
        folder = kipoi_folder.write(tmp_path / result, (LENGTH, 4), result)
        options[result] = {"model": folder.name, "track": 1 if result == "squeezed" else -1}  # from the current folder
        wanted[result] = kipoi_folder.expected(codes, "C")
    folder = kipoi_folder.write(tmp_path / "bins", (LENGTH, 4), "bins", bins=8)
    options["bins"] = {"model": str(folder), "track": 3, "bins": 4}
    wanted["bins"] = kipoi_folder.expected(codes, "T", 10, 30) / 4
    made = results(tmp_path, codes, options)
    for name, numbers in wanted.items():
        np.testing.assert_allclose(made[name], numbers, rtol=1e-6, err_msg=name)


def test_a_pytorch_model_with_the_data_loaders_order_of_letters(tmp_path: Path, codes: np.ndarray) -> None:
    """Oracle: kipoiseq's own encoding, which is what the data loader of the model would give it."""
    pytorch = tmp_path / "network"
    pytorch.mkdir()
    (pytorch / "network.py").write_text(NETWORK.replace("LENGTH", str(LENGTH)))
    (pytorch / "model.yaml").write_text(NETWORK_DESCRIPTION.replace("LENGTH", str(LENGTH)))
    run(pytorch, DRAW)
    given = {"model": str(pytorch), "track": 1}
    made = results(tmp_path, codes, {"quarter": {**given, "unknown": "quarter"}, "zero": given})
    run(tmp_path, ENCODE)
    encoded = np.load(tmp_path / "encoded.npy")
    with np.load(pytorch / "weights.npz") as weights:
        for name, known in (("quarter", encoded), ("zero", np.where(encoded == 1, 1, 0))):
            numbers = known.reshape(len(known), -1) @ weights["weight"].T.astype(np.float64) + weights["bias"]
            np.testing.assert_allclose(made[name], numbers[:, 1], rtol=0, atol=1e-5)


def test_a_source_of_the_settings_file(tmp_path: Path, codes: np.ndarray) -> None:
    """Kipoi's repository has a config.yaml whose requirements it checks, which needs pkg_resources."""
    models = tmp_path / "models"
    kipoi_folder.write(models / "group" / "one", (LENGTH, 4), "scalar")
    (models / "config.yaml").write_text("dependencies:\n  pip:\n  - kipoi>=0.5.9\n")
    (tmp_path / ".kipoi").mkdir()
    sources = {"model_sources": {"mine": {"type": "local", "local_path": str(models)}}}
    (tmp_path / ".kipoi" / "config.yaml").write_text(json.dumps(sources))
    made = results(
        tmp_path,
        codes,
        {"here": {"model": "group/one", "source": "mine"}, "absent": {"model": "group/two", "source": "mine"}},
    )
    np.testing.assert_allclose(made["here"], kipoi_folder.expected(codes, "C"), rtol=1e-6)
    assert "could not be loaded (ValueError: model group/two doesn't exist)" in made["absent"]


def test_faults_are_told_in_words(tmp_path: Path, codes: np.ndarray) -> None:
    folder = kipoi_folder.write(tmp_path / "good", (LENGTH, 4))
    broken = kipoi_folder.write(tmp_path / "broken", (LENGTH, 4))
    (broken / "model.yaml").write_text("type: custom\nargs: [")
    absent = kipoi_folder.write(tmp_path / "absent", (LENGTH, 4))
    (absent / "model.py").write_text("import no_such_framework\n")
    made = results(
        tmp_path,
        codes,
        {
            "length": {"model": str(folder), "length": LENGTH + 2},
            "tracks": {"model": str(folder)},
            "source": {"model": str(folder), "source": "museum"},
            "broken": {"model": str(broken)},
            "absent": {"model": str(absent)},
        },
    )
    said = {
        "length": f"[{LENGTH}, 4] per sequence",
        "tracks": "its output has 4 tracks",
        "source": "sources kipoi, github-permalink, dir",
        "broken": "could not be loaded",
        "absent": "No module named 'no_such_framework'",
    }
    for name, part in said.items():
        assert part in made[name], made[name]
