"""The per-shard variant store: which records of the cohort's VCF build haplotypes."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam

from pexbench import bcftools
from pexbench.errors import InputError, listing
from pexbench.files import published
from pexbench.genes import Gene
from pexbench.haplotypes import FLANK
from pexbench.reference import Reference, match_contig


@dataclass(frozen=True)
class VariantRules:
    """Which records are kept.

    Attributes:
        indels: keep indels and multi-base substitutions beside SNPs.
        multiallelics: keep records with several ALT alleles.
        flank: bp on either side of a TSS.
    """

    indels: bool = False
    multiallelics: bool = False
    flank: int = 98304

    @property
    def reach(self) -> int:
        """Bp on either side of a TSS whose records are stored: deletions draw further sequence into a window."""
        return self.flank + (FLANK if self.indels else 0)


def vcf_header(path: str | Path) -> tuple[list[str], list[str]]:
    """Contigs and samples of a VCF or BCF.

    Returns:
        ``(contigs, samples)``; contigs are those with records (from the index) where that is known, else the header's.
    """
    with pysam.VariantFile(str(path)) as handle:
        samples = list(handle.header.samples)
        try:
            contigs = list(handle.index) if handle.index is not None else []
        except (TypeError, ValueError, NotImplementedError):
            contigs = []
        return contigs or list(handle.header.contigs), samples


def merged_intervals(genes: Iterable[Gene], flank: int) -> list[tuple[str, int, int]]:
    """Union of the genes' neighbourhoods.

    Args:
        genes: their TSS are 1-based.
        flank: bp on either side.

    Returns:
        ``(contig, start, end)`` in the gene table's contig names, 0-based half-open, sorted, without overlap.
    """
    merged: list[tuple[str, int, int]] = []
    spans = sorted((gene.contig, max(gene.tss0 - flank, 0), gene.tss0 + flank + 1) for gene in genes)
    for contig, start, end in spans:
        if merged and merged[-1][0] == contig and start <= merged[-1][2]:
            merged[-1] = (contig, merged[-1][1], max(end, merged[-1][2]))
        else:
            merged.append((contig, start, end))
    return merged


def _stages(
    vcf: str | Path,
    reference: Reference,
    contig_names: tuple[str, str],
    regions: Path,
    samples: Path,
    rules: VariantRules,
    rename: Path,
    check_ref: str,
) -> list[list[str]]:
    """Bcftools commands, in order, from the cohort's VCF to the shard's BCF."""
    vcf_name, reference_name = contig_names
    excluded = "ref,bnd,other" if rules.indels else "indels,mnps,ref,bnd,other"
    view = ["view", "-Ou", "-R", str(regions), "-S", str(samples), "--exclude-types", excluded, "-e", 'ALT="*"']
    view += ["--min-alleles", "2", "--min-ac", "1:nref"]
    view += ["--trim-alt-alleles"] if rules.multiallelics else ["--max-alleles", "2"]
    stages = [[*view, str(vcf)]]
    if vcf_name != reference_name:
        rename.write_text(f"{vcf_name} {reference_name}\n")
        stages.append(["annotate", "-Ou", "--rename-chrs", str(rename), "-"])
    # Normalising moves only indels; REF is compared with the reference for every record.
    stages.append(["norm", "-Ou", "--check-ref", check_ref, "-f", str(reference.path), "-"])
    stages.append(["annotate", "-Ob", "-x", "INFO,^FORMAT/GT", "--no-version", "-"])
    return stages


def subset_variants(
    vcf: str | Path,
    reference: Reference,
    genes: Sequence[Gene],
    samples: Sequence[str],
    rules: VariantRules,
    output: str | Path,
    *,
    check_ref: str = "e",
) -> None:
    """Write the records around some genes, of some people, as an indexed BCF in the reference's contig names.

    Args:
        vcf: bgzip-compressed, indexed VCF or BCF; phased.
        reference: its contig names are used in the output.
        genes: all on one contig; may be empty (an empty BCF is written).
        samples: names; the output keeps this order.
        rules: which records to keep. Records that nobody in ``samples`` carries are left out: they change no
            haplotype.
        output: BCF; an index ``.csi`` is written beside it.
        check_ref: what ``bcftools norm`` does where REF differs from the reference: ``e`` stops, ``w`` warns (for
            callers that compare by themselves and can say more).

    Raises:
        InputError: bcftools failed, for instance because REF differs from the reference.
    """
    contigs = sorted({gene.contig for gene in genes})
    if len(contigs) > 1:
        raise InputError(f"{output}: genes of contigs {listing(contigs)} in one shard; a shard has one contig.")
    available, _ = vcf_header(vcf)
    vcf_name = match_contig(contigs[0], available) if contigs else None
    with published(output) as aside, tempfile.TemporaryDirectory(dir=Path(output).parent) as folder:
        names, regions, rename = (Path(folder, name) for name in ("samples", "regions", "rename"))
        names.write_text("".join(f"{name}\n" for name in samples))
        if vcf_name is None:
            # No genotypes for this contig: genes there get their reference prediction only.
            bcftools.pipeline([["view", "-h", "-S", str(names), "-Ob", "--no-version", str(vcf)]], aside)
        else:
            spans = merged_intervals(genes, rules.reach)
            regions.write_text("".join(f"{vcf_name}\t{start + 1}\t{end}\n" for _, start, end in spans))
            pair = (vcf_name, reference.contig(contigs[0]))
            bcftools.pipeline(_stages(vcf, reference, pair, regions, names, rules, rename, check_ref), aside)
        bcftools.run(["index", "--csi", "-f", str(aside)])
        # The index goes first: whoever sees the BCF finds its index beside it.
        Path(f"{aside}.csi").replace(f"{output}.csi")


def count_kinds(vcf: str | Path, regions: Iterable[tuple[str, int, int]]) -> Counter[str]:
    """Count the records of each kind in some regions, before any is left out.

    Args:
        vcf: indexed VCF or BCF.
        regions: contig in the file's names, 0-based half-open.

    Returns:
        Number of records by kind: ``SNP``, ``indel``, ``multi-base substitution``, ``multi-allelic``,
        ``symbolic``, ``other``.
    """
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "regions")
        path.write_text("".join(f"{contig}\t{start + 1}\t{end}\n" for contig, start, end in regions))
        text = bcftools.run(["query", "-R", str(path), "-f", "%TYPE\t%ALT\n", str(vcf)]).decode()
    for (kind, alts), number in Counter(tuple(line.split("\t")) for line in text.splitlines()).items():
        if "<" in alts or "[" in alts or "]" in alts:
            counts["symbolic"] += number
        elif "," in alts:
            counts["multi-allelic"] += number
        else:
            name = {"SNP": "SNP", "INDEL": "indel", "MNP": "multi-base substitution"}.get(kind.split(",")[0], "other")
            counts[name] += number
    return counts
