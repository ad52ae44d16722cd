"""Run Snakemake for real, in a copy of the workflow whose code a test may change."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from outside_card import outside_card

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "workflow", "config", "envs", "profiles")

#: A model from outside the package: GC content of the window, in gene direction; waits a little so that it can be killed.
CARD = outside_card("gc_content", length=600, plus=299, minus=300)
ADAPTER = '''
import os
import time

import numpy as np

from pexbench.models.base import Adapter


class Model(Adapter):
    """Share of G and C."""

    def forward(self, codes):
        time.sleep(float(os.environ.get("TEST_MODEL_SECONDS", "0")))
        return np.isin(codes, (1, 2)).mean(axis=1).astype(np.float32)
'''


@dataclass
class Clone:
    """A copy of the workflow in a folder of its own, with its own results."""

    folder: Path

    def run(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run Snakemake to its end; output and errors together in ``stdout``."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=1800,
        )

    def command(self, *arguments: str) -> list[str]:
        """The command line of a run."""
        snakemake = ROOT / ".venvs" / "snakemake" / "bin" / "snakemake"
        # The configuration comes last: --configfile takes every word that follows it.
        return [str(snakemake), *arguments, "--cores", "2", "--configfile", "test.yaml"]

    def planned(self, *arguments: str) -> dict[str, int]:
        """Jobs of a dry run by rule, without the target rules that only collect."""
        done = self.run("-n", *arguments)
        assert done.returncode == 0, done.stdout
        table = done.stdout.split("Job stats:")[-1] if "Job stats:" in done.stdout else ""
        found = {name: int(count) for name, count in re.findall(r"^(\S+)\s+(\d+)$", table, flags=re.MULTILINE)}
        return {name: count for name, count in found.items() if name not in ("total", "all", "figures", "scores")}

    def tables(self) -> dict[str, bytes]:
        """Final tables and figures of the run, by path."""
        top = self.folder / "results" / "test"
        paths = [*top.glob("*.tsv"), *top.glob("scores/*"), *top.glob("predictions/*.*"), *top.glob("figures/*")]
        return {str(path.relative_to(top)): path.read_bytes() for path in sorted(paths)}


def make_clone(folder: Path, **changes: object) -> Clone:
    """Copy the workflow and write a small configuration with one built-in and one outside model."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    (folder / ".venvs").symlink_to(ROOT / ".venvs")
    (folder / "slurm").symlink_to(Path("profiles", "slurm"))
    model = folder / "gc_content"
    model.mkdir()
    (model / "card.yaml").write_text(CARD)
    (model / "adapter.py").write_text(ADAPTER)
    settings: dict[str, object] = {
        "run": "test",
        "simulation": {"people": 40, "genes": 24, "seed": 3},
        "genes_per_shard": 6,
        "checked_haplotypes_per_shard": 5,
        "models": {"kmer_ridge": {"card": "kmer_ridge"}, "gc_content": {"card": "gc_content"}},
        "control_model": "kmer_ridge",
        "elastic_net": {"outer_folds": 3, "inner_folds": 3},
        "scores": {"bootstrap": 100},
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(settings | changes))
    return Clone(folder)
