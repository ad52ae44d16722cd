"""How figures look, and how they are written: at the size they are printed at, the same bytes each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from pexbench.files import published

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

    from pexbench.figures import FigureData

# Colours of Okabe and Ito, told apart by colour-blind readers; blue across genes and green across individuals are the
# paper's.
ACROSS_GENES = "#0072B2"
ACROSS_INDIVIDUALS = "#009E73"
CONTROL = "#8A8A8A"
INK = "#222222"
FAINT = "#6B6B6B"
RULE = "#D9D9D9"
WARNING = "#A23B00"
#: 0, 1 and 2 copies of an allele: light to dark, so that they also differ in print without colour.
GENOTYPES = ("#E69F00", "#C04A00", "#3A1300")
#: Models that share a panel: colour and marker, in the order of the run's models.
MODEL_COLOURS = ("#D55E00", "#0072B2", "#CC79A7", "#009E73", "#E69F00", "#56B4E9", "#000000")
MODEL_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")

#: Inches: a journal's two columns (183 mm). Figures are drawn at the size they are printed at.
JOURNAL_WIDTH = 7.2
#: Inches: the highest figure that fits on a page with its legend.
JOURNAL_HEIGHT = 9.5
#: Points: no text is smaller.
SMALLEST = 6.0
#: Points: remarks and numbers, labels of axes, headings of panels, the title.
SMALL = 6.0
TEXT = 7.0
HEADING = 8.0
TITLE = 9.0
SUPERSCRIPT = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")

SETTINGS: dict[str, object] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": TEXT,
    "axes.titlesize": HEADING,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    "axes.labelsize": TEXT,
    "axes.labelpad": 2.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": True,
    "grid.color": RULE,
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.0,
    "lines.markersize": 3,
    "patch.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.handletextpad": 0.4,
    "legend.borderaxespad": 0.2,
    "text.color": INK,
    "text.parse_math": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 300,
    # TrueType, so that a journal's editor finds letters, not outlines.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
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
#: Inches: lines of the header, and the white around a figure.
TITLE_LINE = 0.17
LINE = 0.125
MARGIN = 0.08


@contextmanager
def applied() -> Iterator[None]:
    """The library's settings, on top of matplotlib's own defaults; the caller's come back at the end."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)  # type: ignore[arg-type]
        yield


def text_width(text: str, size: float = TEXT, bold: bool = False) -> float:
    """Width of one line of text as printed.

    Args:
        text: one line.
        size: points.
        bold: whether it is bold.

    Returns:
        Inches.
    """
    font = FontProperties(family=["DejaVu Sans"], size=size, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def wrapped(text: str, width: float, size: float = TEXT, bold: bool = False) -> list[str]:
    """Text broken into lines that fit, measured, not counted; a word that is too long is broken itself.

    Args:
        text: words.
        width: inches.
        size: points.
        bold: whether it is bold.

    Returns:
        At least one line.
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if text_width(longer, size, bold) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while text_width(word, size, bold) > width and len(word) > 1:
            fits = max(
                1, next(k for k in range(len(word), 0, -1) if k == 1 or text_width(word[:k], size, bold) <= width)
            )
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line] if line or not lines else lines


def shortened(text: str, width: float, size: float = TEXT, bold: bool = False) -> str:
    """Text that fits into a width (inches), its end replaced by an ellipsis where it is too long."""
    if text_width(text, size, bold) <= width:
        return text
    while text and text_width(text + "\u2026", size, bold) > width:
        text = text[:-1]
    return text.rstrip() + "\u2026"


def canvas(data: FigureData, title: str, width: float, height: float) -> Figure:
    """A figure with its header: title, then the run's title and notes.

    Args:
        data: run title and notes are taken from it.
        title: one line.
        width: inches; :data:`JOURNAL_WIDTH` for a figure of its own.
        height: inches below the header; at most about :data:`JOURNAL_HEIGHT` less half an inch.

    Returns:
        The figure. In inches from the lower left corner, as :func:`panel` and :func:`say` take them, the drawing
        reaches from 0 to ``height``.
    """
    inside = width - 2 * MARGIN
    head = wrapped(title, inside, TITLE, bold=True)
    about = wrapped(data.run_title, inside) if data.run_title else []
    notes = wrapped(" \u00b7 ".join(data.notes), inside) if data.notes else []
    header = MARGIN + TITLE_LINE * len(head) + LINE * (len(about) + len(notes)) + 0.08
    whole = height + header
    figure = Figure(figsize=(width, whole))
    FigureCanvasAgg(figure)
    place = whole - MARGIN
    for lines, size, weight, colour, step in (
        (head, TITLE, "bold", INK, TITLE_LINE),
        (about, TEXT, "normal", FAINT, LINE),
        (notes, TEXT, "normal", WARNING, LINE),
    ):
        for line in lines:
            say(figure, MARGIN, place, line, fontsize=size, fontweight=weight, color=colour, va="top")
            place -= step
    return figure


def panel(figure: Figure, left: float, bottom: float, width: float, height: float, **options: Any) -> Axes:
    """Axes in a figure, placed in inches from its lower left corner."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((left / wide, bottom / high, width / wide, height / high), **options)


def say(figure: Figure, x: float, y: float, text: str, **options: Any) -> Text:
    """Text in a figure, placed in inches from its lower left corner."""
    wide, high = figure.get_size_inches()
    return figure.text(x / wide, y / high, text, **options)


def in_words(data: FigureData, title: str, sentence: str) -> Figure:
    """A figure that says in words why there is nothing to draw.

    Args:
        data: run title and notes are taken from it.
        title: of the figure.
        sentence: what is missing and how to get it.
    """
    with applied():
        lines = wrapped(sentence, JOURNAL_WIDTH - 0.9, HEADING)
        height = 0.45 + 0.15 * len(lines)
        figure = canvas(data, title, JOURNAL_WIDTH, height)
        axes = panel(figure, 0.3, 0.12, JOURNAL_WIDTH - 0.6, height - 0.2, xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color(RULE)
        axes.text(
            *(0.5, 0.5, "\n".join(lines)),
            transform=axes.transAxes,
            ha="center",
            va="center",
            fontsize=HEADING,
            color=FAINT,
            linespacing=1.3,
        )
        return figure


def model_style(data: FigureData, model: str) -> tuple[str, str]:
    """Colour and marker of a model wherever models share a panel, the same in every figure of a run.

    Args:
        data: its models and controls in their order.
        model: one of them.

    Returns:
        A colour and a matplotlib marker; controls are grey.
    """
    place = data.models.index(model)
    marker = MODEL_MARKERS[place % len(MODEL_MARKERS)]
    if model in data.controls:
        return CONTROL, marker
    drawn = [name for name in data.models if name not in data.controls]
    return MODEL_COLOURS[drawn.index(model) % len(MODEL_COLOURS)], marker


def genotype_colours(dosage: npt.ArrayLike) -> list[str]:
    """Colour of each person by copies of an allele.

    Args:
        dosage: float [S], 0 .. 2, NaN where unknown; rounded to whole copies.

    Returns:
        S colours of :data:`GENOTYPES`, grey where unknown.
    """
    copies = np.asarray(dosage, dtype=np.float64)
    return [GENOTYPES[int(min(max(np.rint(value), 0), 2))] if np.isfinite(value) else CONTROL for value in copies]


def zero_line(axes: Axes, vertical: bool = True) -> None:
    """A line at zero, behind the data."""
    draw = axes.axvline if vertical else axes.axhline
    draw(0, color=INK, linewidth=0.6, zorder=1)


def frame(axes: Axes, colour: str) -> None:
    """All four sides of a panel, in the colour of its question."""
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(colour)
    axes.spines[:].set_linewidth(0.8)


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


def exponent_of(largest: float) -> int:
    """The power of ten that stands in a label; 0 for numbers that read well as they are."""
    if not largest > 0:
        return 0
    found = int(np.floor(np.log10(largest)))
    return found if found < -1 or found > 3 else 0


def power_of(exponent: int) -> str:
    """For example ``10⁻³``."""
    return f"10{str(exponent).translate(SUPERSCRIPT)}"


def probability(p: float) -> str:
    """A p value as text, for example ``p = 0.03`` or ``p = 4e-12``."""
    if not np.isfinite(p):
        return "p not known"
    if p == 0:
        return "p < 1e\u2212300"
    return f"p = {p:.2g}".replace("-", "\u2212")


def counted(count: int, one: str, many: str) -> str:
    """For example ``1 gene`` or ``3,259 genes``."""
    return f"{count:,} {one if count == 1 else many}"


def listed(words: Sequence[str]) -> str:
    """For example ``a``, ``a and b`` or ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
