"""The one exception for faults a user can mend."""

from __future__ import annotations

from collections.abc import Iterable


class InputError(Exception):
    """A fault in inputs or settings, told in one sentence: where, what was found, what is allowed, how to mend it.

    The command line prints the sentence without a traceback and exits with status 1.
    """


def listing(names: Iterable[object], limit: int = 5) -> str:
    """The first names of many, as text for an error sentence.

    Args:
        names: anything with a readable ``str``.
        limit: how many to spell out.

    Returns:
        For example ``"a, b, c and 7 more"``.
    """
    every = [str(name) for name in names]
    shown = ", ".join(every[:limit])
    return shown if len(every) <= limit else f"{shown} and {len(every) - limit} more"
