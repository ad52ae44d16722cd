"""Haplotypes by ``bcftools consensus`` itself: to prove those built in memory, and as FASTA files for people."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pexbench import bcftools
from pexbench.errors import InputError
from pexbench.files import published
from pexbench.genotypes import Genotypes, Missing, Unphased, read_genotypes, resolve
from pexbench.haplotypes import FLANK, build_haplotypes, consensus
from pexbench.reference import Reference
from pexbench.windows import Window

#: Earlier versions of bcftools consensus leave out records that begin before the interval.
OVERLAPS_SINCE = (1, 20)


class BcftoolsConsensus:
    """``bcftools consensus`` over windows of one reference and one genotype file."""

    def __init__(self, reference: Reference, genotype_path: str | Path, folder: Path) -> None:
        """Remember the files; ``folder`` takes one small FASTA file per window."""
        self._reference, self._path, self._folder = reference, Path(genotype_path), folder
        self._contigs: dict[str, str] = {}
        self._fasta: dict[Window, Path] = {}

    def sequence(self, window: Window, sample: str, haplotype: int) -> tuple[bytes, int]:
        """One haplotype over a window, with whatever length it has, and the number of variants applied.

        Args:
            window: 0-based half-open; past the contig's ends the result has N, as the reference has.
            sample: name in the genotype file.
            haplotype: 1 or 2.
        """
        length = self._reference.lengths[self._reference.contig(window.contig)]
        first, last = min(max(window.start, 0), length), max(min(window.end, length), 0)
        if first >= last:
            return b"N" * window.length, 0
        if window not in self._fasta:
            if window.contig not in self._contigs:
                self._contigs[window.contig] = resolve(self._path, window.contig)[0]
            fasta = self._folder / f"{len(self._fasta)}.fa"
            bases = self._reference.fetch(window.contig, first, last)
            # bcftools learns from the header where the bases lie, in the genotype file's naming.
            fasta.write_bytes(f">{self._contigs[window.contig]}:{first + 1}-{last}\n".encode() + bases + b"\n")
            self._fasta[window] = fasta
        arguments = ["consensus", "-s", sample, "-H", f"{haplotype}pIu", "-f", str(self._fasta[window])]
        text, messages = bcftools.run_with_messages([*arguments, str(self._path)])
        applied = re.search(r"^Applied (\d+) variants", messages, flags=re.MULTILINE)
        inner = b"".join(text.split(b"\n")[1:])
        outside = b"N" * (first - window.start), b"N" * (window.end - last)
        return outside[0] + inner + outside[1], int(applied[1]) if applied else 0


def check_against_bcftools(
    reference: Reference,
    genotype_path: str | Path,
    windows: Sequence[tuple[str, Window]],
    samples: Sequence[str],
    number: int,
    seed: int,
    *,
    unphased: Unphased = "error",
    missing: Missing = "error",
) -> dict[str, Any]:
    """Compare haplotypes built in memory with ``bcftools consensus``, byte for byte, on a random choice.

    Args:
        reference: the reference.
        genotype_path: indexed BCF or VCF.
        windows: gene id and window.
        samples: names.
        number: how many haplotypes to compare (all, if there are fewer).
        seed: the choice depends on it and on the names, not on their order.
        unphased: as for :func:`genotypes.read_genotypes`.
        missing: as for :func:`genotypes.read_genotypes`.

    Returns:
        ``compared``, ``different`` (haplotypes), ``built`` (of those compared, how many were also compared as the
        model gets them; the others have insertions or deletions), ``applied`` (variants, by bcftools' count),
        ``bcftools`` (version), ``examples`` (up to five sentences on differences).
    """
    by_gene = dict(windows)
    result: dict[str, Any] = {"compared": 0, "different": 0, "built": 0, "applied": 0, "examples": []}
    result["bcftools"] = bcftools.version()
    all_records = bcftools.version_number() >= OVERLAPS_SINCE
    with tempfile.TemporaryDirectory() as folder:
        oracle = BcftoolsConsensus(reference, genotype_path, Path(folder))
        for gene, drawn in _draw(list(by_gene), samples, number, seed).items():
            window = by_gene[gene]
            people = sorted({sample for sample, _ in drawn})
            start, end = window.start - FLANK, window.end + FLANK
            genotypes = read_genotypes(
                genotype_path, window.contig, start, end, people, unphased=unphased, missing=missing
            )
            built = build_haplotypes(reference, window, genotypes)
            seen = genotypes if all_records else _beginning_within(genotypes, window)
            for sample, haplotype in drawn:
                expected, applied = oracle.sequence(window, sample, haplotype)
                person = people.index(sample)
                found = consensus(built.reference.tobytes(), window.start, seen, person, haplotype)
                # Without insertions or deletions near, the model's input is the consensus itself.
                row = built.sequences[built.index[person, haplotype - 1]].tobytes()
                plain = not _resizes(genotypes, person, haplotype)
                result["compared"] += 1
                result["built"] += plain
                result["applied"] += applied
                if found != expected or (plain and row != expected):
                    result["different"] += 1
                    if len(result["examples"]) < 5:
                        place = _first_difference(found if found != expected else row, expected)
                        result["examples"].append(
                            f"{gene} {sample} haplotype {haplotype}: first difference at {window.contig}:"
                            f"{window.start + place + 1} (lengths {len(found)} and {len(expected)})"
                        )
    return result


def write_fasta(
    reference: Reference, genotype_path: str | Path, gene_id: str, window: Window, samples: Sequence[str], path: Path
) -> None:
    """Write both haplotypes of every person over one gene's window as FASTA, by ``bcftools consensus``.

    Args:
        reference: the reference.
        genotype_path: indexed BCF or VCF.
        gene_id: begins the names of the records, ``>gene|sample|haplotype``.
        window: 0-based half-open; sequences are on the + strand and may have other lengths than the window.
        samples: names, in the order of the records.
        path: file to write, whole or not at all.
    """
    with tempfile.TemporaryDirectory() as folder, published(path) as aside, aside.open("wb") as sink:
        oracle = BcftoolsConsensus(reference, genotype_path, Path(folder))
        for sample in samples:
            for haplotype in (1, 2):
                sequence, _ = oracle.sequence(window, sample, haplotype)
                lines = [sequence[at : at + 60] for at in range(0, len(sequence), 60)]
                sink.write(b"\n".join([f">{gene_id}|{sample}|{haplotype}".encode(), *lines, b""]))


def _draw(genes: list[str], samples: Sequence[str], number: int, seed: int) -> dict[str, list[tuple[str, int]]]:
    """Random (sample, haplotype) by gene, the same for any order of the names."""
    if not genes or not samples or number < 1:
        raise InputError(
            f"check of haplotypes: {len(genes)} genes, {len(samples)} samples and a number of {number} were given; "
            "at least one of each is needed; check the gene and sample tables and the setting."
        )
    genes, people = sorted(genes), sorted(samples)
    digest = hashlib.sha256("\n".join([str(seed), *genes, "", *people]).encode()).digest()
    total = len(genes) * len(people) * 2
    generator = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    drawn: dict[str, list[tuple[str, int]]] = {}
    for place in sorted(generator.choice(total, size=min(number, total), replace=False).tolist()):
        gene, rest = divmod(place, len(people) * 2)
        drawn.setdefault(genes[gene], []).append((people[rest // 2], rest % 2 + 1))
    return drawn


def _beginning_within(genotypes: Genotypes, window: Window) -> Genotypes:
    """The records that older versions of bcftools would apply."""
    return genotypes.take(np.flatnonzero(genotypes.positions >= window.start))


def _resizes(genotypes: Genotypes, person: int, haplotype: int) -> bool:
    """Whether the haplotype carries an allele that changes the length, in the window or its flanks."""
    carried = genotypes.alleles[:, person, haplotype - 1]
    return any(
        len(genotypes.alts[row][carried[row] - 1]) != len(genotypes.refs[row])
        for row in np.flatnonzero(carried > 0).tolist()
    )


def _first_difference(one: bytes, other: bytes) -> int:
    """Index of the first byte that differs, or the shorter length."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
