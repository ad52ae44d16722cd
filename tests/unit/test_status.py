"""How far a run is, told from what it leaves."""

from __future__ import annotations

import json
import os
import platform
from datetime import datetime
from pathlib import Path

import pytest

from pexbench import cli
from pexbench.errors import InputError
from pexbench.status import active_jobs, lines, run_status


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of one model with five shards: two done, one at work, one dead, one not begun."""
    top = tmp_path / "results" / "mine"
    for folder in ("predictions/net", "logs/predict/net", "benchmarks/predict/net"):
        (top / folder).mkdir(parents=True)
    rows = "".join(f"G{number}\t\t1\t{number}000\t+\n" for number in range(1, 6))
    (top / "genes.tsv").write_text(f"gene_id\tsymbol\tcontig\ttss\tstrand\n{rows}")
    for shard in ("G1", "G2"):
        (top / "predictions" / "net" / f"{shard}.parquet").touch()
        (top / "benchmarks" / "predict" / "net" / f"{shard}.tsv").write_text("s\th:m:s\n600\t0:10:00\n")
    return top


def log(run: Path, shard: str, first: str, last: str = "GENE (1 of 1): 12 distinct") -> None:
    (run / "logs" / "predict" / "net" / f"{shard}.log").write_text(f"2026-01-01 INFO {first}\n2026-01-01 INFO {last}\n")


def looked(run: Path, jobs: set[str] | None = None):  # type: ignore[no-untyped-def]
    record = {"genes": str(run / "genes.tsv"), "genes_per_shard": 1, "models": ["net"], "baselines": []}
    return run_status(run, record, jobs)[0]


def test_slurm_jobs_are_told_apart_by_slurm(run: Path) -> None:
    log(run, "G3", "started on node7, process 12, SLURM job 400")
    log(run, "G4", "started on node8, process 12, SLURM job 401", "out of memory")
    found = looked(run, {"400"})
    assert (found.done, found.running, found.waiting) == (["G1", "G2"], ["G3"], ["G5"])
    assert found.failed == {"G4": "2026-01-01 INFO out of memory"}
    said = list(lines("mine", [found], datetime(2026, 1, 1, 12, 0)))
    # Two to begin and half a one at ten minutes each, one at a time.
    assert "2026-01-01 12:25" in said[2]
    assert said[-1] == "failed: net G4: 2026-01-01 INFO out of memory"


def test_local_jobs_are_told_apart_by_their_process(run: Path) -> None:
    here = platform.node()
    log(run, "G3", f"started on {here}, process {os.getpid()}")  # alive, but no pexbench
    log(run, "G4", f"started on {here}, process 99999999")
    assert set(looked(run).failed) == {"G3", "G4"}


def test_a_finished_run_says_done(run: Path) -> None:
    for shard in ("G3", "G4", "G5"):
        (run / "predictions" / "net" / f"{shard}.parquet").touch()
    assert list(lines("mine", [looked(run)], datetime(2026, 1, 1)))[2].endswith("done")


def test_genes_that_are_not_placed_yet_are_told(run: Path) -> None:
    (run / "genes.tsv").unlink()
    with pytest.raises(InputError, match="not placed yet"):
        looked(run)


def test_the_verb_finds_runs_by_name(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("pexbench.status.active_jobs", lambda: None)
    record = {"genes": str(run / "genes.tsv"), "genes_per_shard": 1, "models": ["net"], "baselines": []}
    (run / "run.json").write_text(json.dumps(record))
    cli.main(["status", "--run", "mine", "--results", str(run.parent)])
    assert "run mine: 5 shards per model" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["status", "--run", "yours", "--results", str(run.parent)])
    assert "run 'yours' not found; mine has been started there" in capsys.readouterr().err


def test_without_slurm_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert active_jobs() is None
