"""A source's columns → canonical values: numbers, prices, dates, names, joined text.

Every function takes a column of any dtype and gives null where a value cannot be read; `missing` tells which
nulls were missing already, so that the unreadable ones can be counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from features.sources.parsing.dates import read_dates
from features.sources.parsing.numerals import Mark, Reading, numbers_in
from features.sources.parsing.prices import Prices, read_prices
from features.sources.parsing.ratings import read_counts, read_ratings
from features.sources.remarks import Said
from features.words.currencies import CURRENCY_OF

_MISSING = r"(?i)^\s*(?:na|n/a|nan|null|none|nil|-|\\n)?\s*$"

# How people and databases say that a price, a rating or a date is not there.
_SAYS_NONE = (
    r"(?i)^\s*(?:(?:price |preis |prix )?(?:on request|auf anfrage|sur demande|on demand)|"
    r"(?:please )?(?:call|ask|contact)\b.*|p\.?o\.?a\.?|tb[ad]|sold out|out of stock|ausverkauft|nicht verfügbar|"
    r"not available|unavailable|épuisé|agotado|consultar|esaurito|"
    r"not (?:yet )?rated(?: yet)?|unrated|(?:no|keine?|noch keine?|aucune?|sin|nessuna) "
    r"(?:price|preis|prix|precio|ratings?|reviews?|bewertung(?:en)?|avis|note|valoraciones|recensione|date|datum)"
    r"(?: yet)?|(?:noch )?nicht bewertet|be the first to review.*|unknown|unbekannt|inconnu|keine angabe|"
    r"k\. ?a\.|[-–—?.]+|#n/a|0000-00-00(?:[t ]00:00(?::00)?)?)\s*$"
)


def says_none(column: pl.Series) -> pl.Series:
    """Which values are words for none, such as "on request": no sign that it is the wrong column."""
    if column.dtype != pl.String:
        return pl.repeat(value=False, n=len(column), eager=True)
    return column.str.contains(_SAYS_NONE).fill_null(value=False)


def missing(column: pl.Series) -> pl.Series:
    """Which values are missing: null, or text that says so (empty, NA, null, …)."""
    if column.dtype == pl.String:
        return column.is_null() | column.str.contains(_MISSING)
    return column.is_null()


def identifiers(column: pl.Series) -> pl.Series:
    """Names as text; whole numbers that were read as floats (a gap makes pandas write 7.0) lose their ".0"."""
    if column.dtype.is_float():
        column = column.set(~column.is_finite(), None)
        known = column.drop_nulls()
        if ((known % 1 == 0) & (known.abs() < 2**63)).all():
            column = column.cast(pl.Int64)
    return text(column)


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


def numbers(column: pl.Series, *, decimal: Mark | None = None, whole: bool = False) -> Reading:
    """Float64 of numbers, or of text that holds one (1299.5, 1e3, nan, "1,299.5", "1.299,5").

    decimal: the decimal mark, where it is known. whole: they count something.
    """
    column = _as_words(column)
    printed = _printed(column)
    if column.dtype != pl.String:
        return Reading(printed)
    return numbers_in(_present(column), printed, decimal=decimal, whole=whole)


def counts(column: pl.Series, *, decimal: Mark | None = None) -> Reading:
    """Float64 of counts, plain or as people write them, null where negative or no whole number; see `read_counts`."""
    column = _as_words(column)
    printed = _printed(column)
    broken = (printed % 1 != 0).fill_null(value=False) & printed.is_finite()
    whole = printed.set((printed < 0).fill_null(value=False) | broken, None)
    if column.dtype == pl.String:
        return read_counts(_present(column), whole, decimal=decimal)
    evidence = f"{int(broken.sum()):,} counts have a fraction: were thousands read as decimals?"
    return Reading(
        whole, (Said("WARN", evidence, "write the column as text, or as whole numbers"),) * broken.any()
    )


def ratings(column: pl.Series, *, decimal: Mark | None = None) -> Reading:
    """Float64 of ratings, plain or as people write them; see `read_ratings`."""
    column = _as_words(column)
    printed = _printed(column)
    text = _present(column) if column.dtype == pl.String else None
    return read_ratings(text, printed, decimal=decimal)


def whole_numbers(column: pl.Series) -> Reading:
    """Int64 of numbers without a fraction, or of text that holds one."""
    read = numbers(column, whole=True)
    value = read.values
    return Reading(value.set(~((value % 1) == 0), None).cast(pl.Int64, strict=False), read.said)


def _present(column: pl.Series) -> pl.Series:
    return column.set(missing(column), None).str.strip_chars()


def _printed(column: pl.Series) -> pl.Series:
    """Float64 of what a program prints as a number."""
    if column.dtype == pl.String:
        column = _present(column)
    if column.dtype.is_nested() or column.dtype.is_temporal() or column.dtype == pl.Binary:
        return pl.repeat(None, len(column), dtype=pl.Float64, eager=True)
    return column.cast(pl.Float64, strict=False)


def _as_words(column: pl.Series) -> pl.Series:
    """Categories as their names: a table from pandas may hold any column so."""
    return column.cast(pl.String) if isinstance(column.dtype, pl.Categorical | pl.Enum) else column


def prices(column: pl.Series, *, decimal: Mark | None = None, cents: bool = False) -> Prices:
    """Prices, plain or as people write them; see `read_prices`."""
    column = _as_words(column)
    printed = _printed(column)
    if column.dtype != pl.String:
        none = pl.repeat(None, len(column), dtype=pl.String, eager=True)
        return Prices(
            printed / (100 if cents else 1), none, pl.repeat(value=False, n=len(column), eager=True)
        )
    return read_prices(_present(column), printed, decimal=decimal, cents=cents)


def currencies(column: pl.Series) -> pl.Series:
    """The currency of each row, from a column that names it by code, sign or word ("EUR", "€", "Euro (EUR)").

    What is none of these is a currency of its own, such as 840: it is not the others'.
    """
    named = _as_words(column).set(missing(column), None) if column.dtype == pl.String else column
    lower = text(named).str.to_lowercase()
    within = lower.str.extract(r"(?:^|\P{L})(\p{L}{3})(?:\P{L}|$)")
    known = (one.replace_strict(CURRENCY_OF, default=None, return_dtype=pl.String) for one in (lower, within))
    return pl.select(pl.coalesce(*known, lower.str.to_uppercase().replace("", None))).to_series()


def datetimes(column: pl.Series) -> Reading:
    """Datetime (µs, UTC, no zone) of dates, ISO text, or numbers; see `read_dates`."""
    if isinstance(column.dtype, pl.Date | pl.Datetime) or column.dtype.is_numeric():
        return read_dates(column)
    return read_dates(text(column))
