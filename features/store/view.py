"""A feature view: the name, keys and clock of one table of features, and the rows it accepts."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from features.errors import InputError

WRITTEN_BY = "_version"
"""The column the store adds: the version that wrote the row, so that the later-written of two is known."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_NOT_STORED = (pl.Null, pl.Duration, pl.Time, pl.UInt64, pl.Int128, pl.UInt128, pl.Object, pl.Struct)
_STORED_AS: dict[type[pl.DataType], pl.DataType] = {
    # Delta has signed integers only: deltalake would store a UInt8 as an Int8.
    pl.UInt8: pl.Int16(),
    pl.UInt16: pl.Int32(),
    pl.UInt32: pl.Int64(),
    pl.Float16: pl.Float32(),
    pl.Enum: pl.String(),
    pl.Categorical: pl.String(),
}


@dataclass(frozen=True)
class FeatureView:
    """One table of features.

    name: the table's folder under the store's root.
    keys: the columns that name what a row is about.
    available_at: the Datetime column saying from when on a row could be known; None: the rows hold at
    any time, such as an article's colour.
    fingerprint: what made the values (encoder, config). It is stored with every version; where it is
    given, rows of another fingerprint are neither added to nor read.
    """

    name: str
    keys: tuple[str, ...]
    available_at: str | None = "available_at"
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        if not _SAFE_NAME.fullmatch(self.name):
            raise InputError(
                where="feature view's name",
                expected="letters, digits, _, - and .",
                got=repr(self.name),
                cure="rename the view: its name becomes a folder",
            )
        if not self.keys or len(set(self.index)) < len(self.index) or WRITTEN_BY in self.index:
            raise InputError(
                where=f"feature view {self.name!r}",
                expected=f"one key or more, all distinct, other than {WRITTEN_BY!r}",
                got=f"keys {self.keys}, available_at {self.available_at!r}",
                cure="name each column once",
            )

    @property
    def index(self) -> tuple[str, ...]:
        """The columns that are distinct together in one write: the keys, and the clock if there is one."""
        return self.keys if self.available_at is None else (*self.keys, self.available_at)

    def storable(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame in types that Delta has, once its keys and times are found whole.

        Enum and Categorical become String, unsigned integers signed, Float16 Float32, Array a List, times
        microseconds (in UTC if they have a zone). A finer `available_at` is rounded up, lest the value be seen early.
        """
        self._check_columns(frame)
        self._check_index(frame)
        return frame.with_columns(self._stored(name, dtype) for name, dtype in frame.schema.items())

    def _stored(self, name: str, dtype: pl.DataType) -> pl.Expr:
        column = pl.col(name)
        if isinstance(dtype, pl.Datetime):
            if dtype.time_unit == "ns" and name == self.available_at:
                column = column.dt.offset_by("999ns")
            return column.cast(pl.Datetime("us", dtype.time_zone and "UTC"))
        if isinstance(dtype, pl.Array):
            return column.arr.to_list()
        return column.cast(_STORED_AS.get(type(dtype), dtype))

    def _check_columns(self, frame: pl.DataFrame) -> None:
        missing = [name for name in self.index if name not in frame.columns]
        if missing or WRITTEN_BY in frame.columns:
            raise self._refused(
                f"columns {', '.join(map(repr, self.index))} and none named {WRITTEN_BY!r}",
                f"columns {', '.join(map(repr, frame.columns))}",
                "add or rename the column",
            )
        if self.available_at is not None and not isinstance(frame.schema[self.available_at], pl.Datetime):
            raise self._refused(
                f"a Datetime in {self.available_at!r}",
                str(frame.schema[self.available_at]),
                "cast it; what is known of a whole day is available when that day has ended",
            )
        foreign = [f"{n!r} ({t})" for n, t in frame.schema.items() if isinstance(t, _NOT_STORED)]
        if foreign:
            raise self._refused("types that a view can store", ", ".join(foreign), "cast these columns")

    def _check_index(self, frame: pl.DataFrame) -> None:
        nulls = {name: count for name in self.index if (count := frame[name].null_count())}
        if nulls:
            got = ", ".join(f"{count} in {name!r}" for name, count in nulls.items())
            raise self._refused("no null key or time", got, "drop these rows or fill the values in")
        repeated = frame.height - frame.select(self.index).n_unique() if frame.height else 0
        if repeated:
            raise self._refused(
                f"one row for each {' + '.join(self.index)}",
                f"{repeated} repeated",
                "keep one row of each by a rule of your own",
            )

    def check_schema(self, frame: pl.DataFrame, stored: pl.Schema) -> None:
        """Raise InputError naming the columns in which a storable frame differs from the table."""
        names = dict.fromkeys((*stored, *frame.schema))
        differing = [
            f"{name!r} {frame.schema.get(name, 'absent')} where the table has {stored.get(name, 'none')}"
            for name in names
            if frame.schema.get(name) != stored.get(name)
        ]
        if differing:
            raise self._refused(
                "the columns and types of the table",
                "; ".join(differing[:5]) + ("; …" if len(differing) > 5 else ""),
                "cast or rename them, or write with mode='overwrite'",
            )

    def _refused(self, expected: str, got: str, cure: str) -> InputError:
        return InputError(where=f"rows for feature view {self.name!r}", expected=expected, got=got, cure=cure)
