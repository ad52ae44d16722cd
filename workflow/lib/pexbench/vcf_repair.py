"""VCF files whose header does not declare what their records use, as those of E-GEUV-1.

bcftools cannot write BCF from such a file: contigs and fields are numbered by the header. The file is then written anew
with the genotypes alone (GT), which is all that haplotypes are made of.
"""

from __future__ import annotations

import gzip
import itertools
import re
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pysam

from pexbench.errors import InputError
from pexbench.files import published

#: Records that are looked at to decide whether a header will do.
LOOKED_AT = 1000
#: The empty block at the end of every BGZF file.
END_OF_FILE = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
GT_LINE = '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">'


class Faults(NamedTuple):
    """Why a file must be written anew: what its records use and its header does not declare, and how it is packed."""

    undeclared: tuple[str, ...]
    plain_gzip: bool

    def __bool__(self) -> bool:
        """Whether there is anything to mend."""
        return bool(self.undeclared) or self.plain_gzip


def is_vcf(path: str | Path) -> bool:
    """Whether a file is a gzip-compressed VCF (and not, for example, a BCF)."""
    with open(path, "rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
    if not packed:
        return False
    with gzip.open(path, "rb") as lines:
        return lines.read(16).startswith(b"##fileformat=VCF")


def faults(path: str | Path) -> Faults:
    """Compare the header of a gzip-compressed VCF with its first records.

    Args:
        path: VCF, gzip or bgzip.

    Returns:
        Undeclared contigs and INFO, FORMAT and FILTER keys, for example ``contig 22``, ``FORMAT/PP``; and whether the
        file is plain gzip, which cannot be indexed.
    """
    with open(path, "rb") as raw:
        start = raw.read(18)
    plain = len(start) < 18 or start[12:14] != b"BC"
    declared = {("FILTER", "PASS"), ("FILTER", "."), ("INFO", ".")}
    used: dict[tuple[str, str], None] = {}
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if line.startswith("##"):
                found = re.match(r"##(contig|INFO|FORMAT|FILTER)=<(?:[^>]*,)?ID=([^,>]+)", line)
                if found:
                    declared.add((found[1], found[2]))
            elif not line.startswith("#"):
                for record in itertools.islice(itertools.chain([line], lines), LOOKED_AT):
                    fields = record.rstrip("\n").split("\t", 9)
                    used[("contig", fields[0])] = None
                    if len(fields) > 8:
                        used |= dict.fromkeys(("FILTER", key) for key in fields[6].split(";"))
                        used |= dict.fromkeys(("INFO", entry.partition("=")[0]) for entry in fields[7].split(";"))
                        used |= dict.fromkeys(("FORMAT", key) for key in fields[8].split(":"))
                break
    absent = [
        f"contig {key}" if kind == "contig" else f"{kind}/{key}" for kind, key in used if (kind, key) not in declared
    ]
    return Faults(tuple(absent), plain)


def rewrite(path: str | Path, output: str | Path) -> int:
    """Write a VCF anew with a complete header and the genotypes alone.

    Args:
        path: VCF, gzip or bgzip.
        output: VCF, bgzip; written aside and renamed.

    Returns:
        Number of records.

    Raises:
        InputError: a record has no genotypes, or another number of columns than the header names.
    """
    contigs: dict[bytes, None] = {}
    number, wanted, columns = 0, 0, b""
    with published(output) as aside, tempfile.TemporaryDirectory(dir=Path(output).parent) as folder:
        body = Path(folder, "records")
        with gzip.open(path, "rb") as lines, pysam.BGZFile(str(body), "wb") as written:
            for number_of_line, line in enumerate(lines, start=1):
                if line.startswith(b"#"):
                    columns = line.rstrip()
                    wanted = columns.count(b"\t") + 1
                    continue
                fields = line.rstrip().split(b"\t")
                if len(fields) != wanted or len(fields) < 10 or fields[8].split(b":")[0] != b"GT":
                    raise InputError(
                        f"{path}: line {number_of_line} has {len(fields)} columns and FORMAT "
                        f"{fields[8].decode(errors='replace') if len(fields) > 8 else 'none'}; {wanted} columns "
                        "and a FORMAT that begins with GT are needed; fetch the file again or correct it."
                    )
                contigs[fields[0]] = None
                fields[6:9] = [b".", b".", b"GT"]
                fields[9:] = [call.partition(b":")[0] for call in fields[9:]]
                written.write(b"\t".join(fields) + b"\n")
                number += 1
        head = ["##fileformat=VCFv4.2", *(f"##contig=<ID={contig.decode()}>" for contig in contigs), GT_LINE, ""]
        with pysam.BGZFile(str(aside), "wb") as written:
            written.write("\n".join(head).encode() + columns + b"\n")
        packed = aside.read_bytes().removesuffix(END_OF_FILE)
        with open(aside, "wb") as joined, open(body, "rb") as records:
            joined.write(packed)
            shutil.copyfileobj(records, joined, 1 << 20)
    return number
