"""A real SLURM on this machine, and one run on it in which everything goes wrong once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from snakemake_runs import Clone, make_clone

sys.path.insert(0, str(Path(__file__).resolve().parent))
import slurm

#: What happens to the first job of each shard of the model that wants a GPU.
FAULTS = {"sim1_0001": "cancelled", "sim1_0002": "too slow", "sim2_0001": "too large", "sim2_0002": "requeued"}
MEMORY = 500
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
    runtime: 1 if attempt == 1 else 5 # SLURM counts in minutes
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


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running SLURM; tests that need it are skipped where it cannot be."""
    reason = slurm.obstacle()
    if reason:
        pytest.skip(f"no SLURM: {reason}")
    folder = tmp_path_factory.mktemp("slurm")
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o755)
    slurm.up(folder)
    yield folder
    subprocess.run(["scancel", "--user", "root"], check=False)
    slurm.down(folder)


def cluster_clone(folder: Path) -> Clone:
    """A clone whose test model wants a GPU and misbehaves."""
    clone = make_clone(
        folder, simulation={"people": 20, "genes": 24, "seed": 3}, genes_per_shard=6, baselines=[], controls=[]
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


def start(clone: Clone, log: Path) -> subprocess.Popen[bytes]:
    """Snakemake with the slurm profile, in the background."""
    command = [*clone.command("--profile", "slurm", "--profile", "site.yaml")]
    # The profile decides about cores; --configfile takes every word that follows it.
    del command[command.index("--cores") : command.index("--cores") + 2]
    with open(log, "ab") as out:
        return subprocess.Popen(command, cwd=clone.folder, stdout=out, stderr=out, start_new_session=True)


def wait_for(what: str, seconds: float, done: object) -> None:
    """Wait until a condition holds."""
    until = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        time.sleep(0.5)


@pytest.fixture(scope="session")
def history(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Run on the cluster: kill Snakemake, start it again, cancel and requeue jobs, let others run out of things."""
    top = tmp_path_factory.mktemp("cluster")
    story = History(cluster_clone(top / "clone"), cluster_clone(top / "local"))
    log = top / "snakemake.log"
    run = start(story.clone, log)
    plain = None
    try:
        results = story.clone.folder / "results" / "test"
        wait_for(
            "the first shard's variants", 120, lambda: list(results.glob("variants/*.bcf")) or run.poll() is not None
        )
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        done = [results / "simulated" / "genotypes.vcf.gz", results / "inputs" / "genes.tsv"]
        story.kept = {path: path.stat().st_mtime_ns for path in done}
        assert story.clone.run("--unlock").returncode == 0
        run = start(story.clone, log)
        plain = subprocess.Popen(
            story.local.command(), cwd=story.local.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        struck: set[str] = set()
        until = time.monotonic() + 420
        while run.poll() is None and time.monotonic() < until:
            for job, (state, _, _, comment) in listed().items():
                shard = comment.rpartition("_wildcards_")[2]
                if state != "RUNNING" or "predict_gc_content" not in comment or shard in struck:
                    continue
                started = results / "logs" / "predict" / "gc_content" / f"{shard}.log"
                if FAULTS[shard] in ("cancelled", "requeued") and not started.exists():
                    continue
                struck.add(shard)
                if FAULTS[shard] == "cancelled":
                    subprocess.run(["scancel", job], check=True)
                elif FAULTS[shard] == "requeued":
                    subprocess.run(["scontrol", "requeue", job], check=True)
                    # SLURM would let a requeued job rest for two minutes.
                    wait_for("requeue", 30, lambda job=job: listed()[job][0] == "PENDING")
                    subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=True)
            if len(struck) >= 3 and not story.status:
                launcher = story.clone.folder / "workflow" / "bin" / "pexbench"
                story.status = subprocess.run(
                    [launcher, "base", "status", "--run", "test"],
                    cwd=story.clone.folder,
                    capture_output=True,
                    text=True,
                ).stdout
            time.sleep(1)
        story.returncode, story.said = run.poll(), log.read_text(errors="replace")
        story.jobs = listed()
        assert plain.wait(timeout=300) == 0
        yield story
    finally:
        for process in (run, plain):
            if process is not None and process.poll() is None:
                os.kill(process.pid, signal.SIGTERM)
