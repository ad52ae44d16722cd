"""Verbs of the variant store and of haplotypes."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from pexbench.verbs import common

LOG = logging.getLogger("pexbench.variants")
#: What a haplotype check counts; see ``haplotypes_check.check_against_bcftools``.
COUNTED = ("compared", "different", "built", "applied")


def subset_variants(arguments: argparse.Namespace) -> None:
    """Write the variants around a shard's genes as an indexed BCF."""
    from pexbench.reference import Reference
    from pexbench.variants import VariantRules
    from pexbench.variants import subset_variants as subset

    genes, personal, samples = common.shard_genes(arguments)
    rules = VariantRules(arguments.indels, arguments.multiallelics, arguments.flank)
    members = [gene for gene in genes if gene.gene_id in personal]
    subset(arguments.vcf, Reference(arguments.reference), members, samples, rules, arguments.output)
    LOG.info("%s: variants around %d genes, %d people", arguments.output.name, len(members), len(samples))


def check_haplotypes(arguments: argparse.Namespace) -> None:
    """Compare haplotypes drawn at random with bcftools consensus, byte for byte."""
    from pexbench import bcftools
    from pexbench.errors import InputError
    from pexbench.files import write_json
    from pexbench.haplotypes_check import check_against_bcftools
    from pexbench.reference import Reference

    genes, personal, samples = common.shard_genes(arguments)
    windows = _windows(genes, personal, arguments.flank)
    if not windows:
        # A shard whose genes get their reference prediction only has no haplotypes to prove.
        result: dict[str, Any] = {**dict.fromkeys(COUNTED, 0), "bcftools": bcftools.version(), "examples": []}
    else:
        result = check_against_bcftools(
            Reference(arguments.reference),
            arguments.bcf,
            windows,
            samples,
            arguments.number,
            arguments.seed,
            unphased=arguments.unphased,
            missing=arguments.missing,
        )
    if result["different"]:
        raise InputError(
            f"{arguments.bcf}: {result['different']} of {result['compared']} haplotypes differ from bcftools consensus "
            f"({result['bcftools']}), first {result['examples'][0]}; none may differ; this is a fault of the program or "
            "of the variants, please report it with the file."
        )
    write_json(result, arguments.output)
    LOG.info("%s haplotypes compared, 0 different", result["compared"])


def gather_haplotype_checks(arguments: argparse.Namespace) -> None:
    """Add up the haplotype checks of all shards."""
    from pexbench.files import read_json, write_json

    parts = [read_json(path) for path in arguments.checks]
    total: dict[str, object] = {key: sum(part.get(key, 0) for part in parts) for key in COUNTED}
    total["shards"] = len(parts)
    total["bcftools"] = sorted({part["bcftools"] for part in parts})
    LOG.info("%s haplotypes compared with bcftools consensus, %s different", total["compared"], total["different"])
    write_json(total, arguments.output)


def write_haplotypes(arguments: argparse.Namespace) -> None:
    """Write FASTA files of every person's haplotypes, made by bcftools consensus."""
    from pexbench.haplotypes_check import write_fasta
    from pexbench.reference import Reference

    genes, personal, samples = common.shard_genes(arguments)
    windows = _windows(genes, personal, arguments.flank)
    arguments.output.mkdir(parents=True, exist_ok=True)
    reference = Reference(arguments.reference)
    for gene_id, window in windows:
        write_fasta(reference, arguments.bcf, gene_id, window, samples, arguments.output / f"{gene_id}.fa")
    LOG.info("%d genes, %d people", len(windows), len(samples))


def _windows(genes: list[Any], personal: set[str], flank: int) -> list[tuple[str, Any]]:
    """The interval of ``flank`` bp on either side of the TSS, per gene with genotypes."""
    from pexbench.windows import WindowRule, window_of

    rule = WindowRule(2 * flank, flank, flank, oriented=False)
    return [(gene.gene_id, window_of(gene, rule)) for gene in genes if gene.gene_id in personal]


def add(parsers: Any) -> None:
    """Add these verbs."""
    parser = common.verb(parsers, subset_variants)
    parser.add_argument("--vcf", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    common.add_shard(parser)
    common.add_variant_rules(parser)
    parser.add_argument("--output", type=Path, required=True, help="BCF")
    for run in (check_haplotypes, write_haplotypes):
        parser = common.verb(parsers, run)
        parser.add_argument("--bcf", type=Path, required=True)
        parser.add_argument("--reference", type=Path, required=True)
        common.add_shard(parser)
        parser.add_argument("--flank", type=int, default=98304, help="bp on either side of a TSS")
        parser.add_argument("--output", type=Path, required=True)
        if run is check_haplotypes:
            common.add_genotyping(parser)
            parser.add_argument("--number", type=int, default=50, help="haplotypes to compare")
            parser.add_argument("--seed", type=int, default=1)
    parser = common.verb(parsers, gather_haplotype_checks)
    parser.add_argument("--checks", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
