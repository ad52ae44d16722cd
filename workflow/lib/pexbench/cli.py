"""The command line: ``python -m pexbench VERB ...``, one verb behind each rule.

Verbs live in :mod:`pexbench.verbs`, grouped by stage. Each is a function with plain arguments, usable by hand.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import pkgutil
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from pexbench import __version__, verbs
from pexbench.errors import InputError

LOG = logging.getLogger("pexbench")


def parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    top = argparse.ArgumentParser(prog="pexbench", description="Personal expression benchmark: one verb per stage.")
    top.add_argument("--version", action="version", version=f"pexbench {__version__}")
    top.add_argument("--log", type=Path, help="file that gets the messages as well, with tracebacks")
    parsers = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for module in sorted(pkgutil.iter_modules(verbs.__path__), key=lambda found: found.name):
        importlib.import_module(f"{verbs.__name__}.{module.name}").add(parsers)
    return top


def configure_logging(verb: str, file: Path | None) -> None:
    """Messages to stderr and, with times, to a file."""
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    LOG.handlers.clear()
    screen = logging.StreamHandler(sys.stderr)
    screen.setFormatter(logging.Formatter(f"[{verb}] %(message)s"))
    LOG.addHandler(screen)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        written = logging.FileHandler(file, mode="w")
        written.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        LOG.addHandler(written)
        # Read by the verb 'status', to tell a running job from one that was killed.
        written.emit(LOG.makeRecord(LOG.name, logging.INFO, __file__, 0, beginning(), (), None))


def beginning() -> str:
    """The first line of a log: where the job runs."""
    job = os.environ.get("SLURM_JOB_ID")
    return f"started on {platform.node()}, process {os.getpid()}" + (f", SLURM job {job}" if job else "")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb; a fault in the inputs is one sentence and exit status 1."""
    given = parser().parse_args(arguments)
    configure_logging(given.verb, given.log)
    try:
        given.run(given)
    except InputError as fault:
        LOG.error("%s", fault)
        sys.exit(1)
    except Exception:
        LOG.exception("%s failed; this is a fault of the program, please report it with these lines", given.verb)
        sys.exit(2)
