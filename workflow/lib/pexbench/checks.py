"""Look at every input before any work is queued: stop on what would falsify a result, list what is left out."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench import bcftools
from pexbench.cohort import check_sample_names, read_expression, read_samples, usable_rows
from pexbench.errors import InputError, listing
from pexbench.files import checksum, write_json, write_table
from pexbench.genes import Gene, genes_to_table, read_genes
from pexbench.genotypes import Genotypes, Missing, Unphased, read_genotypes
from pexbench.reference import Reference, match_contig
from pexbench.variants import VariantRules, count_kinds, merged_intervals, subset_variants, vcf_header

LOG = logging.getLogger(__name__)
#: Genotypes are read this many bp at a time.
BLOCK = 1_000_000
FEWEST_PEOPLE = 10


@dataclass(frozen=True)
class InputFiles:
    """Paths of a run's inputs; ``genotypes`` may hold ``{contig}``.

    ``reference`` and ``genotypes`` are None together, in a run whose predictions were all made elsewhere.
    """

    reference: Path | None
    genotypes: str | None
    genes: Path
    samples: Path | None
    expression_individuals: Path
    expression_genes: Path

    def genotype_file(self, contig: str) -> Path:
        """The genotype file of a contig of the gene table."""
        if self.genotypes is None:
            raise InputError("genotypes: none are given; name them in inputs.genotypes.")
        return Path(self.genotypes.replace("{contig}", contig))


@dataclass(frozen=True)
class CheckRules:
    """What is allowed; see the settings of the same names."""

    variants: VariantRules
    region: str | None = None
    genotyped_flank: int = 7000
    sequence_flank: int = 7000
    unphased: Unphased = "error"
    missing: Missing = "error"


@dataclass
class Report:
    """What the checks found."""

    faults: list[str] = field(default_factory=list)
    dropped: list[tuple[str, str, int, str]] = field(default_factory=list)
    counts: dict[str, object] = field(default_factory=dict)

    def drop(self, kind: str, name: str, reason: str, number: int = 1) -> None:
        """List something that is left out."""
        self.dropped.append((kind, name, number, reason))


def check_inputs(files: InputFiles, rules: CheckRules, output: Path) -> None:
    """Check all inputs of a run and write what it will use.

    Args:
        files: the inputs.
        rules: what is allowed.
        output: folder for ``inputs.json`` (counts and checksums), ``genes.tsv`` (kept genes; ``personal`` says whether
            genotypes are complete around the TSS), ``samples.tsv`` (kept people) and ``dropped.tsv`` (kind, id, count,
            reason of everything left out).

    Raises:
        InputError: one sentence for each fault that would falsify a result; nothing is written then.
    """
    report = Report()
    reference = Reference(files.reference) if files.reference is not None else None
    report.counts["genotypes"] = reference is not None
    genes = read_genes(files.genes)
    report.counts["genes_asked"] = len(genes)
    if reference is not None:
        genes = _genes_on_reference(genes, reference, rules.sequence_flank, report)
    individuals, levels = read_expression(files.expression_individuals), read_expression(files.expression_genes)
    samples = _samples(files, genes, individuals, report)
    if report.faults:
        raise InputError(_sentences(report.faults))
    genes = _genes_with_expression(genes, individuals, levels, list(samples["sample"]), report)
    if not genes:
        raise InputError(
            f"{files.genes}: no gene is left; genes need {'sequence and ' if reference else ''}expression; found: "
            f"{_reasons(report)}."
        )
    if reference is not None:
        personal = _check_variants(files, rules, reference, genes, list(samples["sample"]), report)
    else:
        LOG.info("no genotypes: predictions were made elsewhere, and what needs genotypes is left out")
        personal = dict.fromkeys(genes, False)
    if report.faults:
        raise InputError(_sentences(report.faults))
    table = genes_to_table(genes)
    table["personal"] = [personal[gene_id] for gene_id in table["gene_id"]]
    report.counts |= {"genes": len(genes), "genes_personal": int(table["personal"].sum()), "people": len(samples)}
    if reference is not None:
        report.counts["bcftools"] = bcftools.version()
    report.counts["sha256"] = _checksums(files, genes)
    dropped = pd.DataFrame(report.dropped, columns=["kind", "id", "count", "reason"])
    totals: dict[str, int] = {}
    for kind, _, number, reason in sorted(report.dropped):
        totals[f"{kind}: {reason}"] = totals.get(f"{kind}: {reason}", 0) + number
    report.counts["dropped"] = totals
    for name, number in totals.items():
        LOG.info("left out: %d x %s", number, name)
    write_table(table, output / "genes.tsv")
    write_table(samples, output / "samples.tsv")
    write_table(dropped, output / "dropped.tsv")
    write_json(report.counts, output / "inputs.json")
    LOG.info(
        "%d genes (%d with genotypes around them), %d people, %s variants",
        len(genes),
        int(table["personal"].sum()),
        len(samples),
        report.counts.get("variants_used", "no"),
    )


def _sentences(faults: Sequence[str]) -> str:
    """All faults, one line each."""
    return faults[0] if len(faults) == 1 else f"{len(faults)} faults:\n" + "\n".join(f"- {fault}" for fault in faults)


def _reasons(report: Report) -> str:
    """The distinct reasons for which genes were left out."""
    return listing(sorted({reason for kind, _, _, reason in report.dropped if kind == "gene"}), 10)


def _genes_on_reference(genes: dict[str, Gene], reference: Reference, flank: int, report: Report) -> dict[str, Gene]:
    """Genes whose surroundings the reference has."""
    kept, naming = {}, {}
    for gene in genes.values():
        contig = match_contig(gene.contig, reference.lengths)
        if contig is None:
            report.drop("gene", gene.gene_id, f"contig {gene.contig} is not in the reference")
        elif gene.tss0 - flank < 0 or gene.tss0 + flank >= reference.lengths[contig]:
            report.drop("gene", gene.gene_id, f"less than {flank} bp of reference around the TSS")
        else:
            kept[gene.gene_id] = gene
            naming[gene.contig] = contig
    renamed = {a: b for a, b in naming.items() if a != b}
    if renamed:
        LOG.info("contigs are named differently and matched (genes: reference): %s", renamed)
    report.counts["contigs_genes_to_reference"] = naming
    return kept


def _samples(files: InputFiles, genes: Mapping[str, Gene], individuals: pd.DataFrame, report: Report) -> pd.DataFrame:
    """People with genotypes and expression, of those asked for."""
    needed = {"expression": set(individuals.columns)}
    if files.genotypes is not None:
        needed = {"genotypes": _genotyped(files, files.genotypes, genes, report), **needed}
    everyone = set.union(*needed.values())
    table = pd.DataFrame({"sample": sorted(everyone)}) if files.samples is None else read_samples(files.samples)
    report.counts |= {
        "people_genotyped": len(needed["genotypes"]) if "genotypes" in needed else None,
        "people_with_expression": len(needed["expression"]),
        "people_asked": len(table) if files.samples is not None else None,
    }
    keep = []
    for name in table["sample"]:
        lacking = [what for what, have in needed.items() if name not in have]
        if lacking:
            report.drop("sample", name, "no " + " and no ".join(lacking))
        keep.append(not lacking)
    kept = table[keep].reset_index(drop=True)
    if len(kept) < FEWEST_PEOPLE:
        found = ", ".join(
            f"{what} name{'' if what[-1] == 's' else 's'} {listing(sorted(have))}" for what, have in needed.items()
        )
        report.faults.append(
            f"people: {len(kept)} have {' and '.join(needed)}, at least {FEWEST_PEOPLE} are needed; {found}"
            + (f", asked for are {listing(table['sample'])}" if files.samples is not None else "")
            + "; are the names of one kind?"
        )
    return kept


def _genotyped(files: InputFiles, pattern: str, genes: Mapping[str, Gene], report: Report) -> set[str]:
    """People of the genotype files, which must be the same in all."""
    paths = sorted({files.genotype_file(gene.contig) for gene in genes.values()})
    headers = {path: vcf_header(path)[1] for path in paths}
    genotyped = next(iter(headers.values()), [])
    for path, names in headers.items():
        repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if repeated:
            report.faults.append(f"{path}: sample {listing(repeated)} occurs twice; remove the duplicate column.")
        if set(names) != set(genotyped):
            lacking = sorted(set(genotyped) ^ set(names))
            report.faults.append(
                f"{path}: people differ from those of {paths[0]} ({listing(lacking)}); every contig needs the same "
                "people; subset the files to the people they share."
            )
    check_sample_names(genotyped, pattern)
    return set(genotyped)


def _genes_with_expression(
    genes: dict[str, Gene], individuals: pd.DataFrame, levels: pd.DataFrame, people: list[str], report: Report
) -> dict[str, Gene]:
    """Genes that at least one expression table can score."""
    usable: set[str] = set()
    for axis, table in (("across individuals", individuals), ("across genes", levels)):
        here = [name for name in people if name in table.columns]
        if not here:
            raise InputError(
                f"expression {axis}: none of the run's {len(people)} people ({listing(people)}) has a column; the table has "
                f"{listing(table.columns)}; names must be the same; correct the table."
            )
        reasons = usable_rows(table[here])
        for gene_id, reason in reasons.items():
            if reason and gene_id in genes:
                report.drop(f"expression row ({axis})", str(gene_id), str(reason))
        good = set(reasons.index[reasons == ""])
        usable |= good
        report.counts[f"genes_with_expression_{axis.replace(' ', '_')}"] = len(good & set(genes))
        if len(here) < len(people):
            LOG.info("%s: %d of %d people have a column", axis, len(here), len(people))
        report.counts[f"people_{axis.replace(' ', '_')}"] = len(here)
    kept = {}
    for gene_id, gene in genes.items():
        if gene_id in usable:
            kept[gene_id] = gene
        else:
            report.drop("gene", gene_id, "no usable expression in any table")
    return kept


def _personal(gene: Gene, contigs: Sequence[str], rules: CheckRules) -> str:
    """Why a gene's haplotypes cannot be built; empty if they can."""
    if match_contig(gene.contig, contigs) is None:
        return f"no genotypes for contig {gene.contig}: reference prediction only"
    if rules.region:
        contig, span = rules.region.rsplit(":", 1)
        start, end = (int(value) for value in span.split("-"))
        inside = start <= gene.tss - rules.genotyped_flank and gene.tss + rules.genotyped_flank <= end
        if match_contig(gene.contig, [contig]) is None or not inside:
            return f"less than {rules.genotyped_flank} bp of genotypes around the TSS: reference prediction only"
    return ""


def _check_variants(
    files: InputFiles,
    rules: CheckRules,
    reference: Reference,
    genes: Mapping[str, Gene],
    people: list[str],
    report: Report,
) -> dict[str, bool]:
    """Read every genotype that any gene uses; say which genes have genotypes around them."""
    personal: dict[str, bool] = {}
    used: dict[str, list[Gene]] = {}
    for gene in genes.values():
        contigs, _ = vcf_header(files.genotype_file(gene.contig))
        reason = _personal(gene, contigs, rules)
        personal[gene.gene_id] = not reason
        if reason:
            report.drop("personal prediction", gene.gene_id, reason)
        else:
            used.setdefault(gene.contig, []).append(gene)
    totals = {"variants_used": 0, "missing_genotypes": 0, "same_position_records": 0}
    for contig, members in used.items():
        vcf = files.genotype_file(contig)
        name = match_contig(contig, vcf_header(vcf)[0]) or contig
        if name != reference.contig(contig):
            LOG.info("contig %s of the reference is %s in %s: matched", reference.contig(contig), name, vcf)
        spans = merged_intervals(members, rules.variants.reach)
        kinds = count_kinds(vcf, [(name, start, end) for _, start, end in spans])
        for kind, number in sorted(kinds.items()):
            if not _kept(kind, rules.variants):
                report.drop("variants", f"{kind} on {contig}", "kind not used (settings 'variants')", number)
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder, "used.bcf")
            subset_variants(vcf, reference, members, people, rules.variants, store, check_ref="w")
            _check_blocks(store, vcf, contig, spans, people, rules, reference, members, totals, report)
    report.counts |= totals
    return personal


def _kept(kind: str, rules: VariantRules) -> bool:
    return (
        kind == "SNP"
        or (kind in ("indel", "multi-base substitution") and rules.indels)
        or (kind == "multi-allelic" and rules.multiallelics)
    )


def _check_blocks(
    store: Path,
    vcf: Path,
    contig: str,
    spans: Sequence[tuple[str, int, int]],
    people: list[str],
    rules: CheckRules,
    reference: Reference,
    members: Sequence[Gene],
    totals: dict[str, int],
    report: Report,
) -> None:
    """Check the records of one contig, a block at a time."""
    positions: list[npt.NDArray[np.int64]] = []
    seen: set[tuple[int, str, tuple[str, ...]]] = set()
    for _, span_start, span_end in spans:
        for start in range(span_start, span_end, BLOCK):
            end = min(start + BLOCK, span_end)
            try:
                found = read_genotypes(
                    store, contig, start, end, people, unphased=rules.unphased, missing=rules.missing
                )
            except InputError as fault:
                report.faults.append(str(fault).replace(str(store), str(vcf)))
                return
            own = np.flatnonzero(found.positions >= start)
            _check_records(found, own, vcf, reference, start, seen, totals, report)
            positions.append(found.positions[own])
            LOG.info("%s:%d-%d: %d records checked", contig, start + 1, end, len(own))
    every = np.concatenate(positions) if positions else np.empty(0, dtype=np.int64)
    totals["variants_used"] += len(every)
    if not len(every):
        report.faults.append(
            f"{vcf}: no usable variant around {len(members)} genes on contig {contig}; genotypes must cover the genes; "
            "check build, contig and 'variants' settings."
        )
    for gene in members:
        near = np.searchsorted(every, [gene.tss0 - rules.variants.flank, gene.tss0 + rules.variants.flank + 1])
        if near[0] == near[1]:
            report.drop("note", gene.gene_id, "no variant around the TSS: its prediction is the same for everyone", 1)


def _check_records(
    found: Genotypes,
    own: npt.NDArray[np.int64],
    vcf: Path,
    reference: Reference,
    start: int,
    seen: set[tuple[int, str, tuple[str, ...]]],
    totals: dict[str, int],
    report: Report,
) -> None:
    """REF against the reference, repeated records, missing genotypes."""
    totals["missing_genotypes"] += int((found.alleles[own] < 0).any(axis=2).sum()) if len(own) else 0
    wrong, repeated = [], []
    before = -1
    last = max((int(found.positions[row]) + len(found.refs[row]) for row in own), default=start)
    known = reference.fetch(found.contig, start, last).upper()
    for row in own:
        position, ref, alts = int(found.positions[row]), found.refs[row], found.alts[row]
        if known[position - start : position - start + len(ref)] != ref.upper().encode():
            wrong.append((position, ref))
        if (position, ref, alts) in seen:
            repeated.append(position)
        totals["same_position_records"] += position == before
        before = position
        seen.add((position, ref, alts))
    if wrong:
        position, ref = wrong[0]
        there = reference.fetch(found.contig, position, position + len(ref)).decode()
        report.faults.append(
            f"{vcf}: REF differs from {reference.path} at {len(wrong)} records, first {found.contig}:{position + 1} with "
            f"REF {ref}, reference {there}; they must be equal; use the reference build the VCF was called on."
        )
    if repeated:
        report.faults.append(
            f"{vcf}: record {listing(f'{found.contig}:{p + 1}' for p in repeated)} occurs twice with the same alleles; one "
            "is allowed; remove duplicates with 'bcftools norm --rm-dup exact'."
        )


def _checksums(files: InputFiles, genes: Mapping[str, Gene]) -> dict[str, str]:
    """sha256 by input file."""
    paths = {files.genes, files.expression_individuals, files.expression_genes}
    if files.reference is not None:
        paths |= {files.reference, *(files.genotype_file(gene.contig) for gene in genes.values())}
    if files.samples is not None:
        paths.add(files.samples)
    # The run's own names are links; what they lead to has the name people know.
    return {path.resolve().name: checksum(path) for path in sorted(paths)}
