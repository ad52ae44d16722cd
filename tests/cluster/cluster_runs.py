"""Clones and helpers of the tests on a real SLURM."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_runs import Clone, make_clone

#: What happens to the first job of each shard of the model that wants a GPU.
FAULTS = {"sim1_0001": "cancelled", "sim1_0002": "too slow", "sim2_0001": "too large", "sim2_0002": "requeued"}
MEMORY = 500
#: What the run makes. Every SLURM job starts Snakemake twice: one figure stands for all.
TARGETS = ("scores", "results/test/figures/fig1b_distributions.png")
#: Seconds after which something is taken to hang. A run takes 2 to 6 minutes here, as busy as the machine is.
PATIENCE = 900
#: Put before the test model's adapter: looks at what SLURM granted the job, and misbehaves if it is the first try.
MISBEHAVE = f'''
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

FAULTS = {FAULTS!r}


def granted(key):
    """A field of the job as SLURM shows it."""
    shown = subprocess.run(["scontrol", "show", "job", os.environ["SLURM_JOB_ID"]], capture_output=True, text=True)
    return re.search(rf"\\b{{key}}=(\\S+)", shown.stdout)[1]


if "SLURM_JOB_ID" in os.environ:
    fault = next((FAULTS[Path(word).stem] for word in sys.argv if Path(word).stem in FAULTS), None)
    first = granted("MinMemoryNode") == "{MEMORY}M"
    if fault == "too large" and first:
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does to a job that takes more memory than it was given
    elif fault == "too slow" and granted("TimeLimit") == "00:01:00":
        time.sleep(300)
    elif fault == "cancelled" and first:
        time.sleep(300)
    elif fault == "requeued" and granted("Restarts") == "0":
        time.sleep(300)
'''
#: The small file of a site: a second profile on top of profiles/slurm.
SITE = """
latency-wait: 10
slurm-init-seconds-before-status-checks: 2
set-resources:
  predict_gc_content:
    runtime: 1 if attempt == 1 and wildcards.shard == 'sim1_0002' else 10 # the slow one; SLURM counts in minutes
"""


@dataclass
class History:
    """The run on the cluster.

    Attributes:
        clone: where it ran.
        local: the same configuration, run without a cluster.
        jobs: by SLURM id: state, partition, GPU request, comment with rule and wildcards.
        kept: files that were finished when Snakemake was killed, with their times.
        status: what the verb 'status' said while jobs ran.
        said: output of Snakemake.
        returncode: of Snakemake.
    """

    clone: Clone
    local: Clone
    jobs: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)
    kept: dict[Path, int] = field(default_factory=dict)
    status: str = ""
    said: str = ""
    returncode: int | None = None

    def of(self, rule: str, shard: str = "") -> list[tuple[str, str, str, str]]:
        """Jobs of a rule, in the order of submission."""
        return [
            job
            for _, job in sorted(self.jobs.items(), key=lambda item: int(item[0]))
            if rule in job[3] and shard in job[3]
        ]


def cluster_clone(folder: Path) -> Clone:
    """A clone whose test model wants a GPU and misbehaves."""
    clone = make_clone(
        folder,
        simulation={"people": 20, "genes": 24, "seed": 3},
        genes_per_shard=6,
        baselines=[],
        controls=[],
        variant_effects={"genes": "none"},
    )
    card = clone.folder / "gc_content" / "card.yaml"
    card.write_text(card.read_text().replace("gpu: none", "gpu: required"))
    adapter = clone.folder / "gc_content" / "adapter.py"
    adapter.write_text(MISBEHAVE + adapter.read_text())
    (clone.folder / "site.yaml").write_text(SITE)
    return clone


def listed() -> dict[str, tuple[str, str, str, str]]:
    """All jobs that SLURM knows."""
    shown = subprocess.run(["scontrol", "--oneliner", "show", "job"], capture_output=True, text=True, check=True)
    found = {}
    for line in shown.stdout.splitlines():
        about = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if "JobId" in about:
            request = about.get("TresPerJob", "") + about.get("TresPerNode", "")
            found[about["JobId"]] = (about["JobState"], about["Partition"], request, about.get("Comment", ""))
    return found


def start(clone: Clone, log: Path, *targets: str) -> subprocess.Popen[bytes]:
    """Snakemake with the slurm profile, in the background."""
    command = [*clone.command(*(targets or TARGETS), "--profile", "slurm", "--profile", "site.yaml")]
    # The profile decides about cores; --configfile takes every word that follows it.
    del command[command.index("--cores") : command.index("--cores") + 2]
    with open(log, "ab") as out:
        return subprocess.Popen(command, cwd=clone.folder, stdout=out, stderr=out, start_new_session=True)


def wait_for(what: str, done: Callable[[], object], run: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a condition holds; end with what Snakemake said if it stops or patience does."""
    until = time.monotonic() + PATIENCE
    while not done():
        waited = time.monotonic() < until
        if not waited or run.poll() is not None:
            reason = f"Snakemake ended with {run.poll()}" if waited else f"{PATIENCE} s went by"
            raise AssertionError(f"{reason} before {what}:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.5)
