"""Which running trials have lost their process: a process gone from this machine, or one silent elsewhere.

The same for every kind of storage. A worker writes who it is on its trial, and counts up a beat while it
works. On its own machine another worker sees at once that the process is gone; on another machine it is
given up when its beat has stood still for GRACE seconds of the watcher's own clock, so that no two clocks
need agree.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from features.processes import machine, started

WORKER, BEAT = "worker", "beat"
BEAT_EVERY = 20.0  # seconds
GRACE = 90.0  # seconds


def this_worker() -> dict[str, str | int]:
    return {"machine": machine(), "process": os.getpid(), "started": started(os.getpid()) or ""}


def register(study: optuna.Study) -> None:
    """Note on the study that this process works on it, before its first trial."""
    me = this_worker()
    study.set_user_attr(f"{WORKER} {me['machine']} {me['process']} {me['started']}", me)


def is_alone(study: optuna.Study) -> bool:
    """Whether every other process that worked on the study is known to be gone: a trial that nobody signed is lost."""
    workers = [worker for name, worker in study.user_attrs.items() if name.startswith(f"{WORKER} ")]
    return all(worker == this_worker() or _is_gone(worker) for worker in workers)


def _is_gone(worker: Mapping[str, Any]) -> bool:
    """Known to be gone; of another machine, and where there is no /proc, nobody knows."""
    here = worker["machine"] == machine() and worker["started"] != ""
    return here and started(int(worker["process"])) != worker["started"]


class Watcher:
    """Tells which trials' workers are gone, from what it has seen of them so far."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, float]] = {}

    def gone(self, trial: FrozenTrial) -> bool:
        worker = trial.user_attrs.get(WORKER)
        if worker is not None and worker["machine"] == machine() and worker["started"]:
            return started(worker["process"]) != worker["started"]
        beat, now = trial.user_attrs.get(BEAT, 0), time.monotonic()
        last, since = self._seen.get(trial.number, (None, now))
        if beat != last:
            since = now
        self._seen[trial.number] = (beat, since)
        return now - since >= GRACE


class Heartbeat:
    """Counts up the trial's beat while its block runs."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._trial.set_user_attr(WORKER, this_worker())
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        beat = 0
        while not self._over.wait(BEAT_EVERY):
            beat += 1
            with suppress(Exception):  # a full disk or a lost database stops the trial itself, with its cause
                self._trial.set_user_attr(BEAT, beat)
