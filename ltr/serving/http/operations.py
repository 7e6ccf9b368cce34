"""What keeps a shop running: events, health, figures, the runs and their change, the API's own description."""

from __future__ import annotations

import asyncio
import datetime as dt

from starlette.requests import Request
from starlette.responses import Response

from features.errors import InputError
from features.sources.events import action_record
from ltr.serving.http.bodies import EventsBody, PromoteBody, RenewBody, RollBackBody
from ltr.serving.http.problems import RequestError, of_input_error
from ltr.serving.http.server import ApiPath, Server, in_json, read
from ltr.serving.lists.beside import OpenedRun


async def events_path(request: Request, server: Server) -> Response:
    """Answered when they are synced to the disk: what was acknowledged is not lost.

    unknown: ids that the catalogue does not have: of old products, or written in another way.
    """
    body = await read(request, server, EventsBody)
    if server.log is None:
        raise RequestError(
            409, where="events", expected="a log", got="--no-log", cure="start the server without it"
        )
    people, now = server.people(body), dt.datetime.now(dt.UTC)
    records = [
        action_record(
            {
                "product_id": act.product_id,
                "action": act.action,
                "request_id": act.request_id,
                "value": act.value,
                "acted_at": min(act.at or now, now).astimezone(dt.UTC),
                "available_at": now,
                **people,
            }
        )
        for act in body.events
    ]
    try:
        await asyncio.wrap_future(server.log.append("events", records))
    except OSError as error:
        server.metrics.lost.inc(len(records))
        raise RequestError(
            503,
            where="event log",
            expected="room on the disk",
            got=error.strerror or str(error),
            cure="send them again later",
            headers={"retry-after": "30"},
        ) from error
    for act in body.events:
        server.metrics.events.labels(act.action).inc()
    unknown = server.runs.now.catalogue.unknown([act.product_id for act in body.events])
    return in_json(request, {"logged": len(records), "unknown": unknown}, 202)


async def health_path(request: Request, server: Server) -> Response:
    return in_json(request, {"status": "ok", "run": server.runs.now.about()})


async def ready_path(request: Request, server: Server) -> Response:
    """Whether requests should be sent here: not while stopping, nor where the log's disk is full."""
    if server.stopping:
        got = "one that is stopping"
        raise RequestError(503, where="server", expected="one that is ready", got=got, cure="ask another")
    if server.log is not None and server.log.failing:
        got = "a disk that takes no line"
        raise RequestError(503, where="event log", expected="room", got=got, cure="make room on its disk")
    now = server.runs.now
    answer = {
        "status": "ready",
        "run": now.about(),
        "index": now.index,
        "products": len(now.builder.catalogue),
        "experiment": server.settings.experiment,
        "filters": now.catalogue.columns,
        "facets": now.catalogue.facet_columns,
        "photos": now.reads_photos,
        "history": now.reads_history,
        "counted_until": None if now.counted_until is None else now.counted_until.isoformat(),
    }
    return in_json(request, answer)


async def metrics_path(request: Request, server: Server) -> Response:  # noqa: ARG001
    server.metrics.under_way.set(server.workers.under_way)
    server.metrics.run.clear()
    server.metrics.run.labels(server.runs.now.name, server.runs.now.version).set(1)
    return Response(server.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def runs_path(request: Request, server: Server) -> Response:
    now, before = server.runs.now, server.runs.before
    answer = {
        "now": now.about(),
        "before": None if before is None else before.about(),
        "others": [other.about() for other in server.runs.others],
        "runs": server.runs.names(),
        "under_way": server.runs.in_flight,
    }
    return in_json(request, answer)


async def promote_path(request: Request, server: Server) -> Response:
    body = await read(request, server, PromoteBody)
    work = server.run_workers.start(lambda: server.runs.promote(body.run, force=body.force, by=body.by))
    try:
        found = await work
    except InputError as error:
        raise of_input_error(error, 409) from error
    server.metrics.swaps.labels("forced" if found["forced"] else "decided").inc()
    return in_json(request, found)


async def catalogue_path(request: Request, server: Server) -> Response:
    body = await read(request, server, RenewBody)
    work = server.run_workers.start(lambda: server.runs.renew(by=body.by))
    try:
        found = await work
    except InputError as error:
        raise of_input_error(error, 409) from error
    server.beside = OpenedRun()  # the run that it holds is over the catalogue as it was
    server.metrics.swaps.labels("catalogue").inc()
    return in_json(request, found)


async def rollback_path(request: Request, server: Server) -> Response:
    body = await read(request, server, RollBackBody)
    try:
        found = server.runs.roll_back(by=body.by)
    except InputError as error:
        raise of_input_error(error, 409) from error
    server.metrics.swaps.labels("rollback").inc()
    return in_json(request, found)


PATHS = (
    ApiPath("/events", "POST", events_path, "token", "What shoppers did, logged for good.", EventsBody),
    ApiPath("/health", "GET", health_path, "open", "Whether the process lives."),
    ApiPath("/ready", "GET", ready_path, "open", "Whether requests should be sent here."),
    ApiPath("/metrics", "GET", metrics_path, "token", "Figures for Prometheus."),
    ApiPath("/runs", "GET", runs_path, "token", "The run that serves, the one before, those at hand."),
    ApiPath("/runs", "POST", promote_path, "keeper", "Put another run in place.", PromoteBody),
    ApiPath(
        "/catalogue",
        "POST",
        catalogue_path,
        "keeper",
        "Put the catalogue in place as its files are.",
        RenewBody,
    ),
    ApiPath("/runs/rollback", "POST", rollback_path, "keeper", "Put the run before back.", RollBackBody),
)
