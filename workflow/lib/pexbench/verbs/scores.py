"""Verbs of scores and provenance."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pexbench.verbs import common

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger("pexbench.scores")


def score_model(arguments: argparse.Namespace) -> None:
    """Score one model across genes and across individuals."""
    import pandas as pd

    from pexbench.cohort import read_people, read_run_samples
    from pexbench.files import read_table, write_table
    from pexbench.predictions import read_reference
    from pexbench.scores import ScoreInputs
    from pexbench.scores.evaluate import evaluate

    people = pd.read_parquet(arguments.people, columns=["gene_id", "sample", "prediction"])
    samples = read_run_samples(arguments.samples)
    individuals, levels = common.expressions(arguments.individuals, arguments.levels, samples)
    reference = read_reference(arguments.reference) if arguments.reference else None
    facts = read_people(arguments.facts) if arguments.facts else None
    positions = read_table(arguments.genes, tss="int64").set_index("gene_id") if arguments.genes else None
    inputs = ScoreInputs(
        model=arguments.model,
        personal=people,
        # A table of predictions without a reference has a reference table without rows.
        reference=reference if reference is not None and len(reference) else None,
        expression_individuals=individuals,
        expression_genes=levels,
        comparable_between_genes=not arguments.differences_only,
        people=facts,
        population=arguments.population,
        covariates=arguments.covariates,
        genes=positions,
        numerical_error=arguments.numerical_error,
        logs=arguments.combine == "mean_of_logs",
    )
    found = evaluate(inputs, resamples=arguments.bootstrap, permutations=arguments.permutations, seed=arguments.seed)
    write_table(found.intervals, arguments.output_intervals)
    write_table(found.resampled, arguments.output_resampled)
    write_table(found.scores, arguments.output)


def summarise(arguments: argparse.Namespace) -> None:
    """One table of all models' mean scores with intervals."""
    import pandas as pd

    from pexbench.files import read_table, write_table
    from pexbench.scores import read_scores
    from pexbench.scores.intervals import TYPES
    from pexbench.scores.sentence import answer
    from pexbench.scores.summary import annotate
    from pexbench.scores.summary import summarise as add_up

    scores = pd.concat([read_scores(path) for path in arguments.scores], ignore_index=True)
    intervals = pd.concat([read_table(path, **TYPES) for path in arguments.intervals], ignore_index=True)
    remarks, not_run = common.pairs(arguments.remarks, "--remarks"), common.pairs(arguments.not_run, "--not-run")
    table = annotate(add_up(scores, intervals), remarks, not_run)
    write_table(table, arguments.output)
    for sentence in answer(table):
        LOG.info("%s", sentence)


def compare_models(arguments: argparse.Namespace) -> None:
    """Models in pairs over the same genes, and what each adds to the elastic net."""
    import pandas as pd

    from pexbench.baselines.folds import outer_folds
    from pexbench.cohort import read_expression, read_run_samples
    from pexbench.files import write_table
    from pexbench.scores import read_scores
    from pexbench.scores.added_value import COLUMNS, TYPES, added_value
    from pexbench.scores.compare import compare
    from pexbench.scores.evaluate import read_resampled
    from pexbench.scores.resample import Weights

    models = dict(zip(arguments.models, zip(arguments.predictions, arguments.resampled, strict=True), strict=True))
    resampled = {model: read_resampled(path) for model, (_, path) in models.items()}
    added = {}
    if arguments.base:
        measured = read_expression(arguments.individuals)
        people = sorted(name for name in read_run_samples(arguments.samples) if name in measured.columns)
        resamples = next(iter(resampled.values())).shape[1]
        folds = outer_folds(people, arguments.folds, arguments.seed)
        weights = Weights({"people": people}, resamples, arguments.seed).of("people", people)
        base = _people_by_gene(models[arguments.base][0]).reindex(columns=people)
        for model, (path, _) in models.items():
            if model == arguments.base:
                continue
            predicted = _people_by_gene(path).reindex(columns=people)
            genes = sorted(set(base.index) & set(predicted.index) & set(measured.index))
            y, e, m = (table.loc[genes, people].to_numpy("float64") for table in (measured, base, predicted))
            added[model] = added_value(genes, y, e, m, folds, weights)
    scores = pd.concat([read_scores(path) for path in arguments.scores], ignore_index=True)
    table = compare(scores, resampled, added, arguments.base or "", arguments.seed)
    for row in table.itertuples():
        LOG.info(
            "%s - %s, %s: %.3f [%.3f, %.3f], %d genes",
            *(row.model_a, row.model_b, row.statistic, row.difference, row.lower, row.upper, row.n_genes),
        )
    empty = pd.DataFrame(columns=list(COLUMNS)).astype(TYPES)
    parts = [found.table(model) for model, found in added.items()]
    write_table(pd.concat(parts, ignore_index=True) if parts else empty, arguments.output_added)
    write_table(table, arguments.output)


def _people_by_gene(path: Path) -> pd.DataFrame:
    """A table of predictions as genes x people."""
    import pandas as pd

    table = pd.read_parquet(path, columns=["gene_id", "sample", "prediction"])
    return table.pivot(index="gene_id", columns="sample", values="prediction")


def coverage(arguments: argparse.Namespace) -> None:
    """Count people, genes and variants that were used and left out, and why."""
    import pandas as pd

    from pexbench.files import read_json, read_table, write_table
    from pexbench.scores import read_scores
    from pexbench.scores.coverage import coverage as count

    table = count(
        read_json(arguments.inputs),
        read_table(arguments.dropped, count="int64"),
        read_table(arguments.genes, personal=bool),
        pd.concat([read_scores(path) for path in arguments.scores], ignore_index=True),
        {name: read_json(path) for name, path in common.pairs(arguments.imports, "--imports").items()},
    )
    write_table(table, arguments.output)


def provenance(arguments: argparse.Namespace) -> None:
    """Write what the run was made from: settings, checksums of inputs and weights, versions."""
    from pexbench.files import write_json
    from pexbench.provenance import describe_run

    write_json(
        describe_run(json.loads(arguments.config), arguments.inputs, arguments.weights, arguments.environments),
        arguments.output,
    )


def add(parsers: Any) -> None:
    """Add these verbs."""
    parser = common.verb(parsers, score_model)
    parser.add_argument("--model", required=True)
    parser.add_argument("--people", type=Path, required=True, help="predictions, Parquet")
    parser.add_argument("--reference", type=Path, help="reference predictions")
    parser.add_argument("--individuals", type=Path, required=True, help="expression, across individuals")
    parser.add_argument("--levels", type=Path, required=True, help="expression, across genes")
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument(
        "--differences-only",
        action="store_true",
        help="predictions are differences between people; no score across genes",
    )
    parser.add_argument("--genes", type=Path, help="the run's gene table, for the null of other genes")
    parser.add_argument("--facts", type=Path, help="facts about people, as people_facts wrote them")
    parser.add_argument("--population", help="column of --facts: shuffle and score within populations")
    parser.add_argument("--covariates", nargs="*", default=[], help="columns of --facts to regress out of expression")
    parser.add_argument("--numerical-error", type=float, default=0.0, help="of predictions, relative to their size")
    parser.add_argument("--combine", choices=["mean", "mean_of_logs"], default="mean", help="scale of that error")
    parser.add_argument("--bootstrap", type=int, default=1000)
    parser.add_argument("--permutations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-intervals", type=Path, required=True)
    parser.add_argument("--output-resampled", type=Path, required=True, help="resampled scores, Parquet")

    parser = common.verb(parsers, summarise)
    parser.add_argument("--scores", type=Path, nargs="+", required=True)
    parser.add_argument("--intervals", type=Path, nargs="+", required=True)
    parser.add_argument("--remarks", nargs="*", default=[], help="name=remark on a model")
    parser.add_argument("--not-run", nargs="*", default=[], help="name=why a model was left out")
    parser.add_argument("--output", type=Path, required=True)

    parser = common.verb(parsers, compare_models)
    parser.add_argument("--models", nargs="+", required=True, help="names, in the order of the files")
    parser.add_argument("--scores", type=Path, nargs="+", required=True)
    parser.add_argument("--resampled", type=Path, nargs="+", required=True, help="resampled scores, Parquet")
    parser.add_argument("--predictions", type=Path, nargs="+", required=True)
    parser.add_argument("--individuals", type=Path, required=True, help="expression, across individuals")
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--base", help="the model that others may add to: the elastic net")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="comparisons")
    parser.add_argument("--output-added", type=Path, required=True, help="added value, per model and gene")

    parser = common.verb(parsers, coverage)
    parser.add_argument("--inputs", type=Path, required=True, help="inputs.json")
    parser.add_argument("--dropped", type=Path, required=True, help="dropped.tsv")
    parser.add_argument("--genes", type=Path, required=True)
    parser.add_argument("--scores", type=Path, nargs="+", required=True)
    parser.add_argument("--imports", nargs="*", default=[], help="name=report of a table of predictions")
    parser.add_argument("--output", type=Path, required=True)

    parser = common.verb(parsers, provenance)
    parser.add_argument("--inputs", type=Path, required=True, help="inputs.json")
    parser.add_argument("--weights", type=Path, nargs="*", default=[])
    parser.add_argument("--config", required=True, help="settings as JSON")
    parser.add_argument("--environments", type=Path, required=True, help="folder of environment files")
    parser.add_argument("--output", type=Path, required=True)
