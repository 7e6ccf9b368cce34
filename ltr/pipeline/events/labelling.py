"""From events to judgements: read, cleaned, labelled, set beside human ones, written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl

from features.disk import whole_file
from features.errors import InputError
from features.sources.events import EventRules, Events, clean_events, read_ubi
from features.sources.events.bots import person
from features.sources.formats.readers import read_table
from features.sources.ledger import Ledger
from features.sources.parsing.ids import read_ids
from features.sources.privacy.counts import texts_of_few
from ltr.clicks import (
    Agreement,
    CannotTell,
    Labels,
    LabelSettings,
    Overlap,
    ShownLists,
    agreement,
    disagreements,
    label,
    mixed,
    on_human_scale,
)
from ltr.clicks.lists import PAIR, words_asked
from ltr.clicks.settings import WORTH
from ltr.config.tree import Config
from ltr.pipeline.events.behaviour import events_ledger, warn_of_lost
from ltr.pipeline.prepare import load_collection


@dataclass(frozen=True)
class Labelled:
    """What came of it; labels is None where the data cannot tell, for the reasons in `overlap`.

    lists, rows: how many there were. left_out: rows and actions by the reason. judgements: what was written: ours,
    mixed with human ones where there are any. scaled: whether their scale could be fitted. differing: pairs of both
    that differ most, with title and image where products are known.
    """

    labels: Labels | None
    overlap: Overlap
    lists: int
    rows: int
    left_out: dict[str, int]
    judgements: pl.DataFrame | None = None
    few: int = 0
    scaled: bool = False
    agreement: Agreement | None = None
    differing: pl.DataFrame | None = None


def label_events(settings: LabelSettings, config: Config | None = None) -> Labelled:
    """Reads, labels and writes `settings.out`; nothing is written where the data cannot tell."""
    events, human, products, dropped = _gathered(settings, config)
    if not events.shown.height:
        why = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)
        raise InputError(
            where=settings.events or "data.events",
            expected="lists that were shown",
            got=f"none{f' that can be used: {why}' if why else ''}",
            cure="name events that say what was shown (in UBI: impressions, or query_response_hit_ids)",
        )
    window = timedelta(days=settings.window_days)
    lists = ShownLists.of(events, settings.places, window, WORTH[settings.worth])
    left_out = {reason: count for reason, count in (dropped | lists.left_out).items() if count}
    size = len(lists), int(lists.shown.sum())
    try:
        labels = label(lists, settings.seen, settings.clip, settings.top_grade)
    except CannotTell as found:
        return Labelled(None, found.overlap, *size, left_out)
    enough = labels.judgements.filter(pl.col("effective_size") >= settings.least_views)
    few = labels.judgements.height - enough.height
    named = enough.filter(~pl.col("query_id").is_in(_asked_by_few(events, human, settings.least_people)))
    if named.height < enough.height:
        reason = f"labelled pairs of words that fewer than {settings.least_people} people asked"
        left_out[reason], enough = enough.height - named.height, named
    if human is None:
        _write(enough.with_columns(source=pl.lit("clicks")), settings.out)
        return Labelled(labels, labels.overlap, *size, left_out, enough, few)
    ours, scaled = on_human_scale(enough, human)
    both = mixed(ours, human, settings.human_views)
    _write(both, settings.out)
    differing = disagreements(ours, human) if scaled else None
    if differing is not None and products is not None:
        known = [name for name in ("product_id", "title", "image") if name in products.columns]
        differing = differing.join(products.select(known), on="product_id", how="left", maintain_order="left")
    agreed = agreement(enough, human)
    return Labelled(labels, labels.overlap, *size, left_out, both, few, scaled, agreed, differing)


def _asked_by_few(events: Events, human: pl.DataFrame | None, least: int) -> list[str]:
    """Queries known by their words alone that so few people asked that the words may tell who; none that was judged."""
    asked = events.shown.filter(pl.col("query_id").is_null()).select(person(), words=words_asked())
    few = texts_of_few(asked, "words", "person", least)
    return few.to_list() if human is None else few.filter(~few.is_in(human["query_id"].implode())).to_list()


def _gathered(
    settings: LabelSettings, config: Config | None
) -> tuple[Events, pl.DataFrame | None, pl.DataFrame | None, dict[str, int]]:
    """Clean events, human judgements, products, and what cleaning left out."""
    human, twice = _judgements(settings.judgements) if settings.judgements else (None, 0)
    again = {"judgements of a pair that has one already": twice}
    if config is None:
        if settings.events is None:
            raise InputError(
                where="command line", expected="--events or --config", got="neither", cure="name the events"
            )
        ledger = Ledger()
        raw = read_ubi(settings.events, ledger)
        events = clean_events(raw, EventRules(attribution_days=settings.window_days), ledger)
        return events, human, None, again | _left_out(ledger)
    collection = load_collection(config)
    if collection.events is None:
        raise InputError(
            where=config.data.kind,
            expected="data.events",
            got="a config without events",
            cure="name them there, or give --events",
        )
    if human is None:
        human = collection.judgements
    return collection.events, human, collection.products, again | _left_out(events_ledger(collection))


def _left_out(ledger: Ledger) -> dict[str, int]:
    warn_of_lost(ledger)
    return {f"{step.table}: {step.step}": step.lost for step in ledger.steps if step.lost}


def _judgements(path: Path) -> tuple[pl.DataFrame, int]:
    """query_id, product_id and grade of a file, the first of each pair, and how many more there were.

    InputError where a column is missing, or a grade is no number.
    """
    table = read_table(path)
    absent = [name for name in (*PAIR, "grade") if name not in table.columns]
    if absent:
        raise InputError(
            where=path,
            expected="columns query_id, product_id, grade",
            got=f"the columns {', '.join(table.columns[:8])}",
            cure=f"rename or add {absent[0]}",
        )
    ids = [read_ids(table[name], f"{path}, column {name!r}").values.alias(name) for name in PAIR]
    found = table.select(*ids, pl.col("grade").cast(pl.Float64, strict=False))
    bad = found.filter(pl.any_horizontal(pl.all().is_null() | pl.col("grade").is_nan()))
    if bad.height:
        raise InputError(
            where=path,
            expected="a query, a product and a number as the grade in every row",
            got=f"{bad.height:,} rows without",
            cure="mend or drop them",
        )
    distinct = found.unique(PAIR, keep="first", maintain_order=True)
    return distinct, found.height - distinct.height


def _write(judgements: pl.DataFrame, path: Path) -> None:
    if path.suffix not in (".parquet", ".csv"):
        raise InputError(
            where="--out",
            expected="a name that ends in .parquet or .csv",
            got=repr(path.name),
            cure="rename it",
        )
    with whole_file(path) as unfinished:
        if path.suffix == ".csv":
            judgements.write_csv(unfinished)
        else:
            judgements.write_parquet(unfinished)


def next_command(settings: LabelSettings) -> str:
    return f"name {settings.out} under data.judgements in a config, then python -m ltr.train --config FILE"
