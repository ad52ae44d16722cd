"""Both implementations of Xpresso on real people, through the verbs, each in its own environment."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest

from pexbench.cli import main
from pexbench.port_sequences import read_sequences

pytestmark = pytest.mark.real
PUBLISHED = "published_reference_predictions.chr22.csv"
WEIGHTS = "GM12878_trainepoch.06-0.5062.h5"


def find(mirror: Path, name: str) -> Path:
    found = next(mirror.rglob(name), None)
    if found is None:
        pytest.skip(f"{name} is not in the mirror")
    return found


@pytest.fixture(scope="module")
def folder(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequences of people around the paper's genes, drawn by the verb."""
    folder = tmp_path_factory.mktemp("ports")
    with gzip.open(find(mirror, "hg19.chr22_1-22000000.fa.gz")) as packed, (folder / "r.fa").open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    pysam.faidx(str(folder / "r.fa"))
    vcf = find(mirror, "1000G.EUR503.chr22_17.75-19.25Mb.vcf.gz")
    with pysam.VariantFile(str(vcf)) as handle:
        (folder / "samples.tsv").write_text("\n".join(["sample", *handle.header.samples]) + "\n")
    genes = pd.read_csv(find(mirror, PUBLISHED), dtype=str)
    genes = genes.rename(columns={"gene_name": "symbol", "chrom": "contig", "tss_1based": "tss"})
    genes["personal"] = genes["tss"].astype(int).between(17_760_000, 19_240_000)
    genes[["gene_id", "symbol", "contig", "tss", "strand", "personal"]].to_csv(folder / "g.tsv", sep="\t", index=False)
    options = {
        "card": "xpresso",
        "genotypes": vcf,
        "reference": folder / "r.fa",
        "genes": folder / "g.tsv",
        "samples": folder / "samples.tsv",
        "published": find(mirror, PUBLISHED),
        "number-genes": 4,
        "number-haplotypes": 8,
        "output": folder / "sequences.npz",
    }
    main(["sample_sequences", *(str(part) for key, value in options.items() for part in (f"--{key}", value))])
    return folder


def test_sequences_are_those_of_people_with_variants(folder: Path) -> None:
    made = read_sequences(folder / "sequences.npz")
    labels = np.array(made.labels)
    assert (labels == "reference").sum() == 14
    assert (labels != "reference").sum() == 4 * 8
    for gene in set(np.array(made.gene_ids)[labels != "reference"]):
        own = made.codes[(np.array(made.gene_ids) == gene) & (labels != "reference")]
        assert len({row.tobytes() for row in own}) == 8


@pytest.mark.original
def test_both_implementations_agree_with_each_other_and_with_the_paper(folder: Path, mirror: Path, root: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed here; run in an environment that has it")
    python = root / ".venvs" / "tensorflow" / "bin" / "python"
    if not python.exists():
        pytest.skip("environment tensorflow is not built: python3 workflow/bin/environments.py tensorflow")
    weights = find(mirror, WEIGHTS)
    verb = ["predict_sequences", "--card", "xpresso", "--weights", f"network={weights}", "--device", "cpu"]
    verb += ["--sequences", str(folder / "sequences.npz")]
    main([*verb, "--output", str(folder / "torch.tsv")])
    done = subprocess.run(
        [python, "-m", "pexbench", *verb, "--implementation", "original", "--output", str(folder / "original.tsv")],
        env={**os.environ, "PYTHONPATH": str(root / "workflow" / "lib")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    tables = [f"{name}={folder / name}.tsv" for name in ("torch", "original")]
    outputs = ["--output", str(folder / "report.json"), "--output-genes", str(folder / "genes.tsv")]
    published = ["--published", str(find(mirror, PUBLISHED))]
    main(["compare_ports", "--card", "xpresso", "--predictions", *tables, *published, *outputs])
    report = json.loads((folder / "report.json").read_text())
    assert report["passed"] is True
    (pair,) = report["pairs"]
    # They are two programs: what they add up in another order differs in the last bits.
    assert 0 < pair["max_difference"] < 1e-5
    assert pair["max_difference_over_spread"] < 1e-2
    assert pair["median_spread"] > 1e-3
    assert [row["genes"] for row in report["published"]["implementations"]] == [14, 14]
    one, other = (pd.read_csv(folder / f"{name}.tsv", sep="\t") for name in ("torch", "original"))
    assert (one["prediction"] - other["prediction"]).abs().max() == pytest.approx(pair["max_difference"], rel=0.2)
