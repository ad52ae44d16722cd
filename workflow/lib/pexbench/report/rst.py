"""The same text as reStructuredText that Snakemake renders: marks escaped, no template code from outside."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pexbench.report.markup import ADDRESS, Section

#: Snakemake centres this text upright: of one that is longer than the window, the beginning could not be reached.
STYLE = """
.. raw:: html

   <style>.h-screen.overflow-auto { align-items: flex-start; } .prose h1 { font-size: 1.6rem; line-height: 1.2; }</style>
"""
MARKS = re.compile(r"([\\*`_|<>\[\]:])")


def plain(value: str) -> str:
    """Text that docutils and Jinja both leave as it is; addresses stay links."""
    parts, end = [], 0
    for found in ADDRESS.finditer(value):
        parts += [_escaped(value[end : found.start()]), _no_template(found[0])]
        end = found.end()
    return "".join([*parts, _escaped(value[end:])])


def _escaped(value: str) -> str:
    escaped = MARKS.sub(r"\\\1", re.sub(r"\s+", " ", value))
    # A line that begins like a list, a heading or a directive is none.
    if re.match(r"\s*([-+#=~.^\"']|\d+[.)]|[A-Za-z][.)])", escaped):
        escaped = "\\" + escaped.lstrip()
    return _no_template(escaped)


def _no_template(value: str) -> str:
    return value.replace("{", "{{ '{' }}")


def heading(value: str, mark: str = "-") -> str:
    """A heading."""
    shown = plain(value)
    return f"{shown}\n{mark * max(len(shown), 4)}\n"


def document(title: str, parts: Iterable[Section]) -> str:
    """A document of sections."""
    lines = [heading(title, "=")]
    for part in parts:
        if part.title:
            lines.append(heading(part.title))
        lines += [f"{plain(value)}\n" for value in part.paragraphs]
        lines += [f"* {plain(term)}: {plain(value)}" for term, value in part.items]
        lines.append("")
    return "\n".join([*lines, STYLE])
