"""Settings and names of the simulated cohort; the standard library only, so that a Snakefile may import it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pexbench.errors import InputError

CONTIGS = ("sim1", "sim2")
#: Reach of a promoter from its TSS in bp, in gene direction; its sequence sets the gene's expression.
UPSTREAM, DOWNSTREAM = 1000, 500
#: Smallest mean distance of neighbouring genes in bp: keeps promoters apart.
MINIMUM_SPACING = 10_000


@dataclass(frozen=True)
class SimulationSettings:
    """What is simulated. The same settings give the same bytes.

    Attributes:
        seed: changes everything that is random.
        people: cohort size.
        genes: number of genes, half of them on each of the two contigs.
        contig_length: length of each contig in bp.
        null_share: share of genes without any genetic effect.
        heritability: smallest and largest cis heritability of the other genes.
        mutation_rate: per bp and generation; set so that common SNPs are about as dense as in Europeans.
        recombination_rate: mean, per bp and generation; most of it lies in hotspots.
        indel_share: share of records turned into insertions and deletions.
        multiallelic_share: share of records given a second alternative allele.
        expression_sd: standard deviation of log expression between people, mean over genes.
        unexplained_sd: standard deviation of the part of log base expression that no promoter motif explains.
    """

    seed: int = 1
    people: int = 200
    genes: int = 120
    contig_length: int = 3_000_000
    null_share: float = 0.35
    heritability: tuple[float, float] = (0.05, 0.6)
    mutation_rate: float = 3.5e-8
    recombination_rate: float = 1.2e-8
    indel_share: float = 0.04
    multiallelic_share: float = 0.01
    expression_sd: float = 0.4
    unexplained_sd: float = 0.7

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value lies outside its range.
        """
        low, high = self.heritability
        shares = (self.null_share, self.indel_share, self.multiallelic_share)
        rules = [
            ("seed", self.seed, self.seed >= 0, "a whole number of at least 0"),
            ("people", self.people, 10 <= self.people <= 9999, "10 to 9999"),
            ("genes", self.genes, 4 <= self.genes <= 9999, "4 to 9999"),
            (
                "null_share, indel_share, multiallelic_share",
                shares,
                all(0 <= s <= 0.9 for s in shares),
                "0 to 0.9 each",
            ),
            ("heritability", self.heritability, 0 < low <= high < 1, "two ascending numbers between 0 and 1"),
            ("mutation_rate", self.mutation_rate, 0 < self.mutation_rate <= 1e-6, "above 0, at most 1e-6"),
            (
                "recombination_rate",
                self.recombination_rate,
                0 < self.recombination_rate <= 1e-6,
                "above 0, at most 1e-6",
            ),
            ("expression_sd", self.expression_sd, 0 < self.expression_sd <= 2, "above 0, at most 2"),
            ("unexplained_sd", self.unexplained_sd, 0 <= self.unexplained_sd <= 5, "0 to 5"),
        ]
        for name, value, holds, allowed in rules:
            if not holds:
                raise InputError(f"simulation: {name} is {value}; allowed is {allowed}; correct the settings.")
        needed = math.ceil(MINIMUM_SPACING * math.ceil(self.genes / len(CONTIGS)) / 0.8)
        if self.contig_length < needed:
            raise InputError(
                f"simulation: contig_length is {self.contig_length} for {self.genes} genes; at least {needed} is "
                "needed to keep promoters apart; lengthen the contigs or simulate fewer genes."
            )

    @property
    def margin(self) -> int:
        """Distance of the outermost genes from a contig's ends in bp; shorter than a long model's window."""
        return min(40_000, self.contig_length // 10)


def gene_ids(genes: int) -> list[str]:
    """Gene ids in the gene table's order (by contig, then position)."""
    return [f"SIMG{number:04d}" for number in range(1, genes + 1)]


def gene_contigs(genes: int) -> list[str]:
    """Contig of each gene, in the order of :func:`gene_ids`; the first half lies on the first contig."""
    first = (genes + 1) // 2
    return [CONTIGS[0]] * first + [CONTIGS[1]] * (genes - first)


def sample_names(people: int) -> list[str]:
    """Sample names in the order of the genotypes' columns."""
    return [f"SIM{number:04d}" for number in range(1, people + 1)]
