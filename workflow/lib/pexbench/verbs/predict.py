"""Verbs of sequence models: train, predict, gather, controls."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from pexbench.verbs import common

LOG = logging.getLogger("pexbench.predict")


def train_model(arguments: argparse.Namespace) -> None:
    """Train a model that learns from the run's own reference."""
    from pexbench.cohort import read_expression, read_run_samples
    from pexbench.genes import read_genes
    from pexbench.models import find_model
    from pexbench.reference import Reference
    from pexbench.training import train_model as train

    train(
        find_model(arguments.card).with_options(common.options(arguments.options)),
        read_genes(arguments.genes),
        Reference(arguments.reference),
        read_expression(arguments.expression),
        read_run_samples(arguments.samples),
        arguments.seed,
        common.options(arguments.options),
        arguments.output,
    )


def predict(arguments: argparse.Namespace) -> None:
    """Predict every haplotype of a shard's genes with one model."""
    from pexbench.files import write_table
    from pexbench.models import find_model, load_adapter
    from pexbench.models.device import choose_device
    from pexbench.predict import Genotyping, predict_shard
    from pexbench.reference import Reference

    card = find_model(arguments.card).with_options(common.options(arguments.options))
    environment = card.implementation(arguments.implementation).environment
    device = choose_device(arguments.device, environment)
    weights = {key: Path(path) for key, path in common.pairs(arguments.weights, "--weights").items()}
    adapter = load_adapter(card, arguments.implementation, weights, device, common.options(arguments.options))
    genes, personal, samples = common.shard_genes(arguments)
    cohort = Genotyping(arguments.bcf, samples, arguments.region, arguments.unphased, arguments.missing)
    batch_size = arguments.batch_size or card.batch_size
    LOG.info("%s on %s, %d genes, %d people", card.title, device, len(genes), len(samples))
    people, reference = predict_shard(
        adapter, card, genes, personal, Reference(arguments.reference), cohort, batch_size
    )
    write_table(reference, arguments.output_reference)
    write_table(people, arguments.output)


def gather_predictions(arguments: argparse.Namespace) -> None:
    """Put the shards of one model together; a person's prediction is made from both haplotypes here."""
    import pandas as pd

    from pexbench.files import read_table, write_table
    from pexbench.predictions import gather, gather_reference

    table = gather(arguments.shards, arguments.combine, arguments.model)
    if arguments.references:
        write_table(gather_reference(arguments.references), arguments.output_reference)
    if arguments.fits:
        fits = pd.concat([read_table(path) for path in arguments.fits], ignore_index=True)
        write_table(fits, arguments.output_fits)
    write_table(table, arguments.output)
    LOG.info("%s: %d genes, %d people", arguments.model, table["gene_id"].nunique(), table["sample"].nunique())


def control(arguments: argparse.Namespace) -> None:
    """Make a control from a model's predictions."""
    import pandas as pd

    from pexbench.files import write_table
    from pexbench.predictions import read_reference, reference_only, shuffled

    people = pd.read_parquet(arguments.people)
    if arguments.kind == "shuffled":
        table = shuffled(people, arguments.seed)
    else:
        table = reference_only(people, read_reference(arguments.reference))
    write_table(table, arguments.output)


def add(parsers: Any) -> None:
    """Add these verbs."""
    parser = common.verb(parsers, train_model)
    parser.add_argument("--card", required=True, help="model name or folder")
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--genes", type=Path, required=True)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--expression", type=Path, required=True)
    parser.add_argument("--options", nargs="*", default=[], help="key=value")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help=".npz")

    parser = common.verb(parsers, predict)
    parser.add_argument("--card", required=True, help="model name or folder")
    parser.add_argument("--implementation")
    parser.add_argument("--weights", nargs="*", default=[], help="key=file")
    parser.add_argument("--options", nargs="*", default=[], help="key=value")
    parser.add_argument("--bcf", type=Path, required=True, help="the shard's variants")
    parser.add_argument("--reference", type=Path, required=True)
    common.add_shard(parser)
    common.add_genotyping(parser)
    parser.add_argument("--region", help="contig:start-end where genotypes are complete")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--output", type=Path, required=True, help="Parquet, people")
    parser.add_argument("--output-reference", type=Path, required=True, help="table, reference")

    parser = common.verb(parsers, gather_predictions)
    parser.add_argument("--model", required=True)
    parser.add_argument("--shards", type=Path, nargs="+", required=True)
    parser.add_argument("--references", type=Path, nargs="*", default=[])
    parser.add_argument("--fits", type=Path, nargs="*", default=[])
    parser.add_argument("--combine", choices=["mean", "mean_of_logs"], default="mean")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-reference", type=Path)
    parser.add_argument("--output-fits", type=Path)

    parser = common.verb(parsers, control)
    parser.add_argument("--kind", choices=["shuffled", "reference_only"], required=True)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
