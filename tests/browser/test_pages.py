"""Our pages in a real browser: they need nothing, fit any screen, and are reached by keyboard."""

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from models.judging.mistakes_found import Contrast, Mistake
from models.judging.partial_dependence import Dependence
from models.leakage.finding import Audit, Check, Finding
from models.leakage.origin import Origin
from pipeline.evaluate import evaluate
from pipeline.insights import Insights
from pipeline.monitor import monitor
from pipeline.plots_dependence import dependence_picture
from pipeline.report.audit import audit_section
from pipeline.report.mistakes import mistakes_section
from pipeline.report.monitor import write_monitor_page
from pipeline.report.page import Fold, Matrix, Number, Page, Picture, Section, Square, Text
from pipeline.report.render import render
from pipeline.settings import load
from tests.browser.reader import read
from tests.conftest import silent
from tests.pipeline.test_monitor import as_of, write_nights

WHERE = ("chromium", "google-chrome", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, WHERE)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
LONG = "a_name_without_end_" * 20 + "$x^{$"
ONE_FOLD = "evaluation: {n_bootstrap: 2, backtest: {folds: 1, min_positives: 5}}"
PAGES = ("training", "evaluation", "monitoring", "hostile")
SIZES = ((390, 844), (1440, 900))


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def pages(demo, shop, tmp_path_factory) -> dict[str, Path]:
    """By name: what a training, an evaluation and `monitor` write, and a page of hostile names."""
    folder = tmp_path_factory.mktemp("pages")
    for name in ("events.csv", "users.csv"):
        shutil.copyfile(shop.folder / name, folder / name)
    text = (shop.folder / "settings.yaml").read_text()
    settings = folder / "settings.yaml"
    settings.write_text(text.replace("evaluation: {n_bootstrap: 20}", ONE_FOLD))
    run = load(settings)
    evaluated = evaluate(run, silent)
    write_nights(run, range(58, 100, 3))
    monitored = write_monitor_page(run, monitor(run, silent, as_of=as_of(100)))
    hostile = folder / "hostile.html"
    hostile.write_text(render(hostile_page()), encoding="utf-8")
    return {
        "training": demo.training.report,
        "evaluation": evaluated.report,
        "monitoring": monitored,
        "hostile": hostile,
    }


def hostile_page() -> Page:
    """Names as events, settings and accounts could have them, through the sections' functions."""
    dependence = Dependence(
        EVIL, EVIL, (EVIL, LONG, None), (0.1, 0.2, 0.3), (0.0, 0.1, 0.2), (0.2, 0.3, 0.4),
        "mixed", 0.5, f"{EVIL} {LONG}", "", 0.0,
    )  # fmt: skip
    mistake = Mistake(EVIL, LONG, "2024-06-17", 0.3, EVIL, (EVIL, LONG), (EVIL,))
    contrast = Contrast("false positives", 1, 2, (), 0, EVIL)
    quality = None  # What the section on mistakes does not read.
    found = Insights((dependence,), (mistake,), (), (contrast,), quality)
    origin = Origin("event", EVIL)
    finding = Finding(LONG, "fail", origin, EVIL, LONG)
    wrong = mistakes_section(found)
    assert wrong is not None
    picture = Picture(dependence_picture(dependence, "dependence-1", 0.5), EVIL, LONG)
    square = Square(EVIL, LONG, EVIL, 4)
    matrix = Matrix(EVIL, [LONG, EVIL], [EVIL], [[square, square]])
    blocks = [Text(f"{EVIL} `{EVIL}` {LONG}"), picture, matrix, Fold(LONG, [Text(EVIL)])]
    return Page(
        title=f"{EVIL}{LONG}",
        kicker=EVIL,
        verdict=[("asked", f"{EVIL} {LONG}")],
        facts=LONG,
        alarm=True,
        numbers=[Number("ROC-AUC", "0.5", EVIL, LONG)],
        sections=[
            Section("own", EVIL, blocks),
            audit_section(Audit((Check(EVIL, LONG, (finding,)),), allow=(EVIL,))),
            wrong,
        ],
    )


@pytest.fixture
def opened(browser, pages, request):
    """A function that opens a page by name; afterwards it has asked for nothing and not erred."""
    contexts, wrong = [], []

    def open_page(name: str, width: int = 1440, height: int = 900, scheme: str = "light"):
        size = {"width": width, "height": height}
        context = browser.new_context(viewport=size, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith("file:") or wrong.append(asked.url))
        page.goto(pages[name].as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_is_wider_than_the_screen_with_all_foldouts_open(opened, name, width, height):
    page = opened(name, width, height)
    closed = page.evaluate("document.documentElement.scrollWidth")
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert (closed, page.evaluate("document.documentElement.scrollWidth")) == (width, width)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_one_file_that_no_name_can_write_into(opened, pages, name):
    page = opened(name)
    assert page.evaluate("document.scripts.length") == 1
    assert page.evaluate("document.images.length") == 0
    assert page.title() != "owned"
    assert page.evaluate("document.querySelectorAll('[onerror]').length") == 0
    assert pages[name].stat().st_size < 3_000_000


def test_the_browser_refuses_a_script_that_is_not_the_page_s_own(opened, pages, tmp_path, browser):
    text = pages["hostile"].read_text(encoding="utf-8")
    forged = tmp_path / "forged.html"
    forged.write_text(text.replace("</main>", "<script>document.title='owned'</script></main>"))
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(forged.as_uri())
        assert page.title() != "owned"


@pytest.mark.parametrize(
    ("name", "width"),
    [("training", 390), ("evaluation", 1440), ("monitoring", 390), ("hostile", 390)],
)
def test_every_foldout_and_every_definition_opens_by_keyboard(opened, name, width):
    page = opened(name, width)
    wanted = page.evaluate(
        """() => { const folds = [...document.querySelectorAll('details')];
                   folds.forEach(fold => fold.open = true);
                   const all = [...document.querySelectorAll('main summary, button')]
                     .filter(one => one.checkVisibility());
                   all.forEach((one, at) => one.dataset.at = at);
                   folds.forEach(fold => fold.open = false); return all.length; }"""
    )
    reached = set()
    for _ in range(40 + 4 * wanted):
        page.keyboard.press("Tab")
        at = page.evaluate("document.activeElement.dataset.at")
        if len(reached) == wanted:
            break
        if at is None or at in reached:
            continue
        page.keyboard.press("Enter")
        assert page.evaluate(
            """() => { const one = document.activeElement;
                       if (one.tagName === 'SUMMARY') return one.parentElement.open;
                       const told = document.getElementById(one.getAttribute('popovertarget'));
                       const box = told.getBoundingClientRect();
                       const shown = told.matches(':popover-open') && told.textContent.length > 10
                         && box.left >= 0 && box.right <= innerWidth;
                       one.click(); return shown; }"""
        ), f"{at} of {wanted}"
        reached.add(at)
    assert len(reached) == wanted > 2


@pytest.mark.parametrize("name", PAGES)
def test_headings_go_down_one_level_at_a_time(pages, name):
    levels = [level for level, _ in read(pages[name]).headings]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


CONTRAST = """() => {
  document.querySelectorAll('details').forEach(fold => fold.open = true);
  const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const over = (colour, below) => {
    paint.fillStyle = `rgb(${below.join(' ')})`; paint.fillRect(0, 0, 1, 1);
    paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = rgb => rgb.map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const paper = node => {
    const above = [];
    for (let one = node; one; one = one.parentElement) above.unshift(one);
    return above.reduce((rgb, one) => over(getComputedStyle(one).backgroundColor, rgb),
                        [255, 255, 255]);
  };
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const worst = [];
  let looked = 0;
  while (words.nextNode()) {
    const one = words.currentNode.parentElement;
    if (!words.currentNode.textContent.trim() || !one.checkVisibility()) continue;
    const style = getComputedStyle(one), below = paper(one);
    const ink = one.closest('svg') ? style.fill : style.color;
    const [high, low] = [light(over(ink, below)), light(below)].sort((a, b) => b - a);
    const large = parseFloat(style.fontSize) >= 24
      || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    looked += 1;
    if ((high + 0.05) / (low + 0.05) < (large ? 3 : 4.5))
      worst.push([words.currentNode.textContent.trim().slice(0, 40), ink, below.join()]);
  }
  return [looked, worst];
}"""


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_below_them(opened, name, scheme):
    looked, worst = opened(name, scheme=scheme).evaluate(CONTRAST)
    assert looked > 20
    assert worst == []


def test_pictures_change_their_colours_with_the_scheme(opened):
    ink = "getComputedStyle(document.querySelector('figure svg text')).fill"
    light, dark = (opened("training", scheme=one).evaluate(ink) for one in ("light", "dark"))
    assert np.mean([int(v) for v in light[4:-1].split(",")]) < 100
    assert np.mean([int(v) for v in dark[4:-1].split(",")]) > 150


@pytest.mark.parametrize("name", PAGES)
def test_paper_shows_what_foldouts_hold_and_no_menu(opened, name):
    page = opened(name, 690, 1000, "dark")
    hidden = (
        "[...document.querySelectorAll('main details > .inside')].map(e => e.checkVisibility())"
    )
    assert not any(page.evaluate(hidden))
    page.emulate_media(media="print")
    shown = page.evaluate(hidden)
    assert shown
    assert all(shown)
    assert not page.evaluate("document.querySelector('nav').checkVisibility()")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
