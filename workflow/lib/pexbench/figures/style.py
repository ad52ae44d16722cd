"""How figures look, and how they are written: the same bytes each time."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pexbench.files import published

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pexbench.figures import FigureData

# Okabe and Ito's blue and green: told apart by colour-blind readers, and the paper's two colours.
ACROSS_GENES = "#0072B2"
ACROSS_INDIVIDUALS = "#009E73"
CONTROL = "#8A8A8A"
INK = "#222222"
FAINT = "#767676"
RULE = "#D9D9D9"

SETTINGS: dict[str, object] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": True,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "text.color": INK,
    "text.parse_math": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    # Text stays text: it can be searched, and edited for a paper.
    "svg.fonttype": "none",
    "svg.hashsalt": "pexbench",
    "path.simplify": True,
}
METADATA: dict[str, dict[str, str | None]] = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": "pexbench"},
    "svg": {"Date": None, "Creator": "pexbench"},
    "png": {"Software": "pexbench"},
}
#: Inches: a journal's two columns (183 mm). Figures are drawn at the size they are printed at.
JOURNAL_WIDTH = 7.2
#: Points: no text is smaller.
SMALLEST = 6.0
TITLE_HEIGHT = 0.30
LINE_HEIGHT = 0.19
MARGIN = 0.16


@contextmanager
def applied() -> Iterator[None]:
    """The library's settings, on top of matplotlib's own defaults; the caller's come back at the end."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)  # type: ignore[arg-type]
        yield


def canvas(data: FigureData, title: str, width: float, height: float) -> tuple[Figure, float]:
    """A figure with its header: title, then the run's title and notes.

    Args:
        data: run title and notes are taken from it.
        title: one line.
        width: inches.
        height: inches below the header.

    Returns:
        The figure and its height below the header as a fraction of the whole: the ``top`` of the drawing.
    """
    # About 14 letters of the small and 10.5 of the large font fit into an inch.
    head = textwrap.wrap(title, int((width - 2 * MARGIN) * 10.5)) or [""]
    lines: list[str] = []
    for part in (data.run_title, *data.notes):
        lines += textwrap.wrap(part, int((width - 2 * MARGIN) * 14))
    header = MARGIN + TITLE_HEIGHT * len(head) + LINE_HEIGHT * len(lines) + 0.12
    whole = height + header
    figure = Figure(figsize=(width, whole))
    FigureCanvasAgg(figure)
    place = whole - MARGIN
    for line in head:
        figure.text(MARGIN / width, place / whole, line, fontsize=13, fontweight="bold", va="top")
        place -= TITLE_HEIGHT
    first = len(textwrap.wrap(data.run_title, int((width - 2 * MARGIN) * 14)))
    for number, line in enumerate(lines):
        colour = FAINT if number < first else "#A23B00"
        figure.text(MARGIN / width, place / whole, line, fontsize=9, color=colour, va="top")
        place -= LINE_HEIGHT
    return figure, height / whole


def zero_line(axes: Axes, vertical: bool = True) -> None:
    """A line at zero, behind the data."""
    draw = axes.axvline if vertical else axes.axhline
    draw(0, color=INK, linewidth=0.8, zorder=1)


def save(figure: Figure, stem: str | Path) -> list[Path]:
    """Write a figure as PDF, SVG and PNG, each whole or not at all, with the same bytes on every run.

    Args:
        figure: the figure.
        stem: path without suffix.

    Returns:
        The three paths.
    """
    paths = []
    with applied():
        for kind, metadata in METADATA.items():
            path = Path(f"{stem}.{kind}")
            with published(path) as aside:
                figure.savefig(aside, format=kind, metadata=metadata)
            paths.append(path)
    return paths


def number(value: float, decimals: int = 2) -> str:
    """A number with a proper minus sign and no minus zero."""
    if not np.isfinite(value):
        return "none"
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "\u2212")


def counted(count: int, one: str, many: str) -> str:
    """For example ``1 gene`` or ``3,259 genes``."""
    return f"{count:,} {one if count == 1 else many}"
