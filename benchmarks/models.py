"""Seconds per sequence and peak memory of every model with weights, at full size on the CPU, in fresh processes.

    PEXBENCH_MIRROR=DATA python benchmarks/models.py [--models enformer basenji2] [--threads 2] [--sequences 8]

Every implementation whose environment is built below ``.venvs/`` runs in a process of its own there. Weights are the
published files where PEXBENCH_MIRROR holds them; else drawn by the mirror's golden/golden_weights.py and written in the
published layout at full size, which takes as much time and memory; else the implementation is left out, in words.

Measured: ``load_adapter``, the framework's import included; then, after one sequence that is not counted, all sequences
in one call of ``predict`` with the card's options. The peak is the largest resident memory of the whole process.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "lib"))

from pexbench.models import Card, built_in_models, find_model, load_adapter
from pexbench.models.base import processor_name
from pexbench.performance import peak_memory_mb

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED, DRAWN = "published", "drawn at random, untrained"
#: Files that can be drawn, by model and the adapter's name: the golden file that lists the parameters, and the
#: environment that writes.
GOLDEN = {
    ("basenji2", "weights"): ("basenji2.json", "torch"),
    ("enformer", "network"): ("enformer.json", "torch"),
    ("enformer", "saved_model"): ("enformer.json", "tensorflow"),
    ("expecto", "beluga"): ("beluga.json", "torch"),
}
#: Without --sequences, as many are timed as take about this long, at most a batch of the card's size.
SECONDS = 20
COLUMNS = ("model", "implementation", "weights", "sequences", "s per sequence", "peak GB", "load s")


def main() -> None:
    """Print the table, and what is left out."""
    if sys.argv[1:2] == ["--job"]:  # in a process of its own
        job = json.loads(sys.argv[2])
        print(json.dumps(draw(job) if job["task"] == "draw" else measure(job)))
        return
    models = [name for name in built_in_models() if find_model(name).networks]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=models, default=models, metavar="MODEL", help=", ".join(models))
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of the framework (Xpresso in PyTorch: always 1)"
    )
    parser.add_argument("--sequences", type=int, help=f"how many are timed; else about {SECONDS} s of them, or a batch")
    arguments = parser.parse_args()
    if min(arguments.threads, arguments.sequences or 1) < 1:
        parser.error("--threads and --sequences: a whole number of at least 1 is allowed")
    print(f"{processor()}, {arguments.threads} thread(s)\n", flush=True)
    print(f"| {' | '.join(COLUMNS)} |\n|{'|'.join(['---'] * 3 + ['---:'] * 4)}|", flush=True)
    left_out = []
    for name in arguments.models:
        card = find_model(name)
        with tempfile.TemporaryDirectory() as folder:  # of one model: Enformer's drawn file is 1 GB
            for implementation in card.implementations:
                try:
                    print(row(card, implementation, Path(folder), arguments), flush=True)
                except LeftOut as reason:
                    left_out.append(f"{name}, {implementation}: {reason}")
    print("".join(f"\nleft out: {line}" for line in left_out))


class LeftOut(Exception):  # noqa: N818
    """Why an implementation has no row."""


def row(card: Card, implementation: str, folder: Path, arguments: argparse.Namespace) -> str:
    """One line of the table."""
    environment = card.implementation(implementation).environment
    python(environment)  # before weights are drawn for it
    files, drawn = weights(card, implementation, folder)
    job = {"model": card.name, "implementation": implementation, "files": files, "sequences": arguments.sequences}
    made = run(environment, {"task": "measure", "threads": arguments.threads, **job})
    source = DRAWN if drawn else PUBLISHED
    if 0 < len(drawn) < len(files):
        source += f" ({', '.join(sorted(set(files) - set(drawn)))}: published)"
    numbers = f"{made['sequences']} | {made['seconds']:.3g} | {made['peak']:.2f} | {made['load']:.1f}"
    return f"| {card.name} | {implementation} | {source} | {numbers} |"


def weights(card: Card, implementation: str, folder: Path) -> tuple[dict[str, str], list[str]]:
    """Weight files by the adapter's name, and the names of those that had to be drawn."""
    mirror = os.environ.get("PEXBENCH_MIRROR")
    if not mirror:
        raise LeftOut("PEXBENCH_MIRROR, the folder with published weights and golden files, is not set")
    files, drawn = {}, []
    for key, file in card.weights(implementation=implementation).items():
        path = next(Path(mirror).rglob(file), None)
        if path is None:
            path, rule = folder / file, next(Path(mirror).rglob("golden_weights.py"), None)
            told, environment = GOLDEN.get((card.name, key), (None, ""))
            if told is None or rule is None or not rule.with_name(told).is_file():
                raise LeftOut(f"{file} is not in the mirror, and nothing here draws one at full size")
            if not path.exists():  # of another implementation
                job = {"model": card.name, "key": key, "parameters": str(rule.with_name(told)), "out": str(path)}
                run(environment, {"task": "draw", "threads": 1, **job})
            drawn.append(key)
        files[key] = str(path)
    return files, drawn


def python(environment: str) -> Path:
    """The interpreter of an environment."""
    found = ROOT / ".venvs" / environment / "bin" / "python"
    if not found.exists():
        raise LeftOut(f"environment {environment} is not built: python3 workflow/bin/environments.py {environment}")
    return found


def run(environment: str, job: dict[str, Any]) -> dict[str, Any]:
    """Do a job in a fresh process of an environment."""
    count = str(job["threads"])
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), count)
    threads["TF_NUM_INTEROP_THREADS"] = "1"
    command = [python(environment), __file__, "--job", json.dumps(job)]
    done = subprocess.run(command, env={**os.environ, **threads}, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise LeftOut(f"to {job['task']} ended with exit status {done.returncode}: {last}")
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def draw(job: dict[str, Any]) -> dict[str, Any]:
    """Write a file of untrained weights at full size in the published layout."""
    told = Path(job["parameters"])
    spec = importlib.util.spec_from_file_location("golden_weights", told.with_name("golden_weights.py"))
    assert spec is not None
    assert spec.loader is not None
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    shapes = {name: entry["shape"] for name, entry in json.loads(told.read_text())["parameters"].items()}
    # Enformer's second names are written by its writer.
    first = {rule.canonical(name): shape for name, shape in shapes.items()}
    arrays = {name: np.ascontiguousarray(rule.value(name, shape)) for name, shape in first.items()}
    writer = importlib.import_module(f"{job['model']}_file")
    if job["key"] == "saved_model":
        writer.write_saved_model(Path(job["out"]), writer.saved_model(arrays, 393_216, 320))
        return {}
    getattr(writer, "write_beluga" if job["key"] == "beluga" else "write")(Path(job["out"]), arrays)
    return {}


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Load a model and time it on random sequences."""
    card = find_model(job["model"])
    begin = time.perf_counter()
    adapter = load_adapter(card, job["implementation"], {key: Path(path) for key, path in job["files"].items()})
    load = time.perf_counter() - begin
    codes = np.random.default_rng(1).integers(0, 4, (job["sequences"] or card.batch_size, card.input.length))
    codes = codes.astype(np.uint8)
    begin = time.perf_counter()
    adapter.predict(codes[:1])
    first = time.perf_counter() - begin
    count = job["sequences"] or min(max(round(SECONDS / first), 1), card.batch_size)
    begin = time.perf_counter()
    adapter.predict(codes[:count])
    seconds = (time.perf_counter() - begin) / count
    return {"sequences": count, "seconds": seconds, "peak": peak_memory_mb() / 1000, "load": load}


def processor() -> str:
    """What computes."""
    return f"{processor_name()}, {os.cpu_count()} CPUs"


if __name__ == "__main__":
    main()
