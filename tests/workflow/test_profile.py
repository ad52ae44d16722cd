"""What profiles/slurm asks a cluster for, read from dry runs; no cluster is needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from pexbench.code import submodules
from snakemake_runs import ROOT, Clone, make_clone

pytestmark = pytest.mark.workflow
PROFILE = Path("profiles", "slurm", "config.yaml")


def make_cluster_clone(folder: Path, **changes: object) -> Clone:
    """A clone with one model that wants a GPU and one that does not."""
    clone = make_clone(folder, **changes)
    card = clone.folder / "gc_content" / "card.yaml"
    card.write_text(card.read_text().replace("gpu: none", "gpu: required\nminutes_per_gene: 3"))
    return clone


def resources(clone: Clone, *arguments: str) -> dict[str, dict[str, str]]:
    """Resources of each rule's jobs in a dry run, by rule."""
    done = clone.run("-n", "--profile", "slurm", "--quiet", "host", *arguments)
    assert done.returncode == 0, done.stdout
    found: dict[str, dict[str, str]] = {}
    for block in re.split(r"\n(?=(?:local)?(?:rule|checkpoint) )", done.stdout):
        name = re.match(r"(?:local)?(?:rule|checkpoint) (\S+):", block)
        line = re.search(r"^    resources: (.*)$", block, flags=re.MULTILINE)
        if name and line:
            found[name[1]] = dict(part.split("=", 1) for part in line[1].split(", ") if "=" in part)
    return found


def test_the_name_is_found_from_a_clone(tmp_path: Path) -> None:
    """A link that git keeps: --profile NAME looks in the working directory."""
    assert (ROOT / "slurm").readlink() == Path("profiles/slurm")
    clone = make_clone(tmp_path / "clone")
    done = clone.run("-n", "--profile", "slurm")
    assert done.returncode == 0, done.stdout
    assert "Using profiles slurm and workflow specific profile" in done.stdout


def test_every_line_is_explained() -> None:
    lines = [line for line in (ROOT / PROFILE).read_text().splitlines() if line.strip()]
    unexplained = [
        line
        for number, line in enumerate(lines)
        if "#" not in line and "#" not in lines[number - 1] and not line.endswith(("__variables__:", "items():"))
    ]
    assert unexplained == []


def test_only_jobs_that_want_a_gpu_go_to_its_partition(tmp_path: Path) -> None:
    found = resources(make_cluster_clone(tmp_path / "clone"))
    wanting = {rule for rule, asked in found.items() if asked["slurm_partition"] == "gpu"}
    assert wanting == {"predict_gc_content", "variant_effects_gc_content", "check_environment_base"}
    assert {rule for rule, asked in found.items() if asked.get("gpu") == "1"} == wanting
    assert {rule for rule, asked in found.items() if asked.get("gpu_jobs") == "1"} == wanting
    assert found["predict_kmer_ridge"]["slurm_partition"] == "cpu"


def test_memory_and_time_come_from_the_card_and_the_shard(tmp_path: Path) -> None:
    found = resources(make_cluster_clone(tmp_path / "clone"))["predict_gc_content"]
    assert (found["mem_mb"], found["runtime"]) == ("500", str(10 + 6 * 3))
    found = resources(make_cluster_clone(tmp_path / "small", genes_per_shard=1))["predict_gc_content"]
    assert found["runtime"] == str(10 + 3)


def test_on_a_cpu_nobody_asks_for_a_gpu(tmp_path: Path) -> None:
    clone = make_cluster_clone(tmp_path / "clone", inference={"device": "cpu"})
    assert {asked["slurm_partition"] for asked in resources(clone).values()} == {"cpu"}


def test_the_gres_form_and_another_partition_are_one_edit_each(tmp_path: Path) -> None:
    clone = make_cluster_clone(tmp_path / "clone")
    path = clone.folder / PROFILE
    text = path.read_text().replace("gpu: {gpu: 1}", 'gpu: {gres: "gpu:a100:1"}')
    path.write_text(
        text.replace("gpu_partition: gpu ", "gpu_partition: volta-long ").replace('account: ""', "account: lab7")
    )
    found = resources(clone)
    assert found["predict_gc_content"]["gres"] == "gpu:a100:1"
    assert found["predict_gc_content"]["slurm_partition"] == "volta-long"
    assert "gpu" not in found["predict_gc_content"]
    assert found["predict_kmer_ridge"].get("gres", "") in ("", "''", "<empty>")
    assert {asked["slurm_account"] for asked in found.values()} == {"lab7"}


def test_no_slurm_keys_in_rules() -> None:
    words = re.compile(r"slurm_|gres\b|\bpartition=|constraint=|sbatch|squeue")
    for path in (ROOT / "workflow").rglob("*.smk"):
        code = "\n".join(line for line in path.read_text().splitlines() if not line.strip().startswith("#"))
        assert not words.search(code), path


def test_one_model_again_reruns_nothing_else(finished: Clone) -> None:
    jobs = finished.planned("--profile", "slurm", "--forcerun", "predict_gc_content")
    assert jobs.pop("predict_gc_content") == 4
    assert jobs.pop("gather_predictions_gc_content") == jobs.pop("gather_variant_effects_gc_content") == 1
    assert jobs.pop("score_model") == 1
    assert set(jobs) <= {
        "direction",
        "summarise",
        "compare_models",
        "coverage",
        "provenance",
        *(f"figure_{name}" for name in submodules("figures", having="FIGURE")),
        "gather_haplotype_checks",
        "gather_performance",
        "report",
    }


def test_a_model_with_a_gpu_added_to_a_finished_run_reruns_nothing_else(finished: Clone) -> None:
    config = finished.folder / "test.yaml"
    before = config.read_text()
    settings = yaml.safe_load(before)
    shutil.copytree(finished.folder / "gc_content", finished.folder / "on_gpu", dirs_exist_ok=True)
    card = finished.folder / "on_gpu" / "card.yaml"
    card.write_text(card.read_text().replace("name: gc_content", "name: on_gpu").replace("gpu: none", "gpu: required"))
    settings["models"]["on_gpu"] = {"card": "on_gpu"}
    config.write_text(yaml.safe_dump(settings))
    try:
        jobs = finished.planned("--profile", "slurm", "on_gpu")
    finally:
        config.write_text(before)
        shutil.rmtree(finished.folder / "on_gpu")
    assert jobs == {"predict_on_gpu": 4, "gather_predictions_on_gpu": 1, "score_model": 1, "on_gpu": 1}


def test_a_later_check_of_an_environment_reruns_no_prediction(finished: Clone) -> None:
    (finished.folder / "results" / "test" / "environments" / "base.json").touch()
    assert finished.planned("--profile", "slurm") == {}
    jobs = finished.planned("--profile", "slurm", "--forcerun", "check_environment_base")
    assert set(jobs) <= {"check_environment_base"}


def test_the_papers_run_is_planned_in_seconds(tmp_path: Path) -> None:
    """Issue: under a minute and 2 GB, some hundreds of jobs per model."""
    command = [ROOT / ".venvs" / "base" / "bin" / "python", ROOT / "benchmarks" / "paper_size.py", tmp_path / "paper"]
    done = subprocess.run([*command, "--plan", "--measured", "3300"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3,259 genes in the table, 108 of them without a symbol" in done.stdout + done.stderr
    jobs = {
        name: int(count.replace(",", "")) for name, count in re.findall(r"^(\S+) +([\d,]+)$", done.stdout, re.MULTILINE)
    }
    models = ("enformer", "basenji2", "expecto", "xpresso")
    assert {jobs[f"predict_{model}"] for model in models} == {jobs["subset_variants"]}
    assert 300 <= jobs["predict_enformer"] <= 400
    assert jobs["genotypes"] == 22
    seconds, memory = re.search(r"\(([\d.]+) s of a processor\) with ([\d,]+) MB", done.stdout).groups()  # type: ignore[union-attr]
    assert float(seconds) < 60
    assert int(memory.replace(",", "")) < 2000
