"""What a run was made from."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pexbench import __version__
from pexbench.files import checksum, read_json

FORMAT_VERSION = 1


def describe_run(
    settings: Mapping[str, Any], inputs: str | Path, weights: Sequence[str | Path], environments: str | Path
) -> dict[str, Any]:
    """Settings, checksums and versions behind a run's tables.

    Args:
        settings: the scientific settings.
        inputs: ``inputs.json`` that ``check_inputs`` wrote; it holds the checksums of the inputs.
        weights: weight files.
        environments: folder of environment files; the pins in them are the versions used.

    Returns:
        A dictionary without times or paths of the machine, so that the same run gives the same bytes.
    """
    counts = read_json(inputs)
    return {
        "format_version": FORMAT_VERSION,
        "pexbench": __version__,
        "python": platform.python_version(),
        "bcftools": counts.get("bcftools"),
        "settings": settings,
        "inputs_sha256": counts.get("sha256", {}),
        "weights_sha256": {Path(path).name: checksum(path) for path in weights},
        "environments": {path.stem: _pins(path) for path in sorted(Path(environments).glob("*.yaml"))},
    }


def _pins(path: Path) -> list[str]:
    """Pinned packages of an environment file."""
    return re.findall(r"^\s*-\s*([A-Za-z0-9_.-]+={1,2}[^\s#]+)", path.read_text(), flags=re.MULTILINE)
