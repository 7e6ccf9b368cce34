"""How far a long piece of work is, said through logging: a library draws nothing by itself.

A record of the logger `features.progress` carries `progress`, an `At`. At level INFO comes a line now and then,
fit for a log file; at DEBUG one whenever something moved, for whoever draws a bar.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

log = logging.getLogger(__name__)

FIRST_LINE, LINES_APART, MOVES_APART = 10.0, 30.0, 0.1  # seconds


@dataclass(frozen=True)
class At:
    """Where the work is: `share` (0 to 1) is of its cost, which may be other than its count."""

    label: str
    done: int
    total: int
    share: float
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        return self.seconds * (1 / self.share - 1) if self.share > 0 else None

    def __str__(self) -> str:
        rate = f", {self.done / self.seconds:,.3g}/s" if self.seconds > 0 and self.done else ""
        left = "" if self.seconds_left is None else f", {clock(self.seconds_left)} left"
        return f"{self.label}: {self.done:,} of {self.total:,}{rate}{left}"


def clock(seconds: float) -> str:
    """Minutes and seconds: 75 → `1:15`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


@contextmanager
def progress(label: str, total: int, cost: float | None = None) -> Iterator[Callable[..., None]]:
    """Yields `step(count=1, cost=count)`, to be called after each step; `cost`: of all, where it is not the count."""
    begun = time.monotonic()
    whole = total if cost is None else cost
    done, spent, moved, printed = 0, 0.0, begun, begun - LINES_APART + FIRST_LINE

    def step(count: int = 1, of_cost: float | None = None) -> None:
        nonlocal done, spent, moved, printed
        done, spent = done + count, spent + (count if of_cost is None else of_cost)
        now = time.monotonic()
        at = At(label, done, total, min(spent / whole, 1) if whole else 1, now - begun)
        if now - printed >= LINES_APART:
            printed = now
            log.info("%s", at, extra={"progress": at})
        elif now - moved >= MOVES_APART:
            moved = now
            log.debug("%s", at, extra={"progress": at})

    try:
        yield step
    finally:
        seconds = time.monotonic() - begun
        at = At(label, done, total, 1, seconds)
        level = logging.INFO if seconds >= FIRST_LINE else logging.DEBUG
        log.log(level, "%s: %s in %s", label, f"{done:,}", clock(seconds), extra={"progress": at})
