"""The application: its routes, what every answer carries, how it starts and stops."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.errors import InputError
from features.sources.privacy import Key
from ltr.serving.http import insight, operations, problems, routes, team
from ltr.serving.http.limits import SECURITY_HEADERS, Workers, check_host, check_token
from ltr.serving.http.openapi import describe
from ltr.serving.http.problems import RequestError
from ltr.serving.http.server import ApiPath, Server, check_parameters
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.log.event_log import EventLog
from ltr.serving.settings import ServeSettings

PAGE = Path(__file__).resolve().parents[1] / "page"
PATHS: tuple[ApiPath, ...] = (*routes.PATHS, *insight.PATHS, *operations.PATHS, *team.PATHS)

log = logging.getLogger(__name__)

# Of ours: the server's own log has it whole, the answer nothing of it.
_FAULT = RequestError(
    500, where="server", expected="an answer", got="a fault of the server", cure="tell its keeper the id"
)


def make_app(
    runs: LiveRuns,
    settings: ServeSettings,
    token: str | None = None,
    event_log: EventLog | None = None,
    key: Key | None = None,
) -> Starlette:
    """The application over runs that are open.

    token: needed for everything but searching and what a page of results shows; None asks for none, but then no run
    can be changed. event_log: of what is shown and done; key: of the pseudonyms, needed with a log or an A/B test.
    """
    workers = Workers(settings.workers, settings.queue, "search")
    server = Server(settings, runs, token, event_log, key, workers)
    made: list[Route | Mount] = [
        Route(one.path, _guarded(one, server), methods=[one.method]) for one in PATHS
    ]
    content = json.dumps(describe(PATHS), ensure_ascii=False).encode()
    described = Response(content, media_type="application/json")
    made.append(Route("/openapi.json", lambda _: described, methods=["GET"]))
    if (PAGE / "index.html").is_file():
        made.append(Mount("/", StaticFiles(directory=PAGE, html=True)))
    app = Starlette(
        routes=made,
        exception_handlers={HTTPException: _of_http},
        lifespan=_lifespan(server),
    )
    app.state.server = server
    app.add_middleware(Headers, server=server)
    return app


def _lifespan(server: Server) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001
        refreshing = asyncio.create_task(server.keep_counts_fresh())
        yield
        server.stopping = True
        refreshing.cancel()
        for workers in (server.workers, server.photo_workers, server.quick_workers, server.run_workers):
            workers.stop()
        if server.log is not None:
            server.log.close()

    return lifespan


def _guarded(one: ApiPath, server: Server) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint behind its door, with its figures; whatever is refused is a problem."""
    path = one.path.partition("{")[0].rstrip("/") or "/"

    async def guarded(request: Request) -> Response:
        try:
            if one.access != "open":
                check_token(request, server.token, needed=one.access == "keeper")
            check_parameters(request, one.query)
            answer = await one.endpoint(request, server)
        except RequestError as problem:
            if problem.status == 429:
                server.metrics.refused.inc()
            answer = problems.answer(problem, request.scope["request_id"])
        except InputError as error:
            answer = problems.answer(problems.of_input_error(error), request.scope["request_id"])
        except Exception:
            log.exception("request %s failed", request.scope["request_id"])
            answer = problems.answer(_FAULT, request.scope["request_id"])
        server.metrics.requests.labels(path, answer.status_code).inc()
        server.metrics.seconds.labels(path).observe(time.perf_counter() - request.scope["began"])
        return answer

    return guarded


async def _of_http(request: Request, error: Exception) -> Response:
    """A path or method that there is not."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    if any(route.matches(request.scope)[0] == Match.PARTIAL for route in request.app.routes):
        status = 405  # the page's files, which take every path, know nothing of the API's
    problem = RequestError(
        status,
        where=request.scope["path"],
        expected="a path and method of /openapi.json",
        got=f"{request.method} {request.scope['path']}",
        cure="see /openapi.json",
        headers=error.headers if isinstance(error, HTTPException) else None,
    )
    return problems.answer(problem, request.scope["request_id"])


class Headers:
    """Gives every request an id, and every answer that id and the headers that browsers heed; refuses odd hosts."""

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app, self._server = app, server
        self._fixed = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"], scope["began"] = uuid.uuid4().hex, time.perf_counter()
        # Files are small and come whole: starlette refuses odd ranges in words of its own.
        scope["headers"] = [one for one in scope["headers"] if one[0] != b"range"]

        begun = False

        async def with_headers(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                own = [(b"x-request-id", scope["request_id"].encode()), *self._fixed]
                message = {**message, "headers": [*message.get("headers", []), *own]}
            await send(message)

        refused = check_host(Request(scope), self._server.settings.host)
        app = problems.answer(refused, scope["request_id"]) if refused else self._app
        try:
            await app(scope, receive, with_headers)
        except Exception:
            log.exception("request %s failed", scope["request_id"])
            if begun:
                raise
            await problems.answer(_FAULT, scope["request_id"])(scope, receive, with_headers)
