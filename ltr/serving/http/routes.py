"""What each path does: read the request, have it worked on in a thread, answer in JSON."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from features.errors import InputError
from ltr.serving.http import problems
from ltr.serving.http.bodies import MOST_SIZE, SearchBody
from ltr.serving.http.limits import Workers, read_body
from ltr.serving.http.problems import RequestError
from ltr.serving.live_runs import LiveRun, LiveRuns, check_photo
from ltr.serving.photos import SIZES
from ltr.serving.searching import Asked, Found, retrieval_order, search, similar
from ltr.serving.settings import ServeSettings

Given = TypeVar("Given", bound=BaseModel)
_SUGGESTED = 20


@dataclass
class Server:
    """What the routes share."""

    settings: ServeSettings
    runs: LiveRuns
    token: str | None
    workers: Workers
    photo_workers: Workers = field(default_factory=lambda: Workers(1, 512, "photo"))
    quick_workers: Workers = field(default_factory=lambda: Workers(1, 64, "quick"))


@dataclass(frozen=True)
class ApiPath:
    """A path of the API; open: needs no token."""

    path: str
    method: str
    endpoint: Callable[[Request, Server], Awaitable[Response]]
    open: bool
    about: str
    body: type[BaseModel] | None = None


def in_json(request: Request, answer: dict[str, Any], status: int = 200) -> Response:
    whole = {"request_id": request.scope["request_id"], **answer}
    whole["took_ms"] = round(1000 * (time.perf_counter() - request.scope["began"]), 3)
    content = json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(content.encode("utf-8", "backslashreplace"), status, media_type="application/json")


async def read(request: Request, server: Server, model: type[Given]) -> Given:
    """The body as a model; a RequestError for what is no JSON, or is not as the model says."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RequestError(415, where="content-type", expected="application/json", got=kind, cure="send JSON")
    settings = server.settings
    body = await read_body(request, settings.body_bytes, settings.body_timeout)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise problems.of_validation(error) from error


async def search_path(request: Request, server: Server) -> Response:
    body = await read(request, server, SearchBody)
    asked = _checked(body, server.settings)
    with server.runs.use() as live:
        found = Found()
        count, request_id = server.settings.candidates, request.scope["request_id"]
        future = server.workers.start(lambda: search(live, asked, count, found, request_id))
        degraded = await _late(future, server.settings.timeout)
        if degraded:
            if found.candidates is None:
                raise _too_slow(server.settings.timeout)
            found.rows, found.scores = retrieval_order(live, found, count), None
        shown = _page(live, found, body.page, body.size)
        answer = {"run": live.about(), "degraded": degraded, "sort": body.sort, **shown}
        return in_json(request, answer | {"facets": found.facets})


async def _late(future: asyncio.Future[Found], seconds: float) -> bool:
    """Whether the work did not end in time; it goes on by itself, and keeps its room until it ends."""
    try:
        await asyncio.wait_for(asyncio.shield(future), seconds)
    except TimeoutError:
        return True
    return False


def _too_slow(seconds: float) -> RequestError:
    return RequestError(
        503,
        where="server",
        expected=f"candidates within {seconds:g} seconds",
        got="none yet",
        cure="ask again in a second",
        headers={"retry-after": "1"},
    )


def _checked(body: SearchBody, settings: ServeSettings) -> Asked:
    text = body.text.strip() if body.text else None
    if text and len(text) > settings.query_characters:
        expected, got = f"at most {settings.query_characters} characters", f"{len(text):,}"
        raise RequestError(422, where="text", expected=expected, got=got, cure="ask in fewer words")
    if body.photo is not None:
        check_photo(body.photo, settings.photo_bytes, settings.photo_pixels)
    if not text and body.photo is None and body.sort == "relevance":
        raise RequestError(
            422,
            where="text",
            expected="words, a photo, or sort by price or newest",
            got="none of them",
            cure="say what to look for, or sort the filtered catalogue",
        )
    return Asked(text or None, body.photo, body.filters, body.sort, body.facets)


def _page(live: LiveRun, found: Found, page: int, size: int) -> dict[str, Any]:
    """The products of a page with their positions in the whole list."""
    rows, first = found.rows if found.rows is not None else (), (page - 1) * size
    products = []
    for place in range(first, min(first + size, len(rows))):
        row = int(rows[place])
        score = None if found.scores is None else float(found.scores[place])
        products.append({"position": place + 1, **live.catalogue.card(row), "score": score})
    pages = -(-len(rows) // size)
    return {"total": len(rows), "page": page, "pages": pages, "size": size, "products": products}


async def similar_path(request: Request, server: Server) -> Response:
    size = _number(request, "size", 12, MOST_SIZE)
    with server.runs.use() as live:
        row = _row(live, request)
        count, request_id = server.settings.candidates, request.scope["request_id"]
        found = await server.workers.start(lambda: similar(live, row, count, request_id))
        return in_json(request, {"run": live.about(), **_page(live, found, 1, size)})


async def product_path(request: Request, server: Server) -> Response:
    with server.runs.use() as live:
        row = _row(live, request)
        return in_json(request, {"run": live.about(), "product": live.catalogue.details(row)})


async def photo_path(request: Request, server: Server) -> Response:
    size = request.query_params.get("size", "small")
    if size not in SIZES:
        raise RequestError(
            422, where="size", expected=" or ".join(SIZES), got=repr(size), cure="ask for one of them"
        )
    with server.runs.use() as live:
        row = _row(live, request)
        file = await server.photo_workers.start(lambda: live.photos.thumbnail(row, size))
    if file is None:
        raise RequestError(
            404, where="photo", expected="a product with a photo", got="one without", cure="show none"
        )
    return FileResponse(file, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})


async def suggest_path(request: Request, server: Server) -> Response:
    typed, most = request.query_params.get("q", ""), _number(request, "size", 8, _SUGGESTED)
    if len(typed) > server.settings.query_characters:
        expected = f"at most {server.settings.query_characters} characters"
        raise RequestError(422, where="q", expected=expected, got=f"{len(typed):,}", cure="type fewer")
    with server.runs.use() as live:
        found = await server.quick_workers.start(lambda: live.suggestions.of(typed, most))
        return in_json(request, {"suggestions": found})


async def health_path(request: Request, server: Server) -> Response:
    with server.runs.use() as live:
        return in_json(request, {"status": "ok", "run": live.about()})


def _row(live: LiveRun, request: Request) -> int:
    try:
        return live.catalogue.row_of(request.path_params["id"])
    except InputError as error:
        raise problems.of_input_error(error, 404) from error


def _number(request: Request, name: str, default: int, most: int) -> int:
    given = request.query_params.get(name)
    if given is None:
        return default
    if not given.isascii() or not given.isdecimal() or not 1 <= int(given[:9]) <= most:
        expected = f"a whole number from 1 to {most}"
        raise RequestError(422, where=name, expected=expected, got=repr(given[:40]), cure=f"mend {name}")
    return int(given)


ROUTES = (
    ApiPath("/search", "POST", search_path, True, "Products for words, a photo, or both.", SearchBody),
    ApiPath("/similar/{id:path}", "GET", similar_path, True, "Products like one of the catalogue."),
    ApiPath("/suggest", "GET", suggest_path, True, "What the typed letters may become."),
    ApiPath("/product/{id:path}", "GET", product_path, True, "All that the catalogue says of a product."),
    ApiPath("/photo/{id:path}", "GET", photo_path, True, "A product's photo as a small or large JPEG."),
    ApiPath("/health", "GET", health_path, True, "Whether the process lives."),
)
