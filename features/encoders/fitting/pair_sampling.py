"""(photo, text) pairs of a shop: which there are, which are held out, and how a batch is drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import polars as pl

from features.encoders.cache import EmbeddingCache
from features.encoders.fitting.contrastive import recall_among, recall_at
from features.encoders.image.aligned_network import to_pixels
from features.encoders.image.aligned_settings import AlignedTrainingConfig, TextField
from features.encoders.protocol import Encoder, unit_rows
from features.encoders.vectors import RowVectors
from features.errors import InputError
from features.media.files import hashes_of
from features.media.photos import decode_each

_FEWEST = 20  # pairs: a tenth of them held out is two
_DECODED_AT_ONCE = 2048
_FIELDS = list(get_args(TextField))


@dataclass(frozen=True)
class Pairs:
    """Photos with the vectors of their texts, row by row; every row has a photo and the main text."""

    photos: np.ndarray
    """(n, height, width, 3) uint8, in memory: 43,000 of 48×64 pixels take 400 MB."""
    photo_ids: np.ndarray
    """(n,) equal for equal files."""
    text: RowVectors
    """What each photo is matched with; photos whose row is the same share their text."""
    mixed: Mapping[TextField, RowVectors]
    """By field: what may be added to the text; row -1 where a product has none."""
    space: str
    """That of the text encoder."""
    asked: np.ndarray | None = None
    """(n,) bool: photos of queries, matched by judgements; None: all are products' own."""

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def fingerprint(self) -> str:
        """Changes with the photos, the texts and the text encoder."""
        hashed = hashlib.blake2b(self.space.encode(), digest_size=16)
        asked = () if self.asked is None else (self.asked,)
        mixed = (array for field in self.mixed.values() for array in field)
        for part in (self.photos, *self.text, *mixed, *asked):
            hashed.update(np.ascontiguousarray(part).data)
        return hashed.hexdigest()


def catalogue_photos(products: pl.DataFrame, queries: pl.DataFrame) -> pl.DataFrame:
    """The products whose photo is no query's photo: image, image_hash, the text fields."""
    shown = products.with_columns(hashes_of(products, "image")).drop_nulls("image_hash")
    asked = hashes_of(queries, "image").drop_nulls()
    return shown.filter(~pl.col("image_hash").is_in(asked.implode())).select("image", "image_hash", *_FIELDS)


def judged_photos(
    products: pl.DataFrame, queries: pl.DataFrame, judgements: pl.DataFrame, training: Sequence[str]
) -> pl.DataFrame:
    """The photos of training queries, each with the texts of the products of its highest grade above 0.

    training: their ids. A photo that any other query has too stays out: it may be asked in a test.
    Returns image, image_hash and the products' text fields, one row a photo and product, in a fixed order.
    """
    photos = queries.select("query_id", "image", hashes_of(queries, "image")).drop_nulls("image_hash")
    trains = pl.col("query_id").is_in(pl.Series(training, dtype=pl.String).implode())
    others = photos.filter(~trains)["image_hash"]
    own = photos.filter(trains, ~pl.col("image_hash").is_in(others.implode()))
    graded = judgements.filter(pl.col("grade") > 0)
    best = graded.filter(pl.col("grade") == pl.col("grade").max().over("query_id"))
    pairs = own.join(best.select("query_id", "product_id"), on="query_id").sort("query_id", "product_id")
    return pairs.join(products.select("product_id", *_FIELDS), on="product_id", maintain_order="left").select(
        "image", "image_hash", *_FIELDS
    )


def make_pairs(
    own: pl.DataFrame | None,
    asked: pl.DataFrame | None,
    encoder: Encoder,
    cache: EmbeddingCache,
    settings: AlignedTrainingConfig,
) -> Pairs:
    """The pairs of all photos that can be read and have a text, products' own before queries'.

    own: as from `catalogue_photos`; asked: as from `judged_photos`.
    Raises InputError for fewer than 20 of them.
    """
    parts = [part.filter(pl.col(settings.text).is_not_null()) for part in (own, asked) if part is not None]
    texts = pl.concat(part.select(pl.col(_FIELDS).cast(pl.String)) for part in parts)
    text = _vectors(texts[settings.text], encoder, cache, f"product {settings.text}")
    decoded = [decode_photos(part["image"], settings.height, settings.width) for part in parts]
    photos, readable = (np.concatenate(arrays) for arrays in zip(*decoded, strict=True))
    kept = np.flatnonzero(readable & (text.rows >= 0))
    if len(kept) < _FEWEST:
        raise _too_few(len(kept), settings)
    mixed = {
        field: _vectors(texts[field], encoder, cache, f"product {field}").take(kept) for field in settings.mix
    }
    hashes = pl.concat(hashes_of(part, "image") for part in parts)
    photo_ids = hashes.rank("dense").to_numpy().astype(np.int64)
    from_query = None
    if asked is not None:
        from_query = (np.arange(len(photos)) >= len(photos) - parts[-1].height)[kept]
    return Pairs(photos[kept], photo_ids[kept], text.take(kept), mixed, encoder.space, from_query)


def _too_few(count: int, settings: AlignedTrainingConfig) -> InputError:
    of_queries = settings.pairs == "judgements"
    return InputError(
        where="data.judgements" if of_queries else "data.products",
        expected=f"at least {_FEWEST} {'training queries' if of_queries else 'products'} with a photo and a "
        + settings.text,
        got=str(count),
        cure="set aligned.pairs: both"
        if of_queries
        else "fit the aligned encoder on a larger catalogue, and name its folder here",
    )


def decode_photos(images: pl.Series, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, height, width, 3) uint8, and which of the (n,) could be read."""
    pixels = np.zeros((len(images), height, width, 3), dtype=np.uint8)
    readable = np.zeros(len(images), dtype=bool)
    for start in range(0, len(images), _DECODED_AT_ONCE):
        decoded = decode_each(images.slice(start, _DECODED_AT_ONCE).to_list())
        rows = [start + row for row, image in enumerate(decoded) if image is not None]
        pixels[rows] = to_pixels([image for image in decoded if image is not None], height, width)
        readable[rows] = True
    return pixels, readable


def hold_out(pairs: Pairs, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and rows held out: of the latter no two share a photo or a text.

    At most a tenth of the pairs is held out. What shares its photo or its text with a held-out pair is
    in neither part. With queries' photos, of which many share a text, only such are held out, each with
    a photo of its own; their texts stay: the question then is a new photo of a known product.
    Raises InputError where nothing is left to train on.
    """
    order = np.random.default_rng(seed).permutation(len(pairs))
    apart = [pairs.photo_ids]
    if pairs.asked is None:
        apart = [pairs.text.rows, pairs.photo_ids]
    else:
        order = order[pairs.asked[order]]
    for ids in apart:
        order = order[np.sort(np.unique(ids[order], return_index=True)[1])]
    held = order[: min(count, len(pairs) // 10)]
    known = np.zeros(len(pairs), dtype=bool)
    for ids in apart:
        known |= np.isin(ids, ids[held])
    train = np.flatnonzero(~known)
    if len(train) < 2:
        raise InputError(
            where="data.products",
            expected="products with photos and texts of their own",
            got=f"{len(pairs)} that nearly all share theirs",
            cure="match the photos with another field: set aligned.text",
        )
    return train, np.sort(held)


def held_out_recall(pairs: Pairs, held: np.ndarray, vectors: np.ndarray, k: int) -> float:
    """Recall@k of the held-out rows (n,), whose photos have these (n, d) vectors.

    Products are looked for among themselves, both ways; photos of queries among all texts there are.
    """
    rows = pairs.text.rows[held]
    if pairs.asked is None:
        return recall_at(vectors, pairs.text.vectors[rows], k)
    known = np.unique(pairs.text.rows)
    return recall_among(vectors, pairs.text.vectors[known], np.searchsorted(known, rows), k)


def batches(rows: np.ndarray, size: int, seed: int, epoch: int) -> Iterator[np.ndarray]:
    """The rows of an epoch in whole batches, in an order that seed and epoch decide."""
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]


def draw_targets(
    pairs: Pairs, rows: np.ndarray, chances: Mapping[TextField, float], rng: np.random.Generator
) -> np.ndarray:
    """(b, d) unit vectors: each row's text, with other fields' vectors added by chance.

    The sum of unit vectors stands for the vector of the joined texts, which would have to be encoded.
    """
    targets = pairs.text.vectors[pairs.text.rows[rows]].copy()
    for field, vectors in pairs.mixed.items():
        places = vectors.rows[rows]
        added = (rng.random(len(rows)) < chances[field]) & (places >= 0)
        targets[added] += vectors.vectors[places[added]]
    return unit_rows(targets)


def alike(pairs: Pairs, rows: np.ndarray) -> np.ndarray:
    """(b, b) bool: rows of one text or one photo, which must not count as each other's negatives."""
    texts, photos = pairs.text.rows[rows], pairs.photo_ids[rows]
    return (texts[:, None] == texts) | (photos[:, None] == photos)


def _vectors(texts: pl.Series, encoder: Encoder, cache: EmbeddingCache, label: str) -> RowVectors:
    made = cache.embed(encoder, texts.cast(pl.String), "text", label)
    return RowVectors(made.vectors, made.rows)
