"""One query → the catalogue's candidates in the run's order: what `ltr.rank` prints and a shop shows."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from features.batch import QueryBatch
from features.build import FeatureBuilder
from features.errors import InputError
from features.media.columns import column_of
from features.media.files import MEDIA_BYTES, MediaError, read_bytes
from features.media.photos import decode
from ltr.config.group_names import media_of
from ltr.pipeline.prepare import load_collection
from ltr.runs.saved_run import SavedRun

log = logging.getLogger(__name__)

CANDIDATES = 200  # from BM25, and as many from each cosine
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
    row = {"query_id": "query", "text": text, "image": photo}
    files = {column_of(modality): data for modality, data in (media or {}).items()}
    schema = {"query_id": pl.String, "text": pl.String, "image": pl.Binary, **dict.fromkeys(files, pl.Binary)}
    return pl.DataFrame([row | files], schema=schema)


def catalogue_of(run: SavedRun) -> pl.DataFrame:
    """The products that the run was trained over."""
    return load_collection(run.config).products


def ask(run: SavedRun, text: str | None, image: Path | None, media: Sequence[str] = ()) -> pl.DataFrame:
    """The run's catalogue ranked for words, a photo, and files of other modalities given as MODALITY=FILE."""
    query = one_query(text, image, read_media(media, media_of(run.config.data)))
    _check_asked(image, run)
    builder = run.catalogue_builder()
    _warn_of_unknown_words(text, builder.catalogue.products)
    return rank(run, builder, QueryBatch(query))


def _warn_of_unknown_words(text: str | None, products: pl.DataFrame) -> None:
    """Say when the catalogue has no word of the query: what is found then, is found by meaning or look alone."""
    words = re.findall(r"\w+", (text or "").casefold())
    texts = [name for name in ("title", "description", "brand", "category") if name in products.columns]
    if not words or not texts:
        return
    whole = pl.concat_str(texts, separator=" ", ignore_nulls=True).str.to_lowercase()
    if not products.select(whole.str.contains_any(words).any()).item():
        log.warning("no product has a word of %r: what is found is found by meaning or look alone", text)


def rank(
    run: SavedRun, builder: FeatureBuilder, query: QueryBatch, candidates: int = CANDIDATES
) -> pl.DataFrame:
    """One query's candidates in the model's order: rank, product_id, title, brand, category, price, score.

    candidates: from BM25, and as many from each cosine.
    """
    _, rows = builder.retrieve(query, candidates)
    _refuse_unreadable(builder)
    if not len(rows):
        return pl.DataFrame(schema={"rank": pl.Int64, "product_id": pl.String})
    return listed(builder, rows, run.score_list(builder, query, rows))


def listed(builder: FeatureBuilder, rows: np.ndarray, scores: np.ndarray) -> pl.DataFrame:
    """What is shown of these rows of the index, (n,) rising, best score first."""
    order = np.lexsort((rows, -scores))  # rows of an index lie by product_id
    products = builder.catalogue.products
    # Column by column: a frame's select waits for polars' threads, longer than all else here takes.
    shown = [products[name].gather(rows[order]) for name in SHOWN if name in products.columns]
    return pl.DataFrame([*shown, pl.Series("score", scores[order])]).with_row_index("rank", offset=1)


def in_order(pairs: pl.DataFrame, scores: np.ndarray) -> pl.DataFrame:
    """One query's pairs best first, ties by product_id, with `rank` (from 1) before and `score` behind."""
    scored = pairs.with_columns(score=pl.Series(scores))
    return scored.sort("score", "product_id", descending=[True, False]).with_row_index("rank", offset=1)


def _refuse_unreadable(builder: FeatureBuilder) -> None:
    """Raise InputError for a file of the query that its encoder could not read; words it does not know are none."""
    for column in builder.stats.unreadable:
        what = column.removeprefix("query ")
        if what not in (column, "text"):
            raise InputError(
                where="the query",
                expected=f"{what} that its encoder can read",
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
