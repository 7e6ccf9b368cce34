"""A log of interleaved lists as credits: what each list would credit, and what was clicked, added, bought."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.errors import InputError
from ltr.experiments.columns import Columns, FloatArray, IntArray, pairs
from ltr.experiments.interleaving.credit import probabilistic_credit, rank_credit, team_credit
from ltr.experiments.interleaving.settings import InterleaveSettings
from ltr.experiments.served_log import ACTS, TEAMS, mixed_of_log


@dataclass(frozen=True)
class ShownLists:
    """Rows in order of list and place: `credit` (rows, rankers) if acted on; `acts` by name (rows,).

    starts (lists,): first rows; unit (lists,); place (rows,) from 0.
    """

    rankers: tuple[str, ...]
    credit: FloatArray
    acts: dict[str, FloatArray]
    starts: IntArray
    place: IntArray
    unit: IntArray
    order: IntArray
    table: Columns

    def earned(self, act: str) -> FloatArray:
        """Credit of each list to each ranker (lists, rankers)."""
        return np.asarray(np.add.reduceat(self.credit * self.acts[act][:, None], self.starts, axis=0))

    def segment(self, column: str) -> pl.Series:
        """The value of each list's first row (lists,)."""
        return self.table.names(column)[self.order[self.starts].tolist()]


def of_served_log(settings: InterleaveSettings) -> tuple[InterleaveSettings, Columns]:
    """The table in a server's log, and the settings that say what its columns are."""
    frame, names, method = mixed_of_log(settings.data)
    known = {
        "rank": tuple(f"{name}=rank_{team}" for name, team in zip(names, TEAMS, strict=False)),
        "method": method,
        "team": "team" if method == "team-draft" else None,
        "length": "explored",
        "unit": settings.unit or "person",
        **{act: act for act in ACTS},
    }
    return settings.model_copy(update=known), Columns(frame, settings.data)


def read_shown(settings: InterleaveSettings, table: Columns) -> ShownLists:
    """InputError for places that are not 1, 2, … in each list, and for teams that are no ranker."""
    columns = pairs(settings.rank, "rank")
    rows, _ = table.codes(settings.list)
    place = table.complete(settings.position)
    order = np.lexsort((place, rows))
    rows, place = rows[order], place[order]
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    within = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
    if not np.array_equal(place, within + 1):
        first = int(np.flatnonzero(place != within + 1)[0])
        raise InputError(
            where=f"{table.where}, column {settings.position!r}",
            expected="places 1, 2, … without gaps in each list",
            got=f"{place[first]:g} as number {within[first] + 1} of a list",
            cure="log every item that was shown",
        )
    ranks = np.column_stack([table.numbers(column) for column in columns.values()])[order]
    _refuse_ranks(table, ranks)
    credit = _credit(settings, table, tuple(columns), ranks, starts, order)
    acts = {
        act: np.nan_to_num(table.numbers(column)[order])
        for act in ACTS
        if (column := getattr(settings, act)) is not None
    }
    unit = np.arange(len(starts))
    if settings.unit:
        unit = np.unique(table.codes(settings.unit)[0][order][starts], return_inverse=True)[1].astype(
            np.int64
        )
    return ShownLists(tuple(columns), credit, acts, starts, within, unit, order, table)


def _refuse_ranks(table: Columns, ranks: FloatArray) -> None:
    known = ranks[~np.isnan(ranks)]
    if (known < 1).any() or (known % 1 != 0).any() or np.isnan(ranks).all(axis=1).any():
        none = np.isnan(ranks).all(axis=1).any()
        raise InputError(
            where=f"{table.where}, ranks",
            expected="whole ranks from 1, in at least one ranker's list for each item",
            got="an item of no ranker" if none else f"{known[(known < 1) | (known % 1 != 0)][0]:g}",
            cure="log each ranker's own rank of each item",
        )


def _credit(
    settings: InterleaveSettings,
    table: Columns,
    rankers: tuple[str, ...],
    ranks: FloatArray,
    starts: IntArray,
    order: IntArray,
) -> FloatArray:
    lists = np.split(ranks, starts[1:])
    if settings.method == "team-draft" and settings.team:
        given = table.names(settings.team)
        strange = given.filter(~given.is_in(list(rankers)))
        if len(strange):
            raise InputError(
                where=f"{table.where}, column {settings.team!r}",
                expected=f"one of {', '.join(rankers)}",
                got=repr(strange[0]),
                cure="name the rankers as the log does: --rank RANKER=COLUMN",
            )
        team = given.cast(pl.Enum(rankers)).to_physical().to_numpy().astype(np.int64)[order]
        teams = np.split(team, starts[1:])
        return np.concatenate([team_credit(t, r) for t, r in zip(teams, lists, strict=True)])
    depths = _depths(settings, table, lists, starts, order)
    if settings.method == "probabilistic":
        return np.concatenate(
            [probabilistic_credit(r, depth, settings.tau) for r, depth in zip(lists, depths, strict=True)]
        )
    return np.concatenate([rank_credit(r, depth) for r, depth in zip(lists, depths, strict=True)])


def _depths(
    settings: InterleaveSettings, table: Columns, lists: list[FloatArray], starts: IntArray, order: IntArray
) -> list[int]:
    """How long the rankers' own lists were, of each list; InputError where a rank is deeper."""
    deepest = np.array([np.nanmax(ranks) for ranks in lists])
    option, depths = "--depth", np.full(len(lists), float(settings.depth or deepest.max()))
    if settings.length is not None:
        option, depths = f"--length {settings.length}", table.complete(settings.length)[order][starts]
    if (depths < deepest).any() or (depths % 1 != 0).any():
        worst = int((deepest - depths).argmax())
        raise InputError(
            where=option,
            expected=f"a whole number, {deepest[worst]:g} or more: the deepest rank of the list",
            got=f"{depths[worst]:g}",
            cure="say how long each ranker's own list was",
        )
    return depths.astype(int).tolist()
