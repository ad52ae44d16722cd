"""Verbs that bring and check inputs."""

from __future__ import annotations

import argparse
import gzip
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from pexbench.verbs import common

LOG = logging.getLogger("pexbench.inputs")


def fetch(arguments: argparse.Namespace) -> None:
    """Bring a resource from the mirror or its URL, verified."""
    from pexbench.errors import InputError, listing
    from pexbench.resources import fetch as bring
    from pexbench.resources import read_resources

    table = read_resources(arguments.table)
    found = [entry for entry in table.values() if entry.file == arguments.output.name]
    if not found:
        raise InputError(
            f"{arguments.table}: no row for file {arguments.output.name}; it has {listing(e.file for e in table.values())}."
        )
    mirror = arguments.mirror or os.environ.get("PEXBENCH_MIRROR") or None
    LOG.info("%s from %s", arguments.output, bring(found[0], arguments.output, mirror))


def simulate(arguments: argparse.Namespace) -> None:
    """Simulate a cohort: reference, genotypes, genes, people, expression, and the truth behind it."""
    from pexbench.simulate import simulate as make
    from pexbench.simulate_names import SimulationSettings

    make(SimulationSettings(seed=arguments.seed, people=arguments.people, genes=arguments.genes), arguments.output)


def gene_table(arguments: argparse.Namespace) -> None:
    """Make the gene table from files that place genes."""
    from pexbench.files import write_json, write_table
    from pexbench.gene_table import describe, place_genes
    from pexbench.genes import genes_to_table

    genes, report = place_genes(arguments.sources, arguments.expression, arguments.contigs)
    for line in describe(report):
        LOG.info("%s", line)
    write_json(report, arguments.report)
    write_table(genes_to_table(genes), arguments.output)


def expression_table(arguments: argparse.Namespace) -> None:
    """Bring a matrix of measured expression, either way round and with genes by id or symbol, into the usual form."""
    from pexbench.expression_matrices import expression_of
    from pexbench.files import write_json, write_table
    from pexbench.gene_table import known_genes
    from pexbench.genes import read_genes

    known = read_genes(arguments.genes) if arguments.genes else known_genes(arguments.sources)
    table, report = expression_of(arguments.table, known)
    LOG.info("%s: %s", arguments.table.name, "; ".join(f"{key} {value}" for key, value in report["counts"].items()))
    write_json(report, arguments.report)
    # An empty field is no number to the reader of expression; a missing value is told from a forgotten one.
    write_table(table.astype(object).where(table.notna(), "nan"), arguments.output)


def reference(arguments: argparse.Namespace) -> None:
    """Give the run its reference: a link to a plain FASTA or the unpacked text of a gzip one, with an index."""
    import pysam

    from pexbench.files import published

    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with published(arguments.output) as aside:
        if arguments.source.suffix == ".gz":
            with gzip.open(arguments.source, "rb") as packed, open(aside, "wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
        else:
            aside.symlink_to(arguments.source.resolve())
        pysam.faidx(str(aside))
        Path(f"{aside}.fai").replace(f"{arguments.output}.fai")


def genotypes(arguments: argparse.Namespace) -> None:
    """Give the run a genotype file with an index: a link, or a copy where the header lacks what the records use."""
    from pexbench import bcftools, vcf_repair
    from pexbench.errors import listing
    from pexbench.files import published

    source = arguments.source.resolve()
    wrong = vcf_repair.faults(source) if vcf_repair.is_vcf(source) else None
    with published(arguments.output) as aside:
        if wrong:
            what = [f"header without {listing(wrong.undeclared)}"] if wrong.undeclared else []
            what += ["plain gzip"] if wrong.plain_gzip else []
            LOG.info("%s: %s; written anew with a full header and the genotypes alone", source.name, ", ".join(what))
            LOG.info("%d records", vcf_repair.rewrite(source, aside))
        else:
            aside.symlink_to(source)
        bcftools.run(["index", "--csi", "-f", "-o", f"{arguments.output}.csi", str(aside)])


def check_inputs(arguments: argparse.Namespace) -> None:
    """Check every input before any work is queued."""
    from pexbench.checks import CheckRules, InputFiles
    from pexbench.checks import check_inputs as check
    from pexbench.variants import VariantRules

    individuals, levels = arguments.expression[0], arguments.expression[-1]
    files = InputFiles(
        arguments.reference, arguments.genotypes, arguments.genes, arguments.samples, individuals, levels
    )
    rules = CheckRules(
        variants=VariantRules(arguments.indels, arguments.multiallelics, arguments.flank),
        region=arguments.region,
        genotyped_flank=arguments.genotyped_flank,
        sequence_flank=arguments.sequence_flank,
        unphased=arguments.unphased,
        missing=arguments.missing,
    )
    check(files, rules, arguments.output)


def add(parsers: Any) -> None:
    """Add these verbs."""
    parser = common.verb(parsers, fetch)
    parser.add_argument("--table", type=Path, required=True, help="resource table")
    parser.add_argument("--mirror", help="folder looked into first (default: PEXBENCH_MIRROR)")
    parser.add_argument("--output", type=Path, required=True, help="where the file shall lie; its name chooses the row")
    parser = common.verb(parsers, simulate)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--genes", type=int, default=120)
    parser.add_argument("--output", type=Path, required=True, help="folder")
    parser = common.verb(parsers, gene_table)
    parser.add_argument("--sources", type=Path, nargs="+", required=True, help="files that place genes, best first")
    parser.add_argument("--expression", type=Path, nargs="+", required=True, help="tables whose genes are wanted")
    parser.add_argument("--contigs", nargs="*", default=[], help="contigs to use (all)")
    parser.add_argument("--output", type=Path, required=True, help="gene table")
    parser.add_argument("--report", type=Path, required=True, help="JSON with counts")
    parser = common.verb(parsers, expression_table)
    parser.add_argument("--table", type=Path, required=True, help=".csv, people x genes or genes x people")
    known = parser.add_mutually_exclusive_group(required=True)
    known.add_argument("--genes", type=Path, help="gene table")
    known.add_argument("--sources", type=Path, nargs="+", help="files that place genes, best first")
    parser.add_argument("--output", type=Path, required=True, help="tab-separated: gene_id, one column per person")
    parser.add_argument("--report", type=Path, required=True, help="JSON with counts")
    for run in (reference, genotypes):
        parser = common.verb(parsers, run)
        parser.add_argument("--source", type=Path, required=True)
        parser.add_argument("--output", type=Path, required=True)
    parser = common.verb(parsers, check_inputs)
    parser.add_argument("--reference", type=Path, help="FASTA; absent in a run of tables of predictions alone")
    parser.add_argument("--genotypes", help="VCF or BCF; {contig} stands for the contig; absent as the reference")
    parser.add_argument("--genes", type=Path, required=True)
    parser.add_argument(
        "--expression", type=Path, nargs="+", required=True, help="across individuals and, if another, across genes"
    )
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--region", help="contig:start-end where genotypes are complete")
    parser.add_argument("--genotyped-flank", type=int, default=7000)
    parser.add_argument("--sequence-flank", type=int, default=7000)
    common.add_variant_rules(parser)
    common.add_genotyping(parser)
    parser.add_argument("--output", type=Path, required=True, help="folder")
