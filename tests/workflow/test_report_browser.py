"""Both reports of a finished run in a real browser: everything is reached, every picture loads, no script complains."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snakemake_runs import Clone

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.workflow
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ("quic", "gpu", "background-networking", "component-update", "sync")
ARGUMENTS = ["--headless", "--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in QUIET)]
#: What Snakemake's own assets say of themselves.
KNOWN = "cdn.tailwindcss.com should not be used in production"
#: Pictures that loaded have a natural width; those that did not are listed.
BROKEN = "Array.from(document.images).filter(i => !(i.complete && i.naturalWidth > 0)).map(i => i.src.slice(0, 99))"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not here: install Debian's package chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not in this environment")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that notes what scripts complain of, and every request that leaves the machine."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []
    tab.on("pageerror", lambda fault: complaints.append(f"script: {fault}"))
    tab.on("requestfailed", lambda request: complaints.append(f"not loaded: {request.url[:99]}"))
    tab.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
    tab.on(
        "console",
        lambda said: (
            complaints.append(said.text) if said.type in ("error", "warning") and KNOWN not in said.text else None
        ),
    )
    yield tab
    tab.close()
    assert complaints == []


@pytest.fixture(scope="module")
def folder(finished: Clone) -> Path:
    return finished.folder / "results" / "test" / "report"


@pytest.fixture(scope="module")
def snakemakes(finished: Clone) -> Path:
    """Snakemake's own report of the run; its wheel brings all scripts, so that it is made without network."""
    done = finished.run("--report", "report.html")
    if done.returncode != 0 and re.search("AssetDownloadError|Failed to download", done.stdout):
        pytest.skip("Snakemake's report wants scripts from the network here; the folder of pages is the way")
    assert done.returncode == 0, done.stdout
    return finished.folder / "report.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_of_the_folder_opens_and_fits(page: Page, folder: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((folder / "index.html").as_uri())
    waiting, seen = [page.url], set()
    while waiting:
        url = waiting.pop()
        if url in seen:
            continue
        seen.add(url)
        page.goto(url)
        assert page.title()
        assert page.evaluate(BROKEN) == [], url
        assert page.evaluate("document.documentElement.scrollWidth") <= width, url
        links = page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
        for target in links:
            if target.startswith("file:"):
                assert Path(target.removeprefix("file://")).exists(), target
        waiting += [target for target in links if target.startswith("file:") and target.endswith(".html")]
    assert {Path(url.removeprefix("file://")) for url in seen} == set(folder.rglob("*.html"))


def test_all_figures_of_the_run_are_shown(page: Page, folder: Path) -> None:
    page.goto((folder / "figures.html").as_uri())
    shown = page.eval_on_selector_all("figure img", "all => all.map(i => i.src.split('/').pop())")
    assert sorted(shown) == sorted(path.name for path in (folder.parent / "figures").glob("*.png"))
    assert len(shown) > 1


def test_a_click_on_a_heading_sorts_by_number(page: Page, folder: Path) -> None:
    page.goto((folder / "tables" / "scores_kmer_ridge.html").as_uri())
    place = page.locator("thead th").all_inner_texts().index("value")
    heading = page.locator("thead th").nth(place)
    heading.locator("button").click()
    values = [float(cell or "nan") for cell in column(page, place)]
    known = [value for value in values if value == value]
    assert known == sorted(known)
    assert len(known) > 50
    heading.locator("button").click()
    assert [value for value in (float(cell or "nan") for cell in column(page, place)) if value == value] == known[::-1]


def column(page: Page, place: int) -> list[str]:
    """Full values of a column, from top to bottom."""
    found: list[str] = page.eval_on_selector_all(
        f"tbody td:nth-child({place + 1})", "all => all.map(cell => cell.dataset.value)"
    )
    return found


def test_snakemakes_report_begins_with_the_answer(page: Page, snakemakes: Path) -> None:
    page.goto(snakemakes.as_uri())
    page.get_by_role("heading", name="Answer").wait_for()
    text = page.inner_text("#app")
    assert re.search(r"ranks? genes \(r -?[\d.]+ \[", text)
    assert "The cohort is simulated" in text
    top = page.get_by_role("heading", name="test").first.bounding_box()
    assert top is not None
    assert top["y"] >= 0, "the beginning of a long text is reached"


def test_everything_in_snakemakes_report_is_reached_by_clicks(page: Page, snakemakes: Path, folder: Path) -> None:
    page.goto(snakemakes.as_uri())
    results = page.evaluate("Object.fromEntries(Object.entries(results).map(([k, v]) => [k, v.mime_type]))")
    figures = {path for path in results if path.endswith(".png")}
    tables = {Path(path).name for path in results if "/report/tables/" in path}
    assert {Path(path).name for path in figures} == {path.name for path in (folder.parent / "figures").glob("*.png")}
    assert tables == {path.name for path in (folder / "tables").glob("*.html")}
    seen = []
    for category in page.evaluate("Object.keys(categories)"):
        page.goto(snakemakes.as_uri())
        page.get_by_role("link", name=category, exact=True).first.click()
        rows = page.locator("tbody tr")
        rows.first.wait_for()
        for number in range(rows.count()):
            eye = rows.nth(number).locator("a").first
            if eye.get_attribute("download"):
                assert (eye.get_attribute("href") or "").startswith("data:")
                seen.append("download")
                continue
            eye.click()
            seen.append(look(page))
    assert len(seen) == len(results)
    assert seen.count("picture") == len(figures)


def look(page: Page) -> str:
    """What a click opened: a picture that loaded, or a page with words."""
    place = page.locator("#app img[src^='data:image'], #app iframe").last
    place.wait_for()
    if place.evaluate("place => place.tagName") == "IMG":
        page.wait_for_function("Array.from(document.images).every(i => i.complete)")
        assert page.evaluate(BROKEN) == []
        return "picture"
    frame = place.element_handle().content_frame()
    assert frame is not None
    frame.wait_for_selector("h1")
    assert len(frame.inner_text("main")) > 50
    assert not frame.locator("nav").is_visible(), "links to neighbours lead nowhere from inside"
    return "page"
