"""Verbs of variant effects: which genes, one variant at a time, their sums, and their direction."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pexbench.verbs import common
from pexbench.verbs.predict import add_model, genotyping_of, loaded_adapter

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger("pexbench.variant_effects")


def choose_variants(arguments: argparse.Namespace) -> None:
    """Choose the genes that get every variant of a model's window; all others get their lead variant."""
    from pexbench.files import read_table, write_table
    from pexbench.variant_effects import choose

    wanted: str | list[str] = arguments.wanted
    if wanted == ["strongest"] or wanted == ["all"]:
        wanted = wanted[0]
    table = choose(read_table(arguments.genes, personal=bool), _associations(arguments.associations), wanted)
    write_table(table, arguments.output)
    LOG.info("%d genes, %d with every variant", len(table), int((table["scope"] == "all").sum()))


def variant_effects(arguments: argparse.Namespace) -> None:
    """Predict the reference with each variant alone, for a shard's genes, with one model."""
    from pexbench.files import read_table, write_table
    from pexbench.predict import How
    from pexbench.reference import Reference
    from pexbench.variant_effects import shard_effects

    adapter = loaded_adapter(arguments)
    genes, _, samples = common.shard_genes(arguments)
    table = shard_effects(
        adapter,
        genes,
        read_table(arguments.chosen),
        Reference(arguments.reference),
        genotyping_of(arguments, samples),
        How(method=arguments.method, precision=arguments.precision, batch_size=arguments.batch_size or None),
        arguments.combine,
        gradient=not arguments.no_gradient,
    )
    write_table(table, arguments.output)


def gather_variant_effects(arguments: argparse.Namespace) -> None:
    """Put one model's variant effects together: their sums against people's predictions, driver variants, shares."""
    import pandas as pd

    from pexbench.cohort import read_run_samples
    from pexbench.files import read_table, write_table
    from pexbench.genes import genes_from_table
    from pexbench.models import find_model
    from pexbench.predict import Genotyping
    from pexbench.predictions import read_reference
    from pexbench.variant_sums import shard_sums

    genes = genes_from_table(read_table(arguments.genes), arguments.genes)
    samples, chosen = read_run_samples(arguments.samples), read_table(arguments.chosen)
    rule = find_model(arguments.card).with_options(common.options(arguments.options)).window_rule()
    tables, found = [], []
    for paths in zip(arguments.effects, arguments.people, arguments.references, arguments.bcf, strict=True):
        effects, reference = pd.read_parquet(paths[0]), read_reference(paths[2])
        sums = shard_sums(
            [genes[gene_id] for gene_id in reference["gene_id"]],
            chosen,
            effects,
            pd.read_parquet(paths[1]),
            reference,
            Genotyping(paths[3], samples, None, arguments.unphased, arguments.missing),
            rule,
            arguments.flank,
            arguments.combine,
            arguments.model,
        )
        tables.append(effects.merge(sums[2], on=["gene_id", "variant"], how="left", validate="1:1"))
        found.append(sums[:2])
        LOG.info("%s (%d of %d shards): %d variants", paths[0].stem, len(tables), len(arguments.effects), len(effects))
    write_table(_together(tables), arguments.output)
    for parts, output in zip(zip(*found, strict=True), (arguments.output_genes, arguments.output_drivers), strict=True):
        write_table(_together(parts), output)


def _together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables one below the other; one without rows has columns without a type, so only those with rows count."""
    import pandas as pd

    return pd.concat([table for table in tables if len(table)] or list(tables)[:1], ignore_index=True)


def direction(arguments: argparse.Namespace) -> None:
    """Compare the sign of each model's effect of the lead variants with what was measured."""
    from pexbench.direction import gather
    from pexbench.files import read_table, write_table

    genes = {
        model: read_table(path, lead_effect=float, reference_prediction=float)
        for model, path in zip(arguments.models, arguments.genes, strict=True)
    }
    errors = {key: float(value) for key, value in common.pairs(arguments.errors, "--errors").items()}
    table, summary = gather(
        genes, _associations(arguments.associations), errors, common.pairs(arguments.combine, "--combine")
    )
    write_table(table, arguments.output)
    write_table(summary, arguments.output_summary)
    for row in summary.itertuples():
        LOG.info("%s, %s: %d of %d genes in the measured direction", row.model, row.scope, row.n_agree, row.n)


def _associations(path: Path) -> pd.DataFrame:
    """Associations of all genes, numbers where they are needed."""
    from pexbench.files import read_table

    return read_table(path, p=float, r=float, slope=float, p_bonferroni=float)


def add(parsers: Any) -> None:
    """Add these verbs."""
    parser = common.verb(parsers, choose_variants)
    parser.add_argument("--genes", type=Path, required=True, help="genes.tsv that check_inputs wrote")
    parser.add_argument("--associations", type=Path, required=True)
    parser.add_argument("--wanted", nargs="+", default=["strongest"], help="strongest, all, or gene ids and symbols")
    parser.add_argument("--output", type=Path, required=True)

    parser = common.verb(parsers, variant_effects)
    add_model(parser)
    parser.add_argument("--chosen", type=Path, required=True, help="what choose_variants wrote")
    parser.add_argument("--method", choices=["incremental", "plain"], default="incremental")
    parser.add_argument("--precision", choices=["float32", "tf32", "bf16"], default="float32")
    parser.add_argument("--batch-size", type=int, default=0, help="most sequences or pieces at once; 0: by memory")
    parser.add_argument("--no-gradient", action="store_true", help="leave out gradient x input")
    _add_combine(parser)
    parser.add_argument("--output", type=Path, required=True, help="Parquet")

    parser = common.verb(parsers, gather_variant_effects)
    parser.add_argument("--model", required=True)
    parser.add_argument("--card", required=True, help="model name or folder")
    parser.add_argument("--options", nargs="*", default=[], help="key=value")
    parser.add_argument("--genes", type=Path, required=True, help="genes.tsv that check_inputs wrote")
    parser.add_argument("--samples", type=Path, required=True, help="samples.tsv that check_inputs wrote")
    parser.add_argument("--chosen", type=Path, required=True, help="what choose_variants wrote")
    of_shards = {
        "--effects": "what variant_effects wrote, one per shard",
        "--people": "predictions, in the same order",
        "--references": "reference predictions, in the same order",
        "--bcf": "variants, in the same order",
    }
    for name, text in of_shards.items():
        parser.add_argument(name, type=Path, nargs="+", required=True, help=text)
    parser.add_argument("--flank", type=int, required=True, help="bp on either side of a TSS")
    common.add_genotyping(parser)
    _add_combine(parser)
    parser.add_argument("--output", type=Path, required=True, help="Parquet, every variant")
    parser.add_argument("--output-genes", type=Path, required=True, help="table, one row per gene")
    parser.add_argument("--output-drivers", type=Path, required=True, help="table, driver variants")

    parser = common.verb(parsers, direction)
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--genes", type=Path, nargs="+", required=True, help="one table per model, in the same order")
    parser.add_argument("--associations", type=Path, required=True)
    parser.add_argument("--errors", nargs="*", default=[], help="model=relative numerical error")
    parser.add_argument("--combine", nargs="*", default=[], help="model=mean or mean_of_logs")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-summary", type=Path, required=True)


def _add_combine(parser: argparse.ArgumentParser) -> None:
    """The scale of a person's prediction."""
    parser.add_argument("--combine", choices=["mean", "mean_of_logs"], default="mean")
