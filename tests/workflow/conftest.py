"""One complete run, shared by the tests that only look at it or plan from it."""

from __future__ import annotations

import pytest

from snakemake_runs import Clone, make_clone


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which the test configuration has run to its end."""
    clone = make_clone(tmp_path_factory.mktemp("finished") / "clone")
    done = clone.run()
    assert done.returncode == 0, done.stdout
    return clone
