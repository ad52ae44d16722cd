"""Verbs of facts about people, and of associations between genotypes and expression."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from pexbench.verbs import common

LOG = logging.getLogger("pexbench.associations")


def people_facts(arguments: argparse.Namespace) -> None:
    """Put everything that is known about the run's people into one table, and check what the run uses of it."""
    from pexbench.covariates import covariate_matrix
    from pexbench.files import read_table, write_table
    from pexbench.people import join_facts

    table = join_facts(read_table(arguments.samples), arguments.people, arguments.population)
    if arguments.covariates:
        used = covariate_matrix(table.set_index("sample"), arguments.covariates)
        LOG.info("covariates in use: %s", ", ".join(used.names) or "none")
    write_table(table, arguments.output)


def associate(arguments: argparse.Namespace) -> None:
    """Measured expression against the dosage of each cis variant, and heritability by all of them."""
    from pexbench.associations import associate as run
    from pexbench.files import write_table

    found = run(common.expression_shard(arguments), arguments.min_maf, common.covariates(arguments))
    write_table(found.cis, arguments.output_cis)
    write_table(found.leads, arguments.output_leads)
    write_table(found.genes, arguments.output)


def gather_associations(arguments: argparse.Namespace) -> None:
    """One table each of genes, variants and lead dosages from those of the shards."""
    import pandas as pd

    from pexbench.associations import join_eqtl
    from pexbench.files import read_table, write_table

    # Numbers stay the text that they are.
    genes = pd.concat([read_table(path) for path in arguments.shards], ignore_index=True)
    if arguments.eqtl:
        genes = join_eqtl(genes, arguments.eqtl)
    for paths, output in ((arguments.cis, arguments.output_cis), (arguments.leads, arguments.output_leads)):
        write_table(pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True), output)
    write_table(genes, arguments.output)
    tested = (genes["lead_variant"] != "").sum()
    LOG.info("%d genes, %d of them with a tested variant", len(genes), tested)


def add(parsers: Any) -> None:
    """Add these verbs."""
    parser = common.verb(parsers, people_facts)
    parser.add_argument("--samples", type=Path, required=True, help="samples.tsv that check_inputs wrote")
    parser.add_argument("--people", type=Path, nargs="*", default=[], help="tables of facts")
    parser.add_argument("--population", help="column of populations that the run uses")
    parser.add_argument("--covariates", nargs="*", default=[], help="columns that the run uses as covariates")
    parser.add_argument("--output", type=Path, required=True)

    parser = common.verb(parsers, associate)
    common.add_expression_shard(parser)
    parser.add_argument("--output", type=Path, required=True, help="table of genes")
    parser.add_argument("--output-cis", type=Path, required=True, help="Parquet, variants")
    parser.add_argument("--output-leads", type=Path, required=True, help="Parquet, lead dosages")

    parser = common.verb(parsers, gather_associations)
    parser.add_argument("--shards", type=Path, nargs="+", required=True, help="tables of genes")
    parser.add_argument("--cis", type=Path, nargs="+", required=True)
    parser.add_argument("--leads", type=Path, nargs="+", required=True)
    parser.add_argument("--eqtl", type=Path, help="published lead eQTLs")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-cis", type=Path, required=True)
    parser.add_argument("--output-leads", type=Path, required=True)
