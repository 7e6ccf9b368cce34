"""What a search page asks for: lists by words or photo, products like one, reranking, products, photos, suggestions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from features.batch import QueryBatch
from features.errors import InputError
from ltr.serving.catalogue.photos import SIZES
from ltr.serving.http.bodies import MOST_SIZE, Query, RerankBody, SearchBody
from ltr.serving.http.problems import RequestError
from ltr.serving.http.server import (
    ApiPath,
    Server,
    Shown,
    in_json,
    in_time,
    read,
    row_of,
    too_slow,
    whole_number,
)
from ltr.serving.lists.reranking import Reranking, rerank
from ltr.serving.lists.searching import Asked, Found, retrieval_order, search, similar
from ltr.serving.live.live_run import LiveRun, check_photo
from ltr.serving.ranking import read_as
from ltr.serving.why.reasons import explanation_of, reasons_of

_SUGGESTED = 20


async def search_path(request: Request, server: Server) -> Response:
    body = await read(request, server, SearchBody)
    settings, request_id = server.settings, request.scope["request_id"]
    list_id = body.list_id if body.list_id and body.page > 1 else request_id
    people = server.people(body)
    arm = server.arm(people)
    with server.runs.use() as now:
        live = server.live_for(now, arm)
        await check_query(body, server)
        asked = _asked(body, list_id, server.candidates(live))
        found, exploring = Found(), server.exploring()
        future = server.workers.start(
            lambda: _searched(live, asked, exploring, found, body.reasons), settings.timeout
        )
        degraded = not await in_time(future, settings.timeout)
        reasons = {} if degraded else future.result()
        found = await _in_retrieval_order(server, live, asked, found) if degraded else found
        shown = _page(body.page, body.size, found, people, "/search", arm, degraded)
        server.log_shown(request, live, asked, found, shown)
        _count(server, found, degraded)
        total = 0 if found.shown is None else len(found.shown.rows)
        answer = {
            "list_id": list_id,
            "run": live.about(),
            "arm": arm,
            "degraded": degraded,
            "read_as": _read_as(live, found.query),
            "ignored": found.ignored,
            "sort": body.sort,
            "total": total,
            "page": body.page,
            "pages": -(-total // body.size),
            "size": body.size,
            "products": cards(live, found, shown, reasons),
            "facets": found.facets,
        }
        return in_json(request, answer)


def _read_as(live: LiveRun, query: QueryBatch | None) -> dict[str, str]:
    return {} if query is None else read_as(live.builder, query)


async def _in_retrieval_order(server: Server, live: LiveRun, asked: Asked, found: Found) -> Found:
    """What is shown of a list whose time ran out: the model's order where it was done, retrieval's where not.

    Raises a RequestError where nothing was found yet.
    """
    late = found.so_far()
    if late.shown is not None:
        return late
    if late.candidates is None:
        raise too_slow(server.settings.timeout)
    shown = await server.quick_workers.start(lambda: retrieval_order(live, asked, late))
    return dataclasses.replace(late, shown=shown, scores=None)


def _searched(live: LiveRun, asked: Asked, exploring: Any, found: Found, reasons: int) -> dict[int, Any]:
    """Search, in a thread; the reasons of the products by row."""
    search(live, asked, exploring, found)
    return _reasons(live, found, reasons)


def _reasons(live: LiveRun, found: Found, most: int) -> dict[int, Any]:
    """Of the first hundred; none where the ranker is no sum over its features."""
    if not most or found.shown is None or found.candidates is None:
        return {}
    try:
        explanation = explanation_of(live, found)
    except InputError:
        return {}
    if explanation is None:
        return {}
    rows = found.shown.rows.tolist()
    return dict(zip(rows, reasons_of(live, explanation, found.candidates, rows, most), strict=True))


def _count(server: Server, found: Found, degraded: bool) -> None:
    if degraded:
        server.metrics.degraded.inc()
    if found.shown is None or not len(found.shown.rows):
        server.metrics.empty.inc()
    elif found.shown.team is not None:
        server.metrics.explored.labels("interleave").inc()
    elif (found.shown.propensity < 1).any():
        server.metrics.explored.labels("swaps").inc()


async def check_query(body: Query, server: Server, *readers: LiveRun) -> None:
    """Raise a RequestError or InputError for too many words, or a photo that is too large or none.

    readers: the runs that are to answer, if any; of them one must read photos where there is one.
    """
    settings = server.settings
    if body.text and len(body.text) > settings.query_characters:
        expected, got = f"at most {settings.query_characters} characters", f"{len(body.text):,}"
        raise RequestError(422, where="text", expected=expected, got=got, cure="ask in fewer words")
    if body.photo is not None:
        photo = body.photo
        if readers and not any(one.reads_photos for one in readers):
            raise RequestError(
                422,
                where="photo",
                expected="words",
                got=f"a photo, which no encoder of {' or '.join(one.name for one in readers)} reads",
                cure="leave it out, or serve a run trained with encoders.image",
            )
        work = server.photo_workers.start(
            lambda: check_photo(photo, settings.photo_bytes, settings.photo_pixels)
        )
        await work


def _asked(body: SearchBody, list_id: str, count: int | None) -> Asked:
    text = (body.text or "").strip() or None
    if text is None and body.photo is None and body.sort == "relevance":
        raise RequestError(
            422,
            where="text",
            expected="words, a photo, or sort by price or newest",
            got="none of them",
            cure="say what to look for, or sort the filtered catalogue",
        )
    return Asked(list_id, count, text, body.photo, body.filters, body.sort, body.facets, body.history)


def _page(
    page: int,
    size: int,
    found: Found,
    people: Mapping[str, str | None],
    path: str,
    arm: str | None,
    degraded: bool,
) -> Shown:
    first = (page - 1) * size
    rows = np.zeros(0, dtype=np.int64) if found.shown is None else found.shown.rows
    return Shown(rows[first : first + size].tolist(), first, people, path, arm, degraded)


def cards(live: LiveRun, found: Found, shown: Shown, reasons: Any) -> list[dict[str, Any]]:
    """The products of a page with their positions in the whole list."""
    listed = zip(shown.rows, live.catalogue.cards(shown.rows), found.scores_of(shown.rows), strict=True)
    return [
        {"position": place, **card, "score": score} | ({"reasons": reasons[row]} if row in reasons else {})
        for place, (row, card, score) in enumerate(listed, start=shown.first + 1)
    ]


async def similar_path(request: Request, server: Server) -> Response:
    size = whole_number(request, "size", 12, MOST_SIZE)
    with server.runs.use() as live:
        row = row_of(live, request.path_params["id"])
        asked = Asked(request.scope["request_id"], server.candidates(live))
        found, seconds = Found(), server.settings.timeout
        future = server.workers.start(lambda: similar(live, row, asked, found), seconds)
        degraded = not await in_time(future, seconds)
        found = await _in_retrieval_order(server, live, asked, found) if degraded else future.result()
        nobody = {"session": None, "shopper": None}
        shown = _page(1, size, found, nobody, "/similar", None, degraded)
        server.log_shown(request, live, asked, found, shown)
        _count(server, found, degraded)
        total = 0 if found.shown is None else len(found.shown.rows)
        products = cards(live, found, shown, {})
        answer = {"run": live.about(), "degraded": degraded, "total": total, "products": products}
        return in_json(request, answer)


async def rerank_path(request: Request, server: Server) -> Response:
    body = await read(request, server, RerankBody)
    most, request_id = server.settings.rerank_most, request.scope["request_id"]
    if len(body.candidates) > most:
        got = f"{len(body.candidates):,}"
        raise RequestError(
            422, where="candidates", expected=f"at most {most:,}", got=got, cure="send the best ones"
        )
    text = (body.text or "").strip() or None
    if text is None and body.photo is None:
        raise RequestError(
            422, where="text", expected="words or a photo", got="neither", cure="send the query"
        )
    people = server.people(body)
    arm = server.arm(people)
    with server.runs.use() as now:
        live = server.live_for(now, arm)
        await check_query(body, server, live)
        given = {
            (one if isinstance(one, str) else one.product_id): ({} if isinstance(one, str) else one.features)
            for one in body.candidates
        }
        if len(given) < len(body.candidates):
            raise RequestError(
                422, where="candidates", expected="each product once", got="one twice", cure="send it once"
            )
        asked = Asked(request_id, len(given), text, body.photo)
        reranking, seconds = Reranking(given), server.settings.timeout
        future = server.workers.start(lambda: rerank(live, asked, reranking), seconds)
        degraded = not await in_time(future, seconds)
        if degraded and not reranking.checked:
            raise too_slow(seconds)
        if degraded:
            server.metrics.degraded.inc()
        products = reranking.as_given() if degraded else future.result()
        answer = {
            "run": live.about(),
            "arm": arm,
            "degraded": degraded,
            "read_as": _read_as(live, reranking.query),
            "products": products,
        }
        return in_json(request, answer)


async def product_path(request: Request, server: Server) -> Response:
    with server.runs.use() as live:
        row = row_of(live, request.path_params["id"])
        return in_json(request, {"run": live.about(), "product": live.catalogue.details(row)})


async def photo_path(request: Request, server: Server) -> Response:
    size = request.query_params.get("size", "small")
    if size not in SIZES:
        expected = " or ".join(SIZES)
        raise RequestError(422, where="size", expected=expected, got=repr(size), cure="ask for one of them")
    with server.runs.use() as live:
        row = row_of(live, request.path_params["id"])
        file = await server.photo_workers.start(lambda: live.photos.thumbnail(row, size))
    if file is None:
        expected = "a product with a photo"
        raise RequestError(404, where="photo", expected=expected, got="one without", cure="show none")
    return FileResponse(file, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})


async def suggest_path(request: Request, server: Server) -> Response:
    typed, most = request.query_params.get("q", ""), whole_number(request, "size", 8, _SUGGESTED)
    if len(typed) > server.settings.query_characters:
        expected = f"at most {server.settings.query_characters} characters"
        raise RequestError(422, where="q", expected=expected, got=f"{len(typed):,}", cure="type fewer")
    with server.runs.use() as live:
        found = await server.quick_workers.start(lambda: live.suggestions.of(typed, most))
        return in_json(request, {"suggestions": found})


PATHS = (
    ApiPath("/search", "POST", search_path, "open", "Products for words, a photo, or both.", SearchBody),
    ApiPath("/similar/{id:path}", "GET", similar_path, "open", "Products like one.", None, ("size",)),
    ApiPath("/suggest", "GET", suggest_path, "open", "What typed letters may become.", None, ("q", "size")),
    ApiPath("/product/{id:path}", "GET", product_path, "open", "All that the catalogue says of a product."),
    ApiPath(
        "/photo/{id:path}", "GET", photo_path, "open", "A product's photo, small or large.", None, ("size",)
    ),
    ApiPath(
        "/rerank", "POST", rerank_path, "token", "A shop's own candidates in the run's order.", RerankBody
    ),
)
