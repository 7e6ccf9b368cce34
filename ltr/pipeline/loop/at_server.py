"""Shopping at a running server, over HTTP: a load and an end-to-end test of serving, logging and promoting in one."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from features.sources.events import EventRules, Events, clean_events, read_ubi
from features.sources.ledger import Ledger
from ltr.demo.shoppers import Visit, shop_at
from ltr.experiments import Outcome
from ltr.experiments.outcome import Table
from ltr.experiments.served_log import TEAMS, mixed_of_log, searches_of_log
from ltr.pipeline.loop.judging import judge_arms, judge_interleaved
from ltr.pipeline.loop.server_process import served
from ltr.pipeline.loop.world import Trained, World

_MOST = 0.5  # of ltr.serve --explore-swaps
_DEEPEST = 12  # of ltr.serve --explore-depth
_PATIENT = ("--timeout", "60", "--queue", "256")  # a list in retrieval's order would belong to neither ranker


@dataclass(frozen=True)
class AtServer:
    """folder: the servers' logs lie there. What the log says of a list counts; its time is by the people's clock."""

    world: World
    folder: Path
    _load: list[list[object]] = field(default_factory=list)

    def log(self, old: Trained, sessions: int) -> Events:
        """What people saw and did at a server of a ranker, some of whose lists explore."""
        share = str(min(self.world.settings.exploration, _MOST))
        visit, events = self._shop("log", old.run, sessions, 2, "--explore-swaps", share)
        return on_their_clock(events, visit)

    def interleave(self, old: Trained, new: Trained, sessions: int) -> Outcome:
        """Lists that the server mixes of both."""
        words = "--others", str(new.run), "--experiment", "interleave"
        people = self._people("interleave", old, sessions, 3, *words)
        rows, names, _ = mixed_of_log(self.folder / "interleave")
        ours = ("old", "new")
        rows = rows.join(people, on="request_id", how="semi").rename(
            {f"rank_{team}": f"rank_{own}" for team, own in zip(TEAMS, ours, strict=False)}
        )
        team = pl.col("team").replace_strict(dict(zip(names, ours, strict=True)))
        return judge_interleaved(rows.with_columns(team, pl.col("click").clip(0, 1).cast(pl.Float64)))

    def ab_test(self, old: Trained, new: Trained, sessions: int) -> Outcome:
        """Shoppers that the server splits between both."""
        people = self._people("ab", old, sessions, 4, "--others", str(new.run), "--experiment", "ab")
        rows = searches_of_log(self.folder / "ab").join(
            people, left_on="list", right_on="request_id", how="semi"
        )
        arm = pl.col("arm").replace_strict({"control": "old", "treatment": "new"})
        return judge_arms(rows.with_columns(arm, pl.col("click").cast(pl.Float64)))

    def tables(self) -> list[Table]:
        """How the server bore them."""
        columns = ["shoppers at", "requests", "a second", "median ms", "95 %", "99 %", "busy", "degraded"]
        words = f"Searches and events of {self.world.settings.clients} clients at once, over HTTP on this machine."
        return [Table("The server under its shoppers", columns, self._load, words)]

    def _people(self, name: str, old: Trained, sessions: int, seed: int, *words: str) -> pl.DataFrame:
        """What the log of an experiment showed to people, bots left out."""
        visit, events = self._shop(name, old.run, sessions, seed, *words)
        return clean_events(on_their_clock(events, visit), EventRules(), Ledger()).shown

    def _shop(self, name: str, run: Path, sessions: int, seed: int, *words: str) -> tuple[Visit, Events]:
        """At a server with a new log: what people did, and what the log has of it."""
        log, depth = self.folder / name, str(min(self.world.settings.shown, _DEEPEST))
        shutil.rmtree(log, ignore_errors=True)
        with served(run, "--log", str(log), "--explore-depth", depth, *_PATIENT, *words) as client:
            began = time.perf_counter()
            visit = shop_at(self.world.shoppers, client.post, sessions, seed, self.world.settings.clients)
            seconds = time.perf_counter() - began
            requests, *quantiles = client.figures().values()
            self._load.append(
                [name, int(requests), requests / seconds, *quantiles, client.busy, client.degraded]
            )
        return visit, read_ubi(log)


def on_their_clock(events: Events, visit: Visit) -> Events:
    """A log with the people's times, and with the query that they know they asked: no log has their photos.

    All acts of a request are moved by as much as its list, so that weeks of shopping lie in the log of minutes.
    """
    theirs = visit.events.shown.select("request_id", its_id="query_id", moved="shown_at").unique("request_id")
    shown = events.shown.join(theirs, on="request_id", how="inner", maintain_order="left")
    by = pl.col("moved") - pl.col("shown_at")
    moved = shown.select("request_id", by=by).unique("request_id")
    actions = events.actions.join(moved, on="request_id", how="inner", maintain_order="left")
    return Events(
        shown.with_columns(query_id="its_id", shown_at="moved").drop("its_id", "moved"),
        actions.with_columns(pl.col("acted_at", "available_at") + pl.col("by")).drop("by"),
    )


def put_in_place(old: Path, new: Path) -> str:
    """A server of the old run told to serve the new one, without force; which one answers searches then.

    Raises InputError where the server refuses.
    """
    with served(old, "--no-log") as client:
        client.post("/runs", {"run": new.name, "by": "ltr.loop"})
        found = client.post("/search", {"text": "shoes", "size": 1, "facets": False})
    return f"{found['run']['name']}@{found['run']['version']}"
