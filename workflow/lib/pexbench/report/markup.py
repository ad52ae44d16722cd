"""HTML of the report: a page's frame, tables, text. Everything from outside is escaped here."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import pandas as pd

FOLDER = Path(__file__).resolve().parent
#: Rows of a table that a page shows; more make it slow to open, and nobody reads them.
LONGEST = 400
ADDRESS = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:)]")


@dataclass(frozen=True)
class Section:
    """A piece of text that is written as HTML and as reStructuredText.

    Attributes:
        title: heading; empty for none.
        paragraphs: plain text; addresses in it become links.
        items: pairs of a term and what it stands for.
    """

    title: str
    paragraphs: Sequence[str] = ()
    items: Sequence[tuple[str, str]] = ()


def text(value: object) -> str:
    """Any value as HTML text, safe inside an element and inside a quoted attribute."""
    return html.escape(str(value), quote=True)


def linked(value: str) -> str:
    """Plain text as HTML, with its web addresses as links."""
    parts, end = [], 0
    for found in ADDRESS.finditer(value):
        parts += [text(value[end : found.start()]), link(found[0], found[0].removeprefix("https://"))]
        end = found.end()
    return "".join([*parts, text(value[end:])])


def link(target: str, words: str) -> str:
    """A link."""
    return f'<a href="{text(target)}">{text(words)}</a>'


def paragraphs(values: Iterable[str]) -> str:
    """Plain texts as paragraphs."""
    return "\n".join(f"<p>{linked(value)}</p>" for value in values)


def items(pairs: Iterable[tuple[str, str]]) -> str:
    """Terms and what they stand for."""
    return (
        '<dl class="list">'
        + "".join(f"<dt>{text(term)}</dt><dd>{linked(value)}</dd>" for term, value in pairs)
        + "</dl>"
    )


def section(part: Section, level: int = 2) -> str:
    """A section as HTML."""
    head = f"<h{level}>{text(part.title)}</h{level}>\n" if part.title else ""
    return head + paragraphs(part.paragraphs) + (f"\n{items(part.items)}" if part.items else "")


def page(title: str, run: str, body: str, here: str, pages: Mapping[str, str], footer: str) -> str:
    """A whole page with its style and script inside, so that it also opens by itself.

    Args:
        title: shown by the browser.
        run: line above the navigation.
        body: HTML.
        here: the page's path inside the report's folder.
        pages: heading of each page of the navigation by path.
        footer: plain text.
    """
    up = "../" * here.count("/")
    nav = " ".join(
        f'<a href="{text(up + place)}"{" aria-current=" + chr(34) + "page" + chr(34) if place == here else ""}>'
        f"{text(words)}</a>"
        for place, words in pages.items()
    )
    return Template((FOLDER / "page.html").read_text()).substitute(
        title=text(title),
        run=text(run),
        nav=nav,
        body=body,
        footer=linked(footer),
        style=(FOLDER / "style.css").read_text(),
        script=(FOLDER / "sort.js").read_text(),
    )


def table(frame: pd.DataFrame, limit: int = LONGEST) -> str:
    """The first rows of a table of text, numbers to four digits, the full number behind each for sorting.

    Args:
        frame: all columns text, as ``files.read_table`` gives them; empty where a value is missing.
        limit: most rows.
    """
    numeric = {column for column in frame.columns if is_numeric(frame[column])}
    head = "".join(
        f'<th{_kind(column, numeric)} scope="col"><button type="button">{text(str(column).replace("_", " "))}</button></th>'
        for column in frame.columns
    )
    lines = []
    for row in frame.head(limit).itertuples(index=False):
        cells = []
        for column, value in zip(frame.columns, row, strict=True):
            if column in numeric:
                cells.append(f'<td class="number" data-value="{text(value)}">{text(rounded(value))}</td>')
            else:
                wide = ' class="note"' if len(str(value)) > 40 else ""
                cells.append(f"<td{wide}>{linked(str(value))}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(lines)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _kind(column: object, numeric: set[str]) -> str:
    return ' class="number"' if column in numeric else ""


def is_numeric(column: pd.Series) -> bool:
    """Whether every value of a column of text that is there is a number, and some are."""
    there = [value for value in column if value != ""]
    return bool(there) and all(_number(value) is not None for value in there)


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def rounded(value: str) -> str:
    """A number as people read it: whole numbers as they are, others to four digits, a true minus sign.

    Args:
        value: a number as text; empty for a missing one.
    """
    number = _number(value)
    if number is None or not math.isfinite(number):
        return value
    shown = f"{number:,.0f}" if re.fullmatch(r"-?\d+", value) else f"{number:.4g}"
    # Years and positions: a thousands separator helps neither to copy nor to read a number of four digits.
    shown = shown.replace(",", "") if len(value.lstrip("-")) <= 4 else shown
    return shown.replace("-", "\N{MINUS SIGN}") if "e" not in shown else shown
