"""The pages of several runs, of two side by side and of fusion in a browser, as the report's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ltr.reporting.fusion_report import FusionReport, write_fusion_report
from ltr.runs import __main__ as runs
from tests.ltr.conftest import Trained
from tests.ltr.reporting.report_world import SCRIPT
from tests.ltr.reporting.test_report_page import CHROMIUM, CONTRASTS, DESKTOP, PHONE, opened, playwright
from tests.ltr.test_compare_fusion import made_comparison

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def pages(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name in ("one", "two"):
        shutil.copytree(trained.run, folder / name)
    facts = [("ranker", SCRIPT), ("split", "folds " * 40)]
    write_fusion_report(
        folder, FusionReport(f"demo {SCRIPT}", SCRIPT, "a convention", made_comparison(), facts)
    )
    return {
        "fusion": folder / "fusion.html",
        "index": runs.main(["--runs", str(folder)]),
        "beside": runs.main(["two", "one", "--runs", str(folder)]),
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


every_page = pytest.mark.parametrize("name", ["fusion", "index", "beside"])


@every_page
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_loads_without_a_complaint_and_does_not_scroll_sideways(
    browser: playwright.Browser, pages: dict[str, Path], name: str, viewport: dict[str, int]
) -> None:
    page = browser.new_page(viewport=viewport)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto(pages[name].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.close()
    assert complaints == []


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_and_the_colours_can_be_changed(
    browser: playwright.Browser, pages: dict[str, Path], name: str, scheme: str
) -> None:
    page = opened(browser, pages[name], DESKTOP, scheme)
    worst = page.evaluate(CONTRASTS)
    assert {each: ratio for each, ratio in worst.items() if ratio < 4.5} == {}
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.locator("#theme").click()
    assert page.evaluate(ground) != before
    page.close()


@every_page
def test_every_link_leads_somewhere_and_no_id_is_used_twice(
    browser: playwright.Browser, pages: dict[str, Path], name: str
) -> None:
    page = opened(browser, pages[name], DESKTOP, "light")
    ids = page.eval_on_selector_all("[id]", "found => found.map(each => each.id)")
    assert len(ids) == len(set(ids))
    links = page.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))")
    assert [link for link in links if link.startswith("#") and link[1:] not in ids] == []
    files = [link for link in links if not link.startswith("#")]
    assert all((pages[name].parent / link).is_file() for link in files)
    assert (len(files) == 2) == (name == "index")
    page.close()


def test_two_runs_that_are_alike_have_no_winner(browser: playwright.Browser, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["beside"], DESKTOP, "light")
    assert "within noise of one" in page.locator("main").inner_text()
    assert "0 · 0 ·" in page.locator(".tile").nth(1).inner_text()
    page.close()
