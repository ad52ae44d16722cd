"""What more people cost: distinct pieces and multiply-adds by the ledger, seconds where affordable, fitted growth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from incremental_common import Real, clear, clock, counting, header, loaded, log, shares, table, warm_up

#: Sizes (people) that are run and timed as well as counted; None is all.
TIMED: dict[str, tuple[int, ...] | None] = {
    "xpresso": None, "expecto": None, "basenji2": (10, 50, 358), "enformer": ()
}  # fmt: skip
#: Haplotypes for which the fit is extrapolated: the paper's cohort, a biobank.
FURTHER = (842, 1_000_000)


def run(real: Real, folder: Path, arguments: argparse.Namespace) -> None:
    """Count, time, fit, and print."""
    header("Cost against cohort size")
    sizes, costs, growth, stages = sorted(arguments.sizes), [], [], []
    for model in arguments.models:
        adapter, words = loaded(model, folder)
        gene = real.some(adapter.card, 1)[0]
        timed = TIMED[model] if arguments.timed is None else tuple(arguments.timed)
        timed = tuple(sizes) if timed is None else timed
        found: dict[str, list[float]] = {}
        many, seconds = [], []
        for number, people in enumerate(sizes):
            cohort = real.cohort(adapter.card, gene, people)
            with counting(adapter):
                adapter.predict_haplotypes(gene.gene_id, cohort.sequences)
                cost, shared = adapter.work.multiply_adds, shares(adapter, cohort)
            if number == 0:
                plain = warm_up(adapter, gene, cohort) if timed else adapter.plain_multiply_adds(
                    cohort.sequences.codes(np.zeros(1, np.int64))
                )  # fmt: skip
            spent = "not run"
            if people in timed:
                clear(adapter)
                with clock() as clocked:
                    adapter.predict_haplotypes(gene.gene_id, cohort.sequences)
                assert adapter.work.multiply_adds == cost, "counting and running disagree"
                seconds.append((cohort.index.size, clocked.cpu))
                spent = f"{clocked.cpu:.2f}"
            many.append(cohort.index.size)
            for stage, (done, of) in shared.items():
                found.setdefault(stage, []).append(done)
                stages.append([model, stage, people, f"{done:,}", f"{of:,}", f"{done / of:.2%}"])
            found.setdefault("multiply-adds", []).append(cost)
            ratio = plain * cohort.index.size / cost
            here = [people, cohort.index.size, len(cohort.sequences), f"{cost / 1e9:,.1f}", f"{ratio:.1f}", spent]
            costs.append([model, words, gene.gene_id, *here])
            log(f"{model}, {people} people: {cost / 1e9:,.0f} 1e9 multiply-adds, {spent} s")
        last = [many[-1], dict(shared)]
        for name, values in found.items():
            growth.append(fitted(model, name, many, values, last, plain))
        if len(seconds) > 1:
            growth.append(fitted(model, "CPU seconds", *zip(*seconds, strict=True), last, None))
    columns = ("model", "weights", "gene", "people", "haplotypes", "distinct sequences", "1e9 multiply-adds")
    table([*columns, "plain / shared", "CPU s"], costs, words=3)
    print(
        "Multiply-adds are the ledger's: exact, by distinct pieces times the cost of one; equal to those of each run.\n"
    )
    table(("model", "stage", "people", "distinct pieces", "of all haplotypes'", "share"), stages)
    columns = ("model", "what", "a", "b", "local b, last two sizes", "largest residual")
    table([*columns, *(f"at {n:,} haplotypes" for n in FURTHER), f"plain / shared at {FURTHER[-1]:,}"], growth)
    print(
        "Fitted: a n^b for n haplotypes, least squares on logarithms. The last columns **extrapolate** the fit (to "
        f"{FURTHER[-1]:,} haplotypes, more than a thousand times beyond the data: an order of magnitude at best; other "
        "populations and rare variants, of which larger cohorts have more, are not in the data). Pieces are capped at "
        "what all haplotypes have.\n"
    )


def fitted(
    model: str,
    name: str,
    many: Sequence[float],
    values: Sequence[float],
    last: list[object],
    plain: int | None,
) -> list[object]:
    """One line: the power law through the counts, and what it says further on."""
    x, y = np.log(np.array(many, float)), np.log(np.array(values, float))
    if len(x) < 2:
        return [model, name, "-", "-", "-", "-", "-", "-", "-"]
    b, a = np.polyfit(x, y, 1)
    residual = np.abs(np.exp(a + b * x) / np.exp(y) - 1).max()
    local = (y[-1] - y[-2]) / (x[-1] - x[-2])
    said = [float(np.exp(a) * n**b) for n in FURTHER]
    pieces = last[1]
    assert isinstance(pieces, dict)
    if name in pieces:  # as many as all haplotypes have, at most
        assert isinstance(last[0], int)
        said = [min(value, pieces[name][1] / last[0] * n) for value, n in zip(said, FURTHER, strict=True)]
    ratio = f"{plain * FURTHER[-1] / said[-1]:,.0f}" if name == "multiply-adds" and plain else "-"
    return [model, name, f"{np.exp(a):.3g}", f"{b:.3f}", f"{local:.3f}", f"{residual:.0%}",
            *(f"{value:,.0f}" if value < 1e7 else f"{value:.3g}" for value in said), ratio]  # fmt: skip
