"""Price limits in the many ways people write them, and the numbers that are no price."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.words.price_limits import PricedText, split_price_limit

UPPER = [
    "under 1500",
    "below rs 1500",
    "below Rs.1500",
    "less than $1500",
    "lower than 1500",
    "cheaper than 1500",
    "not more than 1500 rs",
    "no more than 1500",
    "not over 1500",
    "at most 1500",
    "up to 1500",
    "upto ₹1500",
    "within 1500 rupees",
    "maximum 1500",
    "max $1500",
    "max price 1500",
    "price max 1500",
    "budget 1500",
    "budget of 1500",
    "priced under 1500",
    "for under 1500",
    "<= 1500",
    "<1500",
    "≤1500",
    "under 1,500",
    "under 1,500.00",
    "under 1.5k",
    "under 1500/-",
    "under 1500rs",
    "under １５００",
    "UNDER 1500",
    "1500 dollars or less",
    "1500 or less",
    "1500$ or under",
    "1500 rs and below",
    "1500 dollars max",
]
LOWER = [
    "over 100",
    "above rs 100",
    "more than $100",
    "at least 100",
    "no less than 100",
    "not less than $100",
    "not under 100",
    "minimum 100",
    "min $100",
    "from $100",
    "starting at 100",
    ">= 100",
    ">100",
    "$100+",
    "100 usd and up",
    "100 dollars or more",
]
BETWEEN = [
    "between 10 and 20",
    "between $10 and $20",
    "between 20 and 10",
    "between 10-20",
    "from 10 to 20",
    "$10 to $20",
    "$10-$20",
    "10 - 20 dollars",
    "over 10 under 20",
    "above $10 and below $20",
]
NO_PRICE = [
    "size 10 to 12 years",
    "under armour shoes",
    "over ear headphones",
    "between the sheets",
    "10 to 20 ft",
    "from 10 to 20 ft",
    "tv under 55 inches",
    'laptop under 13.3"',
    "under 100 watts",
    "up to 40% off",
    "under 5 star",
    "air max 90",
    "dewalt 20 max drill",
    "air max 270 under armour",
    "multivitamin for women over 50",
    "games for kids under 10",
    "toys under 3 years",
    "board game from 2 to 4 players",
    "windows under 10",
    "dumbbells over 20 pounds",
    "more than 3000 sq. ft.",
    "vented 30 under cabinet range hoods",
    "1/4 20 flat under screw",
    "up to 1/2 in",
    "cabinet closet $100",
    "10 dollar gifts",
    "under $0",
    "under $20x",
    "under 5m",
    "under 50 p",
    f"under {'9' * 400}",
    "under 20v",
    "under",
    "",
    "🙂",
]


@pytest.mark.parametrize("words", UPPER)
@pytest.mark.parametrize("query", ["{}", "red tee {}", "{} red tee", "red {} tee", "tee for men {}"])
def test_an_upper_limit_is_read_and_cut_out(query: str, words: str) -> None:
    expected = " ".join(query.format("").split())
    assert split_price_limit(query.format(words)) == PricedText(expected, high=1500)


@pytest.mark.parametrize("words", LOWER)
def test_a_lower_limit_is_read_and_cut_out(words: str) -> None:
    assert split_price_limit(f"red tee {words}") == PricedText("red tee", low=100)


@pytest.mark.parametrize("words", BETWEEN)
def test_both_limits_are_read(words: str) -> None:
    found = split_price_limit(f"gifts {words}")
    assert (found.low, found.high) == (10, 20)
    assert found.rest in ("gifts", "gifts and")


@pytest.mark.parametrize(
    ("words", "high"),
    [
        ("under 1.000 €", 1000),
        ("under 2.345.678 rupiah", 2_345_678),
        ("under 1.299,50 eur", 1299.5),
        ("under 19,99 euro", 19.99),
        ("under 1 000 kr", 1000),
        ("under 1'299 chf", 1299),
        ("under 1.000", 1000),
        ("under 1.500 kwd", 1.5),
        ("under 12,750 tnd", 12.75),
        ("below 99 cents", 0.99),
        ("below 75¢", 0.75),
        ("under 50 pence", 0.5),
        ("under $.99", 0.99),
        ("under ₹1.5 lakh", 150_000),
        ("under 2 crore", 20_000_000),
        ("under 3 thousand zł", 3000),
        ("under $1m", 1_000_000),
        ("under us$ 30", 30),
        ("under aed 200", 200),
    ],
)
def test_marks_coins_and_factors_are_read_as_in_prices(words: str, high: float) -> None:
    assert split_price_limit(f"red tee {words}") == PricedText("red tee", high=high)


@given(st.integers(1, 999), st.integers(0, 999), st.sampled_from([" €", " eur", " zł", "€", " dollars"]))
def test_a_point_before_three_digits_parts_thousands(thousands: int, rest: int, currency: str) -> None:
    query = f"tee under {thousands}.{rest:03}{currency}"
    assert split_price_limit(query) == PricedText("tee", high=thousands * 1000 + rest)


@pytest.mark.parametrize("query", NO_PRICE)
def test_other_numbers_are_left_alone(query: str) -> None:
    assert split_price_limit(query) == PricedText(query)


def test_a_unit_does_not_undo_a_currency() -> None:
    assert split_price_limit("$20 or less 2 pack socks") == PricedText("2 pack socks", high=20)


def test_in_and_pack_of_after_a_price_are_no_units() -> None:
    assert split_price_limit("dress under 500 in red") == PricedText("dress in red", high=500)
    assert split_price_limit("tees under 500 pack of 3") == PricedText("tees pack of 3", high=500)


def test_a_number_too_high_for_an_age_is_a_price() -> None:
    assert split_price_limit("tshirts for boys under 500") == PricedText("tshirts for boys", high=500)


def test_of_two_upper_limits_the_lower_holds() -> None:
    assert split_price_limit("under 50 tee under 20") == PricedText("tee", high=20)


@given(st.floats(1, 1e6).map(lambda price: round(price, 2)))
def test_any_amount_is_read_exactly(price: float) -> None:
    assert split_price_limit(f"tee under {price:,.2f}").high == price


@given(st.text(alphabet="underov btw 0123456789,.$-+<to"))
def test_any_text_is_read_without_error(text: str) -> None:
    found = split_price_limit(text)
    assert found.low is None or found.low > 0
    assert found.high is None or found.high > 0


@pytest.mark.parametrize("part", ["under ", "9", "under 9,", "between 1 and ", "$ ", " "])
def test_ten_thousand_characters_are_read(part: str) -> None:
    text = part * (10_000 // len(part))
    assert len(split_price_limit(text).rest) <= len(text)
