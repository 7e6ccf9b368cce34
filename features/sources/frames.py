"""A shop's tables at hand as frames of polars, pandas or Arrow: read by the same rules as files."""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import polars as pl
from pydantic import BaseModel, ValidationError

from features.errors import InputError
from features.sources.columns import Inputs, Source
from features.sources.config import CatalogueConfig, TableConfig
from features.sources.formats.readers import one_kind, with_fields
from features.sources.load import Collection, load_catalogue

Settings = Mapping[str, Any]
_WHERE = "Shop.from_frames"


class Shop(Collection):
    """A shop's clean tables, from frames at hand; `rejected` has the rows set apart, each with its reason.

    A Collection as `load` gives it, with what only a notebook wants: a way in from frames, and a view. A class of
    its own, since Collection stands below the readers that `from_frames` needs.
    """

    @classmethod
    def from_frames(
        cls,
        products: object = None,
        queries: object = None,
        judgements: object = None,
        events: object = None,
        settings: Settings | None = None,
    ) -> Self:
        """Read and clean tables of polars (lazy too), pandas or Arrow by the same rules as files.

        A column is found by its canonical name (product_id, title, price, …; query_id, text; grade; …). settings:
        what a config's `data` section says of a table, where they are called otherwise or there are more:
        {"products": {"columns": {"title": "name"}, "numeric": ["weight"]}}. Queries or products that are not given
        are taken from the judgements. Photos are bytes, or paths from the working folder.

        Raises InputError as `load` does: for a table that has no rows, or a column that is not there or is wrong
        as a whole. Single bad rows are counted, not raised.
        """
        given = {"products": products, "queries": queries, "judgements": judgements, "events": events}
        frames = {name: to_polars(frame, name) for name, frame in given.items() if frame is not None}
        config = _config(frames, settings or {})
        try:
            found = load_catalogue(
                config, FrameInputs(Path(), outside=config.files_outside, frames=frames), None
            )
        except InputError as error:
            raise InputError(
                where=_reworded(error.where),
                expected=error.expected,
                got=error.got,
                cure=_reworded(error.cure),
            ) from error
        return cls(**vars(found))

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


@dataclass(frozen=True)
class FrameInputs(Inputs):
    """Tables at hand by name, in the place of files."""

    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    def source(self, table: str, file: TableConfig, columns: BaseModel | None = None) -> Source:
        """The table's frame; a table that is not at hand (of photos) is read from its file."""
        if table not in self.frames:
            return super().source(table, file, columns)
        self.fingerprints[table] = fingerprint(self.frames[table])
        frame = with_fields(self.frames[table])
        return Source(table, Path(table), frame, dict(columns or ()), self.ledger, file.decimal)


def fingerprint(table: pl.DataFrame) -> str:
    """SHA-256 of a table's columns, types and values."""
    buffer = io.BytesIO()
    table.write_ipc(buffer)
    return hashlib.sha256(buffer.getbuffer()).hexdigest()


def to_polars(frame: object, table: str) -> pl.DataFrame:
    """A frame of polars, pandas or Arrow (anything with an Arrow stream) with rows; InputError for anything else.

    Of pandas a named index becomes columns, and a column of several kinds of values text.
    """
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, pl.DataFrame):
        found = frame
    elif type(frame).__module__.partition(".")[0] == "pandas" and hasattr(frame, "columns"):
        found = _from_pandas(frame, table)
    elif hasattr(frame, "__arrow_c_stream__"):
        found = pl.DataFrame(frame)
    else:
        raise InputError(
            where=f"{_WHERE}, {table}",
            expected="a frame of polars, pandas or Arrow",
            got=f"a {type(frame).__name__}",
            cure="make a frame of it: polars.DataFrame(…)",
        )
    if not found.height:
        raise InputError(where=f"{_WHERE}, {table}", expected="rows", got="none", cure="check the frame")
    return found


def _from_pandas(frame: Any, table: str) -> pl.DataFrame:
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    names = [str(name) for name in frame.columns]
    if again := [name for name in names if names.count(name) > 1]:
        got, cure = f"{again[0]!r} more than once", "rename or remove one"
        raise InputError(where=f"{_WHERE}, {table}", expected="each column once", got=got, cure=cure)
    return pl.DataFrame([_pandas_column(frame.iloc[:, at], name) for at, name in enumerate(names)])


def _pandas_column(column: Any, name: str) -> pl.Series:
    try:
        return pl.Series(name, pl.from_pandas(column))
    except (TypeError, ValueError, pl.exceptions.PolarsError):  # of Arrow, for a column of several kinds
        items = column.tolist()
        return one_kind(
            name, [None if isinstance(item, float) and math.isnan(item) else item for item in items]
        )


def _config(frames: Mapping[str, pl.DataFrame], settings: Settings) -> CatalogueConfig:
    known = [*frames, "images", "files_outside"]
    for name in settings:
        if name not in known:
            got = (
                f"{name!r}, of which there is no frame"
                if name in CatalogueConfig.model_fields
                else repr(name)
            )
            cure = f"choose among {', '.join(known)}"
            raise InputError(where=f"{_WHERE}, settings", expected="the tables given", got=got, cure=cure)
    tree = {**settings, **{name: {"path": name, **settings.get(name, {})} for name in frames}}
    try:
        return CatalogueConfig.model_validate(tree)
    except ValidationError as error:
        problem = error.errors()[0]
        place = "".join(f".{part}" for part in problem["loc"])
        raise InputError(
            where=f"{_WHERE}, settings{place}",
            expected=problem["msg"].removeprefix("Value error, ").removeprefix("Input should be "),
            got=repr(problem["input"])[:80],
            cure="see the settings of a config's data section",
        ) from error


def _reworded(text: str) -> str:
    """Where a config's `data` section would say it, the settings do."""
    return re.sub(r"\bdata\.(?=products|queries|judgements|events|images|files_outside)", "settings.", text)
