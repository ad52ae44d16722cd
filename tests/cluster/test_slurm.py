"""On a real SLURM: jobs land where they belong, every way of dying is survived, and results are those of a local run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from cluster_runs import FAULTS, TARGETS, History, cluster_clone, listed, start
from snakemake_runs import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def test_the_run_ends_well(history: History) -> None:
    assert history.returncode == 0, history.said[-6000:]


def test_results_are_those_of_a_local_run_byte_for_byte(history: History) -> None:
    here, there = history.clone.tables(), history.local.tables()
    assert "summary.tsv" in here
    assert here == there


def test_gpu_rules_get_a_gpu_in_its_partition_and_others_do_not(history: History) -> None:
    wanting = [*history.of("predict_gc_content"), *history.of("check_environment")]
    assert len(wanting) >= 8
    for _, partition, request, comment in history.jobs.values():
        wants = "predict_gc_content" in comment or "check_environment" in comment
        assert partition == ("gpu" if wants else "cpu"), comment
        assert ("gpu:1" in request) == wants, comment
    assert history.of("predict_kmer_ridge")


def test_small_rules_stay_where_snakemake_runs(history: History) -> None:
    assert history.of("gather_predictions_kmer_ridge")
    assert not history.of("summarise") + history.of("provenance") + history.of("gather_haplotype_checks")


@pytest.mark.parametrize(
    ("shard", "first"), [("sim1_0001", "CANCELLED"), ("sim1_0002", "TIMEOUT"), ("sim2_0001", "FAILED")]
)
def test_a_job_that_died_is_tried_again(history: History, shard: str, first: str) -> None:
    states = [job[0] for job in history.of("predict_gc_content", shard)]
    assert states[0] == first, FAULTS[shard]
    assert states[-1] == "COMPLETED"


def test_a_requeued_job_ends_under_its_own_id(history: History) -> None:
    assert [job[0] for job in history.of("predict_gc_content", "sim2_0002")] == ["COMPLETED"]


def test_a_killed_snakemake_resumes_and_keeps_what_was_done(history: History) -> None:
    assert {path: path.stat().st_mtime_ns for path in history.kept} == history.kept
    assert len(history.of("rule_simulate")) == len(history.of("check_inputs")) == 1


def test_nothing_half_written_is_left(history: History) -> None:
    assert list((history.clone.folder / "results").rglob(".tmp-*")) == []


def test_status_counts_the_shards(history: History) -> None:
    assert "run test: 4 shards per model" in history.status
    row = next(line for line in history.status.splitlines() if line.startswith("gc_content"))
    assert sum(int(word) for word in row.split()[1:5]) == 4


def test_a_second_run_submits_nothing(history: History) -> None:
    assert history.clone.planned(*TARGETS, "--profile", "slurm") == {}


def test_a_gpu_that_slurm_promised_and_torch_does_not_see_is_told(cluster: Path, tmp_path: Path) -> None:
    verb = [ROOT / "workflow" / "bin" / "pexbench", "torch", "check_environment", "--environment", "torch"]
    verb += ["--pins", ROOT / "envs" / "torch.yaml", "--output", tmp_path / "torch.json"]
    done = subprocess.run(["srun", "-p", "gpu", "--gpus=1", "--mem=1000", *verb], capture_output=True, text=True)
    assert done.returncode != 0
    assert "no GPU is seen, although SLURM gave the job one" in done.stderr


def test_the_gres_form_gets_a_gpu_too(cluster: Path, tmp_path: Path) -> None:
    clone = cluster_clone(tmp_path / "clone")
    profile = clone.folder / "profiles" / "slurm" / "config.yaml"
    profile.write_text(profile.read_text().replace("gpu: {gpu: 1}", 'gpu: {gres: "gpu:1"}'))
    before = set(listed())
    run = start(clone, tmp_path / "log", "results/test/environments/base.json")
    assert run.wait(timeout=120) == 0, (tmp_path / "log").read_text()
    assert json.loads((clone.folder / "results/test/environments/base.json").read_text())["environment"] == "base"
    (job,) = [job for number, job in listed().items() if number not in before]
    assert job[:3] == ("COMPLETED", "gpu", "gres:gpu:1")
