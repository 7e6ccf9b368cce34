"""A source's columns → canonical values: numbers, prices, dates, ids, category paths, joined text.

Every function takes a column of any dtype and gives null where a value cannot be read; `missing` tells which
nulls were missing already, so that the unreadable ones can be counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_MISSING = ("", "na", "n/a", "nan", "null", "none", "nil", "-", r"\n")

# Digits in groups of three parted by a space or apostrophe (1 299,00; 1'299.00), or with points and commas.
_WRITTEN_NUMBER = r"\d{1,3}(?:[ '’]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)*"
_RANGE = rf"(?:{_WRITTEN_NUMBER})\D{{0,8}}(?:-|–|—|\bto\b|\bbis\b)\D{{0,8}}(?:{_WRITTEN_NUMBER})"
# Only points or only commas, the last of them before exactly three digits: they part thousands (or lakhs).
_GROUPED = r"^[1-9]\d{0,2}(?:(?:,\d{2,3})*,\d{3}|(?:\.\d{3})+)$"
_MINUS = r"^[^\d\s]{0,3} ?[-−] ?[^\d\s]{0,3} ?\d"
_DATE_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d",
)


def missing(column: pl.Series) -> pl.Series:
    """Which values are missing: null, or text that says so (empty, NA, null, …)."""
    if column.dtype == pl.String:
        return column.is_null() | column.str.strip_chars().str.to_lowercase().is_in(_MISSING)
    return column.is_null()


def identifiers(column: pl.Series) -> pl.Series:
    """Ids as text; whole numbers that were read as floats (a gap makes pandas write 7.0) lose their ".0".

    In one Unicode form: "é" as one sign or as two is one id to whoever wrote it.
    """
    if column.dtype.is_float():
        column = column.fill_nan(None)
        column = column.cast(pl.Int64) if (column.drop_nulls() % 1 == 0).all() else column
    return text(column).str.normalize("NFC")


def text(column: pl.Series) -> pl.Series:
    """Text, trimmed; the items of a list are joined by spaces, bytes are read as UTF-8.

    Anything that has no plain text (durations, lists of lists) is written as Python writes it.
    """
    if column.dtype == pl.Binary:
        decoded = (None if value is None else value.decode(errors="replace") for value in column)
        column = pl.Series(column.name, decoded, dtype=pl.String)
    try:
        if isinstance(column.dtype, pl.List | pl.Array):
            column = column.cast(pl.List(pl.String)).list.join(" ", ignore_nulls=True)
        column = column.cast(pl.String, strict=False)
    except pl.exceptions.InvalidOperationError:
        written = [None if value is None else str(value) for value in column.to_list()]
        column = pl.Series(column.name, written, dtype=pl.String)
    return column.str.strip_chars()


def joined_text(columns: Sequence[pl.Series]) -> pl.Series:
    """Several columns as one text, in the order given; null where all of them are null."""
    texts = pl.DataFrame([text(column).alias(str(i)) for i, column in enumerate(columns)])
    joined = pl.concat_str(pl.all().replace("", None), separator=" ", ignore_nulls=True)
    return texts.select(pl.when(pl.any_horizontal(pl.all().is_not_null())).then(joined)).to_series()


def numbers(column: pl.Series) -> pl.Series:
    """Float64 of numbers, or of text that holds a plain number (1299.5, 1e3, nan)."""
    column = _as_words(column)
    if column.dtype == pl.String:
        column = column.set(missing(column), None).str.strip_chars()
    return _as_float(column)


def whole_numbers(column: pl.Series) -> pl.Series:
    """Int64 of numbers without a fraction, or of text that holds one."""
    value = numbers(column)
    return value.set(~((value % 1) == 0), None).cast(pl.Int64, strict=False)


def _as_words(column: pl.Series) -> pl.Series:
    """Categories as their names: a table from pandas may hold any column so."""
    return column.cast(pl.String) if isinstance(column.dtype, pl.Categorical | pl.Enum) else column


def _as_float(column: pl.Series) -> pl.Series:
    if column.dtype.is_nested() or column.dtype.is_temporal() or column.dtype == pl.Binary:
        return pl.repeat(None, len(column), dtype=pl.Float64, eager=True)
    return column.cast(pl.Float64, strict=False)


def prices(column: pl.Series) -> pl.Series:
    """Float64 of prices, plain or as people write them ("$1,299.00", "1.299,00 €", "Rs. 1,499").

    A plain number is taken as a program prints it: the point is decimal. Otherwise, of points and commas
    the last is decimal if both occur; one kind alone is decimal unless it comes several times or is
    followed by exactly three digits ("1,499"; but "0,499"). A range ("12 - 15") gives its lower bound.
    """
    column = _as_words(column)
    if column.dtype != pl.String:
        return numbers(column)
    tidy = _tidy(column)
    found = tidy.str.extract_all(_WRITTEN_NUMBER)
    frame = pl.DataFrame({"plain": numbers(column), "text": tidy, "number": found.list.first()})
    value = _written(pl.col("number"))
    signed = pl.when(pl.col("text").str.contains(_MINUS)).then(-value).otherwise(value)
    single = pl.lit((found.list.len() == 1) | is_range(column))
    return frame.select(pl.coalesce("plain", pl.when(single).then(signed))).to_series()


def is_range(column: pl.Series) -> pl.Series:
    """Which texts are a price range such as "12 - 15": two numbers with a dash or "to" between them."""
    column = _as_words(column)
    if column.dtype != pl.String:
        return pl.repeat(value=False, n=len(column), dtype=pl.Boolean, eager=True)
    tidy = _tidy(column)
    two = tidy.str.extract_all(_WRITTEN_NUMBER).list.len() == 2
    # "1e-05" is one number as programs print it.
    return (two & tidy.str.contains(_RANGE) & numbers(column).is_null()).fill_null(value=False)


def _tidy(column: pl.Series) -> pl.Series:
    return column.str.replace_all(r"\s+", " ").str.strip_chars()


def _written(number: pl.Expr) -> pl.Expr:
    """Float64 of digits with points and commas, by the rule of `prices`."""
    number = number.str.replace_all(r"[ '’]", "")
    decimal_comma = number.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return (
        pl.when(number.str.contains(_GROUPED))
        .then(number.str.replace_all(r"[.,]", ""))
        .when(number.str.contains(r",\d+$"))
        .then(decimal_comma)
        .otherwise(number.str.replace_all(",", "", literal=True))
        .cast(pl.Float64, strict=False)
    )


def datetimes(column: pl.Series) -> pl.Series:
    """Datetime (µs, UTC, no zone) of dates, ISO text, or numbers since 1970 (s, ms or µs, by magnitude)."""
    if isinstance(column.dtype, pl.Date | pl.Datetime):
        return _without_zone(column)
    if column.dtype.is_numeric():
        return _since_1970(column)
    tidy = text(column).str.replace(r"^(\d{4}-\d\d-\d\d)T", "$1 ")
    tidy = tidy.str.replace(r"\s*(Z|UTC|\+00:?00)$", "")
    zoned = tidy.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%:z", strict=False, time_unit="us", time_zone="UTC")
    tries = [tidy.str.to_datetime(form, strict=False, time_unit="us") for form in _DATE_FORMATS]
    # Nine digits and more are a stamp; fewer may be a year or 20240531.
    stamp = _since_1970(tidy.str.extract(r"^(\d{9,}(?:\.\d+)?)$").cast(pl.Float64))
    return pl.select(pl.coalesce(*tries, zoned.dt.replace_time_zone(None), stamp)).to_series()


def _without_zone(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.cast(pl.Datetime("us"), strict=False)


def _since_1970(column: pl.Series) -> pl.Series:
    stamp = pl.Series("at", column.cast(pl.Float64))
    size = stamp.abs()
    micros = pl.when(size < 1e11).then(stamp * 1e6).when(size < 1e14).then(stamp * 1e3).otherwise(stamp)
    return pl.select(micros.cast(pl.Int64, strict=False).cast(pl.Datetime("us"))).to_series()


def category_paths(columns: Sequence[pl.Series], separator: str) -> pl.Series:
    """Paths "A > B > C": from a list, from text parted by `separator`, or from one column a level."""
    levels = pl.DataFrame([_levels(column, separator).alias(str(i)) for i, column in enumerate(columns)])
    path = levels.select(pl.concat_list(pl.all())).to_series()
    named = path.list.eval(pl.element().str.strip_chars().filter(pl.element().str.strip_chars() != ""))
    return named.list.join(" > ").replace("", None)


def _levels(column: pl.Series, separator: str) -> pl.Series:
    nested = isinstance(column.dtype, pl.List | pl.Array) and column.dtype.inner.is_nested()
    if nested or not isinstance(column.dtype, pl.List | pl.Array):
        column = text(column).str.split(separator)
    none = pl.lit([], dtype=pl.List(pl.String))
    return pl.select(pl.lit(column).cast(pl.List(pl.String)).fill_null(none)).to_series()
