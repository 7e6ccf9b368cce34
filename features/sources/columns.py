"""A user's table → canonical columns: each found by its name, converted, its unreadable values counted."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from pydantic import BaseModel

from features.disk import sha256
from features.errors import InputError
from features.media import photos
from features.sources import values
from features.sources.config import Names
from features.sources.ledger import Ledger, shorten
from features.sources.readers import read_table

Convert = Callable[[pl.Series], pl.Series]

_SHOWN = 20  # columns named in an error


@dataclass(frozen=True)
class Source:
    """One file's rows, what its columns are called, and the ledger that counts what could not be read.

    `ids`, `text`, `category`, `image` and `values` take a canonical name and give that column, or None where
    the file has nothing for it. All raise InputError for a column that the config names and the file lacks.
    """

    table: str
    path: Path
    frame: pl.DataFrame
    mapping: Mapping[str, Names]
    ledger: Ledger

    def ids(self, name: str) -> pl.Series | None:
        found = self._one(name)
        return None if found is None else values.identifiers(self.frame[found]).alias(name)

    def needed_ids(self, name: str) -> pl.Series:
        """Like `ids`, but InputError where there is none."""
        found = self._one(name) or name
        return values.identifiers(self.require(found, self._setting(name))).alias(name)

    def text(self, name: str) -> pl.Series | None:
        """Text; several columns are joined."""
        found = self._several(name)
        return values.joined_text([self.frame[column] for column in found]).alias(name) if found else None

    def category(self, name: str, separator: str) -> pl.Series | None:
        """A path "A > B > C"; several columns are its levels."""
        found = self._several(name)
        return values.category_paths([self.frame[c] for c in found], separator).alias(name) if found else None

    def image(self, name: str) -> pl.Series | None:
        """Photos as bytes, or as paths of files relative to the table's folder."""
        found = self._one(name)
        return None if found is None else photo_column(self.frame[found], self.path.parent).alias(name)

    def values(
        self, name: str, convert: Convert, expected: str, mend: str = "mend this one"
    ) -> pl.Series | None:
        """A column through `convert`; see `readable`."""
        found = self._one(name)
        if found is None:
            return None
        return self.readable(found, convert, expected, self._setting(name), mend).alias(name)

    def note_ranges(self, name: str) -> None:
        """Count the prices that are ranges, of which the lower bound is taken."""
        rows = self.frame.select(self._several(name))
        ranges = rows.filter(values.is_range(rows.to_series()))
        self.ledger.note(self.table, f"{name}: lower bound of a range taken", rows, ranges, "changed")

    def readable(
        self, column: str, convert: Convert, expected: str, setting: str, mend: str = "mend this one"
    ) -> pl.Series:
        """The source's column through `convert`; values it cannot read are null and counted.

        expected: what each value is to be ("price"); mend: the cure beside choosing another column.

        Raises InputError if it can read fewer than half of those present: then it is the wrong column.
        """
        raw = self.require(column, setting)
        value = convert(raw)
        present = ~values.missing(raw)
        rows = self.frame.select(column).with_row_index("row", offset=1)
        bad = rows.filter(present & value.is_null())
        if bad.height * 2 > present.sum():
            raise InputError(
                where=f"{self.path}, column {column!r}",
                expected=f"a {expected}",
                got=f"{shorten(bad[column][0])} in row {bad['row'][0]} ({bad.height} of "
                f"{present.sum()} values are no {expected})",
                cure=f"set {setting} to another column, or {mend}",
            )
        if bad.height:
            self.ledger.note(self.table, f"{column}: no {expected}, set to null", rows, bad, "changed")
        return value

    def require(self, column: str, setting: str) -> pl.Series:
        """The source's column, or InputError naming the file, the column, those it has, the nearest."""
        if column in self.frame.columns:
            return self.frame[column]
        near = difflib.get_close_matches(column, self.frame.columns, n=1)
        nearest = f" (the nearest name is {near[0]!r})" if near else ""
        more = len(self.frame.columns) - _SHOWN
        raise InputError(
            where=self.path,
            expected=f"a column {column!r}",
            got=f"the columns {', '.join(self.frame.columns[:_SHOWN])}{f' and {more} more' * (more > 0)}",
            cure=f"set {setting} to the right column{nearest}",
        )

    def _several(self, name: str) -> list[str]:
        chosen = self.mapping[name]
        if chosen is None:
            return [name] if name in self.frame.columns else []
        columns = [chosen] if isinstance(chosen, str) else list(chosen)
        for column in columns:
            self.require(column, self._setting(name))
        return columns

    def _one(self, name: str) -> str | None:
        found = self._several(name)
        if len(found) > 1:
            raise InputError(
                where=self._setting(name),
                expected="one column",
                got=", ".join(map(repr, found)),
                cure="name one; only texts and the category can be joined from several",
            )
        return found[0] if found else None

    def _setting(self, name: str) -> str:
        return f"data.{self.table}.columns.{name}"


def photo_column(column: pl.Series, folder: Path) -> pl.Series:
    """Bytes as they are; file names as paths under the folder."""
    if column.dtype == pl.Binary:
        return column
    names = values.joined_text([column])
    return pl.Series([str(folder / name) if name else None for name in names], dtype=pl.String)


@dataclass(frozen=True)
class Inputs:
    """The files that a config names: read from under its folder, each fingerprinted."""

    base: Path
    ledger: Ledger = field(default_factory=Ledger)
    fingerprints: dict[str, str] = field(default_factory=dict)
    photo_problems: Callable[[pl.Series], pl.Series] = photos.problems

    def source(self, table: str, path: Path, columns: BaseModel | None = None) -> Source:
        """Read a table whose columns are called so."""
        frame = read_table(self.base / path)
        self.fingerprint(path)
        return Source(table, self.base / path, frame, dict(columns or ()), self.ledger)

    def fingerprint(self, path: Path) -> None:
        self.fingerprints[path.as_posix()] = sha256(self.base / path)

    def fingerprint_files(self, what: str, files: pl.Series, hashes: pl.Series | None = None) -> None:
        """One fingerprint for all photos (or other media) that lie in files of their own.

        hashes: of their contents, where they are at hand.
        """
        if files.dtype == pl.String and files.count():
            contents = photos.content_hashes(files) if hashes is None else hashes
            together = "\n".join(contents.fill_null(""))
            self.fingerprints[what] = hashlib.sha256(together.encode()).hexdigest()
