"""The page in a real browser: nothing overflows, every label is whole, on phone, desktop and paper.

Needs Debian's `chromium`, which Playwright drives; its own browsers are not downloaded.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.committed_reports import RESULTS
from bench.page import write_page
from bench.reports import read_report
from tests.needs import skip_for
from tests.report_rows import report_of_every_suite

CHROMIUM = shutil.which("chromium")
MISSING = [
    *(["no chromium (Debian's package chromium)"] if CHROMIUM is None else []),
    *(["no playwright (pip install playwright)"] if find_spec("playwright") is None else []),
]
pytestmark = skip_for(MISSING)

ARGUMENTS = [  # headless, also as root in a container, and silent on the network
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
SIZES = {"phone": (360, 740), "desktop": (1440, 900)}
WINDOWS = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]
SLACK_PX = 1  # boxes end on fractions of pixels

FAULTS = """slack => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > window.innerWidth)
    faults.push(`the page is ${root.scrollWidth} wide in a window of ${window.innerWidth}`);
  const visible = {left: 0, right: window.innerWidth, top: 0, bottom: Infinity};
  const holds = (outer, inner) => inner.left >= outer.left - slack &&
    inner.right <= outer.right + slack && inner.top + scrollY >= outer.top - slack;
  for (const text of document.querySelectorAll("svg text")) {
    const box = text.getBoundingClientRect();
    const figure = text.ownerSVGElement.getBoundingClientRect();
    if (!holds(figure, box) || box.bottom > figure.bottom + slack)
      faults.push(`cut off in a figure: ${text.textContent}`);
    if (parseFloat(getComputedStyle(text).fontSize) < 11)
      faults.push(`too small: ${text.textContent}`);
  }
  for (const each of document.querySelectorAll("h1, h2, h3, p, a, li, dt, dd, figcaption")) {
    if (each.scrollWidth > each.clientWidth + slack && each.clientWidth > 0)
      faults.push(`cut off: ${each.textContent.trim()}`);
    if (!holds(visible, each.getBoundingClientRect()))
      faults.push(`outside of the window: ${each.textContent.trim()}`);
  }
  for (const table of document.querySelectorAll("table")) {
    const style = getComputedStyle(table.parentElement);
    if (style.overflowX !== "auto") faults.push("a table without a box that scrolls");
  }
  for (const svg of document.querySelectorAll("svg")) {
    const title = svg.querySelector(":scope > title");
    if (!title || !title.textContent.trim() || !svg.getAttribute("aria-label"))
      faults.push("a figure without a title");
    if (svg.getBoundingClientRect().height < 20) faults.push(`flat: ${title.textContent}`);
  }
  return faults;
}"""

LOW_CONTRAST = """() => {
  const channels = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const luminance = text => {
    const [r, g, b] = channels(text).map(c => c / 255)
      .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = each => {
    for (let node = each; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const ratio = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const faults = [];
  const check = (each, colour, least) => {
    const found = ratio(colour, ground(each));
    if (found < least) faults.push(`${each.className.baseVal ?? each.className} ${found}`);
  };
  for (const each of document.querySelectorAll("h1, h1 span, h2, h3, p, a, b, td, th, dt, dd, li"))
    check(each, getComputedStyle(each).color, 4.5);
  for (const each of document.querySelectorAll("svg text"))
    check(each, getComputedStyle(each).fill, 4.5);
  for (const each of document.querySelectorAll("svg rect, svg circle"))
    check(each, getComputedStyle(each).fill, 3);
  return [...new Set(faults)];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of every suite, and of the committed reports."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    committed = [read_report(str(report)) for report in sorted(RESULTS.glob("*/*.json"))]
    write_page([report_of_every_suite(), *committed], path)
    return path


@pytest.fixture(scope="module", params=WINDOWS, ids="-".join)
def page(request: pytest.FixtureRequest, browser: object, page_file: Path) -> Iterator[object]:
    """The page, open in a window of one size and scheme; no address but its own is asked for."""
    size, scheme = request.param
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    opened = context.new_page()
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(page_file.as_uri())
    yield opened
    assert asked == [page_file.as_uri()]
    context.close()


def test_nothing_overflows_and_every_label_is_whole(page: object) -> None:
    assert page.locator("svg").count() > 10
    assert page.evaluate(FAULTS, SLACK_PX) == []


def test_a_label_that_is_too_long_is_found(page: object) -> None:
    label = page.locator("svg text").first
    text = label.text_content()
    label.evaluate("(label, text) => { label.textContent = text; }", "x" * 300)
    found = page.evaluate(FAULTS, SLACK_PX)
    label.evaluate("(label, text) => { label.textContent = text; }", text)
    assert any("cut off in a figure: xxx" in fault for fault in found)


def test_texts_and_shapes_stand_out_from_their_ground(page: object) -> None:
    assert page.evaluate(LOW_CONTRAST) == []


def test_the_picture_is_of_the_scheme_asked_for(page: object, tmp_path: Path) -> None:
    from PIL import Image

    page.screenshot(path=tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as picture:
        corner = picture.convert("L").getpixel((2, 2))
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert corner < 60 if is_dark else corner > 230


def test_on_paper_no_table_is_cut_and_the_ground_is_white(browser: object, page_file: Path) -> None:
    a4_px = (720, 1000)  # its printable width at 96 dpi
    context = browser.new_context(
        viewport={"width": a4_px[0], "height": a4_px[1]}, color_scheme="dark"
    )
    opened = context.new_page()
    opened.goto(page_file.as_uri())
    opened.emulate_media(media="print", color_scheme="dark")
    widths = opened.evaluate("[...document.querySelectorAll('table')].map(t => t.offsetWidth)")
    ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()
    assert max(widths) <= a4_px[0]
    assert ground == "rgb(255, 255, 255)"
