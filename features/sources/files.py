"""A shop's photos and other files, found by the config's columns and folders; those that cannot be read are counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features.errors import InputError
from features.media.columns import column_of, hash_column, media_columns, modality_of
from features.media.files import NOT_FOUND, look_at_files
from features.media.folder import OUTSIDE, Folder
from features.sources.columns import Inputs, Source
from features.sources.config import ImagesConfig, TableConfig
from features.sources.parsing import values
from features.sources.parsing.ids import read_ids
from features.sources.remarks import Said

_PLACE = re.compile(r"\{(\w+)\}")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".JPG", ".PNG")
_Candidate = tuple[bytes | str, str | None]
_NO_FILE = r"(?i)^\s*no[_ ](?:selection|image|photo|picture)\s*$"  # as Magento says
_TRIED = 20  # products whose id may name a photo


@dataclass(frozen=True)
class Folders:
    """Where a table's files lie: its photos, and those of other modalities; either relative to the table itself.

    photos: looked through in this order.
    """

    photos: tuple[Path, ...]
    media: Path


def folders_of(table: Path, photos: ImagesConfig | None, inputs: Inputs) -> Folders:
    """Of the products' table at a path; the photos may lie in a folder or beside a table of their own."""
    beside = (inputs.base / table).parent
    if photos is None:
        return Folders((beside,), beside)
    return Folders((inputs.base / (photos.folder or (photos.path or table).parent),), beside)


def folders_of_queries(table: Path, photos: ImagesConfig | None, inputs: Inputs) -> Folders:
    """Beside their table; where a photo is not there, among the products' photos."""
    beside = (inputs.base / table).parent
    others = [inputs.base / photos.folder] if photos and photos.folder else []
    return Folders((beside, *others), beside)


def read_photo(source: Source, photos: ImagesConfig | None, inputs: Inputs) -> pl.Series:
    """The products' photos as their own table has them: bytes, or names of files, one or several a product."""
    if photos and photos.folder:
        folder = inputs.base / photos.folder
        if not folder.is_dir():
            raise InputError(
                where=folder, expected="a folder of photos", got="none", cure="mend data.images.folder"
            )
        if _PLACE.search(photos.column):
            return _by_pattern(source, photos.column).alias("image")
        if photos.column not in source.frame.columns:
            _suggest_pattern(source, photos.column, folder)
        return _as_named(source.require(photos.column, "data.images.column")).alias("image")
    return photo_or_nulls(source)


def photo_or_nulls(source: Source) -> pl.Series:
    photos = source.one("image")
    return no_photos(source.frame.height) if photos is None else _as_named(photos).alias("image")


def no_photos(height: int) -> pl.Series:
    return pl.repeat(None, height, dtype=pl.String, eager=True).alias("image")


def with_photos(products: pl.DataFrame, config: ImagesConfig, path: Path, inputs: Inputs) -> pl.DataFrame:
    """The products with the photos of a table of photos, all of a product's; what has no partner is reported."""
    source = inputs.source("images", TableConfig(path=path))
    where = f"{source.path}, column {config.key!r}"
    ids = read_ids(source.require(config.key, "data.images.key"), where).values
    photos = pl.DataFrame(
        {"product_id": ids, "image": _as_named(source.require(config.column, "data.images.column"))}
    )
    if photos["product_id"].is_duplicated().any():
        photos = photos.explode("image") if isinstance(photos["image"].dtype, pl.List) else photos
        photos = photos.group_by("product_id", maintain_order=True).agg("image")
    unknown = photos.select("product_id").join(products, on="product_id", how="anti")
    inputs.ledger.note("images", "photo of no product", photos, unknown, "reported")
    joined = products.drop("image").join(photos, on="product_id", how="left", maintain_order="left")
    without = joined.filter(pl.col("image").is_null()).select("product_id")
    inputs.ledger.note("products", "no photo", joined, without, "reported")
    return joined


def read_media(source: Source, chosen: Mapping[str, str]) -> list[pl.Series]:
    """A `media.` column for each modality, as the table has it: bytes, or names of files."""
    return [
        _as_named(source.require(column, f"data.{source.table}.media.{modality}")).alias(column_of(modality))
        for modality, column in chosen.items()
    ]


def settle_files(frame: pl.DataFrame, table: str, key: str, inputs: Inputs, folders: Folders) -> pl.DataFrame:
    """Each row's photo and other files as bytes or a path, with the hash of its content beside; fingerprinted.

    Of several in one field the first that can be read is taken. What cannot be read → null, counted; of a file
    of another modality only its encoder can tell more than that it is there.
    """
    looked_in = [Folder(folder, outside=inputs.outside) for folder in folders.photos]
    photos = _settle(frame["image"], inputs.checks.look, looked_in)
    frame = _noted(frame, photos, table, key, inputs)
    _say_where(photos, table, folders.photos, inputs)
    media = [Folder(folders.media, outside=inputs.outside)]
    for column in media_columns(frame.columns):
        settled = _settle(frame[column], look_at_files, media)
        frame = _noted(frame, settled, table, key, inputs)
        _say_where(settled, table, [folders.media], inputs)
        _refuse_wrong_column(settled, table)
    return frame


@dataclass(frozen=True)
class _Settled:
    """A column of files: of each row the one taken, its hash, what is wrong with it; how many the row names."""

    items: pl.Series
    hashes: pl.Series
    problems: pl.Series
    counts: pl.Series


def _settle(
    column: pl.Series, look: Callable[[pl.Series], pl.DataFrame], folders: Sequence[Folder]
) -> _Settled:
    if column.dtype == pl.Binary:
        looked = look(column)
        return _Settled(
            column, looked["content_hash"], looked["problem"], column.is_not_null().cast(pl.Int64)
        )
    if not column.count():
        none = pl.repeat(None, len(column), dtype=pl.String, eager=True)
        return _Settled(column, none, none, pl.zeros(len(column), dtype=pl.Int64, eager=True))
    rows = [_candidates(value, folders) for value in column]
    kind = pl.Binary if column.dtype == pl.List(pl.Binary) else pl.String
    taken = pl.DataFrame(
        _first_readable(rows, look, kind),
        {"item": kind, "hash": pl.String, "problem": pl.String},
        orient="row",
    )
    counts = pl.Series([len(row) for row in rows], dtype=pl.Int64)
    return _Settled(taken["item"].alias(column.name), taken["hash"], taken["problem"], counts)


def _candidates(value: str | pl.Series | None, folders: Sequence[Folder]) -> list[_Candidate]:
    """What a field holds, in its order, each with what forbids it."""
    fields = (
        [value]
        if isinstance(value, str)
        else []
        if value is None
        else value.drop_nulls().unique(maintain_order=True)
    )
    found: list[_Candidate] = []
    for field in fields:
        found += [(field, None)] if isinstance(field, bytes) else _find(field, folders) if field else []
    return found


def _find(field: str, folders: Sequence[Folder]) -> list[tuple[str, str | None]]:
    """As the first folder finds it, but for files that are in a later one alone."""
    found, *later = (folder.find(field) for folder in folders)
    for others in later:
        if not any(_is_file(*one) for one in found) and any(_is_file(*one) for one in others):
            return others
    return found


def _is_file(path: str, problem: str | None) -> bool:
    try:
        return problem is None and Path(path).is_file()
    except (OSError, ValueError):  # longer than a name may be; a null character
        return False


def _say_where(settled: _Settled, table: str, folders: Sequence[Path], inputs: Inputs) -> None:
    """Remark where files were looked for that are not there."""
    count = int((settled.problems == NOT_FOUND).sum())
    if not count:
        return
    word = "photo" if settled.items.name == "image" else modality_of(settled.items.name)
    places = " and ".join(_place(folder, inputs.base) for folder in folders)
    evidence = f"{count:,} of {settled.items.count():,} {word} files are not in {places}"
    cure = "put them there, or mend their names; of the products' photos data.images.folder names the folder"
    inputs.ledger.remark([Said("WARN", evidence, cure)], f"{table}: {word} files", f"data.{table}")


def _place(folder: Path, base: Path) -> str:
    """A folder as seen from the config's own."""
    inner = folder.relative_to(base).as_posix() if folder.is_relative_to(base) else str(folder)
    return "the config's folder" if inner == "." else repr(inner)


def _first_readable(
    rows: Sequence[list[_Candidate]], look: Callable[[pl.Series], pl.DataFrame], kind: type[pl.DataType]
) -> list[tuple[bytes | str | None, str | None, str | None]]:
    """Item, hash and problem of each row's first candidate without a problem, else of its first."""
    taken: list[tuple[bytes | str | None, str | None, str | None]] = [
        (row[0][0], None, row[0][1]) if row else (None, None, None) for row in rows
    ]
    waiting, place = [row for row, found in enumerate(rows) if found], 0
    while waiting:
        asked = [row for row in waiting if rows[row][place][1] is None]
        items = [rows[row][place][0] for row in asked]
        for row, item, (hashed, problem) in zip(
            asked, items, look(pl.Series(items, dtype=kind)).rows(), strict=True
        ):
            if problem is None or place == 0:
                taken[row] = (item, hashed, problem)
        place += 1
        waiting = [row for row in waiting if taken[row][2] is not None and place < len(rows[row])]
    return taken


def _noted(frame: pl.DataFrame, settled: _Settled, table: str, key: str, inputs: Inputs) -> pl.DataFrame:
    """The frame with the files taken and their hashes; counted: several in a field, and those set to null."""
    column = settled.items.name
    word = "photo" if column == "image" else modality_of(column)
    what = f"{table} {'photos' if column == 'image' else word}"
    inputs.fingerprint_files(what, settled.items, settled.hashes)
    several = settled.counts > 1
    if several.any():
        left_out = int((settled.counts.filter(several) - 1).sum())
        step = f"several {word}s in one field: the first that can be read taken, {left_out:,} left out"
        inputs.ledger.note(table, step, frame, _named(frame, settled, key).filter(several), "changed")
    bad = _named(frame, settled, key).with_columns(reason=settled.problems).drop_nulls("reason")
    for (reason,), rows in bad.group_by("reason", maintain_order=True):
        inputs.ledger.note(table, f"{word} set to null: {reason}", frame, rows, "changed")
    inputs.ledger.keep_rejected(what, bad)
    unread = settled.problems.is_not_null()
    return frame.with_columns(
        settled.items.set(unread, None), settled.hashes.set(unread, None).alias(hash_column(column))
    )


def _named(frame: pl.DataFrame, settled: _Settled, key: str) -> pl.DataFrame:
    """Keys, and the last parts of paths, which tell where to look; a broken photo's bytes would only fill the disk."""
    keys = frame.select(key)
    if settled.items.dtype == pl.Binary:
        return keys
    return keys.with_columns(file=settled.items.str.extract(r"([^/\\]+)$"))


def _refuse_wrong_column(settled: _Settled, table: str) -> None:
    missing = (settled.problems == NOT_FOUND).fill_null(value=False)
    if table == "products" and missing.any() and missing.sum() == settled.items.count():
        raise InputError(
            where=f"data.products.media.{modality_of(settled.items.name)}",
            expected="files that are there",
            got=f"none of {settled.items.count()} (such as {settled.items.drop_nulls()[0]})",
            cure="name the column of bytes, or of file names relative to the table's folder",
        )


def no_photo(config: ImagesConfig, inputs: Inputs) -> InputError:
    """For photos of which none can be read: a wrong folder or column rather than broken files."""
    bad = inputs.ledger.rejected["products photos"].drop("product_id")
    reason = bad["reason"].mode().sort()[0]
    cure = f"check data.images.{'folder' if config.folder else 'path'} and .column"
    return InputError(
        where=inputs.base / (config.folder or config.path or ""),
        expected="photos that can be read",
        got=f"none in {bad.height} ({': '.join(bad.row(0))})",
        cure="set data.files_outside to true if these files are to be read" if reason == OUTSIDE else cure,
    )


def _as_named(column: pl.Series) -> pl.Series:
    """Bytes, and lists of them or of names, as they are; anything else as text."""
    kinds = (pl.Binary, pl.List(pl.Binary), pl.List(pl.String))
    if column.dtype in kinds:
        return column
    names = values.joined_text([column])
    return names.set(values.missing(names) | names.str.contains(_NO_FILE).fill_null(value=False), None)


def _by_pattern(source: Source, pattern: str) -> pl.Series:
    """`{id}.jpg`: names made of the product's id, or of other columns."""
    columns = {
        name: source.needed_ids("product_id")
        if name in {"id", "product_id"}
        else values.text(source.require(name, "data.images.column"))
        for name in _PLACE.findall(pattern)
    }
    frame = pl.DataFrame([column.alias(name) for name, column in columns.items()])
    places = _PLACE.findall(pattern)
    return frame.select(pl.format(_PLACE.sub("{}", pattern), *places)).to_series()


def _suggest_pattern(source: Source, column: str, folder: Path) -> None:
    """Raise InputError with the pattern that fits, where photos are named by the products' ids."""
    ids = source.needed_ids("product_id").drop_nulls().head(_TRIED)
    for suffix in _SUFFIXES:
        there = [
            name
            for name in ids
            if not Folder(folder).find(name + suffix)[0][1] and (folder / (name + suffix)).is_file()
        ]
        if there:
            raise InputError(
                where=source.path,
                expected=f"a column {column!r}",
                got=f"none, but files such as {there[0]}{suffix} in {folder}",
                cure=f"set data.images.column to '{{id}}{suffix}'",
            )
