"""Every bound of the server, and every refusal as a problem with expected, got and cure; nothing is a fault of ours."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from ltr.serving.http.app import PATHS
from ltr.serving.lists import Asked, Found, searching, similar
from ltr.serving.lists.searching import retrieval_order
from ltr.serving.live.live_run import LiveRun
from ltr.serving.ranking import candidates_of
from tests.ltr.serving.http.conftest import BEARER, Clients

Hold = Callable[..., "Held"]
BODIES = [one.path for one in PATHS if one.body is not None]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "text",
        "photo",
        "filters",
        "sort",
        "page",
        "size",
        "candidates",
        "products",
        "events",
        "run",
        "product_id",
    ]
)


def check_problem(answer: Any, status: int | None = None) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail", "where", "expected", "got", "cure", "request_id"} == set(
        problem
    )
    assert all(problem[part] for part in ("where", "expected", "got", "cure"))
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert status in (None, answer.status_code)
    return problem


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(BODIES), body=st.dictionaries(FIELDS, JSON, max_size=4) | JSON)
def test_whatever_a_client_sends_is_no_fault_of_ours(client: TestClient, path: str, body: Any) -> None:
    answer = client.post(path, content=json.dumps(body).encode(), headers=BEARER)
    assert answer.status_code < 500
    if answer.status_code >= 400:
        check_problem(answer)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(BODIES), body=st.binary(max_size=200))
def test_bytes_that_are_no_json(client: TestClient, path: str, body: bytes) -> None:
    check_problem(client.post(path, content=body, headers=BEARER), 422)


def png(width: int, height: int) -> bytes:
    """A PNG that says it is of this size, and holds next to nothing."""
    chunks = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")):
        chunks += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return chunks


def of_noise(size: int) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((size, size), 80).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "photo",
    [
        png(50_000, 50_000),
        png(2000, 2000),
        b"no photo",
        b"",
        b"GIF89a",
        b"%!PS-Adobe",
        b"<svg/>",
        of_noise(64)[:2000],
    ],
    ids=["bomb", "large", "text", "empty", "cut", "postscript", "svg", "holds less than it says"],
)
def test_photos_that_are_refused(client: TestClient, photo: bytes) -> None:
    body = {"photo": base64.b64encode(photo).decode()}
    assert "photo" in check_problem(client.post("/search", json=body), 422)["where"]


def test_an_address_is_no_photo(client: TestClient) -> None:
    for address in ("http://127.0.0.1/x.png", "file:///etc/passwd"):
        problem = check_problem(client.post("/search", json={"photo": address}), 422)
        assert "base64" in problem["expected"]


def test_a_body_too_large_said_or_not(client: TestClient) -> None:
    check_problem(client.post("/search", content=b" " * 300_001), 413)
    parts = (b" " * 50_000 for _ in range(10))  # chunked: no length is said
    check_problem(client.post("/search", content=parts, headers={"content-type": "application/json"}), 413)


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/search", {"text": "x" * 61}, "text"),
        ("/search", {"text": " "}, "text"),
        ("/search", {"text": "shoes", "page": 0}, "page"),
        ("/search", {"text": "shoes", "size": 101}, "size"),
        ("/search", {"text": "shoes", "sizes": 5}, "sizes"),
        ("/search", {"text": "shoes", "filters": {"colour": ["red"]}}, "filters.colour"),
        ("/search", {"text": "shoes", "filters": {"price": ["9"]}}, "filters.price"),
        ("/search", {"text": "shoes", "filters": {"brand": {"min": 1}}}, "filters.brand"),
        ("/search", {"text": "shoes", "filters": {"price": {"min": 2, "max": 1}}}, "filters.price"),
        ("/search", {"text": "shoes", "sort": "best"}, "sort"),
        ("/rerank", {"text": "shoes", "candidates": []}, "candidates"),
        ("/rerank", {"text": "shoes", "candidates": ["p000001"] * 2}, "candidates"),
        ("/rerank", {"text": "shoes", "candidates": [f"x{n}" for n in range(51)]}, "candidates"),
        ("/rerank", {"text": "shoes", "candidates": ["nope"]}, "candidates"),
        ("/rerank", {"candidates": ["p000001"]}, "text"),
        (
            "/rerank",
            {"text": "a", "candidates": [{"product_id": "p000001", "features": {"x": 1}}]},
            "candidates",
        ),
        ("/compare", {"products": ["p000001"]}, "products"),
        ("/compare", {"products": ["p000001", "p000001"]}, "products"),
        ("/explain", {"text": "shoes", "product_id": "p000001", "over": "p000001"}, "over"),
        ("/events", {"events": [{"product_id": "p", "action": "stare"}]}, "events.0.action"),
        (
            "/events",
            {"events": [{"product_id": "p", "action": "click", "at": "2999-01-01T00:00:00Z"}]},
            "events.0",
        ),
        (
            "/events",
            {"events": [{"product_id": "p", "action": "click", "at": "2020-01-01T00:00:00"}]},
            "events.0.at",
        ),
        ("/events", {"events": [{"product_id": "p", "action": "click", "request_id": "../.."}]}, "events.0"),
        ("/runs", {"run": "../../etc"}, "run"),
    ],
)
def test_what_is_asked_wrongly_is_said(
    client: TestClient, path: str, body: dict[str, Any], where: str
) -> None:
    problem = check_problem(client.post(path, json=body, headers=BEARER))
    assert where in problem["where"]


@pytest.mark.parametrize("path", [one for one in PATHS if one.access != "open"], ids=lambda one: one.path)
def test_a_token_for_everything_but_search(client: TestClient, path: Any) -> None:
    for given_headers in ({}, {"authorization": "Bearer another"}, {"authorization": "Basic x"}):
        answer = client.request(path.method, path.path, json={}, headers=given_headers)
        check_problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


def test_on_loopback_another_sites_name_is_refused(client: TestClient) -> None:
    check_problem(client.get("/health", headers={"host": "shop.example:8080"}), 400)
    for host in ("127.0.0.1:8080", "[::1]:8080", "LOCALHOST"):
        assert client.get("/health", headers={"host": host}).status_code == 200


def test_every_answer_has_an_id_and_a_policy(client: TestClient) -> None:
    for answer in (client.get("/health"), client.get("/nowhere"), client.post("/search", json={})):
        assert len(answer.headers["x-request-id"]) == 32
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    check_problem(client.get("/nowhere"), 404)
    check_problem(client.get("/search"), 405)
    check_problem(client.get("/product/p00001"), 404)


class Held:
    """Requests stop where they would retrieve, or in a method of the run's that scores, until `go` is set."""

    def __init__(self, live: LiveRun, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
        self.go, self.reached = threading.Event(), threading.Event()
        self._real: Callable[..., Any] = (
            candidates_of if where == "retrieve" else getattr(type(live.run), where)
        )

        def waits(*asked: Any) -> Any:  # a function binds as a method, an object does not
            return self._waits(*asked)

        if where == "retrieve":
            monkeypatch.setattr("ltr.serving.lists.searching.candidates_of", waits)
        else:
            monkeypatch.setattr(type(live.run), where, waits)

    def _waits(self, *asked: Any) -> Any:
        self.reached.set()
        self.go.wait(30)
        return self._real(*asked)

    async def in_time(self, future: asyncio.Future[Any], seconds: float) -> bool:
        """Time is up as soon as the request is held, however slow the machine."""
        while not (self.reached.is_set() or future.done()):
            await asyncio.sleep(0.002)
        return future.done()


@pytest.fixture
def held(live: LiveRun, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    """Holds requests; by `late` their time is up where they are held."""
    made: list[Held] = []

    def hold(where: str, *, late: bool = False) -> Held:
        made.append(Held(live, monkeypatch, where))
        if late:
            monkeypatch.setattr("ltr.serving.http.routes.in_time", made[-1].in_time)
        return made[-1]

    yield hold
    for one in made:
        one.go.set()


def test_a_full_queue_is_429_and_heals(clients: Clients, held: Hold) -> None:
    client = clients(no_log=True, workers=1, queue=1, timeout=10)
    go = held("retrieve").go
    answers: list[int] = []
    ask = lambda: answers.append(client.post("/search", json={"text": "shoes"}).status_code)  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    while client.app.state.server.workers.under_way < 2:
        time.sleep(0.005)
    refused = client.post("/search", json={"text": "shoes"})
    check_problem(refused, 429)
    assert refused.headers["retry-after"]
    assert client.get("/health").status_code == 200
    go.set()
    for thread in threads:
        thread.join()
    assert answers == [200, 200]
    assert client.post("/search", json={"text": "shoes"}).status_code == 200
    assert "ltr_refused_total 1.0" in client.get("/metrics", headers=BEARER).text


def test_too_slow_is_degraded_and_marked(clients: Clients, live: LiveRun, held: Hold) -> None:
    client = clients(no_log=True)
    held("score_list", late=True)
    answer = client.post("/search", json={"text": "blue shoes"}).json()
    assert answer["degraded"] is True
    assert answer["total"] == len(candidates_of(live.builder, live.query("blue shoes", None, "q"), 200))
    assert {product["score"] for product in answer["products"]} == {None}
    first = answer["products"][0]
    assert any(word in str(first).lower() for word in ("blue", "shoe"))


def test_products_like_one_too_slow_are_in_retrievals_order(
    clients: Clients, live: LiveRun, held: Hold, tmp_path: Path
) -> None:
    client = clients(log=tmp_path)
    product = live.catalogue.products["product_id"][3]
    assert client.get(f"/similar/{product}").json()["degraded"] is False
    holding = held("score_list", late=True)
    answer = client.get(f"/similar/{product}?size=100").json()
    holding.go.set()
    assert answer["degraded"] is True
    whole = similar(live, 3, Asked("q", None), Found())
    assert whole.candidates is not None
    found = [one["product_id"] for one in answer["products"]]
    assert sorted(found) == live.builder.catalogue.product_ids.gather(whole.candidates).to_list()
    assert found == [
        live.builder.catalogue.product_ids[int(row)]
        for row in retrieval_order(live, Asked("q", None), whole).rows
    ]
    assert {one["score"] for one in answer["products"]} == {None}
    logged = [json.loads(line) for path in tmp_path.glob("ubi_q*") for line in path.read_text().splitlines()]
    assert [line["query_attributes"].get("degraded") for line in logged] == [None, True]


def test_reranking_too_slow_keeps_the_order_given(clients: Clients, live: LiveRun, held: Hold) -> None:
    client = clients(no_log=True)
    chosen = live.builder.catalogue.product_ids.sample(20, shuffle=True, seed=2).to_list()

    def ask(*candidates: Any) -> Any:
        return client.post("/rerank", json={"text": "shoes", "candidates": candidates}, headers=BEARER)

    assert ask(*chosen).json()["degraded"] is False
    holding = held("score_dataset", late=True)
    answer = ask(*chosen).json()
    holding.reached.clear()
    check_problem(ask(*chosen, "unknown"), 422)  # what is wrong is refused, late or not
    check_problem(ask({"product_id": chosen[0], "features": {"none": 1}}), 422)
    assert answer["degraded"] is True
    assert [one["product_id"] for one in answer["products"]] == chosen
    assert {one["score"] for one in answer["products"]} == {None}
    assert "ltr_degraded_total 1.0" in client.get("/metrics", headers=BEARER).text


def test_without_candidates_in_time_it_is_503(clients: Clients, held: Hold) -> None:
    client = clients(no_log=True)
    held("retrieve", late=True)
    check_problem(client.post("/search", json={"text": "shoes"}), 503)
    check_problem(client.get("/similar/p000001"), 503)


def test_what_nobody_waits_for_any_more_is_not_begun(
    clients: Clients, held: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a server behind its load works for those who have gone, and never catches up."""
    client = clients(no_log=True, workers=1, queue=5, timeout=0.05)
    holding = held("retrieve")
    waits, begun = vars(searching)["candidates_of"], []

    def counted(*given_: Any) -> Any:
        begun.append(1)
        return waits(*given_)

    monkeypatch.setattr("ltr.serving.lists.searching.candidates_of", counted)
    for _ in range(4):  # the first holds the only thread, the others wait for it longer than they may
        check_problem(client.post("/search", json={"text": "shoes"}), 503)
    holding.go.set()
    while client.app.state.server.workers.under_way:
        time.sleep(0.005)
    assert len(begun) == 1


def test_a_fault_of_ours_says_nothing_of_itself(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = clients(no_log=True)

    def breaks(*_: object) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr("ltr.serving.lists.searching.candidates_of", breaks)
    answer = client.post("/search", json={"text": "shoes"})
    assert "secret" not in answer.text
    check_problem(answer, 500)
    assert "a secret of the server" in caplog.text


def test_without_a_token_no_run_is_changed(live: LiveRun) -> None:
    from ltr.serving.http import make_app
    from ltr.serving.live.live_runs import LiveRuns
    from ltr.serving.settings import ServeSettings

    client = TestClient(make_app(LiveRuns(live), ServeSettings(no_log=True)), base_url="http://localhost")
    assert client.get("/metrics").status_code == 200
    check_problem(client.post("/runs", json={"run": "x"}), 401)
