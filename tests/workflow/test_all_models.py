"""All four networks of the paper and a table of predictions in one run: reduced width, untrained weights, said so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import basenji2_file
import enformer_file
import expecto_file
import xpresso_file
from snakemake_runs import Clone, make_clone

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
NETWORKS = ("enformer", "basenji2", "expecto", "xpresso")
PEOPLE = [f"SIM{number:04d}" for number in range(1, 21)]


def drawn_weights(folder: Path) -> dict[str, dict[str, str]]:
    """Seeded weights in the published layouts, small networks."""
    made = {}
    for name, module in (("enformer", enformer_file), ("basenji2", basenji2_file), ("expecto", expecto_file)):
        (folder / name).mkdir(parents=True)
        made[name] = {key: str(path) for key, path in module.files(folder / name).items() if key != "saved_model"}
    arrays = xpresso_file.parameters(xpresso_file.PUBLISHED, seed=4)
    made["xpresso"] = {"network": str(xpresso_file.write(folder / "network.h5", xpresso_file.PUBLISHED, arrays))}
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    folder = tmp_path_factory.mktemp("all_models")
    weights = drawn_weights(folder / "weights")
    random = np.random.default_rng(0)
    genes = [f"simg{number:04d}" for number in range(1, 7)]
    table = pd.DataFrame(random.normal(size=(20, 6)), index=PEOPLE[::-1], columns=genes[::-1])
    table.to_csv(folder / "elsewhere.csv")
    models: dict[str, object] = {
        name: {"card": name, "weights": weights[name], "note": "untrained"} for name in NETWORKS
    }
    models["elsewhere"] = {"table": str(folder / "elsewhere.csv")}
    clone = make_clone(
        folder / "clone",
        simulation={"people": 20, "genes": 6, "seed": 3},
        models=models,
        control_model="xpresso",
        elastic_net={"outer_folds": 2, "inner_folds": 2},
        genes_per_shard=3,
        variant_effects={"genes": "none"},  # tests/contract asks every network for them
    )
    top = "results/test"
    done = clone.run("scores", f"{top}/figures/fig1b_distributions.svg", f"{top}/benchmarks/inference.tsv")
    assert done.returncode == 0, done.stdout[-5000:]
    return clone


def test_every_model_is_scored_and_says_that_it_is_untrained(run: Clone) -> None:
    summary = pd.read_csv(run.folder / "results" / "test" / "summary.tsv", sep="\t", keep_default_na=False)
    assert {*NETWORKS, "elsewhere"} <= set(summary["model"])
    for name in NETWORKS:
        assert summary.loc[summary["model"] == name, "note"].str.startswith("untrained").all()
    text = (run.folder / "results" / "test" / "figures" / "fig1b_distributions.svg").read_text()
    assert text.count("(untrained)") >= 4


@pytest.mark.parametrize("model", NETWORKS)
def test_networks_tell_people_apart(run: Clone, model: str) -> None:
    table = pd.read_parquet(run.folder / "results" / "test" / "predictions" / f"{model}.parquet")
    assert len(table) == 6 * 20
    assert table["prediction"].dtype == "float32"
    assert (table.groupby("gene_id")["prediction"].nunique() > 1).sum() >= 4


def test_a_table_from_elsewhere_is_taken_by_name(run: Clone) -> None:
    table = pd.read_parquet(run.folder / "results" / "test" / "predictions" / "elsewhere.parquet")
    given = pd.read_csv(run.folder.parent / "elsewhere.csv", index_col=0)
    for row in table.itertuples():
        assert row.prediction == pytest.approx(given.loc[row.sample, row.gene_id.lower()], abs=1e-6)


def test_ports_agree_on_the_runs_own_sequences(run: Clone) -> None:
    if not (run.folder / ".venvs" / "tensorflow" / "bin" / "python").exists():
        pytest.skip("environment tensorflow is not built: python3 workflow/bin/environments.py tensorflow")
    done = run.run("check_ports")
    assert done.returncode == 0, done.stdout[-5000:]
    checked = {path.stem for path in (run.folder / "results" / "test" / "port_checks").glob("*.json")}
    assert {"xpresso", "basenji2"} <= checked


def test_sharing_is_accounted_for(run: Clone) -> None:
    table = pd.read_csv(run.folder / "results" / "test" / "benchmarks" / "inference.tsv", sep="\t").set_index("model")
    assert set(table.index) == set(NETWORKS)
    assert table["haplotypes"].eq(6 * 20 * 2).all()
    assert table["distinct_share"].between(0, 1).all()
    assert table["avoided_share"].between(0.2, 1).all(), "40 haplotypes of a gene share most of the computation"
    assert (table["peak_memory_mb"] > 50).all()
    assert table.loc["enformer", "pieces"].startswith("trunk ")


def test_shared_computation_changes_nothing(run: Clone) -> None:
    done = run.run("check_incremental")
    assert done.returncode == 0, done.stdout[-5000:]
    for model in NETWORKS:
        table = pd.read_csv(run.folder / "results" / "test" / "incremental_checks" / f"{model}.tsv", sep="\t")
        assert len(table) == 6
        assert table["n"].eq(16).all()
        assert (table["difference_over_size"] <= 2e-6).all()


def test_a_wrong_prediction_stops_the_check(run: Clone) -> None:
    top = run.folder / "results" / "test"
    path = sorted((top / "predictions" / "xpresso").glob("*.parquet"))[0]
    before = path.read_bytes()
    table = pd.read_parquet(path)
    table["haplotype_1"] = table["haplotype_1"].to_numpy()[::-1].copy()
    table.to_parquet(path, index=False)
    try:
        done = run.run("check_incremental")
        assert done.returncode != 0
        assert "shared and plain path differ by" in done.stdout
        assert list((top / "logs" / "check_incremental" / "xpresso").glob("*.tsv")), "the report survives the failure"
    finally:
        path.write_bytes(before)


def test_a_faster_precision_is_measured_gene_by_gene(run: Clone) -> None:
    settings = run.folder / "test.yaml"
    before = settings.read_text()
    settings.write_text(yaml.safe_dump(yaml.safe_load(before) | {"inference": {"precision": "bf16"}}))
    try:
        planned = run.planned()
        assert {f"predict_{name}" for name in NETWORKS} <= set(planned)
        assert "subset_variants" not in planned
        done = run.run("xpresso")
        assert done.returncode == 0, done.stdout[-5000:]
        scores = pd.read_csv(run.folder / "results" / "test" / "scores" / "xpresso.tsv", sep="\t")
    finally:
        settings.write_text(before)
    genes = scores[scores["axis"] == "across_individuals"]
    assert genes["error_over_spread"].between(1e-4, 1).any()
    assert genes["rank_agreement"].dropna().le(1).all()
    failed = genes["error_over_spread"] > 0.05
    assert genes.loc[failed, "note"].str.contains("above 5% of the spread").all()
    assert not genes.loc[~failed, "note"].str.contains("above 5% of the spread").any()
    others = scores[scores["axis"] != "across_individuals"]
    assert others["error_over_spread"].isna().all()
