"""Small contigs whose variants overlap, touch the ends and change lengths: drawn by hypothesis, and written as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from pexbench import bcftools

SAMPLES = ("HG2", "HG10")  # neither sorted order nor the order of the file is the order asked
ASKED = ("HG10", "HG2")


@dataclass(frozen=True)
class Case:
    """One contig: its bases, its records as VCF columns, and intervals to build."""

    bases: str
    records: tuple[tuple[int, str, str, str, str], ...]  # 0-based position, REF, ALTs, calls of SAMPLES
    windows: tuple[tuple[int, int], ...]


@st.composite
def alternative(draw: st.DrawFn, ref: str) -> str:
    """An ALT: another base, an insertion, a deletion, an MNP or anything."""
    text = st.text("ACGT", min_size=1, max_size=4)
    kind = draw(st.sampled_from(["snp", "insertion", "deletion", "any", "same first"]))
    if kind == "snp":
        return draw(st.sampled_from("ACGTN")) + ref[1:]
    if kind == "insertion":
        return ref + draw(text)
    if kind == "deletion":
        return ref[: draw(st.integers(1, len(ref)))]
    if kind == "same first":
        return ref[0] + draw(text)
    return draw(text)


@st.composite
def record(draw: st.DrawFn, bases: str, calls: st.SearchStrategy[str], snps: bool) -> tuple[int, str, str, str, str]:
    """One VCF line."""
    position = draw(st.integers(0, len(bases) - 1))
    length = 1 if snps else draw(st.sampled_from([1, 1, 1, 2, 3, 4, 6]))
    ref = bases[position : position + length].upper()
    one = st.sampled_from("ACGT") if snps else alternative(ref)
    alts = [alt for alt in draw(st.lists(one, min_size=1, max_size=2, unique=True)) if alt != ref] or ["AC"[ref == "A"]]
    first, second = (draw(calls) for _ in SAMPLES)
    most = str(len(alts))
    return position, ref, ",".join(alts), first.replace("2", most), second.replace("2", most)


PHASED = st.sampled_from(["0|1", "1|0", "1|1", "2|1", "1|2", "0|2", "0|0", ".|.", ".|1", "1|.", "1/1", "./."])
WITH_UNPHASED = st.sampled_from(["0|1", "1|0", "1|1", "0/1", "1/2", "2/0", "./1", "0/.", "0|0"])


@st.composite
def case(draw: st.DrawFn, calls: st.SearchStrategy[str], snps: bool = False) -> Case:
    """A contig with records close enough together to overlap often."""
    bases = draw(st.text("ACGTacgtN", min_size=8, max_size=24))
    records = draw(st.lists(record(bases, calls, snps), max_size=7))
    spans = st.tuples(st.integers(-4, len(bases) + 3), st.integers(1, len(bases)))
    windows = draw(st.lists(spans, min_size=1, max_size=3, unique=True))
    return Case(
        bases,
        tuple(sorted(records, key=lambda row: row[0])),
        tuple((start, start + length) for start, length in windows),
    )


def write(folder: Path, cases: list[Case]) -> tuple[Path, Path]:
    """The FASTA and the indexed BCF of some contigs."""
    fasta, vcf, store = folder / "ref.fa", folder / "in.vcf", folder / "in.bcf"
    fasta.write_text("".join(f">c{number}\n{one.bases}\n" for number, one in enumerate(cases)))
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += [f"##contig=<ID=c{number},length={len(one.bases)}>" for number, one in enumerate(cases)]
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *SAMPLES]))
    for number, one in enumerate(cases):
        for position, ref, alts, *calls in one.records:
            lines.append("\t".join([f"c{number}", str(position + 1), ".", ref, alts, ".", ".", ".", "GT", *calls]))
    vcf.write_text("\n".join(lines) + "\n")
    bcftools.run(["view", "-Ob", "-o", str(store), str(vcf)])
    bcftools.run(["index", str(store)])
    return fasta, store


def bounded(examples: int) -> settings:
    """So many examples, the same in every run."""
    return settings(
        max_examples=examples,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),  # shrinking would ask bcftools thousands of times
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


#: What random draws meet too seldom.
TRICKY = [
    Case("ACGTACGT", ((2, "G", "T", "1|0", "0|1"), (2, "GTA", "G", "1|1", "1|1")), ((0, 8),)),
    Case("acgtacgt", ((2, "G", "T", "1|0", "0|1"), (2, "GTA", "G", "1|1", "1|1")), ((0, 8),)),
    Case("ACGTACGT", ((2, "G", "T", "1|0", "0|1"), (2, "G", "GCC", "1|1", "1|1")), ((0, 8),)),
    Case(
        "ACGTACGT",
        ((1, "C", "CAA", "1|1", "1|0"), (4, "A", "T", "1|1", "1|1"), (4, "A", "AGG", "1|0", "1|1")),
        ((0, 8),),
    ),
    Case("ACGTacgt", ((1, "CGT", "C", "1|1", "1|0"), (3, "T", "TGG", "1|0", "1|1")), ((0, 8), (2, 8), (3, 8), (2, 4))),
    Case("acgtACGT", ((1, "CGT", "C", "1|1", "1|0"), (3, "TAC", "T", "1|0", "1|1")), ((0, 8), (2, 8), (3, 8), (2, 4))),
    Case("ACGTACGT", ((1, "CGTA", "CTTTTT,CGA", "1|2", "1|0"),), ((0, 8), (2, 8), (3, 8), (3, 4), (0, 3), (4, 8))),
    Case("ACGTACGT", ((5, "CGT", "CGTAA,C", "1|2", "1|0"), (7, "T", "TAC", "1|1", "0|1")), ((0, 8), (0, 7), (0, 6))),
    # an insertion is forgotten once another record is applied; B's deletion ties A's records into one run
    Case(
        "ACGTACGT",
        (
            (1, "C", "CAA", "1|1", "0|0"),
            (1, "CGTA", "C", "0|0", "1|1"),
            (4, "A", "T", "1|1", "0|0"),
            (4, "A", "AGG", "1|0", "1|1"),
        ),
        ((0, 8),),
    ),
]
