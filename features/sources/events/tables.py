"""Plain tables of events, by the config's columns: session logs, lists with what was clicked, purchases alone.

A row is an action on a product; or a product shown (an action called "shown"); or a whole list, where the column
`shown` holds its products in order ("a|b|c", or a list), and an action on one of them at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from features.errors import InputError
from features.sources import cleaning
from features.sources.columns import PriceRules, Source
from features.sources.config import EventsConfig
from features.sources.events.event_log import (
    ACTIONS,
    SHOWN,
    Events,
    known_actions,
    set_apart,
    with_chances,
)
from features.sources.ledger import Ledger
from features.sources.parsing import values
from features.sources.parsing.dates import read_dates
from features.sources.parsing.numerals import Reading
from features.sources.parsing.written_dates import ZONED
from features.sources.privacy import Key, are_pseudonyms, load_key, pseudonyms
from features.sources.remarks import Said

WHO = ("session", "shopper")
_DATE = "date (ISO, as 2024-05-31T12:30)"
_A_DAY = pl.duration(days=1)


def read_events(source: Source, config: EventsConfig, key: Key | None = None) -> Events:
    """The events of one table; ids of people and sessions become pseudonyms by `key` (none: `load_key`).

    Raises InputError for a table without times, products, or anything that says what a row is.
    """
    rows = _rows(source, config)
    rows = pseudonymous(rows, source, key)
    rows = set_apart(rows, pl.col("at").is_null(), "at missing", source.ledger)
    lists = _lists(rows, source)
    if lists.height:
        rows = rows.join(lists.select("row", made="request_id").unique("row"), on="row", how="left")
        rows = rows.with_columns(pl.coalesce("request_id", "made").alias("request_id"))
    rows = rows.filter(pl.col("action").is_not_null() | pl.col("shown").is_null())
    rows = _known_actions(rows, config, source)
    single = rows.filter(pl.col("action") == "shown")
    shown = pl.concat([_select(part, SHOWN) for part in (lists, _single(single, source.ledger))])
    actions = rows.filter(pl.col("action") != "shown")
    actions = set_apart(actions, pl.col("product_id").is_null(), "product_id missing", source.ledger)
    return Events(shown.drop_nulls("product_id"), _select(actions, ACTIONS))


def _rows(source: Source, config: EventsConfig) -> pl.DataFrame:
    """The table by canonical names; `at` is UTC, `available_at` never before it."""
    at = _times(source, "at", config)
    if at is None:
        at = source.require("at", "data.events.columns.at")  # which there is not
    columns = [
        *(source.ids(name) for name in ("request_id", "query_id", "product_id")),
        source.values("position", values.whole_numbers, "whole number"),
        *(source.text(name) for name in ("query", "action", "run", "arm")),
        source.price("value", PriceRules()),
        source.number("propensity"),
        *(read_people(source, name) for name in WHO),
        source.lists("shown"),
        at,
        _times(source, "available_at", config),
    ]
    frame = pl.DataFrame([column for column in columns if column is not None]).rename(
        {"query": "text"}, strict=False
    )
    absent = {name: dtype for name, dtype in _ALL.items() if name not in frame.columns}
    frame = frame.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in absent.items())
    frame = cleaning.clean_text(
        frame, "events", ["text"], Ledger()
    )  # uncounted: an example shows what was typed
    frame = with_chances(frame, source.ledger)
    return _available(frame.with_row_index("row"), source)


_ALL: Mapping[str, pl.DataType] = {
    **SHOWN,
    **ACTIONS,
    "shown": pl.List(pl.String()),
}


def read_people(source: Source, name: str) -> pl.Series | None:
    """Ids of sessions or shoppers as text, for `pseudonymous`: raw ids are in no remark."""
    return source.values(name, values.identifiers, "id")


def _times(source: Source, name: str, config: EventsConfig) -> pl.Series | None:
    """UTC; a time without a zone is of the config's."""
    raw = source.one(name)
    if raw is None:
        return None

    def read(column: pl.Series) -> Reading:
        text = column if column.dtype.is_numeric() or column.dtype.is_temporal() else values.text(column)
        found = read_dates(text)
        return Reading(_in_utc(text, found.values, config.time_zone), found.said)

    return source.values(name, read, _DATE)


def _in_utc(raw: pl.Series, at: pl.Series, zone: str | None) -> pl.Series:
    utc = at.dt.replace_time_zone("UTC")
    if zone is None or raw.dtype.is_numeric() or getattr(raw.dtype, "time_zone", None):
        return utc
    local = at.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone(
        "UTC"
    )
    if raw.dtype != pl.String:
        return local
    has_zone = raw.str.contains(ZONED) | raw.str.contains(r"(?i)^(?:/date\()?\d{9,}")
    return local.zip_with(~has_zone.fill_null(value=False), utc)


def _available(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Without a time of its own an action could be known when it was made; on days without hours, the next day."""
    if rows["available_at"].count():
        early = rows.filter(pl.col("available_at") < pl.col("at")).select("at", "available_at")
        source.ledger.note("events", "available before it was made: raised to that", rows, early, "changed")
        return rows.with_columns(available_at=pl.max_horizontal("at", "available_at"))
    hours = (rows["at"].dt.truncate("1d") != rows["at"]).any()
    if hours or not rows["at"].count():
        return rows.with_columns(available_at="at")
    said = Said(
        "PASS", "read days without hours as known when the day has ended: a day's own events tell it nothing"
    )
    source.remark([said], "at")
    return rows.with_columns(available_at=pl.col("at") + _A_DAY)


def pseudonymous(rows: pl.DataFrame, source: Source, key: Key | None = None) -> pl.DataFrame:
    """With pseudonyms by `key` (none: `load_key`) in place of raw ids, where there are columns of WHO."""
    for name in (name for name in WHO if name in rows.columns):
        raw = rows[name].set(are_pseudonyms(rows[name]).fill_null(value=True), None)
        if raw.count():
            key = key or load_key()
            rows = rows.with_columns(pl.coalesce(pseudonyms(raw, key), name).alias(name))
            source.remark([Said("PASS", f"{raw.n_unique():,} ids became pseudonyms")], name)
    return rows


def _lists(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """One row a product of the lists in column `shown`; a list without a request_id is named by file and row."""
    listed = rows.filter(pl.col("shown").list.len() > 0)
    named = pl.format("{}:{}", pl.lit(source.path.name), pl.col("row") + 1)
    listed = listed.with_columns(pl.coalesce("request_id", named).alias("request_id"))
    places = listed.drop("product_id", "position").with_columns(
        product_id="shown", position=pl.int_ranges(1, pl.col("shown").list.len() + 1)
    )
    return places.explode("product_id", "position").with_columns(shown_at="at")


def _known_actions(rows: pl.DataFrame, config: EventsConfig, source: Source) -> pl.DataFrame:
    """Actions by our names; those of other kinds are left out, and counted."""
    if not rows["action"].count() and config.action is None and rows.height:
        raise InputError(
            where=source.path,
            expected="a column that says what a row is (click, purchase, shown …), or one name for all",
            got=f"the columns {', '.join(source.frame.columns[:20])}",
            cure="set data.events.columns.action, or data.events.action",
        )
    if config.action is not None and not rows["action"].count():
        return rows.with_columns(action=pl.lit(config.action))
    cure = "say under data.events.actions which of ours each stands for"
    placed = pl.col("request_id").is_not_null() | pl.col("position").is_not_null()
    return known_actions(
        rows, source.ledger, cure, placed=placed, more=config.actions, refused_as=source.path
    )


def _single(rows: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Products shown, a row each; positions from 0 are raised by one."""
    for name in ("request_id", "position", "product_id"):
        rows = set_apart(rows, pl.col(name).is_null(), f"shown without a {name}", ledger)
    rows = set_apart(rows, pl.col("position") < 0, "shown at a negative position", ledger)
    from_zero = rows["position"].min() == 0
    ledger.note(
        "events", "positions from 0 raised by one", rows, rows if from_zero else rows.clear(), "changed"
    )
    return rows.with_columns(pl.col("position") + int(from_zero), shown_at="at")


def _select(rows: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    if "acted_at" in schema:
        rows = rows.with_columns(acted_at="at")
    return rows.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
