"""Verbs that compare implementations of a model on sequences of the run."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from pexbench.verbs import common

LOG = logging.getLogger("pexbench.ports")


def sample_sequences(arguments: argparse.Namespace) -> None:
    """Draw reference sequences and haplotypes of people for a model's window."""
    from pexbench.cohort import read_run_samples
    from pexbench.files import read_table
    from pexbench.genes import genes_from_table
    from pexbench.models import find_model
    from pexbench.port_checks import read_published
    from pexbench.port_sequences import draw, write_sequences
    from pexbench.port_sequences import sample_sequences as sample
    from pexbench.predict import Genotyping
    from pexbench.reference import Reference
    from pexbench.variants import VariantRules

    card = find_model(arguments.card).with_options(common.options(arguments.options))
    table = read_table(arguments.genes, personal=bool)
    genes = genes_from_table(table, arguments.genes)
    samples = read_run_samples(arguments.samples)
    also: list[str] = []
    if arguments.published:
        known = [name for name in read_published(arguments.published).index if name in genes]
        also = draw(known, arguments.published_genes, arguments.seed)
    sequences = sample(
        card.name,
        card.window_rule(),
        genes,
        set(table["gene_id"][table["personal"]]),
        Reference(arguments.reference),
        lambda contig: Path(arguments.genotypes.replace("{contig}", contig)),
        VariantRules(arguments.indels, arguments.multiallelics, arguments.flank),
        Genotyping(Path(), samples, None, arguments.unphased, arguments.missing),
        number_genes=arguments.number_genes,
        number_haplotypes=arguments.number_haplotypes,
        seed=arguments.seed,
        also=also,
    )
    write_sequences(sequences, arguments.output)
    LOG.info("%s: %d sequences of %d genes", card.title, len(sequences.codes), len(set(sequences.gene_ids)))


def predict_sequences(arguments: argparse.Namespace) -> None:
    """Predict drawn sequences with one implementation of a model."""
    from pexbench.files import write_table
    from pexbench.models import find_model, load_adapter
    from pexbench.models.device import choose_device
    from pexbench.port_sequences import predict_sequences as predict
    from pexbench.port_sequences import read_sequences

    options = common.options(arguments.options)
    card = find_model(arguments.card).with_options(options)
    device = choose_device(arguments.device, card.implementation(arguments.implementation).environment)
    weights = {key: Path(path) for key, path in common.pairs(arguments.weights, "--weights").items()}
    adapter = load_adapter(card, arguments.implementation, weights, device, options)
    sequences = read_sequences(arguments.sequences)
    write_table(predict(adapter, sequences, arguments.batch_size or card.batch_size), arguments.output)
    LOG.info("%s (%s) on %s: %d sequences", card.title, arguments.implementation, device, len(sequences.codes))


def compare_ports(arguments: argparse.Namespace) -> None:
    """Compare implementations of a model, and published predictions; fail above the tolerance."""
    from pexbench.errors import InputError
    from pexbench.files import write_json, write_table
    from pexbench.models import find_model
    from pexbench.port_checks import compare_ports as compare
    from pexbench.port_checks import compare_published, read_predictions, read_published

    card = find_model(arguments.card)
    tolerance = card.tolerance if arguments.tolerance is None else arguments.tolerance
    given = common.pairs(arguments.predictions, "--predictions")
    if len(given) < 2 and not arguments.published:
        raise InputError(
            f"--predictions: {len(given)} implementation(s) given; two, or one and --published, are needed; add one."
        )
    tables = {name: read_predictions(path) for name, path in given.items()}
    verdict = compare(card.name, tables, tolerance)
    if arguments.published:
        allowed = tolerance if arguments.published_tolerance is None else arguments.published_tolerance
        values = read_published(arguments.published, arguments.published_column or card.name)
        verdict = compare_published(verdict, tables, values, allowed, arguments.published_scale)
    write_json(verdict.report, arguments.output)
    write_table(verdict.genes, arguments.output_genes)
    for pair in verdict.report["pairs"]:
        LOG.info(
            "%s: %s and %s differ by at most %.3g (allowed %g), %s of the spread between people; rank correlation %s",
            card.title,
            pair["first"],
            pair["second"],
            pair["max_difference"],
            tolerance,
            _text(pair["max_difference_over_spread"]),
            _text(pair["spearman"]),
        )
    for row in verdict.report.get("published", {}).get("implementations", []):
        LOG.info(
            "%s: %s and published differ by at most %s over %d genes",
            card.title,
            row["implementation"],
            _text(row["max_difference"]),
            row["genes"],
        )
    if verdict.faults:
        raise InputError("\n".join(verdict.faults))


def _text(value: float | None) -> str:
    """A number that may be unknown."""
    return "unknown" if value is None else f"{value:.3g}"


def add(parsers: Any) -> None:
    """Add these verbs."""
    parser = common.verb(parsers, sample_sequences)
    parser.add_argument("--card", required=True, help="model name or folder")
    parser.add_argument("--options", nargs="*", default=[], help="key=value; some options change the window")
    parser.add_argument("--genotypes", required=True, help="VCF or BCF of the run; {contig} stands for the contig")
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--genes", type=Path, required=True, help="genes.tsv that check_inputs wrote")
    parser.add_argument("--samples", type=Path, required=True, help="samples.tsv that check_inputs wrote")
    common.add_variant_rules(parser)
    common.add_genotyping(parser)
    parser.add_argument("--number-genes", type=int, default=8)
    parser.add_argument("--number-haplotypes", type=int, default=6, help="different sequences of people per gene")
    parser.add_argument("--published", type=Path, help="table whose genes get their reference sequence as well")
    parser.add_argument("--published-genes", type=int, default=20, help="most genes of that table")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help=".npz")

    parser = common.verb(parsers, predict_sequences)
    parser.add_argument("--card", required=True, help="model name or folder")
    parser.add_argument("--implementation")
    parser.add_argument("--weights", nargs="*", default=[], help="key=file")
    parser.add_argument("--options", nargs="*", default=[], help="key=value")
    parser.add_argument("--sequences", type=Path, required=True, help=".npz that sample_sequences wrote")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--output", type=Path, required=True, help="table")

    parser = common.verb(parsers, compare_ports)
    parser.add_argument("--card", required=True, help="model name or folder; gives the tolerance")
    parser.add_argument("--predictions", nargs="+", required=True, help="implementation=table")
    parser.add_argument("--tolerance", type=float, help="in place of the card's")
    parser.add_argument("--published", type=Path, help="published reference predictions, with a column gene_id")
    parser.add_argument("--published-column", help="the model's column (default: the card's name)")
    parser.add_argument(
        "--published-scale", choices=["same", "log"], default="same", help="log: natural logs published"
    )
    parser.add_argument("--published-tolerance", type=float, help="on the published scale (default: as between ports)")
    parser.add_argument("--output", type=Path, required=True, help="report, JSON")
    parser.add_argument("--output-genes", type=Path, required=True, help="report by gene, table")
