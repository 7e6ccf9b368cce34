"""Every endpoint of the API's own description with bad input of every kind: never a fault of ours, never a hang.

Each route has a good request; each kind of mistake is made in each of them. Long with LTR_SLOW_TESTS=1.
"""

from __future__ import annotations

import base64
import copy
import io
import json
import os
import random
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from features.errors import InputError
from features.sources.privacy import Key
from ltr.serving.http import make_app
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.log.event_log import EventLog
from ltr.serving.settings import ServeSettings
from tests.ltr.serving.http.conftest import BEARER, PATIENT, TOKEN
from tests.ltr.serving.http.test_limits import check_problem, of_noise, png

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
    "POST /rerank": ("", {**QUERY, "candidates": [A, {"product_id": B, "features": {}}], "reasons": 0}),
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


class Audited(NamedTuple):
    client: TestClient
    log: Path


@pytest.fixture(scope="module")
def audited(live: LiveRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    folder = tmp_path_factory.mktemp("audit")

    def examine(_: Any) -> Any:
        raise InputError(where="run", expected="no trial in this test", got="one", cure="none")

    app = make_app(
        LiveRuns(live, examine=examine),
        ServeSettings(judgements=folder / "judgements", timeout=PATIENT, body_bytes=2_000_000),
        TOKEN,
        EventLog(folder / "log", 1 << 20, 0.001),
        Key(1, b"k" * 32),
    )
    with TestClient(app, base_url="http://localhost") as client:
        yield Audited(client, folder / "log")


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


def test_every_route_of_the_description_has_a_good_request(audited: Audited) -> None:
    """A new route without one here would go untested."""
    paths = audited.client.get("/openapi.json").json()["paths"]
    assert {f"{method.upper()} {path}" for path, by in paths.items() for method in by} == set(GOOD)
    assert ask(audited.client, good("POST /judgements")).status_code == 201
    changing = {"POST /runs", "POST /catalogue", "POST /runs/rollback"}  # refused here: nothing is to change
    for route in GOOD:
        answer = ask(audited.client, good(route))
        assert answer.status_code in ((409,) if route in changing else (200, 201, 202)), (route, answer.text)


# What can be wrong with any request: each takes a good one and a source of chance, and changes it.

DEEP = b'{"a":' * 3000 + b"1" + b"}" * 3000
NUMBERS = (
    0,
    -1,
    101,
    1001,
    10**9,
    10**18,
    10**400,
    -(10**30),
    0.5,
    float("nan"),
    float("inf"),
    float("-inf"),
    1e308,
)
TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\u202e\u2028",
    "x" * 600,
    "x" * 300_000,
    "://" * 4000 + "a@b",
    "null",
    "../../etc/passwd",
    "<script>window.hacked=1</script>",
    "%00%2f",
    "=cmd()",
    "☃" * 400,
    "NaN",
    "' OR 1=1 --",
    "{{7*7}}",
)
ODD = (None, True, [], {}, [[]], {"a": 1}, [None], {"": {}}, *NUMBERS, *TEXTS)
HOSTILE_PATHS = (
    "",
    "/",
    "%00",
    "a%00b",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "a/b/c",
    "a%2Fb",
    "%",
    "%zz",
    "%ed%a0%80",
    "%ff%fe",
    "☃",
    "%e2%80%ae",
    "x" * 5000,
    ".",
    "..",
    "judgements.csv%00",
    "grades.ndjson",
    "{id}",
    "*",
    "p000001/",
    "P000001",
    "%20p000001",
)
QUERIES = (
    "size=0",
    "size=-1",
    "size=101",
    "size=1e3",
    "size=",
    "size=%00",
    "size=9" + "9" * 5000,
    "size=0000000019999",
    "size=%D9%A3",
    "size=1&size=2",
    "sizes=3",
    "q=%ED%A0%80",
    "q=" + "x" * 600,
    "q=%00",
    "%",
    "&&==",
    "q",
    "size=large&x=1",
    "\u00e4=1",
)


def some_place(body: Any, chance: random.Random) -> tuple[Any, Any]:
    """A container within a body and a key or place of it."""
    holders: list[Any] = []

    def walk(one: Any) -> None:
        if isinstance(one, dict | list) and one:
            holders.append(one)
            for inner in one.values() if isinstance(one, dict) else one:
                walk(inner)

    walk(body)
    holder = chance.choice(holders)
    return holder, chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))


def odd_value(one: Ask, chance: random.Random) -> None:
    if one.body:
        holder, place = some_place(one.body, chance)
        holder[place] = chance.choice(ODD)


def left_out(one: Ask, chance: random.Random) -> None:
    if one.body:
        holder, place = some_place(one.body, chance)
        del holder[place]


def unknown_field(one: Ask, chance: random.Random) -> None:
    if one.body:
        one.body[chance.choice(("x", "__class__", "constructor", "k" * 300_000, "\0", "Text", ""))] = 1


def odd_key(one: Ask, chance: random.Random) -> None:
    if one.body:
        holder, place = some_place(one.body, chance)
        if isinstance(holder, dict):
            holder[chance.choice(TEXTS)] = holder.pop(place)


def too_many(one: Ask, chance: random.Random) -> None:
    if one.body:
        holder, place = some_place(one.body, chance)
        count = chance.choice((300, 25_000))
        many = chance.choice(
            (
                [1] * count,
                [A] * count,
                {f"k{n}": 1 for n in range(count)},
                {f"k{n}": ["a"] for n in range(count)},
            )
        )
        holder[place] = many


def twice(one: Ask, chance: random.Random) -> None:
    if one.body:
        name = chance.choice(list(one.body))
        one.body = (one.content() or b"")[:-1] + f', "{name}": {json.dumps(chance.choice(ODD))}}}'.encode()


def cut_short(one: Ask, chance: random.Random) -> None:
    content = one.content() or b"{"
    one.body = content[: chance.randrange(len(content))]


def no_json(one: Ask, chance: random.Random) -> None:
    one.body = chance.choice(
        (
            b"",
            b"\xff\xfe{\0}\0",
            b"\xef\xbb\xbf{}",
            DEEP,
            b"[" * 100_000,
            b"9" * 5000,
            b"NaN",
            b"{}{}",
            b"null",
            b"[]",
            b"\0" * 99,
            b'{"text": "\\ud800"}',
            b'{"text": "\xed\xa0\x80"}',
            b"{" + b"," * 50_000 + b"}",
            b" " * 2_000_001,
            chance.randbytes(200),
        )
    )


def odd_headers(one: Ask, chance: random.Random) -> None:
    one.headers |= chance.choice(
        (
            {"content-type": "text/plain"},
            {"content-type": "multipart/form-data; boundary=x"},
            {"content-type": "application/xml"},
            {"content-type": ";;;"},
            {"content-type": ""},
            {"content-encoding": "gzip"},
            {"content-encoding": "br, gzip"},
            {"content-length": "9" * 30},
            {"content-length": "-1"},
            {"content-length": "x"},
            {"content-length": "9" * 5000},
            {"transfer-encoding": "gzip"},
            {"range": "bytes=9-1"},
            {"range": "bytes=-"},
            {"if-none-match": '"x"'},
            {"accept": "text/html"},
            {"if-modified-since": "yesterday"},
            {"x-forwarded-host": "evil.example"},
            {"cookie": "a" * 9000},
            {"origin": "http://evil.example"},
        )
    )


def odd_host(one: Ask, chance: random.Random) -> None:
    hosts = (
        "",
        "[::1",
        "[",
        "localhost:abc",
        "evil.example",
        "localhost@evil",
        "a b",
        "::::",
        "localhost:99999999",
        "\xe4",
    )
    one.headers["host"] = chance.choice(hosts)


def odd_token(one: Ask, chance: random.Random) -> None:
    tokens = (
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        "Bearer \xe4",
        "Bearer " + "x" * 9000,
    )
    one.headers["authorization"] = chance.choice(tokens)


def odd_method(one: Ask, chance: random.Random) -> None:
    one.method = chance.choice(
        ("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "POST", "GET", "FOO", "get")
    )


def odd_path(one: Ask, chance: random.Random) -> None:
    base = chance.choice((one.path, one.path.rpartition("/")[0] + "/", "/"))
    one.path = base + chance.choice(HOSTILE_PATHS)


def odd_query(one: Ask, chance: random.Random) -> None:
    one.query = chance.choice(QUERIES)


def animated() -> bytes:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def text_bomb() -> bytes:
    """A PNG whose compressed text takes 20 MB unpacked."""
    packed = zlib.compress(b"a" * 20_000_000, 9)
    data = b"k\0\0" + packed
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    plain = base64.b64decode(photo())
    return plain[:33] + chunk + plain[33:]


PHOTOS = (
    b"",
    b"x",
    png(50_000, 50_000),
    png(2000, 2000),
    of_noise(32)[:300],
    b"<svg onload=alert(1)>",
    b"%!PS-Adobe-3.0 EPSF",
    b"%PDF-1.4",
    b"\xff\xd8\xff\xe0" + b"\0" * 64,
    b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 40,
    b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 200,
    b"GIF89a\xff\xff\xff\xff",
    b"\0\0\0\x20ftypheic" + b"\0" * 64,
    b"\0\0\0\x20ftypavif" + b"\0" * 64,
    b"BM" + b"\xff" * 100,
    animated(),
    animated()[:60],
    text_bomb(),
)


def odd_photo(one: Ask, chance: random.Random) -> None:
    if one.body and "photo" in one.body:
        encoded = base64.b64encode(chance.choice(PHOTOS)).decode()
        one.body["photo"] = chance.choice(
            (encoded, f"data:image/png;base64,{encoded}", encoded[:-1], f"{encoded}\n", "http://x/y.png")
        )


KINDS: tuple[Callable[[Ask, random.Random], None], ...] = (
    odd_value,
    left_out,
    unknown_field,
    odd_key,
    too_many,
    twice,
    cut_short,
    no_json,
    odd_headers,
    odd_host,
    odd_token,
    odd_method,
    odd_path,
    odd_query,
    odd_photo,
)


def go(audited: Audited, one: Ask) -> None:
    try:
        answer = ask(audited.client, one)
    except (UnicodeEncodeError, ValueError) as error:  # what the client itself cannot send
        assert "httpx" in type(error).__module__ or isinstance(error, UnicodeEncodeError), (one, error)
        return
    check(answer, one)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_kind_of_mistake_at_each_route(audited: Audited, kind: Callable[..., None]) -> None:
    for route in GOOD:
        for number in range(20 if SLOW else 2):
            one = good(route)
            kind(one, random.Random(f"{route} {kind.__name__} {number}"))
            go(audited, one)
    serves_well(audited)


@settings(max_examples=5000 if SLOW else 100)
@given(
    route=st.sampled_from(sorted(GOOD)),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
)
def test_mistakes_together(audited: Audited, route: str, kinds: list[Callable[..., None]], seed: int) -> None:
    one, chance = good(route), random.Random(seed)
    for kind in kinds:
        if not isinstance(one.body, bytes):
            kind(one, chance)
    go(audited, one)


@pytest.mark.parametrize("content", PHOTOS, ids=range(len(PHOTOS)))
def test_each_photo_where_photos_are_taken(audited: Audited, content: bytes) -> None:
    for route, (_, body) in GOOD.items():
        if body and "photo" in body:
            one = good(route)
            one.body["photo"] = base64.b64encode(content).decode()
            go(audited, one)
    serves_well(audited)
