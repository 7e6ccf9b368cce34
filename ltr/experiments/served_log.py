"""The log of `ltr.serve` as a table for each kind of experiment; what is left out is counted in warnings.

Acts (click, cart, purchase: how often; value: paid) are of the list in which the product was shown; person is the
pseudonym of the shopper, or of the visit where no shopper is known, or else the list's own id; asked_with says words,
photo or both; text is null where fewer than LEAST_PEOPLE asked it, but for explored_of_log, which is of no report.

searches_of_log    A row a search, for an A/B test or a plan
mixed_of_log       A row a product of an interleaved list, at the places that were mixed
explored_of_log    A row a place that was left to chance, with its propensity, for off-policy estimates
sessions_of_log    A row a session, with its arm, for a survey
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from features.errors import InputError
from features.sources.events.ubi import APPLICATION, read_ubi, ubi_files
from features.sources.formats.readers import decode, read_bytes
from features.sources.privacy import Key
from features.sources.privacy.counts import texts_of_few

log = logging.getLogger(__name__)

LEAST_PEOPLE = 5
ACTS = ("click", "cart", "purchase")
TEAMS = ("first", "second", "third", "fourth", "fifth")
MIXED, SWAPS = "interleave", "swaps"
REFORMULATED = pl.duration(minutes=5)  # the next search in other words comes sooner
_SEARCH = "/search"
_PAIR = ["request_id", "product_id"]
_LINE: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("request_id", "session", "shopper", "text", "at"), pl.String),
    "product_id": pl.List(pl.String),
    "position": pl.List(pl.Int64),
    "propensity": pl.List(pl.Float64),
    **dict.fromkeys(("list", "path", "arm", "method", "filters"), pl.String),
    "rankers": pl.List(pl.String),
    "team": pl.List(pl.Int64),
    "ranks": pl.List(pl.List(pl.Int64)),
    **dict.fromkeys(("explored", "total", "candidates"), pl.Int64),
    "latency_ms": pl.Float64,
    **dict.fromkeys(("photo", "history"), pl.Boolean),
}


def searches_of_log(folder: Path, key: Key | None = None, *, of_arms: bool = True) -> pl.DataFrame:
    """A row a search, its further pages with it: arm, person, session, text, asked_with, shown_at; impressions, acts
    and value; zero_results, reformulated (0 or 1), latency_ms (of its first page).

    Reformulated is a search on which nothing was done, and which the person's next one follows within 5 minutes in
    other words. of_arms: those of an A/B test alone; without, all. key: of pseudonyms, needed only for lines that
    others wrote. Raises InputError for a log without such searches.
    """
    lines = _lines(folder).filter(path=_SEARCH)
    if of_arms:
        _one_experiment(folder, lines, mixed=False)
        lines = _only(lines, pl.col("arm").is_not_null(), "searches in no arm")
    _refuse_none(folder, lines, "searches")
    acts = _acts(folder, _rows(lines), key).group_by("list")
    counted = acts.agg(pl.len().alias("impressions"), pl.col(*ACTS, "value").sum())
    firsts = lines.sort("shown_at").group_by("list", maintain_order=True).first()
    made = firsts.join(counted, on="list", how="left").with_columns(
        pl.col("impressions", *ACTS, "value").fill_null(0), zero_results=(pl.col("total") == 0).cast(pl.Int64)
    )
    following = pl.col("text", "shown_at").shift(-1).over("person", order_by="shown_at").name.prefix("next_")
    made = made.with_columns(following).with_columns(
        reformulated=pl.col("next_text").ne_missing(pl.col("text"))
        & (pl.col("next_shown_at") - pl.col("shown_at") <= REFORMULATED)
        & (pl.sum_horizontal(ACTS) == 0)
    )
    made = made.with_columns(pl.col("reformulated").fill_null(value=False).cast(pl.Int64))
    made = _without_rare_words(made)
    columns = ("list", "arm", "person", "session", "text", "asked_with", "shown_at", "impressions", *ACTS)
    return made.select(*columns, "value", "zero_results", "reformulated", "latency_ms").sort(
        "shown_at", "list"
    )


def mixed_of_log(folder: Path, key: Key | None = None) -> tuple[pl.DataFrame, tuple[str, ...], str]:
    """A row a product of an interleaved list, the runs by name, and the method by which they were mixed.

    list, position, product_id, person, session, text, asked_with, shown_at, acts and value; explored (how many places
    were mixed, which is how long each run's own list was there); team (the run's name; null in optimised lists);
    rank_first, rank_second, …: null where a product is not in that list. Cut at the first page that was not shown.
    Raises InputError for a log without interleaved lists, and for one of several experiments.
    """
    lines = _lines(folder)
    _one_experiment(folder, lines, mixed=True)
    lines = _only(lines, pl.col("rankers").is_not_null(), "lists in no arm")
    kinds = lines.select("method", "rankers").unique()
    if kinds.height > 1:
        raise InputError(
            where=folder,
            expected="lists mixed by one method from the same runs",
            got=f"{kinds.height} kinds of them",
            cure="serve each experiment with a --log of its own",
        )
    method, rankers = kinds.row(0)
    names = tuple(label.rpartition("@")[0] or label for label in rankers)
    names = names if len(set(names)) == len(names) and "=" not in "".join(names) else TEAMS[: len(names)]
    rows = _rows(lines.filter(pl.col("explored") > 0), "team", "ranks")
    kept = _gapless(rows.filter(pl.col("position") <= pl.col("explored")))
    _refuse_none(folder, kept, "mixed places")
    ranks = {f"rank_{TEAMS[run]}": pl.col("ranks").list.get(run) for run in range(len(rankers))}
    within = {name: pl.when(rank <= pl.col("explored")).then(rank) for name, rank in ranks.items()}
    named = pl.col("team").replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)
    made = _without_rare_words(_acts(folder, kept.with_columns(team=named, **within), key))
    return made.drop("ranks").sort("shown_at", "list", "position"), names, method


def explored_of_log(folder: Path, key: Key | None = None) -> pl.DataFrame:
    """A row a place that was left to chance, down to the first page that was not shown.

    list, position, product_id, propensity (of this product at this place), person, session, text, asked_with, filters
    (as JSON), history (whether one was given), candidates, explored, shown_at, arm, acts and value; drawn_from: the
    method and the rankings that the list was drawn from, as JSON, null where its pages did not show them whole. Raises
    InputError where nothing was left to chance.
    """
    lines = _lines(folder)
    chosen = lines.filter(pl.col("explored") > 0)
    _say(lines.height - chosen.height, "lists of which nothing was left to chance")
    every = _rows(chosen, "propensity", "ranks")
    rows = _gapless(every.filter(pl.col("position") <= pl.col("explored"))).drop("ranks")
    rows = rows.join(_drawn_from(every), on="list", how="left", maintain_order="left")
    known = rows.filter(pl.col("propensity").is_between(0, 1, closed="right"))
    _say(rows.height - known.height, "places without a propensity")
    if not known.height:
        raise InputError(
            where=folder,
            expected="lists that were left to chance, with the propensity of each place",
            got=f"none of {lines.height:,} lists",
            cure="serve with --explore-swaps or --experiment interleave: what is always shown alike tells nothing else",
        )
    return _acts(folder, known, key).sort("shown_at", "list", "position")


def sessions_of_log(folder: Path) -> pl.DataFrame:
    """A row a session of an A/B test: session (a pseudonym), arm, person; those in several arms are left out."""
    lines = _lines(folder)
    _one_experiment(folder, lines, mixed=False)
    lines = lines.drop_nulls(["arm", "session"])
    sessions = lines.group_by("session", maintain_order=True).agg(
        pl.col("arm", "person").first(), arms=pl.col("arm").n_unique()
    )
    return _only(sessions, pl.col("arms") == 1, "sessions in several arms").drop("arms")


def _one_experiment(folder: Path, lines: pl.DataFrame, *, mixed: bool) -> None:
    arms = lines["arm"].drop_nulls().unique().sort().to_list()
    if not arms or ((arms == [MIXED]) != mixed) or (MIXED in arms and len(arms) > 1):
        raise InputError(
            where=folder,
            expected=f"the log of one experiment, {'interleave' if mixed else 'ab'}",
            got=f"lists in the arms {', '.join(arms)}" if arms else "lists in no arm",
            cure="serve with --experiment, each with a --log of its own, and judge it by its own kind",
        )


def _lines(folder: Path) -> pl.DataFrame:
    """A row a page of a list, of the lines that our server wrote; those of others are counted."""
    found = pl.DataFrame(list(_own(folder)), schema=_LINE, orient="row").unique("request_id", keep="first")
    words, photo = pl.col("text").is_not_null(), pl.col("photo").fill_null(value=False)
    return found.with_columns(
        list=pl.coalesce("list", "request_id"),
        person=pl.coalesce("shopper", "session", "list", "request_id"),
        shown_at=pl.col("at").str.to_datetime("%+", time_zone="UTC", strict=False),
        asked_with=pl.when(words & photo)
        .then(pl.lit("both"))
        .when(photo)
        .then(pl.lit("photo"))
        .when(words)
        .then(pl.lit("words"))
        .otherwise(pl.lit("neither")),
    )


def _own(folder: Path) -> Iterator[tuple[Any, ...]]:
    """Rows of `_LINE`."""
    for path in filter(lambda path: path.stat().st_size, ubi_files(folder)):
        for line in decode(read_bytes(path), path).split("\n"):
            if '"query_attributes"' not in line:
                continue
            try:
                record = json.loads(line)
                more, products = record["query_attributes"], record["query_response_hit_ids"]
                if record["application"] != APPLICATION:
                    continue
                arm = more.get("arm")
                filters = more.get("filters")
                row = (
                    *(
                        record[name]
                        for name in ("query_id", "session_id", "client_id", "user_query", "timestamp")
                    ),
                    *(products, more["positions"], _of_each(more.get("propensity"), len(products))),
                    *(more.get("list_id"), more.get("path"), arm if isinstance(arm, str) else None),
                    *(more.get("method"), None if filters is None else json.dumps(filters, sort_keys=True)),
                    *(more.get("rankers"), more.get("team"), _of_each(more.get("ranks"), len(products))),
                    *(more.get(name) for name in ("explored", "total", "candidates")),
                    *(more.get("took_ms"), more.get("photo"), more.get("history")),
                )
            except (ValueError, TypeError, LookupError, AttributeError):
                continue  # cut off, or another application's: read_ubi counts it
            yield row


def _of_each(value: Any, count: int) -> list[Any]:
    return value if isinstance(value, list) else [value] * count


def _rows(lines: pl.DataFrame, *ranked: str) -> pl.DataFrame:
    """A row a product, with these columns of a value each; the others' lists are dropped."""
    dropped = {"position", "propensity", "team", "ranks", "rankers"} - {"position", *ranked}
    full = lines.drop(dropped).filter(pl.col("product_id").list.len() > 0)
    return full.explode("product_id", "position", *ranked)


def _gapless(rows: pl.DataFrame) -> pl.DataFrame:
    """Each place once, from 1 down to the first that no page showed."""
    once = rows.sort("list", "position", "shown_at").unique(
        ["list", "position"], keep="first", maintain_order=True
    )
    kept = once.filter(pl.col("position") == pl.int_range(1, pl.len() + 1).over("list"))
    _say(once.height - kept.height, "products below a page that was not shown")
    return kept


def _drawn_from(rows: pl.DataFrame) -> pl.DataFrame:
    """list, drawn_from: of interleaved lists by the ranks of their products, of swapped ones by the propensities."""
    once = rows.unique(["list", "position"], keep="first").sort("list", "position")
    ranked, swapped = once.filter(pl.col("ranks").is_not_null()), once.filter(pl.col("ranks").is_null())
    runs = ranked.with_columns(runs=pl.col("ranks").list.len())
    runs = runs.with_columns(run=pl.int_ranges("runs")).explode("ranks", "run")
    runs = runs.filter(pl.col("ranks").is_between(1, pl.col("explored"))).sort("list", "run", "ranks")
    whole = (pl.len() == pl.col("explored").first()) & (pl.col("ranks").n_unique() == pl.len())
    tops = runs.group_by("list", "method", "runs", "run", maintain_order=True).agg("product_id", whole=whole)
    mixed = tops.group_by("list", "method", maintain_order=True).agg(
        pl.col("product_id").alias("tops"),
        whole=pl.col("whole").all() & (pl.len() == pl.col("runs").first()),
    )
    mixed = mixed.filter("whole").select("list", drawn_from=pl.struct("method", "tops").struct.json_encode())
    tops = (
        swapped.filter(pl.col("position") <= pl.col("explored"))
        .group_by("list", maintain_order=True)
        .agg("product_id", "propensity", whole=pl.len() == pl.col("explored").first())
    )
    made = [
        (name, json.dumps({"method": SWAPS, "tops": [[products[place] for place in order]]}))
        for name, products, chances, whole in tops.iter_rows()
        if whole and None not in chances and (order := _unswapped(tuple(chances))) is not None
    ]
    return pl.concat([mixed, pl.DataFrame(made, schema=mixed.schema, orient="row")])


@lru_cache(maxsize=4096)
def _unswapped(chances: tuple[float, ...]) -> tuple[int, ...] | None:
    """Which of the places stood where before neighbours were swapped, by their propensities; None where more orders
    than one, or none, would give these: a product stands in place by 1 − share (at both ends 1 − share / 2), and
    swapped by share / 2."""
    last, found = len(chances) - 1, set()
    for share in {2 * chances[0], 2 * (1 - chances[0])}:
        order, place = list(range(len(chances))), 0
        while place <= last:
            stays = 1 - share / 2 * (1 + (0 < place < last))
            moves = chances[place : place + 2]
            if math.isclose(chances[place], stays, abs_tol=1e-9):
                if math.isclose(stays, share / 2, abs_tol=1e-9):
                    return None
                place += 1
            elif len(moves) == 2 and all(math.isclose(one, share / 2, abs_tol=1e-9) for one in moves):
                order[place], order[place + 1] = place + 1, place
                place += 2
            else:
                break
        else:
            found.add(tuple(order))
    return found.pop() if len(found) == 1 else None


def _acts(folder: Path, rows: pl.DataFrame, key: Key | None) -> pl.DataFrame:
    """With how often each product was acted on in the list where it was shown, and what was paid for it."""
    actions = read_ubi(folder, key=key).actions
    ours = actions.join(rows.select(_PAIR).unique(), on=_PAIR, how="semi")
    _say(actions.height - ours.height, "actions on what is no part of this")
    counted = ours.group_by(_PAIR).agg(
        *((pl.col("action") == act).sum().cast(pl.Int64).alias(act) for act in ACTS),
        value=pl.col("value").filter(pl.col("action") == "purchase").sum(),
    )
    made = rows.join(counted, on=_PAIR, how="left")
    return made.with_columns(pl.col(*ACTS, "value").fill_null(0)).drop("shopper", "at", "photo", "path")


def _without_rare_words(rows: pl.DataFrame) -> pl.DataFrame:
    rare = texts_of_few(rows, "text", "person", LEAST_PEOPLE)
    return rows.with_columns(text=pl.when(~pl.col("text").is_in(rare.implode())).then("text"))


def _only(rows: pl.DataFrame, wanted: pl.Expr, what: str) -> pl.DataFrame:
    kept = rows.filter(wanted)
    _say(rows.height - kept.height, what)
    return kept


def _refuse_none(folder: Path, rows: pl.DataFrame, what: str) -> None:
    if not rows.height:
        raise InputError(where=folder, expected=what, got="none", cure="name the folder of a server's log")


def _say(count: int, what: str) -> None:
    if count:
        log.warning("left out: %s %s", f"{count:,}", what)
