"""Scores: how well predictions agree with measurements.

One file per metric: a module of this package that holds a :class:`Metric` named ``METRIC`` is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pexbench.errors import InputError, listing
from pexbench.files import read_table
from pexbench.precision import LARGEST_ERROR, Agreement

Floats = npt.NDArray[np.float64]

AXES = ("across_individuals", "across_genes_reference", "across_genes_personal")
#: Columns of the long table of scores, one row per unit (gene, person or ``reference``) and statistic.
#: ``p`` is two-sided, ``q`` Benjamini and Hochberg's over the scored units of the same model, metric, axis and statistic,
#: ``p_permutation`` that of |r| with people shuffled (across individuals), ``lower`` and ``upper`` the 95 % interval of
#: the bootstrap over people (of genes across genes).
#: ``error_over_spread`` and ``rank_agreement`` say of a gene across individuals how far a precision faster than float32
#: is from it (:class:`pexbench.precision.Agreement`); empty for float32.
COLUMNS = (
    *("model", "metric", "axis", "unit_id", "statistic", "value", "n", "p", "q", "p_permutation", "lower", "upper"),
    *("error_over_spread", "rank_agreement", "note"),
)
#: How to read the columns of the long table that are not text.
TYPES = {
    **dict.fromkeys(
        ("value", "p", "q", "p_permutation", "lower", "upper", "error_over_spread", "rank_agreement"), float
    ),
    "n": "int64",
}


@dataclass(frozen=True)
class ScoreInputs:
    """What one model predicted and what was measured; joined by name, so the order of rows and columns is free.

    Attributes:
        model: name of the model.
        personal: columns ``gene_id``, ``sample``, ``prediction`` (float32, ranked as stored), one row per pair.
        reference: columns ``gene_id``, ``prediction`` and, where a faster precision was compared with float32,
            ``error_over_spread`` and ``rank_agreement``; None for a model without a reference prediction.
        expression_individuals: genes x samples, float64, for scores across individuals (for example
            inverse-normal per gene); NaN where not measured.
        expression_genes: genes x samples, float64, comparable between genes (for example RPKM); NaN where
            not measured.
        expression_genes_logged: whether ``expression_genes`` is on a log scale already.
        comparable_between_genes: False for a model that predicts each gene on a scale of its own, as genotype
            baselines do that were trained on normalised expression; it is not scored across genes.
        people: facts about people, index the sample name; None: nothing is known.
        population: the column of ``people`` with populations: people are shuffled within them, and the metric
            ``within_populations`` is scored.
        covariates: columns of ``people`` that the metric ``adjusted`` regresses out of expression.
        genes: positions, index the gene id, columns ``contig`` and ``tss``: all genes of the run. Without them there
            is no null of other genes.
        numerical_error: of the model's predictions, relative to their size. A gene whose prediction's standard
            deviation between people is below this times its largest absolute prediction ranks nobody: 0 by rule.
        logs: whether predictions are logs of the model's output (``mean_of_logs``): the floor is then the relative
            error itself, as in :func:`pexbench.direction.directions`.
    """

    model: str
    personal: pd.DataFrame
    reference: pd.DataFrame | None
    expression_individuals: pd.DataFrame
    expression_genes: pd.DataFrame
    expression_genes_logged: bool = False
    comparable_between_genes: bool = True
    people: pd.DataFrame | None = None
    population: str | None = None
    covariates: Sequence[str] = ()
    genes: pd.DataFrame | None = None
    numerical_error: float = 0.0
    logs: bool = False

    def populations(self) -> dict[str, str]:
        """Population by person, of the people that have one; empty where populations are not given.

        Raises:
            InputError: the table of people has no such column, or nobody has a value in it.
        """
        if self.population is None:
            return {}
        facts = pd.DataFrame() if self.people is None else self.people
        if self.population not in facts:
            raise InputError(
                f"scores.population: column {self.population!r} not found among the facts about people "
                f"({listing(facts.columns)}); name one of them, or add the column to the sample table."
            )
        column = facts[self.population].fillna("").astype(str)
        found = {str(name): value for name, value in column.items() if value}
        if not found:
            raise InputError(
                f"scores.population: column {self.population!r} is empty for all {len(column)} people; "
                "complete the sample table, or set 'population: null'."
            )
        return found


@dataclass(frozen=True)
class Block:
    """Pairs to be correlated: each row is one unit, scored over the members in the columns.

    Attributes:
        axis: one of :data:`AXES`.
        units: names of the rows, for example gene ids.
        members: names of the columns, for example samples.
        member_noun: what a member is, for notes: ``people`` or ``genes``.
        predicted: float64 [units, members], NaN where not predicted.
        measured: float64 [units, members], NaN where not measured.
        measured_for_pearson: the same on the scale that Pearson needs; None: as ``measured``.
        absent: by unit, why it has no measurement at all.
        note: put on every row, for example how many members were left out and why.
        strata: int64 [members], the group within which members are ranked, centred, resampled and shuffled; None: all
            are one group.
        freedom_lost: degrees of freedom that the measurements lost before, for all rows or each (int64 [units]).
        below_floor: bool [units], rows whose prediction varies less than its numerical error; ``predicted`` is
            constant there.
    """

    axis: str
    units: tuple[str, ...]
    members: tuple[str, ...]
    member_noun: str
    predicted: Floats
    measured: Floats
    measured_for_pearson: Floats | None = None
    absent: str = "no measurement"
    note: str = ""
    strata: npt.NDArray[np.int64] | None = None
    freedom_lost: int | npt.NDArray[np.int64] = 0
    below_floor: npt.NDArray[np.bool_] | None = None

    def measured_by(self, statistic: str) -> Floats:
        """The measurements on the scale that a statistic uses."""
        if statistic == "pearson" and self.measured_for_pearson is not None:
            return self.measured_for_pearson
        return self.measured


@dataclass(frozen=True)
class Metric:
    """Card of a metric.

    Attributes:
        name: key in tables, letters, digits and ``_``.
        label: readable name.
        range: least and greatest possible value.
        direction: ``higher`` or ``lower`` is better.
        reference: where it is described, a DOI.
        blocks: for correlations, the pairs to be correlated: rows, intervals and nulls follow from them.
        score: for any other score, the rows of the long table (:data:`COLUMNS`); means get intervals from resampling
            units alone. A metric has one of the two.
    """

    name: str
    label: str
    range: tuple[float, float]
    direction: str
    reference: str
    blocks: Callable[[ScoreInputs], list[Block]] | None = None
    score: Callable[[ScoreInputs], pd.DataFrame] | None = None


def correlation_metric(name: str, label: str, reference: str, blocks: Callable[[ScoreInputs], list[Block]]) -> Metric:
    """A metric that is the Spearman and Pearson correlation of each row of some blocks."""
    return Metric(name, label, (-1.0, 1.0), "higher", reference, blocks)


def metrics() -> dict[str, Metric]:
    """Every metric of this package by name, sorted.

    Raises:
        InputError: two files give their metric the same name.
    """
    found: dict[str, Metric] = {}
    origin: dict[str, str] = {}
    for module_info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        metric = getattr(importlib.import_module(f"{__name__}.{module_info.name}"), "METRIC", None)
        if metric is None:
            continue
        if metric.name in found:
            raise InputError(
                f"scores/{module_info.name}.py: metric {metric.name!r} is also defined in "
                f"scores/{origin[metric.name]}.py; names must differ; rename one of them."
            )
        found[metric.name], origin[metric.name] = metric, module_info.name
    return dict(sorted(found.items()))


def marked(scores: pd.DataFrame, reference: pd.DataFrame | None) -> pd.DataFrame:
    """Put the agreement of a faster precision with float32 beside each gene's scores, and mark the genes it fails."""
    if reference is None or "error_over_spread" not in reference:
        return scores
    here = scores["axis"] == "across_individuals"
    by_gene = reference.set_index("gene_id")
    for column in Agreement._fields:
        scores.loc[here, column] = scores.loc[here, "unit_id"].map(by_gene[column]).to_numpy(np.float64)
    failed = here & (scores["error_over_spread"] > LARGEST_ERROR)
    mark = f"error of the precision above {LARGEST_ERROR:.0%} of the spread"
    scores.loc[failed, "note"] = [f"{note}; {mark}" if note else mark for note in scores.loc[failed, "note"]]
    return scores


def read_scores(path: str | Path) -> pd.DataFrame:
    """Read a long table of scores as written by ``files.write_table``."""
    return read_table(path, **TYPES)


def personal_matrix(inputs: ScoreInputs) -> pd.DataFrame:
    """Personal predictions as genes x samples, both sorted by name; NaN where a pair was not predicted.

    Raises:
        InputError: a column is absent, there are no rows, a pair occurs twice, or a prediction is not finite.
    """
    table = inputs.personal
    _check_predictions(table, ["gene_id", "sample"], f"personal predictions of {inputs.model}")
    return table.pivot(index="gene_id", columns="sample", values="prediction").sort_index(axis=0).sort_index(axis=1)


def reference_series(inputs: ScoreInputs) -> pd.Series[float] | None:
    """Reference predictions by gene, sorted by name; None where the model has none."""
    table = inputs.reference
    if table is None or table.empty:
        return None
    _check_predictions(table, ["gene_id"], f"reference predictions of {inputs.model}")
    return table.set_index("gene_id")["prediction"].sort_index()


def _check_predictions(table: pd.DataFrame, keys: list[str], what: str) -> None:
    absent = [column for column in [*keys, "prediction"] if column not in table.columns]
    if absent:
        raise InputError(
            f"{what}: column(s) {listing(absent)} not found; the table needs {', '.join([*keys, 'prediction'])}; "
            "predict again."
        )
    if table.empty:
        raise InputError(f"{what}: the table has no rows; at least one gene and person is needed; predict again.")
    repeated = table.loc[table.duplicated(keys), keys]
    if len(repeated):
        pairs = (" of ".join(map(str, row[::-1])) for row in repeated.itertuples(index=False, name=None))
        raise InputError(
            f"{what}: {listing(pairs)} occurs more than once; one row per {' and '.join(keys)} is allowed; "
            "remove the duplicates."
        )
    broken = table.loc[~np.isfinite(table["prediction"].to_numpy(dtype=np.float64)), keys]
    if len(broken):
        pairs = (" of ".join(map(str, row[::-1])) for row in broken.itertuples(index=False, name=None))
        raise InputError(
            f"{what}: {len(broken)} prediction(s) are not finite numbers ({listing(pairs)}); only finite numbers "
            "are allowed; mend the model's adapter and predict again."
        )


def check_expression(matrix: pd.DataFrame, what: str) -> None:
    """Refuse a matrix that names a gene or person twice or holds an infinite value.

    Raises:
        InputError: see above.
    """
    for names, noun in ((matrix.index, "gene"), (matrix.columns, "sample")):
        if not names.is_unique:
            raise InputError(
                f"{what}: {noun} {listing(names[names.duplicated()].unique())} occurs more than once; each {noun} "
                "needs one place; remove the duplicates."
            )
    infinite = np.isinf(matrix.to_numpy(dtype=np.float64)).any(axis=1)
    if infinite.any():
        raise InputError(
            f"{what}: gene {listing(matrix.index[infinite])} has infinite values; finite numbers, or NaN for not "
            "measured, are allowed; correct the matrix."
        )


def shared_samples(predicted: pd.DataFrame, expression: pd.DataFrame, model: str, what: str) -> list[str]:
    """People that were both predicted and measured, sorted by name.

    Raises:
        InputError: there is nobody.
    """
    both = sorted(set(predicted.columns) & set(expression.columns))
    if not both:
        raise InputError(
            f"{what}: none of the {len(predicted.columns)} people predicted by {model} "
            f"({listing(sorted(predicted.columns), 3)}) is among the {len(expression.columns)} measured "
            f"({listing(sorted(expression.columns), 3)}); the names must match; correct the sample names."
        )
    return both
