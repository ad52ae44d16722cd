"""What the benchmarks of shared computation have in common: real haplotypes, full-size models, clocks, tables."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import models as full_size  # the benchmark beside this file: it knows how to draw weights
import numpy as np
import torch
from torch import Tensor

from pexbench import bcftools
from pexbench.genes import Gene, genes_from_table
from pexbench.haplotypes import Cohort
from pexbench.models import Card, find_model, load_adapter
from pexbench.models.base import Adapter
from pexbench.models.torch_batches import UNIT, Batches
from pexbench.predict import Genotyping, cohort_of
from pexbench.reference import Reference
from pexbench.windows import window_of

MODELS = ("xpresso", "expecto", "basenji2", "enformer")
#: Name of the stage that stands for distinct sequences as a whole.
WHOLE = "whole sequence"
#: Where everybody's genotypes are complete, 1-based.
CONTIG, FIRST, LAST = "22", 17_750_000, 19_250_000
GENOTYPES, REFERENCE = "1000G.EUR503.chr22_*.vcf.gz", "hg19.chr22_*.fa.gz"
PEOPLE = "geuvadis.EUR358.chr22.rpkm.bed.gz"


@dataclass
class Spent:
    """Seconds of all threads of this process, and on the wall."""

    cpu: float = 0.0
    wall: float = 0.0


@contextmanager
def clock() -> Iterator[Spent]:
    """Time what happens inside."""
    spent, cpu, wall = Spent(), time.process_time(), time.perf_counter()
    yield spent
    spent.cpu, spent.wall = time.process_time() - cpu, time.perf_counter() - wall


def log(text: str) -> None:
    """Say how far it is, beside the tables."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def header(title: str) -> None:
    """The first lines of every result."""
    print(f"\n## {title}\n")
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {full_size.processor()}; torch {torch.__version__}, "
        f"{torch.get_num_threads()} thread(s), float32 without TF32; load of the machine at the start "
        f"{os.getloadavg()[0]:.1f}. Seconds are CPU seconds of the process unless called wall.\n",
        flush=True,
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], words: int = 2) -> None:
    """Print a Markdown table whose first ``words`` columns are text."""
    print(f"| {' | '.join(columns)} |")
    print(f"|{'|'.join(['---'] * words + ['---:'] * (len(columns) - words))}|")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")
    print(flush=True)


def mirror() -> Path:
    """The folder with data and published weights."""
    found = os.environ.get("PEXBENCH_MIRROR")
    if not found:
        raise SystemExit("PEXBENCH_MIRROR, the folder with real data and published weights, is not set")
    return Path(found)


def in_mirror(pattern: str) -> Path:
    """A file of the mirror."""
    found = sorted(mirror().rglob(pattern))
    if not found:
        raise SystemExit(f"{mirror()} holds no {pattern}")
    return found[0]


class Real:
    """Real people's haplotypes around real genes.

    Attributes:
        people: names of those with measured expression and genotypes.
        genes: of the expression table, by position.
    """

    def __init__(self, folder: Path) -> None:
        """Unpack the reference, and write the store of biallelic SNPs, into a folder."""
        import pandas as pd

        plain = folder / "reference.fa"
        if not plain.exists():
            plain.write_bytes(gzip.decompress(in_mirror(REFERENCE).read_bytes()))
        self.reference = Reference(plain)
        self.store = folder / "snps.bcf"
        if not Path(f"{self.store}.csi").exists():
            kept = ["-V", "indels,mnps,other", "-m2", "-M2"]
            given = str(in_mirror(GENOTYPES))
            bcftools.run(["view", "--no-version", "-I", *kept, "-Ob", "-o", str(self.store), given])
            bcftools.run(["index", str(self.store)])
        bed = pd.read_csv(in_mirror(PEOPLE), sep="\t", dtype={"strand": str})
        genotyped = set(bcftools.run(["query", "-l", str(self.store)]).decode().split())
        self.people = [name for name in bed.columns if name in genotyped]
        rows = pd.DataFrame(
            {"gene_id": bed["gene"], "symbol": "", "contig": CONTIG, "tss": bed["end"].astype(str)}
            | {"strand": bed["strand"]}
        )
        self.genes = sorted(genes_from_table(rows, PEOPLE).values(), key=lambda gene: gene.tss)

    def inside(self, card: Card) -> list[Gene]:
        """Genes whose window lies where everybody's genotypes are complete."""
        windows = [(gene, window_of(gene, card.window_rule())) for gene in self.genes]
        return [gene for gene, window in windows if window.start >= FIRST and window.end <= LAST]

    def some(self, card: Card, count: int) -> list[Gene]:
        """Some of them, spread over the region; one is that in the middle."""
        every = self.inside(card)
        places = np.linspace(0, len(every) - 1, count + 2)[1:-1] if count < len(every) else np.arange(len(every))
        return [every[int(place)] for place in places.round()]

    def cohort(self, card: Card, gene: Gene, people: int) -> Cohort:
        """The first people's haplotypes in the model's window around a gene."""
        given = Genotyping(self.store, self.people[:people])
        return cohort_of(gene, window_of(gene, card.window_rule()), self.reference, given)[0]


def weight_files(model: str, folder: Path, implementation: str = "torch") -> tuple[dict[str, Path], str]:
    """Weight files of a model, drawn into the folder where nothing is published here; and words for what they are."""
    files, drawn = full_size.weights(find_model(model), implementation, folder)
    words = full_size.DRAWN if drawn else full_size.PUBLISHED
    if 0 < len(drawn) < len(files):
        words += f" ({', '.join(sorted(set(files) - set(drawn)))}: published)"
    return {key: Path(path) for key, path in files.items()}, words


def loaded(model: str, folder: Path) -> tuple[Adapter, str]:
    """A model on the CPU in PyTorch, at full size, and words for its weights."""
    log(f"{model}: loading")
    files, words = weight_files(model, folder)
    return load_adapter(find_model(model), None, files), words


def warm_up(adapter: Adapter, gene: Gene, cohort: Cohort) -> int:
    """Predict the reference in both ways, so that nothing is timed that happens once; plain multiply-adds of one."""
    one = np.zeros(1, np.int64)
    cost = adapter.plain_multiply_adds(cohort.sequences.codes(one))
    adapter.predict_haplotypes(gene.gene_id, cohort.sequences.take(one))
    clear(adapter)
    return cost


def clear(adapter: Adapter) -> None:
    """Begin a new page of the ledger of work."""
    adapter.work.pieces.clear()
    adapter.work.batches.clear()
    adapter.work.multiply_adds = 0


def shares(adapter: Adapter, cohort: Cohort) -> dict[str, tuple[int, int]]:
    """By stage, distinct pieces computed (those of the reference with them) and pieces of all people's haplotypes."""
    many = cohort.index.size
    found = {
        stage: (done, round(total / len(cohort.sequences) * many))
        for stage, (done, total) in adapter.work.pieces.items()
    }
    return {**found, WHOLE: (len(cohort.sequences), many)}


def sampled(cohort: Cohort, count: int, seed: int = 1) -> np.ndarray:
    """Rows of some of the distinct sequences that people have."""
    used = np.unique(cohort.index)
    return np.sort(np.random.default_rng(seed).choice(used, min(count, len(used)), replace=False))


class Counting(Batches):
    """Computes one item of each shape and gives it for all: what the shared path costs, without doing it.

    The ledger is that of a real run, the predictions mean nothing.
    """

    def __init__(self, *given: Any) -> None:
        """As :class:`pexbench.models.torch_batches.Batches`."""
        super().__init__(*given)
        self._known: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def map(self, stage: str, count: int, load: Any, compute: Any, unit: int = UNIT) -> Tensor:
        """See :class:`pexbench.models.torch_batches.Batches`."""
        before, given = self.work.multiply_adds, load(slice(0, min(unit, count)))
        key = (stage, tuple(given.shape[1:]))
        if key not in self._known:
            self._known[key] = self._computed(key, given, compute, unit)[:1]
        self.work.multiply_adds = before + self._costs[key] * (-(-count // unit) * unit)
        made = self._known[key]
        return made.expand(count, *made.shape[1:])


@contextmanager
def counting(adapter: Any) -> Iterator[None]:
    """Within it, predicting counts only."""
    real = adapter.batches
    if not hasattr(adapter, "_counting"):
        adapter._counting = Counting(torch.device("cpu"), adapter.work)
    adapter.batches = adapter._counting
    clear(adapter)
    try:
        yield
    finally:
        adapter.batches = real


def peak_mb() -> float:
    """Largest resident memory so far, or since :func:`reset_peak`, in MB."""
    return _status("VmHWM")


def resident_mb() -> float:
    """Resident memory now, in MB."""
    return _status("VmRSS")


def _status(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024 / 1e6


def reset_peak() -> bool:
    """Forget the peak so far, where the kernel lets us."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def run_job(script: str, environment: str, job: dict[str, Any]) -> dict[str, Any]:
    """Do a job in a fresh process of an environment, one thread; the last line it prints is its result, as JSON."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    command = [full_size.python(environment), script, "--job", json.dumps(job)]
    done = subprocess.run(
        command,
        env={**os.environ, **dict.fromkeys(names, "1")},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-6:])
        raise full_size.LeftOut(f"{job} ended with exit status {done.returncode}: {last}")
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made
