"""Verb that takes a table of predictions made elsewhere into the run."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from pexbench.verbs import common

LOG = logging.getLogger("pexbench.tables")


def import_predictions(arguments: argparse.Namespace) -> None:
    """Take a table of predictions made elsewhere as a model of the run."""
    from pexbench.cohort import read_run_samples
    from pexbench.files import write_json, write_table
    from pexbench.genes import read_genes
    from pexbench.prediction_tables import import_table

    reference = (arguments.reference_table, arguments.reference_column) if arguments.reference_table else None
    made = import_table(
        arguments.table, arguments.model, read_genes(arguments.genes), read_run_samples(arguments.samples), reference
    )
    people, genes = made.report["people"], made.report["genes"]
    LOG.info(
        "%s: %d of %d genes and %d of %d people of the run; %d reference predictions",
        arguments.model,
        genes["kept"],
        genes["in_run"],
        people["kept"],
        people["in_run"],
        genes["with_reference_prediction"],
    )
    for reason, number in made.report["left_out_by_reason"].items():
        LOG.warning("left out: %d x %s", number, reason)
    for noun, counts in (("people", people), ("genes", genes)):
        if counts["in_table_not_in_run"]:
            LOG.info("not of the run: %d %s of the table", counts["in_table_not_in_run"], noun)
    write_json(made.report, arguments.report)
    write_table(made.reference, arguments.output_reference)
    write_table(made.people, arguments.output)


def add(parsers: Any) -> None:
    """Add this verb."""
    parser = common.verb(parsers, import_predictions)
    parser.add_argument("--table", type=Path, required=True, help=".csv, .tsv, .txt (.gz) or .parquet")
    parser.add_argument("--model", required=True, help="name of the model in the run")
    parser.add_argument("--genes", type=Path, required=True, help="genes.tsv that check_inputs wrote")
    parser.add_argument("--samples", type=Path, required=True, help="samples.tsv that check_inputs wrote")
    parser.add_argument("--reference-table", type=Path, help="predictions for the reference sequence, genes in rows")
    parser.add_argument("--reference-column", help="the model's column there")
    parser.add_argument("--output", type=Path, required=True, help="Parquet, people")
    parser.add_argument("--output-reference", type=Path, required=True, help="table; header alone without a reference")
    parser.add_argument("--report", type=Path, required=True, help="JSON: what matched, what was left out and why")
