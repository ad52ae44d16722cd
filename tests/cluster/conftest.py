"""A real SLURM on this machine, and one run on it in which everything goes wrong once."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import slurm
from cluster_runs import FAULTS, PATIENCE, TARGETS, History, cluster_clone, listed, start, wait_for


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running SLURM; tests that need it are skipped where it cannot be."""
    reason = slurm.obstacle()
    if reason:
        pytest.skip(f"no SLURM: {reason}")
    folder = tmp_path_factory.mktemp("slurm")
    slurm.up(folder)
    yield folder
    subprocess.run(["scancel", "--user", "root"], check=False)
    slurm.down(folder)


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
        wait_for("the first shard's variants", lambda: list(results.glob("variants/*.bcf")), run, log)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        done = [results / "simulated" / "genotypes.vcf.gz", results / "inputs" / "genes.tsv"]
        story.kept = {path: path.stat().st_mtime_ns for path in done}
        assert story.clone.run("--unlock").returncode == 0
        run = start(story.clone, log)
        plain = subprocess.Popen(
            story.local.command(*TARGETS), cwd=story.local.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        struck: set[str] = set()
        until = time.monotonic() + PATIENCE
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
                    wait_for("requeue", lambda job=job: listed()[job][0] == "PENDING", run, log)
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
        assert plain.wait(timeout=PATIENCE) == 0
        yield story
    finally:
        for process in (run, plain):
            if process is not None and process.poll() is None:
                os.kill(process.pid, signal.SIGTERM)
