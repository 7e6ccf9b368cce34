"""What a run would have shown where a server's log left places to chance: what an off-policy estimate asks about."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import polars as pl

from features.errors import InputError
from ltr.experiments.columns import Columns
from ltr.experiments.off_policy.support import TARGET, with_support
from ltr.experiments.served_log import explored_of_log
from ltr.serving.catalogue.shown_catalogue import Filter, Range
from ltr.serving.lists.searching import Asked, Exploring, Found, search
from ltr.serving.live.live_run import LiveRun

log = logging.getLogger(__name__)


def places_of_run(folder: Path, log_folder: Path) -> Columns:
    """The places of a log that were left to chance, with `target` 1 where this run's own list has the same product, and
    `supported` 1 where the log's lists could have had it.

    Left out and counted: searches by photo or with a history, which are not logged, and lists of which the run finds
    fewer products than were left to chance. Raises InputError for a folder that is no run, and where nothing is left.
    """
    places = explored_of_log(log_folder)
    worded = places.filter(pl.col("asked_with") == "words", ~pl.col("history").fill_null(value=False))
    _say(
        places["list"].n_unique() - worded["list"].n_unique(),
        "searches by photo or with a history: not logged",
    )
    asked = ["text", "filters"]
    wanted = worded.group_by(asked, maintain_order=True).agg(pl.col("explored").max())
    live = LiveRun(folder)
    lists = [_list_of(live, *row) for row in wanted.iter_rows()]
    theirs = wanted.select(asked).with_columns(theirs=pl.Series(lists, dtype=pl.List(pl.String)))
    rows = worded.join(theirs, on=asked, how="left", nulls_equal=True)
    whole = rows.filter(pl.col("theirs").list.len() >= pl.col("explored"))
    _say(rows["list"].n_unique() - whole["list"].n_unique(), "lists of which the run finds too few products")
    if not whole.height:
        raise InputError(
            where=log_folder,
            expected="searches by words, of which the run finds as many products as were left to chance",
            got="none",
            cure="name a log of searches by words, or another run",
        )
    stands = pl.col("theirs").list.get(pl.col("position") - 1) == pl.col("product_id")
    whole = whole.with_columns(stands.cast(pl.Float64).alias(TARGET)).drop("theirs")
    own = theirs.with_columns(position=pl.int_ranges(1, pl.col("theirs").list.len() + 1))
    own = own.explode("theirs", "position", empty_as_null=False).rename({"theirs": "product_id"})
    return Columns(with_support(whole, own.with_columns(pl.lit(1.0).alias(TARGET)), asked), log_folder)


def _list_of(live: LiveRun, text: str, filters: str | None, count: int) -> list[str]:
    """The run's own first products, nothing left to chance."""
    given = {} if filters is None else json.loads(filters)
    chosen: dict[str, Filter] = {
        name: Range(**wanted) if isinstance(wanted, dict) else tuple(wanted) for name, wanted in given.items()
    }
    found = search(live, Asked("", None, text, filters=chosen, facets=False), Exploring(), Found())
    rows = [] if found.shown is None else found.shown.rows[:count].tolist()
    ids: list[str] = live.builder.catalogue.product_ids.gather(rows).to_list()
    return ids


def _say(count: int, what: str) -> None:
    if count:
        log.warning("left out: %s %s", f"{count:,}", what)
