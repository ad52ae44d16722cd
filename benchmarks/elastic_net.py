"""Elastic net: adelie (the library's solver) beside scikit-learn, same penalty paths, one run.

    PEXBENCH_MIRROR=DATA python benchmarks/elastic_net.py

With PEXBENCH_MIRROR: genes of chr22 with genotypes around them. Without: drawn genotypes in linkage.
Printed per gene: time of one path with either solver, their ratio, the largest relative difference of the
objective along the path, the largest difference of a prediction in standard deviations of expression, and the
time of the whole nested cross-validation with the library's defaults. Tolerances are such that both objectives agree
to about 1e-8; a looser one makes either faster.
"""

from __future__ import annotations

import gzip
import os
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "lib"))

from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path

from pexbench.baselines.arrays import gene_data
from pexbench.baselines.elastic_net import Settings, predict_elastic_net, solve, standardise

FLANK, GENES = 98_304, 6
Case = tuple[str, np.ndarray, list[str], np.ndarray, list[str]]


def real_genes(folder: Path) -> Iterator[Case]:
    """Genes whose whole cis region lies in the VCF."""
    import pysam

    with gzip.open(folder / "geuvadis.EUR373.chr22.normalised.bed.gz", "rt") as handle:
        header = handle.readline().split()
        rows = [line.split() for line in handle]
    with pysam.VariantFile(str(folder / "1000G.EUR503.chr22_17.75-19.25Mb.vcf.gz")) as file:
        samples = [name for name in file.header.samples if name in header]
        file.subset_samples(samples)
        records = [
            (record.pos, record.alleles, [sum(record.samples[name]["GT"]) for name in samples])
            for record in file
            if record.alleles is not None and len(record.alleles) == 2 and set(record.alleles) <= set("ACGT")
        ]
    inside = [row for row in rows if int(row[2]) - FLANK >= 17_750_017 and int(row[2]) + FLANK <= 19_265_000]
    # The last one is SLC25A1, which has a strong effect nearby.
    for row in inside[-GENES:]:
        near = [record for record in records if abs(record[0] - int(row[2])) <= FLANK]
        dosages = np.array([record[2] for record in near], dtype=np.float32).T
        variants = [f"22:{pos}:{alleles[0]}:{alleles[1]}" for pos, alleles, _ in near]
        expression = np.array([float(row[header.index(name)]) for name in samples])
        yield row[3], dosages, variants, expression, samples


def drawn_genes() -> Iterator[Case]:
    """358 people who copy their haplotypes in blocks from 40 founders; one SNP explains a tenth of expression."""
    people, snps = 358, 600
    for number in range(GENES):
        rng = np.random.default_rng(number)
        founders = rng.random((40, snps)) < rng.beta(0.5, 1.5, snps)
        source = np.repeat(rng.integers(0, 40, (2 * people, snps // 100)), 100, axis=1)
        dosages = founders[source, np.arange(snps)].reshape(people, 2, snps).sum(axis=1).astype(np.float32)
        causal = dosages[:, np.abs(dosages.mean(axis=0) - 1).argmin()]
        expression = rng.normal(size=people) + (causal - causal.mean()) / causal.std() / 3
        variants = [f"1:{1000 + snp}:A:C" for snp in range(snps)]
        yield f"drawn{number}", dosages, variants, expression, [f"p{i:03d}" for i in range(people)]


def compare(case: Case) -> tuple[float, float]:
    """Print one gene's line; return the times of adelie and scikit-learn."""
    name, dosages, variants, expression, samples = case
    settings = Settings()
    data = gene_data(dosages, variants, expression, samples, settings.maf)
    part = standardise(data.x, data.y)
    z, t, ratio = part.z, part.t, settings.l1_ratio
    # Down to a tenth of the largest penalty: the range from which cross-validation chooses.
    path = np.abs(z.T @ t).max() / len(t) / ratio * np.geomspace(1, 0.1, 50)

    start = time.perf_counter()
    ours, _ = solve(z, t, path, ratio, tolerance=1e-10)
    adelie_time = time.perf_counter() - start
    start = time.perf_counter()
    theirs = enet_path(z, t, l1_ratio=ratio, alphas=path, tol=1e-8, max_iter=100_000)[1].T
    sklearn_time = time.perf_counter() - start
    start = time.perf_counter()
    predict_elastic_net(dosages, variants, expression, samples, settings)
    nested_time = time.perf_counter() - start

    def objective(b: np.ndarray) -> np.ndarray:
        penalty = ratio * np.abs(b).sum(axis=1) + (1 - ratio) / 2 * (b**2).sum(axis=1)
        return ((t - b @ z.T) ** 2).mean(axis=1) / 2 + path * penalty

    objective_difference = np.abs(objective(ours) / objective(theirs) - 1).max()
    prediction_difference = np.abs((ours - theirs) @ z.T).max()
    print(
        f"{name:<20} {len(data.samples):>6} {len(data.variants):>5} {adelie_time:>9.3f} {sklearn_time:>9.3f} "
        f"{sklearn_time / adelie_time:>6.1f} {objective_difference:>10.1e} {prediction_difference:>10.1e} "
        f"{nested_time:>9.2f}",
        flush=True,
    )
    assert objective_difference < 1e-6, "the solvers disagree"
    return adelie_time, sklearn_time


def main() -> None:
    folder = Path(os.environ.get("PEXBENCH_MIRROR", ""), "chr22")
    real = "PEXBENCH_MIRROR" in os.environ and folder.is_dir()
    warnings.simplefilter("error", ConvergenceWarning)
    print("real genes of chr22" if real else "PEXBENCH_MIRROR names no data: drawn genes")
    print(
        f"{'gene':<20} {'people':>6} {'SNPs':>5} {'adelie s':>9} {'sklearn s':>9} {'ratio':>6} "
        f"{'objective':>10} {'prediction':>10} {'nested s':>9}"
    )
    times = np.array([compare(case) for case in (real_genes(folder) if real else drawn_genes())])
    total = times.sum(axis=0)
    print(f"all: adelie {total[0]:.2f} s, scikit-learn {total[1]:.2f} s, ratio {total[1] / total[0]:.1f}")


if __name__ == "__main__":
    main()
