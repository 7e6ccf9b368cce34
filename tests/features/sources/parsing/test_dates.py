"""Dates in ISO's forms and as numbers: the same moment, or null; never 1970 by mistake."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from features.sources.parsing.dates import read_dates

MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0))
FORMS = [
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y%m%dT%H%M%S",
    "%Y-%m-%dT%H:%M:%S.000",
    "%Y-%m-%dT%H:%M:%S,000000",
    "%Y-%m-%dT%H%M%S",
    "%Y/%m/%d %H:%M:%S",
]


@given(
    at=MOMENTS,
    form=st.sampled_from(FORMS),
    minutes=st.integers(-14 * 4, 14 * 4).map(lambda quarters: 15 * quarters),
    colon=st.booleans(),
    zone=st.booleans(),
)
def test_every_iso_form_is_the_same_moment(
    at: datetime, form: str, minutes: int, colon: bool, zone: bool
) -> None:
    text, right = at.strftime(form), at
    if zone:
        sign = "-" if minutes < 0 else "+"
        hours, rest = divmod(abs(minutes), 60)
        text += f"{sign}{hours:02}{':' if colon else ''}{rest:02}"
        right = at - timedelta(minutes=minutes)
    assert read_dates(pl.Series([text])).values.to_list() == [right]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("2021-03-04T05:06Z", datetime(2021, 3, 4, 5, 6)),
        ("2021-03-04T05:06-0330", datetime(2021, 3, 4, 8, 36)),
        ("2021-03-04T05+02", datetime(2021, 3, 4, 3)),
        ("2021-03-04 05:06:07 UTC", datetime(2021, 3, 4, 5, 6, 7)),
        ("20210304", datetime(2021, 3, 4)),
        ("2021-W09-4", datetime(2021, 3, 4)),
        ("2021-063", datetime(2021, 3, 4)),
        ("2021.03.04", datetime(2021, 3, 4)),
        ("20210304050607", datetime(2021, 3, 4, 5, 6, 7)),
        ("202103040506", datetime(2021, 3, 4, 5, 6)),
        ("44259", datetime(2021, 3, 4)),
        *(
            (text, datetime(2021, 3, 4))
            for text in (
                "2021/3/4",
                "2021-3-4",
                "2021年3月4日",
                "2021년 3월 4일",
                "２０２１-０３-０４",
                "'2021-03-04",
            )
        ),
        ("2021/3/4 5:06", datetime(2021, 3, 4, 5, 6)),
        ("2021-03-04T05:06:00+01:00[Europe/Berlin]", datetime(2021, 3, 4, 4, 6)),
        ("2021-03-04T05:06:07.0000000000Z", datetime(2021, 3, 4, 5, 6, 7)),
        *(
            (text, None)
            for text in (
                "2021",
                "2021-05",
                "2021-13-01",
                "2021-02-30",
                "20211301",
                "2021-03-04T25:00",
                "24-05-01x",
            )
        ),
    ],
)
def test_text(text: str, right: datetime | None) -> None:
    assert read_dates(pl.Series([text])).values.to_list() == [right]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64])
@given(days=st.lists(MOMENTS, min_size=1, max_size=9))
def test_a_number_of_eight_digits_is_a_day(dtype: type[pl.DataType], days: list[datetime]) -> None:
    read = read_dates(pl.Series([int(day.strftime("%Y%m%d")) for day in days], dtype=dtype))
    assert read.values.to_list() == [datetime(day.year, day.month, day.day) for day in days]
    assert len(read.said) == 1


@pytest.mark.parametrize("per_second", [1, 1_000, 1_000_000, 1_000_000_000])
@given(at=MOMENTS)
def test_stamps_are_told_by_their_size(per_second: int, at: datetime) -> None:
    assume(at.year > 1990 or per_second < 1_000_000_000)  # as .NET's ticks they are of our days
    stamp = int(at.replace(tzinfo=UTC).timestamp()) * per_second
    found = read_dates(pl.Series([stamp])).values[0]
    assert abs(found - at) < timedelta(milliseconds=1)


@pytest.mark.parametrize("number", [0, -5, 2024, 12, 20241301, 99_999_999])
def test_other_numbers_are_no_dates(number: int) -> None:
    assert read_dates(pl.Series([number])).values.to_list() == [None]


OUR_DAYS = st.datetimes(datetime(2000, 1, 1), datetime(2038, 12, 31)).map(
    lambda at: at.replace(microsecond=0)
)


@pytest.mark.parametrize("began", [datetime(1, 1, 1), datetime(1601, 1, 1)])
@given(days=st.lists(OUR_DAYS, min_size=1, max_size=9))
def test_windows_counts_are_told_from_nanoseconds(began: datetime, days: list[datetime]) -> None:
    ticks = [(day - began) // timedelta(microseconds=1) * 10 for day in days]
    read = read_dates(pl.Series(ticks))
    assert all(
        abs(found - day) < timedelta(milliseconds=1) for found, day in zip(read.values, days, strict=True)
    )
    assert [said.level for said in read.said] == ["WARN"]


@pytest.mark.parametrize(("form", "exact"), [("%Y%m%d%H", 3600), ("%Y%m%d%H%M%S000", 1)])
@given(days=st.lists(OUR_DAYS, min_size=1, max_size=9))
def test_calendar_numbers_of_other_lengths(form: str, exact: int, days: list[datetime]) -> None:
    read = read_dates(pl.Series([int(day.strftime(form)) for day in days]))
    assert all(
        timedelta(milliseconds=-9) < day - found < timedelta(seconds=exact)
        for found, day in zip(read.values, days, strict=True)
    )


@pytest.mark.parametrize("as_text", [True, False])
@given(year=st.integers(1, 1899) | st.integers(2200, 9999), other=OUR_DAYS)
def test_years_that_nothing_sold_is_of_are_none(year: int, other: datetime, as_text: bool) -> None:
    days = [date(year, 1, 2), other.date()]
    read = read_dates(pl.Series(list(map(str, days)) if as_text else days))
    assert read.values.is_null().to_list() == [True, False]
    assert read.said[-1].level == "WARN"
