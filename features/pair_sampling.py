"""(photo, text) pairs of a catalogue: which there are, which are held out, and how a batch is drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.cosines import RowVectors
from features.embedding_cache import EmbeddingCache
from features.encoder_protocol import Encoder, unit_rows
from features.errors import InputError
from features.images import content_hashes, decode_each
from features.tower_network import to_pixels
from features.tower_settings import AlignedTrainingConfig, TextField

_FEWEST = 20  # pairs: a tenth of them held out is two
_DECODED_AT_ONCE = 2048


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

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def fingerprint(self) -> str:
        """Changes with the photos, the texts and the text encoder."""
        hashed = hashlib.blake2b(self.space.encode(), digest_size=16)
        for part in (self.photos, *self.text, *(array for field in self.mixed.values() for array in field)):
            hashed.update(np.ascontiguousarray(part).data)
        return hashed.hexdigest()


def catalogue_pairs(
    products: pl.DataFrame,
    queries: pl.DataFrame,
    encoder: Encoder,
    cache: EmbeddingCache,
    settings: AlignedTrainingConfig,
) -> Pairs:
    """The pairs of every product that has a readable photo, which is no query's photo, and a text.

    Raises InputError for a catalogue with fewer than 20 of them.
    """
    usable = products.filter(pl.col("image").is_not_null() & pl.col(settings.text).is_not_null())
    hashes = content_hashes(usable["image"])
    known = hashes.is_not_null() & ~hashes.is_in(content_hashes(queries["image"]).drop_nulls().implode())
    usable, hashes = usable.filter(known), hashes.filter(known)
    text = _vectors(usable[settings.text], encoder, cache, f"product {settings.text}")
    photos, readable = decode_photos(usable["image"], settings.height, settings.width)
    kept = np.flatnonzero(readable & (text.rows >= 0))
    if len(kept) < _FEWEST:
        raise InputError(
            where="data.products",
            expected=f"at least {_FEWEST} products with a photo and a {settings.text}",
            got=str(len(kept)),
            cure="fit the tower on a larger catalogue, and name its folder here",
        )
    mixed = {
        field: _vectors(usable[field], encoder, cache, f"product {field}").take(kept)
        for field in settings.mix
    }
    photo_ids = hashes.rank("dense").to_numpy().astype(np.int64)
    return Pairs(photos[kept], photo_ids[kept], text.take(kept), mixed, encoder.space)


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
    in neither part. Raises InputError where nothing is left to train on.
    """
    order = np.random.default_rng(seed).permutation(len(pairs))
    for ids in (pairs.text.rows, pairs.photo_ids):
        order = order[np.sort(np.unique(ids[order], return_index=True)[1])]
    held = order[: min(count, len(pairs) // 10)]
    known = np.isin(pairs.text.rows, pairs.text.rows[held])
    known |= np.isin(pairs.photo_ids, pairs.photo_ids[held])
    train = np.flatnonzero(~known)
    if len(train) < 2:
        raise InputError(
            where="data.products",
            expected="products with photos and texts of their own",
            got=f"{len(pairs)} that nearly all share theirs",
            cure="match the photos with another field: set tower.text",
        )
    return train, np.sort(held)


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
