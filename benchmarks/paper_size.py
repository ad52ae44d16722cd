"""The paper's run as a plan: 3,259 genes on 22 chromosomes, 421 people, four models. Inputs are stood in.

    .venvs/base/bin/python benchmarks/paper_size.py FOLDER            inputs into FOLDER
    .venvs/base/bin/python benchmarks/paper_size.py FOLDER --plan     and plan the run with them
    ... --plan --graph workflow/report/rulegraph.svg                  and draw its rules (graphviz)

Tables and headers have the shape of the real ones (names of files, columns, ids with versions, VCF headers without
contigs), genotypes are a few records per chromosome, weights are empty files. FOLDER/resources.tsv is the project's table
without checksums, because these are other files. The plan is made by ``snakemake -n`` after ``snakemake prepare``; its
time, memory, and number of jobs per rule are printed.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
#: Genes of the paper's list by chromosome, 1 to 22.
GENES = (320, 215, 159, 129, 144, 222, 162, 104, 139, 143, 174, 129, 67, 96, 95, 124, 250, 66, 297, 89, 39, 96)
WITHOUT_SYMBOL = 108
PEOPLE, PEOPLE_GENOTYPED, PEOPLE_MEASURED = 421, 465, 462
MEASURED = 23_722
CONFIGURATION = ROOT / "config" / "geuvadis.yaml"


def genes() -> list[tuple[str, int, int, str, str]]:
    """Id, chromosome, TSS, symbol (some empty), strand."""
    random = np.random.default_rng(1)
    rows, number = [], 0
    for chromosome, count in enumerate(GENES, start=1):
        for position in np.sort(random.integers(200_000, 45_000_000, count)):
            number += 1
            symbol = (
                ""
                if number % (sum(GENES) // WITHOUT_SYMBOL) == 0 and number // 30 <= WITHOUT_SYMBOL
                else f"GENE{number}"
            )
            rows.append((f"ENSG{number:011d}", chromosome, int(position), symbol, "+-"[number % 2]))
    return rows


def write_expression(path: Path, rows: list[tuple[str, int, int, str, str]], measured: int, people: list[str]) -> None:
    """A table with the columns of GD462: TargetID, Gene_Symbol, Chr, Coord, then people."""
    random = np.random.default_rng(2)
    placed = [(gene, chromosome, tss) for gene, chromosome, tss, _, _ in rows]
    placed += [
        (f"ENSG{10**6 + number:011d}", 1 + number % 22, 10**6 + number) for number in range(measured - len(rows))
    ]
    with gzip.open(path, "wt", compresslevel=1) as handle:
        handle.write("\t".join(["TargetID", "Gene_Symbol", "Chr", "Coord", *people]) + "\n")
        for gene, chromosome, tss in placed:
            values = np.exp(random.normal(random.normal(1, 2), 0.4, len(people)))
            told = f"{gene}.{1 + tss % 9}"
            numbers = "\t".join(f"{value:.12g}" for value in values)
            handle.write(f"{told}\t{told}\t{chromosome}\t{tss}\t{numbers}\n")


def write_genotypes(path: Path, chromosome: int, people: list[str]) -> None:
    """A VCF as those of E-GEUV-1: no contig lines, FORMAT fields and INFO keys that the header does not declare."""
    import pysam

    lines = ["##fileformat=VCFv4.1", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines.append("#" + "\t".join([*["CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"], *people]))
    for position in range(200_000, 1_000_000, 100_000):
        calls = "\t".join(f"{number % 2}|{number % 3 // 2}:0.0:0,0,1:0.9" for number in range(len(people)))
        lines.append(
            f"{chromosome}\t{position}\trs{position}\tA\tG\t100\tPASS\tGERP=1;SVTYPE=SNP\tGT:DS:PP:BD\t{calls}"
        )
    with pysam.BGZFile(str(path), "wb") as handle:
        handle.write(("\n".join(lines) + "\n").encode())


def write_inputs(folder: Path, measured: int = MEASURED) -> None:
    """Everything that config/geuvadis.yaml names."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = genes()
    with open(folder / "gene_list.csv", "w", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows(rows)
    people = [f"HG{number:05d}" for number in range(1, PEOPLE_GENOTYPED + 1)]
    (folder / "samples.txt").write_text("\n".join(people[:PEOPLE]))
    with open(ROOT / "config" / "resources.tsv", newline="") as handle:
        table = list(csv.DictReader(handle, delimiter="\t"))
    by_name = {row["name"]: row for row in table}
    write_expression(folder / by_name["geuvadis_expression"]["file"], rows, measured, people[:PEOPLE_MEASURED])
    for chromosome in range(1, 23):
        write_genotypes(folder / by_name[f"geuvadis_chr{chromosome}"]["file"], chromosome, people)
    panel = [f"{name}\t{'GBR' if number % 2 else 'FIN'}\tEUR\tmale" for number, name in enumerate(people)]
    text = "\n".join(["sample\tpop\tsuper_pop\tgender\t\t", *panel, ""])
    (folder / by_name["panel_1000g_v3"]["file"]).write_text(text)
    eqtl = [f"{number},{gene}.1,{symbol},100,0.3,0.5,20" for number, (gene, _, _, symbol, _) in enumerate(rows)]
    text = "\n".join([",GENE_ID,name,distance,minor_allele_freq,rvalue,log10pvalue", *eqtl, ""])
    (folder / by_name["paper_eqtl"]["file"]).write_text(text)
    with gzip.open(folder / by_name["hg19"]["file"], "wt") as handle:
        handle.writelines(f">chr{chromosome}\n{'A' * 1000}\n" for chromosome in range(1, 23))
    for row in table:
        weights = row["name"].startswith(("enformer", "basenji2", "beluga", "expecto", "xpresso"))
        if weights:
            (folder / row["file"]).write_bytes(b"stood in\n")
    with open(folder / "resources.tsv", "w", newline="") as handle:
        writer = csv.DictWriter(handle, table[0].keys(), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"sha256": "", "md5": "", "bytes": ""} for row in table)


def settings(folder: Path) -> list[str]:
    """Arguments of snakemake that run the paper's configuration with the inputs of a folder."""
    given = [f"resources={folder / 'resources.tsv'}", f"mirror={folder}", "download=False"]
    return ["--configfile", str(CONFIGURATION), "--config", *given]


def plan(folder: Path, clone: Path, *arguments: str) -> tuple[dict[str, int], float, float, float]:
    """Plan the run.

    Returns:
        Jobs by rule, seconds on the clock and of a processor, and MB of memory.
    """
    snakemake = ROOT / ".venvs" / "snakemake" / "bin" / "snakemake"
    for _ in range(2):  # the second time nothing is to be prepared
        subprocess.run([snakemake, "prepare", "--cores", "2", *arguments, *settings(folder)], cwd=clone, check=True)
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [snakemake, "-n", *arguments, *settings(folder)], cwd=clone, capture_output=True, text=True, check=True
    )
    seconds = time.monotonic() - started
    table = done.stdout.split("Job stats:")[-1]
    jobs = {name: int(count) for name, count in re.findall(r"^(\S+)\s+(\d+)$", table, flags=re.MULTILINE)}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return jobs, seconds, worked, after.ru_maxrss / 1024


def draw(folder: Path, clone: Path, output: Path) -> None:
    """Draw the rules of the run, without arrows that follow from others."""
    snakemake = ROOT / ".venvs" / "snakemake" / "bin" / "snakemake"
    dot = subprocess.run(
        [snakemake, "--rulegraph", *settings(folder)], cwd=clone, capture_output=True, check=True
    ).stdout
    dot = dot.replace(b"node[", b"rankdir=LR; ranksep=0.35; nodesep=0.12; node[")
    few = subprocess.run(["tred"], input=dot, capture_output=True, check=True).stdout
    output.write_bytes(subprocess.run(["dot", "-Tsvg"], input=few, capture_output=True, check=True).stdout)


def main() -> None:
    """Make inputs; with --plan, plan the run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--measured", type=int, default=MEASURED, help="genes with expression")
    parser.add_argument("--graph", type=Path, help="SVG of the rules")
    given = parser.parse_args()
    folder = given.folder.resolve()
    write_inputs(folder, given.measured)
    if given.plan:
        clone = folder / "clone"
        clone.mkdir(exist_ok=True)
        for part in ("Snakefile", "workflow", "config", "envs", "profiles", ".venvs"):
            if not (clone / part).exists():
                os.symlink(ROOT / part, clone / part)
        jobs, seconds, worked, memory = plan(folder, clone)
        for name, count in jobs.items():
            sys.stdout.write(f"{name:32} {count:6,}\n")
        sys.stdout.write(f"planned in {seconds:.1f} s ({worked:.1f} s of a processor) with {memory:,.0f} MB\n")
        if given.graph:
            draw(folder, clone, given.graph)


if __name__ == "__main__":
    main()
