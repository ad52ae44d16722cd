"""Pages of a report: everything linked is there, nothing from outside is taken for markup."""

from __future__ import annotations

import json
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pexbench.errors import InputError
from pexbench.figures import figures
from pexbench.report import markup, rst, words
from pexbench.report.catalogue import caption_text, card_of
from pexbench.report.data import ReportData, read_report
from pexbench.report.folder import write_report
from pexbench.report.methods import methods
from pexbench.scores.summary import COLUMNS

NASTY = """<script>alert(1)</script> & "quotes" 'single' {{ 7 * 7 }} {% raw %} *star* `tick` |bar| _under_"""
SHOWN = ("fig1b_distributions", "calibration")


class Reader(HTMLParser):
    """Collects what a page links to, its pictures, its words, and complains about elements left open."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.scripts = 0
        self.feed(page.read_text())
        assert self.open == [], f"{page}: not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "a":
            self.links.append(found["href"] or "")
        if tag == "img":
            self.images.append(found)
        self.scripts += tag == "script"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)


def png(path: Path, width: int = 4, height: int = 3) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\xff" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def summary_row(model: str, axis: str, mean: float, lower: float, upper: float, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS, 0)
    metric = "across_individuals" if axis == "across_individuals" else "across_genes"
    row |= {"model": model, "metric": metric, "axis": axis, "statistic": "spearman", "note": ""}
    return row | {"mean": mean, "lower": lower, "upper": upper, "n_units": 50} | more


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder as the workflow leaves it, with hostile texts wherever a text can be chosen."""
    folder = tmp_path / "results" / "demo"
    for part in ("figures", "inputs", "scores", "benchmarks"):
        (folder / part).mkdir(parents=True)
    rows = [
        summary_row("net", "across_genes_reference", 0.57, 0.5, 0.63),
        summary_row(
            "net",
            "across_individuals",
            -0.01,
            -0.05,
            0.04,
            n_significant_positive=3,
            n_significant_negative=4,
            note=NASTY,
        ),
        summary_row("elastic_net", "across_individuals", 0.28, 0.2, 0.3, n_significant_positive=21),
        summary_row("shuffled", "across_individuals", 0.0, float("nan"), float("nan")),
    ]
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(folder / "summary.tsv", sep="\t", index=False)
    scores = pd.DataFrame({"unit_id": [f"G{n}" for n in range(500)], "value": np.linspace(-1, 1, 500), "note": NASTY})
    scores.to_csv(folder / "scores" / "net.tsv", sep="\t", index=False)
    pd.DataFrame({"kind": ["gene"], "id": [NASTY], "count": [1], "reason": ["no <sequence>"]}).to_csv(
        folder / "inputs" / "dropped.tsv", sep="\t", index=False
    )
    settings = {
        "title": NASTY,
        "seed": 3,
        "simulation": {"people": 40},
        "models": {"net": {"card": "xpresso", "note": NASTY, "table": None}},
        "baselines": ["elastic_net"],
        "controls": ["shuffled"],
        "variants": {"flank": 98304, "indels": False, "multiallelics": False},
        "elastic_net": {"min_maf": 0.05, "l1_ratio": 0.5, "inner_folds": 5, "outer_folds": 4},
        "scores": {"bootstrap": 777},
    }
    provenance = {
        "settings": settings,
        "pexbench": "1",
        "python": "3",
        "bcftools": "1.2",
        "inputs_sha256": {"a.fa": "00"},
        "weights_sha256": {},
        "environments": {"base": ["numpy==1"]},
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))
    counts = {
        "people": 421,
        "genes": 3259,
        "genes_asked": 3300,
        "genes_personal": 3000,
        "variants_used": 12345,
        "genes_with_expression_across_individuals": 3259,
        "genes_with_expression_across_genes": 3259,
        "dropped": {"gene: " + NASTY: 41},
    }
    (folder / "inputs" / "inputs.json").write_text(json.dumps(counts))
    (folder / "haplotype_checks.json").write_text(json.dumps({"compared": 20, "different": 0, "applied": 7}))
    for name in SHOWN:
        png(folder / "figures" / f"{name}.png", 40, 30)
        for kind in ("pdf", "svg", "tsv"):
            (folder / "figures" / f"{name}.{kind}").write_text("x")
    return folder


def read(run: Path, root: Path, **changes: Any) -> ReportData:
    tables = [run / "scores" / "net.tsv", run / "inputs" / "dropped.tsv", run / "summary.tsv"]
    given: dict[str, Any] = {"title": NASTY, "labels": {"net": NASTY}, "notes": [f"not run: {NASTY}"]} | changes
    return read_report(run, given.pop("tables", tables), SHOWN, root / "workflow" / "report", **given)


@pytest.fixture
def report(run: Path, root: Path) -> Path:
    write_report(read(run, root), run / "report")
    return run / "report"


def pages(report: Path) -> list[Path]:
    return sorted(report.rglob("*.html"))


def test_every_link_leads_to_a_file_of_the_folder_or_to_a_source(report: Path) -> None:
    for page in pages(report):
        for target in Reader(page).links:
            if target.startswith("https://doi.org/"):
                continue
            assert ":" not in target, target
            assert (page.parent / target).resolve().is_relative_to(report.resolve())
            assert (page.parent / target).exists(), (page, target)


def test_every_page_table_and_figure_is_reached_from_the_first(report: Path) -> None:
    seen: set[Path] = set()
    waiting = [report / "index.html"]
    while waiting:
        page = waiting.pop().resolve()
        if page not in seen:
            seen.add(page)
            if page.suffix == ".html":
                waiting += [page.parent / target for target in Reader(page).links if ":" not in target]
    assert {path.resolve() for path in report.rglob("*") if path.is_file() and path.suffix != ".rst"} == seen


def test_figures_have_size_words_and_their_files(report: Path) -> None:
    images = Reader(report / "figures.html").images
    assert [image["src"] for image in images] == [f"figures/{name}.png" for name in SHOWN]
    for image in images:
        assert (image["width"], image["height"]) == ("40", "30")
        card = figures()[Path(image["src"] or "").stem].card
        assert card.caption in (image["alt"] or "")
    links = Reader(report / "figures.html").links
    assert {f"figures/{name}.{kind}" for name in SHOWN for kind in ("pdf", "svg", "png", "tsv")} <= set(links)


def test_nothing_from_outside_is_markup(report: Path) -> None:
    for page in pages(report):
        assert "<script>alert" not in page.read_text(), page
        assert Reader(page).scripts == 1, page
    assert NASTY in "".join(Reader(report / "index.html").words)
    assert NASTY in "".join(Reader(report / "tables" / "dropped.html").words)


def test_pages_ask_for_nothing_outside(report: Path) -> None:
    for page in pages(report):
        text = page.read_text()
        for mark in ("@import", "url(", '<link rel="stylesheet', ' src="http', "<iframe"):
            assert mark not in text, (page, mark)


def test_the_answer_names_models_readably_and_leaves_controls_out(run: Path, root: Path, report: Path) -> None:
    said = words.answer(read(run, root, labels={"net": "Net"}))
    assert [sentence.split(" ")[0] for sentence in said] == ["Net", "elastic"]
    assert "0.570 [0.500, 0.630]" in said[0]
    assert "does not rank people (mean r -0.010 [-0.050, 0.040])" in said[0]
    assert "0.280 [0.200, 0.300]" in said[1]
    # Names stay as they are written.
    assert words.answer(read(run, root, labels={"net": "scBasset"}))[0].startswith("scBasset ")
    # Two models of one name stay two.
    both = words.answer(read(run, root, labels={"net": "One", "elastic_net": "One"}))
    assert [sentence.split(" ")[0] for sentence in both] == ["net", "elastic_net"]
    shown = "".join(Reader(report / "index.html").words)
    assert "0.280 [0.200, 0.300]" in shown


def test_a_mean_without_an_interval_says_so(report: Path) -> None:
    shown = "".join(Reader(report / "index.html").words)
    assert "0.000no interval" in shown
    assert "nan" not in shown.lower()


def test_long_tables_are_cut_and_say_so(report: Path) -> None:
    page = Reader(report / "tables" / "scores_net.html")
    text = "".join(page.words)
    assert "500 rows, of which the first 400 are shown" in text
    assert "G399" in text
    assert "G400" not in text
    assert len((report / "tables" / "scores_net.tsv").read_text().splitlines()) == 501


def test_methods_tell_the_runs_own_settings(run: Path, root: Path) -> None:
    told = " ".join(line for part in methods(read(run, root)) for line in part.paragraphs)
    for number in ("98,304", "777 bootstrap", "seed 3", "5 inner folds", "4 outer folds"):
        assert number in told
    assert "Top SNP" not in told
    assert "Reference only" not in told


def test_an_earlier_reports_pages_go(report: Path, run: Path, root: Path) -> None:
    write_report(read(run, root, tables=[run / "summary.tsv"]), report)
    assert not (report / "tables" / "scores_net.html").exists()
    assert "scores_net" not in (report / "tables.html").read_text()


def test_checks_of_an_earlier_run_with_genotypes_are_not_told(run: Path, root: Path) -> None:
    assert read(run, root).checks is not None
    place = run / "inputs" / "inputs.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"genotypes": False}))
    assert read(run, root).checks is None


def test_an_unknown_table_is_refused(run: Path, root: Path) -> None:
    with pytest.raises(InputError, match=r"report/catalogue\.py"):
        read(run, root, tables=[run / "other.tsv"])


def test_landing_text_is_rst_without_template_code(report: Path) -> None:
    """As Snakemake renders it: Jinja, then docutils; both live in its environment, the marks are looked at here."""
    text = (report / "landing.rst").read_text()
    assert "{{ 7" not in text.replace("{{ '{' }}", "")
    assert "{%" not in text.replace("{{ '{' }}", "")
    assert r"\`tick\`" in text
    assert "https://doi.org/10.1111/j.2517-6161.1995.tb02031.x" in text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        *(("0", "0"), ("421", "421"), ("2019", "2019"), ("86388451", "86,388,451"), ("0.00061992", "0.0006199")),
        *(("-0.5", "\N{MINUS SIGN}0.5"), ("1e-12", "1e-12"), ("", ""), ("nan", "nan"), ("0.12345678", "0.1235")),
    ],
)
def test_numbers_as_people_read_them(given: str, shown: str) -> None:
    assert markup.rounded(given) == shown


def test_captions_exist_for_every_place(root: Path) -> None:
    for place in ("summary.tsv", "scores/a.tsv", "variant_effects/a.genes.tsv", "benchmarks/inference.tsv"):
        assert len(caption_text(root / "workflow" / "report", card_of(place).caption)) > 30


def test_headings_of_rst_are_underlined_in_full() -> None:
    title, mark = rst.heading("Größe: a *b*").splitlines()
    assert len(mark) >= len(title)
