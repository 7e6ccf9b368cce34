"""What a ranker's library refuses of a table of judged pairs; each kind of ranker says its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Longer lists, higher or fractional labels than these are refused. None: no limit.

    only_on: where the limit of rows holds (" on a GPU"); elsewhere it is a warning.
    """

    rows: int | None = None
    label: int | None = None
    whole: bool = False
    only_on: str = ""
