"""Shared computation against the plain path, on real haplotypes, on the CPU, in float32.

    export PEXBENCH_MIRROR=DATA
    python benchmarks/incremental.py plain        [--models M ...] [--people 358] [--sample N] [--genes N]
    python benchmarks/incremental.py cohort-size  [--models M ...] [--sizes 10 50 100 200 358]
    python benchmarks/incremental.py memory       [--models M ...] [--people 358] [--simulated 5000] [--whole]
    python benchmarks/incremental.py export OUT.npz [--models M ...] [--people 358]

Run it with the Python of the environment ``dev`` (``.venvs/dev/bin/python``). Haplotypes: biallelic SNPs of the people
with genotypes and measured expression, in windows around real TSSs that lie where genotypes are complete. Weights:
published ones where PEXBENCH_MIRROR holds them, else drawn at random, untrained, at full size, into --weights-folder,
which is used again. ``plain`` compares speed and predictions; ``cohort-size`` counts what more people cost;
``memory`` measures peaks in fresh processes; ``export`` writes haplotypes and small published weights for
``incremental_gpu.py``, which runs where nothing but numpy and PyTorch is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "lib"))

import incremental_common as common
import incremental_memory
import incremental_plain
import incremental_size
import torch
from incremental_export import export


def main() -> None:
    """Run one of the benchmarks."""
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--job"]:  # in a process of its own
        print(json.dumps(incremental_memory.measure(json.loads(sys.argv[2]))))
        return
    arguments = parse()
    with tempfile.TemporaryDirectory() as scratch:
        real = common.Real(Path(scratch))
        folder = arguments.weights_folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if arguments.what == "plain":
            incremental_plain.run(real, folder, arguments)
        elif arguments.what == "cohort-size":
            incremental_size.run(real, folder, arguments)
        elif arguments.what == "memory":
            incremental_memory.run(real, folder, arguments)
        else:
            export(real, arguments)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
    made = {name: commands.add_parser(name) for name in ("plain", "cohort-size", "memory", "export")}
    default = {"memory": ("xpresso", "expecto", "basenji2")}
    for name, command in made.items():
        command.add_argument("--models", nargs="+", choices=common.MODELS, default=default.get(name, common.MODELS))
        command.add_argument("--weights-folder", type=Path, help="drawn weights are kept here and found again")
        command.add_argument("--people", type=int, default=358)
    made["plain"].add_argument("--sample", type=int, help="haplotypes for the plain side; else by model")
    made["plain"].add_argument("--genes", type=int, help="genes; else all for Xpresso, 1 for the others")
    made["cohort-size"].add_argument("--sizes", type=int, nargs="+", default=[10, 50, 100, 200, 358])
    made["cohort-size"].add_argument(
        "--timed", type=int, nargs="+", help="sizes that are also run and timed; else by model"
    )
    made["memory"].add_argument("--simulated", type=int, default=5000, help="simulated people")
    made["memory"].add_argument("--few", type=int, default=10, help="people of the smallest point")
    made["memory"].add_argument("--whole", action="store_true", help="Basenji2 whole too, on real people")
    made["export"].add_argument("out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
