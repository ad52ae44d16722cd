"""How often intervals of mean correlations cover the truth, and how often permutation tests reject a true null.

    .venvs/base/bin/python benchmarks/levels.py [--cohorts N] [--part levels|same|differing]

Cohorts of 40 genes and 100 people. Genes come in blocks that share part of both sides, as neighbours do; each gene's
true correlation is 0, or drawn around 0.1 (the truth is then the mean over all genes there could be). Populations differ
in predictions and expression alike in the last test, and only shuffles within them may then hold their level.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
GENES, PEOPLE, RESAMPLES, SHUFFLES = 40, 100, 400, 399


def neighbours(random: np.random.Generator, block: int, share: float) -> np.ndarray:
    """Normal values [genes, people], genes of one block correlated."""
    common = np.repeat(random.normal(size=(GENES // block, PEOPLE)), block, axis=0)
    return np.sqrt(share) * common + np.sqrt(1 - share) * random.normal(size=(GENES, PEOPLE))


def report(what: str, counted: float, rounds: int) -> None:
    """One line: a share with its standard error."""
    sys.stdout.write(f"{what:72} {counted / rounds:6.1%} +- {np.sqrt(0.05 * 0.95 / rounds):.1%}\n")
    sys.stdout.flush()


def means(cohorts: int, spread: float) -> None:
    """Coverage of two-way intervals of means.

    Args:
        cohorts: simulated cohorts.
        spread: 0: no gene is predicted; else the standard deviation of genes' true correlations around 0.1.
    """
    from pexbench.scores.correlation import correlate
    from pexbench.scores.intervals import interval, two_way_draws
    from pexbench.scores.resample import Weights, resampled

    genes, people = [f"g{u:02d}" for u in range(GENES)], [f"p{m:03d}" for m in range(PEOPLE)]
    random = np.random.default_rng(1)

    def correlations(number: int) -> np.ndarray:
        return np.clip(random.normal(0.1, spread, number), -0.95, 0.95) if spread else np.zeros(number)

    # Spearman of normal pairs (Pearson 1907), averaged over the genes there could be.
    truth = float(np.mean(6 / np.pi * np.arcsin(correlations(1_000_000) / 2)))
    said = f"0.1 +- {spread}" if spread else "0"
    for block, share in ((1, 0.0), (10, 0.5), (20, 0.9)):
        covered = 0
        for seed in range(cohorts):
            rho = correlations(GENES)[:, None]
            x = neighbours(random, block, share)
            y = rho * x + np.sqrt(1 - rho**2) * neighbours(random, block, share)
            weights = Weights({"genes": genes, "people": people}, RESAMPLES, seed)
            draws = resampled(x, y, "spearman", weights.of("people", people))
            value = correlate(x, y, "spearman").value
            low, high = interval(two_way_draws(value, draws, weights.of("genes", genes), PEOPLE))
            covered += low <= truth <= high
        kind = f"blocks of {block}, {share:.0%} shared" if block > 1 else "independent genes"
        report(f"interval of the mean covers: true r {said}, {kind}", covered, cohorts)


def levels(cohorts: int) -> None:
    """Level of the permutation tests at 5 %."""
    from pexbench.scores.permutation import permuted, shuffles

    people = [f"p{m:03d}" for m in range(PEOPLE)]
    random = np.random.default_rng(2)
    populations = {name: f"population {place % 4}" for place, name in enumerate(people)}
    for what, block, share, shift in (
        ("independent genes", 1, 0.0, 0.0),
        ("blocks of 10, 50 % shared", 10, 0.5, 0.0),
        ("four populations that differ", 1, 0.0, 1.0),
    ):
        groups = populations if shift else {}
        counts = np.zeros(3)
        labels = np.array([int(populations[name][-1]) for name in people])
        for seed in range(cohorts):
            x, y = (
                neighbours(random, block, share) + shift * random.normal(size=(GENES, 4))[:, labels] for _ in range(2)
            )
            null = permuted(x, y, "spearman", people, *shuffles(people, groups, SHUFFLES, seed))
            counts += [(null.p <= 0.05).mean(), null.p_mean <= 0.05, null.p_mean_absolute <= 0.05]
        for name, counted in zip(("one gene's |r|", "mean r", "mean |r|"), counts, strict=True):
            report(f"permutation test rejects: {name}, {what}", counted, cohorts)


def main() -> None:
    """Print shares that should be 95 % and 5 %."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=2000)
    parser.add_argument("--part", choices=("levels", "same", "differing"), help="one part alone")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT / "workflow" / "lib"))
    if given.part in (None, "levels"):
        levels(given.cohorts)
    if given.part in (None, "same"):
        means(given.cohorts, 0)
    if given.part in (None, "differing"):
        means(given.cohorts, 0.15)


if __name__ == "__main__":
    main()
