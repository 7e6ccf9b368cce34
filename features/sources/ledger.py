"""What cleaning did: every step counted, every rejected row kept with its reason, every guess said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Literal

import polars as pl

from features.sources.remarks import Remark, Said

Action = Literal["rejected", "left out", "changed", "reported"]


@dataclass(frozen=True)
class Step:
    """One check of one table: of `rows` rows, `affected` were rejected, changed or only reported.

    left out: nothing is wrong with them, but they are of no use here.
    """

    table: str
    step: str
    rows: int
    affected: int
    action: Action
    example: str = ""

    @property
    def lost(self) -> int:
        """Rows that are not used."""
        return self.affected if self.action in ("rejected", "left out") else 0


@dataclass
class Ledger:
    """Steps in the order they were taken, remarks for the data doctor, and the rejected rows by table."""

    steps: list[Step] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    _rejected: defaultdict[str, list[pl.DataFrame]] = field(default_factory=lambda: defaultdict(list))

    def note(self, table: str, step: str, frame: pl.DataFrame, hits: pl.DataFrame, action: Action) -> None:
        """Count a step: `hits` are the rows of `frame` it concerns; the first serves as the example."""
        self.steps.append(Step(table, step, frame.height, hits.height, action, example(hits)))

    def remark(self, said: Iterable[Said], check: str, section: str) -> None:
        """Pass on what was decided about a table or column; section: of its settings, for the cure."""
        self.remarks += [one.of(check, section) for one in said]

    def note_changes(self, table: str, step: str, before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
        """Count the rows in which any column differs, with one change as the example; returns `after`."""
        masks = {name: before[name].ne_missing(after[name]) for name in before.columns}
        changed = (
            pl.select(pl.any_horizontal(*masks.values())).to_series()
            if masks
            else pl.Series(dtype=pl.Boolean)
        )
        shown = next((_change(before[n], after[n], mask) for n, mask in masks.items() if mask.any()), "")
        self.steps.append(Step(table, step, before.height, int(changed.sum()), "changed", shown))
        return after

    def reject(self, table: str, frame: pl.DataFrame, bad: pl.Expr, reason: str) -> pl.DataFrame:
        """Set the `bad` rows apart; returns the others in their order."""
        hits = frame.filter(bad)
        self.note(table, reason, frame, hits, "rejected")
        self.keep_rejected(table, hits.with_columns(reason=pl.lit(reason)))
        return frame.remove(bad)

    def keep_rejected(self, table: str, rows: pl.DataFrame) -> None:
        """Keep rows that carry a `reason`."""
        if rows.height:
            self._rejected[table].append(rows)

    @property
    def rejected(self) -> dict[str, pl.DataFrame]:
        return {table: pl.concat(rows, how="diagonal_relaxed") for table, rows in self._rejected.items()}


def steps_frame(steps: list[Step]) -> pl.DataFrame:
    """One row a step: table, step, rows, affected, action, example."""
    schema = {"table": pl.String, "step": pl.String, "rows": pl.Int64, "affected": pl.Int64}
    return pl.DataFrame(
        [asdict(step) for step in steps], schema={**schema, "action": pl.String, "example": pl.String}
    )


def example(rows: pl.DataFrame) -> str:
    """The first row in short: its first three values that can be read."""
    if not rows.height:
        return ""
    readable = [n for n, dtype in rows.schema.items() if dtype != pl.Binary and rows[n][0] is not None]
    return ", ".join(f"{name}={shorten(rows[name][0])}" for name in readable[:3])


def shorten(value: object) -> str:
    """A value in at most 40 characters, texts in quotes."""
    if value is None:
        return "null"
    if isinstance(value, pl.Series):
        value = value.to_list()
    shown = repr(value) if isinstance(value, str) else str(value)
    return shown if len(shown) <= 40 else f"{shown[:39]}…"


def _change(before: pl.Series, after: pl.Series, changed: pl.Series) -> str:
    was, now = before.filter(changed)[0], after.filter(changed)[0]
    if isinstance(was, str) and isinstance(now, str):
        differs = (i for i, (a, b) in enumerate(zip(was, now, strict=False)) if a != b)
        start = max(0, next(differs, min(len(was), len(now))) - 10)
        was, now = was[start:], now[start:]
    return f"{before.name}: {shorten(was)} → {shorten(now)}"
