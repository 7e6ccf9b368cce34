"""The run that serves now, the one before it, and how another takes its place: open beside, check, swap, drain."""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from features.disk import write_whole
from features.errors import InputError
from features.index import Change
from ltr.experiments.decision import to_json
from ltr.serving.live.decisions import record_force
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.trial import Asked, Report, What, half_of_memory, try_apart

log = logging.getLogger(__name__)

_LOG = "served.json"  # which runs served, and why: beside the runs


class LiveRuns:
    """Runs by what they do now; a request keeps the one that it began with.

    others: of an experiment, over the same products. golden: see `run_checks.check_golden`. seconds, memory (bytes,
    None for half of the machine's): limits of the process that tries what is to be put in place; examine: how it does.
    """

    def __init__(
        self,
        first: LiveRun,
        others: Sequence[LiveRun] = (),
        golden: Path | None = None,
        *,
        seconds: float = 600.0,
        memory: int | None = None,
        examine: Callable[[Asked], Report] = try_apart,
    ) -> None:
        """Raise InputError for another run over other products."""
        self._now, self.others = first, tuple(others)
        self._before: LiveRun | None = None
        self._golden, self._seconds, self._memory = golden, seconds, memory or half_of_memory()
        self._examine = examine
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
            report = self._try(folder, "run", force=force)
            live = LiveRun(folder)
            check_tried(live, report)
            for other in self.others:
                check_same_products(live, other)
            live.warm_up()
            decided = report.decision or record_force(live, by)
            return self._swap(live, {"decision": decided, "forced": force, "checks": report.checks, "by": by})

    def renew(self, *, by: str) -> dict[str, Any]:
        """Put the catalogue in place as its files are now; how many products are new, changed and gone.

        Requests under way keep the catalogue that they began with. Raises InputError, and leaves the old one in
        place, for one that fails its checks. Takes as long as reading what changed; call it in a thread.
        """
        with self._only_one():
            old, before = self._now, self._before
            checks = self._try(old.run.folder, "catalogue", live=old).checks
            now, others = old.renewed(), tuple(other.renewed() for other in self.others)
            for other in others:
                check_same_products(now, other)
            try:
                before = None if before is None else before.renewed()
            except InputError as error:
                log.warning("%s cannot be put back any more: %s", "the run before", error)
                before = None
            for live in (now, *others):
                if live not in (old, *self.others):
                    live.warm_up()
            with self._placing:
                self._now, self._before, self.others = now, before, others
            found = {"run": now.about(), "index": now.index, "products": len(now.builder.catalogue)}
            found |= {**_changed(old, now), "checks": checks, "by": by}
            self._record(found)
            return found

    def _try(self, folder: Path, what: What, *, live: LiveRun | None = None, force: bool = False) -> Report:
        """What trying it found; live: of which run it has to be the folder still."""
        report = self._examine(Asked(folder, what, self._golden, self._memory, self._seconds, force))
        if live is not None:
            check_tried(live, report)
        return report

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


def check_tried(live: LiveRun, report: Report) -> None:
    """Raise InputError for a run that is not the one that was tried: its files were exchanged meanwhile."""
    if live.version != report.version:
        raise InputError(
            where=live.run.folder,
            expected=f"the run of version {live.version}",
            got=f"one of version {report.version} in its folder",
            cure="leave the folder alone meanwhile, or promote the run that is there now",
        )


def _changed(old: LiveRun, now: LiveRun) -> dict[str, int]:
    """Products that are new, that say something else, and that are gone."""
    if now is old:
        return {"new": 0, "changed": 0, "gone": 0}
    change = Change.of(old.builder.catalogue, now.builder.catalogue)
    there = int((change.rows >= 0).sum())
    same = int((change.same(now.shown_columns) >= 0).sum())
    return {
        "new": len(change.rows) - there,
        "changed": there - same,
        "gone": len(old.builder.catalogue) - there,
    }
