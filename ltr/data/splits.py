"""Which queries train, stop the training early, and test: always whole queries, never rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime, field_validator

from features.errors import InputError
from features.media.columns import media_columns
from features.media.files import hashes_of
from ltr.data.kinds import query_kinds

Share = Annotated[
    float, Field(ge=0, lt=1, description="share of the training queries kept for early stopping")
]


_ALIASES = {"training": "train", "testing": "test"} | dict.fromkeys(
    ("valid", "val", "vali", "dev", "development", "validate"), "validation"
)


@dataclass(frozen=True)
class Fold:
    """The query ids of one split; InputError when two parts share a query, or training or test has none."""

    train: list[str]
    validation: list[str]
    test: list[str]

    def __post_init__(self) -> None:
        parts = {"training": set(self.train), "validation": set(self.validation), "test": set(self.test)}
        for one, other in (("training", "validation"), ("training", "test"), ("validation", "test")):
            if shared := parts[one] & parts[other]:
                got = f"{min(shared)!r} in {one} and {other} ({len(shared)} such queries)"
                raise _bad("each query in one part only", got, "give each query one row in the queries table")
        for part in ("training", "test"):
            if not parts[part]:
                raise _bad(f"queries in the {part} part", "none", "add queries, or split them another way")


class FoldsConfig(BaseModel):
    """Cross-validation: every query is tested once; equal texts share a fold, segments are spread evenly."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["folds"] = "folds"
    folds: int = Field(5, ge=2)
    validation_share: Share = 0.15
    seed: int = 0


class ColumnSplitConfig(BaseModel):
    """The data's own split: a column of the queries names each one's part; other names take no part.

    Capitals make no difference, and training, valid, vali, val, dev and testing are read as train, validation and test.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["column"] = "column"
    column: str = "split"
    train: tuple[str, ...] = ("train",)
    validation: tuple[str, ...] = Field(
        (), description="none: the part called so, or without one a seeded share of the training queries"
    )
    test: tuple[str, ...] = ("test",)
    validation_share: Share = 0.15
    seed: int = 0


class RotateConfig(BaseModel):
    """LETOR's rotation over n named parts: fold k tests on k+n-1, validates on k+n-2, trains on the rest.

    Source: Qin and Liu, Introducing LETOR 4.0 datasets, 2013, table 4.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["rotate"] = "rotate"
    column: str = "split"
    parts: tuple[str, ...] = Field(("S1", "S2", "S3", "S4", "S5"), min_length=3)


class TimeSplitConfig(BaseModel):
    """Train on the past: fold i trains before cutoff i and tests from it up to the next cutoff.

    Validation is the latest share of the training queries, so that nothing is chosen by its own future.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["time"] = "time"
    column: str = "at"
    cutoffs: tuple[NaiveDatetime, ...] = Field(min_length=1)
    validation_share: Share = 0.15

    @field_validator("cutoffs")
    @classmethod
    def _rising(cls, cutoffs: tuple[NaiveDatetime, ...]) -> tuple[NaiveDatetime, ...]:
        if list(cutoffs) != sorted(set(cutoffs)):
            raise ValueError("cutoffs that rise")
        return cutoffs


SplitConfig = Annotated[
    FoldsConfig | ColumnSplitConfig | RotateConfig | TimeSplitConfig, Field(discriminator="kind")
]


def make_folds(config: SplitConfig, queries: pl.DataFrame, among: pl.Series | None = None) -> list[Fold]:
    """Split the queries (query_id, and text, segment or the column named, where there) into folds.

    among: query ids, repeats allowed; others are left out (those without judged products, say).
    The result depends on the set of queries and the seed, not on the order of rows.
    """
    if among is not None:
        queries = queries.filter(pl.col("query_id").is_in(among.unique().implode()))
    queries = queries.sort("query_id")
    match config:
        case FoldsConfig():
            return _cross_validation(config, queries)
        case ColumnSplitConfig():
            return [_by_column(config, queries)]
        case RotateConfig():
            return _rotation(config, queries)
        case TimeSplitConfig():
            return _by_time(config, queries)


def _cross_validation(config: FoldsConfig, queries: pl.DataFrame) -> list[Fold]:
    units = _shuffled_units(queries, config.seed)
    if units.height < config.folds:
        raise _bad(f"at least {config.folds} different queries", f"{units.height}", "ask for fewer folds")
    dealt = np.arange(units.height) % config.folds
    return [
        Fold(
            *_train_and_validation(units.filter(dealt != fold), config.validation_share),
            _ids(units.filter(dealt == fold)),
        )
        for fold in range(config.folds)
    ]


def _by_column(config: ColumnSplitConfig, queries: pl.DataFrame) -> Fold:
    named = validation_names(config, queries)
    train, validation, test = (
        _named_parts(queries, config.column, names) for names in (config.train, named, config.test)
    )
    if named:
        return Fold(*(part["query_id"].to_list() for part in (train, validation, test)))
    units = _shuffled_units(train, config.seed)
    return Fold(*_train_and_validation(units, config.validation_share), test["query_id"].to_list())


def validation_names(config: ColumnSplitConfig, queries: pl.DataFrame) -> tuple[str, ...]:
    """The names of the validation part: those of the config, else "validation" where the column has such a part.

    A part of that name that the config trains or tests on (train: [val]) is not taken for validation too.
    """
    if config.validation or config.column not in queries.columns:
        return config.validation
    there = plain_part(queries[config.column].cast(pl.String))
    chosen = plain_part(pl.Series([*config.train, *config.test], dtype=pl.String))
    return ("validation",) if "validation" in there and "validation" not in chosen else ()


def plain_part(names: pl.Series) -> pl.Series:
    """Names of parts in one spelling: "Train", "training" → train; "valid", "val", "dev" → validation."""
    plain = names.str.strip_chars().str.to_lowercase()
    return plain.replace(_ALIASES)


def _rotation(config: RotateConfig, queries: pl.DataFrame) -> list[Fold]:
    parts = [_named_parts(queries, config.column, (name,))["query_id"].to_list() for name in config.parts]
    turned = (parts[first:] + parts[:first] for first in range(len(parts)))
    return [
        Fold([query for part in train for query in part], validation, test)
        for *train, validation, test in turned
    ]


def _by_time(config: TimeSplitConfig, queries: pl.DataFrame) -> list[Fold]:
    _check_times(queries, config.column)
    queries = queries.sort(config.column, "query_id")
    at = pl.col(config.column).cast(pl.Datetime("us"))
    folds = []
    for cutoff, end in zip(config.cutoffs, (*config.cutoffs[1:], None), strict=True):
        past = queries.filter(at < cutoff)["query_id"].to_list()
        test = queries.filter(at >= cutoff, at < end if end else pl.lit(value=True))["query_id"].to_list()
        kept = len(past) - int(config.validation_share * len(past))
        folds.append(Fold(past[:kept], past[kept:], test))
    return folds


def _shuffled_units(queries: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Queries that must stay together (they look alike) as one row `query_id: list`, shuffled within kinds.

    Kinds come in turn, those that have most first: any order spreads them evenly, and this one keeps the folds
    of a given seed as they were when a shop's own segments named the kinds.
    """
    kinds = query_kinds(queries).select("kind", "segment", parts=pl.col("has").list.len())
    # Alike by their words, else by their photo's content; a query with neither is alone.
    words, photo = pl.format("text {}", "words"), pl.format("photo {}", "photo")
    alone = pl.format("query {}", "query_id")
    unit = looks(queries).select(unit=pl.coalesce(words, photo, alone)).to_series()
    units = (
        queries.drop("segment", "kind", "parts", strict=False)
        .hstack(kinds)
        .group_by(unit, maintain_order=True)
        .agg(pl.col("query_id"), pl.col("parts", "kind", "segment").first())
        .drop("unit")
    )
    order = np.random.default_rng(seed).permutation(units.height)
    return units[order].sort("parts", "kind", "segment", descending=[True, False, False], maintain_order=True)


def plain_words(text: pl.Expr) -> pl.Expr:
    """The words of a text, null for none: equal for texts that differ only in case, width, spaces or punctuation."""
    plain = text.cast(pl.String).str.normalize("NFKC").str.to_lowercase()
    words = plain.str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
    return pl.when(words != "").then(words)


def looks(queries: pl.DataFrame) -> pl.DataFrame:
    """What a query can be known by: query_id, `words` (null for none), `photo` (a hash of its content).

    What else it holds, such as a clip of sound, counts with the photo.
    """
    nothing = pl.repeat(None, queries.height, dtype=pl.String, eager=True)
    words = plain_words(pl.col("text")) if "text" in queries.columns else nothing
    files = [name for name in ("image", *media_columns(queries.columns)) if name in queries.columns]
    hashes = [_content_or_path(queries, name) for name in files]
    together = (
        pl.concat_str(hashes, separator=" ", ignore_nulls=True).replace("", None) if hashes else nothing
    )
    return queries.select("query_id", words=words, photo=together)


def _content_or_path(queries: pl.DataFrame, column: str) -> pl.Series:
    """By the content's hash; a file that is not there by its path."""
    hashes, files = hashes_of(queries, column), queries[column]
    return hashes if files.dtype == pl.Binary else hashes.fill_null(files.cast(pl.String))


def _train_and_validation(units: pl.DataFrame, share: float) -> tuple[list[str], list[str]]:
    """Every (1/share)-th unit validates: the units are shuffled within segments, so each gives its share."""
    steps = np.floor(np.arange(units.height + 1) * share + 1e-9)
    validates = np.diff(steps) > 0
    return _ids(units.filter(~validates)), _ids(units.filter(validates))


def _ids(units: pl.DataFrame) -> list[str]:
    return units["query_id"].explode(empty_as_null=False).to_list()


def _named_parts(queries: pl.DataFrame, column: str, names: Sequence[str]) -> pl.DataFrame:
    """The queries of the parts named; InputError for a name that no query has (a mistyped one, mostly)."""
    _check_column(queries, column)
    found = queries[column].cast(pl.String)
    plain, wanted = plain_part(found), plain_part(pl.Series(names, dtype=pl.String))
    for name, meant in zip(names, wanted, strict=True):
        if meant not in plain:
            there = ", ".join(found.unique().drop_nulls().sort().head(8)) or "nulls only"
            raise _bad(f"queries with {column} = {name!r}", there, _NAME_THEM)
    return queries.filter(plain.is_in(wanted.implode()))


_NAME_THEM = (
    "name the parts as the data does: in split.train and split.test, or in {kind: rotate, parts: […]}"
)


def _check_column(queries: pl.DataFrame, column: str) -> None:
    if column not in queries.columns:
        got = "columns " + ", ".join(queries.columns)
        raise _bad(
            f"a column {column!r} of the queries",
            got,
            "map it under data.queries, or choose split.kind: folds",
        )


def _check_times(queries: pl.DataFrame, column: str) -> None:
    _check_column(queries, column)
    dtype = queries[column].dtype
    zoned = isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
    if zoned or dtype not in (pl.Date, pl.Datetime):
        raise _bad(
            f"dates or times without a zone in {column!r}",
            str(dtype),
            "convert them to UTC and drop the zone",
        )
    if nulls := queries[column].null_count():
        raise _bad(f"a time in {column!r} of every query", f"{nulls} nulls", "drop those queries")


def _bad(expected: str, got: str, cure: str) -> InputError:
    return InputError(where="split", expected=expected, got=got, cure=cure)
