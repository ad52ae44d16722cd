"""Simulated haplotypes with real-looking linkage disequilibrium (LD), and their VCF file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import msprime
import numpy as np
from numpy.typing import NDArray

from pexbench.simulate_names import SimulationSettings
from pexbench.simulate_sequence import LETTERS, stream

POPULATIONS = ("SIMNORTH", "SIMSOUTH")


@dataclass(frozen=True)
class Variants:
    """Phased records of one contig, by position.

    Attributes:
        contig: its name.
        positions: int64 [V], 0-based.
        refs: reference alleles, upper case.
        alts: alternative alleles of each record.
        alleles: int8 [V, 2 x people], allele index, haplotypes 1 and 2 of a person side by side.
    """

    contig: str
    positions: NDArray[np.int64]
    refs: tuple[str, ...]
    alts: tuple[tuple[str, ...], ...]
    alleles: NDArray[np.int8]

    def dosages(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Copies of the first alternative allele, float64 [rows, people], order of the sample names."""
        carried = (self.alleles[rows] == 1).astype(np.float64)
        copies: NDArray[np.float64] = carried[:, 0::2] + carried[:, 1::2]
        return copies

    def name(self, row: int) -> str:
        """``contig:pos:REF:ALT`` of a biallelic record, position 1-based."""
        return f"{self.contig}:{self.positions[row] + 1}:{self.refs[row]}:{self.alts[row][0]}"

    def kept(self, keep: NDArray[np.bool_]) -> Variants:
        """The records where ``keep`` (bool [V]) is True."""
        rows = np.flatnonzero(keep)
        refs, alts = tuple(self.refs[i] for i in rows), tuple(self.alts[i] for i in rows)
        return Variants(self.contig, self.positions[rows], refs, alts, self.alleles[rows])


def populations(people: int) -> list[str]:
    """Population of each person, in the order of the sample names: two halves."""
    first = (people + 1) // 2
    return [POPULATIONS[0]] * first + [POPULATIONS[1]] * (people - first)


def _demography() -> msprime.Demography:
    """European-like history (sizes and times of Tennessen et al. 2012, rounded), split in two 300 generations ago.

    Out-of-Africa bottleneck of 1,860 and 1,030 people, slow growth, then fast growth; the halves exchange migrants.
    """
    demography = msprime.Demography()
    before_split = 1030 * math.exp(0.003 * 620)
    for name in POPULATIONS:
        demography.add_population(name=name, initial_size=before_split / 2 * math.exp(0.01 * 300), growth_rate=0.01)
    # msprime counts growth from the present on, also for a population that ends at a split.
    demography.add_population(name="EUROPE", initial_size=before_split * math.exp(0.003 * 300), growth_rate=0.003)
    demography.set_symmetric_migration_rate(list(POPULATIONS), 0.002)
    demography.add_population_split(time=300, derived=list(POPULATIONS), ancestral="EUROPE")
    demography.add_population_parameters_change(time=920, population="EUROPE", initial_size=1860, growth_rate=0)
    demography.add_population_parameters_change(time=2040, population="EUROPE", initial_size=14470)
    demography.add_population_parameters_change(time=5920, population="EUROPE", initial_size=7310)
    return demography


def _recombination(settings: SimulationSettings, contig: str) -> msprime.RateMap:
    """Two thirds of all recombination in hotspots of 2 kb, about one per 40 kb; the mean is the setting's."""
    rng = stream(settings.seed, "recombination", contig)
    length, width = settings.contig_length, 2000
    starts = np.arange(10_000, length - 2 * width, 40_000) + rng.integers(
        0, 30_000, len(range(10_000, length - 2 * width, 40_000))
    )
    starts = starts[starts < length - 2 * width]
    heat = rng.exponential(size=len(starts))
    total = settings.recombination_rate * length
    rates = np.full(2 * len(starts) + 1, settings.recombination_rate / 3)
    rates[1::2] += total * 2 / 3 * heat / heat.sum() / width
    edges = np.concatenate([[0], np.stack([starts, starts + width], axis=1).ravel(), [length]])
    return msprime.RateMap(position=edges, rate=rates)


def _haplotypes(settings: SimulationSettings, contig: str) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Sites where the cohort differs from one more haplotype, which plays the reference genome.

    Returns:
        0-based positions int64 [V] and int8 [V, 2 x people], 1 where a haplotype has not the reference's allele.
    """
    rng = stream(settings.seed, "coalescent", contig)
    halves = [populations(settings.people).count(name) for name in POPULATIONS]
    samples = [
        msprime.SampleSet(2 * halves[0], population=POPULATIONS[0], ploidy=1),
        msprime.SampleSet(2 * halves[1] + 1, population=POPULATIONS[1], ploidy=1),
    ]
    trees = msprime.sim_ancestry(
        samples=samples,
        demography=_demography(),
        recombination_rate=_recombination(settings, contig),
        random_seed=int(rng.integers(1, 2**31)),
    )
    mutated = msprime.sim_mutations(
        trees,
        rate=settings.mutation_rate,
        model=msprime.BinaryMutationModel(),
        random_seed=int(rng.integers(1, 2**31)),
    )
    matrix = mutated.genotype_matrix().astype(np.int8)
    positions = mutated.tables.sites.position.astype(np.int64)
    different = matrix[:, :-1] ^ matrix[:, -1:]
    varies = different.any(axis=1)
    return positions[varies], np.ascontiguousarray(different[varies])


def simulate_snps(settings: SimulationSettings, contig: str, codes: NDArray[np.uint8]) -> Variants:
    """Biallelic SNPs of one contig; REF is the reference's base, two thirds are transitions; none in gaps."""
    positions, alleles = _haplotypes(settings, contig)
    rng = stream(settings.seed, "bases", contig)
    base = codes[positions]
    # Codes A, C, G, T: adding 2 is a transition (A-G, C-T), adding 1 or 3 a transversion.
    step = rng.choice(np.array([2, 1, 3], dtype=np.uint8), size=len(base), p=[2 / 3, 1 / 6, 1 / 6])
    refs = LETTERS[base].tobytes().decode()
    alts = LETTERS[(base + step) % 4].tobytes().decode()
    every = Variants(contig, positions, tuple(refs), tuple((alt,) for alt in alts), alleles)
    return every.kept(base < 4)


def with_other_kinds(
    settings: SimulationSettings, variants: Variants, codes: NDArray[np.uint8], fixed: NDArray[np.bool_]
) -> Variants:
    """Turn some SNPs into indels and some into records with two alternative alleles.

    Args:
        settings: of the simulation.
        variants: biallelic SNPs.
        codes: uint8 [contig_length], the reference.
        fixed: bool [V], records that must stay as they are (causal ones, promoters).

    Returns:
        The same number of records at the same positions. A deletion ends before the next record, so records
        never overlap.
    """
    rng = stream(settings.seed, "kinds", variants.contig)
    draw = rng.random(len(variants.positions))
    refs, alts, alleles = list(variants.refs), list(variants.alts), variants.alleles.copy()
    room = np.diff(np.append(variants.positions, len(codes))) - 1
    for row in np.flatnonzero(~fixed & (draw < settings.indel_share)):
        start, size = int(variants.positions[row]), int(min(rng.geometric(0.4), 12))
        removed = codes[start + 1 : start + 1 + size]
        if rng.random() < 0.5 and room[row] >= size and (removed < 4).all():
            refs[row], alts[row] = refs[row] + LETTERS[removed].tobytes().decode(), (refs[row],)
        else:
            alts[row] = (refs[row] + LETTERS[rng.integers(4, size=size)].tobytes().decode(),)
    share = settings.indel_share
    for row in np.flatnonzero(~fixed & (draw >= share) & (draw < share + settings.multiallelic_share)):
        carriers = np.flatnonzero(alleles[row] == 1)
        if len(carriers) < 2:
            continue
        others = sorted(set("ACGT") - {refs[row], alts[row][0]})
        alts[row] = (alts[row][0], others[int(rng.integers(2))])
        alleles[row, rng.permutation(carriers)[: len(carriers) // 2]] = 2
    return Variants(variants.contig, variants.positions, tuple(refs), tuple(alts), alleles)


def vcf_text(samples: list[str], length: int, contigs: Iterable[Variants]) -> bytes:
    """The cohort's genotypes as VCF text.

    Args:
        samples: column names, in the order of the haplotypes.
        length: of each contig, bp.
        contigs: records by contig.
    """
    contigs = list(contigs)
    head = ["##fileformat=VCFv4.2", '##FILTER=<ID=PASS,Description="All filters passed">']
    head += [f"##contig=<ID={variants.contig},length={length}>" for variants in contigs]
    head += [
        '##INFO=<ID=AC,Number=A,Type=Integer,Description="Copies of each alternative allele">',
        '##INFO=<ID=AN,Number=1,Type=Integer,Description="Number of alleles">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Phased genotype">',
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]),
    ]
    parts = ["\n".join(head).encode() + b"\n"]
    for variants in contigs:
        number = variants.alleles.shape[1]
        counts = [(variants.alleles == allele).sum(axis=1).tolist() for allele in (1, 2)]
        # Four bytes per person: digit, bar, digit, then a tab or, at the end, a line break.
        block = np.full((len(variants.positions), number // 2, 4), ord("|"), dtype=np.uint8)
        block[:, :, 0] = variants.alleles[:, 0::2] + ord("0")
        block[:, :, 2] = variants.alleles[:, 1::2] + ord("0")
        block[:, :, 3] = ord("\t")
        block[:, -1, 3] = ord("\n")
        rows = zip(variants.positions.tolist(), variants.refs, variants.alts, *counts, block, strict=True)
        for position, ref, alts, first, second, genotypes in rows:
            copies = f"{first},{second}" if len(alts) == 2 else str(first)
            fields = [
                variants.contig,
                str(position + 1),
                ".",
                ref,
                ",".join(alts),
                ".",
                "PASS",
                f"AC={copies};AN={number}",
            ]
            parts.append("\t".join([*fields, "GT", ""]).encode())
            parts.append(genotypes.tobytes())
    return b"".join(parts)
