"""Which names are safe: they become file names and command arguments."""

from __future__ import annotations

import re

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def valid_name(name: str) -> bool:
    """Whether a gene, sample, model or run name is safe as a file name and a command argument."""
    return bool(NAME.fullmatch(name))
