"""What a search team asks of the page: two orders side by side, and grades given and taken away."""

from __future__ import annotations

import unicodedata

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from ltr.serving.http.bodies import BesideBody, GivenBody, JudgeBody, Query
from ltr.serving.http.problems import RequestError
from ltr.serving.http.routes import check_query
from ltr.serving.http.server import ApiPath, Server, in_json, in_time, read, row_of, too_slow
from ltr.serving.lists.beside import BM25, side_by_side
from ltr.serving.lists.searching import Asked
from ltr.serving.log.judgements import TABLES

_OPENING = 60.0  # seconds that another run may take to be opened


async def beside_path(request: Request, server: Server) -> Response:
    body = await read(request, server, BesideBody)
    text = _words(body)
    with server.runs.use() as live:
        other = None
        if body.against != BM25:
            opening = server.run_workers.start(lambda: server.beside.of(server.runs, body.against))
            if not await in_time(opening, _OPENING):
                raise too_slow(_OPENING)
            other = opening.result()
        await check_query(body, server, *filter(None, (live, other)))
        asked = Asked(request.scope["request_id"], server.candidates(live), text, body.photo, body.filters)
        seconds = 5 * server.settings.timeout
        future = server.workers.start(lambda: side_by_side(live, other, asked, body.size), seconds)
        if not await in_time(future, seconds):
            raise too_slow(seconds)
        against = {"name": BM25, "version": None} if other is None else other.about()
        answer = {"run": live.about(), "against": against, "ignored": live.catalogue.unmet(asked.filters)}
        return in_json(request, {**answer, **future.result()})


async def judge_path(request: Request, server: Server) -> Response:
    """Answered when the grades are on the disk."""
    body = await read(request, server, JudgeBody)
    text = _words(body)
    await check_query(body, server)
    with server.runs.use() as live:
        for product in body.grades:
            row_of(live, product, "grades", 422)
    work = server.quick_workers.start(
        lambda: server.judgements.add(body.judge, text, body.photo, body.grades)
    )
    try:
        query = await work
    except OSError as error:
        raise RequestError(
            503,
            where="judgements",
            expected="room on the disk",
            got=error.strerror or str(error),
            cure="make room, and give the grade again",
        ) from error
    return in_json(request, {"query_id": query.query_id, "kept": len(body.grades)}, 201)


async def given_path(request: Request, server: Server) -> Response:
    body = await read(request, server, GivenBody)
    text = _words(body)
    await check_query(body, server)
    return in_json(request, {"grades": server.judgements.given(body.judge, text, body.photo)})


async def summary_path(request: Request, server: Server) -> Response:
    return in_json(request, await server.quick_workers.start(server.judgements.summary))


async def table_path(request: Request, server: Server) -> Response:
    name = request.path_params["table"]
    path = server.judgements.folder / name
    if name not in TABLES or not path.is_file():
        raise RequestError(
            404,
            where="judgements",
            expected=" or ".join(TABLES),
            got=repr(name) if name not in TABLES else "no grade yet",
            cure="grade a product first",
        )
    return FileResponse(path, media_type="text/csv", filename=name, headers={"cache-control": "no-store"})


def _words(body: Query) -> str | None:
    # In one form: a query that is typed in two would be two, each judged in part.
    text = " ".join(unicodedata.normalize("NFC", body.text or "").split()) or None
    if text is None and body.photo is None:
        raise RequestError(
            422, where="text", expected="words or a photo", got="neither", cure="send the query"
        )
    return text


PATHS = (
    ApiPath("/beside", "POST", beside_path, "token", "One query by two orders, and what moved.", BesideBody),
    ApiPath("/judgements", "POST", judge_path, "token", "Grades of a query's products, kept.", JudgeBody),
    ApiPath("/judgements", "GET", summary_path, "token", "Progress of the judging, and agreement."),
    ApiPath("/judgements/given", "POST", given_path, "token", "A judge's own grades of a query.", GivenBody),
    ApiPath("/judgements/{table}", "GET", table_path, "token", "judgements.csv or queries.csv."),
)
