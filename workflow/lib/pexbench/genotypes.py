"""Phased genotypes of named people, in memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pexbench import bcf, bcftools
from pexbench.errors import InputError, listing
from pexbench.reference import match_contig

Unphased = Literal["error", "iupac"]
Missing = Literal["error", "reference"]

_BASES = re.compile(r"^[ACGTNacgtn]+$")
_IUPAC = ".ACMGRSVTWYHKDBN"  # index: A = 1, C = 2, G = 4, T = 8, summed
_EXCLUDE = 'exclude such records first (bcftools view -e \'ALT~"<" || ALT~"[*]" || ALT~"[^ACGTN,]"\')'


@dataclass(frozen=True)
class Genotypes:
    """Genotypes of one contig, records in the file's order (sorted by position).

    Attributes:
        contig: name as it was asked for.
        samples: S names.
        positions: int64 [V], 0-based position of the first REF base.
        refs: V REF alleles.
        alts: per record its ALT alleles, none for a site without a variant.
        alleles: int8 [V, S, 2], allele index of haplotypes 1 and 2: 0 = REF, k = the k-th ALT, -1 = missing.
        unphased: bool [V, S], True where the two alleles differ and their order is not known.
        start: first 0-based position that was read, None where everything there is was read.
        end: position after the last one that was read, or None.
    """

    contig: str
    samples: tuple[str, ...]
    positions: NDArray[np.int64]
    refs: tuple[str, ...]
    alts: tuple[tuple[str, ...], ...]
    alleles: NDArray[np.int8]
    unphased: NDArray[np.bool_]
    start: int | None = None
    end: int | None = None

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """int64 [V], 0-based position after the last REF base."""
        return self.positions + np.fromiter(map(len, self.refs), dtype=np.int64, count=len(self.refs))

    def take(self, rows: NDArray[np.int64]) -> Genotypes:
        """The records at these row numbers (int [N], ascending)."""
        if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
            span = slice(int(rows[0]), int(rows[-1]) + 1)  # neighbours: no copy
            return replace(
                self,
                positions=self.positions[span],
                refs=self.refs[span],
                alts=self.alts[span],
                alleles=self.alleles[span],
                unphased=self.unphased[span],
            )
        numbers = rows.tolist()
        return replace(
            self,
            positions=self.positions[rows],
            refs=tuple(self.refs[row] for row in numbers),
            alts=tuple(self.alts[row] for row in numbers),
            alleles=self.alleles[rows],
            unphased=self.unphased[rows],
        )

    def select(self, start: int, end: int) -> Genotypes:
        """The records that overlap ``[start, end)`` (0-based half-open), deletions from before ``start`` included."""
        return self.take(np.flatnonzero((self.positions < end) & (self.ends > start)))

    def of_samples(self, samples: Sequence[str]) -> Genotypes:
        """The same records for these people, in this order.

        Raises:
            InputError: a person is not among :attr:`samples`.
        """
        columns = _columns(samples, self.samples, f"genotypes of contig {self.contig}")
        return replace(
            self, samples=tuple(samples), alleles=self.alleles[:, columns], unphased=self.unphased[:, columns]
        )

    def dosages(self) -> tuple[NDArray[np.float32], NDArray[np.int64], list[str]]:
        """Numbers of ALT alleles at the biallelic SNPs; a missing allele counts as REF.

        Returns:
            float32 [S, M] dosages 0, 1 or 2; int64 [M] 0-based positions; M ids ``contig:position:REF:ALT``
            (1-based position, upper case).
        """
        rows = [
            row
            for row, (ref, alts) in enumerate(zip(self.refs, self.alts, strict=True))
            if len(ref) == 1 and len(alts) == 1 and len(alts[0]) == 1
        ]
        counts = (self.alleles[rows] == 1).sum(axis=2, dtype=np.float32)
        ids = [
            f"{self.contig}:{self.positions[row] + 1}:{self.refs[row].upper()}:{self.alts[row][0].upper()}"
            for row in rows
        ]
        return np.ascontiguousarray(counts.T), self.positions[rows], ids


def read_genotypes(
    path: str | Path,
    contig: str,
    start: int,
    end: int,
    samples: Sequence[str],
    *,
    unphased: Unphased = "error",
    missing: Missing = "error",
) -> Genotypes:
    """Read the records of an indexed BCF or VCF file that overlap an interval.

    The file should hold plain alleles only, one line per site as it came, sorted and indexed, for example
    ``bcftools view -r REGION -S SAMPLES -v snps -Ob``; contigs may be named with or without ``chr``.

    Args:
        path: indexed BCF or bgzipped VCF with phased GT.
        contig: in any usual naming.
        start: 0-based.
        end: 0-based, not included.
        samples: names; the result has them in this order.
        unphased: ``error`` refuses heterozygous calls without phase; ``iupac`` lets those of single bases
            through, marked, to become IUPAC codes.
        missing: ``error`` refuses missing alleles; ``reference`` keeps them as -1, which haplotypes treat as REF,
            as ``bcftools consensus`` does.

    Returns:
        The genotypes, deletions that begin before ``start`` and reach into the interval included.

    Raises:
        InputError: a contig or sample is not in the file, bcftools cannot read it, or a call or an allele is
            none that a haplotype can be built from; the sentence names the position, the person and the remedy.
    """
    path = Path(path)
    name, _ = resolve(path, contig)
    first, last = max(start, 0), max(end, 0)
    # An empty interval is still asked for one base, because the answer's header holds the sample names.
    region = f"{name}:{first + 1}-{max(last, first + 1)}"
    data = bcftools.run(["view", "--no-version", "-Ou", "--regions-overlap", "1", "-r", region, str(path)])
    try:
        records = bcf.parse(data)
    except ValueError as error:
        raise InputError(
            f"{path}: bcftools gave {error}; an indexed BCF or VCF is needed; rebuild the file."
        ) from error
    columns = _columns(samples, records.samples, str(path))
    overlapping = np.flatnonzero((records.positions < last) & (records.positions + records.lengths > first))
    rows: list[int] = overlapping.tolist()
    for row in rows:
        _check_site(path, contig, int(records.positions[row]), records.alleles[row], int(records.lengths[row]))
    alleles, phased = _decode(path, contig, samples, columns, rows, records)
    positions = records.positions[overlapping]
    heterozygous = (alleles[:, :, 0] != alleles[:, :, 1]) & ~phased
    genotypes = Genotypes(
        contig=contig,
        samples=tuple(samples),
        positions=positions,
        refs=tuple(records.alleles[row][0] for row in rows),
        alts=tuple(tuple(alt for alt in records.alleles[row][1:] if alt != ".") for row in rows),
        alleles=alleles,
        unphased=heterozygous,
        start=start,
        end=end,
    )
    _check_calls(path, genotypes, unphased, missing)
    return genotypes


def resolve(path: Path, contig: str) -> tuple[str, tuple[str, ...]]:
    """A genotype file's own name of a contig, and its samples in the file's order.

    Raises:
        InputError: bcftools cannot read the file, or it does not know the contig.
    """
    header = bcftools.run(["view", "-h", str(path)]).decode()
    contigs = bcf.header_contigs(header)
    name = match_contig(contig, contigs)
    if name is None:
        raise InputError(
            f"{path}: contig {contig!r} not found; the header declares {listing(contigs) or 'no contig'}; use a "
            "genotype file of the genes' chromosomes, or declare them (bcftools reheader --fai)."
        )
    return name, bcf.header_samples(header)


def with_iupac(genotypes: Genotypes) -> Genotypes:
    """Make every unphased heterozygote homozygous for one more ALT: the IUPAC code of its two bases.

    A half-missing call becomes homozygous for the allele that is known, as in ``bcftools consensus -H 1pIu``.

    Raises:
        InputError: such a call has an allele that is no single base.
    """
    if not genotypes.unphased.any():
        return genotypes
    alts = [list(alternatives) for alternatives in genotypes.alts]
    alleles = genotypes.alleles.copy()
    for row, column in np.argwhere(genotypes.unphased).tolist():
        known = [int(allele) for allele in alleles[row, column] if allele >= 0]
        texts = [([genotypes.refs[row], *genotypes.alts[row]])[allele].upper() for allele in known]
        if len(known) == 1:
            alleles[row, column] = known[0]
            continue
        if any(len(text) != 1 for text in (genotypes.refs[row], *texts)):
            raise InputError(
                f"{genotypes.contig}:{genotypes.positions[row] + 1}: {genotypes.samples[column]} is heterozygous "
                f"for {'/'.join(texts)} without phase; only single bases have an IUPAC code; phase the genotypes "
                "(for example with SHAPEIT or Beagle) or keep SNPs only."
            )
        code = _IUPAC[_IUPAC.index(texts[0]) | _IUPAC.index(texts[1])]
        if code not in alts[row]:
            alts[row].append(code)
        alleles[row, column] = alts[row].index(code) + 1
    return replace(
        genotypes,
        alts=tuple(tuple(alternatives) for alternatives in alts),
        alleles=alleles,
        unphased=np.zeros_like(genotypes.unphased),
    )


def _columns(asked: Sequence[str], available: Sequence[str], where: str) -> NDArray[np.int64]:
    """Column of each asked sample, by name."""
    column = {name: number for number, name in enumerate(available)}
    absent = [name for name in asked if name not in column]
    if absent:
        raise InputError(
            f"{where}: sample(s) {listing(absent)} not found among its {len(available)} samples; names must be "
            "equal letter by letter; correct the sample table or choose another genotype file."
        )
    return np.array([column[name] for name in asked], dtype=np.int64)


def _check_site(path: Path, contig: str, position: int, alleles: tuple[str, ...], length: int) -> None:
    """Refuse records whose alleles are not spelled out in bases."""
    here = f"{path}: {contig}:{position + 1}"
    wrong = [text for number, text in enumerate(alleles) if not _BASES.match(text) and (number == 0 or text != ".")]
    if wrong:
        raise InputError(f"{here} has the allele {wrong[0][:30]}; alleles of A, C, G, T and N are allowed; {_EXCLUDE}.")
    if length != len(alleles[0]):
        raise InputError(
            f"{here} covers {length} bases by its INFO/END but REF has {len(alleles[0])}; they must agree; "
            "remove the field and convert the VCF anew (bcftools annotate -x INFO/END)."
        )


def _decode(
    path: Path, contig: str, samples: Sequence[str], columns: NDArray[np.int64], rows: list[int], records: bcf.Records
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Alleles int8 [V, S, 2] and phase bool [V, S] of the chosen records and samples."""
    codes = np.zeros((len(rows), len(columns), 2), dtype=np.int8)
    for number, row in enumerate(rows):
        here = f"{path}: {contig}:{int(records.positions[row]) + 1}"
        called = records.codes[row]
        if called is None:
            raise InputError(f"{here} has no GT field; every record needs genotypes; exclude it (bcftools view -e).")
        called = called[columns]
        if called.shape[1] == 1:
            called = np.concatenate([called, np.full_like(called, np.iinfo(called.dtype).min + 1)], axis=1)
        stop = np.iinfo(called.dtype).min + 1
        if called.shape[1] > 2:
            many = np.flatnonzero((called[:, 2:] != stop).any(axis=1))
            if len(many):
                raise InputError(
                    f"{here}: {samples[many[0]]} has a call of more than two alleles; two are allowed; "
                    "exclude the record (bcftools view -e) or the sample."
                )
            called = called[:, :2]
        single = called[:, 1] == stop
        if single.any():
            haploid = np.flatnonzero(single & (called[:, 0] >> 1 != 0))
            if len(haploid):
                raise InputError(
                    f"{here}: {samples[haploid[0]]} has a haploid call; two alleles are allowed; make it diploid "
                    "(bcftools +fixploidy) or leave out the chromosome or the sample."
                )
            called = np.where(single[:, None], np.int8(0), called)
        if called.dtype != np.int8:
            if called.max(initial=0) > np.iinfo(np.int8).max:
                raise InputError(f"{here} has more than 62 ALT alleles; at most 62 are allowed; exclude it.")
            called = called.astype(np.int8)
        codes[number] = called
    return (codes >> 1) - np.int8(1), ((codes & 1) == 1).any(axis=2)


def _check_calls(path: Path, genotypes: Genotypes, unphased: Unphased, missing: Missing) -> None:
    """Refuse missing and unphased calls unless they were allowed, and alleles that the record does not have."""

    def first(wrong: NDArray[np.bool_]) -> str:
        row, column = np.argwhere(wrong)[0]
        call = "/".join("." if allele < 0 else str(allele) for allele in genotypes.alleles[row, column])
        more = int(wrong.sum()) - 1
        found = f"{path}: {genotypes.contig}:{genotypes.positions[row] + 1}: {genotypes.samples[column]} has {call}"
        return found + (f" (and {more} more such calls)" if more else "")

    most = np.fromiter(map(len, genotypes.alts), dtype=np.int64, count=len(genotypes.alts))
    beyond = (genotypes.alleles > most[:, None, None]).any(axis=2)
    if beyond.any():
        raise InputError(f"{first(beyond)}, an allele that the record does not list; correct the genotype file.")
    absent = (genotypes.alleles < 0).any(axis=2)
    if missing == "error" and absent.any():
        raise InputError(
            f"{first(absent)}, a missing genotype; complete ones are allowed; impute them, exclude the record "
            "(bcftools view -e 'GT=\"mis\"'), or set missing genotypes to 'reference'."
        )
    if unphased == "error" and genotypes.unphased.any():
        raise InputError(
            f"{first(genotypes.unphased)}, heterozygous without phase; phased ones such as 0|1 are allowed; phase "
            "the genotypes (for example with SHAPEIT or Beagle) or set unphased ones to 'iupac'."
        )
    if unphased == "iupac":
        with_iupac(genotypes)  # refuses what has no code now, with the file still known to the user
