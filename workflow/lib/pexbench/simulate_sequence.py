"""The simulated reference genome and its promoter grammar: motifs that raise or lower a gene's expression."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pexbench.genes import Gene
from pexbench.simulate_names import CONTIGS, DOWNSTREAM, UPSTREAM, SimulationSettings, gene_contigs, gene_ids

#: Base of each code; codes are 0..3 = A, C, G, T and 4 = N everywhere in the simulation.
LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)
COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)
WIDTH = 8
#: Chance of the preferred base at each motif position: sharp core, softer ends.
CERTAINTY = (0.75, 0.90, 0.95, 0.95, 0.95, 0.95, 0.90, 0.75)
#: A site acts from this share of the best possible log-odds on, in proportion to what lies above.
THRESHOLD = 0.6
#: Mean number of instances of each motif per promoter; promoters differ by a factor drawn per motif.
INSTANCES = 3.0


@dataclass(frozen=True)
class Motif:
    """A short pattern that acts on one strand only.

    Attributes:
        name: readable name; the patterns resemble known factors', the strengths are invented.
        preferred: preferred bases, in gene direction.
        strength: change of log expression per perfect instance; negative for a repressor.
    """

    name: str
    preferred: str
    strength: float


MOTIFS = (
    Motif("ETS", "ACCGGAAG", 0.24),
    Motif("SP1", "GGGGCGGA", 0.18),
    Motif("NRF1", "GCGCATGC", 0.20),
    Motif("REST", "TTCAGCAC", -0.22),
    Motif("ZEB", "CAGGTGAA", -0.18),
    Motif("GFI", "AAATCACA", -0.16),
)


def stream(seed: int, *names: object) -> np.random.Generator:
    """Random numbers that depend on the seed and the purpose's name alone, never on the order of calls."""
    digest = hashlib.sha256("/".join([str(seed), *map(str, names)]).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


def weights(motif: Motif) -> NDArray[np.float64]:
    """Probability of each base at each motif position.

    Returns:
        float64 [WIDTH, 4], columns A, C, G, T, rows sum to 1.
    """
    table = np.repeat((1 - np.array(CERTAINTY))[:, None] / 3, 4, axis=1)
    table[np.arange(WIDTH), ["ACGT".index(base) for base in motif.preferred]] = CERTAINTY
    return table


def _log_odds() -> NDArray[np.float64]:
    """Log-odds against equal base frequencies, float64 [motifs, WIDTH, 5]; N rules a site out."""
    odds = np.stack([np.log2(weights(motif) * 4) for motif in MOTIFS])
    return np.concatenate([odds, np.full((len(MOTIFS), WIDTH, 1), -1e3)], axis=2)


LOG_ODDS = _log_odds()
BEST = LOG_ODDS.max(axis=2).sum(axis=1)
STRENGTHS = np.array([motif.strength for motif in MOTIFS])


def promoter_score(codes: NDArray[np.uint8]) -> float:
    """Summed effect of all motif instances in a promoter on log expression.

    Args:
        codes: uint8 [L], codes 0..4, in gene direction.

    Returns:
        Sum over motifs and sites of strength x max(0, (log-odds / best - THRESHOLD) / (1 - THRESHOLD)).
    """
    sites = len(codes) - WIDTH + 1
    if sites < 1:
        return 0.0
    odds = sum(LOG_ODDS[:, i, codes[i : i + sites]] for i in range(WIDTH))
    activity = np.maximum(0.0, (odds / BEST[:, None] - THRESHOLD) / (1 - THRESHOLD))
    return float(STRENGTHS @ activity.sum(axis=1))


def promoter_interval(gene: Gene) -> tuple[int, int]:
    """A gene's promoter, 0-based half-open: UPSTREAM bp before its TSS, DOWNSTREAM bp from the TSS on."""
    if gene.strand == "+":
        return gene.tss0 - UPSTREAM, gene.tss0 + DOWNSTREAM
    return gene.tss0 - DOWNSTREAM + 1, gene.tss0 + UPSTREAM + 1


def oriented(codes: NDArray[np.uint8], strand: str) -> NDArray[np.uint8]:
    """Codes of the + strand turned into gene direction (or back)."""
    return codes if strand == "+" else COMPLEMENT[codes[::-1]]


def place_genes(settings: SimulationSettings) -> dict[str, Gene]:
    """Genes evenly spread over the contigs with some jitter, on either strand, sorted by position."""
    ids, contigs = gene_ids(settings.genes), gene_contigs(settings.genes)
    genes: dict[str, Gene] = {}
    for contig in CONTIGS:
        here = [i for i, name in enumerate(contigs) if name == contig]
        spacing = (settings.contig_length - 2 * settings.margin) / len(here)
        for order, i in enumerate(here):
            rng = stream(settings.seed, "gene", ids[i])
            tss = int(settings.margin + spacing * (order + rng.uniform(0.2, 0.8))) + 1
            genes[ids[i]] = Gene(ids[i], f"GENE{i + 1}", contig, tss, "+-"[int(rng.integers(2))])
    return genes


def reference_contig(settings: SimulationSettings, contig: str, genes: list[Gene]) -> NDArray[np.uint8]:
    """One contig: background with uneven GC content and few CpG, GC-richer promoters with motifs, one gap of N.

    Args:
        settings: of the simulation.
        contig: its name.
        genes: its genes, by position.

    Returns:
        uint8 [contig_length], codes 0..4, + strand.
    """
    rng = stream(settings.seed, "background", contig)
    blocks = settings.contig_length // 5000 + 1
    share = np.repeat(np.clip(rng.normal(0.42, 0.05, blocks), 0.30, 0.60), 5000)[: settings.contig_length]
    strong, second = rng.random(settings.contig_length) < share, rng.integers(2, size=settings.contig_length)
    codes = np.where(strong, 1 + second, 3 * second).astype(np.uint8)
    # Most CpG decayed to TpG or CpA, as in a methylated genome; promoters, written below, keep theirs.
    pairs = np.flatnonzero((codes[:-1] == 1) & (codes[1:] == 2))
    pairs = pairs[rng.random(len(pairs)) < 0.75]
    toward_t = rng.random(len(pairs)) < 0.5
    codes[pairs[toward_t]] = 3
    codes[pairs[~toward_t] + 1] = 0
    for gene in genes:
        start, end = promoter_interval(gene)
        codes[start:end] = oriented(_promoter(settings.seed, gene), gene.strand)
    middle = len(genes) // 2
    left, right = genes[middle - 1].tss0, genes[middle].tss0
    size = max(10, min(5000, (right - left - 2 * (UPSTREAM + DOWNSTREAM)) // 2))
    codes[(left + right - size) // 2 : (left + right + size) // 2] = 4
    return codes


def _promoter(seed: int, gene: Gene) -> NDArray[np.uint8]:
    """A promoter in gene direction with motif instances drawn from their weights, more of them near the TSS."""
    rng = stream(seed, "promoter", gene.gene_id)
    codes = rng.choice(4, size=UPSTREAM + DOWNSTREAM, p=[0.25, 0.25, 0.25, 0.25]).astype(np.uint8)
    free = np.ones(len(codes) - WIDTH + 1, dtype=bool)
    nearness = np.exp(-np.abs(np.arange(len(free)) - UPSTREAM) / 400)
    for motif in MOTIFS:
        table = weights(motif)
        for _ in range(int(rng.poisson(rng.gamma(1.5, INSTANCES / 1.5)))):
            chance = nearness * free
            at = int(rng.choice(len(free), p=chance / chance.sum()))
            codes[at : at + WIDTH] = [rng.choice(4, p=row) for row in table]
            free[max(0, at - WIDTH + 1) : at + WIDTH] = False
    return codes


def letters(seed: int, contig: str, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A contig as ASCII, upper case with lower-case stretches like soft-masked repeats (about two fifths)."""
    rng = stream(seed, "repeats", contig)
    text = LETTERS[codes]
    lengths = np.ceil(rng.exponential(400, size=len(codes) // 400 + 100)).astype(np.int64)
    lengths[::2] = np.ceil(lengths[::2] * 1.5)
    edges = np.cumsum(lengths)
    inside = np.searchsorted(edges, np.arange(len(codes)), side="right") % 2 == 1
    # ASCII lower case is upper case + 32; the gap stays upper case, as in real genomes.
    text[inside & (codes < 4)] += 32
    return text
