"""A user's table → canonical columns: each found by its name, converted, its unreadable values counted."""

from __future__ import annotations

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from pydantic import BaseModel

from features.disk import sha256
from features.errors import InputError
from features.media.files import content_hashes
from features.media.photos import PhotoChecks
from features.sources.config import Names, TableConfig
from features.sources.formats.readers import read_rows
from features.sources.ledger import Ledger, shorten
from features.sources.parsing import values
from features.sources.parsing.categories import category_paths
from features.sources.parsing.histories import read_histories, read_lists
from features.sources.parsing.ids import joint_ids, read_ids
from features.sources.parsing.numerals import Mark, Reading
from features.sources.parsing.prices import one_currency
from features.sources.remarks import Said

Convert = Callable[[pl.Series], "pl.Series | Reading"]

_SHOWN = 20  # columns named in an error
_LEAST_OF_A_CENT = 1e-6


@dataclass(frozen=True)
class Source:
    """One file's rows, what its columns are called, and the ledger that counts what could not be read.

    `ids`, `text`, `category`, `one` and `values` take a canonical name and give that column, or None where
    the file has nothing for it. All raise InputError for a column that the config names and the file lacks.
    """

    table: str
    path: Path
    frame: pl.DataFrame
    mapping: Mapping[str, Names]
    ledger: Ledger
    decimal: Mark | None = None

    def ids(self, name: str) -> pl.Series | None:
        """Ids as text; several columns are one id together."""
        found = self.named(name)
        return self._ids(found, name) if found else None

    def needed_ids(self, name: str) -> pl.Series:
        """Like `ids`, but InputError where there is none."""
        return self._ids(self.named(name) or [name], name)

    def histories(self, name: str) -> pl.Series | None:
        """Lists of ids, or text "a|b|c", as lists of ids as text."""
        return self._lists(name, read_histories)

    def lists(self, name: str) -> pl.Series | None:
        """Like `histories`; a missing id keeps its place."""
        return self._lists(name, read_lists)

    def _lists(self, name: str, read_column: Callable[[pl.Series, str], Reading]) -> pl.Series | None:
        found = self._one(name)
        if found is None:
            return None
        read = read_column(self.require(found, self._setting(name)), f"{self.path}, column {found!r}")
        self.remark(read.said, found)
        return read.values.alias(name)

    def _ids(self, columns: list[str], name: str) -> pl.Series:
        parts = []
        for column in columns:
            where = f"{self.path}, column {column!r}"
            read = read_ids(self._no_objects(column, self._setting(name)), where)
            self.remark(read.said, column)
            parts.append(read.values)
        return (parts[0] if len(parts) == 1 else joint_ids(parts, str(self.path))).alias(name)

    def text(self, name: str) -> pl.Series | None:
        """Text; several columns are joined."""
        found = self.named(name)
        if not found:
            return None
        return values.joined_text([self._no_objects(column, self._setting(name)) for column in found]).alias(
            name
        )

    def category(self, name: str, separator: str) -> pl.Series | None:
        """A path "A > B > C"; several columns are its levels."""
        found = self.named(name)
        if not found:
            return None
        read = category_paths([self.frame[column] for column in found], separator)
        self.remark(read.said, ", ".join(found))
        return read.values.alias(name)

    def values(
        self, name: str, convert: Convert, expected: str, mend: str = "mend this one"
    ) -> pl.Series | None:
        """A column through `convert`; see `readable`."""
        found = self._one(name)
        if found is None:
            return None
        return self.readable(found, convert, expected, self._setting(name), mend).alias(name)

    def price(self, name: str, rules: PriceRules) -> pl.Series | None:
        """Prices in one currency, the lower bound of ranges; those of other currencies are null and counted."""
        found = self._one(name)
        if found is None:
            return None
        raw = self._no_objects(found, self._setting(name))
        read = values.prices(raw, decimal=self.decimal, cents=rules.cents)
        self.remark(read.said, found)
        self.remark(_parts_of_a_cent(raw, read.values) if rules.cents else (), found)
        price = self.readable(found, lambda _: read.values, "price", self._setting(name))
        rows = self.frame.select(found)
        self.ledger.note(
            self.table, f"{name}: lower bound of a range taken", rows, rows.filter(read.ranges), "changed"
        )
        return self._in_one_currency(price, read.currency, found, rules.currency).alias(name)

    def _in_one_currency(
        self, price: pl.Series, written: pl.Series, column: str, wanted: str | None
    ) -> pl.Series:
        own = self._one("currency") if "currency" in self.mapping else None
        if own is not None:
            beside = values.currencies(self.frame[own])
            written = pl.select(pl.coalesce(written, beside)).to_series()
        kept = one_currency(written.set(price.is_null(), None), wanted)
        self.remark(kept.said, column)
        rows = self.frame.select(column)
        step = f"{column}: in another currency than {kept.currency}, set to null"
        if kept.others.any():
            self.ledger.note(self.table, step, rows, rows.filter(kept.others), "changed")
        return price.set(kept.others, None)

    def number(self, name: str) -> pl.Series | None:
        return self.values(name, self.as_numbers(), "number")

    def as_numbers(self) -> Convert:
        return lambda raw: values.numbers(raw, decimal=self.decimal)

    def remark(self, said: Iterable[Said], column: str) -> None:
        self.ledger.remark(said, f"{self.table}: {column}", f"data.{self.table}")

    def readable(
        self, column: str, convert: Convert, expected: str, setting: str, mend: str = "mend this one"
    ) -> pl.Series:
        """The source's column through `convert`; values it cannot read are null and counted.

        expected: what each value is to be ("price"); mend: the cure beside choosing another column.

        Raises InputError if it cannot read half of those present, words for none aside: then it is the wrong column.
        """
        raw = self._no_objects(column, setting).alias(column)
        read = convert(raw)
        value, said = (read.values, read.said) if isinstance(read, Reading) else (read, ())
        self.remark(said, column)
        present = ~values.missing(raw)
        rows = pl.DataFrame(raw).with_row_index("row", offset=1)
        bad = rows.filter(present & value.is_null())
        wrong = bad.filter(~values.says_none(bad[column])) if value.count() else bad
        if wrong.height * 2 > present.sum():
            doubts = [one.evidence for one in said if one.level == "WARN"]
            raise InputError(
                where=f"{self.path}, column {column!r}",
                expected=f"a {expected}",
                got=f"{shorten(wrong[column][0])} in row {wrong['row'][0]} ({bad.height} of "
                f"{present.sum()} values are no {expected}){'; '.join(['', *doubts])}",
                cure=f"set {setting} to another column, or {mend}",
            )
        if bad.height:
            self.ledger.note(self.table, f"{column}: no {expected}, set to null", rows, bad, "changed")
        return value

    def _no_objects(self, column: str, setting: str) -> pl.Series:
        """The source's column; InputError for one of objects, naming the columns that their fields are."""
        found = self.require(column, setting)
        if isinstance(found.dtype, pl.Struct):
            fields = [name for name in self.frame.columns if name.startswith(f"{found.name}.")]
            raise InputError(
                where=f"{self.path}, column {found.name!r}",
                expected="a value in each row",
                got=f"objects of {', '.join(fields[:_SHOWN])}" if fields else "objects",
                cure=f"set {setting} to one of these"
                if fields
                else f"set {setting} to another column, or to []",
            )
        return found

    def require(self, column: str, setting: str) -> pl.Series:
        """The source's column, or InputError naming the file, the column, those it has, the nearest."""
        found = self._alike(column)
        if found is not None:
            return self.frame[found]
        near = difflib.get_close_matches(column, self.frame.columns, n=1)
        nearest = f" (the nearest name is {near[0]!r})" if near else ""
        more = len(self.frame.columns) - _SHOWN
        raise InputError(
            where=self.path,
            expected=f"a column {column!r}",
            got=f"the columns {', '.join(self.frame.columns[:_SHOWN])}{f' and {more} more' * (more > 0)}",
            cure=f"set {setting} to the right column{nearest}",
        )

    def one(self, name: str) -> pl.Series | None:
        """The column as it is."""
        found = self._one(name)
        return None if found is None else self.frame[found]

    def named(self, name: str) -> list[str]:
        """The columns that the config names for it, else the one of its own name; none where there is none."""
        chosen = self.mapping[name]
        if chosen is None:
            return self.like(name)
        columns = [chosen] if isinstance(chosen, str) else list(chosen)
        for column in columns:
            self.require(column, self._setting(name))
        return [self._alike(column) or column for column in columns]

    def like(self, name: str) -> list[str]:
        """The column that is called so, whatever the config says."""
        found = self._alike(name)
        return [] if found is None else [found]

    def _alike(self, name: str) -> str | None:
        """The column of that name, else the only one of the same letters and digits, whatever capitals and unit."""
        if name in self.frame.columns:
            return name
        alike = [column for column in self.frame.columns if _folded(column) == _folded(name)]
        if not alike:
            return None
        said = Said("PASS", f"read column {alike[0]!r} as {name!r}")
        if len(alike) > 1:
            shown = " and ".join(map(repr, alike[:2]))
            cure = f"name one in {self._setting(name)}"
            said = Said("WARN", f"{shown} may both be {name!r}: neither is read", cure)
        if said.of(f"{self.table}: columns", "") not in self.ledger.remarks:
            self.ledger.remark([said], f"{self.table}: columns", "")
        return alike[0] if len(alike) == 1 else None

    def _one(self, name: str) -> str | None:
        found = self.named(name)
        if len(found) > 1:
            raise InputError(
                where=self._setting(name),
                expected="one column",
                got=", ".join(map(repr, found)),
                cure="name one; only texts, ids, grades and the category can be made from several",
            )
        return found[0] if found else None

    def _setting(self, name: str) -> str:
        return f"data.{self.table}.columns.{name}"


def _folded(name: str) -> str:
    """ "Product-ID", "productId" and "*product.id:" alike; "price (EUR)" as "price"."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\W_]+", "", re.sub(r"(?<=\w)\s*[(\[][^()\[\]]*[)\]]\s*$", "", plain)) or name


def _parts_of_a_cent(raw: pl.Series, price: pl.Series) -> list[Said]:
    """Prices said to be in cents that cannot be: "49.99", "€9.99"."""
    cents = price * 100
    parted = ((cents - cents.round()).abs() > _LEAST_OF_A_CENT).fill_null(value=False)
    if not parted.any():
        return []
    evidence = f"{int(parted.sum()):,} prices have parts of a cent, such as {shorten(raw.filter(parted)[0])}"
    return [Said("WARN", evidence, "set {section}.price_unit to units, if they are in whole units")]


@dataclass(frozen=True)
class PriceRules:
    """cents: bare numbers are hundredths. currency: the one to keep; None: the most frequent."""

    cents: bool = False
    currency: str | None = None


@dataclass(frozen=True)
class Inputs:
    """The files that a config names: read from under its folder, each fingerprinted."""

    base: Path
    ledger: Ledger = field(default_factory=Ledger)
    fingerprints: dict[str, str] = field(default_factory=dict)
    checks: PhotoChecks = field(default_factory=PhotoChecks)
    outside: bool = False
    """Whether photos and other files may lie outside their folder."""

    def source(self, table: str, file: TableConfig, columns: BaseModel | None = None) -> Source:
        """Read a table whose columns are called so."""
        path = self.base / file.path
        rows = read_rows(path, file.separator, file.encoding)
        self.fingerprint(file.path)
        self.ledger.remark(rows.said, f"{table}: file", f"data.{table}")
        for (reason,), others in rows.others.group_by("reason") if rows.others.height else ():
            whole = pl.concat([rows.frame, others.drop("reason")])
            self.ledger.note(table, str(reason), whole, others, "rejected")
            self.ledger.keep_rejected(table, others)
        return Source(table, path, rows.frame, dict(columns or ()), self.ledger, file.decimal)

    def fingerprint(self, path: Path) -> None:
        self.fingerprints[path.as_posix()] = sha256(self.base / path)

    def fingerprint_files(self, what: str, files: pl.Series, hashes: pl.Series | None = None) -> None:
        """One fingerprint for all photos (or other media) that lie in files of their own.

        hashes: of their contents, where they are at hand.
        """
        if files.dtype == pl.String and files.count():
            contents = content_hashes(files) if hashes is None else hashes
            together = "\n".join(contents.fill_null(""))
            self.fingerprints[what] = hashlib.sha256(together.encode()).hexdigest()
