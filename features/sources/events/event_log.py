"""`Events`: two frames, one row a product of a shown list and one row an action."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

import polars as pl

from features.errors import InputError
from features.sources.ledger import Ledger, shorten

_SIGNS = r"[\s_\-.:/]"
Action = Literal["click", "cart", "purchase", "return", "like"]
ACTION_NAMES: tuple[str, ...] = get_args(Action)
_VIEWS = ("view", "productview")  # of a place in a list or of a product's page: the rest of the row tells
_WORDS: dict[str, str] = {  # as sources call them, in small letters without signs
    **{name: name for name in (*ACTION_NAMES, "shown")},
    **dict.fromkeys(("impression", "impressions", "viewitemlist", *_VIEWS), "shown"),
    **dict.fromkeys(("clicked", "itemclick", "productclick", "productclicked", "clickthrough"), "click"),
    **dict.fromkeys(("viewproduct", "selectitem", "searchresultclicked"), "click"),
    **dict.fromkeys(("addtocart", "addedtocart", "productadded", "productaddedtocart", "basket"), "cart"),
    **dict.fromkeys(("addtobasket", "addtobag"), "cart"),
    **dict.fromkeys(("bought", "buy", "order", "ordered", "checkout", "buyitem", "transaction"), "purchase"),
    **dict.fromkeys(("purchased", "ordercompleted", "checkoutcompleted"), "purchase"),
    **dict.fromkeys(("returned", "refund", "refunded", "orderrefunded"), "return"),
    **dict.fromkeys(("favourite", "favorite", "wishlist", "addtowishlist", "productaddedtowishlist"), "like"),
}
_NAMED = 5  # kinds of actions that a step names


def named_actions(names: pl.Expr, more: Mapping[str, str] | None = None) -> pl.Expr:
    """Actions by our names, whatever capitals and signs the source writes; null for those of other kinds.

    more: what a source's own names stand for, beside the usual ones.
    """
    words = _WORDS | {_plain(name): action for name, action in (more or {}).items()}
    return _folded(names).replace_strict(words, default=None, return_dtype=pl.String)


def _folded(names: pl.Expr) -> pl.Expr:
    return names.str.to_lowercase().str.replace_all(_SIGNS, "")


def known_actions(
    rows: pl.DataFrame,
    ledger: Ledger,
    cure: str,
    *,
    placed: pl.Expr,
    more: Mapping[str, str] | None = None,
    refused_as: object = None,
) -> pl.DataFrame:
    """Rows of the kinds we know, `action` by our names; the others are left out, and counted.

    placed: whether a row tells of a list that was shown; a view without one is of the product's page, which people come
    to by a click.
    refused_as: where the rows are from, if they are all that there are. InputError, with the cure, where people acted
    and every action is of another kind: as if nobody had clicked, each rate would be 0.
    """
    named = rows.with_columns(named=named_actions(pl.col("action"), more))
    views = [view for view in _VIEWS if view not in {_plain(name) for name in more or ()}]
    of_page = _folded(pl.col("action")).is_in(views) & ~placed & pl.col("product_id").is_not_null()
    pages = named.filter(of_page).select("action", "product_id")
    step = "view outside any list: read as a click, which opened the product's page"
    ledger.note("events", step, rows, pages, "changed")
    named = named.with_columns(named=pl.when(of_page).then(pl.lit("click")).otherwise("named"))
    others = named.filter(pl.col("named").is_null()).select("action", "at")
    kinds = others["action"].drop_nulls().value_counts(sort=True, name="count")
    others_named = ", ".join(shorten(kind) for kind in kinds["action"].head(_NAMED)) + ", …" * (
        kinds.height > _NAMED
    )
    acted = named.filter(pl.col("named") != "shown").height
    if refused_as is not None and others.height and not acted:
        raise InputError(
            where=str(refused_as),
            expected=f"actions of the kinds {', '.join(ACTION_NAMES)}",
            got=f"{others.height:,} of other kinds alone: {others_named or 'without a name'}",
            cure=cure,
        )
    step = f"action of another kind{f' ({others_named})' * bool(others_named)}: left out"
    ledger.note("events", step, rows, others, "left out")
    return named.drop_nulls("named").with_columns(action="named").drop("named")


def _plain(name: str) -> str:
    return re.sub(_SIGNS, "", name.lower())


MOMENT = pl.Datetime("us", "UTC")
SHOWN = pl.Schema(
    {
        "request_id": pl.String(),
        "query_id": pl.String(),
        "text": pl.String(),
        "session": pl.String(),
        "shopper": pl.String(),
        "shown_at": MOMENT,
        "product_id": pl.String(),
        "position": pl.Int32(),
        "run": pl.String(),
        "arm": pl.String(),
        "propensity": pl.Float64(),
    }
)
ACTIONS = pl.Schema(
    {
        "request_id": pl.String(),
        "product_id": pl.String(),
        "action": pl.String(),
        "acted_at": MOMENT,
        "available_at": MOMENT,
        "value": pl.Float64(),
        "session": pl.String(),
        "shopper": pl.String(),
    }
)
OF_PEOPLE = frozenset({"text", "session", "shopper"})  # no message shows what one person typed, or who it was
_NEEDED = {
    "shown": ("request_id", "shown_at", "product_id", "position"),
    "actions": ("product_id", "action", "acted_at", "available_at"),
}


@dataclass(frozen=True, eq=False)
class Events:
    """What was shown and what was done with it.

    shown: one row a product of a shown list, columns as `SHOWN`: query_id is the shop's name of the query, null
    where it has none; position counts from 1; run and arm: who ranked it; propensity: the probability that this
    product stood at this position, null where nobody knows.
    actions: one row an action, columns as `ACTIONS`: request_id is null where the action belongs to no shown
    list; available_at is when it could be known, never before acted_at; value is the price paid.
    session and shopper are pseudonyms in both.

    The frames may lack columns that can be null, and times without a zone are UTC. Raises InputError for a frame
    that lacks another column, or holds null in one, an action of another name, a position below 1, a propensity
    outside (0, 1], or an action that is available before it was made.
    """

    shown: pl.DataFrame
    actions: pl.DataFrame

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown", _conformed("shown", self.shown, SHOWN))
        object.__setattr__(self, "actions", _conformed("actions", self.actions, ACTIONS))
        _check("shown", self.shown, pl.col("position") < 1, "positions that count from 1")
        outside = ~pl.col("propensity").is_between(0, 1, closed="right")
        _check("shown", self.shown, outside, "propensities above 0, up to 1")
        _check("actions", self.actions, ~pl.col("action").is_in(ACTION_NAMES), ", ".join(ACTION_NAMES))
        early = pl.col("available_at") < pl.col("acted_at")
        _check("actions", self.actions, early, "actions that could not be known before they were made")

    @classmethod
    def none(cls) -> Events:
        return cls(SHOWN.to_frame(), ACTIONS.to_frame())

    @classmethod
    def together(cls, parts: Iterable[Events]) -> Events:
        """Several logs, one behind the other."""
        logs = [cls.none(), *parts]
        return cls(pl.concat([log.shown for log in logs]), pl.concat([log.actions for log in logs]))

    def known_at(self, moment: datetime) -> Events:
        """What could be known at a moment (without a zone: UTC): shown, and available, until then."""
        when = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return Events(
            self.shown.filter(pl.col("shown_at") <= when), self.actions.filter(pl.col("available_at") <= when)
        )

    def __len__(self) -> int:
        return self.shown.height + self.actions.height

    def __repr__(self) -> str:
        lists = self.shown["request_id"].n_unique()
        return f"Events({lists:,} lists of {self.shown.height:,} products, {self.actions.height:,} actions)"


def set_apart(rows: pl.DataFrame, bad: pl.Expr, reason: str, ledger: Ledger) -> pl.DataFrame:
    """The other rows; the bad ones are counted, and kept without what people typed and who they were."""
    hits = rows.filter(bad).drop(OF_PEOPLE, strict=False)
    ledger.note("events", reason, rows, hits, "rejected")
    ledger.keep_rejected("events", hits.with_columns(reason=pl.lit(reason)))
    return rows.remove(bad)


def with_chances(rows: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Propensities that are no probability of what happened, in (0, 1], set to null."""
    whole = rows.with_columns(
        pl.when(pl.col("propensity").is_between(0, 1, closed="right")).then("propensity").alias("propensity")
    )
    step = "propensity outside (0, 1] set to null"
    ledger.note_changes("events", step, rows.select("propensity"), whole.select("propensity"))
    return whole


def _conformed(table: str, frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The schema's columns in its order and types; InputError for one that is needed and missing or null."""
    for name in _NEEDED[table]:
        if name not in frame.columns:
            got = f"the columns {', '.join(frame.columns)}"
            raise InputError(
                where=f"events, {table}", expected=f"a column {name!r}", got=got, cure="add or rename it"
            )
    try:
        whole = frame.select(_column(frame, name, dtype) for name, dtype in schema.items())
    except pl.exceptions.PolarsError as error:
        got = str(error).partition("\n")[0]
        expected = ", ".join(f"{name} {dtype}" for name, dtype in schema.items())
        raise InputError(
            where=f"events, {table}", expected=expected, got=got, cure="cast its columns"
        ) from error
    for name in _NEEDED[table]:
        _check(table, whole, pl.col(name).is_null(), f"a value of {name} in every row")
    return whole


def _column(frame: pl.DataFrame, name: str, dtype: pl.DataType) -> pl.Expr:
    if name not in frame.columns:
        return pl.lit(None, dtype=dtype).alias(name)
    given = frame.schema[name]
    if dtype == MOMENT and isinstance(given, pl.Datetime) and given.time_zone is None:
        return pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.col(name).cast(dtype)


def _check(table: str, frame: pl.DataFrame, bad: pl.Expr, expected: str) -> None:
    rows = frame.with_row_index("row").filter(bad)
    if rows.height:
        first = rows.drop("row").row(0, named=True)
        shown = ", ".join(
            f"{name}={first[name]}" for name in first if name not in OF_PEOPLE and first[name] is not None
        )
        raise InputError(
            where=f"events, {table}, row {rows['row'][0]}",
            expected=expected,
            got=f"{shown} ({rows.height:,} such rows)",
            cure="leave such rows out, or mend them",
        )
