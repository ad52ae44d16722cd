"""What ``bcftools consensus`` does with the variants of one haplotype, in their order, base by base.

These rules define a haplotype (bcftools 1.20 and later; earlier ones leave out records that begin before the
interval). They were learnt from bcftools' behaviour and are tested against it, byte for byte. Letter case counts:
an ALT takes the case of the sequence where it is put.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class ReferenceMismatch(Exception):  # noqa: N818 - named for what it is; callers turn it into an InputError
    """REF of a record is not what the sequence has."""

    def __init__(self, record: int, ref: str, found: str) -> None:
        """Keep the record's number in the order given, its REF, and the bases found instead."""
        super().__init__(f"REF {ref!r}, sequence {found!r}")
        self.record, self.ref, self.found = record, ref, found


@dataclass(frozen=True)
class Edited:
    """A sequence with variants applied.

    Attributes:
        sequence: the bases.
        edits: the applied records in order: index in the sequence as it then was, bases removed, bases put in.
    """

    sequence: bytes
    edits: tuple[tuple[int, int, int], ...]

    @property
    def resized(self) -> bool:
        """Whether an applied record changed the length."""
        return any(removed != added for _, removed, added in self.edits)

    def index_after(self, index: int) -> int:
        """Where the base at ``index`` of the reference is now; the next retained base if it is deleted.

        The bases of an ALT stand for the REF bases from the left.
        """
        for at, removed, added in self.edits:
            if index >= at + removed:
                index += added - removed
            elif index >= at:
                index = at + min(index - at, added)
        return index


def is_anchored_indel(ref: str, alt: str) -> bool:
    """Whether an allele is a pure insertion or deletion whose first base is REF's, there only to anchor it."""
    long, short = (ref, alt) if len(ref) > len(alt) else (alt, ref)
    if len(long) == len(short) or ref[0] != alt[0]:
        return False
    a, b = long.upper(), short.upper()
    prefix = 0
    while prefix < len(b) and a[prefix] == b[prefix]:
        prefix += 1
    return a.endswith(b[prefix:])


def apply_records(reference: bytes, start: int, records: Iterable[tuple[int, str, str]]) -> Edited:
    """Apply the alleles one haplotype carries, as ``bcftools consensus`` would.

    A record that overlaps an applied one is left out, unless it is an anchored indel at that one's last base and
    the applied one is no insertion. A record that begins before the interval has its part within applied. One that
    passes the interval's end is cut there.

    Args:
        reference: bases of the interval.
        start: 0-based position of its first base.
        records: 0-based position, REF and the carried ALT, in the file's order; each overlaps the interval.

    Returns:
        The haplotype over the interval.

    Raises:
        ReferenceMismatch: REF differs from the sequence where the record is to be applied.
    """
    buffer = bytearray(reference)
    edits: list[tuple[int, int, int]] = []
    frozen = -1  # last position covered by the record applied last
    shift = 0  # bases gained so far
    last_base, last_position = 0, -1  # original base at `frozen`, which an indel may still be anchored to
    after_insertion = False
    for number, (position, whole_ref, whole_alt) in enumerate(records):
        ref, alt, removed = whole_ref, whole_alt, len(whole_ref)
        anchored = is_anchored_indel(ref, alt)
        if position <= frozen and (position < frozen or not anchored or after_insertion):
            continue
        index = position - start + shift
        if index < 0:
            # Keep the part within the interval; where the whole ALT lies before it, one base at index -1 remains.
            cut = -index if len(alt) > -index else -index - 1
            alt = alt[-index:] if len(alt) > -index else alt[-1:]
            ref, position, removed, index = ref[cut:], position + cut, removed - cut, index + cut
        if removed > len(buffer) - index:
            removed = len(buffer) - index
            alt = alt[:removed]
        if index > 0 and index >= len(buffer):
            continue
        if index >= 0 and not _matches(ref, buffer, index, removed):
            # An indel may follow a deletion that took its anchor: compare that base with the original one.
            anchor = position == last_position and ref[:1].upper().encode() == bytes([last_base]).upper()
            if not (anchor and (removed == 1 or _matches(ref[1:], buffer, index + 1, removed - 1))):
                raise ReferenceMismatch(number, whole_ref, buffer[index : index + removed].decode())
        here = bytes(buffer[max(index, 0) : max(index, 0) + 1]) or reference[:1]
        put = (alt.upper() if here.upper() == here else alt.lower()).encode()
        gained = len(put) - removed
        if gained <= 0:
            last_base, last_position = buffer[index + removed - 1] if buffer else 0, position + removed - 1
            after_insertion = False
            if anchored and index >= 0:
                put = bytes(buffer[index : index + 1]) + put[1:]
            edits.append((index, removed, len(put)))
            buffer[max(index, 0) : index + removed] = put[max(-index, 0) :]
        else:
            # The anchor stays as an earlier record left it, if it is spelt alike: the comparison minds the case.
            kept = 1 if ref[:1].encode() == put[:1] else 0
            last_position = position
            after_insertion = True
            edits.append((index, removed, len(put)))
            buffer[index : index + removed] = buffer[index : index + kept] + put[kept:]
        frozen = position + removed - 1
        shift += gained
    return Edited(bytes(buffer), tuple(edits))


def _matches(ref: str, buffer: bytearray, index: int, count: int) -> bool:
    """Whether the first ``count`` bases of REF are those at ``index``, in any case."""
    return ref[:count].upper().encode() == bytes(buffer[index : index + count]).upper()
