"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pexbench.errors import InputError, listing

if TYPE_CHECKING:
    import pandas as pd

    from pexbench.baselines.shard import Shard
    from pexbench.covariates import Floats
    from pexbench.genes import Gene

Run = Callable[[argparse.Namespace], None]


def add(parsers: Any) -> None:
    """No verbs here."""


def verb(parsers: Any, run: Run) -> argparse.ArgumentParser:
    """Add a verb named like its function, described by the function's first line."""
    text = (run.__doc__ or "").strip().splitlines()[0]
    parser: argparse.ArgumentParser = parsers.add_parser(run.__name__, help=text, description=text)
    parser.set_defaults(run=run)
    return parser


def add_shard(parser: argparse.ArgumentParser) -> None:
    """Genes and people of a shard, as ``check_inputs`` wrote them."""
    parser.add_argument("--genes", type=Path, required=True, help="genes.tsv that check_inputs wrote")
    parser.add_argument("--only", nargs="*", default=[], help="gene ids of the shard; those dropped are passed over")
    parser.add_argument("--samples", type=Path, required=True, help="samples.tsv that check_inputs wrote")


def add_genotyping(parser: argparse.ArgumentParser) -> None:
    """What to do about unphased and missing genotypes."""
    parser.add_argument("--unphased", choices=["error", "iupac"], default="error")
    parser.add_argument("--missing", choices=["error", "reference"], default="error")


def add_covariates(parser: argparse.ArgumentParser) -> None:
    """What is regressed out of expression."""
    parser.add_argument(
        "--covariates", nargs="*", default=[], help="columns of --samples, then the people.tsv that people_facts wrote"
    )


def covariates(arguments: argparse.Namespace) -> Floats | None:
    """The covariates of the run's people in their order, float64 [S, K], or None without any."""
    from pexbench.cohort import read_people
    from pexbench.covariates import covariate_matrix

    if not arguments.covariates:
        return None
    return covariate_matrix(read_people(arguments.samples), arguments.covariates).values


def add_variant_rules(parser: argparse.ArgumentParser) -> None:
    """Which variants are used."""
    parser.add_argument("--flank", type=int, default=98304, help="bp on either side of a TSS")
    parser.add_argument("--indels", action="store_true", help="keep indels and multi-base substitutions")
    parser.add_argument("--multiallelics", action="store_true", help="keep records with several ALT alleles")


def shard_genes(arguments: argparse.Namespace) -> tuple[list[Gene], set[str], list[str]]:
    """Genes of a shard, the ids of those with genotypes around them, and the people.

    Genes that ``check_inputs`` left out are not in its table; they are listed in ``dropped.tsv``.
    """
    from pexbench.cohort import read_run_samples
    from pexbench.files import read_table
    from pexbench.genes import genes_from_table

    table = read_table(arguments.genes, personal=bool)
    if "personal" not in table:
        raise InputError(f"{arguments.genes}: column 'personal' not found; use the genes.tsv that check_inputs wrote.")
    chosen = table[table["gene_id"].isin(arguments.only)]
    genes = list(genes_from_table(chosen, arguments.genes).values())
    personal = set(chosen["gene_id"][chosen["personal"]])
    return genes, personal, read_run_samples(arguments.samples)


def add_expression_shard(parser: argparse.ArgumentParser) -> None:
    """What is read where measured expression meets the genotypes of a shard."""
    parser.add_argument("--bcf", type=Path, required=True, help="the shard's variants")
    add_shard(parser)
    add_genotyping(parser)
    add_covariates(parser)
    parser.add_argument("--expression", type=Path, required=True, help="across individuals")
    parser.add_argument("--flank", type=int, default=98304, help="bp on either side of a TSS")
    parser.add_argument("--min-maf", type=float, default=0.05)


def expression_shard(arguments: argparse.Namespace) -> Shard:
    """A shard's genes with genotypes around them, its genotypes, and measured expression."""
    from pexbench.baselines.shard import Shard
    from pexbench.cohort import read_expression

    genes, personal, samples = shard_genes(arguments)
    return Shard(
        arguments.bcf,
        [gene for gene in genes if gene.gene_id in personal],
        samples,
        read_expression(arguments.expression),
        arguments.flank,
        arguments.unphased,
        arguments.missing,
    )


def expressions(individuals: Path, levels: Path, samples: list[str]) -> list[pd.DataFrame]:
    """Expression across individuals and across genes, of the run's people; one file for both is read once."""
    from pexbench.cohort import read_expression

    tables = {path: read_expression(path) for path in {individuals, levels}}
    return [tables[path][[name for name in samples if name in tables[path].columns]] for path in (individuals, levels)]


def pairs(values: list[str], what: str) -> dict[str, str]:
    """``key=value`` arguments as a dictionary."""
    wrong = [value for value in values if "=" not in value]
    if wrong:
        raise InputError(f"{what}: {listing(wrong)} found; key=value is allowed; correct the argument.")
    return dict(value.split("=", 1) for value in values)


def options(values: list[str]) -> dict[str, object]:
    """Options of an adapter from ``key=value`` arguments; a value is JSON where it can be read so, else text."""
    return {key: _value(text) for key, text in pairs(values, "--options").items()}


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
