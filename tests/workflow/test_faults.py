"""Faults that stop a run before any job is queued, in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from snakemake_runs import Clone, make_clone

pytestmark = pytest.mark.workflow
WITHOUT_MIRROR = {key: value for key, value in os.environ.items() if key != "PEXBENCH_MIRROR"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_clone(tmp_path_factory.mktemp("faults") / "clone")


def attempt(clone: Clone, settings: dict[str, object], *arguments: str) -> str:
    """What a dry run with these settings says; no job may have started."""
    (clone.folder / "test.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    done = clone.run("-n", *arguments, environment=WITHOUT_MIRROR)
    assert not (clone.folder / "results").exists()
    return f"exit {done.returncode}\n{done.stdout}"


def simulated(**changes: object) -> dict[str, object]:
    return {"run": "test", "simulation": {"people": 40, "genes": 24}, "models": {"k": {"card": "kmer_ridge"}}} | changes


@pytest.fixture(scope="module")
def real(root: Path) -> dict[str, object]:
    return dict(yaml.safe_load((root / "config" / "geuvadis-chr22.yaml").read_text()))


def test_an_unknown_key_is_refused_and_named(clone: Clone) -> None:
    said = attempt(clone, simulated(elastic_nett={"l1_ratio": 0.5}))
    assert said.startswith("exit 1")
    assert "elastic_nett" in said


def test_a_value_out_of_range_is_refused(clone: Clone) -> None:
    assert "1.5" in attempt(clone, simulated(elastic_net={"l1_ratio": 1.5}))


def test_a_misspelt_model_is_told_with_what_there_is(clone: Clone) -> None:
    said = attempt(clone, simulated(models={"x": {"card": "xpreso"}}))
    assert "'xpreso' not found (did you mean xpresso?)" in said


def test_an_absent_resource_names_file_checksum_and_remedy(clone: Clone, real: dict[str, object]) -> None:
    said = attempt(clone, real)
    assert said.startswith("exit 1")
    assert "1000G.EUR503.chr22_17.75-19.25Mb.vcf.gz" in said or "hg19.chr22_1-22000000.fa.gz" in said
    assert "sha256" in said
    assert "PEXBENCH_MIRROR" in said


def test_a_truncated_resource_is_told_before_any_job(clone: Clone, real: dict[str, object], tmp_path: Path) -> None:
    for row in (clone.folder / "config" / "resources.tsv").read_text().splitlines()[1:]:
        (tmp_path / row.split("\t")[1]).write_bytes(b"short")
    said = attempt(clone, real | {"mirror": str(tmp_path)})
    assert "5 bytes found" in said
    assert "truncated" in said


def test_models_without_weights_are_told_together(clone: Clone) -> None:
    networks = {name: {"card": name} for name in ("enformer", "basenji2", "expecto")}
    said = attempt(
        clone, simulated(models={**networks, "k": {"card": "kmer_ridge"}}, download=False, variants={"flank": 98304})
    )
    assert said.startswith("exit 1")
    for told in ("enformer", "basenji2", "expecto", "model_human.h5", "deepsea.beluga.pth", "skip_unavailable"):
        assert told in said


def test_models_without_weights_can_be_left_out(clone: Clone) -> None:
    networks = {name: {"card": name} for name in ("enformer", "expecto")}
    models = {**networks, "k": {"card": "kmer_ridge"}}
    said = attempt(clone, simulated(models=models, skip_unavailable=True), "--printshellcmds", "--quiet", "host")
    assert said.startswith("exit 0")
    assert "predict_enformer" not in said
    assert "--not-run 'enformer=weights absent: pytorch_model.bin'" in said
    assert "not run: enformer" in said


def test_a_gene_table_that_is_not_there_is_told(clone: Clone, real: dict[str, object]) -> None:
    inputs = {"reference": "a.fa", "genotypes": "b.vcf.gz", "genes": "c.tsv", "expression": {"across_individuals": "d"}}
    said = attempt(clone, simulated(simulation=None, inputs=inputs))
    assert "neither a file nor a resource" in said
