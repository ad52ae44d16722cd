"""How a run's numbers are made, in short, with sources; only what the run did is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pexbench.report.data import ReportData
from pexbench.report.markup import Section
from pexbench.report.words import PAPER

DOI = "https://doi.org/"


def methods(data: ReportData) -> list[Section]:
    """The sections of the page on methods."""
    settings = data.settings
    personal = data.counts.get("genotypes", True)
    parts = [Section("", (f"The benchmark follows {PAPER}.",))]
    if data.simulated:
        parts.append(_simulation())
    if personal:
        parts.append(_haplotypes(settings["variants"]))
    parts.append(_predictions(data))
    parts += _baselines(settings)
    parts.append(_scores(settings))
    parts.append(_intervals(settings))
    if settings.get("controls"):
        parts.append(_controls(settings["controls"]))
    parts.append(
        Section(
            "Workflow",
            (
                f"Snakemake (Mölder et al. 2021, {DOI}10.12688/f1000research.29032.2) runs one command per step; a step "
                "is repeated when its inputs, settings or code change.",
            ),
        )
    )
    return parts


def _simulation() -> Section:
    return Section(
        "Simulated cohort",
        (
            f"Haplotypes come from a coalescent with recombination (msprime, Baumdicker et al. 2022, "
            f"{DOI}10.1093/genetics/iyab229); expression is the sum of effects of cis variants, of the gene's own "
            "level, and of noise. The truth behind it lies in the run's folder.",
        ),
    )


def _haplotypes(variants: Mapping[str, Any]) -> Section:
    kinds = ["single-base variants"]
    kinds += ["indels and multi-base substitutions"] if variants["indels"] else []
    kinds += ["multi-allelic records"] if variants["multiallelics"] else []
    return Section(
        "Haplotypes",
        (
            f"Both haplotypes of every person are built from phased {', '.join(kinds)} within {variants['flank']:,} bp of "
            "the transcription start site. What a haplotype is, bcftools consensus defines (Danecek et al. 2021, "
            f"{DOI}10.1093/gigascience/giab008); every run compares haplotypes drawn at random with it, byte for byte.",
        ),
    )


def _predictions(data: ReportData) -> Section:
    lines, pairs = [], []
    for name, model in data.settings["models"].items():
        card = data.cards.get(name)
        if card is None:
            pairs.append((data.label(name), f"predictions made elsewhere: {model['table']}"))
            continue
        source = f" {card.citation} {DOI}{card.doi}" if card.doi else f" {card.citation}"
        pairs.append((data.label(name), f"{card.input.length:,} bp. {card.description}{source}"))
    if data.cards:
        lines.append(
            "A person's prediction is made from the predictions of both haplotypes: their mean, or the mean of their "
            "logarithms where a model asks for it. Each distinct piece of sequence is computed once; results are those of "
            "the plain computation up to rounding. Predictions are kept in 32-bit floating point."
        )
    return Section("Predictions", tuple(lines), tuple(pairs))


def _baselines(settings: Mapping[str, Any]) -> list[Section]:
    if not settings.get("baselines"):
        return []
    net = settings["elastic_net"]
    said = []
    if "elastic_net" in settings["baselines"]:
        said.append(
            f"Elastic net (Zou and Hastie 2005, {DOI}10.1111/j.1467-9868.2005.00503.x) on the dosages of cis variants "
            f"with a minor allele frequency of at least {net['min_maf']:g}, in the way of PrediXcan (Gamazon et al. "
            f"2015, {DOI}10.1038/ng.3367): share of the L1 penalty {net['l1_ratio']:g}, penalty chosen by "
            f"{net['inner_folds']} inner folds, predictions for people outside {net['outer_folds']} outer folds."
        )
    if "top_snp" in settings["baselines"]:
        said.append("Top SNP: the variant that correlates best in the training folds, also predicted out of fold.")
    if "nearest_snp" in settings["baselines"]:
        said.append("Nearest SNP: the variant nearest to the transcription start site, also predicted out of fold.")
    return [Section("Genotype baselines", tuple(said))]


def _scores(settings: Mapping[str, Any]) -> Section:
    said = [
        "Across genes: correlation over genes between predicted and measured expression, for the prediction from the "
        "reference sequence against the median over people, and for each person by itself. Across individuals: per gene, "
        "correlation over people. Spearman's rank correlation is the headline, Pearson's stands beside it.",
        "A prediction that is the same for everyone ranks nobody: it counts as 0 and is marked. Significance is counted "
        "at a false discovery rate of 5 % (Benjamini and Hochberg 1995, "
        f"{DOI}10.1111/j.2517-6161.1995.tb02031.x).",
    ]
    scores = settings["scores"]
    if scores.get("population"):
        said.append(f"Scores within populations use the people's column {scores['population']}.")
    if scores.get("covariates"):
        said.append(
            f"Regressed out of expression: {', '.join(scores['covariates'])}; inside the folds where folds are used."
        )
    return Section("Scores", tuple(said))


def _intervals(settings: Mapping[str, Any]) -> Section:
    said = [
        f"Intervals hold 95 %. Those of means come from {settings['scores']['bootstrap']:,} bootstrap samples of people and "
        f"genes together (Owen 2007, {DOI}10.1214/07-AOAS122), seed {settings['seed']}."
    ]
    permutations = settings["scores"].get("permutations")
    if permutations:
        said.append(
            f"The null of the absolute correlation comes from {permutations:,} permutations of whole people against "
            "their expression, which keeps the correlation between people and between genes."
        )
    return Section("Intervals and nulls", tuple(said))


def _controls(controls: list[str]) -> Section:
    words = {
        "shuffled": "shuffled people: everyone gets another person's prediction",
        "reference_only": "reference only: everyone gets the prediction from the reference sequence",
    }
    return Section("Controls", (f"{'; '.join(words[name] for name in controls)}.".capitalize(),))
