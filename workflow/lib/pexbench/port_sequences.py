"""Sequences of a run for checks of ports: drawn once, then predicted by each implementation in its own environment."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.errors import InputError
from pexbench.files import published
from pexbench.genes import Gene
from pexbench.genotypes import read_genotypes
from pexbench.haplotypes import FLANK, Haplotypes, build_haplotypes, encode
from pexbench.predict import Genotyping, predict_gene
from pexbench.reference import Reference
from pexbench.variants import VariantRules, subset_variants
from pexbench.windows import WindowRule, window_of

if TYPE_CHECKING:
    from pexbench.models.base import Adapter

LOG = logging.getLogger(__name__)
#: Label of the reference sequence of a gene.
REFERENCE = "reference"
KEYS = ["gene_id", "label"]
#: Columns of the table of one implementation's predictions.
COLUMNS = (*KEYS, "copies", "sequence", "prediction")


@dataclass(frozen=True)
class Sequences:
    """Sequences as a model gets them.

    Attributes:
        model: name of the card whose window they fill.
        rule: that window.
        codes: uint8 [N, L], 0..3 = A, C, G, T, 4 = anything else; in the model's orientation.
        gene_ids: N ids.
        labels: N names, unique within a gene: ``reference``, or ``PERSON:1`` and ``PERSON:2`` for the haplotypes of
            the first person drawn who carries the sequence.
        copies: int64 [N], how many haplotypes of the people drawn have the sequence; 0 for the reference.
    """

    model: str
    rule: WindowRule
    codes: npt.NDArray[np.uint8]
    gene_ids: tuple[str, ...]
    labels: tuple[str, ...]
    copies: npt.NDArray[np.int64]


def draw(names: Iterable[str], number: int, seed: int, *context: str) -> list[str]:
    """Names at random: those with the lowest digests, so neither their order nor further names change the order."""

    def digest(name: str) -> bytes:
        return hashlib.sha256("\n".join([str(seed), *context, name]).encode()).digest()

    return sorted(names, key=digest)[:number]


def draw_haplotypes(
    haplotypes: Haplotypes, gene_id: str, number: int, seed: int
) -> tuple[list[int], list[str], list[int]]:
    """Go through people at random until their haplotypes are ``number`` different sequences.

    Args:
        haplotypes: of all people around one gene.
        gene_id: another gene has other people first.
        number: most sequences to take.
        seed: decides the order of people, with their names alone.

    Returns:
        Rows of ``haplotypes.sequences``, labels and copies (see :class:`Sequences`).
    """
    place = {name: position for position, name in enumerate(haplotypes.samples)}
    found: dict[int, tuple[str, int]] = {}
    for name in draw(place, len(place), seed, gene_id):
        for copy, row in enumerate(haplotypes.index[place[name]].tolist(), start=1):
            if row not in found and len(found) == number:
                return list(found), [label for label, _ in found.values()], [count for _, count in found.values()]
            label, count = found.get(row, (f"{name}:{copy}", 0))
            found[row] = (label, count + 1)
    return list(found), [label for label, _ in found.values()], [count for _, count in found.values()]


def sample_sequences(
    model: str,
    rule: WindowRule,
    genes: Mapping[str, Gene],
    personal: Set[str],
    reference: Reference,
    genotype_file: Callable[[str], Path],
    rules: VariantRules,
    cohort: Genotyping,
    *,
    number_genes: int,
    number_haplotypes: int,
    seed: int,
    also: Iterable[str] = (),
) -> Sequences:
    """Draw sequences of a run: of some genes the reference and different haplotypes of people.

    Args:
        model: name of the card.
        rule: its window.
        genes: genes of the run.
        personal: ids of those with genotypes around them; genes are drawn among these.
        reference: reference sequence.
        genotype_file: the cohort's genotype file for a contig of the gene table.
        rules: which variants build haplotypes.
        cohort: people and what to do about unphased and missing genotypes; its store is not used.
        number_genes: most genes to draw.
        number_haplotypes: most sequences of people per gene.
        seed: decides, with names alone, what is drawn.
        also: further genes of the run, reference sequence only.

    Raises:
        InputError: no gene has genotypes around it, or haplotypes cannot be built.
    """
    chosen = draw([name for name in genes if name in personal], number_genes, seed)
    if not chosen or number_haplotypes < 1:
        raise InputError(
            f"sequences for a check of ports: {len(chosen)} genes and at most {number_haplotypes} haplotypes of each; "
            "at least one gene with genotypes around it and one haplotype are needed; correct the numbers or the run."
        )
    extra = sorted(set(also) & set(genes) - set(chosen))
    codes: list[npt.NDArray[np.uint8]] = []
    gene_ids: list[str] = []
    labels: list[str] = []
    copies: list[int] = []
    memory = np.empty((2 * len(cohort.samples), rule.length), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        stores: dict[str, Path] = {}
        for name in [*chosen, *extra]:
            gene = genes[name]
            window = window_of(gene, rule)
            known = np.frombuffer(reference.fetch(window.contig, window.start, window.end), dtype=np.uint8)
            codes.append(encode(known[None, :], window.reverse))
            gene_ids.append(name)
            labels.append(REFERENCE)
            copies.append(0)
            if name in extra:
                continue
            if gene.contig not in stores:
                stores[gene.contig] = Path(folder, f"{len(stores)}.bcf")
                members = [genes[other] for other in chosen if genes[other].contig == gene.contig]
                vcf = genotype_file(gene.contig)
                subset_variants(vcf, reference, members, cohort.samples, rules, stores[gene.contig])
            genotypes = read_genotypes(
                stores[gene.contig],
                gene.contig,
                window.start - FLANK,
                window.end + FLANK,
                cohort.samples,
                unphased=cohort.unphased,
                missing=cohort.missing,
            )
            haplotypes = build_haplotypes(reference, window, genotypes, out=memory)
            rows, names, counts = draw_haplotypes(haplotypes, name, number_haplotypes, seed)
            codes.append(encode(haplotypes.sequences[rows], window.reverse))
            gene_ids += [name] * len(rows)
            labels += names
            copies += counts
            LOG.info("%s: %d different of %d haplotypes", gene.label, len(rows), sum(counts))
    return Sequences(
        model, rule, np.concatenate(codes), tuple(gene_ids), tuple(labels), np.array(copies, dtype=np.int64)
    )


def write_sequences(sequences: Sequences, path: str | Path) -> None:
    """Write sequences as ``.npz`` without pickled objects."""
    with published(path) as aside, open(aside, "wb") as handle:
        np.savez_compressed(
            handle,
            model=np.array(sequences.model),
            rule=np.array(astuple(sequences.rule), dtype=np.int64),
            codes=sequences.codes,
            gene_ids=np.array(sequences.gene_ids, dtype=str),
            labels=np.array(sequences.labels, dtype=str),
            copies=sequences.copies,
        )


def read_sequences(path: str | Path) -> Sequences:
    """Read what :func:`write_sequences` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        length, plus, minus, oriented = arrays["rule"].tolist()
        return Sequences(
            str(arrays["model"]),
            WindowRule(length, plus, minus, bool(oriented)),
            arrays["codes"],
            tuple(arrays["gene_ids"].tolist()),
            tuple(arrays["labels"].tolist()),
            arrays["copies"],
        )


def predict_sequences(adapter: Adapter, sequences: Sequences, batch_size: int) -> pd.DataFrame:
    """Predict drawn sequences with one implementation.

    Args:
        adapter: the implementation, loaded.
        sequences: drawn for the same model.
        batch_size: sequences per call.

    Returns:
        Columns ``gene_id``, ``label``, ``copies``, ``sequence`` (digest of the codes, so that predictions of other
        sequences are not compared) and ``prediction`` (float32).

    Raises:
        InputError: the sequences were drawn for another model, or options gave it another window.
    """
    card = adapter.card
    if (card.name, card.window_rule()) != (sequences.model, sequences.rule):
        raise InputError(
            f"sequences for a check of ports: drawn for model {sequences.model} and {sequences.rule}, not for "
            f"{card.name} and {card.window_rule()}; draw sequences for this model and its options."
        )
    values = np.empty(len(sequences.codes), dtype=np.float32)
    owners = np.array(sequences.gene_ids, dtype=str)
    for gene_id in dict.fromkeys(sequences.gene_ids):
        own = owners == gene_id
        values[own] = predict_gene(adapter, gene_id, sequences.codes[own], batch_size)
    digests = [hashlib.sha256(row.tobytes()).hexdigest()[:16] for row in sequences.codes]
    columns = (sequences.gene_ids, sequences.labels, sequences.copies, digests, values)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
