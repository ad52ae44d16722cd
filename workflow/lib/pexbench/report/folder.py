"""Write a report: pages that open from a folder, without network, and the landing text of Snakemake's report."""

from __future__ import annotations

import html
import json
import math
import shutil
import struct
from pathlib import Path

from pexbench import __version__
from pexbench.figures.style import counted, number
from pexbench.files import published, read_table
from pexbench.report import markup, rst, words
from pexbench.report.catalogue import GROUPS, INPUTS, PAGES, PERFORMANCE, figure_group
from pexbench.report.data import ReportData
from pexbench.report.markup import LONGEST, Section, link, paragraphs, text
from pexbench.report.methods import methods

#: Figure that the first page shows, else the first there is.
KEY_FIGURE = "fig1b_distributions"
KINDS = ("pdf", "svg", "png", "tsv")


def write_report(data: ReportData, folder: str | Path) -> list[Path]:
    """Write the pages of a run's report, with copies of its figures and tables, so that the folder can be sent on.

    Args:
        data: what it tells.
        folder: gets ``index.html``, ``figures.html``, ``tables.html``, a page per table, and ``landing.rst``, the text of
            Snakemake's report. What an earlier report left there is removed.

    Returns:
        The pages.
    """
    folder = Path(folder)
    for old in [*folder.glob("*.html"), *folder.glob("tables/*"), *folder.glob("figures/*")]:
        old.unlink()
    pages = {"index.html": _index(data), "figures.html": _figures(data), "tables.html": _tables(data)}
    for name, (title, _) in PAGES.items():
        pages[f"{name}.html"] = f"<h1>{text(title)}</h1>\n{_PAGES[name](data)}"
    for card, path in data.tables:
        pages[f"tables/{card.name}.html"] = _table(data, card.name)
        _copy(path, folder / "tables" / f"{card.name}.tsv")
    for figure in data.figures:
        for kind in KINDS:
            _copy(data.figure_folder / f"{figure.name}.{kind}", folder / "figures" / f"{figure.name}.{kind}")
    written = []
    for place, body in pages.items():
        heading = body.partition("<h1>")[2].partition("</h1>")[0]
        whole = markup.page(
            f"{html.unescape(heading)} - {data.title}", _run_line(data), body, place, NAVIGATION, _footer(data)
        )
        with published(folder / place) as aside:
            aside.write_text(whole, encoding="utf-8")
        written.append(folder / place)
    with published(folder / "landing.rst") as aside:
        aside.write_text(landing(data), encoding="utf-8")
    return written


NAVIGATION = {
    "index.html": "Answer",
    "figures.html": "Figures",
    "tables.html": "Tables",
    "methods.html": "Methods",
    "inputs.html": "Inputs",
    "performance.html": "Performance",
    "versions.html": "Versions",
}


def _run_line(data: ReportData) -> str:
    return f"pexbench, run {data.run}" + ("" if data.title == data.run else f": {data.title}")


def _footer(data: ReportData) -> str:
    return f"Made by pexbench {__version__} from the run's own files. Benchmark: {words.PAPER}."


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _notices(data: ReportData) -> str:
    said = words.notices(data)
    return f'<div class="notice">{paragraphs(said)}</div>' if said else ""


def _index(data: ReportData) -> str:
    parts = [
        f"<h1>{text(data.title)}</h1>",
        f'<p class="question">{text(words.question(data))}</p>',
        f'<div class="answer">{paragraphs(words.answer(data))}</div>',
        _notices(data),
        "<h2>Mean Spearman correlation, with 95 % interval</h2>",
        _means(data),
    ]
    names = [figure.name for figure in data.figures]
    key = KEY_FIGURE if KEY_FIGURE in names else "".join(names[:1])
    if key:
        parts.append(_figure(data, key, files=False))
        parts.append(f"<p>{link('figures.html', f'All {len(names)} figures')}, with tables of what they show.</p>")
    numbers = "".join(f"<div><b>{text(size)}</b><span>{text(noun)}</span></div>" for size, noun in words.facts(data))
    parts.append(f'<h2>What the run used</h2>\n<div class="facts">{numbers}</div>')
    parts.append(
        f"<p>{link('inputs.html', 'Inputs, and what was left out')}; {link('methods.html', 'how the numbers are made')}; "
        f"{link('tables.html', 'all tables')}; {link('performance.html', 'time and memory')}; "
        f"{link('versions.html', 'versions and checksums')}.</p>"
    )
    return "\n".join(parts)


def _means(data: ReportData) -> str:
    """The first table: a row per model, a column per axis."""
    classes = {axis: "people" if axis == "across_individuals" else "genes" for axis in words.AXES}
    head = "".join(f'<th scope="col" class="{classes[axis]}">{text(said)}</th>' for axis, said in words.AXES.items())
    lines = []
    for model in data.models:
        cells = []
        for axis in words.AXES:
            row = words.headline(data.summary, model, axis)
            if row is None:
                cells.append("<td></td>")
                continue
            mean, lower, upper = (number(row[name], 3) for name in ("mean", "lower", "upper"))
            known = math.isfinite(row["lower"]) and math.isfinite(row["upper"])
            bounds = f"{lower} to {upper}" if known else "no interval"
            cells.append(f"<td>{text(mean)}<br><small>{text(bounds)}</small></td>")
        lines.append(f'<tr><th scope="row">{text(data.label(model))}</th>{"".join(cells)}</tr>')
    return (
        f'<div class="wide"><table><thead><tr><th scope="col">model</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _figures(data: ReportData) -> str:
    parts, group = ["<h1>Figures</h1>"], ""
    for figure in data.figures:
        if figure_group(figure.paper) != group:
            group = figure_group(figure.paper)
            parts.append(f"<h2>{text(group)}</h2>")
        parts.append(_figure(data, figure.name))
    return "\n".join(parts)


def _figure(data: ReportData, name: str, files: bool = True) -> str:
    card = next(figure for figure in data.figures if figure.name == name)
    width, height = image_size(data.figure_folder / f"{name}.png")
    links = ""
    if files:
        kinds = {"pdf": "PDF", "svg": "SVG", "png": "PNG", "tsv": "numbers (TSV)"}
        links = (
            f'<br><span class="files">{"".join(link(f"figures/{name}.{k}", w) + " " for k, w in kinds.items())}</span>'
        )
    panel = f"{card.paper}. " if card.paper else ""
    return (
        f'<figure id="{text(name)}"><a href="figures/{text(name)}.png"><img src="figures/{text(name)}.png" '
        f'width="{width}" height="{height}" alt="{text(_sentence(card.title))} {text(card.caption)}"></a>'
        f"<figcaption><strong>{text(_sentence(panel + card.title))}</strong> {markup.linked(card.caption)}{links}</figcaption></figure>"
    )


def _sentence(words_: str) -> str:
    """Words with one mark at their end."""
    return words_ if words_.endswith(("?", "!", ".")) else f"{words_}."


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG in pixels, so that a page keeps its place while pictures load."""
    with open(path, "rb") as handle:
        head = handle.read(24)
    width, height = struct.unpack(">II", head[16:24])
    return int(width), int(height)


def _tables(data: ReportData) -> str:
    parts = ["<h1>Tables</h1>"]
    for group in GROUPS:
        cards = [card for card, _ in data.tables if card.group == group]
        if not cards:
            continue
        parts.append(f"<h2>{text(group)}</h2>")
        parts += [
            f"<h3>{link(f'tables/{card.name}.html', card.title)}</h3>"
            f"<p>{markup.linked(data.captions[card.caption])} {link(f'tables/{card.name}.tsv', 'TSV')}</p>"
            for card in cards
        ]
    parts.append("<h2>Numbers behind the figures</h2>")
    parts.append(
        "<p>" + ", ".join(link(f"figures/{figure.name}.tsv", figure.title) for figure in data.figures) + ".</p>"
    )
    return "\n".join(parts)


def _table(data: ReportData, name: str) -> str:
    card, path = next((card, path) for card, path in data.tables if card.name == name)
    frame = read_table(path)
    rows = counted(len(frame), "row", "rows")
    cut = f", of which the first {LONGEST} are shown" if len(frame) > LONGEST else ""
    whole = link(f"{card.name}.tsv", "the whole table as TSV")
    return (
        f"<h1>{text(card.title)}</h1>\n<p>{markup.linked(data.captions[card.caption])}</p>\n"
        f'<p>{rows}{cut}. A click on a heading sorts.<span class="outside"> {whole}.</span></p>\n'
        + (markup.table(frame) if len(frame) else "<p>The table is empty.</p>")
    )


def _methods_page(data: ReportData) -> str:
    return "\n".join(markup.section(part) for part in methods(data))


def _inputs_page(data: ReportData) -> str:
    names = [card for card, _ in data.tables if card.group == INPUTS]
    tables = "; ".join(link(f"tables/{card.name}.html", card.title) for card in names)
    body = "\n".join(markup.section(part) for part in words.inputs(data))
    return body + (f'\n<p class="outside">Tables: {tables}.</p>' if names else "")


def _versions_page(data: ReportData) -> str:
    body = "\n".join(markup.section(part) for part in words.versions(data))
    settings = json.dumps(data.settings, indent=2, sort_keys=True, ensure_ascii=False)
    return f"{body}\n<h2>Settings</h2>\n<pre>{text(settings)}</pre>"


def _performance_page(data: ReportData) -> str:
    shown = [(card, path) for card, path in data.tables if card.group == PERFORMANCE]
    if not shown:
        return "<p>The run computed no prediction itself, so that there is nothing to time.</p>"
    return "\n".join(
        f"<h2>{text(card.title)}</h2>\n<p>{markup.linked(data.captions[card.caption])}</p>\n"
        + markup.table(read_table(path))
        for card, path in shown
    )


_PAGES = {
    "methods": _methods_page,
    "inputs": _inputs_page,
    "versions": _versions_page,
    "performance": _performance_page,
}


def landing(data: ReportData) -> str:
    """The landing text of Snakemake's report, as reStructuredText."""
    facts = "; ".join(f"{size} {noun}" for size, noun in words.facts(data))
    left_out = words.inputs(data)[-1]
    first = [
        Section("", (words.question(data),)),
        Section("Answer", tuple(words.answer(data))),
        Section("Please note", tuple(words.notices(data))),
        Section("What the run used", (f"{facts}.",)),
        left_out,
    ]
    for frame in (read_table(path) for card, path in data.tables if card.name == "inference"):
        pairs = [
            (
                data.label(row["model"]),
                f"{float(row['hours']):.3g} hours"
                + (f", {float(rate):.3g} haplotypes/s" if (rate := row["haplotypes_per_second"]) else ""),
            )
            for row in frame.to_dict("records")
        ]
        first.append(Section("Performance", (), pairs))
    short = words.versions(data)[0]
    parts = [part for part in first if part.paragraphs or part.items]
    return rst.document(data.title, [*parts, *(part for part in methods(data) if part.title or part.paragraphs), short])
