"""All four networks of the paper and a table of predictions in one run: reduced width, untrained weights, said so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

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
    )
    done = clone.run()
    assert done.returncode == 0, done.stdout[-5000:]
    return clone


def test_every_model_is_scored_and_says_that_it_is_untrained(run: Clone) -> None:
    summary = pd.read_csv(run.folder / "results" / "test" / "summary.tsv", sep="\t", keep_default_na=False)
    assert {*NETWORKS, "elsewhere"} <= set(summary["model"])
    for name in NETWORKS:
        assert summary.loc[summary["model"] == name, "note"].str.startswith("untrained").all()
    text = (run.folder / "results" / "test" / "figures" / "distributions.svg").read_text()
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
