"""The log of `ltr.serve` as a table for an experiment: a row for each product of each list that was in it.

list, position, product_id; person (pseudonym of the shopper, or of the visit where no shopper is known), session,
text (null where fewer than LEAST_PEOPLE asked it), shown_at; arm, run; click, cart, purchase (how often), value (paid).
Of interleaved lists also team (first or second), rank_first and rank_second, null where a product is not in that run's
list.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from features.errors import InputError
from features.sources.events.event_log import Events
from features.sources.events.ubi import read_ubi, ubi_files
from features.sources.formats.readers import decode, read_bytes
from features.sources.privacy import Key
from features.sources.private_counts import texts_of_few

log = logging.getLogger(__name__)

LEAST_PEOPLE = 5
ACTS = ("click", "cart", "purchase")
TEAMS = ("first", "second")
_PAIR = ["request_id", "product_id"]
_DRAFT: dict[str, pl.DataType | type[pl.DataType]] = {
    "request_id": pl.String,
    "list": pl.String,
    "rankers": pl.List(pl.String),
    "drafted": pl.Int64,
    "product_id": pl.List(pl.String),
    "rank_first": pl.List(pl.Int64),
    "rank_second": pl.List(pl.Int64),
}


def lists_of_log(folder: Path, key: Key | None = None) -> pl.DataFrame:
    """The lists of an experiment that the log in a folder holds; what is left out is counted in warnings.

    An interleaved list is cut where its draft ended (what follows is the first run's rest, by no chance), or at the
    first page that was not shown. key: of pseudonyms, needed only for lines that others wrote. Raises InputError for a
    log without an experiment, with both kinds of it, or with more than one pair of interleaved runs.
    """
    events = read_ubi(folder, key=key)
    shown = events.shown.filter(pl.col("arm").is_not_null())
    _say(events.shown["request_id"].n_unique() - shown["request_id"].n_unique(), "lists in no arm")
    arms = shown["arm"].unique().sort().to_list()
    if not arms or ("interleave" in arms and len(arms) > 1):
        raise InputError(
            where=folder,
            expected="the log of one experiment: interleave or ab",
            got=f"lists in the arms {', '.join(arms)}" if arms else "lists in no arm",
            cure="serve with --experiment, and each experiment with a --log of its own",
        )
    drafts = pl.DataFrame(_drafts(folder), schema=_DRAFT, orient="row").unique("request_id")
    shown = shown.join(drafts.select("request_id", "list"), on="request_id", how="left")
    shown = shown.with_columns(
        list=pl.coalesce("list", "request_id"), person=pl.coalesce("shopper", "session")
    )
    rare = texts_of_few(shown, "text", "person", LEAST_PEOPLE)
    shown = shown.with_columns(text=pl.when(~pl.col("text").is_in(rare.implode())).then("text"))
    if arms == ["interleave"]:
        shown = _drafted(folder, shown, drafts)
    return _with_acts(shown, events).sort("shown_at", "list", "position")


def _drafts(folder: Path) -> Iterator[tuple[Any, ...]]:
    """Rows of `_DRAFT`: what the server's own lines say beyond UBI of lists that have it."""
    for path in ubi_files(folder):
        for line in decode(read_bytes(path), path).split("\n"):
            if '"query_attributes"' not in line:
                continue
            try:
                record = json.loads(line)
                more = record["query_attributes"]
                ranks = more.get("ranks") or []
                first, second = ([pair[place] for pair in ranks] for place in (0, 1))
                products = record["query_response_hit_ids"] if ranks else []
                about = record["query_id"], more.get("list_id"), more.get("rankers"), more.get("drafted")
            except (ValueError, TypeError, LookupError, AttributeError):
                continue  # cut off, or another application's: read_ubi has counted it
            yield (*about, products, first, second)


def _drafted(folder: Path, shown: pl.DataFrame, drafts: pl.DataFrame) -> pl.DataFrame:
    """Team and ranks of the places that were drafted."""
    whole = drafts.filter(pl.col("rankers").list.len() == 2, pl.col("drafted").is_not_null())
    ranked = whole.drop("list").explode("product_id", "rank_first", "rank_second")
    rows = shown.join(ranked, on=_PAIR, how="inner")
    _say(shown.height - rows.height, "products of lists whose ranks were not logged")
    pairs = rows["rankers"].unique().sort().to_list()
    if len(pairs) != 1:
        raise InputError(
            where=folder,
            expected="lists mixed from one pair of runs, with their ranks",
            got=f"{len(pairs)} pairs",
            cure="serve each pair with a --log of its own",
        )
    team = pl.when(pl.col("run") == pairs[0][0]).then(pl.lit(TEAMS[0])).otherwise(pl.lit(TEAMS[1]))
    rows = rows.filter(pl.col("position") <= pl.col("drafted")).with_columns(team=team)
    rows = rows.sort("list", "position", "shown_at").unique(
        ["list", "position"], keep="first", maintain_order=True
    )
    gapless = pl.col("position") == pl.int_range(1, pl.len() + 1).over("list")
    kept = rows.filter(gapless)
    _say(rows.height - kept.height, "products below a page that was not shown")
    return kept.drop("rankers", "drafted")


def _with_acts(shown: pl.DataFrame, events: Events) -> pl.DataFrame:
    """How often each product was acted on in the list where it was shown, and what was paid for it."""
    acts = events.actions.join(shown.select(_PAIR).unique(), on=_PAIR, how="semi")
    _say(events.actions.height - acts.height, "actions on what no list of the experiment showed")
    counted = acts.group_by(_PAIR).agg(
        *((pl.col("action") == act).sum().cast(pl.Int64).alias(act) for act in ACTS),
        value=pl.col("value").filter(pl.col("action") == "purchase").sum(),
    )
    made = shown.join(counted, on=_PAIR, how="left")
    return made.with_columns(pl.col(*ACTS, "value").fill_null(0)).drop("query_id", "propensity")


def _say(count: int, what: str) -> None:
    if count:
        log.warning("left out: %s %s", f"{count:,}", what)
