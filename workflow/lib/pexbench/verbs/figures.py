"""The verb of figures."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pexbench.errors import InputError, listing
from pexbench.verbs import common

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger("pexbench.figures")

#: Columns that are no text, by table. Counts and positions may be missing, which whole numbers cannot say.
TYPES: dict[str, dict[str, Any]] = {
    "lead_effects": dict.fromkeys(
        ("n_variants", "lead_effect", "additivity_r2", "additivity_slope", "n_drivers"), float
    ),
    "direction": dict.fromkeys(("measured_slope", "measured_p", "predicted_effect"), float),
}


def figure(arguments: argparse.Namespace) -> None:
    """Draw one figure as PDF, SVG and PNG, with its numbers as a table."""
    import pandas as pd

    from pexbench.associations import read_associations
    from pexbench.cohort import read_run_samples
    from pexbench.figures import FigureData, write_figure
    from pexbench.figures.one_gene import chosen_gene
    from pexbench.files import read_table
    from pexbench.genes import genes_from_table
    from pexbench.scores import read_scores
    from pexbench.scores.summary import TYPES as SUMMARY_TYPES

    samples = read_run_samples(arguments.samples)
    individuals, levels = common.expressions(arguments.expression[0], arguments.expression[-1], samples)
    genes = genes_from_table(read_table(arguments.genes), arguments.genes)
    labels = {gene.gene_id: gene.label for gene in genes.values()}
    data = FigureData(
        scores=pd.concat([read_scores(path) for path in arguments.scores], ignore_index=True),
        summary=read_table(arguments.summary, **SUMMARY_TYPES),
        predictions=dict(zip(arguments.models, (pd.read_parquet(path) for path in arguments.predictions), strict=True)),
        expression_individuals=individuals,
        expression_genes=levels,
        genes=labels,
        run_title=arguments.title,
        notes=list(arguments.notes),
        controls=list(arguments.controls),
        labels=common.pairs(arguments.labels, "--labels"),
        associations=read_associations(arguments.associations) if arguments.associations else None,
        leads=pd.read_parquet(arguments.leads) if arguments.leads else None,
        lead_effects={
            model: read_table(path, **TYPES["lead_effects"])
            for model, path in _paths(arguments.lead_effects, "--lead-effects").items()
        },
        direction=read_table(arguments.direction, **TYPES["direction"]) if arguments.direction else None,
        windows={model: int(length) for model, length in common.pairs(arguments.windows, "--windows").items()},
        example_gene=gene_called(arguments.example_gene, labels) if arguments.example_gene else None,
        example_person=arguments.example_person,
    )
    shown = chosen_gene(data)
    data = replace(
        data,
        cis=_rows_of(arguments.cis, shown) if arguments.cis else None,
        effects={model: _rows_of(path, shown) for model, path in _paths(arguments.effects, "--effects").items()},
    )
    for path in write_figure(arguments.figure, data, arguments.output):
        LOG.info("%s", path)


def gene_called(asked: str, labels: Mapping[str, str]) -> str:
    """Id of the gene that the configuration names for figures on one gene.

    Args:
        asked: gene id or symbol.
        labels: readable name by gene id, of all genes of the run.

    Raises:
        InputError: no gene, or several, are called so.
    """
    if asked in labels:
        return asked
    found = sorted(gene for gene, label in labels.items() if label == asked)
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"figures.gene: {asked!r} is the symbol of {len(found)} genes ({listing(found)}); one gene is allowed; "
            "give its id."
        )
    raise InputError(
        f"figures.gene: {asked!r} is not among the run's {len(labels)} genes ({listing(sorted(labels), 3)}); a gene "
        "id or symbol of the run is allowed; correct the configuration."
    )


def _paths(values: list[str], what: str) -> dict[str, Path]:
    return {model: Path(path) for model, path in common.pairs(values, what).items()}


def _rows_of(path: Path, gene: str | None) -> pd.DataFrame:
    """The rows of one gene of a big Parquet file; the others are not read into memory."""
    import pandas as pd

    # Without a gene, no row: a file has no gene without a name.
    return pd.read_parquet(path, filters=[("gene_id", "==", gene or "")])


def add(parsers: Any) -> None:
    """Add these verbs."""
    parser = common.verb(parsers, figure)
    parser.add_argument("--figure", required=True)
    parser.add_argument("--models", nargs="+", required=True, help="names, in the order of the predictions")
    parser.add_argument("--summary", type=Path, required=True)
    parser.add_argument("--scores", type=Path, nargs="+", required=True)
    parser.add_argument("--predictions", type=Path, nargs="+", required=True)
    parser.add_argument("--genes", type=Path, required=True)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--expression", type=Path, nargs="+", required=True)
    parser.add_argument("--associations", type=Path, help="one row per gene: lead variant, heritability")
    parser.add_argument("--leads", type=Path, help="dosage of lead variants, Parquet")
    parser.add_argument("--cis", type=Path, help="associations of all variants, Parquet")
    parser.add_argument("--effects", nargs="*", default=[], help="model=effects of variants, Parquet")
    parser.add_argument("--lead-effects", nargs="*", default=[], help="model=effects by gene")
    parser.add_argument("--direction", type=Path, help="sign of predicted against measured effects")
    parser.add_argument("--windows", nargs="*", default=[], help="model=bp that it reads")
    parser.add_argument("--example-gene", help="id or symbol (default: the strongest association)")
    parser.add_argument("--example-person", help="sample (default: the median across genes)")
    parser.add_argument("--title", required=True)
    parser.add_argument("--notes", nargs="*", default=[])
    parser.add_argument("--controls", nargs="*", default=[], help="models drawn as controls")
    parser.add_argument("--labels", nargs="*", default=[], help="name=readable name")
    parser.add_argument("--output", type=Path, required=True, help="folder")
