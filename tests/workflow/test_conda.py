"""``--sdm conda``: the environment files, and how Snakemake's environments reach the jobs.

No conda channel is asked: a stand-in for the command records what it is told and makes environments that lead to the
virtual environment 'base'. That the packages of the channels exist and fit together is not tested here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from snakemake_runs import ROOT, Clone, make_clone

ENVIRONMENTS = sorted(path.stem for path in (ROOT / "envs").glob("*.yaml"))
COMMAND = f"""#!{sys.executable}
import json, os, pathlib, sys
words = sys.argv[1:]
top = pathlib.Path(__file__).resolve().parents[1]
with open(top / "asked", "a") as asked:
    print(*words, file=asked)
if words[:1] == ["--version"]:
    print("conda 24.7.1")
elif words[:1] == ["info"]:
    print(json.dumps({{"conda_prefix": str(top), "platform": "linux-64"}}))
elif words[:1] == ["config"]:
    print(json.dumps({{"get": {{"channel_priority": "strict"}}}}))
elif words[:2] == ["env", "create"]:
    place = pathlib.Path(words[words.index("--prefix") + 1], "bin")
    place.mkdir(parents=True)
    python = place / "python"
    python.write_text("#!/bin/sh\\nexec {ROOT}/.venvs/base/bin/python \\"$@\\"\\n")
    python.chmod(0o755)
elif words[:1] != ["clean"]:
    sys.exit(f"stand-in for conda: {{words}}")
"""


@pytest.fixture
def conda(tmp_path: Path) -> Path:
    """A folder like conda's own, with a command that stands in for it."""
    top = tmp_path / "conda"
    (top / "bin").mkdir(parents=True)
    (top / "bin" / "conda").write_text(COMMAND)
    (top / "bin" / "conda").chmod(0o755)
    (top / "bin" / "activate").write_text('export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n')
    return top


@pytest.mark.workflow
def test_jobs_run_in_the_environments_that_snakemake_makes(tmp_path: Path, conda: Path) -> None:
    clone: Clone = make_clone(tmp_path / "clone")
    (clone.folder / ".venvs").unlink()  # nothing else to fall back to
    environment = os.environ | {"PATH": f"{conda / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = clone.run("results/test/simulated/genes.tsv", "--sdm", "conda", environment=environment)
    assert done.returncode == 0, done.stdout
    asked = (conda / "asked").read_text()
    assert asked.count("env create") == 1
    kept = next((clone.folder / ".snakemake" / "conda").glob("*.yaml"))
    assert yaml.safe_load(kept.read_text()) == yaml.safe_load((ROOT / "envs" / "base.yaml").read_text())


@pytest.mark.workflow
def test_a_login_node_can_build_all_environments_first(tmp_path: Path, conda: Path) -> None:
    clone = make_clone(tmp_path / "clone")
    card = clone.folder / "gc_content" / "card.yaml"
    card.write_text(card.read_text().replace("environment: base", "environment: torch"))
    environment = os.environ | {"PATH": f"{conda / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = clone.run("--sdm", "conda", "--conda-create-envs-only", environment=environment)
    assert done.returncode == 0, done.stdout
    assert (conda / "asked").read_text().count("env create") == 2
    assert not (clone.folder / "results" / "test" / "simulated").exists()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment_files_have_the_form_that_conda_reads(name: str) -> None:
    document = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())
    assert set(document) == {"channels", "dependencies"}
    assert set(document["channels"]) <= {"conda-forge", "bioconda"}
    plain = [entry for entry in document["dependencies"] if isinstance(entry, str)]
    assert all(re.fullmatch(r"[a-z0-9_-]+(=[0-9.]+)?", entry) for entry in plain), plain
    assert "pip" in plain, "conda wants pip named where packages come from it"
    assert re.fullmatch(r"python=3\.\d+", plain[0])
    assert document["dependencies"][-1].keys() == {"pip"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_pin_exists(name: str) -> None:
    """By what is installed in the environment that pip made from the file; else by asking the package index."""
    entries = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())["dependencies"]
    pins = dict(pin.split("==") for pin in entries[-1]["pip"])
    python = ROOT / ".venvs" / name / "bin" / "python"
    if python.exists():
        asked = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
        shown = subprocess.run([python, "-c", asked, *pins], capture_output=True, text=True, check=True).stdout
        found = {package: version.partition("+")[0] for package, version in json.loads(shown).items()}
        assert found == pins
        return
    for package, version in pins.items():
        asked = [sys.executable, "-m", "pip", "index", "versions", package]
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=120)
        if answer.returncode:
            pytest.skip(
                f"environment {name} is not built, and the package index cannot be asked: {answer.stderr[-200:]}"
            )
        assert re.search(rf"[ ,]{re.escape(version)}(,|$)", answer.stdout, flags=re.MULTILINE), f"{package}=={version}"
