"""Does a model predict the direction in which a gene's lead variant moves its expression?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from pexbench.errors import InputError, listing
from pexbench.variant_sums import OUTSIDE

SIGNIFICANT = 0.05
COLUMNS = ("model", "gene_id", "variant", "measured_slope", "measured_p", "predicted_effect", "agree", "note")
#: ``scope``: ``all`` genes with a lead variant, or those whose association is ``significant`` (p_bonferroni < 0.05).
#: ``n`` are judged; ``n_outside`` have their lead outside the model's window, ``n_below`` an effect below the numerical
#: floor; ``share`` of ``n`` agree, with its Clopper-Pearson 95 % interval and two-sided binomial ``p`` against 1/2.
SUMMARY_COLUMNS = (*("model", "scope", "n", "n_agree", "share", "lower", "upper", "p", "n_outside", "n_below", "note"),)
BELOW, FLAT = "predicted effect below the numerical floor", "measured slope is 0"


def directions(
    model: str, genes: pd.DataFrame, associations: pd.DataFrame, numerical_error: float, logs: bool
) -> pd.DataFrame:
    """Sign of a model's effect of each gene's lead variant against the slope that was measured.

    Args:
        model: its name.
        genes: ``variant_sums.GENE_COLUMNS`` of the model.
        associations: ``gene_id``, ``lead_variant``, ``slope`` (expression per copy of ALT), ``p``.
        numerical_error: of the model's predictions, relative to their size. An effect that is smaller than this times
            the reference prediction is not judged.
        logs: whether predictions are logs of the model's output (``mean_of_logs``): the floor is then the relative
            error itself.

    Returns:
        :data:`COLUMNS`, one row per gene with a lead variant; ``agree`` is True, False, or missing with a ``note``.

    Raises:
        InputError: the effects are of other lead variants than the associations'.
    """
    led = genes[genes["lead_variant"] != ""]
    known = associations.set_index("gene_id").reindex(led["gene_id"])
    other = led["gene_id"][known["lead_variant"].to_numpy() != led["lead_variant"].to_numpy()]
    if len(other):
        raise InputError(
            f"model {model}: effects of gene(s) {listing(other)} are of another lead variant than the associations'; they "
            "must be of one run; delete the model's variant_effects and run again."
        )
    slope, p = (known[name].to_numpy(np.float64) for name in ("slope", "p"))
    effect = led["lead_effect"].to_numpy(np.float64)
    floor = numerical_error * (1.0 if logs else led["reference_prediction"].abs().to_numpy(np.float64))
    reasons = [
        (led["note"].str.contains(OUTSIDE, regex=False).to_numpy(), OUTSIDE),
        ((effect == 0) | (np.abs(effect) < floor), BELOW),
        (slope == 0, FLAT),
    ]
    note = np.select([found for found, _ in reasons], [reason for _, reason in reasons], "")
    agree = pd.Series(np.sign(effect) == np.sign(slope), dtype="boolean").mask(pd.Series(note != ""))
    columns = (led["gene_id"].to_numpy(), led["lead_variant"].to_numpy(), slope, p, effect, agree.array, note)
    return pd.DataFrame(dict(zip(COLUMNS, (np.full(len(led), model, object), *columns), strict=True)))


def summarise(table: pd.DataFrame, associations: pd.DataFrame) -> pd.DataFrame:
    """How often models are right about the direction.

    Args:
        table: :func:`directions` of all models.
        associations: ``gene_id``, ``p_bonferroni``.

    Returns:
        :data:`SUMMARY_COLUMNS`, two rows per model.
    """
    adjusted = associations.set_index("gene_id")["p_bonferroni"]
    clear = table["gene_id"].map(adjusted).to_numpy(np.float64) < SIGNIFICANT
    rows: list[tuple[object, ...]] = []
    for model in table["model"].unique():
        for scope, wanted in (("all", np.ones(len(table), bool)), ("significant", clear)):
            own = table[(table["model"] == model).to_numpy() & wanted]
            judged = own["agree"].dropna()
            n, agree = len(judged), int(judged.sum())
            counts = tuple(int((own["note"] == reason).sum()) for reason in (OUTSIDE, BELOW))
            if n:
                test = binomtest(agree, n, 0.5)
                low, high = test.proportion_ci(0.95, method="exact")
                rows.append((model, scope, n, agree, agree / n, low, high, test.pvalue, *counts, ""))
            else:
                rows.append((model, scope, 0, 0, *(np.nan,) * 4, *counts, "no gene could be judged"))
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def gather(
    genes: Mapping[str, pd.DataFrame],
    associations: pd.DataFrame,
    errors: Mapping[str, float],
    combine: Mapping[str, str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Directions of all models, and their summary.

    Args:
        genes: ``variant_sums.GENE_COLUMNS`` by model.
        associations: of the run.
        errors: relative numerical error by model.
        combine: how a person's prediction is made, by model; ``mean`` where nothing is said.
    """
    parts = [
        directions(model, table, associations, errors[model], combine.get(model) == "mean_of_logs")
        for model, table in genes.items()
    ]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    return table, summarise(table, associations)
