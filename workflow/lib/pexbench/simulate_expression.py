"""Simulated expression: which variants act on which gene, how much, and what is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from pexbench.errors import InputError
from pexbench.genes import Gene
from pexbench.simulate_names import SimulationSettings
from pexbench.simulate_sequence import WIDTH, oriented, promoter_interval, promoter_score, stream
from pexbench.simulate_variants import Variants

#: Distal causal variants lie within this distance of the TSS in bp, nearer ones more often.
REACH, DECAY = 90_000, 30_000
#: Smallest minor allele frequency of a distal causal variant, and largest r² between two of one gene.
COMMON, APART = 0.05, 0.3
#: Promoter variants explain at most this share of a gene's genetic variance; the rest is distal.
PROMOTER_MOST = 0.5
#: Mean of log base expression.
MEAN_LOG_LEVEL = 1.5


@dataclass(frozen=True)
class GeneTruth:
    """Everything that is true of one simulated gene.

    Attributes:
        gene: the gene.
        h2: variance of ``genetic`` over variance of ``log_level``.
        h2_distal: the same for the distal variants alone; the parts' covariance belongs to neither.
        h2_promoter: the same for the promoter's variants alone.
        variants: causal variants, ``contig:pos:REF:ALT``.
        effects: change of log expression per copy of ALT, by variant.
        mechanisms: ``promoter`` or ``distal``, by variant.
        promoter_score: summed motif effects in the reference promoter.
        log_base: log expression of a person without alternative alleles, before noise.
        genetic: float64 [people], sum of effect x dosage, order of the sample names.
        log_level: float64 [people], natural log of the measured level, the same order.
    """

    gene: Gene
    h2: float
    h2_distal: float
    h2_promoter: float
    variants: tuple[str, ...]
    effects: tuple[float, ...]
    mechanisms: tuple[str, ...]
    promoter_score: float
    log_base: float
    genetic: NDArray[np.float64]
    log_level: NDArray[np.float64]


def null_genes(settings: SimulationSettings, gene_ids: list[str]) -> set[str]:
    """The genes without any genetic effect: ``null_share`` of them, rounded."""
    order = stream(settings.seed, "null").permutation(len(gene_ids))
    return {gene_ids[i] for i in order[: round(settings.null_share * len(gene_ids))]}


def promoter_effects(variants: Variants, gene: Gene, codes: NDArray[np.uint8]) -> dict[int, float]:
    """Change of log expression per copy of each SNP in a gene's promoter, through the grammar.

    A person's promoter effect is the mean of both haplotypes' scores, so a copy counts half.

    Args:
        variants: biallelic SNPs of the contig.
        gene: its promoter is looked at.
        codes: uint8 [contig_length], the reference.

    Returns:
        Effect by row of ``variants``, for all SNPs of the promoter, zeros included.
    """
    start, end = promoter_interval(gene)
    effects: dict[int, float] = {}
    for row in range(*np.searchsorted(variants.positions, [start, end])):
        position = int(variants.positions[row])
        left, right = max(start, position - WIDTH + 1), min(end, position + WIDTH)
        changed = codes[left:right].copy()
        changed[position - left] = "ACGT".index(variants.alts[row][0])
        before, after = (promoter_score(oriented(part, gene.strand)) for part in (codes[left:right], changed))
        effects[row] = (after - before) / 2
    return effects


def spaced(variants: Variants, genes: list[Gene]) -> NDArray[np.bool_]:
    """Which SNPs stay so that no two in one promoter lie within one motif: only then do effects add up exactly.

    Returns:
        bool [V], False for promoter SNPs less than a motif's width after the last one that stays.
    """
    keep = np.ones(len(variants.positions), dtype=bool)
    for gene in genes:
        last = -WIDTH
        for row in range(*np.searchsorted(variants.positions, promoter_interval(gene))):
            if variants.positions[row] - last < WIDTH:
                keep[row] = False
            else:
                last = int(variants.positions[row])
    return keep


def in_promoters(variants: Variants, genes: list[Gene]) -> NDArray[np.bool_]:
    """Which records lie in or within 20 bp of any gene's promoter, bool [V]."""
    inside = np.zeros(len(variants.positions), dtype=bool)
    for gene in genes:
        start, end = promoter_interval(gene)
        inside |= (variants.positions >= start - 20) & (variants.positions < end + 20)
    return inside


def _distal(
    settings: SimulationSettings, variants: Variants, gene: Gene, allowed: NDArray[np.bool_]
) -> tuple[list[int], NDArray[np.float64]]:
    """Choose one to three common distal variants and their effects, up to one factor for all.

    Args:
        settings: of the simulation.
        variants: biallelic SNPs of the contig.
        gene: the gene they act on.
        allowed: bool [V], records outside promoters.

    Returns:
        Rows of ``variants``, ascending, and float64 effects per copy.
    """
    rng = stream(settings.seed, "distal", gene.gene_id)
    distance = np.abs(variants.positions - gene.tss0)
    near = np.flatnonzero(allowed & (distance <= REACH))
    frequency = variants.dosages(near).mean(axis=1) / 2
    near = near[np.minimum(frequency, 1 - frequency) >= COMMON]
    if not len(near):
        raise InputError(
            f"simulation: no common variant lies within {REACH} bp of gene {gene.gene_id}; a gene with genetic "
            "effects needs one; simulate more people, longer contigs or a higher mutation rate."
        )
    wanted, chosen = int(rng.integers(1, 4)), list[int]()
    chance = np.exp(-distance[near] / DECAY)
    dosages = variants.dosages(near)
    while len(chosen) < wanted and chance.sum() > 0:
        pick = int(rng.choice(len(near), p=chance / chance.sum()))
        chosen.append(pick)
        centred = dosages - dosages.mean(axis=1, keepdims=True)
        r = (centred @ centred[pick]) / np.sqrt((centred**2).sum(axis=1) * (centred[pick] ** 2).sum())
        chance = np.where(r**2 < APART, chance, 0.0)
    chosen.sort()
    size = rng.uniform(0.5, 1.0, len(chosen)) * rng.choice([-1.0, 1.0], len(chosen))
    return [int(near[i]) for i in chosen], size / dosages[chosen].std(axis=1)


def _factor(fixed: NDArray[np.float64], free: NDArray[np.float64], variance: float) -> float:
    """The positive c for which ``fixed + c x free`` has this variance; ``fixed`` must have less."""
    a, b, c = float(free.var()), float(np.cov(fixed, free, ddof=0)[0, 1]), float(fixed.var()) - variance
    return (-b + math.sqrt(b * b - a * c)) / a


def gene_truth(
    settings: SimulationSettings,
    variants: Variants,
    gene: Gene,
    codes: NDArray[np.uint8],
    allowed: NDArray[np.bool_],
    null: bool,
) -> GeneTruth:
    """Draw one gene's causal variants, heritability and expression.

    Args:
        settings: of the simulation.
        variants: biallelic SNPs of the gene's contig.
        gene: the gene.
        codes: uint8 [contig_length], the reference.
        allowed: bool [V], records outside promoters.
        null: whether the gene has no genetic effect.
    """
    start, end = promoter_interval(gene)
    score = promoter_score(oriented(codes[start:end], gene.strand))
    rng = stream(settings.seed, "expression", gene.gene_id)
    log_base = MEAN_LOG_LEVEL + score + settings.unexplained_sd * float(rng.normal())
    total = (settings.expression_sd * float(np.exp(rng.normal(0, 0.25)))) ** 2
    noise = rng.normal(size=settings.people)
    none = np.zeros(settings.people)
    if null:
        log_level = log_base + noise * math.sqrt(total / float(noise.var()))
        return GeneTruth(gene, 0.0, 0.0, 0.0, (), (), (), score, log_base, none, log_level)
    low, high = settings.heritability
    wanted = low + (high - low) * float(rng.beta(1.3, 2.0))
    found = promoter_effects(variants, gene, codes)
    parts = [(row, effect, "promoter") for row, effect in found.items() if effect]
    rows = np.array([row for row, _, _ in parts], dtype=np.int64)
    promoter = np.array([effect for _, effect, _ in parts]) @ variants.dosages(rows) if parts else none
    # A strong promoter variant makes the gene more variable rather than more heritable.
    total = max(total, float(promoter.var()) / (PROMOTER_MOST * wanted))
    chosen, shape = _distal(settings, variants, gene, allowed)
    dosages = variants.dosages(np.array(chosen))
    sizes = shape * _factor(promoter, shape @ dosages, wanted * total)
    distal = sizes @ dosages
    parts += [(row, float(size), "distal") for row, size in zip(chosen, sizes, strict=True)]
    parts.sort()
    genetic = promoter + distal
    measured = genetic + noise * _factor(genetic, noise, total)
    spread = float(measured.var())
    return GeneTruth(
        gene=gene,
        h2=float(genetic.var()) / spread,
        h2_distal=float(distal.var()) / spread,
        h2_promoter=float(promoter.var()) / spread,
        variants=tuple(variants.name(row) for row, _, _ in parts),
        effects=tuple(effect for _, effect, _ in parts),
        mechanisms=tuple(kind for _, _, kind in parts),
        promoter_score=score,
        log_base=log_base,
        genetic=genetic,
        log_level=log_base + measured,
    )


def normal_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse-normal transform: normal quantiles of (rank - 0.5) / n, ties share their mean rank.

    Args:
        values: float64 [people], one gene.
    """
    scores: NDArray[np.float64] = norm.ppf((rankdata(values) - 0.5) / len(values))
    return scores
