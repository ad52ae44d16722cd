"""Reading uncompressed BCF (the binary form of VCF): sites and genotypes, nothing else.

Text takes bcftools ten times as long to print and has to be taken apart again; here the genotypes of a record are
one block of bytes. Source: the BCF2 section of the VCF specification, https://samtools.github.io/hts-specs/VCFv4.3.pdf
"""

from __future__ import annotations

import gzip
import re
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SITE = struct.Struct("<IIiiifII")
_WIDTH = {1: 1, 2: 2, 3: 4, 5: 4, 7: 1}
_INTEGER: dict[int, np.dtype[Any]] = {1: np.dtype("<i1"), 2: np.dtype("<i2"), 3: np.dtype("<i4")}


@dataclass(frozen=True)
class Records:
    """The records of a BCF stream, in its order.

    Attributes:
        samples: names, in the file's order.
        positions: int64 [V], 0-based.
        lengths: int64 [V], bases of the reference that the file says a record covers.
        alleles: REF and ALTs of each record.
        codes: per record the coded genotypes, int8 or wider [S, ploidy] as in BCF: ``(allele + 1) << 1 | phased``,
            0 or 1 missing, the type's smallest value plus one for "no further allele" in a call that has fewer
            than another of the record; None where the record has no GT.
    """

    samples: tuple[str, ...]
    positions: NDArray[np.int64]
    lengths: NDArray[np.int64]
    alleles: list[tuple[str, ...]]
    codes: list[NDArray[Any] | None]


def header_samples(text: str) -> tuple[str, ...]:
    """Sample names of a VCF header, in its order."""
    columns = next((line for line in text.splitlines() if line.startswith("#CHROM")), "")
    return tuple(columns.split("\t")[9:])


def header_contigs(text: str) -> tuple[str, ...]:
    """Contig names of a VCF header, in its order."""
    return tuple(re.findall(r"^##contig=<(?:[^>]*,)?ID=([^,>]+)", text, flags=re.MULTILINE))


def parse(data: bytes) -> Records:
    """Take a BCF stream apart (``bcftools view -Ou``).

    Args:
        data: the whole stream, header included; newer versions of bcftools pack "uncompressed" BCF in gzip blocks.

    Returns:
        Its records.

    Raises:
        ValueError: the bytes are no BCF 2 stream.
    """
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[:4] != b"BCF\x02":
        raise ValueError("no BCF 2 stream")
    (text_length,) = struct.unpack_from("<I", data, 5)
    at = 9 + text_length
    text = data[9:at].rstrip(b"\0").decode()
    samples = header_samples(text)
    genotype_key = _format_key(text, "GT")
    sites: list[tuple[int, int]] = []
    alleles: list[tuple[str, ...]] = []
    codes: list[NDArray[Any] | None] = []
    while at < len(data):
        shared, individual, _, position, length, _, counts, shape = _SITE.unpack_from(data, at)
        end_of_site = at + 8 + shared
        sites.append((position, length))
        alleles.append(_alleles(data, at + _SITE.size, counts >> 16))
        codes.append(_genotypes(data, end_of_site, shape >> 24, len(samples), genotype_key))
        at = end_of_site + individual
    table = np.array(sites, dtype=np.int64).reshape(-1, 2)
    return Records(samples, table[:, 0], table[:, 1], alleles, codes)


def _format_key(text: str, name: str) -> int:
    """Number of a FORMAT field in the header's dictionary; -1 when the header does not declare it."""
    found = re.search(rf"^##FORMAT=<ID={name},[^\n]*IDX=(\d+)", text, flags=re.MULTILINE)
    return int(found[1]) if found else -1


def _typed(data: bytes, at: int) -> tuple[int, int, int]:
    """Type and count of the typed value at ``at``, and where its content starts."""
    descriptor = data[at]
    kind, count = descriptor & 15, descriptor >> 4
    if count < 15:
        return kind, count, at + 1
    inner, _, start = _typed(data, at + 1)  # 15: the count follows as a typed integer of its own
    width = _WIDTH[inner]
    return kind, int.from_bytes(data[start : start + width], "little"), start + width


def _alleles(data: bytes, at: int, number: int) -> tuple[str, ...]:
    """REF and ALTs, which follow the record's ID."""
    _, count, start = _typed(data, at)
    at = start + count
    texts = []
    for _ in range(number):
        _, count, start = _typed(data, at)
        at = start + count
        texts.append(data[start:at].decode())
    return tuple(texts)


def _genotypes(data: bytes, at: int, fields: int, samples: int, genotype_key: int) -> NDArray[Any] | None:
    """The coded genotypes [S, ploidy] among a record's per-sample fields, or None."""
    for _ in range(fields):
        kind, _, start = _typed(data, at)
        width = _WIDTH[kind]
        key = int.from_bytes(data[start : start + width], "little")
        kind, count, start = _typed(data, start + width)
        if key == genotype_key:
            if kind not in _INTEGER:  # no call has an allele
                return np.zeros((samples, 1), dtype=np.int8)
            values: NDArray[Any] = np.frombuffer(data, dtype=_INTEGER[kind], count=count * samples, offset=start)
            return values.reshape(samples, count)
        at = start + _WIDTH.get(kind, 0) * count * samples
    return None
