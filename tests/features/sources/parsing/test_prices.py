"""Prices in the many ways that shops write them: read right, or null so that they are counted; never another number."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.parsing import values
from features.sources.parsing.prices import Prices, one_currency
from features.words.currencies import CURRENCY_OF, FACTORS, NO_DECIMALS, THREE_DECIMALS


def _read(*texts: str | None, **rules: object) -> Prices:
    return values.prices(pl.Series(texts, dtype=pl.String), **rules)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("€.75", 0.75),
        ("£ ,50", 0.5),
        ("85¢", 0.85),
        ("65 cents", 0.65),
        ("70p", 0.7),
        ("€3.4k", 3400),
        ("USD 7 million", 7e6),
        ("₹ 2.5 lakhs", 250_000),
        ("Rs. 3 crore", 3e7),
        ("8万円", 80_000),
        ("4-pack €20.50", 20.5),
        ("3 pairs from £45", 45),
        ("(€7.00)", -7),
        ("7.00-", -7),
        ("-£7", -7),
        ("1 250,00 zł", 1250),
        ("1\u202f250,00 €", 1250),
        ("CHF 2’450.–", 2450),
        ("٣٢٫٥٠ د.إ", 32.5),
        ("４５０円", 450),
        ("450 ₽/кг", 450),
        ("€2.99 / 250 ml", 2.99),
        ("19,95 € inkl. 19 % MwSt.", 19.95),
        ("from $12.50", 12.5),
        ("US$ 12.50", 12.5),
        ("$12.50 USD", 12.5),
        ("A$30", 30),
        ("12.50 - 15.00 €", 12.5),
        ("€10 bis €20", 10),
        ("99:-", 99),
        ("45,- Kč", 45),
        # What else stands there is unknown: no price at all.
        ("buy 2 get 1", None),
        ("3 for $10", None),
        ("£0.99p", None),
        ("€12.99 p/st", None),
        ("4 pack 20.50", None),
        ("was $20 now $15", None),
        ("$12 (20% off)", None),
        ("12⁹⁹", None),
        ("12€999", None),
        ("€ 12 USD", None),
        ("12 m", None),
        ("15-12", None),
        ("$1.2-1.5K", None),
        ("2024-05-01", None),
        ("1,2,3", None),
        ("1.23.456", None),
        ("12 34", None),
        ("12 lb", None),
        ("[16]", None),
        ("9" * 5000 + "x", None),
    ],
)
def test_one_price(text: str, price: float | None) -> None:
    assert _read(text).values.to_list() == [price]


SIGNS = sorted(CURRENCY_OF)


@given(
    cents=st.integers(1, 10**8),
    sign=st.sampled_from(SIGNS),
    before=st.booleans(),
    blank=st.sampled_from(["", " ", "\u00a0"]),
)
def test_every_currency_is_known_on_either_side(cents: int, sign: str, before: bool, blank: str) -> None:
    amount = f"{cents / 100:,.2f}"
    read = _read(f"{sign}{blank}{amount}" if before else f"{amount}{blank}{sign}")
    assert read.values.to_list() == [cents / 100]
    assert read.currency.to_list() == [CURRENCY_OF[sign]]


@given(st.text(alphabet="bdfghijklmnoqsuvwxyz#*=%&", min_size=3, max_size=6), st.integers(1, 999))
def test_a_number_beside_an_unknown_word_is_no_price(word: str, number: int) -> None:
    known = {*CURRENCY_OF, *FACTORS}
    assert _read(f"{number} {word}").values[0] is None or any(word.startswith(one) for one in known)


STYLES = {
    "point": (lambda n: f"{n:,.2f}", lambda n: f"{n:,}"),
    "comma": (
        lambda n: f"{n:,.2f}".translate(str.maketrans(",.", ".,")),
        lambda n: f"{n:,}".replace(",", "."),
    ),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("currency", ["", " €", " dkk"])
@given(
    cents=st.lists(st.integers(1, 10**7).filter(lambda c: c % 100), min_size=1, max_size=20),
    thousands=st.lists(st.integers(1000, 999_999), min_size=1, max_size=5),
)
def test_the_column_decides_a_lone_mark(
    style: str, currency: str, cents: list[int], thousands: list[int]
) -> None:
    fractions, wholes = STYLES[style]
    texts = [fractions(c / 100) + currency for c in cents] + [wholes(n) + currency for n in thousands]
    read = _read(*texts)
    assert read.values.to_list() == [c / 100 for c in cents] + [float(n) for n in thousands]
    assert {one.level for one in read.said} <= {"PASS"}
    assert len(read.said) == 1
    assert " as " in read.said[0].evidence


@pytest.mark.parametrize("currency", sorted(THREE_DECIMALS - {"dinar"}))
@given(fils=st.lists(st.integers(1, 999_999), min_size=2, max_size=9))
def test_a_dinar_has_three_decimals(currency: str, fils: list[int]) -> None:
    assert _read(*(f"{n / 1000:.3f} {currency}" for n in fils)).values.to_list() == [n / 1000 for n in fils]


@pytest.mark.parametrize(
    ("texts", "prices", "levels"),
    [
        (["1.299", "12.5"], [1.299, 12.5], ["PASS"]),
        (["1.299"], [1.299], ["WARN"]),  # as a program prints it, and nothing else tells
        (["1,299"], [1299], ["WARN"]),
        (["1.299", "899", "2.150"], [1299, 899, 2150], ["PASS"]),
        (["1.299", "899", "2.149"], [1299, 899, 2149], ["WARN"]),
        (["1,499", "899"], [1499, 899], ["PASS"]),
        (["1,500 KWD"], [1.5], ["WARN"]),
        (["1.299 €/l", "1.25 €/l"], [1.299, 1.25], ["PASS"]),
        (["$12.50", "1.299 €"], [12.5, 1299], ["PASS"]),
        (["1.299", "$1,299.00", "$1.299,00"], [None, 1299, 1299], ["WARN"]),
    ],
)
def test_how_sure_a_guess_is(texts: list[str], prices: list[float | None], levels: list[str]) -> None:
    read = _read(*texts)
    assert read.values.to_list() == prices
    assert [one.level for one in read.said] == levels


@pytest.mark.parametrize(("decimal", "price"), [(".", 1.299), (",", 1299)])
def test_the_setting_decides_what_nothing_else_does(decimal: str, price: float) -> None:
    read = _read("1.299", decimal=decimal)
    assert read.values.to_list() == [price]
    assert [one.level for one in read.said] == ["PASS"]


def test_bare_numbers_may_be_cents_and_small_coins_are() -> None:
    assert _read("1250", "99¢", cents=True).values.to_list() == [12.5, 0.99]


@pytest.mark.parametrize(
    ("currencies", "wanted", "main", "others"),
    [
        (["USD", "USD", "EUR", None], None, "USD", [False, False, True, False]),
        (["USD", "USD", "EUR", None], "eur", "EUR", [True, True, False, False]),
        (["$", "USD", "$", None], None, "$", [False] * 4),
        (["$", "$", "CAD", "CAD", "USD", "$", "CAD"], None, "$", [False] * 4 + [True, False, False]),
        (["rs", "INR", "INR"], None, "INR", [False] * 3),
        (["kr", "SEK", "EUR"], None, "EUR", [True, True, False]),
        ([None, None], None, None, [False, False]),
    ],
)
def test_one_currency_is_kept(
    currencies: list[str | None], wanted: str | None, main: str | None, others: list[bool]
) -> None:
    kept = one_currency(pl.Series(currencies, dtype=pl.String), wanted)
    assert (kept.currency, kept.others.to_list()) == (main, others)
    assert [one.level for one in kept.said] == ["WARN"] * any(others)


@pytest.mark.parametrize("currency", sorted(THREE_DECIMALS - {"dinar"}))
def test_commas_beside_points_part_a_dinars_thousands(currency: str) -> None:
    read = _read(f"1,500 {currency}", f"12.750 {currency}", f"2,100 {currency}")
    assert read.values.to_list() == [1500, 12.75, 2100]


@pytest.mark.parametrize("text", ["25,000 IQD", "IQD 25.000", "25 000 د.ع"])
def test_a_dinar_without_decimals(text: str) -> None:
    assert _read(text).values.to_list() == [25_000]


@pytest.mark.parametrize("thousands", [".", ","])
@pytest.mark.parametrize("dash", [",-", ".-", ",--", ",–", ".—", "/-", ":-"])
@given(thousand=st.integers(1, 999), rest=st.integers(0, 999))
def test_a_dash_for_cents_leaves_thousands_only(thousands: str, dash: str, thousand: int, rest: int) -> None:
    written = f"{thousand}{thousands}{rest:03}{dash}"
    assert values.prices(pl.Series([written])).values.to_list() == [thousand * 1000 + rest]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "12,99 €*",
            "12.99*",
            "12.99 EUR **",
            "&euro;12.99",
            "12.99&nbsp;&euro;",
            "&#8364; 12,99",
            "'12.99",
        ),
        *('"12.99"', "“12,99 €”", "12.99 EUR/m²", "12,99 € / m²", "12.99 EUR/100 g"),
    ],
)
def test_what_exports_leave_around_a_price(text: str) -> None:
    assert values.prices(pl.Series([text])).values.to_list() == [12.99]


@pytest.mark.parametrize("text", ["12⁹⁹", "$12 ⁹⁹", "12.⁹⁹", "*12.99", "12*99", "'", '""', "&euro;"])
def test_such_marks_elsewhere_are_no_price(text: str) -> None:
    assert values.prices(pl.Series([text])).values.to_list() == [None]


@pytest.mark.parametrize("currency", sorted(NO_DECIMALS))
@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize("other", ["12.50", "12,50", "7"])
@given(thousand=st.integers(1, 999), rest=st.integers(0, 999))
def test_a_currency_without_decimals_has_thousands(
    currency: str, mark: str, other: str, thousand: int, rest: int
) -> None:
    read = _read(f"{thousand}{mark}{rest:03} {currency}", other)
    assert read.values[0] == thousand * 1000 + rest


@given(euros=st.integers(0, 99_999), cents=st.integers(0, 99), blank=st.sampled_from(["", " "]))
def test_a_sign_in_place_of_the_mark(euros: int, cents: int, blank: str) -> None:
    assert _read(f"{euros}{blank}€{blank}{cents:02}").values[0] == pytest.approx(euros + cents / 100)


@pytest.mark.parametrize(
    "coin", ["centavos", "céntimos", "rappen", "groszy", "öre", "øre", "копеек", "haléřů", "kuruş"]
)
def test_small_coins_of_other_languages(coin: str) -> None:
    assert _read(f"75 {coin}").values.to_list() == [0.75]
