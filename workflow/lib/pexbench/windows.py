"""Where a model's input lies around a gene's TSS."""

from __future__ import annotations

from dataclasses import dataclass

from pexbench.genes import Gene


@dataclass(frozen=True)
class WindowRule:
    """How a model cuts its input.

    Attributes:
        length: input length in bp.
        tss_index_plus: 0-based index of the TSS base in the + strand sequence for genes on ``+``.
        tss_index_minus: the same for genes on ``-``, counted on the + strand, before any reverse complement.
        oriented: whether sequences of ``-`` genes are reverse-complemented into gene direction.
    """

    length: int
    tss_index_plus: int
    tss_index_minus: int
    oriented: bool


@dataclass(frozen=True)
class Window:
    """An interval of the reference, 0-based half-open, to be reverse-complemented or not."""

    contig: str
    start: int
    end: int
    tss: int
    reverse: bool

    @property
    def length(self) -> int:
        """Length in bp."""
        return self.end - self.start


def window_of(gene: Gene, rule: WindowRule) -> Window:
    """The model's input interval for a gene.

    Args:
        gene: its TSS is 1-based.
        rule: length and TSS index of the model.

    Returns:
        Interval in 0-based half-open coordinates; it may reach past the contig's ends (those bases are N).
    """
    index = rule.tss_index_plus if gene.strand == "+" else rule.tss_index_minus
    start = gene.tss0 - index
    return Window(
        contig=gene.contig,
        start=start,
        end=start + rule.length,
        tss=gene.tss0,
        reverse=rule.oriented and gene.strand == "-",
    )
