"""Gather, scores and figures at the paper's size: 3,259 genes x 421 people, several models. Predictions are drawn.

    .venvs/base/bin/python benchmarks/full_size.py [FOLDER] [--genes N] [--people N] [--models N]

Each verb runs as in the workflow, one after the other, on one thread; time and greatest memory of each are printed, and
their sum: for the scores also divided by two, which is what two cores take.
Expression has the shape of the real table: 23,722 genes x 462 people.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from paper_size import MEASURED, PEOPLE_MEASURED, ROOT, genes, write_expression

PER_SHARD = 10


def run(what: str, *arguments: object) -> tuple[float, float, float]:
    """Run a verb.

    Returns:
        Seconds on the clock, seconds of a processor, and MB.
    """
    started = time.monotonic()
    command = [sys.executable, "-m", "pexbench", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow" / "lib"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read() if process.stderr else ""
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{what} failed: {said[-2000:]}")
    seconds, memory = time.monotonic() - started, used.ru_maxrss / 1024
    worked = used.ru_utime + used.ru_stime
    sys.stdout.write(f"{what:36} {seconds:7.1f} s {worked:7.1f} s of a processor {memory:8,.0f} MB\n")
    sys.stdout.flush()
    return seconds, worked, memory


def write_predictions(
    folder: Path, model: str, ids: list[str], people: list[str], seed: int
) -> tuple[list[Path], list[Path]]:
    """Predictions of every shard of a model, as its jobs leave them."""
    from pexbench.files import write_table
    from pexbench.predictions import REFERENCE_COLUMNS

    random = np.random.default_rng(seed)
    tables, references = [], []
    for number, start in enumerate(range(0, len(ids), PER_SHARD)):
        shard = ids[start : start + PER_SHARD]
        levels = random.normal(0, 2, len(shard)).astype(np.float32)
        values = levels[:, None, None] + random.normal(0, 0.05, (len(shard), len(people), 2)).astype(np.float32)
        table = pd.DataFrame(
            {
                "gene_id": np.repeat(shard, len(people)),
                "sample": np.tile(people, len(shard)),
                "haplotype_1": values[:, :, 0].ravel(),
                "haplotype_2": values[:, :, 1].ravel(),
            }
        )
        rows = zip(
            shard, levels, *([value] * len(shard) for value in (0.0, 1.0, 100, 300, np.nan, np.nan)), strict=True
        )
        tables.append(folder / model / f"{number:04d}.parquet")
        references.append(folder / model / f"{number:04d}.reference.tsv")
        write_table(table, tables[-1])
        write_table(pd.DataFrame(list(rows), columns=list(REFERENCE_COLUMNS)), references[-1])
    return tables, references


def measure(folder: Path, number_of_genes: int, number_of_people: int, number_of_models: int) -> None:
    """Write inputs, run the verbs, print."""
    from pexbench.files import write_table

    rows = genes()[:number_of_genes]
    people = [f"HG{number:05d}" for number in range(1, max(PEOPLE_MEASURED, number_of_people) + 1)]
    folder.mkdir(parents=True, exist_ok=True)
    expression = folder / "expression.txt.gz"
    write_expression(expression, rows, MEASURED * number_of_genes // len(genes()), people)
    people = people[:number_of_people]
    table = pd.DataFrame(rows, columns=["gene_id", "contig", "tss", "symbol", "strand"]).assign(personal=True)
    write_table(table, folder / "genes.tsv")
    write_table(pd.DataFrame({"sample": people}), folder / "samples.tsv")
    models = [f"model_{number + 1}" for number in range(number_of_models)]
    used = []
    for number, model in enumerate(models):
        shards, references = write_predictions(folder / "shards", model, [row[0] for row in rows], people, number)
        out = folder / "predictions" / model
        arguments = ["--model", model, "--shards", *shards, "--references", *references, "--output", f"{out}.parquet"]
        used.append(
            run(
                f"gather_predictions {model}",
                "gather_predictions",
                *arguments,
                "--output-reference",
                f"{out}.reference.tsv",
            )
        )
    measured_by = ["--samples", folder / "samples.tsv", "--expression", expression]
    measured = ["--individuals", expression, "--levels", expression, "--samples", folder / "samples.tsv"]
    measured += ["--genes", folder / "genes.tsv"]
    of_scores = []
    tables, intervals, resampled = (
        [folder / f"{model}{kind}" for model in models] for kind in (".tsv", ".intervals.tsv", ".resampled.parquet")
    )
    for model, *outputs in zip(models, tables, intervals, resampled, strict=True):
        out = folder / "predictions" / model
        arguments = ["--model", model, "--people", f"{out}.parquet", "--reference", f"{out}.reference.tsv", *measured]
        for option, output in zip(("", "-intervals", "-resampled"), outputs, strict=True):
            arguments += [f"--output{option}", output]
        of_scores.append(run(f"score_model {model}", "score_model", *arguments))
    scores = ["--scores", *tables]
    predictions = [folder / "predictions" / f"{model}.parquet" for model in models]
    arguments = ["--models", *models, *scores, "--resampled", *resampled, "--predictions", *predictions]
    # The last model stands for the elastic net.
    arguments += ["--individuals", expression, "--samples", folder / "samples.tsv", "--base", models[-1]]
    arguments += ["--output", folder / "comparisons.tsv", "--output-added", folder / "added_value.tsv"]
    of_scores.append(run("compare_models", "compare_models", *arguments))
    arguments = [*scores, "--intervals", *intervals, "--output", folder / "summary.tsv"]
    of_scores.append(run("summarise", "summarise", *arguments))
    _say("scores, two jobs at a time", of_scores, 2)
    used += of_scores
    from pexbench.figures import figures

    for figure in figures():
        arguments = ["--figure", figure, "--models", *models, "--summary", folder / "summary.tsv", *scores]
        arguments += ["--predictions", *predictions, "--genes", folder / "genes.tsv", *measured_by]
        used.append(
            run(f"figure {figure}", "figure", *arguments, "--title", "full size", "--output", folder / "figures")
        )
    _say("in all", used, 1)


def _say(what: str, used: list[tuple[float, float, float]], jobs: int) -> None:
    """Print sums of time, divided by the jobs that run at a time, and the greatest memory of a process."""
    seconds, worked, memory = zip(*used, strict=True)
    sys.stdout.write(
        f"{what:36} {sum(seconds) / jobs:7.1f} s {sum(worked) / jobs:7.1f} s of a processor {max(memory):8,.0f} MB\n"
    )


def main() -> None:
    """Measure at the size asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--genes", type=int, default=len(genes()))
    parser.add_argument("--people", type=int, default=421)
    parser.add_argument("--models", type=int, default=5)
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT / "workflow" / "lib"))
    with tempfile.TemporaryDirectory() as temporary:
        measure(given.folder or Path(temporary), given.genes, given.people, given.models)


if __name__ == "__main__":
    main()
