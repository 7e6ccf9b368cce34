from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.parsing import values
from features.sources.parsing.categories import category_paths
from features.sources.parsing.prices import one_currency


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("$1,299.00", 1299.0),
        ("1.299,00 €", 1299.0),
        ("1 299,00 kr", 1299.0),
        ("1\u00a0299,00 kr", 1299.0),
        ("CHF 1'299.50", 1299.5),
        ("₹1,00,000", 100_000.0),
        ("1.299.000 Rp", 1_299_000.0),
        ("Rs. 1,499", 1499.0),
        ("Rs.500", 500.0),
        ("29.97", 29.97),
        ("1.299", 1.299),  # as a program prints it
        ("1.299 €", 1299.0),  # as a person writes it
        ("12,50", 12.5),
        ("0,499", 0.499),
        ("1e-05", 1e-05),
        ("-5.00", -5.0),
        ("-$5", -5.0),
        ("$-5", -5.0),
        ("EUR 20,-", 20.0),
        ("12 - 15", 12.0),
        ("$12.00 to $15.00", 12.0),
        ("Rs. 500 – Rs. 700", 500.0),
        ("2 for 5", None),
        ("call us", None),
        ("N/A", None),
        ("", None),
        (None, None),
    ],
)
def test_prices(text: str | None, price: float | None) -> None:
    assert values.prices(pl.Series([text], dtype=pl.String)).values.to_list() == [price]


@given(
    cents=st.integers(0, 10**9), style=st.sampled_from(["${:,.2f}", "{:,.2f} USD", "Rs. {:,.2f}", "{:.2f}"])
)
def test_written_prices_are_read_back(cents: int, style: str) -> None:
    written = style.format(cents / 100)
    continental = written.translate(str.maketrans(",.", ".,")).replace("Rs,", "Rs.")
    assert values.prices(pl.Series([written, continental])).values.to_list() == [cents / 100] * 2


@given(st.lists(st.floats(allow_nan=False) | st.none(), min_size=1))
def test_printed_numbers_are_read_back(given: list[float | None]) -> None:
    column = pl.Series(given, dtype=pl.Float64)
    printed = pl.Series([None if v is None else repr(v) for v in given], dtype=pl.String)
    for read in (values.numbers, values.prices):
        assert read(printed).values.equals(column)
        assert read(column).values.equals(column)
    assert not values.prices(printed).ranges.any()


def test_ranges_are_found() -> None:
    texts = pl.Series(["12 - 15", "$12.00-$15.00", "12", "-12", "1e-05", "12 15", None])
    assert values.prices(texts).ranges.to_list() == [True, True, *[False] * 5]
    assert not values.prices(pl.Series([1.0, -2.0])).ranges.any()


@pytest.mark.parametrize(
    "column",
    [
        pl.Series(["2018-09-20T10:11:12Z", "2018-09-20"]),
        pl.Series(["2018-09-20 10:11:12", "2018/09/20"]),
        pl.Series(["2018-09-20T12:11:12.000+02:00", "2018-09-20 00:00"]),
        pl.Series([1_537_438_272, 1_537_401_600]),
        pl.Series([1_537_438_272_000, 1_537_401_600_000]),
        pl.Series(["1537438272", "1537401600"]),
        pl.Series(
            [
                datetime(2018, 9, 20, 12, 11, 12, tzinfo=timezone(timedelta(hours=2))),
                datetime(2018, 9, 20, tzinfo=UTC),
            ]
        ),
    ],
)
def test_datetimes(column: pl.Series) -> None:
    found = values.datetimes(column).values
    assert found.dtype == pl.Datetime("us")
    assert found.to_list() == [datetime(2018, 9, 20, 10, 11, 12), datetime(2018, 9, 20)]


def test_dates_and_text_that_is_none() -> None:
    assert values.datetimes(pl.Series([date(2018, 9, 20)])).values[0] == datetime(2018, 9, 20)
    assert values.datetimes(pl.Series(["soon", "20.09", "2018", None])).values.null_count() == 4


@pytest.mark.parametrize(
    ("columns", "separator"),
    [
        ([pl.Series([["A", " B "], [], None])], ">"),
        ([pl.Series(["A > B", "", None])], ">"),
        ([pl.Series(["A/B", " / ", None])], "/"),
        ([pl.Series(["A", "", None]), pl.Series(["B", None, None])], ">"),
    ],
)
def test_category_paths(columns: list[pl.Series], separator: str) -> None:
    assert category_paths(columns, separator).values.to_list() == ["A > B", None, None]


def test_ids_read_as_floats_are_whole_again() -> None:
    assert values.identifiers(pl.Series([7.0, None, float("nan")])).to_list() == ["7", None, None]
    assert values.identifiers(pl.Series([7, 8])).to_list() == ["7", "8"]
    assert values.identifiers(pl.Series([" 007 "])).to_list() == ["007"]


def test_joined_text_skips_what_is_missing() -> None:
    joined = values.joined_text(
        [pl.Series(["a", None, None, ""]), pl.Series([["b", "c"], ["d"], None, None])]
    )
    assert joined.to_list() == ["a b c", "d", None, ""]


def test_bytes_are_read_as_text() -> None:
    assert values.text(pl.Series([b"ok", b"\xff", None])).to_list() == ["ok", "\ufffd", None]


def test_whole_numbers() -> None:
    assert values.whole_numbers(pl.Series(["3", "3.5", "x", None])).values.to_list() == [3, None, None, None]
    assert values.whole_numbers(pl.Series([3.0, float("nan"), float("inf")])).values.to_list() == [
        3,
        None,
        None,
    ]


@pytest.mark.parametrize("kind", [pl.Categorical(), pl.Enum(["12 - 15", "$9.50", "7", "ask"])])
def test_categories_are_read_as_their_names(kind: pl.DataType) -> None:
    column = pl.Series(["12 - 15", "$9.50", "7", "ask", None])
    assert values.text(column.cast(kind)).equals(values.text(column), null_equal=True)
    for read in (values.prices, values.numbers):
        assert read(column.cast(kind)).values.equals(read(column).values, null_equal=True)


ODD = {
    "duration": pl.Series([timedelta(days=1), None]),
    "lists in lists": pl.Series([[["a"], ["b"]], None]),
    "records in lists": pl.Series([[{"a": 1}], None]),
    "records": pl.Series([{"a": 1}, None]),
    "no text": pl.Series([b"\xff", None]),
    "array": pl.Series([[1, 2], None], dtype=pl.Array(pl.Int64, 2)),
    "nothing": pl.Series([None, None]),
}


@pytest.mark.parametrize("column", ODD.values(), ids=ODD)
def test_no_type_of_column_is_an_error(column: pl.Series) -> None:
    texts = (values.text(column), values.joined_text([column]), category_paths([column], ">").values)
    for read in (*texts, *(of(column).values for of in (values.numbers, values.prices, values.datetimes))):
        assert len(read) == 2
        assert read[1] is None


@pytest.mark.parametrize(
    ("texts", "counts"),
    [
        (["24,269", "928"], [24269, 928]),
        (["24.269", "928"], [24269, 928]),
        (["1 024", "7"], [1024, 7]),
        (["1.234.567", "12"], [1_234_567, 12]),
        (["12.000", "7.000"], [12, 7]),
        (["1,2,3", "12"], [None, 12]),
    ],
)
def test_counts_are_whole(texts: list[str], counts: list[float | None]) -> None:
    assert values.counts(pl.Series(texts)).values.to_list() == counts


@pytest.mark.parametrize("mark", [".", ","])
def test_ratings_by_either_mark(mark: str) -> None:
    assert values.numbers(pl.Series([f"4{mark}5", "3", f"0{mark}25"])).values.to_list() == [4.5, 3, 0.25]


@pytest.mark.parametrize("share", [0.269, 0.5])
def test_counts_with_a_fraction_are_none(share: float) -> None:
    read = values.counts(pl.Series([24 + share, 7.0, None, float("nan")]))
    assert read.values.to_list()[:3] == [None, 7, None]
    assert [said.level for said in read.said] == ["WARN"]
    assert values.counts(pl.Series([f"{24 + share:.1f}", "7"])).values[1] == 7
    assert values.counts(pl.Series(["24.5", "7"])).values.to_list() == [None, 7]


@pytest.mark.parametrize(
    ("written", "currency"),
    [
        *((text, "EUR") for text in ("EUR", "eur", " €", "Euro", "Euro (EUR)", "EUR €", "EUR - Euro")),
        *((text, "RSD") for text in ("RSD", "дин.", "Dinar (RSD)")),
        *((text, text.upper()) for text in ("840", "978", "Bitcoin", "points")),
        *((text, None) for text in ("", "n/a", None)),
    ],
)
def test_a_column_of_currencies(written: str | None, currency: str | None) -> None:
    assert values.currencies(pl.Series([written], dtype=pl.String)).to_list() == [currency]


@pytest.mark.parametrize("codes", [["840", "392"], ["Bitcoin", "USD"], ["points", "EUR"]])
def test_prices_of_currencies_that_nobody_knows_are_not_mixed(codes: list[str]) -> None:
    found = one_currency(values.currencies(pl.Series([codes[0], codes[0], codes[1], None])))
    assert found.others.to_list() == [False, False, True, False]
    assert [said.level for said in found.said] == ["WARN"]
