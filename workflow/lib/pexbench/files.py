"""Writing files whole: each is made under a temporary name beside its place, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd


@contextmanager
def published(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` when the block ends without an error.

    Args:
        path: the final place; its folder is made if absent. The temporary name keeps the suffixes,
            because several writers choose the format by suffix.

    Yields:
        The temporary path to write to. It is removed when the block raises.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two nodes of a cluster may give their processes the same number.
    aside = path.with_name(f".tmp-{platform.node()}-{os.getpid()}-{path.name}")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as tab-separated text (``.tsv``) or Parquet (``.parquet``), whole or not at all.

    Floats are written in full (they read back exactly); a missing value is an empty field.
    """
    with published(path) as aside:
        if Path(path).suffix == ".parquet":
            table.to_parquet(aside, index=False, compression="zstd")
        else:
            table.to_csv(aside, sep="\t", index=False, lineterminator="\n")


def read_table(path: str | Path, **columns: Any) -> pd.DataFrame:
    """Read a tab-separated table; ids stay text (a sample may be called 001, a gene NA).

    Args:
        path: tab-separated file with one header line.
        **columns: dtype by column for those that are not text.
    """
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, na_filter=False)
    for column, dtype in columns.items():
        if column in table:
            values = table[column]
            if dtype in (float, "float32", "float64"):
                # Not pd.to_numeric, which is off by a last bit in some numbers.
                table[column] = values.replace("", "nan").astype(dtype)
            elif dtype is bool:
                table[column] = values == "True"
            else:
                table[column] = values.astype(dtype)
    return table


def write_json(value: Any, path: str | Path) -> None:
    """Write JSON with sorted keys, whole or not at all."""
    with published(path) as aside:
        aside.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text())


def checksum(path: str | Path, algorithm: str = "sha256") -> str:
    """Hex digest of a file's bytes.

    Args:
        path: the file.
        algorithm: any name ``hashlib`` knows, for example ``sha256`` or ``md5``.
    """
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, algorithm).hexdigest()
