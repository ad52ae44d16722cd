"""A complete run: what it leaves behind, and that a killed one continues to the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from snakemake_runs import Clone, make_clone

pytestmark = pytest.mark.workflow


def test_every_model_is_scored_on_both_axes(finished: Clone) -> None:
    summary = pd.read_csv(finished.folder / "results" / "test" / "summary.tsv", sep="\t")
    models = {"kmer_ridge", "gc_content", "elastic_net", "top_snp", "nearest_snp", "shuffled", "reference_only"}
    assert set(summary["model"]) == models
    across = summary[summary["axis"] == "across_individuals"]
    assert set(across["model"]) == models
    assert (across["n_units"] == 24).all()


def test_a_model_from_outside_predicts_the_gc_of_the_consensus(finished: Clone) -> None:
    """Independent oracle: bcftools consensus of the simulated VCF, cut and counted by hand."""
    import pysam

    top = finished.folder / "results" / "test"
    genes = pd.read_csv(top / "simulated" / "genes.tsv", sep="\t")
    table = pd.read_parquet(top / "predictions" / "gc_content.parquet").set_index(["gene_id", "sample"])
    gene = genes[genes["strand"] == "-"].iloc[3]
    start = gene.tss - 300  # 1-based first base: 300 bp before a TSS that has 300 bases on its left
    fasta = pysam.FastaFile(str(top / "simulated" / "reference.fa"))
    sequence = list(fasta.fetch(gene.contig, start - 1, start + 599).upper())
    assert len(sequence) == 600
    person = "SIM0005"
    for number in (0, 1):
        mine = list(sequence)
        for record in pysam.VariantFile(str(top / "simulated" / "genotypes.vcf.gz")).fetch(
            gene.contig, start - 1, start + 599
        ):
            alleles = [record.ref, *(record.alts or ())]
            if len(alleles) == 2 and all(len(allele) == 1 for allele in alleles):
                mine[record.start - (start - 1)] = alleles[record.samples[person]["GT"][number]]
        share = sum(base in "GC" for base in mine) / 600
        assert table.loc[(gene.gene_id, person), f"haplotype_{number + 1}"] == pytest.approx(share, abs=1e-6)


def test_controls_rank_nobody(finished: Clone) -> None:
    scores = pd.read_csv(finished.folder / "results" / "test" / "scores" / "reference_only.tsv", sep="\t")
    across = scores[scores["axis"] == "across_individuals"]
    assert (across["value"] == 0).all()
    assert across["note"].str.contains("constant").all()


def test_haplotypes_were_compared_with_bcftools(finished: Clone) -> None:
    checks = json.loads((finished.folder / "results" / "test" / "haplotype_checks.json").read_text())
    assert checks["compared"] == 4 * 5
    assert checks["different"] == 0


def test_figures_come_in_three_kinds_with_their_numbers(finished: Clone) -> None:
    folder = finished.folder / "results" / "test" / "figures"
    for name in ("fig1b_distributions", "fig1d_across_individuals"):
        assert (folder / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert (folder / f"{name}.pdf").read_bytes()[:4] == b"%PDF"
        assert "simulated cohort" in (folder / f"{name}.svg").read_text()
        assert len(pd.read_csv(folder / f"{name}.tsv", sep="\t"))


def test_fasta_files_are_a_target(finished: Clone) -> None:
    done = finished.run("haplotypes")
    assert done.returncode == 0, done.stdout
    files = sorted((finished.folder / "results" / "test" / "haplotypes").glob("*/*.fa"))
    assert len(files) == 24
    assert files[0].read_text().count(">") == 2 * 40


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_continues_to_the_same_bytes(finished: Clone, tmp_path: Path, sign: signal.Signals) -> None:
    clone = make_clone(tmp_path / "clone")
    slow = {**os.environ, "TEST_MODEL_SECONDS": "0.4"}
    run = subprocess.Popen(
        clone.command("--rerun-incomplete"),
        cwd=clone.folder,
        env=slow,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        folder = clone.folder / "results" / "test" / "predictions" / "gc_content"
        begun = clone.folder / "results" / "test" / "logs" / "predict" / "gc_content"
        for _ in range(1200):
            # On two cores a third job begins when Snakemake has noted that an earlier one is finished.
            if len(list(folder.glob("*.parquet"))) >= 1 and len(list(begun.glob("*.log"))) >= 3:
                break
            time.sleep(0.1)
        assert run.poll() is None, "the run ended before it could be killed"
        os.killpg(run.pid, sign) if sign == signal.SIGKILL else run.send_signal(sign)
        run.wait(timeout=120)
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
    left = clone.tables()
    assert "summary.tsv" not in left, "killed in the middle"
    made_before = {path: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    if sign == signal.SIGKILL:
        assert clone.run("--unlock").returncode == 0
    done = clone.run("--rerun-incomplete")
    assert done.returncode == 0, done.stdout
    assert [path for path, then in made_before.items() if path.stat().st_mtime_ns == then], "finished shards are kept"
    assert clone.tables() == finished.tables()
