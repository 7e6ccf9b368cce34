"""OpenSearch's UBI files (User Behavior Insights): lines of queries and of events.

Read from any source: query lines with the products they returned, impression events, actions, also bulk files whose
every other line says where the next one goes. Written as our own server writes them: `shown_line` and `action_line`
give the standard fields, and what UBI has no field for stands in `query_attributes` and `event_attributes`.
UBI's query_id is one asking of a query: our request_id.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from features.disk import whole_file
from features.errors import InputError
from features.sources.events.event_log import ACTIONS, Events, known_actions, set_apart
from features.sources.events.logged import LISTED, QUERY_ITSELF, Logged
from features.sources.formats.readers import decode, read_bytes
from features.sources.ledger import Ledger
from features.sources.parsing.dates import read_dates
from features.sources.privacy import Key, are_pseudonyms, load_key, pseudonyms

QUERIES_FILE, EVENTS_FILE = "ubi_queries.ndjson", "ubi_events.ndjson"
APPLICATION = "shop-ltr"
LOG_FILES = ("ubi_*.ndjson", "ubi_*.jsonl", "ubi_*.ndjson.gz", "ubi_*.jsonl.gz")
_BULK = {"index", "create", "update"}
_OF_RANK = ("run", "arm", "propensity")
_RANKED = ("position", *_OF_RANK)
_WHOLE_BELOW = 2.0**63  # larger floats stay as they are written


def shown_line(rows: pl.DataFrame) -> str:
    """One shown list as a line of `ubi_queries.ndjson`, without the line's end; rows of `Events.shown`."""
    ranked = {name: rows[name].to_list() for name in _RANKED}
    record = shown_record(rows.row(0, named=True), rows["product_id"].to_list(), ranked)
    return json.dumps(record, ensure_ascii=False)


def shown_record(
    about: Mapping[str, Any], products: list[str], ranked: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """The line of one shown list before it is written down.

    about: what is of the list as a whole, columns of `Events.shown`; ranked: position, run, arm and propensity of
    each product, the last three also one for all; more: attributes of one's own, which `read_ubi` passes over.
    """
    attributes = {"shop_query_id": about.get("query_id"), "positions": ranked["position"]}
    attributes |= {name: _one_or_all(ranked[name]) for name in _OF_RANK} | more
    return {
        "application": APPLICATION,
        "query_id": about["request_id"],
        "client_id": about["shopper"],
        "session_id": about["session"],
        "user_query": about["text"],
        "timestamp": _stamp(about["shown_at"]),
        "object_id_field": "product_id",
        "query_response_hit_ids": products,
        "query_attributes": {name: value for name, value in attributes.items() if value is not None},
    }


def action_line(row: Mapping[str, Any]) -> str:
    """One action as a line of `ubi_events.ndjson`, without the line's end; a row of `Events.actions`."""
    return json.dumps(action_record(row), ensure_ascii=False)


def action_record(row: Mapping[str, Any]) -> dict[str, Any]:
    """The line of one action before it is written down."""
    attributes: dict[str, Any] = {
        "object": {"object_id": row["product_id"], "object_id_field": "product_id"},
        "available_at": _stamp(row["available_at"]),
    }
    if row["value"] is not None:
        attributes["value"] = row["value"]
    return {
        "application": APPLICATION,
        "action_name": row["action"],
        "query_id": row["request_id"],
        "client_id": row["shopper"],
        "session_id": row["session"],
        "timestamp": _stamp(row["acted_at"]),
        "event_attributes": attributes,
    }


def write_ubi(events: Events, folder: Path) -> None:
    """Both files, each whole or not at all, in place of those that are there; the ids as they are in the frames.

    What is of a list as a whole (query, text, session, shopper, time) is taken from its first row.
    """
    lists = events.shown.sort("shown_at", "request_id", "position", maintain_order=True)
    groups = lists.partition_by("request_id", maintain_order=True)
    _write_lines((shown_line(rows) for rows in groups), folder / QUERIES_FILE)
    actions = events.actions.sort("acted_at", maintain_order=True)
    _write_lines(map(action_line, actions.iter_rows(named=True)), folder / EVENTS_FILE)


def read_ubi(folder: Path, ledger: Ledger | None = None, key: Key | None = None) -> Events:
    """The events of a folder's `ubi_*.ndjson` files (also .jsonl, gzipped), or of one such file.

    Positions that count from 0 in a source (an `application`) are raised by one; lists come from impressions, or
    where a request has none from the products its query line says were returned. What is no JSON object, has no
    time or product, or is of an unknown kind is set apart and counted in `ledger`. Ids of people and sessions that
    are no pseudonyms become such by `key` (none: `privacy.load_key`), but for what our own writers wrote.

    Files without a line are no events. Raises InputError for a folder without such files, and where no line is UBI's.
    """
    ledger = ledger or Ledger()
    return read_logged(ubi_files(Path(folder)), ledger, key).settle(ledger)


def read_logged(
    files: Sequence[Path],
    ledger: Ledger,
    key: Key | None = None,
    after: Mapping[str, int] | None = None,
    until: Mapping[str, int] | None = None,
) -> Logged:
    """The pieces that files hold, their lists not settled yet.

    after, until: by a file's name, the bytes of it (unpacked) between which lines are read; without, all.
    """
    read = _Lines(ledger)
    place = files[0] if len(files) == 1 else files[0].parent
    for path in files:
        read.file(path, (after or {}).get(path.name, 0), (until or {}).get(path.name))
    if read.count and not (read.queries or read.events) and not after:
        raise InputError(
            where=place,
            expected="lines of UBI queries or events",
            got=f"none among {read.count:,} lines",
            cure="each line is a JSON object with user_query or action_name; of another table of events name the "
            "columns in a config's data.events",
        )
    return read.together(key, None if after else place)


def ubi_files(place: Path) -> list[Path]:
    """The files of UBI lines in a folder and below, or the one file; InputError for a folder without any."""
    if not place.is_dir():
        return [place]
    found = sorted({path for pattern in LOG_FILES for path in place.rglob(pattern)})
    if not found:
        cure = "name the folder of ubi_queries.ndjson and ubi_events.ndjson"
        raise InputError(where=place, expected=f"files such as {EVENTS_FILE}", got="none", cure=cure)
    return found


@dataclass
class _Lines:
    """Lines sorted by what they are, each as a row of canonical names; positions still as their source counts."""

    ledger: Ledger
    queries: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)
    count: int = 0

    def file(self, path: Path, after: int = 0, until: int | None = None) -> None:
        empty = path.is_file() and path.stat().st_size <= after
        content = b"" if empty else read_bytes(path)[after:until]
        lines = [line for line in decode(content, path).split("\n") if line.strip()]
        bad = [line for line in lines if not self._take(line)]
        self.count += len(lines)
        rows = pl.DataFrame({"line": range(len(lines))})
        broken = rows.head(len(bad)).select(bytes=pl.Series([len(line) for line in bad], dtype=pl.Int64))
        self.ledger.note("events", f"{path.name}: no line of UBI, or one cut off", rows, broken, "rejected")

    def _take(self, line: str) -> bool:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return False
        if not isinstance(value, dict):
            return False
        if "action_name" in value:
            self.events.append(_event(value))
        elif "user_query" in value or "query_response_hit_ids" in value:
            self.queries.append(_query(value))
        else:
            return bool(_BULK & value.keys())
        return True

    def together(self, key: Key | None, whole: Path | None) -> Logged:
        """whole: where the lines are from, if they are all of a log."""
        queries = pl.DataFrame(self.queries, schema=_QUERY, orient="row")
        events = pl.DataFrame(self.events, schema=_EVENT, orient="row")
        queries, events = (self._dated(_pseudonymous(rows, key)) for rows in (queries, events))
        queries = self._reject(queries, pl.col("request_id").is_null(), "query without a query_id")
        hits = queries.explode("product_id", *_RANKED).drop_nulls("product_id")
        itself = queries.with_columns(product_id=pl.lit(QUERY_ITSELF), **dict.fromkeys(_RANKED, pl.lit(None)))
        seen, acted = self._sorted(events, whole)
        absent = pl.lit(None, dtype=pl.String)
        parts = [
            itself.with_columns(seen=pl.lit(value=False)),
            hits.with_columns(seen=pl.lit(value=False)),
            seen.with_columns(seen=pl.lit(value=True), **dict.fromkeys(("query_id", *_OF_RANK), absent)),
        ]
        listed = [part.select(pl.col(name).cast(dtype) for name, dtype in LISTED.items()) for part in parts]
        return Logged(pl.concat(listed), acted)

    def _sorted(self, events: pl.DataFrame, whole: Path | None) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Impressions, and actions by our names."""
        events = known_actions(
            *(events, self.ledger, "give each line one of them as its action_name"),
            placed=pl.col("request_id").is_not_null(),
            refused_as=whole,
        )
        events = self._reject(events, pl.col("product_id").is_null(), "no product")
        seen = events.filter(pl.col("action") == "shown")
        seen = self._reject(seen, pl.col("request_id").is_null(), "impression without a query_id")
        available = pl.max_horizontal("at", pl.coalesce("available_at", "at"))
        acted = events.filter(pl.col("action") != "shown").with_columns(acted_at="at", available_at=available)
        return seen, acted.select(ACTIONS.names())

    def _dated(self, rows: pl.DataFrame) -> pl.DataFrame:
        times = [name for name in ("at", "available_at") if name in rows.columns]
        rows = rows.with_columns(
            read_dates(rows[name]).values.dt.replace_time_zone("UTC").alias(name) for name in times
        )
        return self._reject(rows, pl.col("at").is_null(), "timestamp missing or unreadable")

    def _reject(self, rows: pl.DataFrame, bad: pl.Expr, reason: str) -> pl.DataFrame:
        return set_apart(rows, bad, reason, self.ledger)


_QUERY: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("source", "request_id", "query_id", "text", "session", "shopper", "at"), pl.String),
    "product_id": pl.List(pl.String),
    "position": pl.List(pl.Int32),
    "run": pl.List(pl.String),
    "arm": pl.List(pl.String),
    "propensity": pl.List(pl.Float64),
}
_EVENT: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("source", "request_id", "text", "session", "shopper", "at", "available_at"), pl.String),
    "action": pl.String,
    "product_id": pl.String,
    "position": pl.Int32,
    "value": pl.Float64,
}


def _query(line: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row of `_QUERY`."""
    more = _dict(line.get("query_attributes"))
    hits = line.get("query_response_hit_ids")
    products = [_text(hit) for hit in hits] if isinstance(hits, list) else []
    ranked = [_of_each(more.get(name), len(products), _text) for name in ("run", "arm")]
    positions = _of_each(more.get("positions"), len(products), _whole)
    if not any(positions):
        positions = [*range(1, len(products) + 1)]
    return (
        *(_text(line.get("application")), _text(line.get("query_id")), _text(more.get("shop_query_id"))),
        *(_text(line.get("user_query")), _text(line.get("session_id")), _text(line.get("client_id"))),
        *(_text(line.get("timestamp")), products, positions, *ranked),
        _of_each(more.get("propensity"), len(products), _number),
    )


def _event(line: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row of `_EVENT`."""
    more = _dict(line.get("event_attributes"))
    thing, place = _dict(more.get("object")), _dict(more.get("position"))
    return (
        *(_text(line.get("application")), _text(line.get("query_id")), _text(line.get("user_query"))),
        *(_text(line.get("session_id")) or _text(more.get("session_id")), _text(line.get("client_id"))),
        *(_text(line.get("timestamp")), _text(more.get("available_at")), _text(line.get("action_name"))),
        *(_text(thing.get("object_id")), _whole(place.get("ordinal")), _number(more.get("value"))),
    )


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    """Of a text or a number (7.0 as 7: a gap makes programs write whole numbers so); null for an empty one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE_BELOW
    return str(int(value) if whole else value) or None


def _whole(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number.is_integer() and abs(number) < 2**31 else None


def _number(value: object) -> float | None:
    try:
        number = (
            float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
        )
    except (ValueError, OverflowError):
        return None
    return number if number is not None and math.isfinite(number) else None


def _of_each(value: object, count: int, read: Callable[[object], Any]) -> list[Any]:
    """One value for all products of a list, or one each; nulls where there is another number of them."""
    if not isinstance(value, list):
        return [read(value)] * count
    return [read(one) for one in value] if len(value) == count else [None] * count


def _one_or_all(values: Any) -> Any:
    """What `_of_each` reads; `values`: a value each, or one for all."""
    if not isinstance(values, list):
        return values
    return values[0] if values and all(value == values[0] for value in values) else values


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _pseudonymous(rows: pl.DataFrame, key: Key | None) -> pl.DataFrame:
    """Ids of people and sessions as pseudonyms; what our own writers wrote has been such from the door on."""
    theirs = rows["source"].ne_missing(APPLICATION)
    for name in ("session", "shopper"):
        raw = rows[name].set(~theirs | are_pseudonyms(rows[name]).fill_null(value=True), None)
        if raw.count():
            key = key or load_key()
            rows = rows.with_columns(pl.coalesce(pseudonyms(raw, key), name).alias(name))
    return rows


def _write_lines(lines: Iterable[str], path: Path) -> None:
    with whole_file(path) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
