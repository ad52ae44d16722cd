"""Shared computation against the original implementations, run haplotype by haplotype as the original code does.

    PEXBENCH_MIRROR=DATA .venvs/dev/bin/python benchmarks/original.py [--models M ...] [--people 358] [--sample N]

What stands for the original, each in a fresh process of its own environment, one thread:

- xpresso: the authors' file, loaded and run by Keras 2 (tf_keras) on TensorFlow;
- basenji2: the network built layer by layer in Keras 2 as the original library does: the whole trunk, all
  passes (the head for the bins that are read only);
- enformer: a TensorFlow SavedModel with the interface and size of DeepMind's (393,216 bp in, all tracks out);
- expecto: no TensorFlow: the original runs Beluga in PyTorch, so the same network over 200 windows of one haplotype on
  both strands, in batches of 1,024 windows as the original script does (all 200 at once), no sharing.

The sampled haplotypes pass one at a time, the time is scaled to all haplotypes. The shared side is this project's
PyTorch adapter in this process, one thread, for all haplotypes at once; for Enformer its trunk for all and its
transformer on the sample, scaled to all distinct haplotypes. CPU seconds; loading and a first prediction are not timed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "lib"))

import numpy as np

MODELS = ("xpresso", "expecto", "basenji2", "enformer")
#: Haplotypes that pass through the original.
SAMPLE = {"xpresso": 50, "expecto": 3, "basenji2": 3, "enformer": 3}
STANDS = {
    "xpresso": "published file, Keras 2 on TensorFlow",
    "expecto": "Beluga in PyTorch, all 200 windows of one haplotype at once",
    "basenji2": "Keras 2 on TensorFlow, whole trunk, 6 passes",
    "enformer": "SavedModel (drawn) on TensorFlow, 393,216 bp, all tracks",
}
#: ExPecto's original predicts so many windows in a batch; a haplotype has 200, so they go in at once.
WINDOWS = 1024


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["--job"]:  # in a process of its own, with nothing but the model's framework
        print(json.dumps(original(json.loads(sys.argv[2]))))
        return
    import torch

    torch.set_num_threads(1)
    import incremental_common as common

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--people", type=int, default=358)
    parser.add_argument("--sample", type=int, help="haplotypes for the original side; else by model")
    parser.add_argument("--weights-folder", type=Path, help="drawn weights are kept here and found again")
    arguments = parser.parse_args()
    common.header("Shared computation against the original implementations, haplotype by haplotype")
    rows: list[list[object]] = []
    apart: list[list[object]] = []
    left_out = []
    with tempfile.TemporaryDirectory() as scratch:
        real, folder = common.Real(Path(scratch)), arguments.weights_folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for model in arguments.models:
            try:
                row, compared = one(common, real, model, folder, Path(scratch), arguments)
            except common.full_size.LeftOut as reason:
                left_out.append(f"{model}: {reason}")
                common.log(left_out[-1])
                continue
            rows.append(row)
            apart.append(compared)
    columns = ("model", "original side", "weights", "gene", "people", "haplotypes", "distinct", "n")
    common.table([*columns, "original s/haplotype", "wall", "shared s, all", "ratio"], rows, words=4)
    columns = ("model", "gene", "compared", "largest difference", "size", "SD between people", "difference / size")
    common.table([*columns, "difference / SD", "Spearman", "pairs in opposite order"], apart)
    print(__doc__.split("\n\n", 2)[2].strip() if __doc__ else "")
    print("\nDifference / SD: for Enformer the SD between the sampled haplotypes, else between people.\n")
    print("".join(f"left out: {line}\n" for line in left_out))


def one(common: Any, real: Any, model: str, folder: Path, scratch: Path, arguments: Any) -> tuple[list[Any], list[Any]]:
    """Both sides of one model."""
    import incremental_plain as plain

    adapter, _ = common.loaded(model, folder)
    card = adapter.card
    implementation = "original" if "original" in card.implementations else "torch"
    environment = card.implementations[implementation].environment
    gene = real.some(card, 1)[0]
    cohort = real.cohort(card, gene, arguments.people)
    count = arguments.sample or SAMPLE[model]
    chosen = common.sampled(cohort, count)
    files, words = common.weight_files(model, folder, implementation)
    data = scratch / "haplotypes.npy"
    np.save(data, cohort.sequences.codes(np.concatenate([[0], chosen])))
    job = {"model": model, "implementation": implementation, "data": str(data)}
    common.log(f"{model}: original side on {len(chosen)} haplotypes")
    done = common.run_job(__file__, environment, job | {"files": {key: str(path) for key, path in files.items()}})
    common.log(f"{model}: {done['cpu']:.3g} s per haplotype; shared side")
    exact = np.array(done["values"], np.float32)
    if model == "enformer":
        (_, whole) = plain.enformer(adapter, words, gene, cohort, count)  # the same sample, by the same seed
        shared, fast, spread, size = whole.shared, whole.fast, whole.spread, whole.size
        words += "; shared side: " + whole.note
    else:
        common.warm_up(adapter, gene, cohort)
        with common.clock() as spent:
            every = adapter.predict_haplotypes(gene.gene_id, cohort.sequences)
        shared, fast, spread = spent.cpu, every[chosen], plain.spread(every, cohort)
        size = float(np.abs(every).mean())
    counts = plain.counted(cohort)
    ratio = done["cpu"] * counts[1] / shared
    common.log(f"{model}: original {done['cpu']:.3g} s each, shared {shared:.4g} s, x{ratio:.1f}")
    speeds = [f"{done['cpu']:.4g}", f"{done['wall']:.4g}", f"{shared:.4g}", f"{ratio:.1f}"]
    difference = float(np.abs(exact.astype(np.float64) - fast).max())
    ranks, opposite = plain.spearman(exact, fast)
    over = f"{difference / spread:.1e}" if spread else "-"
    sizes = [f"{difference:.2g}", f"{size:.4g}", f"{spread:.3g}", f"{difference / size:.1e}", over]
    return (
        [model, STANDS[model], words, gene.gene_id, *counts, len(chosen), *speeds],
        [model, gene.gene_id, len(chosen), *sizes, f"{ranks:.6f}", opposite],
    )


def original(job: dict[str, Any]) -> dict[str, Any]:
    """Haplotypes through the original, one at a time, in this process; the first one is not timed."""
    from pexbench.models import find_model, load_adapter

    card, model = find_model(job["model"]), job["model"]
    files = {key: Path(path) for key, path in job["files"].items()}
    options = {"window_batch": WINDOWS} if model == "expecto" else {}
    adapter = load_adapter(card, job["implementation"], files, options=options)
    if model == "expecto":
        import torch

        torch.set_num_threads(1)
    first, *sample = np.load(job["data"])[:, None]
    adapter.predict(first)
    cpu, wall = time.process_time(), time.perf_counter()
    values = [float(adapter.predict(codes)[0]) for codes in sample]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"values": values, "cpu": cpu / len(sample), "wall": wall / len(sample)}


if __name__ == "__main__":
    main()
