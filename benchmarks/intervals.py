"""How often the bootstrap intervals of one correlation cover the truth, by number of people and kind of data.

    .venvs/base/bin/python benchmarks/intervals.py [--cohorts N]

Spearman correlation; normal data, genotypes of a common allele against normal expression (tied), and carriers of an
allele that 7 % have (rare). Expanded percentiles of 400 resamples.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy import stats

ROOT = Path(__file__).resolve().parents[1]
RESAMPLES = 400
KINDS = ("normal", "tied", "rare")


def draw(random: np.random.Generator, kind: str, rho: float, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and measurements whose normal scores correlate by rho."""
    x = random.normal(size=shape)
    y = rho * x + np.sqrt(1 - rho**2) * random.normal(size=shape)
    if kind == "tied":
        x = np.digitize(x, stats.norm.ppf([0.49, 0.91])).astype(float)
    if kind == "rare":
        x = (x > stats.norm.ppf(0.93)).astype(float)
    return x, y


def main() -> None:
    """Print the share of cohorts whose interval covers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=2000)
    cohorts = parser.parse_args().cohorts
    sys.path.insert(0, str(ROOT / "workflow" / "lib"))
    from pexbench.scores.resample import Weights, resampled, unit_intervals

    random = np.random.default_rng(1)
    for people in (20, 30, 50, 100, 200, 421):
        names = [str(number) for number in range(people)]
        weights = Weights({"people": names}, RESAMPLES, people).of("people", names)
        for kind in KINDS:
            for rho in (0.0, 0.3, 0.7):
                truth = stats.spearmanr(*draw(random, kind, rho, (400_000,))).statistic
                x, y = draw(random, kind, rho, (cohorts, people))
                draws = resampled(x, y, "spearman", weights)
                lower, upper = unit_intervals(draws, np.full(cohorts, people), np.ones(cohorts, dtype=bool))
                covered = ((lower <= truth) & (truth <= upper)).mean()
                sys.stdout.write(f"{people:4d} people, {kind:6}, rho {rho:.1f}: {covered:6.1%}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
