"""The check of an environment: its own packages, the pinned versions, the GPU that was promised."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pexbench import environment
from pexbench.errors import InputError


def test_the_environment_of_these_tests_passes() -> None:
    pins = {"numpy": importlib.metadata.version("numpy")}
    assert environment.check_environment("dev", pins) == pins


def test_another_version_and_an_absent_package_are_told_together() -> None:
    pins = {"numpy": "0.1", "no-such-package": "2.0"}
    with pytest.raises(InputError, match=r"numpy is [\d.]+, 0\.1 is pinned, no-such-package is absent, 2\.0 is pinned"):
        environment.check_environment("base", pins)


def test_a_build_mark_is_no_other_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2.13.0+cu128")
    assert environment.check_environment("torch", {"torch": "2.13.0"}) == {"torch": "2.13.0+cu128"}


def test_a_package_from_elsewhere_is_told_with_its_place(root: Path, tmp_path: Path) -> None:
    """What ~/.local and PYTHONPATH do: the name is the same, the files are others."""
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("")
    pins = tmp_path / "base.yaml"
    pins.write_text(f"  - pip:\n      - numpy=={importlib.metadata.version('numpy')}\n")
    command = [sys.executable, "-m", "pexbench", "check_environment", "--environment", "base", "--pins", str(pins)]
    command += ["--output", str(tmp_path / "out.json")]
    leak = os.environ | {"PYTHONPATH": f"{root / 'workflow' / 'lib'}{os.pathsep}{tmp_path}"}
    done = subprocess.run(command, env=leak, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"numpy would be imported from {tmp_path / 'numpy'}" in done.stderr
    assert "PYTHONPATH" in done.stderr
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("asked", "variables", "why"),
    [
        ("auto", {}, ""),
        ("cpu", {"SLURM_STEP_GPUS": "0"}, ""),
        ("cuda", {}, "inference.device is 'cuda'"),
        ("auto", {"SLURM_STEP_GPUS": "0"}, "SLURM gave the job one (SLURM_STEP_GPUS=0)"),
        ("auto", {"SLURM_JOB_GPUS": ""}, ""),
    ],
)
def test_when_a_gpu_is_promised(asked: str, variables: dict[str, str], why: str) -> None:
    assert environment.promised_gpu(asked, variables) == why


def test_a_promised_gpu_that_is_not_seen_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_STEP_GPUS", "0")
    with pytest.raises(InputError, match=r"no GPU is seen, although SLURM gave the job one .*nvidia-smi"):
        environment.check_gpu("torch", "auto", [])
    environment.check_gpu("torch", "auto", ["NVIDIA H100"])
    environment.check_gpu("base", "auto", None)  # no framework that could see one


def test_torch_is_asked_for_gpus() -> None:
    pytest.importorskip("torch")
    assert isinstance(environment.seen_gpus(["numpy", "torch"]), list)
    assert environment.seen_gpus(["numpy"]) is None
