"""A user's table, column by column: numbers, 0/1, names; what is missing stays null and is counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from features.errors import InputError
from features.sources.formats.readers import read_table

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST = 1e100  # its square is still a number


class Columns:
    """The columns of a file or frame by name; raises InputError, naming the option, for one that is not there."""

    def __init__(self, frame: pl.DataFrame, where: object = "table") -> None:
        self.frame, self.where = frame, str(where)
        if not frame.height:
            raise InputError(where=where, expected="rows", got="none", cure="name a table with rows")

    @classmethod
    def read(cls, path: Path) -> Columns:
        """InputError for what is no table: a server's log is read by each kind of experiment itself."""
        if path.is_dir():
            raise InputError(where=path, expected="a table", got="a folder", cure="name a file")
        return cls(read_table(path), path)

    def __len__(self) -> int:
        return self.frame.height

    def series(self, name: str) -> pl.Series:
        if name not in self.frame.columns:
            raise InputError(
                where=self.where,
                expected=f"a column {name!r}",
                got=f"the columns {', '.join(self.frame.columns[:12])}",
                cure="name another column",
            )
        return self.frame[name]

    def numbers(self, name: str) -> FloatArray:
        """Finite numbers as float64 (rows,), NaN where missing; booleans and true/false are 1 and 0."""
        given = self.series(name)
        if given.dtype == pl.Boolean:
            given = given.cast(pl.Float64)
        if given.dtype == pl.String:
            texts = given.str.strip_chars()
            texts = texts.set(texts == "", None)
            lower = texts.str.to_lowercase()
            words = lower.replace({"true": "1", "false": "0"})
            numbers = words.cast(pl.Float64, strict=False)
            self._refuse_first(name, "a number", texts, texts.is_not_null() & numbers.is_null())
        elif given.dtype.is_numeric() or given.dtype == pl.Null:
            numbers = given.cast(pl.Float64)
        else:
            raise self._wrong(name, "numbers", str(given.dtype))
        numbers = numbers.fill_nan(None)
        self._refuse_first(name, "a number up to 1e100", given, (numbers.abs() > MOST).fill_null(value=False))
        return numbers.fill_null(float("nan")).to_numpy().astype(np.float64)

    def complete(self, name: str) -> FloatArray:
        """Numbers of which none is missing."""
        values = self.numbers(name)
        if np.isnan(values).any():
            rows = np.flatnonzero(np.isnan(values))
            raise self._wrong(
                name, "a number in every row", f"{len(rows):,} empty, first in row {rows[0] + 1}"
            )
        return values

    def probabilities(self, name: str, *, above_zero: bool = False) -> FloatArray:
        values = self.complete(name)
        bad = (values < 0) | (values > 1) | (above_zero & (values == 0))
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            span = "above 0 and up to 1" if above_zero else "from 0 to 1"
            raise self._wrong(name, f"probabilities {span}", f"{values[row]:g} in row {row + 1}")
        return values

    def names(self, name: str) -> pl.Series:
        """Values as text, exactly as written, none missing."""
        given = self.series(name).cast(pl.String)
        self._refuse_first(name, "a value in every row", given, given.is_null() | (given == ""))
        return given

    def codes(self, name: str) -> tuple[IntArray, list[str]]:
        """Each row's value as a number from 0 in sorted order, and the values."""
        given = self.names(name)
        values = given.unique().sort()
        rows = given.cast(pl.Enum(values)).to_physical().to_numpy().astype(np.int64)
        return rows, values.to_list()

    def _refuse_first(self, name: str, expected: str, given: pl.Series, bad: pl.Series) -> None:
        if bad.any():
            row = int(bad.arg_true()[0])
            raise self._wrong(name, expected, f"{given[row]!r} in row {row + 1} ({bad.sum():,} such rows)")

    def _wrong(self, name: str, expected: str, got: str) -> InputError:
        return InputError(
            where=f"{self.where}, column {name!r}",
            expected=expected,
            got=got,
            cure="mend the column or name another",
        )


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """`name=value` texts as a dict."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(
                where=f"--{option}", expected="NAME=VALUE", got=repr(text), cure="write it as NAME=VALUE"
            )
        found[name] = value
    return found
