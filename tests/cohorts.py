"""Tiny cohorts with known contents, written as the files that check_inputs reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pysam

from pexbench.checks import CheckRules, InputFiles
from pexbench.variants import VariantRules

PEOPLE = [f"P{number:02d}" for number in range(1, 13)]
LENGTH = 20_000


@dataclass
class Cohort:
    """Parts of a cohort; tests change one and look at what the checks say."""

    vcf_contig: str = "22"
    fasta_contig: str = "chr22"
    people: list[str] = field(default_factory=lambda: list(PEOPLE))
    expressed: list[str] = field(default_factory=lambda: PEOPLE[::-1])
    #: (position 1-based, REF or None for the reference's base, ALT, genotypes or None for random phased ones)
    records: list[tuple[int, str | None, str | None, list[str] | None]] = field(
        default_factory=lambda: [(position, None, None, None) for position in range(2000, 18000, 250)]
    )
    genes: list[tuple[str, str, str, int, str]] = field(
        default_factory=lambda: [("G1", "ONE", "22", 6000, "+"), ("G2", "", "22", 12000, "-")]
    )
    expression: dict[str, Callable[[int], float]] = field(default_factory=dict)
    samples: list[str] | None = None

    def reference(self) -> str:
        """The sequence."""
        return "".join(np.random.default_rng(7).choice(list("ACGT"), LENGTH))

    def write(self, folder: Path) -> InputFiles:
        """Write all files."""
        random = np.random.default_rng(8)
        sequence = self.reference()
        fasta = folder / "reference.fa"
        fasta.write_text(f">{self.fasta_contig}\n{sequence}\n")
        pysam.faidx(str(fasta))
        lines = [
            "##fileformat=VCFv4.2",
            f"##contig=<ID={self.vcf_contig},length={LENGTH}>",
            '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
            "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *self.people]),
        ]
        for position, ref, alt, calls in self.records:
            base = ref or sequence[position - 1]
            other = alt or {"A": "C", "C": "G", "G": "T", "T": "A"}[base[0]]
            drawn = calls or [f"{a}|{b}" for a, b in random.integers(0, 2, (len(self.people), 2))]
            lines.append("\t".join([self.vcf_contig, str(position), ".", base, other, ".", ".", ".", "GT", *drawn]))
        text = folder / "genotypes.vcf"
        text.write_text("\n".join(lines) + "\n")
        vcf = folder / "genotypes.vcf.gz"
        pysam.tabix_compress(str(text), str(vcf), force=True)
        pysam.tabix_index(str(vcf), preset="vcf", force=True)
        genes = folder / "genes.tsv"
        genes.write_text(
            "gene_id\tsymbol\tcontig\ttss\tstrand\n" + "".join("\t".join(map(str, gene)) + "\n" for gene in self.genes)
        )
        table = folder / "expression.tsv"
        rows = ["gene_id\t" + "\t".join(self.expressed)]
        for gene_id, *_ in self.genes:
            level = self.expression.get(gene_id, lambda _: float(random.normal()))
            rows.append(gene_id + "\t" + "\t".join(str(level(number)) for number in range(len(self.expressed))))
        table.write_text("\n".join(rows) + "\n")
        samples = None
        if self.samples is not None:
            samples = folder / "samples.tsv"
            samples.write_text("sample\tpopulation\n" + "".join(f"{name}\tX\n" for name in self.samples))
        return InputFiles(fasta, str(vcf), genes, samples, table, table)


RULES = CheckRules(variants=VariantRules(flank=3000), genotyped_flank=2000, sequence_flank=2000)
