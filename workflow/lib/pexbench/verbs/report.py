"""Verb of the report."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from pexbench.verbs import common

LOG = logging.getLogger("pexbench.report")


def write_report(arguments: argparse.Namespace) -> None:
    """Write the report of a finished run as a folder of pages, and the text of Snakemake's report."""
    from pexbench.report.data import read_report
    from pexbench.report.folder import write_report as write

    data = read_report(
        arguments.run_folder,
        arguments.tables,
        arguments.figures,
        arguments.captions,
        title=arguments.title,
        labels=common.pairs(arguments.labels, "--labels"),
        notes=arguments.notes,
    )
    pages = write(data, arguments.output)
    LOG.info("%s (%d pages)", pages[0], len(pages))


def add(parsers: Any) -> None:
    """Add this verb."""
    parser = common.verb(parsers, write_report)
    parser.add_argument("--run-folder", type=Path, required=True, help="results/RUN")
    parser.add_argument("--tables", type=Path, nargs="*", default=[], help="tables of the run that are shown")
    parser.add_argument("--figures", nargs="*", default=[], help="names of figures, in their order")
    parser.add_argument("--captions", type=Path, required=True, help="folder of captions, workflow/report")
    parser.add_argument("--title", required=True)
    parser.add_argument("--labels", nargs="*", default=[], help="name=readable name")
    parser.add_argument("--notes", nargs="*", default=[], help="remarks on the run")
    parser.add_argument("--output", type=Path, required=True, help="folder")
