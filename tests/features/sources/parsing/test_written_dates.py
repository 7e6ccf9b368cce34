"""Dates as people write them: the same day and moment, an order of day and month that the column shows, or null."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.parsing.dates import read_dates
from features.sources.parsing.numerals import Reading
from features.sources.parsing.written_dates import ZONED

MAY = datetime(2024, 5, 1)
AT = datetime(2024, 5, 1, 15, 45)
DAYS = st.dates(date(1970, 1, 1), date(2068, 12, 31))


def read(*texts: str) -> Reading:
    return read_dates(pl.Series(texts))


def days(*texts: str) -> list[str | None]:
    return [None if day is None else f"{day:%Y-%m-%d}" for day in read(*texts).values]


@pytest.mark.parametrize(
    "text",
    [
        *("01.05.2024", "1.5.2024", "01.05.24", "1. 5. 2024", "Mi., 01.05.2024"),
        *(
            "1. Mai 2024",
            "Mittwoch, 1. Mai 2024",
            "1 May 2024",
            "1st of May 2024",
            "01-May-2024",
            "01-MAY-24",
        ),
        *(
            "May 1, 2024",
            "May 1st, 2024",
            "may 1 2024",
            "Wednesday, May 1, 2024",
            "2024-May-01",
            "2024 May 1",
        ),
        *("1 de mayo de 2024", "1er mai 2024", "1 maggio 2024", "1 mei 2024", "1 maja 2024", "1 мая 2024 г."),
        *(
            "1 maio 2024",
            "1 maj 2024",
            "1 Mayıs 2024",
            "1. toukokuuta 2024",
            "2024/05/01",
            "20240501",
            "1714521600",
        ),
        *("1714521600000", "2024.05.01."),
    ],
)
def test_one_day_in_many_forms(text: str) -> None:
    assert read(text).values.to_list() == [MAY]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("01.05.2024 15:45", AT),
        ("01.05.2024, 15:45 Uhr", AT),
        ("01.05.2024 um 15:45 Uhr", AT),
        ("1.5.2024 15.45 Uhr", AT),
        ("5/13/2024 3:45 PM", datetime(2024, 5, 13, 15, 45)),
        ("5/13/2024 12:05 AM", datetime(2024, 5, 13, 0, 5)),
        ("13/05/2024 12:05 pm", datetime(2024, 5, 13, 12, 5)),
        ("2024-05-01 3:45 PM", AT),
        ("May 1, 2024 at 3:45 p.m.", AT),
        ("Wed, 01 May 2024 15:45:00 GMT", AT),
        ("Wed, 01 May 2024 15:45:00 +0200", AT - timedelta(hours=2)),
        ("Wed May 01 2024 15:45:00 GMT+0200 (Central European Summer Time)", AT - timedelta(hours=2)),
        ("Wed May  1 15:45:00 2024", AT),
        ("Wed May  1 15:45:00 UTC 2024", AT),
        ("01.05.2024 15:45 CEST", AT - timedelta(hours=2)),
        ("2024-05-01 15:45:00 CET", AT - timedelta(hours=1)),
        ("1 May 2024 15:45 PST", AT + timedelta(hours=8)),
        ("01/May/2024:15:45:00 +0200", AT - timedelta(hours=2)),
        ("01-MAY-24 03.45.00.000000000 PM", AT),
        ("mercredi 1 mai 2024 à 15h45", AT),
        ("miércoles, 1 de mayo de 2024", MAY),
        ("2024年05月01日 15時45分", AT),
        ("/Date(1714578300000)/", AT),
        ("/Date(1714578300000+0200)/", AT),
        ("13‑05‑2024", datetime(2024, 5, 13)),
        ("'01.05.2024", MAY),
        ("45413.65625", AT),
        ("1.5.2024 г.", MAY),
        ("2024-05-01 15:45:00.25 +0000 UTC", AT + timedelta(milliseconds=250)),
    ],
)
def test_times_and_zones(text: str, right: datetime) -> None:
    assert read(text).values.to_list() == [right]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "soon",
            "May 2024",
            "5/2024",
            "1 Foo 2024",
            "32.05.2024",
            "30.02.2024",
            "01.13.2024x",
            "13/13/2024",
        ),
        *(
            "01.05.2024 25:45",
            "01.05.2024 13:45 PM",
            "01.05.2024 15:45 XYZ",
            "10.0.0.1",
            "1.2.3",
            "1.299",
            "01.05/2024",
        ),
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert read(text).values.to_list() == [None]


@given(
    given=st.lists(DAYS, min_size=1, max_size=20),
    form=st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%m.%d.%Y", "%d.%m.%Y"]),
)
def test_no_date_is_read_in_another_order_than_its_column(given: list[date], form: str) -> None:
    found = read(*(day.strftime(form) for day in given)).values.to_list()
    telling = any(day.day > 12 for day in given)
    assert all(
        at is None or at.date() == day or (not telling and form == "%m.%d.%Y")
        for at, day in zip(found, given, strict=True)
    )
    if telling:
        assert None not in found


@given(
    given=st.lists(DAYS, min_size=1),
    form=st.sampled_from(["%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%a, %d %b %Y"]),
)
def test_months_by_name_need_no_order(given: list[date], form: str) -> None:
    found = read(*(day.strftime(form) for day in given))
    assert [at.date() for at in found.values] == given
    assert not found.said


@pytest.mark.parametrize(
    ("texts", "right", "levels"),
    [
        (("01/02/2024", "13/02/2024"), ["2024-02-01", "2024-02-13"], ["PASS"]),
        (("01/02/2024", "02/13/2024"), ["2024-01-02", "2024-02-13"], ["PASS"]),
        (("04.13.2024", "01.02.2024"), ["2024-04-13", "2024-01-02"], ["PASS"]),
        (("01/02/2024", "03/03/2024"), [None, "2024-03-03"], ["WARN"]),
        (("01.02.2024", "03.03.2024"), ["2024-02-01", "2024-03-03"], ["WARN"]),
        (("01/02/2024", "02/13/2024", "13/02/2024"), [None, "2024-02-13", "2024-02-13"], ["WARN"]),
        (
            ("01/02/2024", *["13/02/2024"] * 9, "02/14/2024"),
            ["2024-02-01", *["2024-02-13"] * 9, "2024-02-14"],
            ["WARN"],
        ),
        (("01/02/2024", "13.02.2024"), [None, "2024-02-13"], ["WARN"]),  # each mark by itself
        (("24/05/01", "99/01/13"), ["2024-05-01", "1999-01-13"], ["PASS"]),
        (("01-02-03",), [None], ["WARN"]),
        (
            tuple(f"{day:02}/03/24" for day in range(9, 19)),
            [f"2024-03-{day:02}" for day in range(9, 19)],
            ["PASS"],
        ),
        (tuple(f"24-03-{day:02}" for day in range(9, 19)), [f"2024-03-{day:02}" for day in range(9, 19)], []),
    ],
)
def test_the_column_decides_what_comes_first(
    texts: tuple[str, ...], right: list[str | None], levels: list[str]
) -> None:
    found = read(*texts)
    assert days(*texts) == right
    assert [said.level for said in found.said] == levels


@pytest.mark.parametrize(
    ("text", "zoned"),
    [
        *((text, True) for text in ("2021-03-04T05+02", "20240501T154500+0200", "01.05.2024 15:45 CEST")),
        *(
            (text, True)
            for text in ("Wed May  1 15:45:00 UTC 2024", "5/13/2024 3:45 PM PST", "2021-03-04T05:06Z")
        ),
        ("Wed May 01 2024 15:45:00 GMT+0200 (Central European Summer Time)", True),
        *(
            (text, False)
            for text in ("2024-05-01", "Wed 01-05-2024", "1 May 2024", "Wed May  1 15:45:00 2024")
        ),
        *((text, False) for text in ("01.05.2024 15:45", "5/13/2024 3:45 PM")),
    ],
)
def test_which_times_name_their_zone(text: str, *, zoned: bool) -> None:
    assert pl.Series([text]).str.contains(ZONED).to_list() == [zoned]
