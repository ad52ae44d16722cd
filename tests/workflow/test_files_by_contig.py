"""The paper's kind of inputs, end to end: one genotype file per contig with a poor header, a list of genes, a list of people."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from snakemake_runs import Clone, make_clone

pytestmark = pytest.mark.workflow
COLUMNS = ("name", "file", "url", "sha256", "md5", "bytes", "licence", "description")


def packed_like_e_geuv_1(vcf: Path, contig: str, output: Path) -> None:
    """One contig of a VCF, its header without contigs, its calls with fields that no header declares; plain gzip."""
    lines = gzip.decompress(vcf.read_bytes()).decode().splitlines()
    head = [line for line in lines if line.startswith("#") and not line.startswith("##contig")]
    body = []
    for line in lines:
        fields = line.split("\t")
        if fields[0] == contig:
            fields[7:9] = ["GERP=1", "GT:PP:BD"]
            fields[9:] = [f"{call.partition(':')[0]}:0,0,1:0.9" for call in fields[9:]]
            body.append("\t".join(fields))
    output.write_bytes(gzip.compress(("\n".join([*head, *body]) + "\n").encode()))


@pytest.fixture
def clone(finished: Clone, tmp_path: Path) -> Clone:
    """A clone whose inputs are those of the finished run, in other files."""
    made = finished.folder / "results" / "test" / "simulated"
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    genes = pd.read_csv(made / "genes.tsv", sep="\t", keep_default_na=False)
    genes[["gene_id", "contig", "tss", "symbol", "strand"]].to_csv(mirror / "genes.csv", header=False, index=False)
    people = pd.read_csv(made / "samples.tsv", sep="\t")["sample"]
    (mirror / "people.txt").write_text("\n".join(people))
    expression = pd.read_csv(made / "expression.bed.gz", sep="\t").set_index("gene_id")[list(people)]
    placed = genes.set_index("gene_id").loc[expression.index]
    for place, (name, values) in enumerate(
        {
            "TargetID": expression.index,
            "Gene_Symbol": expression.index,
            "Chr": placed["contig"],
            "Coord": placed["tss"],
        }.items()
    ):
        expression.insert(place, name, values)
    expression.to_csv(mirror / "expression.txt.gz", sep="\t", index=False)
    (mirror / "reference.fa").write_bytes((made / "reference.fa").read_bytes())
    files = {"made_genes": "genes.csv", "made_people": "people.txt", "made_expression": "expression.txt.gz"}
    files["made_reference"] = "reference.fa"
    for contig in genes["contig"].unique():
        files[f"made_{contig}_genotypes"] = f"made.{contig}.vcf.gz"
        packed_like_e_geuv_1(made / "genotypes.vcf.gz", contig, mirror / f"made.{contig}.vcf.gz")
    rows = "".join("\t".join([name, file, *[""] * (len(COLUMNS) - 2)]) + "\n" for name, file in files.items())
    table = tmp_path / "resources.tsv"
    table.write_text("\t".join(COLUMNS) + "\n" + rows)
    inputs = {
        "reference": "made_reference",
        "genotypes": "made_{contig}_genotypes",
        "gene_sources": ["made_genes"],
        "samples": "made_people",
        "expression": {"across_individuals": "made_expression"},
    }
    return make_clone(
        tmp_path / "clone",
        simulation=None,
        inputs=inputs,
        resources=str(table),
        mirror=str(mirror),
        models={"gc_content": {"card": "gc_content"}},
        control_model=None,
        baselines=[],
        controls=[],
    )


def test_the_same_data_in_other_files_give_the_same_predictions(clone: Clone, finished: Clone) -> None:
    assert clone.planned("prepare")["fetch"] == 6
    prepared = clone.run("prepare")
    assert prepared.returncode == 0, prepared.stdout
    assert "24 genes on 2 contigs" in prepared.stdout
    jobs = clone.planned("gc_content")
    assert jobs["genotypes"] == 2, "planned in full after 'prepare'"
    done = clone.run("results/test/predictions/gc_content.parquet")
    assert done.returncode == 0, done.stdout
    here, there = (
        pd.read_parquet(one.folder / "results" / "test" / "predictions" / "gc_content.parquet")
        for one in (clone, finished)
    )
    pd.testing.assert_frame_equal(here, there)
    log = (clone.folder / "results" / "test" / "logs" / "genotypes" / "sim1.log").read_text()
    assert "header without contig sim1, INFO/GERP, FORMAT/PP, FORMAT/BD, plain gzip; written anew" in log
