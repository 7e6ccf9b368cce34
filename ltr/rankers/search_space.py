"""What a search may try for a setting: a range or a choice, declared beside the settings it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from features.errors import InputError

Given = Sequence[int | float | str]


@dataclass(frozen=True)
class Float:
    """A number from `low` to `high`, both included; `log`: each factor is as likely as the next."""

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True)
class Int:
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int
    log: bool = False

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of several values that have no order."""

    options: tuple[str | bool, ...]

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str | bool) and value in self.options


Range = Float | Int | Choice


def parse_range(name: str, given: Given, *, whole: bool) -> Range:
    """`[low, high]`, `[low, high, log]` or a list of names, as a config has them.

    whole: the setting takes whole numbers only. Raises InputError for anything else.
    """
    if given and all(isinstance(value, str) for value in given):
        return Choice(tuple(str(value) for value in given))
    log = len(given) == 3 and given[2] == "log"
    ends = [value for value in given[:2] if isinstance(value, int | float)]
    rising = len(ends) == 2 and ends[0] < ends[1] and len(given) == 2 + log
    if not rising or (log and ends[0] <= 0) or (whole and any(end != int(end) for end in ends)):
        raise InputError(
            where=f"tuning.space.{name}",
            expected=f"[low, high] or [low, high, log] of {'whole ' if whole else ''}numbers, or a list of names",
            got=str(list(given)),
            cure="low below high; with log, low above 0",
        )
    return Int(int(ends[0]), int(ends[1]), log) if whole else Float(float(ends[0]), float(ends[1]), log)


def describe(ranges: dict[str, Range]) -> dict[str, Any]:
    """The ranges as plain data, for fingerprints and reports."""
    return {name: {"kind": type(span).__name__.lower()} | asdict(span) for name, span in ranges.items()}
