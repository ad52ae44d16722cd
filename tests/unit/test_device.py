"""Which device a model runs on: a GPU is one process's at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pexbench.errors import InputError
from pexbench.models import device

torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
LIBRARY = Path(__file__).resolve().parents[2] / "workflow" / "lib"
HOLDER = """
import sys
from pathlib import Path
from pexbench.models.device import claim
print(claim(sys.argv[2:], Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def released(monkeypatch: pytest.MonkeyPatch):
    """Locks taken by a test end with it."""
    held: list = []
    monkeypatch.setattr(device, "_HELD", held)
    yield
    for handle in held:
        handle.close()


def holder(folder: Path, *names: str) -> subprocess.Popen[str]:
    """Another process that takes a GPU and keeps it."""
    command = [sys.executable, "-c", HOLDER, str(folder), *names]
    return subprocess.Popen(
        command, env={"PYTHONPATH": str(LIBRARY)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_each_process_takes_a_gpu_of_its_own(tmp_path: Path) -> None:
    other = holder(tmp_path, "a", "b", "c")
    assert other.stdout.readline().strip() == "0"
    assert device.claim(["a", "b", "c"], tmp_path) == 1
    # Seen in another order, as CUDA_VISIBLE_DEVICES may have it: names decide, not numbers.
    assert device.claim(["b", "a", "c"], tmp_path) == 2
    other.communicate("")


def test_a_gpu_is_free_again_when_its_process_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = holder(tmp_path, "a")
    assert other.stdout.readline().strip() == "0"
    waited = []

    def ended(seconds: float) -> None:
        waited.append(seconds)
        other.kill()
        other.wait()

    monkeypatch.setattr(device.time, "sleep", ended)
    assert device.claim(["a"], tmp_path) == 0
    assert len(waited) == 1, "it waited while the other process held the GPU"
    other.communicate()


@pytest.mark.parametrize(("count", "expected"), [(1, "cuda"), (3, "cuda:0")])
def test_a_gpu_is_chosen_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, expected: str
) -> None:
    monkeypatch.setattr(device.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid=f"gpu-{number}"))
    assert device.choose_device("auto", "torch") == expected
    assert device.choose_device("cpu", "torch") == "cpu"
    assert device.choose_device("auto", "tensorflow") == "cpu"


def test_a_gpu_that_was_asked_for_and_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose_device("auto", "torch") == "cpu"
    with pytest.raises(InputError, match=r"device cuda: no GPU is seen .* set inference.device to 'auto' or 'cpu'"):
        device.choose_device("cuda", "torch")
