"""Verbs of the genotype baselines: ``train_NAME`` for each."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pexbench.verbs import common

if TYPE_CHECKING:
    from pexbench.baselines.shard import Fit, Shard
    from pexbench.genes import Gene

LOG = logging.getLogger("pexbench.baselines")


def train_elastic_net(arguments: argparse.Namespace) -> None:
    """Elastic net on cis SNP dosages, nested cross-validation: every prediction is out of fold."""
    from pexbench.baselines.elastic_net import Settings, predict_elastic_net

    shard, covariates = common.expression_shard(arguments), common.covariates(arguments)
    settings = Settings(
        maf=arguments.min_maf,
        l1_ratio=arguments.l1_ratio,
        n_folds=arguments.outer_folds,
        n_inner=arguments.inner_folds,
        seed=arguments.seed,
    )

    def fit(gene: Gene, dosages: Any, variants: Any, measured: Any) -> tuple[Any, dict[str, object]]:
        found = predict_elastic_net(dosages, variants, measured, shard.samples, settings, covariates)
        return found.prediction, {
            "n_snps": found.n_snps,
            "n_nonzero": ";".join(map(str, found.n_nonzero)),
            "r_within_folds": found.r_within_folds,
            "penalty": ";".join(f"{value:.6g}" for value in found.lambdas),
        }

    _run(arguments, shard, fit)


def train_top_snp(arguments: argparse.Namespace) -> None:
    """Best single cis SNP, chosen and fitted out of fold."""
    from pexbench.baselines.top_snp import predict_top_snp

    shard, covariates = common.expression_shard(arguments), common.covariates(arguments)

    def fit(gene: Gene, dosages: Any, variants: Any, measured: Any) -> tuple[Any, dict[str, object]]:
        found = predict_top_snp(dosages, variants, measured, shard.samples, **_folds(arguments), covariates=covariates)
        return found.prediction, {
            "n_snps": found.n_snps,
            "r_within_folds": found.r_within_folds,
            "fold_variants": ";".join(found.fold_variants),
            "best_variant": found.variant,
            "best_r_in_sample": found.r,
            "best_p_uncorrected": found.p,
        }

    _run(arguments, shard, fit)


def train_nearest_snp(arguments: argparse.Namespace) -> None:
    """Cis SNP nearest to the TSS, fitted out of fold."""
    from pexbench.baselines.nearest_snp import predict_nearest_snp

    shard, covariates = common.expression_shard(arguments), common.covariates(arguments)

    def fit(gene: Gene, dosages: Any, variants: Any, measured: Any) -> tuple[Any, dict[str, object]]:
        found = predict_nearest_snp(
            dosages, variants, measured, shard.samples, gene.tss, **_folds(arguments), covariates=covariates
        )
        return found.prediction, {
            "n_snps": found.n_snps,
            "r_within_folds": found.r_within_folds,
            "variant": found.variant,
            "distance": found.distance,
            "slopes": ";".join(f"{value:.6g}" for value in found.slopes),
        }

    _run(arguments, shard, fit)


def _folds(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"maf": arguments.min_maf, "n_folds": arguments.outer_folds, "seed": arguments.seed}


def _run(arguments: argparse.Namespace, shard: Shard, fit: Fit) -> None:
    """Fit a baseline for a shard and write its tables."""
    from pexbench.baselines.shard import run_shard
    from pexbench.files import write_table

    table, fits = run_shard(shard, fit)
    write_table(fits, arguments.output_fits)
    write_table(table, arguments.output)


def add(parsers: Any) -> None:
    """Add these verbs."""
    for run in (train_elastic_net, train_top_snp, train_nearest_snp):
        parser = common.verb(parsers, run)
        common.add_expression_shard(parser)
        parser.add_argument("--outer-folds", type=int, default=5)
        if run is train_elastic_net:
            parser.add_argument("--l1-ratio", type=float, default=0.5)
            parser.add_argument("--inner-folds", type=int, default=5)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--output", type=Path, required=True, help="Parquet")
        parser.add_argument("--output-fits", type=Path, required=True, help="table of what was fitted")
