"""A good request for each route of the API, and what any answer to a bad one must keep.

Long with LTR_SLOW_TESTS=1.
"""

from __future__ import annotations

import base64
import copy
import io
import json
import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from starlette.testclient import TestClient

from tests.ltr.serving.http.conftest import BEARER, Audited
from tests.ltr.serving.http.test_limits import check_problem

SLOW = bool(os.environ.get("LTR_SLOW_TESTS"))
MOST_ANSWER = 16_000  # bytes of a problem, whatever was sent
PAGE_FILES = re.compile(r"text/|image/svg|javascript")


@dataclass
class Ask:
    """A request as it goes out; body: JSON as Python has it, or bytes."""

    method: str
    path: str
    query: str = ""
    body: Any = None
    headers: dict[str, str] = field(default_factory=lambda: dict(BEARER))

    def content(self) -> bytes | None:
        if self.body is None or isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body).encode()


def photo(kind: str = "PNG", **more: Any) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, kind, **more)
    return base64.b64encode(buffer.getvalue()).decode()


Mistake = Callable[[Ask, random.Random], None]  # takes a good request and a source of chance, and changes it


A, B = "p000001", "p000003"
QUERY = {"text": "blue shoes", "photo": photo()}
GOOD = {  # of every route: what is added to its path and address, and a body that it takes
    "POST /search": (
        "",
        {**QUERY, "filters": {"price": {"min": 1, "max": 900}}, "history": [A], "size": 3, "page": 1},
    ),
    "GET /similar/{id}": (A, None),
    "GET /suggest": ("?q=blu&size=3", None),
    "GET /product/{id}": (A, None),
    "GET /photo/{id}": (f"{A}?size=small", None),
    "POST /rerank": ("", {**QUERY, "candidates": [A, {"product_id": B, "features": {}}]}),
    "POST /explain": ("", {**QUERY, "product_id": A, "filters": {}}),
    "POST /compare": ("", {"products": [A, B]}),
    "POST /events": ("", {"shopper": "s", "events": [{"product_id": A, "action": "click", "value": 2.5}]}),
    "GET /health": ("", None),
    "GET /ready": ("", None),
    "GET /metrics": ("", None),
    "GET /runs": ("", None),
    "POST /runs": ("", {"run": "run", "force": False, "by": "me"}),
    "POST /catalogue": ("", {"by": "me"}),
    "POST /runs/rollback": ("", {"by": "me"}),
    "POST /beside": ("", {**QUERY, "filters": {}, "against": "bm25", "size": 3}),
    "POST /judgements": ("", {**QUERY, "judge": "me", "grades": {A: 2}}),
    "GET /judgements": ("", None),
    "POST /judgements/given": ("", {**QUERY, "judge": "me"}),
    "GET /judgements/{table}": ("judgements.csv", None),
}


def good(route: str) -> Ask:
    method, path = route.split()
    more, body = GOOD[route]
    path, _, query = (re.sub(r"\{\w+\}", "", path) + more).partition("?")
    return Ask(method, path, query, copy.deepcopy(body))


def ask(client: TestClient, one: Ask) -> Any:
    # Paths go out as they are: the client would mend what is to be broken.
    address = f"http://localhost{one.path}" + (f"?{one.query}" if one.query else "")
    return client.request(one.method, address, content=one.content(), headers=one.headers)


def check(answer: Any, one: Ask) -> None:
    assert answer.status_code < 500, (one, answer.text)
    assert len(answer.headers["x-request-id"]) == 32
    if answer.status_code >= 400 and one.method != "HEAD":
        check_problem(answer)
        assert len(answer.content) < MOST_ANSWER
        assert not re.search(r"[\x00-\x1f\u202e]", "".join(map(str, answer.json().values())))
    elif PAGE_FILES.search(answer.headers.get("content-type", "")):
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def serves_well(audited: Audited) -> None:
    """A good request is answered as before, and the log holds whole lines only."""
    found = audited.client.post("/search", json={"text": "blue shoes", "size": 2, "facets": False})
    assert found.status_code == 200
    assert len(found.json()["products"]) == 2
    for path in audited.log.iterdir():
        data = path.read_bytes()
        assert not data or data.endswith(b"\n")
        for line in data.splitlines():
            assert isinstance(json.loads(line), dict)


def go(audited: Audited, one: Ask) -> None:
    try:
        answer = ask(audited.client, one)
    except (UnicodeEncodeError, ValueError) as error:  # what the client itself cannot send
        assert "httpx" in type(error).__module__ or isinstance(error, UnicodeEncodeError), (one, error)
        return
    check(answer, one)


def go_wrong(audited: Audited, kind: Mistake) -> None:
    """Makes this kind of mistake in the good request of each route."""
    for route in GOOD:
        for number in range(20 if SLOW else 2):
            one = good(route)
            kind(one, random.Random(f"{route} {kind.__name__} {number}"))
            go(audited, one)
    serves_well(audited)
