"""How the time of a prediction job was spent: shared pieces, multiply-adds, speed, memory; and words on the way."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pexbench.files import read_json

if TYPE_CHECKING:
    from pexbench.haplotypes import Cohort
    from pexbench.models.base import Adapter

LOG = logging.getLogger("pexbench.predict")


class Progress:
    """Keeps count while the genes of a shard are predicted, and says how far it is."""

    def __init__(self, adapter: Adapter, genes: int, method: str) -> None:
        """Start the clock.

        Args:
            adapter: the model; its ledger of work is read.
            genes: number of genes of the shard.
            method: ``incremental`` or ``plain``.
        """
        self._adapter, self._genes, self._method = adapter, genes, method
        self._started = time.monotonic()
        self._done = self._haplotypes = self._distinct = 0
        self._pieces: dict[str, list[float]] = {}
        self._per_sequence: int | None = None
        self._counting = 0.0

    def gene(self, label: str, cohort: Cohort, distinct: int) -> None:
        """Count a gene, and log how far the shard is and when it will end.

        Args:
            label: the gene's readable name.
            cohort: its sequences.
            distinct: number of different sequences among people's haplotypes.
        """
        if self._per_sequence is None:
            # One plain pass of the first reference tells what the shared computation is to be measured by.
            begin = time.monotonic()
            self._per_sequence = self._adapter.plain_multiply_adds(cohort.sequences.codes(np.zeros(1, np.int64)))
            self._counting = time.monotonic() - begin
        here = cohort.index.size
        self._done, self._haplotypes, self._distinct = (
            self._done + 1,
            self._haplotypes + here,
            self._distinct + distinct,
        )
        for stage, (computed, total) in self._adapter.work.pieces.items():
            sums = self._pieces.setdefault(stage, [0, 0])
            sums[0] += computed
            # The model knows distinct sequences only; each stands for several haplotypes.
            sums[1] += total / len(cohort.sequences) * max(here, 1)
        self._adapter.work.pieces.clear()
        seconds = self._seconds()
        left = seconds / self._done * (self._genes - self._done)
        end = datetime.now().astimezone() + timedelta(seconds=left)
        LOG.info(
            "%s (%d of %d genes): %d distinct of %d haplotypes, %.3g haplotypes/s, expected end %s",
            label,
            self._done,
            self._genes,
            distinct,
            here,
            self._haplotypes / max(seconds, 1e-9),
            end.strftime("%Y-%m-%d %H:%M"),
        )

    def summary(self, precision: str) -> dict[str, object]:
        """What ``performance.json`` holds; see :func:`gather` for the meaning of its numbers."""
        seconds, work = self._seconds(), self._adapter.work
        each = self._per_sequence or 0
        plain = each * (self._haplotypes + self._done)
        done = plain if self._method == "plain" else work.multiply_adds
        return {
            "model": self._adapter.card.name,
            "method": self._method,
            "precision": precision,
            "genes": self._done,
            "haplotypes": self._haplotypes,
            "distinct_haplotypes": self._distinct,
            "pieces": {name: {"distinct": int(a), "of": round(b)} for name, (a, b) in self._pieces.items()},
            "batches": dict(work.batches),
            "multiply_adds": done,
            "multiply_adds_plain": plain,
            "seconds": round(seconds, 3),
            "peak_memory_mb": round(peak_memory_mb(), 1),
            **self._adapter.device_facts(),
        }

    def _seconds(self) -> float:
        """Time spent so far, without the pass that only counts."""
        return time.monotonic() - self._started - self._counting


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB (1e6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage also counts what the parent held when it started this process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def gather(shards: Mapping[str, Sequence[str | Path]]) -> pd.DataFrame:
    """Put the performance of all shards of some models together.

    Args:
        shards: ``performance.json`` files by model of the run.

    Returns:
        One row per model: ``shards``, ``genes``, ``haplotypes``; ``distinct_share`` of them that are different, and
        ``pieces``, the share of each stage's pieces that was computed; ``multiply_adds`` done (1e12) and
        ``avoided_share``, the share of the plain path's that was not done (empty where the framework does not count);
        ``hours`` summed over shards, ``haplotypes_per_second``, ``peak_memory_mb`` and ``peak_device_memory_mb`` of the
        largest shard, ``method``, ``precision``, ``devices``.
    """
    rows = []
    for model, paths in shards.items():
        parts: list[dict[str, Any]] = [read_json(path) for path in paths]
        seconds, haplotypes = _sum(parts, "seconds"), _sum(parts, "haplotypes")
        done, plain = _sum(parts, "multiply_adds"), _sum(parts, "multiply_adds_plain")
        stages = sorted({stage for part in parts for stage in part["pieces"]})
        shares = []
        for stage in stages:
            found = [part["pieces"][stage] for part in parts if stage in part["pieces"]]
            shares.append(f"{stage} {_sum(found, 'distinct') / max(_sum(found, 'of'), 1):.2%}")
        rows.append(
            {
                "model": model,
                "shards": len(parts),
                "genes": int(_sum(parts, "genes")),
                "haplotypes": int(haplotypes),
                "distinct_share": _sum(parts, "distinct_haplotypes") / haplotypes if haplotypes else float("nan"),
                "pieces": ", ".join(shares),
                "multiply_adds_1e12": done / 1e12 if plain else float("nan"),
                "avoided_share": 1 - done / plain if plain else float("nan"),
                "hours": seconds / 3600,
                "haplotypes_per_second": haplotypes / seconds if seconds else float("nan"),
                "peak_memory_mb": max(part["peak_memory_mb"] for part in parts),
                "peak_device_memory_mb": max(part["peak_device_memory_mb"] for part in parts),
                "method": ", ".join(sorted({part["method"] for part in parts})),
                "precision": ", ".join(sorted({part["precision"] for part in parts})),
                "devices": "; ".join(sorted({part["device_name"] for part in parts})),
            }
        )
    return pd.DataFrame(rows)


def _sum(parts: Sequence[dict[str, Any]], key: str) -> float:
    return float(sum(part[key] for part in parts))
