"""A shop's tables, one after another: read by the config's columns, cleaned, and matched with each other."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from features.batch import has_values
from features.errors import InputError
from features.media.columns import media_columns, modality_of
from features.sources import cleaning
from features.sources.columns import Inputs, PriceRules
from features.sources.config import (
    CatalogueConfig,
    EventsConfig,
    ImagesConfig,
    JudgementsConfig,
    ProductsConfig,
    QueriesConfig,
)
from features.sources.events.cleaning import clean_events, note_unknown, with_known_queries
from features.sources.events.event_log import Events
from features.sources.events.history import with_history
from features.sources.events.tables import WHO, pseudonymous, read_events, read_people
from features.sources.events.ubi import read_ubi, ubi_files
from features.sources.files import (
    folders_of,
    folders_of_queries,
    no_photo,
    no_photos,
    photo_or_nulls,
    read_media,
    read_photo,
    settle_files,
    with_photos,
)
from features.sources.formats.variants import with_group_texts
from features.sources.grades import by_rater, read_grades
from features.sources.ledger import Ledger
from features.sources.parsing import values as derive
from features.sources.parsing.histories import HISTORY
from features.sources.parsing.ids import BARE_NUMBER, nearly_known
from features.sources.remarks import Said
from features.sources.schema import Judgements, Products, Queries, completed

_DATE = "date (ISO, as 2024-05-31)"


def read_judgements(config: JudgementsConfig, inputs: Inputs) -> pl.DataFrame:
    """product_id, grade, and what the file has of query_id, query, title, weight and source; texts are clean.

    Several columns of grades are several raters: a row each, where they gave one.
    """
    source = inputs.source("judgements", config, config.columns)
    grades = read_grades(source, config.grades)
    beside = [source.text("title"), source.number("weight"), source.text("source")]
    query_id, text = source.ids("query_id"), source.text("query")
    if query_id is None and text is None:
        source.require("query_id", "data.judgements.columns.query_id (or .query, the text)")
    frame = _frame([query_id, text, source.needed_ids("product_id"), *beside])
    if "weight" in frame.columns:  # rows without one of 0 or more count 1, as judgements do that have none
        good = (pl.col("weight").is_finite() & (pl.col("weight") >= 0)).fill_null(value=False)
        bad = frame.filter(~good)
        inputs.ledger.note("judgements", "no weight of 0 or more: counts 1", frame, bad, "changed")
        frame = frame.with_columns(weight=pl.when(good).then("weight").otherwise(1.0))
    frame = by_rater(frame, grades, inputs.ledger)
    texts = [name for name in ("query", "title") if name in frame.columns]
    return cleaning.clean_text(frame, "judgements", texts, inputs.ledger)


def load_products(config: CatalogueConfig, judged: pl.DataFrame | None, inputs: Inputs) -> pl.DataFrame:
    """The canonical products, clean; without a table of their own, the judged ones with their titles."""
    ledger = inputs.ledger
    if config.products:
        frame = _read_products(config.products, config.images, inputs)
    else:
        frame = _judged_products(judged)
    no_text = {"product_id", "image", *media_columns(frame.columns)}
    texts = [n for n, dtype in frame.schema.items() if dtype == pl.String and n not in no_text]
    frame = cleaning.clean_text(frame, "products", texts, ledger)
    frame = cleaning.clean_numbers(frame, "products", ledger)
    frame = cleaning.clean_prices(frame, ledger)
    frame = cleaning.reject_broken(frame, "products", Products, ledger)
    if not frame.height:
        where = inputs.base / config.products.path if config.products else "data.judgements"
        cure = "set data.products.columns.product_id to the column of ids"
        raise InputError(where=where, expected="products with an id", got="none with one", cure=cure)
    frame = cleaning.deduplicate(frame, "products", "product_id", ledger)
    if config.images and config.images.path:
        frame = with_photos(frame, config.images, config.images.path, inputs)
    table = config.products.path if config.products else Path()
    folders = folders_of(table, config.images, inputs)
    frame = settle_files(frame, "products", "product_id", inputs, folders)
    if config.images and "products photos" in ledger.rejected and not frame["image"].count():
        raise no_photo(config.images, inputs)
    cleaning.report_near_duplicates(frame, ledger)
    return frame


def _read_products(config: ProductsConfig, photos: ImagesConfig | None, inputs: Inputs) -> pl.DataFrame:
    source = inputs.source("products", config, config.columns)
    source = with_group_texts(source)
    numeric = [
        source.readable(name, source.as_numbers(), "number", "data.products.numeric")
        for name in config.numeric
    ]
    categories = [source.require(name, "data.products.categorical") for name in config.categorical]
    prices = PriceRules(config.price_unit == "cents", config.currency)
    columns = [
        source.needed_ids("product_id"),
        source.text("title"),
        source.text("description"),
        source.text("brand"),
        source.category("category", config.category_separator),
        source.price("price", prices),
        source.price("list_price", prices),
        source.values("rating", lambda raw: derive.ratings(raw, decimal=source.decimal), "number"),
        source.values("rating_count", lambda raw: derive.counts(raw, decimal=source.decimal), "number"),
        source.values("listed_at", derive.datetimes, _DATE),
        *(column.alias(name) for name, column in zip(config.numeric, numeric, strict=True)),
        *(
            derive.joined_text([column]).alias(name)
            for name, column in zip(config.categorical, categories, strict=True)
        ),
        read_photo(source, photos, inputs),
        *read_media(source, config.media),
    ]
    return completed(Products, _frame(columns))


def _judged_products(judged: pl.DataFrame | None) -> pl.DataFrame:
    if judged is None or "title" not in judged.columns:
        raise InputError(
            where="data.products",
            expected="a table of products, or their titles in the judgements",
            got="neither",
            cure="set data.products.path, or data.judgements.columns.title",
        )
    # A product is named once a judgement: only another title for it is worth a count.
    frame = judged.select("product_id", "title").unique(maintain_order=True)
    return completed(Products, frame.with_columns(no_photos(frame.height)))


def load_queries(config: CatalogueConfig, judged: pl.DataFrame | None, inputs: Inputs) -> pl.DataFrame:
    """The canonical queries, clean; without a table of their own, the distinct texts of the judgements.

    Those get ids `q0001`, … by the alphabetical order of their texts, unless the judgements have ids.
    """
    ledger = inputs.ledger
    if config.queries:
        frame = _read_queries(config.queries, inputs)
        texts = [name for name in ("text", "split", "segment") if name in frame.columns]
        frame = cleaning.clean_text(frame, "queries", texts, ledger)
    else:
        frame = _judged_queries(judged)
    frame = cleaning.reject_broken(frame, "queries", Queries, ledger)
    frame = cleaning.deduplicate(frame, "queries", "query_id", ledger)
    folders = folders_of_queries(config.queries.path if config.queries else Path(), config.images, inputs)
    frame = settle_files(frame, "queries", "query_id", inputs, folders)
    others = media_columns(frame.columns)
    nothing = pl.all_horizontal(pl.col("text", "image", *others).is_null())
    reason = ", nor ".join(["neither text nor a readable photo", *map(modality_of, others)])
    kept = ledger.reject("queries", frame, nothing, reason)
    if config.queries and not kept.height:
        raise InputError(
            where=inputs.base / config.queries.path,
            expected="queries with an id, and a text or a photo",
            got="none",
            cure="set data.queries.columns.text (or .image) to the right column",
        )
    return kept


def _read_queries(config: QueriesConfig, inputs: Inputs) -> pl.DataFrame:
    source = inputs.source("queries", config, config.columns)
    columns = [
        source.needed_ids("query_id"),
        source.text("text"),
        photo_or_nulls(source),
        *read_media(source, config.media),
        source.text("split"),
        source.text("segment"),
        source.values("at", derive.datetimes, _DATE),
        *(read_people(source, name) for name in WHO),
        source.histories(HISTORY),
    ]
    return completed(Queries, pseudonymous(_frame(columns), source))


def _judged_queries(judged: pl.DataFrame | None) -> pl.DataFrame:
    if judged is None:
        found = pl.DataFrame(schema={"query_id": pl.String, "text": pl.String})
    elif "query" not in judged.columns:
        raise InputError(
            where="data.queries",
            expected="a table of queries, or their texts in the judgements",
            got="neither",
            cure="set data.queries.path, or data.judgements.columns.query",
        )
    elif "query_id" in judged.columns:
        found = judged.select("query_id", text="query").drop_nulls("query_id").unique(maintain_order=True)
    else:
        texts = judged["query"].drop_nulls().unique().sort()
        number = pl.int_range(1, len(texts) + 1, eager=True).cast(pl.String)
        found = pl.DataFrame({"query_id": "q" + number.str.zfill(len(str(len(texts)))), "text": texts})
    return found.with_columns(no_photos(found.height))


def match_judgements(
    judged: pl.DataFrame, products: pl.DataFrame, queries: pl.DataFrame, path: Path, ledger: Ledger
) -> pl.DataFrame:
    """The canonical judgements: of known products and queries, one grade a pair, with weight and source where given.

    Raises InputError where no row is left, which means a wrong column rather than bad rows.
    """
    frame = _with_query_ids(judged, "judgements", queries, ledger)
    beside = [
        name for name in ("weight", "source") if name in frame.columns
    ]  # they follow the grades into training
    frame = frame.select("query_id", "product_id", "grade", *beside)
    frame = cleaning.reject_broken(frame, "judgements", Judgements, ledger)
    for key, known in (("product_id", products["product_id"]), ("query_id", queries["query_id"])):
        kept = cleaning.reject_unknown(frame, "judgements", key, known, ledger)
        cleaning.remark_nearly_known(frame[key], known, "judgements", key, ledger)
        if frame.height and not kept.height:
            _, way = nearly_known(frame[key], known)
            mapped = f"map {key} to the matching column under data.judgements.columns"
            alike = f"they are alike {way}: {cleaning.AS_TEXT}"
            raise InputError(
                where=path,
                expected=f"values of {key} as in the other tables ({_some(known)})",
                got=_some(frame[key]),
                # Numbers alone are alike in a wrong column, too.
                cure={"": mapped, BARE_NUMBER: f"{mapped}, or {alike}"}.get(way, alike),
            )
        frame = kept
    if not frame.height:
        raise InputError(
            where=path,
            expected="judgements with a query, a product and a grade of 0 or more",
            got=f"none in {judged.height} rows",
            cure="check data.judgements.columns",
        )
    return cleaning.resolve_judgements(frame, ledger)


def load_events(
    config: EventsConfig, products: pl.DataFrame, queries: pl.DataFrame, inputs: Inputs
) -> Events:
    """The events of people, clean; those of unknown products are only reported, as an old log has many."""
    path = inputs.base / config.path
    if config.is_ubi(inputs.base):
        events = read_ubi(path, inputs.ledger)
        for file in ubi_files(path):
            inputs.fingerprint(file.relative_to(inputs.base) if file.is_relative_to(inputs.base) else file)
    else:
        events = read_events(inputs.source("events", config, config.columns), config)
    events = clean_events(with_known_queries(events, queries), config.cleaning, inputs.ledger)
    note_unknown(events, products["product_id"], inputs.ledger)
    return events


def with_known_history(queries: pl.DataFrame, events: Events, ledger: Ledger) -> pl.DataFrame:
    """The queries with what whoever asked had met before, where they say by whom and when; a given history stays."""
    who = [name for name in WHO if has_values(queries, name)]
    if not who:
        return queries
    if not has_values(queries, "at"):
        evidence = f"queries name a {who[0]} and no time, so they have no history in the events"
        said = Said("WARN", evidence, "set {section}.columns.at to the column that says when each was asked")
        ledger.remark([said], "queries: history", "data.queries")
        return queries
    known = with_history(queries, events)[HISTORY]
    count = len(known) - known.null_count()
    evidence = f"{count:,} of {len(known):,} queries have a history in the events before them"
    cure = "bring times and ids as the events have them (raw, or pseudonyms of the key that is used now)"
    said = Said("PASS", evidence) if count or not len(known) else Said("WARN", evidence, cure)
    ledger.remark([said], "queries: history", "data.queries")
    given = [queries[HISTORY]] if HISTORY in queries.columns else []
    return queries.with_columns(pl.coalesce(*given, known).alias(HISTORY))


def _with_query_ids(frame: pl.DataFrame, table: str, queries: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Ids by the query's text where the frame has none; of queries with equal texts the first."""
    if "query_id" in frame.columns:
        return frame
    by_text = queries.drop_nulls("text").unique("text", keep="first", maintain_order=True)
    named = by_text.select("query_id", query="text")
    joined = frame.join(named, on="query", how="left", maintain_order="left")
    return ledger.reject(table, joined, pl.col("query_id").is_null(), "query text not among the queries")


def _frame(columns: list[pl.Series | None]) -> pl.DataFrame:
    return pl.DataFrame([column for column in columns if column is not None])


def _some(values: pl.Series) -> str:
    return ", ".join(map(repr, values.unique(maintain_order=True).head(3).to_list()))
