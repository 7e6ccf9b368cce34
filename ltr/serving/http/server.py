"""What the routes share: settings, runs, workers, figures; pseudonyms at the door, and the log of what is shown."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from features.errors import InputError
from features.sources.events import shown_record
from features.sources.privacy import Key, pseudonym
from ltr.serving.http import problems
from ltr.serving.http.bodies import Body, Person
from ltr.serving.http.limits import Workers, read_body
from ltr.serving.http.metrics import Metrics
from ltr.serving.http.problems import RequestError
from ltr.serving.lists.beside import OpenedRun
from ltr.serving.lists.exploration import MIXED, TREATMENT, Arranged, arm_of, as_ranked
from ltr.serving.lists.searching import Asked, Exploring, Found
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.log.event_log import EventLog
from ltr.serving.log.json_lines import as_json
from ltr.serving.log.judgements import Judgements
from ltr.serving.settings import ServeSettings

Given = TypeVar("Given", bound=Body)
log = logging.getLogger(__name__)


@dataclass
class Server:
    """log: None where nothing is logged; key: of the pseudonyms, None where nothing needs any."""

    settings: ServeSettings
    runs: LiveRuns
    token: str | None
    log: EventLog | None
    key: Key | None
    workers: Workers
    photo_workers: Workers = field(default_factory=lambda: Workers(1, 512, "photo"))
    quick_workers: Workers = field(default_factory=lambda: Workers(1, 64, "quick"))
    run_workers: Workers = field(default_factory=lambda: Workers(1, 0, "run"))
    metrics: Metrics = field(default_factory=Metrics)
    beside: OpenedRun = field(default_factory=OpenedRun)
    stopping: bool = False

    @cached_property
    def judgements(self) -> Judgements:
        """Read when it is first asked for."""
        return Judgements(self.settings.judgements)

    async def keep_counts_fresh(self) -> None:
        """Until cancelled, take the counts of shoppers' events that a job has written meanwhile."""
        said = ""
        while self.settings.counts_every:
            await asyncio.sleep(self.settings.counts_every)
            try:
                for label in await asyncio.to_thread(self.runs.refresh):
                    log.info("%s: newer counts of events are read", label)
                    self.metrics.counts_read.inc()
                said = ""
            except (InputError, OSError) as error:
                if str(error) != said:  # once, not each time
                    log.warning("counts of events stay as they were (%s)", error)
                said = str(error)

    def people(self, body: Person) -> dict[str, str | None]:
        """session and shopper as pseudonyms."""
        given = {"session": body.session, "shopper": body.shopper}
        if self.key is None:
            return dict.fromkeys(given)
        return {name: None if raw is None else pseudonym(raw, self.key) for name, raw in given.items()}

    def arm(self, people: Mapping[str, str | None]) -> str | None:
        """The arm of an A/B test that the shopper is in; of whom nothing is known, none."""
        if self.settings.experiment != "ab":
            return None
        return arm_of(people["shopper"] or people["session"], self.settings.share, self.settings.salt)

    def live_for(self, now: LiveRun, arm: str | None) -> LiveRun:
        return self.runs.others[0] if arm == TREATMENT else now

    def candidates(self, live: LiveRun) -> int:
        """How many each search gives: as in training, unless the settings say otherwise."""
        return self.settings.candidates or live.run.config.lists.candidates

    def exploring(self) -> Exploring:
        settings = self.settings
        others = self.runs.others if settings.experiment == "interleave" else ()
        return Exploring(settings.explore_swaps, settings.explore_depth, others, settings.method)

    def log_shown(
        self, request: Request, live: LiveRun, asked: Asked, found: Found, shown: Shown
    ) -> Future[None] | None:
        """Append what a request is about to be shown, also that nothing was found; None where nothing is logged, or
        the disk does not take it."""
        if self.log is None or found.shown is None or not (shown.rows or shown.first == 0):
            return None
        record = self._record(request, live, asked, found, shown)
        try:
            return self.log.append("queries", [record])
        except OSError as error:
            log.warning("event log: a list is not logged (%s)", error)
            self.metrics.lost.inc()
            return None

    def _record(
        self, request: Request, live: LiveRun, asked: Asked, found: Found, shown: Shown
    ) -> dict[str, Any]:
        arranged = as_ranked(np.zeros(0)) if found.shown is None else found.shown
        places = range(shown.first, shown.first + len(shown.rows))
        mixed = self._mixed(live, arranged, places)
        ids = live.builder.catalogue.product_ids
        ranked: dict[str, Any] = {
            "position": [place + 1 for place in places],
            "run": mixed.pop("run", live.label),
            "arm": MIXED if mixed else shown.arm,
            "propensity": [float(arranged.propensity[place]) for place in places],
        }
        return shown_record(
            {
                "request_id": request.scope["request_id"],
                "text": asked.text,
                "shown_at": dt.datetime.now(dt.UTC),
                **shown.people,
            },
            [ids[row] for row in shown.rows],
            ranked,
            index=live.index,
            list_id=asked.list_id,
            sort=None if asked.sort == "relevance" else asked.sort,
            filters={name: _as_json(one) for name, one in asked.filters.items()} or None,
            photo=asked.photo is not None or None,
            history=bool(asked.history) or None,
            candidates=asked.count,
            total=len(arranged.rows),
            scores=found.scores_of(shown.rows) if found.scores is not None else None,
            explored=arranged.explored or None,
            degraded=shown.degraded or None,
            path=shown.path,
            took_ms=took_ms(request),
            **_known_then(live, found),
            **mixed,
        )

    def _mixed(self, live: LiveRun, arranged: Arranged, places: range) -> dict[str, Any]:
        """Of a list that several runs made: which, how, and of each product whose it is and its rank in each's own."""
        if arranged.team is None or arranged.ranks is None:
            return {}
        labels = [live.label, *(other.label for other in self.runs.others)]
        teams = [None if team < 0 else int(team) for team in arranged.team[places.start : places.stop]]
        return {
            "run": [None if team is None else labels[team] for team in teams],
            "method": self.settings.method,
            "rankers": labels,
            "team": teams,
            "ranks": [[rank or None for rank in arranged.ranks[place].tolist()] for place in places],
        }


@dataclass(frozen=True)
class Shown:
    """A page of a list: rows of the index from place `first` (from 0) on, who looks, and how it came about."""

    rows: list[int]
    first: int
    people: Mapping[str, str | None]
    path: str
    arm: str | None = None
    degraded: bool = False


def _known_then(live: LiveRun, found: Found) -> dict[str, str]:
    """Of a run whose features know what shoppers did: when the query was asked, and up to when events were counted."""
    if live.counted_until is None or found.query is None:
        return {}
    asked_at = found.query.frame["at"][0]
    return {"asked_at": asked_at.isoformat(), "counted_until": live.counted_until.isoformat()}


def _as_json(wanted: Any) -> Any:
    return wanted.model_dump(exclude_none=True) if isinstance(wanted, BaseModel) else list(wanted)


@dataclass(frozen=True)
class ApiPath:
    """A path of the API; access: open to all, with the token where there is one, or never without one."""

    path: str
    method: str
    endpoint: Callable[[Request, Server], Awaitable[Response]]
    access: str
    about: str
    body: type[Body] | None = None
    query: tuple[str, ...] = ()


def in_json(request: Request, answer: Mapping[str, Any], status: int = 200) -> Response:
    whole = {"request_id": request.scope["request_id"], **answer}
    whole["took_ms"] = took_ms(request)
    return Response(as_json(whole), status, media_type="application/json")


def took_ms(request: Request) -> float:
    """Milliseconds since it came."""
    return round(1000 * (time.perf_counter() - request.scope["began"]), 3)


async def read(request: Request, server: Server, model: type[Given]) -> Given:
    """The body as a model; a RequestError for what is no JSON, or is not as the model says."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RequestError(415, where="content-type", expected="application/json", got=kind, cure="send JSON")
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    if packed != "identity":
        cure = "send it as it is"
        raise RequestError(415, where="content-encoding", expected="none", got=repr(packed), cure=cure)
    settings = server.settings
    body = await read_body(request, settings.body_bytes, settings.body_timeout)
    most = model.most_commas
    if body.count(b",") > most:
        got = f"{body.count(b','):,} commas"
        raise RequestError(413, where="body", expected=f"at most {most:,} commas", got=got, cure="send less")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise problems.of_validation(error, model) from error


async def in_time(future: asyncio.Future[Any], seconds: float) -> bool:
    """Whether the work ended in time; else what has begun goes on by itself, and keeps its room until it ends."""
    done, _ = await asyncio.wait({future}, timeout=seconds)
    return bool(done) and not isinstance(
        future.exception(), TimeoutError
    )  # of work that was not begun any more


def too_slow(seconds: float) -> RequestError:
    return RequestError(
        503,
        where="server",
        expected=f"an answer within {seconds:g} seconds",
        got="none yet",
        cure="ask again in a second",
        headers={"retry-after": "1"},
    )


def row_of(live: LiveRun, product_id: str, where: str = "product id", status: int = 404) -> int:
    try:
        return live.catalogue.row_of(product_id, where)
    except InputError as error:
        raise problems.of_input_error(error, status) from error


def check_parameters(request: Request, known: Sequence[str]) -> None:
    """Raise a RequestError for a parameter of the address that nobody reads, or that stands there twice."""
    names = [name for name, _ in request.query_params.multi_items()]
    odd = next((name for name in names if name not in known or names.count(name) > 1), None)
    if odd is not None:
        expected = f"{' or '.join(known)}, once" if known else "no parameter"
        raise RequestError(422, where="address", expected=expected, got=repr(odd[:80]), cure="leave it out")


def whole_number(request: Request, name: str, default: int, most: int) -> int:
    given = request.query_params.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and 1 <= int(given) <= most):
        expected = f"a whole number from 1 to {most}"
        raise RequestError(422, where=name, expected=expected, got=repr(given[:40]), cure=f"mend {name}")
    return int(given)
