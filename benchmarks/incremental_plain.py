"""The shared path of every model against its plain path: one sequence, one pass, alike ones too."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from incremental_common import Real, clear, clock, counting, header, loaded, log, sampled, shares, table, warm_up

from pexbench.genes import Gene
from pexbench.haplotypes import Cohort

#: Haplotypes on which the plain side is timed, and on which both sides are compared.
SAMPLE = {"xpresso": 50, "expecto": 3, "basenji2": 3, "enformer": 6}


@dataclass
class Row:
    """One comparison.

    Attributes:
        what: model, and which part or which plain side, where it is not the whole.
        counts: people, haplotypes, distinct ones.
        plain: CPU seconds of the plain side per haplotype, on ``len(exact)`` of them.
        shared: CPU seconds of the shared side for all.
        wall: the same on the wall.
        costs: multiply-adds of the plain side for one haplotype, of the shared side for all.
        exact: values of the plain side for the sample, [n, ...].
        fast: values of the shared side for the same.
        spread: standard deviation of the predictions between people.
        pieces: by stage, computed and of.
        note: how the shared seconds came about, if not simply timed.
    """

    what: str
    weights: str
    gene: str
    counts: tuple[int, int, int]
    plain: float
    shared: float
    wall: float
    costs: tuple[int, int]
    exact: Any
    fast: Any
    spread: float
    size: float
    pieces: dict[str, tuple[int, int]] = field(default_factory=dict)
    note: str = ""

    @property
    def ratios(self) -> tuple[float, float]:
        """How much less the shared side takes, in seconds and in multiply-adds."""
        many = self.counts[1]
        return self.plain * many / self.shared, self.costs[0] * many / self.costs[1]


def run(real: Real, folder: Path, arguments: argparse.Namespace) -> None:
    """Compare, and print three tables."""
    header("Shared computation against the plain path of the same adapter")
    rows: list[Row] = []
    for model in arguments.models:
        adapter, words = loaded(model, folder)
        count = arguments.sample or SAMPLE[model]
        genes = real.some(adapter.card, arguments.genes or (1000 if model == "xpresso" else 1))
        for gene in genes:
            cohort = real.cohort(adapter.card, gene, arguments.people)
            log(f"{model}, {gene.gene_id}: {len(cohort.sequences)} distinct sequences")
            one = enformer if model == "enformer" else whole
            found = one(adapter, words, gene, cohort, count)
            rows += found
            for row in found:
                log(f"{row.what}: plain {row.plain:.3g} s each, shared {row.shared:.4g} s, x{row.ratios[0]:.1f}")
    print(
        "Real haplotypes of chr22 (hg19; SNPs), one haplotype at a time against all at once. The plain side is timed on "
        "a sample of n distinct haplotypes and scaled to all haplotypes, alike ones included. Loading, reading of "
        "genotypes and a first prediction of the reference are not timed.\n"
    )
    speed(rows)
    agreement(rows)
    pieces(rows)


def whole(adapter: Any, words: str, gene: Gene, cohort: Cohort, count: int) -> list[Row]:
    """A model as the workflow runs it."""
    cost = warm_up(adapter, gene, cohort)
    chosen, name = sampled(cohort, count), adapter.card.name
    with clock() as plain:
        exact = one_by_one(adapter, gene, cohort, chosen)
    with clock() as shared:
        fast = adapter.predict_haplotypes(gene.gene_id, cohort.sequences)
    made = Row(
        name,
        words,
        gene.gene_id,
        counted(cohort),
        plain.cpu / len(chosen),
        shared.cpu,
        shared.wall,
        (cost, adapter.work.multiply_adds),
        exact,
        fast[chosen],
        spread(fast, cohort),
        float(np.abs(fast).mean()),
        shares(adapter, cohort),
    )
    return [made, uncropped(adapter, made, cohort, chosen)] if name == "basenji2" else [made]


def one_by_one(adapter: Any, gene: Gene, cohort: Cohort, chosen: Any) -> Any:
    """The plain side: a pass of each haplotype by itself."""
    every = [cohort.sequences.codes(np.array([row])) for row in chosen]
    return np.concatenate([adapter.predict_gene(gene.gene_id, codes) for codes in every])


def uncropped(adapter: Any, cropped: Row, cohort: Cohort, chosen: Any) -> Row:
    """Basenji2's plain side over the whole window and all bins, of the one track, in all passes."""
    here = adapter.readout
    track, bins = slice(here.track, here.track + 1), slice(*here.bins)

    def predict(row: int) -> float:
        profile = adapter.profile(cohort.sequences.codes(np.array([row])), (0, here.whole), track)
        return float(np.float32(profile[0, 0, bins].mean()))

    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:  # which warms up as well
        predict(0)
    with clock() as plain:
        exact = [predict(int(row)) for row in chosen]
    costs = counter.get_total_flops() // 2, cropped.costs[1]
    changed = {"what": f"basenji2, plain side uncropped ({here.whole} bins)", "plain": plain.cpu / len(chosen)}
    return Row(**(vars(cropped) | changed | {"costs": costs, "exact": np.array(exact, np.float32), "pieces": {}}))


def enformer(adapter: Any, words: str, gene: Gene, cohort: Cohort, count: int) -> list[Row]:
    """Enformer's trunk for all haplotypes; its transformer for some of the distinct ones, scaled to all of them."""
    from pexbench.models.enformer.adapter import CHUNK, PIECE
    from pexbench.models.enformer.spans import trunk_steps
    from pexbench.models.torch_spans import Stage, share

    here, network, sequences = adapter.readout, adapter.network, cohort.sequences
    assert not here.both_strands
    stage, reference = Stage("trunk", trunk_steps(network.trunk), CHUNK), sequences.take(np.zeros(1, np.int64))
    cost = adapter.plain_multiply_adds(reference.codes(np.zeros(1, np.int64)))
    chosen, track = sampled(cohort, count), slice(here.track, here.track + 1)

    def trunk(given: Any) -> Any:
        return share(given, adapter._letters, [stage], (0, here.total), adapter.batches)

    def behind(features: Any, row: int) -> float:
        x = features.part(np.array([row]), features.span)
        x = network.transformer(x.transpose(1, 2), adapter.positions, here.forward)
        return float(network.head(x, track).float().numpy().mean(axis=(1, 2))[0])

    with adapter.arithmetic():
        behind(trunk(reference), 0)
        clear(adapter)
        with clock() as shared_trunk:
            features = trunk(sequences)
        log(f"enformer: trunk of all {len(sequences)} distinct sequences in {shared_trunk.cpu:.0f} s")
        trunk_cost, found = adapter.work.multiply_adds, shares(adapter, cohort)
        with clock() as transformer:
            fast = [behind(features, int(row)) for row in chosen]
        plain_trunk, apart = 0.0, []
        for row in chosen:
            codes = sequences.codes(np.array([row]))
            with clock() as spent:
                values = network.trunk.in_pieces(adapter._one_hot(codes), PIECE)
            plain_trunk += spent.cpu / len(chosen)
            apart.append((values, features.part(np.array([row]), features.span)))
    one_trunk = count_one(lambda: network.trunk.in_pieces(adapter._one_hot(codes), PIECE))
    with clock() as plain:
        exact = one_by_one(adapter, gene, cohort, chosen)
    with counting(adapter):
        adapter.predict_haplotypes(gene.gene_id, sequences)
        whole_cost = adapter.work.multiply_adds
    each, many = transformer.cpu / len(chosen), len(sequences)
    values = np.array(fast, np.float32)
    both = [torch.cat(side).numpy() for side in zip(*apart, strict=True)]
    common = (words, gene.gene_id, counted(cohort))
    return [
        Row(
            "enformer, trunk", *common, plain_trunk, shared_trunk.cpu, shared_trunk.wall, (one_trunk, trunk_cost),
            both[0], both[1], float(both[0].std(axis=0).mean()), float(np.abs(both[0]).mean()), found,
        ),
        Row(
            "enformer, whole", *common, plain.cpu / len(chosen), shared_trunk.cpu + each * many,
            shared_trunk.wall + transformer.wall / len(chosen) * many, (cost, whole_cost), exact, values,
            float(values.std()), float(np.abs(values).mean()), {"transformer, head": (many, cohort.index.size)},
            f"trunk of all timed ({shared_trunk.cpu:.0f} s) + transformer and head timed on {len(chosen)} distinct "
            f"haplotypes ({each:.2f} s each) x {many}",
        ),
    ]  # fmt: skip


def count_one(compute: Any) -> int:
    """Multiply-adds of a function."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        compute()
    return int(counter.get_total_flops() // 2)


def counted(cohort: Cohort) -> tuple[int, int, int]:
    """People, haplotypes, distinct haplotypes of people."""
    return len(cohort.samples), cohort.index.size, len(np.unique(cohort.index))


def spread(values: Any, cohort: Cohort) -> float:
    """Standard deviation between people, each the mean of two haplotypes."""
    return float(values[cohort.index].astype(np.float64).mean(axis=1).std())


def spearman(one: Any, other: Any) -> tuple[float, int]:
    """Rank correlation, ties with mean ranks, and how many pairs are strictly in opposite order."""
    import pandas as pd

    one, other = (np.asarray(values, np.float64).ravel() for values in (one, other))
    opposite = int((np.sign(one[:, None] - one) * np.sign(other[:, None] - other) < 0).sum() // 2)
    if len(one) < 2 or not np.ptp(one) or not np.ptp(other):
        return float("nan"), opposite
    return float(pd.Series(one).rank().corr(pd.Series(other).rank())), opposite


def speed(rows: list[Row]) -> None:
    """Print how fast; a model with several genes has a line for all of them."""
    columns = (
        "model",
        "weights",
        "gene",
        "people",
        "haplotypes",
        "distinct",
        "n",
        "plain s/haplotype",
        "shared s, all",
    )
    lines: list[list[object]] = []

    def line(what: str, weights: str, gene: str, counts: Any, numbers: Any) -> None:
        n, plain, shared, wall, seconds, multiply = numbers
        speeds = [f"{plain:.4g}", f"{shared:.4g}", f"{wall:.4g}", f"{seconds:.1f}", f"{multiply:.1f}"]
        lines.append([what, weights, gene, *counts, n, *speeds])

    for what in dict.fromkeys(row.what for row in rows):
        own = [row for row in rows if row.what == what]
        for row in own:
            line(
                what, row.weights, row.gene, row.counts, (len(row.exact), row.plain, row.shared, row.wall, *row.ratios)
            )
        if len(own) > 1:
            people, many = own[0].counts[0], sum(row.counts[1] for row in own)
            plain, shared = sum(row.plain * row.counts[1] for row in own), sum(row.shared for row in own)
            costs = sum(row.costs[0] * row.counts[1] for row in own) / sum(row.costs[1] for row in own)
            counts = people, many, sum(row.counts[2] for row in own)
            walls, n = sum(row.wall for row in own), sum(len(row.exact) for row in own)
            numbers = n, plain / many, shared, walls, plain / shared, costs
            line(f"**{what}**", own[0].weights, f"**all {len(own)}**", counts, numbers)
    table([*columns, "shared wall s", "ratio", "ratio in multiply-adds"], lines, words=3)
    for row in rows:
        if row.note:
            print(f"{row.what}, shared s: {row.note}; a projection.\n")


def agreement(rows: list[Row]) -> None:
    """Print how far the two sides are apart on the sample."""
    columns = ("model", "gene", "compared", "largest difference", "size", "SD between people", "difference / size")
    lines: list[list[object]] = []
    for row in rows:
        apart = float(np.abs(np.asarray(row.exact, np.float64) - row.fast).max())
        ranks, opposite = ("-", "-") if row.exact.ndim > 1 else spearman(row.exact, row.fast)
        ranks = f"{ranks:.6f}" if isinstance(ranks, float) else ranks
        sizes = [f"{apart:.2g}", f"{row.size:.4g}", f"{row.spread:.3g}", f"{apart / row.size:.1e}"]
        over = f"{apart / row.spread:.1e}" if row.spread else "-"
        lines.append([row.what, row.gene, len(row.exact), *sizes, over, ranks, opposite])
    table([*columns, "difference / SD", "Spearman", "pairs in opposite order"], lines)
    print(
        "Compared: predictions of the sampled haplotypes, from the shared computation of the whole cohort and from a pass "
        "of each by itself. SD between people: of the mean of each person's two haplotypes; for Enformer the SD between "
        "the sampled haplotypes, for its trunk that of each number, averaged. Spearman takes mean ranks for ties.\n"
    )


def pieces(rows: list[Row]) -> None:
    """Print what was shared."""
    sums: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        for stage, (done, of) in row.pieces.items():
            total = sums.setdefault((row.what, stage), [0, 0])
            total[0] += done
            total[1] += of
    lines = [[*key, f"{done:,}", f"{of:,}", f"{done / of:.2%}"] for key, (done, of) in sums.items()]
    table(("model", "stage", "distinct pieces", "of all haplotypes'", "share"), lines)
