"""A whole simulated cohort with known truth: genome, genotypes, genes, expression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pysam
from numpy.typing import NDArray

from pexbench.files import published, write_table
from pexbench.genes import Gene, genes_to_table
from pexbench.simulate_expression import (
    GeneTruth,
    gene_truth,
    in_promoters,
    normal_scores,
    null_genes,
    promoter_effects,
    spaced,
)
from pexbench.simulate_names import CONTIGS, SimulationSettings, gene_ids, sample_names
from pexbench.simulate_sequence import letters, place_genes, reference_contig, stream
from pexbench.simulate_variants import Variants, populations, simulate_snps, vcf_text, with_other_kinds

__all__ = ["SimulationSettings", "simulate"]

LINE = 60


def simulate(settings: SimulationSettings, folder: Path) -> None:
    """Simulate a cohort and write it with its truth.

    Files: ``reference.fa`` (+ ``.fai``), ``genotypes.vcf.gz`` (+ ``.tbi``), ``genes.tsv``, ``samples.tsv``,
    ``expression.bed.gz`` (inverse-normal per gene), ``expression_level.bed.gz`` (positive levels),
    ``truth.tsv`` (one row per gene, see :class:`~pexbench.simulate_expression.GeneTruth`) and
    ``truth_genetic.parquet`` (gene_id, sample, genetic: float64 sum of effect x dosage on the log scale).

    Args:
        settings: what is simulated; the same settings give the same bytes.
        folder: where to; made if absent.
    """
    genes = place_genes(settings)
    null = null_genes(settings, gene_ids(settings.genes))
    contigs: dict[str, NDArray[np.uint8]] = {}
    records: list[Variants] = []
    truths: list[GeneTruth] = []
    for contig in CONTIGS:
        here = [gene for gene in genes.values() if gene.contig == contig]
        codes = reference_contig(settings, contig, here)
        snps = simulate_snps(settings, contig, codes)
        snps = snps.kept(spaced(snps, here))
        snps = snps.kept(_silent(snps, [gene for gene in here if gene.gene_id in null], codes))
        promoters = in_promoters(snps, here)
        drawn = [gene_truth(settings, snps, gene, codes, ~promoters, gene.gene_id in null) for gene in here]
        causal = {name for truth in drawn for name in truth.variants}
        fixed = promoters | np.array([snps.name(row) in causal for row in range(len(snps.positions))])
        records.append(with_other_kinds(settings, snps, codes, fixed))
        contigs[contig] = codes
        truths += drawn
    samples = sample_names(settings.people)
    _write_reference(settings.seed, contigs, folder / "reference.fa")
    _write_genotypes(vcf_text(samples, settings.contig_length, records), folder / "genotypes.vcf.gz")
    write_table(genes_to_table(genes), folder / "genes.tsv")
    people = pd.DataFrame({"sample": samples, "population": populations(settings.people)})
    write_table(people, folder / "samples.tsv")
    _write_expression(settings, truths, folder)
    _write_truth(truths, samples, folder)


def _silent(snps: Variants, genes: list[Gene], codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """All SNPs but those that change the promoter score of one of these genes, bool [V]."""
    keep = np.ones(len(snps.positions), dtype=bool)
    for gene in genes:
        keep[[row for row, effect in promoter_effects(snps, gene, codes).items() if effect]] = False
    return keep


def _write_reference(seed: int, contigs: dict[str, NDArray[np.uint8]], path: Path) -> None:
    """Write the genome as FASTA with its index."""
    with published(path) as aside, published(f"{path}.fai") as index:
        with aside.open("wb") as handle:
            for contig, codes in contigs.items():
                text = letters(seed, contig, codes).tobytes()
                handle.write(f">{contig}\n".encode())
                handle.writelines(text[i : i + LINE] + b"\n" for i in range(0, len(text), LINE))
        pysam.faidx(str(aside), "--fai-idx", str(index))


def _write_genotypes(text: bytes, path: Path) -> None:
    """Write VCF text compressed (bgzip, which stores no time) with its tabix index."""
    with published(path) as aside, published(f"{path}.tbi") as index:
        _bgzip(text, aside)
        pysam.tabix_index(str(aside), preset="vcf", force=True, index=str(index))


def _bgzip(text: bytes, path: Path) -> None:
    """Write bytes in bgzip blocks."""
    with pysam.BGZFile(str(path), "wb") as handle:
        handle.write(text)


def _write_expression(settings: SimulationSettings, truths: list[GeneTruth], folder: Path) -> None:
    """Write both expression matrices; each has its sample columns in an order of its own."""
    samples = sample_names(settings.people)
    for name in ("expression", "expression_level"):
        order = stream(settings.seed, "columns", name).permutation(len(samples))
        lines = ["\t".join(["#chr", "start", "end", "gene_id", "strand", *(samples[i] for i in order)])]
        for truth in truths:
            values = normal_scores(truth.log_level) if name == "expression" else np.exp(truth.log_level)
            gene = truth.gene
            row = [gene.contig, str(gene.tss0), str(gene.tss), gene.gene_id, gene.strand]
            lines.append("\t".join([*row, *(f"{value:.8g}" for value in values[order])]))
        with published(folder / f"{name}.bed.gz") as aside:
            _bgzip("\n".join([*lines, ""]).encode(), aside)


def _write_truth(truths: list[GeneTruth], samples: list[str], folder: Path) -> None:
    """Write what is true: one row per gene, and each person's genetic value."""
    rows = [
        {
            "gene_id": truth.gene.gene_id,
            "h2": truth.h2,
            "h2_distal": truth.h2_distal,
            "h2_promoter": truth.h2_promoter,
            "n_causal": len(truth.variants),
            "variants": ";".join(truth.variants),
            "effects": ";".join(repr(effect) for effect in truth.effects),
            "mechanisms": ";".join(truth.mechanisms),
            "promoter_score": truth.promoter_score,
            "base_level": float(np.exp(truth.log_base)),
        }
        for truth in truths
    ]
    write_table(pd.DataFrame(rows), folder / "truth.tsv")
    table = pd.DataFrame(
        {
            "gene_id": np.repeat([truth.gene.gene_id for truth in truths], len(samples)),
            "sample": np.tile(samples, len(truths)),
            "genetic": np.concatenate([truth.genetic for truth in truths]),
        }
    )
    write_table(table, folder / "truth_genetic.parquet")
