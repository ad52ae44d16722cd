"""How time was spent: counted gene by gene with a model that is not there, and put together over shards."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pexbench.haplotypes import Cohort
from pexbench.incremental import from_letters
from pexbench.models.work import Work
from pexbench.performance import Progress, gather


class Fake:
    """Counts 100 multiply-adds for a sequence; its ledger is written by the test."""

    def __init__(self) -> None:
        self.card, self.work = SimpleNamespace(name="fake"), Work()
        self.counted: list[np.ndarray] = []

    def plain_multiply_adds(self, codes: np.ndarray) -> int:
        self.counted.append(codes)
        return 100

    def device_facts(self) -> dict[str, object]:
        return {"device_name": "a device", "threads": 3, "peak_device_memory_mb": 7.5}


def cohort(people: int = 3) -> Cohort:
    """Two distinct sequences beside the reference."""
    reference = np.array([0, 1, 2, 3], np.uint8)
    sequences, _ = from_letters(
        reference, np.array([1, 2]), np.array([[3, 2], [1, 0]], np.uint8), np.empty((0, 4), np.uint8)
    )
    index = np.resize(np.array([1, 2, 1]), (people, 2)).astype(np.int64)
    return Cohort(tuple(f"P{i}" for i in range(people)), sequences, index)


def test_a_shard_gene_by_gene(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pexbench.predict")
    adapter: Any = Fake()
    progress = Progress(adapter, genes=2, method="incremental")
    adapter.work.share("trunk", 5, 30)
    adapter.work.multiply_adds += 250
    progress.gene("FIRST", cohort(), 2)
    adapter.work.share("trunk", 4, 30)
    adapter.work.share("window", 3, 3)
    adapter.work.multiply_adds += 50
    adapter.work.batch("trunk", 4)
    progress.gene("SECOND", cohort(), 2)
    assert [codes.tolist() for codes in adapter.counted] == [[[0, 1, 2, 3]]]  # the reference, once
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("FIRST (1 of 2 genes): 2 distinct of 6 haplotypes, ")
    assert lines[1].startswith("SECOND (2 of 2 genes): 2 distinct of 6 haplotypes, ")
    assert all("haplotypes/s, expected end 20" in line for line in lines)
    made = progress.summary("float32")
    assert (made["model"], made["precision"]) == ("fake", "float32")
    assert (made["genes"], made["haplotypes"], made["distinct_haplotypes"]) == (2, 12, 4)
    # Each of three sequences has ten pieces: 6 haplotypes have 60 of them, in either gene.
    assert made["pieces"] == {"trunk": {"distinct": 9, "of": 120}, "window": {"distinct": 3, "of": 6}}
    assert made["batches"] == {"trunk": 4}
    assert made["multiply_adds"] == 300
    assert made["multiply_adds_plain"] == 100 * (12 + 2)  # everyone's two and the reference of each gene
    assert made["device_name"] == "a device"
    assert made["peak_memory_mb"] > 10
    json.dumps(made)


def test_the_plain_way_does_all_its_work() -> None:
    progress = Progress(Fake(), genes=1, method="plain")  # type: ignore[arg-type]
    progress.gene("G", cohort(), 2)
    made = progress.summary("float32")
    assert made["multiply_adds"] == made["multiply_adds_plain"] == 700


def test_no_gene() -> None:
    made = Progress(Fake(), genes=0, method="incremental").summary("float32")  # type: ignore[arg-type]
    assert (made["genes"], made["haplotypes"], made["multiply_adds_plain"], made["pieces"]) == (0, 0, 0, {})


def shard(path: Path, **changes: Any) -> Path:
    facts = {
        "method": "incremental", "precision": "float32", "genes": 2, "haplotypes": 100, "distinct_haplotypes": 20,
        "pieces": {"trunk": {"distinct": 5, "of": 200}}, "batches": {}, "multiply_adds": 10**12,
        "multiply_adds_plain": 4 * 10**12, "seconds": 1800.0, "peak_memory_mb": 50.0, "device_name": "cpu A",
        "threads": 1, "peak_device_memory_mb": 0.0,
    }  # fmt: skip
    path.write_text(json.dumps({**facts, **changes}))
    return path


def test_gather(tmp_path: Path) -> None:
    first = shard(tmp_path / "a.json")
    second = shard(
        tmp_path / "b.json", genes=1, haplotypes=300, distinct_haplotypes=30, multiply_adds=10**12,
        pieces={"trunk": {"distinct": 15, "of": 600}, "block": {"distinct": 1, "of": 2}}, peak_memory_mb=80.0,
        multiply_adds_plain=16 * 10**12, device_name="cpu B",
    )  # fmt: skip
    uncounted = shard(tmp_path / "c.json", multiply_adds=0, multiply_adds_plain=0, pieces={}, precision="bf16")
    empty = shard(tmp_path / "d.json", genes=0, haplotypes=0, distinct_haplotypes=0, seconds=0.0)
    table = gather({"one": [first, second], "other": [uncounted], "nothing": [empty]}).set_index("model")
    one = table.loc["one"]
    assert (one["shards"], one["genes"], one["haplotypes"]) == (2, 3, 400)
    assert one["distinct_share"] == pytest.approx(50 / 400)
    assert one["pieces"] == "block 50.00%, trunk 2.50%"
    assert one["multiply_adds_1e12"] == pytest.approx(2)
    assert one["avoided_share"] == pytest.approx(1 - 2 / 20)
    assert one["hours"] == pytest.approx(1)
    assert one["haplotypes_per_second"] == pytest.approx(400 / 3600)
    assert one["peak_memory_mb"] == 80
    assert (one["method"], one["precision"], one["devices"]) == ("incremental", "float32", "cpu A; cpu B")
    assert np.isnan(table.loc["other", "avoided_share"])
    assert np.isnan(table.loc["other", "multiply_adds_1e12"])
    assert table.loc["other", "precision"] == "bf16"
    assert np.isnan(table.loc["nothing", "distinct_share"])
    assert np.isnan(table.loc["nothing", "haplotypes_per_second"])


def test_peak_memory_grows() -> None:
    """In a process of its own: the peak of this one may be another test's."""
    program = (
        "import numpy as np\n"
        "from pexbench.performance import peak_memory_mb\n"
        "before = peak_memory_mb()\n"
        "block = np.ones(30_000_000)\n"
        "print(peak_memory_mb() - before)\n"
    )
    library = Path(__file__).resolve().parents[2] / "workflow" / "lib"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(library)}, capture_output=True, text=True, check=True
    )
    assert 200 < float(done.stdout) < 300, "an array of 240 MB"
