"""Verbs for developers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pexbench.verbs import common


def write_schemas(arguments: argparse.Namespace) -> None:
    """Write the configuration's schema and table of keys from the typed settings."""
    from pexbench.schemas import write

    write(arguments.root)


def add(parsers: Any) -> None:
    """Add these verbs."""
    parser = common.verb(parsers, write_schemas)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[4], help="top of the clone")
