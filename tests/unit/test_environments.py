"""Environments: one place for pins, and the launcher that picks an environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml


@pytest.fixture
def setup(root: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(root / "workflow" / "bin"))
    import environments

    return environments


def test_pins_are_read_as_conda_reads_them(setup, root: Path) -> None:  # type: ignore[no-untyped-def]
    """Oracle: the YAML parser that conda uses."""
    for path in sorted((root / "envs").glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        expected = next(entry["pip"] for entry in document["dependencies"] if isinstance(entry, dict))
        assert setup.pins(path.stem) == expected
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[^=]+", pin) for pin in expected), "every package is pinned"


def test_a_package_has_the_same_pin_in_every_environment_that_shares_a_process(setup) -> None:  # type: ignore[no-untyped-def]
    pins: dict[str, set[str]] = {}
    for part in setup.COMBINED["dev"]:
        for pin in setup.pins(part):
            name, version = pin.split("==")
            pins.setdefault(name, set()).add(version)
    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}


def test_no_pins_elsewhere(root: Path) -> None:
    found = [
        path
        for path in [root / "pyproject.toml", *root.glob("workflow/**/*.py"), *root.glob("workflow/**/*.smk")]
        if re.search(r'"[a-z0-9_-]+==\d', path.read_text())
    ]
    assert found == []


def test_an_unknown_environment_is_told(root: Path) -> None:
    command = [sys.executable, str(root / "workflow" / "bin" / "environments.py"), "julia"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "environments are base, dev" in done.stderr


def fake_python(folder: Path, says: str) -> None:
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(f"#!/bin/sh\necho {says} $@\n")
    python.chmod(0o755)


@pytest.fixture
def clone(root: Path, tmp_path: Path) -> Path:
    """A folder with the launcher and a fake environment 'torch'."""
    launcher = tmp_path / "clone" / "workflow" / "bin" / "pexbench"
    launcher.parent.mkdir(parents=True)
    launcher.write_bytes((root / "workflow" / "bin" / "pexbench").read_bytes())
    launcher.chmod(0o755)
    fake_python(tmp_path / "clone" / ".venvs" / "torch", "venv")
    return tmp_path / "clone"


def launch(clone: Path, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {key: value for key, value in os.environ.items() if key != "CONDA_PREFIX"}
    command = [str(clone / "workflow" / "bin" / "pexbench"), name, "predict", "--x"]
    return subprocess.run(command, env=plain | environment, capture_output=True, text=True)


def test_without_conda_the_virtual_environment_is_used(clone: Path) -> None:
    assert launch(clone, "torch").stdout == "venv -m pexbench predict --x\n"


def test_a_conda_environment_that_merely_is_active_is_not_used(clone: Path, tmp_path: Path) -> None:
    fake_python(tmp_path / "mine", "conda")
    assert launch(clone, "torch", CONDA_PREFIX=str(tmp_path / "mine")).stdout.startswith("venv")


def test_a_conda_environment_made_by_snakemake_wins(clone: Path, tmp_path: Path) -> None:
    fake_python(tmp_path / "0123abc_", "conda")
    (tmp_path / "0123abc_.env_setup_done").touch()
    assert launch(clone, "torch", CONDA_PREFIX=str(tmp_path / "0123abc_")).stdout.startswith("conda -m pexbench")


def test_no_environment_is_told_with_the_remedy(clone: Path) -> None:
    done = launch(clone, "jax")
    assert done.returncode == 1
    assert "make setup" in done.stderr
