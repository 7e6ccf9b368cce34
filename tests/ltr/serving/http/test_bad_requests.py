"""Every endpoint of the API's own description with a bad method, path, address or headers, and with mistakes together.

Never a fault of ours, never a hang; each kind of mistake is made at each route. Bodies: `test_bad_bodies.py`.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ltr.serving.http.auditing import GOOD, SLOW, Ask, Mistake, ask, go, go_wrong, good
from tests.ltr.serving.http.conftest import TOKEN, Audited
from tests.ltr.serving.http.test_bad_bodies import IN_BODIES

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


def test_every_route_of_the_description_has_a_good_request(audited: Audited) -> None:
    """A new route without one here would go untested."""
    paths = audited.client.get("/openapi.json").json()["paths"]
    assert {f"{method.upper()} {path}" for path, by in paths.items() for method in by} == set(GOOD)
    assert ask(audited.client, good("POST /judgements")).status_code == 201
    changing = {"POST /runs", "POST /catalogue", "POST /runs/rollback"}  # refused here: nothing is to change
    for route in GOOD:
        answer = ask(audited.client, good(route))
        assert answer.status_code in ((409,) if route in changing else (200, 201, 202)), (route, answer.text)


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


AROUND_BODIES: tuple[Mistake, ...] = (
    odd_headers,
    odd_host,
    odd_token,
    odd_method,
    odd_path,
    odd_query,
)


@pytest.mark.parametrize("kind", AROUND_BODIES, ids=lambda kind: kind.__name__)
def test_each_kind_of_mistake_around_the_body_of_each_route(audited: Audited, kind: Mistake) -> None:
    go_wrong(audited, kind)


@settings(max_examples=5000 if SLOW else 100)
@given(
    route=st.sampled_from(sorted(GOOD)),
    kinds=st.lists(st.sampled_from(IN_BODIES + AROUND_BODIES), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
)
def test_mistakes_together(audited: Audited, route: str, kinds: list[Mistake], seed: int) -> None:
    one, chance = good(route), random.Random(seed)
    for kind in kinds:
        if not isinstance(one.body, bytes):
            kind(one, chance)
    go(audited, one)
