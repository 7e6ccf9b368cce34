"""What a request cannot mean, or what in it changes nothing, is said: no value is taken for another, none dropped."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from tests.ltr.serving.http.auditing import A, B, ask, good, photo
from tests.ltr.serving.http.conftest import BEARER, Audited, Clients
from tests.ltr.serving.http.test_limits import check_problem
from tests.ltr.serving.http.test_search import found

NUMBERS = {  # by route: places of numbers, and of what is true or false
    "POST /search": (("size",), ("page",), ("reasons",), ("filters", "price", "min")),
    "POST /rerank": (("candidates", 1, "features", "structured.price"),),
    "POST /beside": (("size",),),
    "POST /events": (("events", 0, "value"),),
    "POST /judgements": (("grades", A),),
}
PLACES = [(route, place) for route, places in NUMBERS.items() for place in places]


def _put(body: Any, place: tuple[str | int, ...], value: object) -> None:
    *path, last = place
    for part in path:
        body = body[part]
    body[last] = value


@pytest.mark.parametrize("value", [True, False, "2", "", [2], {"a": 2}], ids=repr)
@pytest.mark.parametrize(
    ("route", "place"), PLACES, ids=lambda one: ".".join(map(str, one)) if isinstance(one, tuple) else one
)
def test_what_is_no_number_is_taken_for_none(
    audited: Audited, route: str, place: tuple[str | int, ...], value: object
) -> None:
    one = good(route)
    _put(one.body, place, value)
    problem = check_problem(ask(audited.client, one), 422)
    assert str(place[-1]) in problem["where"]
    assert repr(value) in problem["got"] or isinstance(value, str)


@pytest.mark.parametrize(("route", "name"), [("POST /search", "facets"), ("POST /runs", "force")])
@pytest.mark.parametrize("value", [0, 1, "yes", "true", 1.0])
def test_what_is_neither_true_nor_false_is_taken_for_neither(
    audited: Audited, route: str, name: str, value: object
) -> None:
    one = good(route)
    one.body[name] = value
    assert check_problem(ask(audited.client, one), 422)["where"] == name


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "min, max or both"),
        ({"min": 5, "max": 1}, "min not above max"),
        ({"min": None}, "min, max or both"),
    ],
)
def test_a_range_of_nothing_says_what_it_lacks(
    audited: Audited, wanted: dict[str, Any], expected: str
) -> None:
    one = good("POST /search")
    one.body["filters"] = {"price": wanted}
    problem = check_problem(ask(audited.client, one), 422)
    assert (problem["where"], problem["expected"]) == ("filters.price", expected)


def test_reasons_are_not_asked_of_what_gives_none(audited: Audited) -> None:
    one = good("POST /rerank")
    one.body["reasons"] = 2
    assert check_problem(ask(audited.client, one), 422)["where"] == "reasons"


NOW = dt.datetime.now(dt.UTC).timestamp()


@pytest.mark.parametrize(
    ("at", "right"),
    [
        *((NOW, True), (int(NOW), True), (NOW * 1e3, True), ("2026-01-01T00:00:00+14:00", True)),
        *(
            (NOW / 60, False),
            (NOW / 3600, False),
            (NOW / 86400, False),
            (NOW * 1e6, False),
            (NOW * 1e9, False),
        ),
        *(
            (0, False),
            (-1, False),
            (True, False),
            ("5", False),
            ("2026-01-01", False),
            ("2026-01-01T00:00:00", False),
        ),
    ],
    ids=lambda value: type(value).__name__,  # a clock's own words would name another test in each process
)
def test_times_in_a_unit_that_nobody_meant_are_refused(audited: Audited, at: object, right: bool) -> None:
    one = good("POST /events")
    one.body["events"][0]["at"] = at
    assert ask(audited.client, one).status_code == (202 if right else 422)


@pytest.mark.parametrize("written", [f" {A}", A.upper(), f"{A}.0", "\u200b" + A, "gone"])
def test_events_of_products_that_the_catalogue_does_not_have_are_logged_and_said(
    audited: Audited, written: str
) -> None:
    one = good("POST /events")
    one.body["events"] = [{"product_id": name, "action": "click"} for name in (A, written, B, written)]
    answer = ask(audited.client, one).json()
    assert (answer["logged"], answer["unknown"]) == (4, [written])


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0"])
def test_an_id_of_blanks_alone_is_nobody_s(audited: Audited, blank: str) -> None:
    for route, place in (
        *(("POST /events", ("shopper",)), ("POST /events", ("events", 0, "product_id"))),
        *(("POST /search", ("shopper",)), ("POST /search", ("session",)), ("POST /search", ("history", 0))),
        *(("POST /rerank", ("candidates", 0)), ("POST /compare", ("products", 0))),
    ):
        one = good(route)
        _put(one.body, place, blank)
        assert str(place[-1]) in check_problem(ask(audited.client, one), 422)["where"]


@pytest.mark.parametrize("value", [1e39, -3.5e38, 1e308, 10**300])
def test_a_feature_beyond_32_bits_is_refused(audited: Audited, value: float) -> None:
    one = good("POST /rerank")
    one.body["candidates"][1]["features"] = {"structured.price": value}
    assert check_problem(ask(audited.client, one), 422)["expected"] == "a 32-bit number"


@pytest.mark.parametrize(
    ("route", "name", "value", "expected"),
    [
        ("POST /events", "events", [], "at least 1 item"),
        ("POST /compare", "products", [A], "at least 2 items"),
        ("POST /judgements", "grades", {}, "at least 1 item"),
        ("POST /search", "history", [A] * 201, "at most 200 items"),
        ("POST /search", "size", 0, "greater than or equal to 1"),
    ],
)
def test_what_was_expected_is_told_without_words_of_python(
    audited: Audited, route: str, name: str, value: object, expected: str
) -> None:
    one = good(route)
    one.body[name] = value
    assert check_problem(ask(audited.client, one), 422)["expected"] == expected


def test_a_price_paid_is_not_below_nothing(audited: Audited) -> None:
    one = good("POST /events")
    one.body["events"][0]["value"] = -2.5
    assert check_problem(ask(audited.client, one), 422)["where"] == "events.0.value"


@pytest.mark.parametrize("column", ["brand", "category"])
def test_values_that_no_product_has_are_said(audited: Audited, column: str) -> None:
    facets = found(audited.client, text="blue shoes", size=1)["facets"][column]
    known = facets[0]["value"]
    passing = found(audited.client, text="blue shoes", filters={column: [known]}, size=1)["products"][0]
    for odd in (f"{known} ", known.upper(), "", "nobody", known[:-1], known + "x"):
        for route in ("POST /search", "POST /explain", "POST /beside"):
            one = good(route)
            one.body |= {"text": "blue shoes", "photo": None, "filters": {column: [odd, known]}}
            one.body.pop("history", None)
            if route == "POST /explain":
                one.body["product_id"] = passing["product_id"]
            assert ask(audited.client, one).json()["ignored"] == {f"filters.{column}": [odd]}
    assert found(audited.client, text="blue shoes", filters={column: [known]})["ignored"] == {}


def test_a_part_of_a_path_of_categories_is_known(audited: Audited) -> None:
    path = found(audited.client, text="blue shoes", size=1)["facets"]["category"]
    for level in {one["value"] for one in path}:
        assert found(audited.client, text="shoes", filters={"category": [level]})["ignored"] == {}


@pytest.mark.parametrize("sort", ["relevance", "price"])
def test_a_history_that_changes_nothing_is_said(
    audited: Audited, clients: Clients, changing: Path, sort: str
) -> None:
    assert found(audited.client, text="blue", history=[A, "gone", A])["ignored"] == {"history": [A, "gone"]}
    reads = LiveRun(changing / "runs" / "renewed-xgboost")
    client, known = clients(LiveRuns(reads), no_log=True), reads.builder.catalogue.product_ids[0]
    odd = [known.upper() + "X", f" {known}", "gone"]
    asked = {"text": "red shoe", "history": [known, *odd, "gone"], "sort": sort}
    assert found(client, **asked)["ignored"] == {"history": odd if sort == "relevance" else [known, *odd]}
    assert client.get("/ready").json()["history"]


@pytest.mark.parametrize("text", ["red shoe", None])
@pytest.mark.parametrize("sort", ["relevance", "price"])
def test_a_photo_that_a_run_does_not_read_is_said(
    clients: Clients, changing: Path, text: str | None, sort: str
) -> None:
    client = clients(LiveRuns(LiveRun(changing / "runs" / "renewed-xgboost")), no_log=True)
    answer = found(client, text=text, photo=photo(), sort=sort)
    assert answer["ignored"] == {"photo": ["no encoder of renewed-xgboost reads photos"]}
    assert [one["product_id"] for one in answer["products"]] == (
        [one["product_id"] for one in found(client, text=text, sort=sort)["products"]] if text else []
    )


@pytest.mark.parametrize("route", ["POST /rerank", "POST /explain", "POST /beside"])
@pytest.mark.parametrize("text", ["red shoe", None])
def test_a_photo_is_not_asked_of_a_run_that_reads_none(
    clients: Clients, changing: Path, route: str, text: str | None
) -> None:
    client = clients(LiveRuns(LiveRun(changing / "runs" / "renewed-xgboost")), no_log=True)
    one = good(route)
    one.body |= {"text": text, "photo": photo()}
    problem = check_problem(ask(client, one), 422)
    assert problem["where"] == "photo"
    assert "encoders.image" in problem["cure"]


@pytest.mark.parametrize("name", ["ann", " ann", "ann ", "ann\u00a0", "\u200bann", "a\u00adnn", "  ann  "])
@pytest.mark.parametrize(
    "text", ["caf\u00e9 table", "cafe\u0301 table", " caf\u00e9   table ", "caf\u00e9\u00a0table"]
)
def test_a_judge_and_a_query_are_one_however_they_are_typed(
    clients: Clients, tmp_path: Path, name: str, text: str
) -> None:
    client = clients(judgements=tmp_path / "judgements", no_log=True)
    for judge, words, grade in (("ann", "caf\u00e9 table", 1), (name, text, 3)):
        body = {"text": words, "judge": judge, "grades": {A: grade}}
        assert client.post("/judgements", json=body, headers=BEARER).status_code == 201
    summary = client.get("/judgements", headers=BEARER).json()
    assert summary["judges"] == [{"judge": "ann", "grades": 1, "queries": 1}]
    given = {"text": text, "judge": name}
    assert client.post("/judgements/given", json=given, headers=BEARER).json()["grades"] == {A: 3}
