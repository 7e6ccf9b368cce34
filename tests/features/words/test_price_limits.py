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


FOREIGN_UPPER = """
    unter 1500 €|bis 1500 Euro|bis zu 1500€|max. 1500 EUR|höchstens 1500 €|hoechstens 1500 €|weniger als 1.500 €|
    nicht mehr als 1500 €|nicht über 1500 €|1500 € oder weniger|günstiger als 1500|preis bis 1500|unter 1500,- €|
    moins de 1500 euros|à moins de 1500 €|jusqu'à 1500€|jusqu’à 1500 €|pas plus de 1500 €|moins cher que 1500|
    menos de 1500 euros|por menos de 1500 €|hasta 1500€|no más de 1500 €|no mas de 1500 €|más barato que 1500|
    sotto i 1500 euro|meno di 1500 €|fino a 1500 €|non più di 1500 €|al di sotto dei 1500 €|
    onder de 1500 euro|tot 1500 euro|minder dan 1500 €|niet meer dan 1500 euro|
    do 1500 zł|poniżej 1500 zł|ponizej 1500 zl|nie więcej niż 1500 zł|
    até 1500 reais|menos de R$ 1500|abaixo de R$ 1.500,00|högst 1500 kr|inte över 1500 kr|maks 1500 kr|
    do 1500 Kč|sub 1500 lei|1500 forint alatt|1500 tl altı|1500 tl'nin altında|en fazla 1500 tl|έως 1500 €|
    до 1500 руб|до 1,5 тыс. рублей|дешевле 1500|не дороже 1500 ₽|di bawah rp 1.500|dưới 1.500 đ|ไม่เกิน 1500 บาท|
    ต่ำกว่า 1,500 บาท|أقل من 1500 ريال|أقل من ١٥٠٠ ريال|أقل من ١٬٥٠٠ ريال|עד 1500 ₪|מתחת ל-1500 ש"ח|₹1500 से कम|
    १५०० रुपये से कम|1500元以下|1500元以内|低于1500元|不超过1500元|1500円以下|1,500円未満|1500円まで|1500원 이하|
    0.15万円以下|1500원 미만|₹1500 तक
"""
FOREIGN_LOWER = """
    ab 100 €|über 100 €|mindestens 100 €|nicht unter 100 €|teurer als 100|plus de 100 €|à partir de 100 €|dès 100 €|
    pas moins de 100 €|más de 100 €|desde 100 €|più di 100 €|vanaf 100 euro|niet minder dan 100 euro|od 100 zł|
    powyżej 100 zł|acima de R$ 100|från 100 kr|inte under 100 kr|yli 100 €|от 100 руб|не дешевле 100 руб|100元以上|
    超过100元|不低于100元|100円以上|100円から|100원 이상|أكثر من 100 ريال|מעל 100 ₪|100 tl üstü|₹100 से ज्यादा|เกิน 100 บาท
"""
FOREIGN_BETWEEN = """
    zwischen 10 und 20 €|10 bis 20 €|von 10 bis 20 €|ab 10 bis 20 €|10€ bis 20€|entre 10 et 20 €|de 10 à 20 €|
    entre 10 y 20 €|de 10 a 20 €|tra 10 e 20 €|tussen 10 en 20 euro|entre R$ 10 e R$ 20|od 10 do 20 zł|
    mellan 10 och 20 kr|от 10 до 20 руб|10-20元|10到20元|10元到20元之间|10〜20円|10円から20円|
    10원~20원|10원에서 20원 사이|
    بين 10 و 20 ريال|بين ١٠ و٢٠ ريال|בין 10 ל-20 ₪|từ 10 đến 20 đ|10-20 tl arası|₹10 से ₹20|$10~$20|$10..$20
"""
FOREIGN_NO_PRICE = """
    hose bis 50|size bis 50|creme ab 100 ml|ab 3 jahren|bis 30 kg 20 €|zwischen 20 und 40 cm|entre 20 y 40|über 40|
    moins de 3 ans 20 €|plus size 50 €|plus de 50|buono da 50 euro|carte cadeau de 50 €|tot 30|do 110 cm|od 3 lat|
    do 20% taniej|до 110 см|от 3 лет|100元左右|100克以下|10歳以下|3万5千円以下|3만5천원 이하|5세 이하|100毫升以上|
    اقل من 5 كيلو|bis 2000 watt 50 €|mehr als 50 % baumwolle|unter 30 Tagen|RS1215-20
"""


def _wordings(lines: str) -> list[str]:
    return [wording.strip() for wording in lines.replace("\n", " ").split("|")]


@pytest.mark.parametrize("words", _wordings(FOREIGN_UPPER))
@pytest.mark.parametrize("query", ["{}", "tee {}", "{} tee"])
def test_an_upper_limit_is_read_in_other_languages(query: str, words: str) -> None:
    expected = " ".join(query.format("").split())
    assert split_price_limit(query.format(words)) == PricedText(expected, high=1500)


@pytest.mark.parametrize("words", _wordings(FOREIGN_LOWER))
def test_a_lower_limit_is_read_in_other_languages(words: str) -> None:
    assert split_price_limit(f"tee {words}") == PricedText("tee", low=100)


@pytest.mark.parametrize("words", _wordings(FOREIGN_BETWEEN))
def test_both_limits_are_read_in_other_languages(words: str) -> None:
    assert split_price_limit(f"tee {words}") == PricedText("tee", low=10, high=20)


@pytest.mark.parametrize("query", _wordings(FOREIGN_NO_PRICE))
def test_words_of_limits_say_nothing_of_what_has_no_currency(query: str) -> None:
    assert split_price_limit(query) == PricedText(query)


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        ("鞋100元以下", "鞋"),
        ("1000円以下の靴", "靴"),
        ("100元以下的鞋", "鞋"),
        ("รองเท้าไม่เกิน 500 บาท", "รองเท้า"),
    ],
)
def test_words_that_touch_a_limit_stay(query: str, rest: str) -> None:
    assert split_price_limit(query).rest == rest


@given(st.text(alphabet="unterbis zw19,.元以下円€до '"))
def test_any_foreign_text_is_read_without_error(text: str) -> None:
    found = split_price_limit(text)
    assert found.low is None or found.low > 0
    assert found.high is None or found.high > 0


@given(st.floats(1, 1e6).map(lambda price: round(price, 2)))
def test_any_amount_is_read_exactly(price: float) -> None:
    assert split_price_limit(f"tee under {price:,.2f}").high == price


@given(st.text(alphabet="underov btw 0123456789,.$-+<to"))
def test_any_text_is_read_without_error(text: str) -> None:
    found = split_price_limit(text)
    assert found.low is None or found.low > 0
    assert found.high is None or found.high > 0


@pytest.mark.parametrize(
    "part", ["under ", "9", "under 9,", "between 1 and ", "$ ", " ", "bis 9 €", "9元", "not "]
)
def test_ten_thousand_characters_are_read(part: str) -> None:
    text = part * (10_000 // len(part))
    assert len(split_price_limit(text).rest) <= len(text)


@pytest.mark.parametrize(
    "unit",
    [
        "kcal",
        "km",
        "km/h",
        "mbps",
        "dB",
        "celsius",
        "°c",
        "lux",
        "ohm",
        "mpg",
        "fps",
        "nits",
        "ingredients",
        "movies",
        "kwh",
    ],
)
@pytest.mark.parametrize("limit", ["under", "up to", "over", "less than"])
@pytest.mark.parametrize("blank", ["", " "])
@given(number=st.integers(2, 2000))
def test_what_else_numbers_measure_is_no_price(unit: str, limit: str, blank: str, number: int) -> None:
    text = f"snack {limit} {number}{blank}{unit}"
    assert split_price_limit(text) == PricedText(text)
