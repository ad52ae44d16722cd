"""Shared computation on a GPU: speed against the plain path, share of the device's peak, the paper's run in hours.

    python benchmarks/incremental_gpu.py HAPLOTYPES.npz [--device cuda] [--models M ...] [--people N] [--sample 8]
    python benchmarks/incremental_gpu.py HAPLOTYPES.npz --smoke        # small networks, 10 people, CPU: tries the path

Needs numpy, PyTorch and this clone. HAPLOTYPES.npz comes from ``incremental.py export``, run where the data are; it
also holds Xpresso's and ExPecto's small published weights. Beluga, Basenji2 and Enformer are drawn at random at full
size, untrained, or read from --weights-folder. Times are of the wall, the device synchronised at both ends.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "lib"))

import incremental_gpu_models as models
import numpy as np
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

GENES, HAPLOTYPES = 3259, 842  # the paper's


def main() -> None:
    """Print the tables."""
    arguments = parse()
    device = torch.device(arguments.device)
    with np.load(arguments.haplotypes, allow_pickle=False) as file:
        held = {name: file[name] for name in file.files}
    absent = models.fill_in(held)
    gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if gpu else f"CPU ({platform.processor() or platform.machine()})"
    print(f"\n## Shared computation on {name}\n")
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; torch {torch.__version__}, CUDA {torch.version.cuda}, "
        f"{torch.get_num_threads()} CPU thread(s); without {', '.join(absent) or 'nothing'}; seconds are of the wall.\n"
    )
    if not gpu:
        print("**No GPU was at hand: this run on the CPU tries the code, and its numbers say nothing about a GPU.**\n")
    precisions = ("float32", "tf32") if gpu else ("float32",)
    peaks = {precision: peak(device, precision, arguments.smoke) for precision in precisions}
    rows, networks = [], []
    for model in arguments.models:
        with tempfile.TemporaryDirectory() as scratch:
            adapter, words = models.load(model, held, arguments.device, Path(scratch), arguments.weights_folder,
                                         arguments.smoke)  # fmt: skip
            for precision in precisions:
                adapter.use(precision)
                rows.append(compared(adapter, words, held, precision, arguments))
            if model in ("basenji2", "enformer"):
                networks += reached(adapter, words, held, peaks, arguments)
            del adapter
    speed(rows)
    print("\n".join(f"Peak by products of {n} x {n} matrices, {p}: {rate / 1e12:.2f} TFLOP/s"
                    for p, (n, rate) in peaks.items()), "\n")  # fmt: skip
    columns = (
        "network",
        "weights",
        "precision",
        "how",
        "sequences at once",
        "s per sequence",
        "TFLOP/s",
        "of the peak",
    )
    table(columns, networks, 4)
    print("FLOP: two per multiply-add, in convolutions and matrix products, as counted by PyTorch.\n")
    hours(rows)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("haplotypes", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--models", nargs="+", choices=list(models.MAKERS), default=list(models.MAKERS))
    parser.add_argument("--people", type=int, help="the first so many; all by default")
    parser.add_argument("--sample", type=int, default=8, help="haplotypes for the plain side")
    parser.add_argument("--weights-folder", type=Path)
    parser.add_argument("--smoke", action="store_true", help="small networks, few people")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.people, arguments.sample = 10, 2
    return arguments


def timed(device: torch.device, compute: Callable[[], Any]) -> tuple[Any, float]:
    """The result and the seconds it took."""
    wait(device)
    begin = time.perf_counter()
    made = compute()
    wait(device)
    return made, time.perf_counter() - begin


def wait(device: torch.device) -> None:
    """Until the device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def best(device: torch.device, compute: Callable[[], Any], times: int = 3) -> float:
    """Least seconds of some runs after one that is not timed."""
    compute()
    return min(timed(device, compute)[1] for _ in range(times))


def peak(device: torch.device, precision: str, small: bool) -> tuple[int, float]:
    """Size and FLOP/s of a large matrix product."""
    from pexbench.models.torch_exact import arithmetic

    size = 1024 if small else 8192
    with arithmetic(precision, device.type):
        a, b = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
        return size, 2 * size**3 / best(device, lambda: a @ b, 5)


def compared(adapter: Any, words: str, held: Any, precision: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Both ways, and how far they are apart."""
    model, device = adapter.card.name, torch.device(arguments.device)
    sequences, index = models.sequences(model, held, arguments.people)
    one, used = np.zeros(1, np.int64), np.unique(index)
    chosen = np.sort(np.random.default_rng(1).choice(used, min(arguments.sample, len(used)), replace=False))
    cost = adapter.plain_multiply_adds(sequences.codes(one))
    adapter.predict_haplotypes("gene", sequences)  # warms up, and finds the sizes of batches
    adapter.work.pieces.clear()
    adapter.work.multiply_adds = 0
    fast, shared = timed(device, lambda: adapter.predict_haplotypes("gene", sequences))
    many, pieces = index.size, adapter.work.pieces.items()
    exact, plain = timed(
        device,
        lambda: np.concatenate([adapter.predict_gene("gene", sequences.codes(np.array([row]))) for row in chosen]),
    )
    spread = float(fast[index].astype(np.float64).mean(axis=1).std())
    apart = float(np.abs(exact.astype(np.float64) - fast[chosen]).max())
    shares = ", ".join(f"{stage} {done / total * len(sequences) / many:.1%}" for stage, (done, total) in pieces)
    return {
        "model": model, "weights": words, "precision": precision, "gene": str(held[f"{model}/gene"]),
        "people": len(index), "haplotypes": many, "distinct": len(used), "n": len(chosen),
        "plain": plain / len(chosen), "shared": shared, "ratio": plain / len(chosen) * many / shared,
        "multiply": cost * many / adapter.work.multiply_adds, "apart": apart, "size": float(np.abs(fast).mean()),
        "spread": spread, "spearman": spearman(exact, fast[chosen]), "pieces": shares,
        "memory": adapter.batches.peak / 1e6, "batches": dict(adapter.work.batches),
    }  # fmt: skip


def spearman(one: Any, other: Any) -> float:
    """Rank correlation, ties with mean ranks; without pandas."""

    def ranks(values: Any) -> Any:
        return (values[:, None] > values).sum(axis=1) + (values[:, None] == values).sum(axis=1) / 2

    first, second = ranks(one), ranks(other)
    return float(np.corrcoef(first, second)[0, 1]) if np.ptp(first) and np.ptp(second) else float("nan")


def speed(rows: list[dict[str, Any]]) -> None:
    """Print both sides."""
    words = ("model", "weights", "precision", "gene", "shares")
    columns = (*words, "people", "haplotypes", "distinct", "n", "plain s/haplotype", "shared s, all", "ratio")
    table(
        (*columns, "in multiply-adds", "device MB"),
        [
            [row["model"], row["weights"], row["precision"], row["gene"], row["pieces"] or "windows", row["people"],
             row["haplotypes"], row["distinct"], row["n"], f"{row['plain']:.4g}", f"{row['shared']:.4g}",
             f"{row['ratio']:.1f}", f"{row['multiply']:.1f}", f"{row['memory']:.0f}"] for row in rows
        ], 5,
    )  # fmt: skip
    table(
        ("model", "precision", "compared", "largest difference", "/ size", "/ SD between people", "Spearman"),
        [
            [row["model"], row["precision"], row["n"], f"{row['apart']:.2g}", f"{row['apart'] / row['size']:.1e}",
             f"{row['apart'] / row['spread']:.1e}" if row["spread"] else "-", f"{row['spearman']:.6f}"] for row in rows
        ], 2,
    )  # fmt: skip
    print("\n".join(f"{row['model']}, {row['precision']}: most pieces at once {row['batches']}" for row in rows), "\n")


def reached(adapter: Any, words: str, held: Any, peaks: Any, arguments: argparse.Namespace) -> list[list[object]]:
    """How fast the forward pass is, in several ways, beside the device's peak."""
    model, device = adapter.card.name, torch.device(arguments.device)
    sequences, _ = models.sequences(model, held, arguments.people)
    prepare = enformer_pass if model == "enformer" else basenji2_pass
    sizes, rows = ((1, 2) if model == "enformer" else (1, 8)), []
    for precision, (_, rate) in peaks.items():
        adapter.use(precision)
        for size in sizes:
            codes = torch.from_numpy(sequences.codes(np.arange(size) % len(sequences)))
            for how in ("eager", "torch.compile"):
                if how == "torch.compile" and (arguments.no_compile or size != sizes[0]):
                    continue
                with adapter.arithmetic():
                    given, forward = prepare(adapter, codes)
                    with FlopCounterMode(display=False) as counter:
                        forward(given)
                    flop = counter.get_total_flops()
                    compute = forward if how == "eager" else torch.compile(forward, dynamic=False)
                    try:
                        seconds = best(device, lambda: compute(given))  # noqa: B023 called here
                    except Exception as error:  # no compiler, no memory
                        told = (str(error).strip() or type(error).__name__).splitlines()[0][:80]
                        rows.append([model, words, precision, f"{how}: {told}", size, "-", "-", "-"])
                        continue
                speeds = [f"{seconds / size:.4g}", f"{flop / seconds / 1e12:.2f}", f"{flop / seconds / rate:.0%}"]
                rows.append([model, words, precision, how, size, *speeds])
        rows += layouts(adapter, words, precision, rate, device)
    return rows


def enformer_pass(adapter: Any, codes: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Enformer's input, and the pass that the plain path makes."""
    here, network = adapter.readout, adapter.network
    given = adapter._letters(codes, (0, codes.shape[1]), codes.shape[1]).values
    track = slice(here.track, here.track + 1)
    return given, lambda x: network(x, adapter.positions, here.forward, track)


def basenji2_pass(adapter: Any, codes: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Basenji2's input, and one of the six passes that the plain path makes, cropped to the bins that are read."""
    from pexbench.models.torch_spans import Piece

    here, network, length = adapter.readout, adapter.network, codes.shape[1]
    track = slice(here.track, here.track + 1)
    middle = network.body.needs(here.bins, network.tower.length(length))
    first, last = network.tower.needs(middle, length)
    given = network.letters(codes[:, first:last], (first, last), length).values

    def forward(x: Any) -> Any:
        return network.head(network.body(network.tower(Piece(x, first, length), middle), here.bins), track)

    return given, forward


def layouts(adapter: Any, words: str, precision: str, rate: float, device: torch.device) -> list[list[object]]:
    """One wide convolution as it is (conv1d), and with channels last, which PyTorch has for conv2d only."""
    model, network = adapter.card.name, adapter.network
    layer = network.trunk.stages[-1].widen.convolution if model == "enformer" else network.tower.steps[-1]
    kernel = layer.weight if model == "enformer" else layer.kernel
    x = torch.randn(1, kernel.shape[1], 4096, device=device)
    flop = 2 * kernel.numel() * (4096 - kernel.shape[2] + 1)
    last = kernel[:, :, None].contiguous(memory_format=torch.channels_last)
    wide = x[:, :, None].contiguous(memory_format=torch.channels_last)
    rows: list[list[object]] = []
    ways: dict[str, Callable[[], Any]] = {
        "conv1d": lambda: functional.conv1d(x, kernel),
        "conv2d, channels last": lambda: functional.conv2d(wide, last),
    }
    for how, compute in ways.items():
        with adapter.arithmetic():
            seconds = best(device, compute)
        what = f"{how}, {' x '.join(map(str, kernel.shape))}, 4,096 positions"
        speeds = [f"{seconds:.4g}", f"{flop / seconds / 1e12:.2f}", f"{flop / seconds / rate:.0%}"]
        rows.append([f"{model}, one convolution", words, precision, what, 1, *speeds])
    return rows


def hours(rows: list[dict[str, Any]]) -> None:
    """Print the projected hours of the paper's run, with the arithmetic."""
    print(f"### The paper's run: {GENES:,} genes x {HAPLOTYPES} haplotypes, projected\n")
    lines, sums = [], {}
    for row in rows:
        per_gene = row["shared"] * HAPLOTYPES / row["haplotypes"]
        shared, plain = per_gene * GENES / 3600, row["plain"] * HAPLOTYPES * GENES / 3600
        arithmetic = f"{row['shared']:.4g} s x {HAPLOTYPES} / {row['haplotypes']} = {per_gene:.4g} s per gene; x {GENES:,} / 3600"
        lines.append([row["model"], row["precision"], arithmetic, f"{shared:.2f}", f"{plain:.1f}"])
        total = sums.setdefault(row["precision"], [0.0, 0.0])
        total[0] += shared
        total[1] += plain
    for precision, (shared, plain) in sums.items():
        lines.append(["**all**", precision, "sum", f"{shared:.2f}", f"{plain:.1f}"])
    table(("model", "precision", "arithmetic", "shared, hours", "plain, hours"), lines, 3)
    print(
        "One gene of chr22 stands for all; the cost is scaled to 842 haplotypes in proportion, an upper bound, for it "
        "grows more slowly. Plain: seconds per haplotype x 842 x 3,259 / 3600. Reading genotypes is not in it.\n"
    )


def table(columns: Any, rows: Any, words: int) -> None:
    """Print a Markdown table whose first columns are text."""
    print(f"| {' | '.join(columns)} |\n|{'|'.join(['---'] * words + ['---:'] * (len(columns) - words))}|")
    print("".join(f"| {' | '.join(map(str, row))} |\n" for row in rows), flush=True)


if __name__ == "__main__":
    main()
