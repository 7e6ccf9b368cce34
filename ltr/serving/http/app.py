"""The application: its routes, what every answer carries, how it starts and stops."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.errors import InputError
from ltr.serving.http import problems
from ltr.serving.http.limits import SECURITY_HEADERS, Workers, check_token
from ltr.serving.http.problems import RequestError
from ltr.serving.http.routes import ROUTES, Server
from ltr.serving.live_runs import LiveRun, LiveRuns
from ltr.serving.settings import ServeSettings

PAGE = Path(__file__).resolve().parents[1] / "page"
Endpoint = Callable[[Request], Awaitable[Response]]

log = logging.getLogger(__name__)


def make_app(live: LiveRun, settings: ServeSettings, token: str | None = None) -> Starlette:
    """The application over a run that is open.

    token: needed for everything but searching and what a page of results shows; None asks for none.
    """
    server = Server(settings, LiveRuns(live), token, Workers(settings.workers, settings.queue, "search"))
    routes: list[Route | Mount] = [
        Route(one.path, _guarded(one.endpoint, server, open_to_all=one.open), methods=[one.method])
        for one in ROUTES
    ]
    if (PAGE / "index.html").is_file():
        routes.append(Mount("/", StaticFiles(directory=PAGE, html=True)))
    app = Starlette(routes=routes, exception_handlers={HTTPException: _of_http, Exception: _of_fault})
    app.state.server = server
    app.add_middleware(Headers)
    return app


def _guarded(endpoint: Callable[..., Awaitable[Response]], server: Server, *, open_to_all: bool) -> Endpoint:
    async def guarded(request: Request) -> Response:
        try:
            if not open_to_all:
                check_token(request, server.token)
            return await endpoint(request, server)
        except RequestError as problem:
            return problems.answer(problem, request.scope["request_id"])
        except InputError as error:
            return problems.answer(problems.of_input_error(error), request.scope["request_id"])

    return guarded


async def _of_http(request: Request, error: Exception) -> Response:
    """A path or method that there is not."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    problem = RequestError(
        status,
        where=request.url.path,
        expected="a path and method of /openapi.json",
        got=f"{request.method} {request.url.path}",
        cure="see /openapi.json",
    )
    return problems.answer(problem, request.scope["request_id"])


async def _of_fault(request: Request, error: Exception) -> Response:
    """A fault of ours: the log has it whole, the answer nothing of it."""
    log.error("request %s failed", request.scope["request_id"], exc_info=error)
    problem = RequestError(
        500, where="server", expected="an answer", got="a fault of the server", cure="tell its keeper the id"
    )
    return problems.answer(problem, request.scope["request_id"])


class Headers:
    """Gives every request an id, and every answer that id, its time and the headers that browsers heed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._fixed = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"], scope["began"] = uuid.uuid4().hex, time.perf_counter()

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(b"x-request-id", scope["request_id"].encode()), *self._fixed]
                message = {**message, "headers": [*message.get("headers", []), *own]}
            await send(message)

        await self._app(scope, receive, with_headers)
