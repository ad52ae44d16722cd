"""The real run, whole: 358 people, both implementations of Xpresso, baselines and controls."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from pexbench.resources import read_resources
from snakemake_runs import Clone, make_clone

pytestmark = [pytest.mark.real, pytest.mark.workflow, pytest.mark.original, pytest.mark.slow]
XPRESSO = ("xpresso", "xpresso_original")
#: The gene whose eQTL is clearest in the region.
SLC25A1 = "ENSG00000100075"


@pytest.fixture(scope="module")
def top(mirror: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of `make chr22` in a clone of its own."""
    settings = (root / "config" / "geuvadis-chr22.yaml").read_text()
    # The names of resources that the configuration uses, and the file of the network it names.
    used = [e for e in read_resources(root / "config" / "resources.tsv").values() if e.name in settings]
    absent = [e.file for e in used if not any(mirror.rglob(e.file))]
    if absent:
        pytest.skip(f"real data absent: {mirror} lacks {', '.join(absent)}")
    clone: Clone = make_clone(tmp_path_factory.mktemp("chr22") / "clone")
    (clone.folder / "test.yaml").write_text(settings)
    done = clone.run(environment={**os.environ, "PEXBENCH_MIRROR": str(mirror)})
    assert done.returncode == 0, done.stdout[-5000:]
    again = clone.run("-n", environment={**os.environ, "PEXBENCH_MIRROR": str(mirror)})
    assert "Nothing to be done" in again.stdout
    return clone.folder / "results" / "geuvadis-chr22"


@pytest.mark.parametrize("model", XPRESSO)
def test_reference_predictions_are_the_published_ones(top: Path, mirror: Path, model: str) -> None:
    published = pd.read_csv(next(mirror.rglob("published_reference_predictions.chr22.csv"))).set_index("gene_id")
    found = pd.read_csv(top / "predictions" / f"{model}.reference.tsv", sep="\t").set_index("gene_id")["prediction"]
    difference = (found.reindex(published.index) - published["xpresso"]).abs()
    assert len(difference) == 14
    assert difference.notna().all(), "every published gene is predicted"
    assert difference.max() < 1e-5


def test_every_gene_with_genotypes_is_predicted_for_everyone(top: Path) -> None:
    genes = pd.read_csv(top / "inputs" / "genes.tsv", sep="\t", dtype=str)
    near = genes["tss"].astype(int).between(17_750_000 + 7000, 19_250_000 - 7000)
    table = pd.read_parquet(top / "predictions" / "xpresso.parquet")
    assert set(table["gene_id"]) == set(genes["gene_id"][near])
    assert table.groupby("gene_id")["sample"].nunique().eq(358).all()
    assert table[["haplotype_1", "haplotype_2"]].notna().all().all()
    assert table["prediction"].dtype == "float32"


def test_both_implementations_agree_for_every_person(top: Path) -> None:
    keys = ["gene_id", "sample"]
    port, original = (pd.read_parquet(top / "predictions" / f"{model}.parquet").set_index(keys) for model in XPRESSO)
    assert (port - original.reindex(port.index)).abs().to_numpy().max() < 1e-5


def test_haplotypes_equal_those_of_bcftools(top: Path) -> None:
    checks = json.loads((top / "haplotype_checks.json").read_text())
    assert checks["compared"] >= 200
    assert checks["different"] == 0


@pytest.mark.parametrize("model", ["elastic_net", "top_snp"])
def test_the_clearest_eqtl_gene_is_predicted_out_of_fold(top: Path, model: str) -> None:
    scores = pd.read_csv(top / "scores" / f"{model}.tsv", sep="\t")
    found = scores[(scores["axis"] == "across_individuals") & (scores["unit_id"] == SLC25A1)].set_index("statistic")
    assert found.loc["pearson", "value"] > 0.2
    assert found.loc["spearman", "value"] > 0.2
    assert found.loc["pearson", "n"] == 358


def test_known_eqtls_are_found_and_the_papers_stand_beside(top: Path) -> None:
    table = pd.read_csv(top / "associations.tsv", sep="\t").set_index("gene_id")
    genes = pd.read_csv(top / "inputs" / "genes.tsv", sep="\t").set_index("symbol")
    found = table.loc[SLC25A1]
    assert (found["lead_variant"], found["distance"]) == ("22:19161327:G:A", 5016)
    assert found["r"] == pytest.approx(-0.3475, abs=5e-4)
    assert found["eqtl_r"] == pytest.approx(-0.35735, abs=1e-4)
    assert found["h2_p"] < 1e-6
    mical3 = table.loc[genes.loc["MICAL3", "gene_id"]]
    leads = pd.read_parquet(top / "associations.leads.parquet").set_index(["gene_id", "sample"])["dosage"]
    with gzip.open(top.parents[1] / "resources" / "geuvadis.EUR373.chr22.normalised.bed.gz", "rt") as handle:
        measured = pd.read_csv(handle, sep="\t", index_col=3).loc[lambda t: t.index.str.startswith(mical3.name)].iloc[0]
    dosage = leads.loc[mical3.name]
    spearman = dosage.corr(measured[dosage.index].astype(float), method="spearman")
    assert spearman == pytest.approx(0.303, abs=1e-3), "known of this gene and matrix"
    assert (table["note"].fillna("").str.len() > 0)[table["lead_variant"].isna()].all()


def test_intervals_of_the_controls_include_zero(top: Path) -> None:
    summary = pd.read_csv(top / "summary.tsv", sep="\t")
    controls = summary[
        summary["model"].isin(["shuffled", "reference_only"]) & (summary["axis"] == "across_individuals")
    ]
    assert len(controls) == 4
    assert (controls["lower"] <= 0).all()
    assert (controls["upper"] >= 0).all()


def test_what_was_left_out_is_listed(top: Path) -> None:
    dropped = pd.read_csv(top / "inputs" / "dropped.tsv", sep="\t")
    counts = dropped.groupby(["kind", "reason"])["count"].sum()
    assert counts[("sample", "no expression")] == 503 - 358
    assert counts[("sample", "no genotypes")] == 373 - 358
    assert counts.index.get_level_values("kind").str.contains("personal prediction").any()
