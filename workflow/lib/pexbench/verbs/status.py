"""Verb that says how far a run is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pexbench.verbs import common


def status(arguments: argparse.Namespace) -> None:
    """Say how many shards of each model are done, running, failed (with the log's last line), and the expected end."""
    import json
    from datetime import datetime

    from pexbench.errors import InputError, listing
    from pexbench.status import active_jobs, lines, run_status

    records = sorted(arguments.results.glob("*/run.json"))
    known = [path.parent.name for path in records]
    chosen = [path for path in records if arguments.run_name in (None, path.parent.name)]
    if not chosen:
        asked = f"run {arguments.run_name!r}" if arguments.run_name else "any run"
        raise InputError(
            f"{arguments.results}: {asked} not found; {listing(known) or 'none'} has been started there; start it, or "
            "correct the name."
        )
    jobs = active_jobs()
    for path in chosen:
        found = run_status(path.parent, json.loads(path.read_text()), jobs)
        sys.stdout.writelines(f"{line}\n" for line in lines(path.parent.name, found, datetime.now()))


def add(parsers: Any) -> None:
    """Add this verb."""
    parser = common.verb(parsers, status)
    parser.add_argument("--run", dest="run_name", help="name of the run (default: all)")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the runs")
