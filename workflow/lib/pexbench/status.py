"""How far a run is: shards of each model that are done, running, failed, waiting, and when it may end.

Nothing is kept for this beside what a run leaves anyway: outputs, logs, and the times in ``benchmarks/``. Standard
library only, so that it answers at once on a login node.
"""

from __future__ import annotations

import csv
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pexbench.errors import InputError
from pexbench.plan import plan_of, read_gene_rows

STARTED = re.compile(r"started on (\S+), process (\d+)(?:, SLURM job (\d+))?")
#: A job on another machine, of which only the log is seen, counts as running if that changed in so many seconds.
FRESH = 3600


@dataclass
class ModelStatus:
    """Shards of one model.

    Attributes:
        name: the model's or baseline's name.
        waiting: shards that nobody has begun.
        running: shards at work.
        done: shards whose predictions are there.
        failed: last line of the log, by shard whose job ended without predictions; it may be tried again.
        seconds: time that each finished shard took.
    """

    name: str
    waiting: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def remaining(self) -> float | None:
        """Seconds until the last shard ends if as many run on as do now; None if nothing tells."""
        left = len(self.waiting) + len(self.failed) + len(self.running) / 2
        if not left:
            return 0.0
        if not self.seconds or not self.running:
            return None
        return left * (sum(self.seconds) / len(self.seconds)) / len(self.running)


def active_jobs() -> set[str] | None:
    """Ids of this user's SLURM jobs that wait or run; None where there is no SLURM to ask."""
    if shutil.which("squeue") is None:
        return None
    asked = ["squeue", "--noheader", "--me", "--format=%i"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    return set(done.stdout.split()) if done.returncode == 0 else None


def run_status(run: str | Path, record: Mapping[str, Any], jobs: set[str] | None) -> list[ModelStatus]:
    """Look at every shard of every model of a run.

    Args:
        run: ``results/RUN``.
        record: ``run.json``, which the workflow writes when it starts.
        jobs: see :func:`active_jobs`.

    Returns:
        One entry per model and baseline, in the order of the run.

    Raises:
        InputError: the gene table is not there yet.
    """
    run, table = Path(run), Path(record["genes"])
    if not table.exists():
        raise InputError(f"{table}: the genes of run {run.name} are not placed yet; ask again in a moment.")
    shards = plan_of(read_gene_rows(table), record["genes_per_shard"]).shards
    found = []
    for name in [*record["models"], *record["baselines"]]:
        part = f"predict/{name}" if name in record["models"] else name
        status = ModelStatus(name)
        for shard in shards:
            if (run / "predictions" / name / f"{shard}.parquet").exists():
                status.done.append(shard)
                status.seconds += _seconds(run / "benchmarks" / part / f"{shard}.tsv")
                continue
            log = run / "logs" / part / f"{shard}.log"
            if not log.exists():
                status.waiting.append(shard)
            elif _alive(log, jobs):
                status.running.append(shard)
            else:
                status.failed[shard] = _last_line(log)
        found.append(status)
    return found


def _seconds(path: Path) -> list[float]:
    """Time a job took, from its benchmark file; none if there is no such file."""
    try:
        with open(path, newline="") as handle:
            return [float(row["s"]) for row in csv.DictReader(handle, delimiter="\t")][-1:]
    except (OSError, KeyError, ValueError):
        return []


def _alive(log: Path, jobs: set[str] | None) -> bool:
    """Whether the job that writes a log still runs."""
    with open(log, errors="replace") as handle:
        begun = STARTED.search(handle.readline())
    fresh = time.time() - log.stat().st_mtime < FRESH
    if begun is None:
        return fresh
    host, process, job = begun.groups()
    if job is not None and jobs is not None:
        return job in jobs
    if host != platform.node():
        return fresh
    try:
        # The number may belong to another program by now.
        return b"pexbench" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return _exists(int(process)) and not Path("/proc").is_dir()


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _last_line(log: Path) -> str:
    """The last line of a log that says something."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "(empty log)"


def lines(run: str, status: Sequence[ModelStatus], now: datetime) -> Iterator[str]:
    """The status as text.

    Args:
        run: name of the run.
        status: see :func:`run_status`.
        now: the time, for the expected end.
    """
    shards = len(status[0].done) + len(status[0].running) + len(status[0].failed) + len(status[0].waiting)
    yield f"run {run}: {shards:,} shards per model"
    wide = max([5, *(len(model.name) for model in status)])
    yield f"{'model':{wide}}  {'done':>6}  {'running':>7}  {'failed':>6}  {'waiting':>7}  {'per shard':>9}  expected end"
    for model in status:
        mean = f"{sum(model.seconds) / len(model.seconds) / 60:.1f} min" if model.seconds else ""
        left = model.remaining()
        end = "" if left is None else "done" if not left else f"{now + timedelta(seconds=left):%Y-%m-%d %H:%M}"
        counts = (len(model.done), len(model.running), len(model.failed), len(model.waiting))
        yield f"{model.name:{wide}}  {counts[0]:>6,}  {counts[1]:>7,}  {counts[2]:>6,}  {counts[3]:>7,}  {mean:>9}  {end}"
    for model in status:
        for shard, line in model.failed.items():
            yield f"failed: {model.name} {shard}: {line}"
