"""The report in a browser: headless Chromium opens the page from disk, as a reader does."""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ltr.reporting.run_page.report import write_report
from tests.ltr.conftest import Trained
from tests.ltr.reporting.report_world import CLIP, LONG, QUERIES, QUOTED, SCRIPT, made_report, tuning

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1200, "height": 900}
SECTIONS = (
    *("shown", "verdict", "results", "ladder", "queries", "examples", "segments", "calibration"),
    *("classes", "importance", "tuning", "robustness", "doctor", "run"),
)
# Contrast by WCAG 2.1 of every element with text of its own against the nearest painted background.
CONTRASTS = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const channels = (colour) => {
    paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const found = channels(getComputedStyle(e).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255];
  };
  const worst = {};
  for (const element of document.querySelectorAll("body *:not(script, title, desc)")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    const style = getComputedStyle(element);
    const text = element instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [luminance(channels(text)), luminance(ground(element))].sort((x, y) => y - x);
    const name = `${element.tagName}.${element.getAttribute("class") ?? ""}`;
    worst[name] = Math.min(worst[name] ?? 99, (a + 0.05) / (b + 0.05));
  }
  return worst;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every section, whose words try to break out of it."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "tuning.json").write_text(json.dumps(tuning()), encoding="utf-8")
    write_report(folder, made_report())
    return folder / "report.html"


@pytest.fixture(params=["made", "trained"])
def path(request: pytest.FixtureRequest) -> Path:
    found = request.getfixturevalue(request.param)
    return found.run / "report.html" if isinstance(found, Trained) else found


Viewport = dict[str, int]
Open = Callable[..., "playwright.Page"]


@pytest.fixture(scope="module")
def look_at(browser: playwright.Browser) -> Open:
    """A page to be looked at only: opened once for all tests, by viewport and scheme."""

    @functools.cache
    def seen(path: Path, width: int, scheme: str) -> playwright.Page:
        return opened(browser, path, PHONE if width == PHONE["width"] else DESKTOP, scheme)

    def look(path: Path, viewport: Viewport = DESKTOP, scheme: str = "light") -> playwright.Page:
        return seen(path, viewport["width"], scheme)

    return look


@pytest.fixture
def made_page(browser: playwright.Browser, made: Path) -> Iterator[playwright.Page]:
    """A page of its own, to be used."""
    page = opened(browser, made, DESKTOP, "light")
    yield page
    page.close()


def opened(browser: playwright.Browser, path: Path, viewport: Viewport, scheme: str) -> playwright.Page:
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    page.goto(path.as_uri())
    return page


def test_it_loads_without_a_complaint_and_asks_for_no_other_file(
    browser: playwright.Browser, path: Path
) -> None:
    page = browser.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    page.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]


def test_it_is_small_and_names_no_address(path: Path) -> None:
    assert path.stat().st_size < 5_000_000
    assert not re.search(r"https?://", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_page_does_not_scroll_sideways(look_at: Open, path: Path, viewport: dict[str, int]) -> None:
    page = look_at(path, viewport)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_lists_stand_side_by_side_on_a_desktop_and_below_each_other_on_a_phone(
    look_at: Open, made: Path
) -> None:
    for viewport, beside in ((DESKTOP, True), (PHONE, False)):
        lists = look_at(made, viewport).locator("#query-1 .lists >> nth=0").locator("> section")
        left, right = (lists.nth(place).bounding_box() for place in (0, 1))
        assert (left["y"] == right["y"]) == beside


def test_every_link_of_the_page_leads_somewhere(look_at: Open, path: Path) -> None:
    page = look_at(path)
    links = page.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))")
    assert {link[0] for link in links} == {"#"}
    assert [link for link in links if page.locator(f"[id='{link[1:]}']").count() != 1] == []


def test_the_contents_name_every_section_in_order(look_at: Open, made: Path) -> None:
    page = look_at(made)
    links = page.eval_on_selector_all(
        "nav a", "links => links.map(link => link.getAttribute('href').slice(1))"
    )
    assert tuple(links) == SECTIONS
    assert page.eval_on_selector_all("h2", "heads => heads.map(head => head.id)") == links


def test_no_id_is_used_twice(look_at: Open, path: Path) -> None:
    ids = look_at(path).eval_on_selector_all("[id]", "found => found.map(each => each.id)")
    assert len(ids) == len(set(ids))


def test_pictures_and_plots_are_described(look_at: Open, path: Path) -> None:
    page = look_at(path)
    assert page.locator("img").count()
    assert page.locator("img:not([alt]), img[alt='']").count() == 0
    plots = page.locator("svg.plot")
    assert plots.count()
    for label in plots.evaluate_all(
        "all => all.map(each => each.getAttribute('aria-labelledby').split(' '))"
    ):
        assert all(page.locator(f"[id='{name}']").text_content().strip() for name in label)


def test_the_language_the_landmarks_and_the_skip_link_are_there(made_page: playwright.Page) -> None:
    page = made_page
    assert page.locator("html").get_attribute("lang") == "en"
    assert [page.locator(name).count() for name in ("main", "header.top", "nav[aria-label]", "h1")] == [1] * 4
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def visible_rows(page: playwright.Page) -> int:
    return page.locator("#all-queries tbody tr:visible").count()


def test_the_search_box_is_reached_and_used_by_keyboard(made_page: playwright.Page) -> None:
    page = made_page
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "search":
            break
    assert page.evaluate("document.activeElement.id") == "search"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert page.locator("#matched").text_content() == f"{QUERIES} of {QUERIES} queries"
    page.keyboard.type("Words 1")  # plain words 10 … 19, and those with a 1 in their id, figures or place
    some = visible_rows(page)
    assert 0 < some < QUERIES
    assert page.locator("#matched").text_content() == f"{some} of {QUERIES} queries"
    page.keyboard.press("Escape")
    assert visible_rows(page) == QUERIES


@pytest.mark.parametrize(
    ("typed", "found"), [("\"for him\" & 'her'", QUOTED), ("q02", LONG), ("<SCRIPT>", SCRIPT)]
)
def test_the_search_box_finds_words_and_ids(made_page: playwright.Page, typed: str, found: str) -> None:
    page = made_page
    page.locator("#search").fill(typed)
    assert page.locator("#all-queries tbody tr:visible th").all_inner_texts() == [found]
    page.locator("#search").fill("no query has this")
    assert visible_rows(page) == 0
    assert page.locator("#matched").text_content() == f"0 of {QUERIES} queries"


def test_the_search_box_finds_outcomes(made_page: playwright.Page) -> None:
    page = made_page
    lost = sum(line.outcome == "lost" for line in made_report().gains)
    page.locator("#search").fill("lost")
    assert 0 < lost == visible_rows(page)


def test_words_of_the_data_stay_words(look_at: Open, made: Path) -> None:
    page = look_at(made)
    assert page.locator("script").count() == 1
    assert page.locator("b:text-is('50%'), i:text-is('more')").count() == 0
    assert page.locator("h1").inner_text() == f"demo {SCRIPT}"
    assert SCRIPT in page.locator(".item .title").all_text_contents()
    assert QUOTED in page.locator(".item .title").evaluate_all("all => all.map(each => each.title)")


def test_sounds_are_played_and_named(made_page: playwright.Page) -> None:
    page = made_page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    players = page.locator(".item audio")
    assert players.count() > 0
    assert all(players.evaluate_all("all => all.map(each => each.controls && each.ariaLabel.length > 9)"))
    assert players.first.bounding_box()["width"] > 100
    seconds = players.first.evaluate(
        """each => new Promise((told, failed) => {
            each.onloadedmetadata = () => told(each.duration); each.onerror = () => failed(each.error.message);
            each.preload = "metadata"; each.load(); })"""
    )
    assert seconds == pytest.approx(0.1)
    assert "audio: 8 bytes" in page.locator(".item .clip").all_inner_texts()
    assert page.locator("details.example > .clip").first.inner_text() == f"audio: {CLIP}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_its_ground(look_at: Open, made: Path, scheme: str) -> None:
    worst = look_at(made, scheme=scheme).evaluate(CONTRASTS)
    assert len(worst) > 20
    assert {name: ratio for name, ratio in worst.items() if ratio < 4.5} == {}


def test_dark_and_light_differ_and_the_button_changes_them(
    made_page: playwright.Page, look_at: Open, made: Path
) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    drawn = "getComputedStyle(document.querySelector('svg.plot text')).fill"
    light, dark = made_page, look_at(made, scheme="dark")
    assert light.evaluate(ground) != dark.evaluate(ground)
    assert light.evaluate(drawn) != dark.evaluate(drawn)
    light.locator("#theme").focus()
    light.keyboard.press("Enter")
    assert light.evaluate(ground) == dark.evaluate(ground)
    assert light.evaluate(drawn) == dark.evaluate(drawn)
    assert light.locator("#theme").inner_text() == "Light colours"


def test_the_first_figure_has_its_interval(made: Path) -> None:
    text = made.read_text(encoding="utf-8")
    assert re.search(
        r"with the best simple order of each kind: [+−]?[\d.]+ \[[+−]?[\d.]+, [+−]?[\d.]+\]", text
    )


def test_the_first_screen_says_the_verdict_of_each_kind_with_its_baseline(look_at: Open, made: Path) -> None:
    page = look_at(made, DESKTOP)
    lines = page.locator(".verdicts li").all_inner_texts()
    report = made_report()
    assert len(lines) == len(report.lines) > 1
    for said, line in zip(lines, report.lines, strict=True):
        assert line.kind in said
        assert line.baseline in said or line.says == "too few"
    below = page.locator("#results").bounding_box()["y"]
    for words in (
        "What each source adds",
        "What got worse",
        "Warnings of the data doctor",
        "made",
        "commit",
        "data",
    ):
        found = page.locator(f":text-is('{words}')").first.bounding_box()
        assert found["y"] < below, words
    assert "+.018 [+.008, +.030], beyond noise" in page.locator(".card").first.inner_text()
    assert "+.005 [−.005, +.017], within noise" in page.locator(".card").first.inner_text()


def test_lists_are_folded_but_the_first_and_open_by_a_link(made_page: playwright.Page) -> None:
    page = made_page
    folded = "all => all.map(each => each.open)"
    examples = page.locator("details.example")
    assert examples.evaluate_all(folded) == [True] + [False] * (examples.count() - 1)
    page.locator("#all-queries a[href='#query-2']").click()
    examples.nth(1).locator(".item").first.wait_for()  # visible
    assert examples.nth(1).evaluate("each => each.open")


def test_a_bar_leads_to_its_query_and_shows_it(made_page: playwright.Page) -> None:
    page = made_page
    bar = page.locator(".bars a").first
    row = bar.get_attribute("href")
    words = page.locator(f"{row} th").inner_text()
    page.locator(".bars").first.scroll_into_view_if_needed()
    box = bar.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    shown = page.locator("#hover")
    assert shown.is_visible()
    assert shown.inner_text().startswith(words)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.evaluate("location.hash") == row
    assert page.locator(f"{row} th").is_visible()
    page.mouse.move(1, 1)
    assert shown.is_hidden()


def test_p_values_are_shown_on_demand(made_page: playwright.Page) -> None:
    page = made_page
    assert page.locator("th.pvalue").is_hidden()
    page.locator("#show-p").check()
    assert page.locator("th.pvalue").is_visible()


def test_unjudged_products_are_marked_in_the_lists_of_the_search(look_at: Open, made: Path) -> None:
    page = look_at(made)
    first = page.locator("#query-1")
    assert first.locator(".view").inner_text().startswith("As the shop's search would show it")
    assert "not judged" in first.locator(".lists >> nth=0").inner_text()
    assert "not judged" not in first.locator(".judged .lists").text_content()
