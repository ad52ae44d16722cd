"""Fixtures and the words in which skipped tests are told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Top of the clone."""
    return ROOT


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder with real data and published weights; tests that need it are skipped without."""
    given = os.environ.get("PEXBENCH_MIRROR")
    if not given:
        pytest.skip("real data absent: set PEXBENCH_MIRROR to a folder that holds the files of config/resources.tsv")
    folder = Path(given).resolve()
    if not folder.is_dir():
        pytest.fail(f"PEXBENCH_MIRROR={given}: no such folder")
    return folder
