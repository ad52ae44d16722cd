"""What Snakemake plans: whole runs, single models, and only what a change makes stale."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pexbench.code import submodules
from snakemake_runs import Clone, make_clone

pytestmark = pytest.mark.workflow

SHARED = {
    "gather_haplotype_checks": 1,
    "summarise": 1,
    "compare_models": 1,
    "coverage": 1,
    "provenance": 1,
    **{f"figure_{name}": 1 for name in submodules("figures", having="FIGURE")},
    "gather_performance": 1,
    "direction": 1,
    "report": 1,
}


@contextmanager
def changed(path: Path, addition: str) -> Iterator[None]:
    """A file with something appended, for the length of a block; its time stays as it was after."""
    before, times = path.read_text(), path.stat()
    path.write_text(before + addition)
    try:
        yield
    finally:
        path.write_text(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextmanager
def reconfigured(clone: Clone, **changes: object) -> Iterator[None]:
    """The clone's configuration with some keys changed, for the length of a block."""
    path = clone.folder / "test.yaml"
    before = path.read_text()
    path.write_text(yaml.safe_dump(yaml.safe_load(before) | changes))
    try:
        yield
    finally:
        path.write_text(before)


def test_the_whole_dag_is_seen_before_anything_ran(tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone")
    jobs = clone.planned()
    assert jobs["predict_kmer_ridge"] == jobs["predict_gc_content"] == jobs["train_elastic_net"] == 4
    assert not (clone.folder / "results").exists()


def test_one_gene_per_shard_is_one_job_per_gene_and_model_named_by_them(tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone", genes_per_shard=1)
    done = clone.run("-n", "--quiet", "host")
    jobs = [line for line in done.stdout.splitlines() if "predictions/gc_content/SIMG0007.parquet" in line]
    assert jobs
    assert clone.planned()["predict_gc_content"] == 24


def test_a_models_target_runs_its_rules_and_scores_and_nothing_else(tmp_path: Path) -> None:
    jobs = make_clone(tmp_path / "clone").planned("gc_content")
    foreign = [name for name in jobs if "kmer" in name or "net" in name or "snp" in name or "figure" in name]
    assert foreign == []
    assert jobs["predict_gc_content"] == 4
    assert jobs["score_model"] == 1
    assert not {"control", "summarise", "variant_effects_gc_content", "associate"} & set(jobs)


def test_a_second_run_has_nothing_to_do(finished: Clone) -> None:
    assert finished.planned() == {}


def test_a_changed_adapter_reruns_only_its_model(finished: Clone) -> None:
    with changed(finished.folder / "gc_content" / "adapter.py", "\n# changed\n"):
        jobs = finished.planned()
    assert jobs.pop("predict_gc_content") == jobs.pop("variant_effects_gc_content") == 4
    assert jobs.pop("gather_predictions_gc_content") == jobs.pop("gather_variant_effects_gc_content") == 1
    assert jobs.pop("score_model") == 1
    assert set(jobs) <= set(SHARED)


def test_a_changed_figure_reruns_only_that_figure(finished: Clone) -> None:
    path = finished.folder / "workflow" / "lib" / "pexbench" / "figures" / "fig1b_distributions.py"
    with changed(path, "\n# changed\n"):
        assert finished.planned() == {"figure_fig1b_distributions": 1, "report": 1}


def test_a_changed_baseline_reruns_only_that_baseline(finished: Clone) -> None:
    path = finished.folder / "workflow" / "lib" / "pexbench" / "baselines" / "top_snp.py"
    with changed(path, "\n# changed\n"):
        jobs = finished.planned()
    assert jobs.pop("train_top_snp") == 4
    assert jobs.pop("gather_predictions_top_snp") == 1
    assert jobs.pop("score_model") == 1
    assert set(jobs) <= set(SHARED)


def test_associations_are_a_target_that_needs_no_model(tmp_path: Path) -> None:
    jobs = make_clone(tmp_path / "clone").planned("associations")
    assert jobs.pop("associations") == 1
    assert (jobs["associate"], jobs["gather_associations"], jobs["people_facts"]) == (4, 1, 1)
    assert not [name for name in jobs if "predict" in name or "train" in name or "score" in name]


def test_facts_about_people_rerun_no_prediction_and_covariates_only_what_uses_them(finished: Clone) -> None:
    models = {"predict_gc_content", "predict_kmer_ridge", "check_inputs", "subset_variants", "train_model"}
    baselines = {"train_elastic_net", "train_top_snp", "train_nearest_snp"}
    with reconfigured(finished, scores={"bootstrap": 100, "population": "population"}):
        jobs = finished.planned()
    assert jobs["people_facts"] == 1
    assert not (models | baselines | {"associate"}) & set(jobs)
    with reconfigured(finished, scores={"bootstrap": 100, "covariates": ["population"]}):
        jobs = finished.planned()
    assert {jobs[name] for name in (*baselines, "associate")} == {4}
    assert not models & set(jobs)


def test_batch_size_and_device_rerun_nothing(finished: Clone) -> None:
    with reconfigured(finished, inference={"batch_size": 3, "device": "cpu"}):
        assert finished.planned() == {}


def test_the_plain_path_is_computed_anew_and_a_precision_that_no_model_has_reruns_nothing(finished: Clone) -> None:
    with reconfigured(finished, inference={"method": "plain"}):
        jobs = finished.planned()
    assert (jobs["predict_gc_content"], jobs["predict_kmer_ridge"]) == (4, 4)
    assert (jobs["variant_effects_gc_content"], jobs["variant_effects_kmer_ridge"]) == (4, 4)
    assert not {"train_elastic_net", "check_inputs", "subset_variants"} & set(jobs)
    with reconfigured(finished, inference={"precision": "bf16"}):
        assert finished.planned() == {"provenance": 1, "report": 1}


def test_a_scientific_setting_reruns_what_it_changes(finished: Clone) -> None:
    with reconfigured(finished, elastic_net={"outer_folds": 3, "inner_folds": 3, "l1_ratio": 0.9}):
        jobs = finished.planned()
    assert jobs["train_elastic_net"] == 4
    assert "predict_gc_content" not in jobs


def test_variant_effects_are_of_the_genes_that_are_asked_for_or_switched_off(finished: Clone) -> None:
    with reconfigured(finished, variant_effects={"genes": "none"}):
        jobs = finished.planned()
    # Figures and the report that showed effects are made again without them; nothing is predicted or scored.
    assert {job for job in jobs if not job.startswith("figure_")} <= {"provenance", "report"}
    with reconfigured(finished, variant_effects={"genes": ["SIMG0003", "SIMG0007"]}):
        jobs = finished.planned("variant_effects")
    assert jobs.pop("choose_variants") == 1
    for model in ("gc_content", "kmer_ridge"):
        assert jobs.pop(f"variant_effects_{model}") == 4
        assert jobs.pop(f"gather_variant_effects_{model}") == 1
    assert set(jobs) <= {"direction", "variant_effects"}


def test_variant_effects_of_a_finished_run_add_up(finished: Clone) -> None:
    """GC content is linear in the letters: effects are known, and their sum is the whole."""
    top = finished.folder / "results" / "test" / "variant_effects"
    genes = pd.read_csv(top / "gc_content.genes.tsv", sep="\t")
    chosen = pd.read_csv(top / "chosen.tsv", sep="\t")
    found = pd.read_csv(top.parent / "associations.tsv", sep="\t")
    assert chosen.loc[chosen["scope"] == "all", "gene_id"].tolist() == [found.loc[found["p"].idxmin(), "gene_id"]]
    assert genes["gene_id"].tolist() == chosen["gene_id"].tolist()
    effects = pd.read_parquet(top / "gc_content.parquet")
    gained = effects["alt"].isin(["C", "G"]).astype(int) - effects["ref"].isin(["C", "G"]).astype(int)
    outside = set(genes.loc[genes["note"].fillna("").str.contains("outside"), "lead_variant"])
    inside = ~effects["variant"].isin(outside)
    np.testing.assert_allclose(effects["effect"][inside], gained[inside] / 600, rtol=0, atol=1e-7)
    assert (effects["effect"][~inside] == 0).all()
    whole = genes[genes["scope"] == "all"].dropna(subset="additivity_r2")
    np.testing.assert_allclose(whole["additivity_r2"], 1, atol=1e-5)
    summary = pd.read_csv(top.parent / "direction_summary.tsv", sep="\t")
    assert set(summary["model"]) == {"kmer_ridge", "gc_content"}


def test_adding_a_model_reruns_no_other_model(finished: Clone) -> None:
    models = yaml.safe_load((finished.folder / "test.yaml").read_text())["models"]
    with reconfigured(finished, models={**models, "gc_again": {"card": "gc_content"}}):
        jobs = finished.planned()
    assert jobs["predict_gc_again"] == 4
    assert jobs["score_model"] == 1
    assert not {"predict_gc_content", "predict_kmer_ridge", "train_elastic_net", "check_inputs"} & set(jobs)


def test_deleting_one_shard_rebuilds_it_and_what_hangs_on_it(finished: Clone) -> None:
    path = finished.folder / "results" / "test" / "predictions" / "gc_content" / "sim1_0002.parquet"
    kept = path.rename(path.with_suffix(".kept"))
    try:
        # --summary-like plan: the shard is made again because it is asked for.
        jobs = finished.planned("all", str(path.relative_to(finished.folder)))
    finally:
        kept.rename(path)
    assert jobs.pop("predict_gc_content") == 1
    assert jobs.pop("gather_predictions_gc_content") == jobs.pop("gather_variant_effects_gc_content") == 1
    assert jobs.pop("score_model") == 1
    assert set(jobs) <= set(SHARED)
