"""Peak memory of the shared path in fresh processes: with few people, many people, and the same people over again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from incremental_common import (
    WHOLE,
    Real,
    clear,
    clock,
    header,
    log,
    peak_mb,
    reset_peak,
    resident_mb,
    run_job,
    shares,
    table,
    weight_files,
)

from pexbench.haplotypes import Cohort
from pexbench.incremental import Sequences, from_letters
from pexbench.models import find_model, load_adapter

SCRIPT = str(Path(__file__).with_name("incremental.py"))
#: What simulated people descend from: one population with a bottleneck and recent growth, in round numbers of our own.
MUTATION, RECOMBINATION = 1.25e-8, 1e-8
SIZES_SINCE = ((0, 34_000), (848, 1_032), (1_400, 1_861), (5_600, 14_474), (8_800, 7_300))
GENERATIONS_GROWTH, GROWTH = 848, 0.004


def run(real: Real, folder: Path, arguments: argparse.Namespace) -> None:
    """Measure every point in a process of its own, and print."""
    header("Peak memory against people and distinct pieces")
    few, many, more = arguments.few, arguments.people, arguments.simulated
    again = -(-more // many)
    points = [("real", few, 1), ("real", many, 1), (f"real, each {again} times over", many, again)]
    points += [("simulated", few, 1), ("simulated", many, 1), ("simulated", more, 1)]
    rows = []
    for model in arguments.models:
        card = find_model(model)
        files, words = weight_files(model, folder)
        simulated = simulate(real, card, more)
        gene = real.some(card, 1)[0]
        parts = ["whole"] if model != "basenji2" else ["tower, one pass"] + ["whole"] * arguments.whole
        for part in parts:
            for source, people, times in points:
                if source == "simulated" and part == "whole" and model == "basenji2":
                    continue
                log(f"{model}, {part}: {source}, {people * times} people")
                made = real.cohort(card, gene, people) if source != "simulated" else first(simulated, people)
                path = Path(real.store).with_name("sequences.npz")
                given = made.sequences
                index = np.concatenate([made.index] * times)
                np.savez(path, reference=given.reference, positions=given.positions, letters=given.letters, index=index)
                job = {"model": model, "part": part, "data": str(path)}
                job["files"] = {key: str(value) for key, value in files.items()}
                done = run_job(SCRIPT, "dev", job)
                path.unlink()
                whole = done["shares"].pop(WHOLE)
                pieces, total = np.array(list(done["shares"].values()) or [whole]).sum(axis=0)
                name = f"{model}, {part}"
                numbers = [f"{done[key]:,.0f}" for key in ("loaded", "peak")]
                over = done["peak"] - done["loaded"]
                rows.append([name, words, source, f"{people * times:,}", f"{done['distinct']:,}", f"{pieces:,}",
                             f"{total:,}", *numbers, f"{over:,.0f}", f"{done['cpu']:.1f}"])  # fmt: skip
                log(f"peak {done['peak']:.0f} MB, {over:.0f} above what was loaded; {done['cpu']:.1f} s")
    columns = ("model", "weights", "haplotypes from", "people", "distinct sequences", "distinct pieces, all stages")
    more_columns = ("of all haplotypes'", "loaded MB", "peak MB", "peak above loaded MB", "CPU s")
    table([*columns, *more_columns], rows, words=3)
    print(
        "A fresh process per line, which loads the model, then takes reference, sites, letters and everyone's rows, and "
        "predicts. Peak: largest resident memory (VmHWM) while it predicts, reset after loading. Real: people of the "
        "data at one gene, with everybody entered several times over in one line: more people, the same pieces. "
        f"Simulated (msprime, on the reference of the same real window): {more:,} "
        f"diploids of one population with a bottleneck and recent growth (sizes {SIZES_SINCE}, growth {GROWTH} per generation in "
        f"the last {GENERATIONS_GROWTH}), mutation {MUTATION} and recombination {RECOMBINATION} per bp and generation; "
        "smaller numbers are the first of them. Stages of one line have pieces of different sizes.\n"
    )


def simulate(real: Real, card: Any, people: int) -> Cohort:
    """Simulated people's letters on the real reference of the model's window."""
    import msprime

    gene = real.some(card, 1)[0]
    reference = real.cohort(card, gene, 1).sequences.reference
    history = msprime.Demography.isolated_model([SIZES_SINCE[0][1]], growth_rate=[GROWTH])
    for since, size in SIZES_SINCE[1:]:
        history.add_population_parameters_change(time=since, initial_size=size, growth_rate=0)
    trees = msprime.sim_ancestry(
        samples=people,
        demography=history,
        sequence_length=len(reference),
        recombination_rate=RECOMBINATION,
        random_seed=1,
    )
    trees = msprime.sim_mutations(trees, rate=MUTATION, random_seed=1, model=msprime.BinaryMutationModel())
    positions = np.array([int(site.position) for site in trees.sites()], np.int64)
    derived = np.clip(trees.genotype_matrix(), 0, 1).T.astype(np.uint8)  # [haplotypes, sites]
    known = reference[positions] < 4
    positions, derived = positions[known], derived[:, known]
    steps = np.random.default_rng(1).integers(1, 4, len(positions)).astype(np.uint8)
    letters = (reference[positions] + derived * steps) % 4
    return _cohort(reference, positions, letters.astype(np.uint8))


def _cohort(reference: Any, positions: Any, letters: Any) -> Cohort:
    sequences, rows = from_letters(reference, positions, letters, np.empty((0, len(reference)), np.uint8))
    names = tuple(f"simulated{number}" for number in range(len(letters) // 2))
    return Cohort(names, sequences, rows.reshape(-1, 2))


def first(cohort: Cohort, people: int) -> Cohort:
    """The first people of a cohort, with nothing left of the others."""
    given = cohort.sequences
    letters = given.letters[cohort.index[:people].ravel()]
    return _cohort(given.reference, given.positions, letters)


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """One point, in this process."""
    adapter: Any = load_adapter(find_model(job["model"]), None, {key: Path(path) for key, path in job["files"].items()})
    with np.load(job["data"]) as held:
        reference, positions, letters = (held[name] for name in ("reference", "positions", "letters"))
        index = held["index"]
    others = np.empty((0, len(reference)), np.uint8)
    sequences = Sequences(reference, positions, letters, others)
    cohort = Cohort(("",) * len(index), sequences, index)
    adapter.predict_haplotypes("gene", Sequences(reference, positions, letters[:1], others))  # imports, workspaces
    clear(adapter)
    if not reset_peak():
        raise SystemExit("this kernel does not let a process reset its peak (/proc/self/clear_refs)")
    loaded = resident_mb()
    with clock() as spent:
        if job["part"].startswith("tower"):
            tower(adapter, sequences)
        else:
            adapter.predict_haplotypes("gene", sequences)
    told = {"loaded": loaded, "peak": peak_mb(), "cpu": spent.cpu, "shares": shares(adapter, cohort)}
    return told | {"distinct": len(sequences)}


def tower(adapter: Any, sequences: Sequences) -> None:
    """Basenji2's tower, in one pass of six, for what the bins that are read depend on."""
    from pexbench.models.torch_spans import share

    network, here = adapter.network, adapter.readout
    middle = network.body.needs(here.bins, network.tower.length(sequences.length))
    stage = network.stages(slice(here.track, here.track + 1))[0]
    with adapter.arithmetic():
        share(sequences, network.letters, [stage], middle, adapter.batches)
