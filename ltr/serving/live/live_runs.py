"""The run that serves now, the one before it, and how another takes its place: open beside, check, swap, drain."""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from features.disk import write_whole
from features.errors import InputError
from ltr.experiments.decision import FOLDER, newest_decision, to_json
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.run_checks import check_run

log = logging.getLogger(__name__)

_LOG = "served.json"  # which runs served, and why: beside the runs


class LiveRuns:
    """Runs by what they do now; a request keeps the one that it began with.

    others: of an experiment, over the same products. golden: see `run_checks.check_golden`.
    """

    def __init__(self, first: LiveRun, others: Sequence[LiveRun] = (), golden: Path | None = None) -> None:
        """Raise InputError for another run over other products."""
        self._now, self.others = first, tuple(others)
        self._before: LiveRun | None = None
        self._golden = golden
        self._changing, self._placing = threading.Lock(), threading.Lock()
        self.folder = first.run.folder.resolve().parent
        self.in_flight = 0
        for other in self.others:
            check_same_products(first, other)

    @property
    def now(self) -> LiveRun:
        return self._now

    @property
    def before(self) -> LiveRun | None:
        return self._before

    @contextmanager
    def use(self) -> Iterator[LiveRun]:
        """The run that serves now; it stays whole for this request whatever is put in its place meanwhile."""
        live = self._now
        live.in_flight += 1
        self.in_flight += 1
        try:
            yield live
        finally:
            live.in_flight -= 1
            self.in_flight -= 1

    def names(self) -> list[str]:
        """The runs that could be put in place: those beside the first."""
        found = (path.parent.name for path in self.folder.glob("[!.]*/run.json"))
        return sorted(name for name in found if "@" not in name)

    def promote(self, name: str, *, force: bool, by: str) -> dict[str, Any]:
        """Open a run beside, check it, and put it in place; what was checked, and who decided.

        Raises InputError, and leaves the old run in place, for a run without a decision to go live (but for `force`,
        which is recorded) and for one that fails its checks. Takes as long as opening a run; call it in a thread.
        """
        with self._only_one():
            if name not in self.names():
                raise InputError(
                    where="run",
                    expected=f"a run in {self.folder.name}/",
                    got=repr(name),
                    cure=f"name one of {', '.join(self.names())}",
                )
            folder = self.folder / name
            decided = decision_to_go(folder, force=force)
            live = LiveRun(folder)
            checks = check_run(live, self._golden)
            for other in self.others:
                check_same_products(live, other)
            live.warm_up()
            if decided is None:
                decided = record_force(live, by)
            return self._swap(live, {"decision": decided, "forced": force, "checks": checks, "by": by})

    def roll_back(self, *, by: str) -> dict[str, Any]:
        """The run that served before, which is still open, put in place again."""
        with self._only_one():
            if self._before is None:
                raise InputError(
                    where="rollback",
                    expected="a run that served before",
                    got="none since the server was started",
                    cure="promote a run by its name",
                )
            return self._swap(self._before, {"rollback": True, "by": by})

    def refresh(self) -> list[str]:
        """Take the counts of events that a job has written since; labels of the runs that now know more.

        Requests under way keep the counts that they began with. Raises InputError for a store that cannot be read,
        which changes nothing.
        """
        held = [live for live in (self._now, self._before, *self.others) if live is not None]
        fresh = {id(live): new for live in held if (new := live.refreshed()) is not live}
        with self._placing:  # a run that was put in place meanwhile has read the counts itself
            self._now = fresh.get(id(self._now), self._now)
            self._before = fresh.get(id(self._before), self._before)
            self.others = tuple(fresh.get(id(other), other) for other in self.others)
        return [live.label for live in fresh.values()]

    def _swap(self, live: LiveRun, why: dict[str, Any]) -> dict[str, Any]:
        with self._placing:
            old, self._before, self._now = self._now, self._now, live
        log.info(
            "%s serves now, in place of %s (%d requests under way)", live.label, old.label, old.in_flight
        )
        found = {"now": live.about(), "before": old.about(), **why}
        self._record(found)
        return found

    def _record(self, found: dict[str, Any]) -> None:
        path = self.folder / _LOG
        entry = {"at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), **found}
        try:
            known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
            write_whole(path, to_json([*known, entry]))
        except (OSError, ValueError) as error:
            log.warning("%s: the change of runs is not recorded (%s)", path, error)

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        if not self._changing.acquire(blocking=False):
            raise InputError(
                where="run",
                expected="one change of runs at a time",
                got="another under way",
                cure="ask again when it has ended",
            )
        try:
            yield
        finally:
            self._changing.release()


def check_same_products(first: LiveRun, second: LiveRun) -> None:
    """Raise InputError for two runs whose catalogues hold other products: their lists cannot be mixed."""
    ours, theirs = first.builder.catalogue.product_ids, second.builder.catalogue.product_ids
    if not ours.equals(theirs):
        raise InputError(
            where=second.run.folder,
            expected=f"the {len(ours):,} products of {first.name}",
            got=f"{len(theirs):,}, not the same ones",
            cure="train both runs over one catalogue",
        )


def decision_to_go(folder: Path, *, force: bool) -> str | None:
    """The file of the run's newest decision, which must be to go live; None where it is forced without one."""
    found = newest_decision(folder)
    if found is not None and found[1].get("decided") == "go" and not found[1].get("forced"):
        return found[0].name
    if force:
        return None
    raise InputError(
        where=folder,
        expected="a decision to go live: its newest record in decisions/ says go",
        got="none" if found is None else f"{found[0].name}, which says {found[1].get('decided')!r}",
        cure="end an experiment with python -m ltr.experiment … --run RUN, or force it, which is recorded",
    )


def record_force(live: LiveRun, by: str) -> str:
    """Leave in the run's own folder that it went live without a decision; the name of that record."""
    made_at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    record = {
        "format": 1,
        "made_at": made_at,
        "command": "ltr.serve, forced",
        "tried": "",
        "planned": None,
        "seen": None,
        "data": None,
        "says": "cannot",
        "decided": "go",
        "against_verdict": True,
        "forced": True,
        "by": by,
        "run": live.about(),
    }
    folder = live.run.folder / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{made_at.replace(':', '').replace('+0000', 'Z')}-forced.json"
    write_whole(path, to_json(record))
    return path.name
