"""Reference sequence: any interval of any contig, N where there is none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pyfaidx import Fasta

from pexbench.errors import InputError, listing


def match_contig(contig: str, available: Iterable[str]) -> str | None:
    """The name by which a file knows a contig: the same name, or with/without ``chr`` (``M`` and ``MT`` are one).

    Args:
        contig: for example ``22`` or ``chr22``.
        available: names in the other file.

    Returns:
        The matching name, or None.
    """
    names = set(available)
    bare = contig.removeprefix("chr")
    candidates = [contig, bare, f"chr{bare}"]
    if bare in ("M", "MT"):
        candidates += ["M", "MT", "chrM", "chrMT"]
    return next((name for name in candidates if name in names), None)


class Reference:
    """An indexed FASTA file (plain or bgzip), read by interval."""

    def __init__(self, path: str | Path) -> None:
        """Open ``path``, whose index (``.fai``) lies beside it."""
        self.path = Path(path)
        self._fasta = Fasta(str(path), as_raw=True, sequence_always_upper=False, rebuild=False)
        self.lengths: dict[str, int] = {
            name: len(self._fasta[name])
            for name in self._fasta.keys()  # noqa: SIM118 - not a dict
        }

    def contig(self, contig: str) -> str:
        """This file's name of a contig.

        Raises:
            InputError: the contig is not in the file under any of its usual names.
        """
        name = match_contig(contig, self.lengths)
        if name is None:
            raise InputError(
                f"{self.path}: contig {contig!r} not found; the file has {listing(self.lengths)}; "
                "use a reference that holds the genes' chromosomes."
            )
        return name

    def fetch(self, contig: str, start: int, end: int) -> bytes:
        """Bases of ``[start, end)``, 0-based half-open, in the file's letter case.

        Positions before the contig's start or past its end are ``N``, so the result always has
        ``end - start`` bytes.
        """
        name = self.contig(contig)
        length = self.lengths[name]
        inner_start, inner_end = min(max(start, 0), length), min(max(end, 0), length)
        inner = self._fasta[name][inner_start:inner_end] if inner_end > inner_start else ""
        left = min(max(-start, 0), end - start)
        return b"N" * left + inner.encode() + b"N" * (end - start - left - len(inner))
