"""The report's words: question, answer, methods, inputs, versions. Numbers come from the run alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pexbench.figures.style import counted
from pexbench.report.data import ReportData
from pexbench.report.markup import Section
from pexbench.scores.sentence import answer as sentences_of

PAPER = "Huang et al., Nature Genetics 2023, https://doi.org/10.1038/s41588-023-01574-w"
HEADLINE = "spearman"
#: Axis by the words that name it; the order of the columns of the first table.
AXES = {
    "across_genes_reference": "across genes, reference sequence",
    "across_genes_personal": "across genes, each person",
    "across_individuals": "across individuals, each gene",
}
METRICS = ("across_genes", "across_individuals")


def question(data: ReportData) -> str:
    """What the run asks."""
    counts = data.counts
    return (
        "Models that read DNA rank genes by their expression. Do they also rank people by the expression of one gene? "
        f"Asked here of {counted(counts['people'], 'person', 'people')} and {counted(counts['genes'], 'gene', 'genes')}."
    )


def answer(data: ReportData) -> list[str]:
    """The answer in words and numbers, a sentence per model and baseline; controls are left to the tables."""
    controls = set(data.settings.get("controls", []))
    kept = data.summary[~data.summary["model"].isin(controls)]
    names = {model: data.label(model) for model in kept["model"].unique()}
    # Two models of one label would become one.
    named = {model: name if list(names.values()).count(name) == 1 else model for model, name in names.items()}
    return sentences_of(kept.assign(model=kept["model"].map(named))) or ["No model was scored."]


def headline(summary: pd.DataFrame, model: str, axis: str) -> Mapping[str, Any] | None:
    """The summary's row of one model and axis, Spearman; None where it has none."""
    rows = summary[
        (summary["model"] == model)
        & (summary["axis"] == axis)
        & (summary["statistic"] == HEADLINE)
        & summary["metric"].isin(METRICS)
        & summary["mean"].notna()
    ]
    return {str(key): value for key, value in rows.iloc[0].items()} if len(rows) else None


def notices(data: ReportData) -> list[str]:
    """What a reader must know before believing a number."""
    said = []
    if data.simulated:
        said.append("The cohort is simulated: genotypes, sequence and expression were made by the workflow.")
    remarks = {name: model.get("note") for name, model in data.settings["models"].items() if model.get("note")}
    said += [f"{data.label(name)}: {remark}." for name, remark in remarks.items()]
    said += [f"{note[0].upper()}{note[1:]}." for note in data.notes]
    if not data.counts.get("genotypes", True):
        said.append(
            "The run has no genotypes: its predictions were made elsewhere, and what needs genotypes is left out "
            "(haplotypes, baselines, controls, associations, effects of variants)."
        )
    return said


def facts(data: ReportData) -> list[tuple[str, str]]:
    """The run's size: number and what it counts."""
    counts = data.counts
    pairs = [
        (counts["people"], "people"),
        (counts["genes"], "genes"),
        (counts["genes_personal"] if counts.get("genotypes", True) else None, "genes with personal predictions"),
        (counts.get("variants_used"), "variants around them"),
        (len(data.settings["models"]), "sequence models and tables"),
    ]
    if data.checks:
        pairs.append((data.checks["compared"], "haplotypes proven against bcftools"))
    return [(f"{number:,}", noun) for number, noun in pairs if number is not None]


def inputs(data: ReportData) -> list[Section]:
    """Who and what was used, and what was left out."""
    counts = data.counts
    people = [f"{counted(counts['people'], 'person', 'people')} of the run."]
    for key, words in (
        ("people_genotyped", "have genotypes"),
        ("people_with_expression", "have expression"),
        ("people_asked", "were asked for"),
    ):
        if counts.get(key) is not None:
            people.append(f"{counts[key]:,} {words}.")
    genes = [
        f"{counts['genes']:,} of {counts['genes_asked']:,} genes of the table are used"
        + (
            f", {counts['genes_personal']:,} of them for every person; the others get the reference prediction alone."
            if counts.get("genotypes", True)
            else "; for whom there are predictions, the tables decide."
        ),
        f"Measured expression fit for scores: {counts['genes_with_expression_across_individuals']:,} genes across "
        f"individuals, {counts['genes_with_expression_across_genes']:,} across genes.",
    ]
    parts = [Section("People", (" ".join(people),)), Section("Genes", tuple(genes))]
    if counts.get("variants_used") is not None:
        variants = [f"{counts['variants_used']:,} variants lie around the genes and are used."]
        if data.checks:
            checks = data.checks
            variants.append(
                f"{checks['compared']:,} haplotypes drawn at random, with {checks['applied']:,} variants in them, were "
                f"built in memory and by bcftools consensus: {checks['different']:,} differ."
            )
        parts.append(Section("Variants", tuple(variants)))
    dropped = [(name, f"{number:,}") for name, number in sorted(counts.get("dropped", {}).items())]
    parts.append(Section("Left out", () if dropped else ("Nothing was left out.",), dropped))
    return parts


def versions(data: ReportData) -> list[Section]:
    """Programs, checksums."""
    made = data.provenance
    programs = [("pexbench", str(made["pexbench"])), ("Python", str(made["python"]))]
    if made.get("bcftools"):
        programs.append(("bcftools", str(made["bcftools"])))
    parts = [Section("Programs", (), programs)]
    for key, title in (("inputs_sha256", "Inputs, sha256"), ("weights_sha256", "Weights, sha256")):
        if made.get(key):
            parts.append(Section(title, (), sorted(made[key].items())))
    parts.append(
        Section("Environments", (), [(name, ", ".join(pins)) for name, pins in sorted(made["environments"].items())])
    )
    return parts
