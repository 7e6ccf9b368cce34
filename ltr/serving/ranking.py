"""One query → the catalogue's candidates in the run's order: what `ltr.rank` prints and a shop shows."""

from __future__ import annotations

import difflib
import logging
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from features.batch import QueryBatch
from features.build import CANDIDATES, FeatureBuilder
from features.errors import InputError
from features.groups.lexical import LexicalGroup
from features.media.columns import column_of
from features.media.files import MEDIA_BYTES, MediaError, read_bytes
from features.media.photos import decode
from features.words.query_words import QueryWords
from ltr.config.group_names import media_of
from ltr.pipeline.prepare import load_collection
from ltr.runs.saved_run import SavedRun

log = logging.getLogger(__name__)

SHOWN = ("product_id", "title", "brand", "category", "price")


def read_media(given: Sequence[str], known: Sequence[str]) -> dict[str, bytes]:
    """The files of `MODALITY=FILE` by modality; InputError for one that the run does not know or is not there."""
    found = {}
    for pair in given:
        modality, _, file = pair.partition("=")
        if modality not in known:
            raise InputError(
                where="command line, --media",
                expected=f"MODALITY=FILE of a modality in the run ({', '.join(known) or 'it has none'})",
                got=repr(pair),
                cure="name one under data.products.media and an encoder that reads it, and train again",
            )
        try:
            found[modality] = read_bytes(file, MEDIA_BYTES)
        except MediaError as error:
            raise InputError(where=file, expected="a file", got=error.reason, cure="check --media") from error
    return found


def one_query(text: str | None, image: Path | None, media: Mapping[str, bytes] | None = None) -> pl.DataFrame:
    """A queries frame of one row; InputError when there is nothing to look for, or the photo cannot be read.

    media: files' bytes by modality, beside words and photo.
    """
    if not (text and text.strip()) and image is None and not media:
        raise InputError(
            where="command line", expected="--query or --image", got="neither", cure="say what to look for"
        )
    photo = None
    if image is not None:
        try:
            photo = read_bytes(str(image))
            decode(photo)
        except MediaError as error:
            raise InputError(
                where=image,
                expected="a photo",
                got=f"none that can be read ({error})",
                cure="name a whole JPEG or PNG file",
            ) from error
    files = {column_of(modality): data for modality, data in (media or {}).items()}
    now = pl.Series("at", [time.time_ns() // 1000]).cast(
        pl.Datetime("us", "UTC")
    )  # a datetime takes ten times as long
    return pl.DataFrame(
        [
            pl.Series("query_id", ["query"], dtype=pl.String),
            pl.Series("text", [text], dtype=pl.String),
            *(pl.Series(name, [data], dtype=pl.Binary) for name, data in {"image": photo, **files}.items()),
            now,
        ]
    )


def catalogue_of(run: SavedRun) -> pl.DataFrame:
    """The products that the run was trained over."""
    return load_collection(run.config).products


def ask(
    run: SavedRun, text: str | None, image: Path | None, media: Sequence[str] = (), *, compare: bool = False
) -> pl.DataFrame:
    """The run's catalogue ranked for words, a photo, and files of other modalities given as MODALITY=FILE.

    text: words, or the id of one of the run's queries. compare: with the column `bm25_rank`, see `with_bm25_rank`.
    """
    by_id = None if image or media else _query_of_id(run, text or "")
    query = one_query(text, image, read_media(media, media_of(run.config.data))) if by_id is None else by_id
    _check_asked(image, run)
    builder = run.catalogue_builder()
    batch = QueryBatch(query)
    say_read_as(read := read_as(builder, batch))
    if not read and by_id is None and text and not _has_a_word(text, builder.catalogue.products):
        log.warning("no product has a word of %r: what is found is found by meaning or look alone", text)
    ranked = rank(run, builder, batch)
    return with_bm25_rank(ranked, builder, batch) if compare else ranked


def _query_of_id(run: SavedRun, asked: str) -> pl.DataFrame | None:
    """The run's query of that id; None for words. Raises InputError for what only looks like an id.

    A catalogue's own words that look like one (a model number) are words, which is said.
    """
    scored = "scores.parquet"
    if not (run.folder / scored).is_file() or not looks_like_an_id(asked, run.table(scored)["query_id"]):
        return None
    collection = load_collection(run.config)
    found, known = collection.queries.filter(query_id=asked), collection.queries["query_id"]
    if found.height:
        text = found["text"][0] if "text" in found.columns else None
        log.info("query %s of the run: %s", asked, "a photo" if text is None else repr(text))
        return found
    if not _has_a_word(asked, collection.products):
        raise unknown_id(asked, known)
    log.warning("%r looks like the id of a query and is none of the run's: taken as words", asked)
    return None


def looks_like_an_id(asked: str, known: pl.Series) -> bool:
    """Whether it is one of the ids, or is written as they are but for other digits."""
    shapes = known.unique().str.replace_all(r"\d+", "0").unique()
    return asked in known or bool(re.search(r"\d", asked) and re.sub(r"\d+", "0", asked) in shapes)


def unknown_id(asked: str, known: pl.Series) -> InputError:
    """The error for what is written as the run's query ids are, and is none of them."""
    near = difflib.get_close_matches(asked, known.to_list(), n=3, cutoff=0)
    return InputError(
        where="--query",
        expected="the id of one of the run's queries, or words",
        got=f"{asked!r}, which looks like an id and is none",
        cure=f"near it: {', '.join(near)}",
    )


def _has_a_word(text: str, products: pl.DataFrame) -> bool:
    """Whether the catalogue has a word of the text; True where there is nothing to look for, or in."""
    words = re.findall(r"\w+", text.casefold())
    texts = [name for name in ("title", "description", "brand", "category") if name in products.columns]
    if not words or not texts:
        return True
    whole = pl.concat_str(texts, separator=" ", ignore_nulls=True).str.to_lowercase()
    return bool(products.select(whole.str.contains_any(words).any()).item())


def with_bm25_rank(ranked: pl.DataFrame, builder: FeatureBuilder, query: QueryBatch) -> pl.DataFrame:
    """One query's ranked candidates with `bm25_rank`: each one's place in the catalogue by BM25 alone.

    Null for what BM25 does not find, which is everything for a query without words.
    """
    lexical = builder.groups.get("lexical")
    if not isinstance(lexical, LexicalGroup):
        raise InputError(
            where="command line, --compare",
            expected="a run with lexical features, of which BM25 is one",
            got=f"features of {', '.join(builder.groups)} only",
            cure="switch on features.lexical and train again, or leave --compare out",
        )
    found = builder.catalogue.product_ids.gather(lexical.best(query, CANDIDATES).items)
    places = pl.DataFrame({"product_id": found}, schema={"product_id": pl.String})
    places = places.with_row_index("bm25_rank", offset=1)
    return ranked.join(places, on="product_id", how="left", maintain_order="left")


def side_by_side(ranked: pl.DataFrame, top: int) -> pl.DataFrame:
    """The first products of both orders, place by place, each with its place in the other order."""
    shown: list[str] = [name for name in ("product_id", "title") if name in ranked.columns]
    ours = ranked.head(top).select(pl.col("rank").alias("place"), *shown, **{"by BM25": "bm25_rank"})
    found = ranked.drop_nulls("bm25_rank").sort("bm25_rank").head(top)
    names = {name: f"BM25: {name}" for name in shown}
    theirs = found.select(pl.col("bm25_rank").alias("place"), *shown, **{"by the model": "rank"}).rename(
        names
    )
    return ours.join(theirs, on="place", how="left", maintain_order="left")


def rank(
    run: SavedRun, builder: FeatureBuilder, query: QueryBatch, candidates: int | None = None
) -> pl.DataFrame:
    """One query's candidates in the model's order: rank, product_id, title, brand, category, price, score.

    candidates: how many, by all ways together; None for as many as the run was trained with: standings are among them.
    """
    rows = candidates_of(builder, query, candidates or run.config.lists.candidates)
    if not len(rows):
        return pl.DataFrame(schema={"rank": pl.Int64, "product_id": pl.String})
    return listed(builder, rows, run.score_list(builder, query, rows))


def candidates_of(
    builder: FeatureBuilder, query: QueryBatch, count: int, within: np.ndarray | None = None
) -> np.ndarray:
    """Rows of the index, rising: the `count` that all ways of retrieval find first together.

    within: (products,) bool, only these. Raises InputError for a file of the query that cannot be read.
    """
    _, rows = builder.retrieve(query, count, within)
    _refuse_unreadable(builder, query)
    return rows


def read_as(builder: FeatureBuilder, query: QueryBatch) -> dict[str, str]:
    """The words of one query that no product has, as they were typed, and the catalogue's that each is read as."""
    (found,) = builder.catalogue.words_of(query).read_as
    if not found:
        return {}
    typed = (query.texts[0] or "").split()
    of_token = dict(zip(map(_only_token, typed), typed, strict=True))
    return {of_token.get(token, token): as_ for token, as_ in found.items()}


def _only_token(word: str) -> str | None:
    (tokens,) = QueryWords.read([word]).tokens
    return tokens[0] if len(tokens) == 1 else None


def say_read_as(found: Mapping[str, str]) -> None:
    """Log what `read_as` found, if anything."""
    if found:
        log.info("no product has %s", "; ".join(f"{word!r}: read as {as_!r}" for word, as_ in found.items()))


def best_first(rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) places by score, ties by product_id: rows of an index lie by it."""
    return np.lexsort((rows, -scores))


def listed(builder: FeatureBuilder, rows: np.ndarray, scores: np.ndarray) -> pl.DataFrame:
    """What is shown of these rows of the index, (n,) rising, best score first."""
    order = best_first(rows, scores)
    products, best = builder.catalogue.products, pl.Series(rows[order].astype(np.uint32))
    # Column by column: a frame's select waits for polars' threads, longer than all else here takes.
    shown = [products[name][best] for name in SHOWN if name in products.columns]
    return pl.DataFrame([*shown, pl.Series("score", scores[order])]).with_row_index("rank", offset=1)


def in_order(pairs: pl.DataFrame, scores: np.ndarray) -> pl.DataFrame:
    """One query's pairs best first, ties by product_id, with `rank` (from 1) before and `score` behind."""
    scored = pairs.with_columns(score=pl.Series(scores))
    return scored.sort("score", "product_id", descending=[True, False]).with_row_index("rank", offset=1)


def _refuse_unreadable(builder: FeatureBuilder, query: QueryBatch) -> None:
    """Raise InputError for a file of the query that its encoder could not read; words it does not know are none."""
    vectors = builder.catalogue.vectors
    for side in dict.fromkeys(one.query for one in vectors.compared if one.query.modality != "text"):
        given = query.column(side.column)[0] is not None
        if given and vectors.of_queries(query, side).rows[0] < 0:
            raise InputError(
                where="the query",
                expected=f"{side.modality} that its encoder can read",
                got="none that can be read",
                cure="name a whole file",
            )


def _check_asked(image: Path | None, run: SavedRun) -> None:
    """Raise InputError for a run that compares nothing, or a photo that it would pass over without a word."""
    comparing = {"lexical", "text", "image", *media_of(run.config.data)}
    if run.schema.groups and not comparing & set(run.schema.groups):
        raise InputError(
            where=run.folder,
            expected="a run that compares queries with products",
            got=f"features of {', '.join(run.schema.groups)} only",
            cure="switch on features.lexical or name an encoder, and train again",
        )
    if image and "image" not in run.schema.groups:
        raise InputError(
            where=run.folder,
            expected="a run that looks at photos, for --image",
            got=f"features of {', '.join(run.schema.groups)} only",
            cure="name an image encoder under encoders and train again, or ask with --query alone",
        )
