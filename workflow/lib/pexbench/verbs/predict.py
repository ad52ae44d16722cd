"""Verbs of sequence models: train, predict, gather, controls."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pexbench.verbs import common

if TYPE_CHECKING:
    from pexbench.models.base import Adapter
    from pexbench.predict import Genotyping

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
    from pexbench.files import write_json, write_table
    from pexbench.predict import How, predict_shard
    from pexbench.reference import Reference

    adapter = loaded_adapter(arguments)
    genes, personal, samples = common.shard_genes(arguments)
    how = How(
        method=arguments.method,
        precision=arguments.precision,
        batch_size=arguments.batch_size or None,
        sample=arguments.sample,
        seed=arguments.seed,
    )
    LOG.info(
        "%s on %s, %s, %s: %d genes, %d people",
        adapter.card.title,
        adapter.device,
        how.method,
        how.precision,
        len(genes),
        len(samples),
    )
    if how.method == "incremental":
        LOG.info("computed once where haplotypes are alike: %s", ", ".join(["whole sequences", *adapter.shares]))
    made = predict_shard(
        adapter, adapter.card, genes, personal, Reference(arguments.reference), genotyping_of(arguments, samples), how
    )
    facts = {"implementation": arguments.implementation, "device": adapter.device}
    write_json(made.performance | facts, arguments.output_performance)
    write_table(made.reference, arguments.output_reference)
    write_table(made.people, arguments.output)


def check_incremental(arguments: argparse.Namespace) -> None:
    """Predict some haplotypes of a shard in the plain way and compare them with the run's predictions."""
    import pandas as pd

    from pexbench.files import write_table
    from pexbench.incremental_check import check_shard, refuse
    from pexbench.reference import Reference

    adapter = loaded_adapter(arguments)
    genes, personal, samples = common.shard_genes(arguments)
    table = check_shard(
        adapter,
        [gene for gene in genes if gene.gene_id in personal],
        Reference(arguments.reference),
        genotyping_of(arguments, samples),
        pd.read_parquet(arguments.people),
        arguments.sample,
        arguments.seed,
    )
    # Written before anything is refused: a log survives a failed job, and shows every gene.
    write_table(table, arguments.report)
    refuse(table, adapter.card.name)
    write_table(table, arguments.output)


def gather_incremental_checks(arguments: argparse.Namespace) -> None:
    """Put the checks of all shards of one model together."""
    import pandas as pd

    from pexbench.files import read_table, write_table

    write_table(pd.concat([read_table(path) for path in arguments.checks], ignore_index=True), arguments.output)


def gather_performance(arguments: argparse.Namespace) -> None:
    """One table of how the time of all models was spent."""
    from pexbench.files import write_table
    from pexbench.performance import gather

    by_model: dict[str, list[Path]] = {}
    for path in arguments.shards:
        by_model.setdefault(path.parent.name, []).append(path)
    write_table(gather(by_model), arguments.output)


def loaded_adapter(arguments: argparse.Namespace) -> Adapter:
    """The model that the arguments of :func:`add_model` name, loaded on its device."""
    from pexbench.models import find_model, load_adapter
    from pexbench.models.device import choose_device

    options = common.options(arguments.options)
    card = find_model(arguments.card).with_options(options)
    device = choose_device(arguments.device, card.implementation(arguments.implementation).environment)
    weights = {key: Path(path) for key, path in common.pairs(arguments.weights, "--weights").items()}
    return load_adapter(card, arguments.implementation, weights, device, options)


def genotyping_of(arguments: argparse.Namespace, samples: list[str]) -> Genotyping:
    """Where haplotypes come from."""
    from pexbench.predict import Genotyping

    return Genotyping(arguments.bcf, samples, arguments.region, arguments.unphased, arguments.missing)


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
    add_model(parser)
    parser.add_argument("--method", choices=["incremental", "plain"], default="incremental")
    parser.add_argument("--precision", choices=["float32", "tf32", "bf16"], default="float32")
    parser.add_argument("--batch-size", type=int, default=0, help="most sequences or pieces at once; 0: by memory")
    parser.add_argument("--output", type=Path, required=True, help="Parquet, people")
    parser.add_argument("--output-reference", type=Path, required=True, help="table, reference")
    parser.add_argument("--output-performance", type=Path, required=True, help="JSON")

    parser = common.verb(parsers, check_incremental)
    add_model(parser)
    parser.add_argument("--people", type=Path, required=True, help="the run's predictions of the shard, Parquet")
    parser.add_argument("--report", type=Path, required=True, help="table, written whatever comes out")
    parser.add_argument("--output", type=Path, required=True, help="the same table, if all is well")

    parser = common.verb(parsers, gather_incremental_checks)
    parser.add_argument("--checks", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)

    parser = common.verb(parsers, gather_performance)
    parser.add_argument("--shards", type=Path, nargs="+", required=True, help="MODEL/SHARD.performance.json")
    parser.add_argument("--output", type=Path, required=True)

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


def add_model(parser: argparse.ArgumentParser) -> None:
    """A model, its device, and the shard it predicts."""
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
    parser.add_argument("--sample", type=int, default=16, help="haplotypes per gene for comparisons")
    parser.add_argument("--seed", type=int, default=1)
