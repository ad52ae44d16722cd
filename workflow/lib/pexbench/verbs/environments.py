"""Verb that looks at the environment it runs in."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from pexbench.verbs import common

LOG = logging.getLogger("pexbench.environments")


def check_environment(arguments: argparse.Namespace) -> None:
    """Compare this environment's packages with their pins; look for the GPU that was promised."""
    from pexbench import environment as checks

    pins = checks.read_pins(arguments.pins)
    found = checks.check_environment(arguments.environment, pins)
    gpus = None if arguments.device == "cpu" else checks.seen_gpus(list(pins))
    checks.check_gpu(arguments.environment, arguments.device, gpus)
    LOG.info("%s: %d packages as pinned; GPUs: %s", arguments.environment, len(found), ", ".join(gpus or []) or "none")
    # Imported late: it needs packages, which are known to be the right ones only now.
    from pexbench.files import write_json

    write_json({"environment": arguments.environment, "versions": found}, arguments.output)


def add(parsers: Any) -> None:
    """Add this verb."""
    parser = common.verb(parsers, check_environment)
    parser.add_argument("--environment", required=True, help="its name, for messages")
    parser.add_argument("--pins", type=Path, required=True, help="envs/NAME.yaml")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--output", type=Path, required=True, help="JSON: the versions found")
