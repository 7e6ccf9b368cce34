"""A source's dates → Datetime (µs, UTC, no zone): ISO 8601 in all its forms, as people write them, or numbers.

A number tells by its size what it is: 20240501 is a day, nine digits and more count from 1970 (in seconds, ms, µs or
ns), five digits around 45,000 are a spreadsheet's days since 1900. What is none of these is null.
"""

from __future__ import annotations

import polars as pl

from features.sources.parsing.numerals import Reading, plain_digits
from features.sources.parsing.written_dates import iso_of
from features.sources.remarks import Level, Said

_ISO = (
    r"^(?<year>\d{4})-?(?<month>\d\d)-?(?<day>\d\d)"
    r"(?:[Tt_ ]\s?(?<hour>\d\d)(?::?(?<minute>\d\d)(?::?(?<second>\d\d)(?:[.,](?<fraction>\d+))?)?)?"
    r"\s?(?<zone>[Zz]|UTC|GMT|[-+−]\d\d(?::?\d\d)?)?)?$"
)
_REPAIRS = (
    (r"^'", ""),  # by which Excel marks text
    (r" ?(\d{1,2})時(\d\d)分$", " $1:$2"),
    (r"\[[A-Za-z_/+-]+\]$", ""),  # a zone's name behind its offset, as Java writes it
    (r"^(\d{4})\s?[-/.年년]\s?(\d{1,2})\s?[-/.月월]\s?(\d{1,2})[日일]?(\D|$)", "$1-0$2-0$3$4"),
    (r"^(\d{4})-0?(\d\d)-0?(\d\d)", "$1-$2-$3"),
    (r"^(\S{10})[Tt ](\d):", "$1 0$2:"),
)
_DAY = "%Y%m%d"
_CALENDARS = (  # as numbers, from 1900 to 2199, and what makes them such as the form reads
    (_DAY, 19_000_101, 21_991_231, ""),
    ("%Y%m%d%H%M%S", 19_000_101_000000, 21_991_231_235959, ""),
    ("%Y%m%d%H%M", 19_000_101_0000, 21_991_231_2359, ""),
    ("%Y%m%d%H%M", 19_000_101_00, 21_991_231_23, "00"),
    ("%Y%m%d%H%M%S%3f", 19_000_101_000000_000, 21_991_231_235959_999, ""),
)
_FIRST_YEAR = 1000
# No product and no event is of another: 0001-01-01 and 9999-12-31 stand for none, 2567 is of Thailand's calendar.
_YEARS = (1900, 2199)
# Windows' and .NET's counts of 100 ns, which as nanoseconds since 1970 would be of early 1974 and 1990.
_WINDOWS = (  # from 2000 to 2039; seconds from their own beginning to 1970
    (125_911_584_000_000_000, 138_534_624_000_000_000, 11_644_473_600),
    (630_822_816_000_000_000, 643_445_856_000_000_000, 62_135_596_800),
)
_SPREADSHEET = (30_000, 80_000)  # days, 1982 to 2119
_A_DAY = 86_400_000_000  # in µs
_SPREADSHEET_ZERO = -25_569 * _A_DAY  # 1899-12-30
_FIRST_STAMP = 1e8  # in 1973; smaller numbers are years or nothing


def read_dates(column: pl.Series) -> Reading:
    """Datetime of dates, ISO text, or numbers; null for what is neither, and for years that nothing sold is of."""
    read = _read(column)
    at = read.values
    odd = (~at.dt.year().is_between(*_YEARS)).fill_null(value=False)
    if not odd.any():
        return read
    first, last = _YEARS
    shown = column.filter(odd)[0]
    evidence = f"{int(odd.sum()):,} dates are of no year from {first} to {last}, such as {shown}: set to null"
    said = Said(
        "WARN", evidence, "write dates as 2024-05-31, of the usual calendar, and none where there is none"
    )
    return Reading(at.set(odd, None), (*read.said, said))


def _read(column: pl.Series) -> Reading:
    if isinstance(column.dtype, pl.Date | pl.Datetime):
        if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return Reading(column.cast(pl.Datetime("us"), strict=False))
    if column.dtype.is_numeric():
        return _numeric(column)
    lower = plain_digits(column)
    tidy = lower.str.to_uppercase()
    for pattern, plain in _REPAIRS:
        tidy = tidy.str.replace(pattern, plain)
    found = _iso(tidy)
    left = tidy.set(found.is_not_null(), None)
    if not left.count():
        return Reading(found)
    by_people = iso_of(lower.set(found.is_not_null(), None))
    stamps = _numeric(
        left.str.extract(r"(?i)^(?:/date\()?((?:\d{5}|\d{8,19})(?:\.\d+)?)(?:[+-]\d{4})?(?:\)/)?$").cast(
            pl.Float64
        )
    )
    day_of_year = left.set(~left.str.contains(r"^\d{4}-\d{3}$").fill_null(value=False), None)
    others = [
        at.str.to_date(form, strict=False).cast(pl.Datetime("us"))
        for at, form in ((left, "%G-W%V-%u"), (day_of_year, "%Y-%j"))
    ]
    dates = pl.select(pl.coalesce(found, stamps.values, *others, _iso(by_people.values))).to_series()
    return Reading(dates, stamps.said + by_people.said)


def _iso(text: pl.Series) -> pl.Series:
    """Text of the most usual form by polars' own reader, the rest by its parts."""
    usual = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
    usual = pl.select(
        pl.coalesce(usual, text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")))
    ).to_series()
    usual = usual.set((usual.dt.year() < _FIRST_YEAR).fill_null(value=False), None)  # of "24-05-01"
    left = text.set(usual.is_not_null(), None)
    if not left.count():
        return usual
    parts = left.str.extract_groups(_ISO).struct.unnest()
    names = ("year", "month", "day", "hour", "minute", "second")
    numbers = parts.with_columns(pl.col(name).cast(pl.Int32) for name in names)
    clock = {name: pl.col(name).fill_null(0) for name in ("hour", "minute", "second")}
    valid = pl.all_horizontal(
        pl.col("month").is_between(1, 12),
        pl.col("day").is_between(1, 31),
        clock["hour"] < 24,
        clock["minute"] < 60,
        clock["second"] < 60,
    )
    written = pl.format(
        "{}-{}-{} {}:{}:{}.{}",
        *(pl.col(name) for name in ("year", "month", "day")),
        *(pl.col(name).fill_null("00") for name in ("hour", "minute", "second")),
        pl.col("fraction").fill_null("0").str.head(9).str.pad_end(9, "0"),
    ).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
    zone = (
        pl.col("zone")
        .str.replace_all("[:−]", "")
        .str.extract(r"(\d{2,4})$")
        .str.pad_end(4, "0")
        .cast(pl.Int32)
    )
    minutes = (zone // 100 * 60 + zone % 100).fill_null(0)
    west = pl.col("zone").str.contains("^[-−]").fill_null(value=False)
    ahead = pl.duration(minutes=pl.when(west).then(-minutes).otherwise(minutes))
    at = parts.with_columns(valid=numbers.select(valid).to_series()).select(
        pl.when("valid").then(written - ahead)
    )
    return pl.select(pl.coalesce(usual, at.to_series())).to_series()


def _numeric(column: pl.Series) -> Reading:
    """Calendar numbers and spreadsheets' days by their size, else stamps since 1970."""
    number = column.cast(pl.Float64, strict=False).fill_nan(None)
    said: list[Said] = []
    found = []
    for form, first, last, end in _CALENDARS:
        inside = (number.is_between(first, last) & (number % 1 == 0)).fill_null(value=False)
        if not inside.any():
            continue
        digits = number.set(~inside, None).cast(pl.Int64).cast(pl.String) + end
        days = digits.str.to_datetime(form, strict=False, time_unit="us")
        # Twenty million seconds after 1970 is August 1970, so eight digits are a day or nothing.
        # Ten digits are seconds after 2030, too: a day and an hour only where all of the column is.
        if form == _DAY or days.count() == (number.count() if end else inside.sum()):
            said += _said(number, days, "it is a year, a month and a day", "PASS")
            found.append(days)
            number = number.set(inside, None)
    for first, last, to_1970 in _WINDOWS:
        inside = number.is_between(first, last).fill_null(value=False)
        if inside.any() and inside.sum() == number.count():
            micros = (number.set(~inside, None) / 10).cast(pl.Int64) - to_1970 * 1_000_000
            days = micros.cast(pl.Datetime("us"))
            said += _said(number, days, "Windows counts time so", "WARN")
            found.append(days)
            number = number.set(inside, None)
    sheet = number.is_between(*_SPREADSHEET).fill_null(value=False)
    if sheet.any():
        micros = (number.set(~sheet, None) * _A_DAY).cast(pl.Int64)
        days = (micros + _SPREADSHEET_ZERO).cast(pl.Datetime("us"))
        said += _said(number, days, "a spreadsheet counts days so", "WARN")
        found.append(days)
    return Reading(pl.select(pl.coalesce(*found, _since_1970(number))).to_series(), tuple(said))


def _said(number: pl.Series, days: pl.Series, why: str, level: Level) -> list[Said]:
    shown = days.is_not_null()
    if not shown.any():
        return []
    evidence = f"read {number.filter(shown)[0]:.14g} as {days.filter(shown)[0]:%Y-%m-%d %H:%M}: {why}"
    return [Said(level, evidence, "write dates as 2024-05-31")]


def _since_1970(number: pl.Series) -> pl.Series:
    stamp = number.set(number.abs() < _FIRST_STAMP, None).rename("at")
    size = stamp.abs()
    per_micro = (
        pl.when(size < 1e11).then(1e6).when(size < 1e14).then(1e3).when(size < 1e17).then(1.0).otherwise(1e-3)
    )
    return pl.select((stamp * per_micro).cast(pl.Int64, strict=False).cast(pl.Datetime("us"))).to_series()
