"""The search page in headless Chromium: every view, by mouse, keys and touch; hostile titles; nothing from outside."""

from __future__ import annotations

import io
import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

pytest.importorskip("starlette")
pytest.importorskip("playwright")
pytest.importorskip("uvicorn")

import uvicorn
from playwright import sync_api

from features.sources.privacy import Key
from ltr.serving.http import make_app
from ltr.serving.http.app import PAGE
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.log.event_log import EventLog
from ltr.serving.settings import ServeSettings

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
FLAGS = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
HOSTILE = [
    "<img src=x onerror=window.hacked=1>",
    "<script>window.hacked=1</script>",
    '"><svg onload=window.hacked=1>',
    "javascript:window.hacked=1",
    "{{7*7}} ${window.hacked=1} \u202e\u0000\u2028 " + "x" * 300,
]
LINK = "main .card h3 a"


class Shop(NamedTuple):
    address: str
    log: Path


@pytest.fixture(scope="module")
def shop(live: LiveRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The server in a thread, with a log and a folder for judgements."""
    folder = tmp_path_factory.mktemp("page")
    settings = ServeSettings(judgements=folder / "judgements", timeout=20)
    app = make_app(
        LiveRuns(live), settings, None, EventLog(folder / "log", 1 << 20, 0.001), Key(1, b"k" * 32)
    )
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    yield Shop(f"http://127.0.0.1:{listening.getsockname()[1]}", folder / "log")
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, shop: Shop, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page that fails the test by an error of a script or the policy, or by asking anything outside."""
    context = browser.new_context(base_url=shop.address, **getattr(request, "param", {}))
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    opened.on("request", lambda sent: None if sent.url.startswith((shop.address, "blob:", "data:"))
              else wrong.append(sent.url))  # fmt: skip
    yield opened
    context.close()
    assert [one for one in wrong if "404" not in one] == []  # products without a photo


def go(page: Any, address: str) -> None:
    page.goto(f"/{address}")
    page.reload()
    page.wait_for_selector("main:not([aria-busy]) h1")


def logged(shop: Shop) -> list[dict[str, Any]]:
    files = sorted(shop.log.rglob("*events*.ndjson*"))
    return [json.loads(line) for path in files for line in path.read_text("utf-8").splitlines() if line]


def a_photo() -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.new("RGB", (1500, 900), "crimson").save(buffer, "PNG")
    return {"name": "mine.png", "mimeType": "image/png", "buffer": buffer.getvalue()}


def test_from_words_to_a_product_and_into_the_cart(page: Any, shop: Shop) -> None:
    go(page, "#/")
    page.fill("#words", "red dress")
    page.keyboard.press("Enter")
    page.wait_for_selector("main:not([aria-busy]) .reasons")
    first = page.locator("main .card").first
    assert first.locator(".reasons li").count() == 2
    product, name = first.get_attribute("data-product"), first.locator("h3").inner_text()
    first.locator("h3 a").click()
    page.wait_for_selector(".why:not([hidden])")
    assert page.locator("h1").inner_text() == name
    assert page.locator("#why").inner_text().startswith("Number 1 of ")
    page.click("text=Add to cart")
    page.wait_for_selector("text=In the cart")
    deadline = time.monotonic() + 10
    while len(found := [one for one in logged(shop) if product in json.dumps(one)]) < 2:
        assert time.monotonic() < deadline, logged(shop)
        time.sleep(0.05)
    text = json.dumps(found)
    assert "click" in text
    assert "cart" in text
    assert re.search(r'"(query_id|request_id)": ?"[0-9a-f]{32}"', text)  # of the list that showed it


def test_a_typo_finds_what_was_meant_and_the_page_says_so(page: Any) -> None:
    go(page, "#/?q=blue+trousres")
    assert page.locator("main .note").inner_text() == "No product has “trousres”: searched for “trouser”."
    assert page.locator("main .card").count()


def test_filters_sorting_and_what_is_taken_away(page: Any) -> None:
    go(page, "#/?q=dress")
    every = page.locator("main h1 small").inner_text()
    page.locator("fieldset:has(legend:text-is('brand')) label").first.click()
    page.wait_for_selector(".chosen .chip")
    page.wait_for_selector("main:not([aria-busy])")
    brand = page.locator(".chosen .chip").first.inner_text().strip()
    assert set(page.locator("main .card .brand").all_inner_texts()) == {brand}
    assert page.locator("main h1 small").inner_text() != every
    page.fill("[name=low]", "50")
    page.fill("[name=high]", "20")  # the wrong way round
    page.click("text=Apply")
    page.wait_for_selector(".chip:has-text('20.00 – 50.00')")
    page.click("text=Clear all")
    page.wait_for_selector(".chosen", state="detached")
    page.select_option(".sort select", "price")
    page.wait_for_url("**sort=price**")
    page.wait_for_selector("main:not([aria-busy])")
    prices = [float(one.replace(",", "")) for one in page.locator(".card .price strong").all_inner_texts()]
    assert prices == sorted(prices)


def test_a_filter_that_no_product_has_is_told(page: Any) -> None:
    go(page, "#/?q=dress&brand=Nobody+%3Cb%3E")
    assert page.locator("main .note").inner_text() == "Filter brand: no product has “Nobody <b>”."
    assert not page.locator("main .card").count()


def test_by_a_photo_with_and_without_words(page: Any) -> None:
    go(page, "#/")
    with page.expect_request("**/search") as sent:
        page.set_input_files("#file", [a_photo()])
    assert "photo" in sent.value.post_data_json
    assert "text" not in sent.value.post_data_json
    page.wait_for_selector("h1:has-text('Like your photo')")
    page.fill("#words", "dress")
    with page.expect_request("**/search") as sent:
        page.keyboard.press("Enter")
    assert {"photo", "text"} <= set(sent.value.post_data_json)
    page.wait_for_selector("h1:has-text('“dress”')")
    with page.expect_request("**/search") as sent:
        page.click("[aria-label='Remove the photo']")
    assert "photo" not in sent.value.post_data_json
    drop = """async (name) => {
        const blob = await new Promise((made) => document.createElement('canvas').toBlob(made, 'image/png'));
        const data = new DataTransfer();
        data.items.add(new File([blob], 'dropped.png', {type: 'image/png'}));
        const event = name === 'drop' ? new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true})
          : new ClipboardEvent('paste', {clipboardData: data, bubbles: true});
        document.body.dispatchEvent(event);
    }"""
    for way in ("drop", "paste"):
        with page.expect_request("**/search") as sent:
            page.evaluate(drop, way)
        assert "photo" in sent.value.post_data_json
    page.set_input_files("#file", [{"name": "no.png", "mimeType": "image/png", "buffer": b"no photo"}])
    page.wait_for_selector("[role=alert]:has-text('No photo that can be read')")


def test_by_the_camera(page: Any) -> None:
    page.context.grant_permissions(["camera"])
    go(page, "#/")
    page.click("[aria-label='Search by photo']")
    page.wait_for_selector("dialog .primary:enabled")
    with page.expect_request("**/search") as sent:
        page.click("dialog .primary")
    assert "photo" in sent.value.post_data_json
    assert page.locator("dialog").count() == 0


def test_suggestions_by_keys(page: Any, live: LiveRun) -> None:
    brand = live.catalogue.products["brand"].drop_nulls()[0]
    go(page, "#/")
    page.keyboard.press("/")
    page.keyboard.type(brand[:3].lower())
    page.wait_for_selector("#suggestions li")
    field = page.locator("#words")
    assert field.get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#suggestions [aria-selected=true]")
    assert field.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    page.keyboard.press("Escape")
    assert field.get_attribute("aria-expanded") == "false"
    page.keyboard.type(" ")
    page.wait_for_selector("#suggestions li")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".card")
    assert "q=" in page.url


def test_the_tray_and_products_side_by_side(page: Any) -> None:
    go(page, "#/?q=dress")
    assert page.locator("#tray").is_hidden()
    for place in range(3):
        page.locator(".card button").nth(place).click()
    assert page.locator("#tray li").count() == 3
    page.reload()
    page.wait_for_selector("#tray li")  # it is kept
    page.click("#tray .primary")
    page.wait_for_selector(".compare", timeout=60_000)
    assert page.locator(".compare thead th").count() == 3
    page.locator(".compare button").first.click()
    sync_api.expect(page.locator(".compare thead th")).to_have_count(2)


def test_more_like_one(page: Any) -> None:
    go(page, "#/?q=dress")
    page.locator(".card .deeds a").first.click()
    page.wait_for_selector("h1:has-text('More like') ~ .grid .card")


def test_two_orders_and_what_moved(page: Any) -> None:
    go(page, "#/beside?q=red%20dress")
    page.wait_for_selector(".lists")
    assert page.locator(".lists h2").all_inner_texts()[1] == "BM25"
    assert page.locator(".ours .item").count() == 10
    moved = page.locator("main > p").inner_text().partition("against BM25: ")[2]
    assert sum(int(one) for one in re.findall(r"\d+", moved)[:4]) == 10


def test_a_typo_is_told_of_both_orders_and_where_a_place_is_explained(page: Any) -> None:
    said = "No product has “trousres”: searched for “trouser”."
    go(page, "#/beside?q=blue+trousres")
    page.wait_for_selector(".lists")
    assert page.locator(".lists .note").all_inner_texts() == [said, said]
    go(page, "#/?q=blue+trousres")
    page.locator("main .card a").first.click()
    page.wait_for_selector("#why")
    assert page.locator(".why .note").all_inner_texts() == [said]


def test_two_judges_by_keys(page: Any, shop: Shop) -> None:
    go(page, "#/judge?q=red%20dress")
    for judge, keys in (("anna", "320"), ("ben", "310")):
        page.fill("#who", judge)
        page.keyboard.press("Enter")
        page.wait_for_selector(".desk .judged.now")
        page.locator(".judged").first.locator("input").first.focus()
        for number, key in enumerate(keys, start=1):
            with page.expect_response(
                lambda one: one.url.endswith("/judgements") and one.request.method == "POST"
            ):
                page.keyboard.press(key)
            assert page.locator(".grades :checked").count() == number
        assert f"{page.locator('.judged').count() - 3} of" in page.locator("#left").inner_text()
    page.wait_for_selector(".progress:has-text('6 grades')")
    table = page.get_by_role("button", name="judgements.csv").element_handle()
    with page.expect_response(lambda one: one.url.endswith("/judgements") and one.request.method == "GET"):
        page.keyboard.press("Backspace")  # of one that has none: nothing is lost
    page.wait_for_timeout(100)
    assert table.evaluate("one => one.isConnected")  # figures made anew take no button from under the pointer
    with page.expect_download() as saved:
        page.click("text=judgements.csv")
    lines = Path(saved.value.path()).read_text("utf-8").splitlines()
    assert lines[0] == "query_id,query,product_id,grade by anna,grade by ben"
    page.click("text=Learn from them")
    sync_api.expect(page.locator("pre")).to_contain_text("grade by anna")


@pytest.mark.parametrize("view", ["#/?q=x", "#/product/p", "#/compare?ids=a%1Fb", "#/beside?q=x", "#/like/p"])
def test_what_a_shop_says_is_text_and_never_markup(page: Any, view: str) -> None:
    products = [
        {"product_id": title, "title": title, "brand": title, "category": title, "price": 1.0, "position": 1,
         "description": title, "elsewhere": None, "reasons": [{"says": title, "share": 0.5}]} for title in HOSTILE
    ]  # fmt: skip
    run = {"name": HOSTILE[0], "version": HOSTILE[1]}
    whole = {"request_id": "0" * 32, "run": run, "total": 5, "page": 1, "pages": 1, "sort": "relevance",
             "products": products, "product": products[0], "alike": [], "ours": products, "theirs": products,
             "facets": {"brand": [{"value": one, "count": 1} for one in HOSTILE]}, "against": run,
             "moved": {"same": 5, "higher": 0, "lower": 0, "new": 0}, "runs": HOSTILE, "now": run}  # fmt: skip
    answers = re.compile(r"/(search|compare|beside|runs|ready)$|/(product|similar)/")
    words = dict.fromkeys(HOSTILE, HOSTILE[0])
    read = {"read_as": {"ours": words, "theirs": words} if "beside" in view else words}
    page.route(answers, lambda route: route.fulfill(json=whole | read))
    page.route("**/photo/**", lambda route: route.fulfill(status=404, json={}))
    go(page, view)
    page.wait_for_timeout(150)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img[src='x'], main script, main svg[onload], main [onerror]").count() == 0
    assert HOSTILE[0] in page.locator("main").inner_text()
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


VIEWS = ["#/", "#/?q=red%20dress", "#/product/p000006", "#/beside?q=dress", "#/judge?q=dress", "#/compare"]


@pytest.mark.parametrize(
    "page", [{"viewport": {"width": 390, "height": 844}}, {"viewport": {"width": 1280, "height": 900}}],
    indirect=True, ids=["phone", "desk"],
)  # fmt: skip
def test_every_view_fits_and_can_be_read_by_those_who_do_not_see(page: Any) -> None:
    page.add_init_script("localStorage.setItem('judge', 'anna')")
    for view in VIEWS:
        go(page, view)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        assert page.locator("main h1").count() == 1, view
        nameless = page.evaluate(
            """[...document.querySelectorAll('a, button, input, select, textarea, img')].filter((one) => {
              if (one.closest('[aria-hidden=true]')) return false;
              const label = one.labels?.[0]?.textContent ?? '';
              const name = one.getAttribute('aria-label') ?? one.getAttribute('alt') ?? (one.textContent + label);
              return one.tagName === 'IMG' ? one.getAttribute('alt') === null : !name.trim();
            }).map((one) => one.outerHTML.slice(0, 120))"""
        )
        assert nameless == [], view
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip", view


def test_scripts_and_styles_are_files_and_the_policy_allows_no_others(shop: Shop, page: Any) -> None:
    answer = page.goto("/")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http:" not in policy + answer.text().replace("http-equiv", "")
    html = (PAGE / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", html)
    for script in PAGE.glob("*.js"):
        text = script.read_text("utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?:(?!//www\.w3\.org)", text
        ), script


def test_colours_can_be_told_apart_in_light_and_dark() -> None:
    """WCAG's contrast of texts on what lies behind them, at least 4.5."""
    css = (PAGE / "style.css").read_text("utf-8")
    pairs = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\)", css))
    for scheme in (0, 1):
        colour = {name: pair.split(", ")[scheme] for name, pair in pairs.items()}
        for text in ("ink", "soft", "model", "gain", "loss"):
            for behind in ("paper", "card"):
                assert contrast(colour[text], colour[behind]) >= 4.5, (scheme, text, behind)
        assert contrast(colour["on-model"], colour["model"]) >= 4.5


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
