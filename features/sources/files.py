"""A shop's photos and other files, found by the config's columns and folders; those not there are counted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from features.errors import InputError
from features.media.columns import column_of, media_columns, modality_of
from features.media.photos import content_hashes
from features.sources import cleaning
from features.sources.columns import Inputs, Source, photo_column
from features.sources.config import ImagesConfig, TableConfig
from features.sources.ids import read_ids

_EMPTY = hashlib.blake2b(b"", digest_size=16).hexdigest()


def read_photo(source: Source, photos: ImagesConfig | None, inputs: Inputs) -> pl.Series:
    """The products' photos: a column of their own table, or names of files in a folder."""
    if photos and photos.folder:
        folder = inputs.base / photos.folder
        if not folder.is_dir():
            raise InputError(
                where=folder, expected="a folder of photos", got="none", cure="mend data.images.folder"
            )
        names = source.require(photos.column, "data.images.column")
        return photo_column(names, folder).alias("image")
    return photo_or_nulls(source.image("image"), source.frame.height)


def photo_or_nulls(photos: pl.Series | None, height: int) -> pl.Series:
    return pl.repeat(None, height, dtype=pl.String, eager=True).alias("image") if photos is None else photos


def with_photos(products: pl.DataFrame, config: ImagesConfig, path: Path, inputs: Inputs) -> pl.DataFrame:
    """The products with the photos of a table of photos; what has no partner is reported."""
    source = inputs.source("images", TableConfig(path=path))
    ids = read_ids(
        source.require(config.key, "data.images.key"), f"{source.path}, column {config.key!r}"
    ).values
    photo = photo_column(source.require(config.column, "data.images.column"), source.path.parent)
    photos = pl.DataFrame({"product_id": ids, "image": photo})
    photos = cleaning.deduplicate(photos, "images", "product_id", inputs.ledger)
    unknown = photos.select("product_id").join(products, on="product_id", how="anti")
    inputs.ledger.note("images", "photo of no product", photos, unknown, "reported")
    joined = products.drop("image").join(photos, on="product_id", how="left", maintain_order="left")
    without = joined.filter(pl.col("image").is_null()).select("product_id")
    inputs.ledger.note("products", "no photo", joined, without, "reported")
    return joined


def read_media(source: Source, chosen: Mapping[str, str]) -> list[pl.Series]:
    """A `media.` column for each modality: bytes, or paths of files relative to the table's folder."""
    return [
        photo_column(
            source.require(column, f"data.{source.table}.media.{modality}"), source.path.parent
        ).alias(column_of(modality))
        for modality, column in chosen.items()
    ]


def settle_files(frame: pl.DataFrame, table: str, key: str, inputs: Inputs) -> pl.DataFrame:
    """Every photo and file fingerprinted; photos that cannot be read and files not there → null, counted.

    What else is wrong with a file of another modality only its encoder can tell.
    """
    inputs.fingerprint_files(f"{table} photos", frame["image"])
    frame = cleaning.quarantine_images(frame, table, key, inputs.ledger, inputs.photo_problems)
    for column in media_columns(frame.columns):
        frame = _settle_media(frame, column, table, key, inputs)
    return frame


def _settle_media(frame: pl.DataFrame, column: str, table: str, key: str, inputs: Inputs) -> pl.DataFrame:
    modality, files = modality_of(column), frame[column]
    hashes = content_hashes(files)
    inputs.fingerprint_files(f"{table} {modality}", files, hashes)
    missing = files.is_not_null() & hashes.is_null()
    empty = (hashes == _EMPTY).fill_null(value=False)
    for reason, bad in (("file not found", missing), ("empty", empty)):
        rows = frame.filter(bad).select(key, reason=pl.lit(reason))
        if rows.height:
            inputs.ledger.note(table, f"{modality} set to null: {reason}", frame, rows, "changed")
            inputs.ledger.keep_rejected(f"{table} {modality}", rows)
    if table == "products" and missing.any() and missing.sum() == files.count():
        raise InputError(
            where=f"data.products.media.{modality}",
            expected="files that are there",
            got=f"none of {files.count()} (such as {files.drop_nulls()[0]})",
            cure="name the column of bytes, or of file names relative to the table's folder",
        )
    return frame.with_columns(files.set(missing | empty, None))


def no_photo(config: ImagesConfig, inputs: Inputs) -> InputError:
    """For photos of which none can be read: a wrong folder or column rather than broken files."""
    bad = inputs.ledger.rejected["products photos"].drop("product_id")
    return InputError(
        where=inputs.base / (config.folder or config.path or ""),
        expected="photos that can be read",
        got=f"none in {bad.height} ({': '.join(bad.row(0))})",
        cure=f"check data.images.{'folder' if config.folder else 'path'} and .column",
    )
