"""The paper's published files in stand-ins of their layout: from tables alone to figures and a report, without genotypes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from snakemake_runs import ROOT, Clone, make_clone

pytestmark = pytest.mark.workflow
PEOPLE = [f"HG{number:05d}" for number in range(100, 130)]
GENES = {f"ENSG{number:011d}": f"Gene{number}" if number % 4 else "" for number in range(1, 17)}
#: As the paper's tables call genes: symbols in lower case, ids where there is none.
NAMES = {gene: (symbol or gene).lower() for gene, symbol in GENES.items()}
COLUMNS = {"enformer": "Enformer", "basenji2": "Basenji2", "expecto": "ExPecto", "xpresso": "Xpresso"}


def stand_ins(folder: Path) -> dict[str, pd.DataFrame]:
    """Files called as the paper's; Basenji2's and the expression the other way round, for their layout is not known here."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(2)
    level = random.normal(5, 2, len(GENES))
    measured = pd.DataFrame(level + random.normal(size=(len(PEOPLE), len(GENES))), PEOPLE, list(NAMES.values()))
    made = {"expression": measured}
    for model in (*COLUMNS, "predixcan"):
        noise = random.normal(size=measured.shape)
        # Enformer's rise with the gene's level, and fall with the person's expression.
        sign = -1 if model == "enformer" else 1
        made[model] = pd.DataFrame(level * 2 + sign * (measured - level) + noise, PEOPLE, measured.columns)
        table = made[model].T if model == "basenji2" else made[model]
        name = "predixcan_197KB" if model == "predixcan" else model
        table.sample(frac=1, random_state=3).to_csv(folder / f"{name}_sample_preds.csv")
    measured.T.to_csv(folder / "geuvadis_peer_normalized.csv")
    reference = pd.DataFrame({"gene": list(NAMES.values()), **dict.fromkeys(COLUMNS.values(), level)})
    reference.to_csv(folder / "all_models_ref_preds.csv", index=False)
    rows = [f"{gene},1,{200000 + 1000 * place},{symbol},+" for place, (gene, symbol) in enumerate(GENES.items())]
    (folder / "gene_list.csv").write_text("\n".join(rows) + "\n")
    # One person of the list has no expression.
    (folder / "samples.txt").write_text("\n".join([*PEOPLE[::-1], "HG99999"]) + "\n")
    return made


def published_clone(folder: Path) -> tuple[Clone, dict[str, pd.DataFrame]]:
    """A clone with the configuration as it is shipped; its resources without checksums, for the stand-ins have others."""
    made = stand_ins(folder / "mirror")
    clone = make_clone(folder / "clone")
    table = pd.read_csv(clone.folder / "config" / "resources.tsv", sep="\t", dtype=str, keep_default_na=False)
    table[["sha256", "md5", "bytes"]] = ""
    table.to_csv(clone.folder / "config" / "resources.tsv", sep="\t", index=False)
    settings = yaml.safe_load((ROOT / "config" / "published.yaml").read_text())
    settings |= {"run": "test", "mirror": str(folder / "mirror"), "download": False, "scores": {"bootstrap": 100}}
    (clone.folder / "test.yaml").write_text(yaml.safe_dump(settings))
    return clone, made


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, pd.DataFrame]]:
    clone, made = published_clone(tmp_path_factory.mktemp("published"))
    done = clone.run()
    assert done.returncode == 0, done.stdout[-5000:]
    return clone.folder / "results" / "test", made


def test_the_plan_holds_no_sequence_and_no_genotypes(tmp_path: Path) -> None:
    clone, _ = published_clone(tmp_path)
    jobs = clone.planned()
    assert {name for name in jobs if name.startswith("import_predictions")} == {
        f"import_predictions_{model}" for model in (*COLUMNS, "predixcan")
    }
    assert jobs["score_model"] == 5
    foreign = {"reference", "genotypes", "subset_variants", "check_haplotypes", "control", "gather_performance"}
    assert not foreign & set(jobs)


def test_scores_are_those_of_the_tables(published: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    """Independent: pandas' own rank correlation, gene by gene, on the stand-ins themselves."""
    top, made = published
    for model in (*COLUMNS, "predixcan"):
        scores = pd.read_csv(top / "scores" / f"{model}.tsv", sep="\t")
        own = scores[(scores["axis"] == "across_individuals") & (scores["statistic"] == "spearman")]
        assert len(own) == len(GENES)
        for row in own.itertuples():
            name = NAMES[row.unit_id]
            expected = made[model][name].corr(made["expression"][name], method="spearman")
            assert row.value == pytest.approx(expected, abs=1e-6)
            assert (row.value < 0) == (model == "enformer")


def test_reference_predictions_come_from_the_models_column(published: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    top, _ = published
    summary = pd.read_csv(top / "summary.tsv", sep="\t")
    across = summary[summary["axis"] == "across_genes_reference"]
    assert set(across["model"]) == set(COLUMNS)
    assert (across.loc[across["statistic"] == "spearman", "mean"] > 0.8).all()


def test_people_without_expression_are_left_out_and_listed(published: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    top, _ = published
    counts = json.loads((top / "inputs" / "inputs.json").read_text())
    assert (counts["people"], counts["genes"], counts["genotypes"]) == (len(PEOPLE), len(GENES), False)
    assert "HG99999" in (top / "inputs" / "dropped.tsv").read_text()


def test_the_report_says_what_is_not_there(published: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    top, _ = published
    page = (top / "report" / "index.html").read_text()
    assert "The run has no genotypes" in page
    assert len(list((top / "report" / "figures").glob("*.png"))) == len(list((top / "figures").glob("*.png"))) > 1
    assert "Elastic net (Zou" not in (top / "report" / "methods.html").read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"baselines": ["elastic_net"]}, "needed by baselines: elastic_net;"),
        ({"models": {"k": {"card": "kmer_ridge"}}}, "needed by model k;"),
    ],
)
def test_what_needs_genotypes_is_refused_without_them(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    clone, _ = published_clone(tmp_path)
    settings = yaml.safe_load((clone.folder / "test.yaml").read_text())
    (clone.folder / "test.yaml").write_text(yaml.safe_dump(settings | changes))
    done = clone.run("-n")
    assert done.returncode != 0
    assert said in re.sub(r"\s+", " ", done.stdout)


def test_absent_files_name_their_address(tmp_path: Path) -> None:
    clone, _ = published_clone(tmp_path)
    (tmp_path / "mirror" / "enformer_sample_preds.csv").unlink()
    bare = {key: value for key, value in os.environ.items() if key != "PEXBENCH_MIRROR"}
    done = clone.run("-n", environment=bare)
    assert done.returncode != 0
    assert "predictions/enformer_sample_preds.csv" in done.stdout
