import io
import itertools
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from features.sources import cleaning
from features.sources.ledger import Ledger, Step, steps_frame
from features.sources.schema import Products, completed


def _counts(ledger: Ledger) -> dict[str, int]:
    return {step.step: step.affected for step in ledger.steps if step.affected}


def _products(**columns: Sequence[object]) -> pl.DataFrame:
    height = len(next(iter(columns.values())))
    ids = [f"p{i}" for i in range(height)]
    frame = completed(Products, pl.DataFrame({"product_id": ids, **columns}, strict=False))
    return frame.cast({name: dtype for name, dtype in pl.Schema(Products).items() if name in columns})


def _photo(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("dirty", "clean", "step"),
    [
        ("<p>Red<br/>shoe</p>", "Red shoe", "HTML tags and entities removed"),
        ("Tom &amp; Jerry", "Tom & Jerry", "HTML tags and entities removed"),
        ("a&amp;amp;nbsp;b", "a b", "HTML tags and entities removed"),
        ("&lt;b&gt;x&lt;/b&gt;", "x", "HTML tags and entities removed"),
        ("a<script type='x'>if (a<b) {}</script>b", "a b", "HTML tags and entities removed"),
        ("a <!-- b --> c", "a c", "HTML tags and entities removed"),
        ("a\x00b\u200bc\ufeff", "abc", "control characters removed"),
        ("ï»¿a", "a", "control characters removed"),
        (" a\t\n\u00a0 b ", "a b", "white space tidied"),
        ("", None, "empty text set to null"),
        ("<br>", None, "empty text set to null"),
    ],
)
def test_text_is_cleaned_and_counted(dirty: str, clean: str | None, step: str) -> None:
    ledger = Ledger()
    frame = cleaning.clean_text(
        _products(title=[dirty, "fine", None]), "products", ["title", "brand"], ledger
    )
    assert frame["title"].to_list() == [clean, "fine", None]
    assert _counts(ledger)[step] == 1
    assert all(count == 1 for count in _counts(ledger).values())


@pytest.mark.parametrize(
    "text", ["3 < 5 and 6 > 2", "size <large>", "AT&T", "a <b", "R&D; x", "👩\u200d🚀 suit", "R&amp"]
)
def test_plain_text_stays(text: str) -> None:
    ledger = Ledger()
    assert cleaning.clean_text(_products(title=[text]), "products", ["title"], ledger)["title"].to_list() == [
        text
    ]
    assert _counts(ledger) == {}


@given(st.lists(st.text("ab <>/&;#38amplt\x00\u200b\n"), min_size=1, max_size=5))
def test_entities_and_controls_never_come_back(texts: list[str]) -> None:
    once = cleaning.clean_text(_products(title=texts), "products", ["title"], Ledger())["title"].drop_nulls()
    assert not once.str.contains(r"&(?:amp|lt|#38);|[\x00\u200b\n]|^ | $|  |^$").any()


def test_the_example_shows_the_difference() -> None:
    ledger = Ledger()
    cleaning.clean_text(_products(title=["x" * 99 + "&amp;" + "y" * 99]), "products", ["title"], ledger)
    # Ten characters of what both share (the "&" is the last of them), then what differs, 40 in all.
    shared = "x" * 9 + "&"
    was, now = f"'{shared}amp;{'y' * 99}"[:39], f"'{shared}{'y' * 99}"[:39]
    step = next(step for step in ledger.steps if step.affected)
    assert step.example == f"title: {was}… → {now}…"


def test_nan_and_infinity_become_null() -> None:
    ledger = Ledger()
    frame = _products(rating=[float("nan"), float("inf"), 3.0, None], price=[float("-inf"), 1.0, 2.0, None])
    cleaned = cleaning.clean_numbers(frame, "products", ledger)
    assert cleaned["rating"].to_list() == [None, None, 3.0, None]
    assert cleaned["price"].to_list() == [None, 1.0, 2.0, None]
    assert _counts(ledger) == {"NaN or infinite set to null": 2}


def test_prices_of_zero_or_below_become_null_and_the_product_stays() -> None:
    ledger = Ledger()
    frame = cleaning.clean_prices(
        _products(price=[0.0, -1.0, 5.0, None], list_price=[0.0, 2.0, 3.0, 4.0]), ledger
    )
    assert frame["price"].to_list() == [None, None, 5.0, None]
    assert frame["list_price"].to_list() == [None, 2.0, 3.0, 4.0]
    assert _counts(ledger) == {"price of 0 or below set to null": 2}


@pytest.mark.parametrize(("others", "kept"), [(99, False), (18, True)])
def test_absurd_prices_become_null_where_there_are_enough_to_tell(others: int, kept: bool) -> None:
    highest = 10.0
    limit = cleaning.ABSURD_FACTOR * highest
    ledger = Ledger()
    frame = cleaning.clean_prices(_products(price=[highest] * others + [limit * 1.01]), ledger)
    assert frame["price"].null_count() == (not kept)
    assert sum(_counts(ledger).values()) == (not kept)
    at_limit = cleaning.clean_prices(_products(price=[highest] * others + [limit]), Ledger())
    assert at_limit["price"].null_count() == 0


def test_duplicates_are_told_apart_and_the_first_kept() -> None:
    frame = pl.DataFrame({"product_id": ["a", "b", "a", "a", "b"], "title": ["1", "2", "1", "3", "4"]})
    ledger = Ledger()
    kept = cleaning.deduplicate(frame, "products", "product_id", ledger)
    assert kept.rows() == [("a", "1"), ("b", "2")]
    assert _counts(ledger) == {
        "identical row of the same product_id": 1,
        "other values for the same product_id (the first row is kept)": 2,
    }
    assert ledger.rejected["products"]["title"].to_list() == ["1", "3", "4"]


GRADES = ([0.0, 3.0], [3.0, 0.0, 3.0], [2.0, 2.0], [1.0], [1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0])


@pytest.mark.parametrize("order", [1, -1])
def test_conflicting_grades_resolve_to_the_lower_median(order: int) -> None:
    rows = [(f"q{i}", "p", grade) for i, grades in enumerate(GRADES) for grade in grades][::order]
    frame = pl.DataFrame(rows, schema=["query_id", "product_id", "grade"], orient="row")
    ledger = Ledger()
    resolved = cleaning.resolve_judgements(frame, ledger).sort("query_id")
    assert resolved["grade"].to_list() == [sorted(grades)[(len(grades) - 1) // 2] for grades in GRADES]
    conflicting = [grades for grades in GRADES if len(set(grades)) > 1]
    assert list(_counts(ledger).values()) == [1, len(list(itertools.chain(*conflicting)))]


def test_unknown_keys_are_set_apart() -> None:
    frame = pl.DataFrame({"query_id": ["q", "r"], "product_id": ["a", "b"], "grade": [1.0, 2.0]})
    ledger = Ledger()
    kept = cleaning.reject_unknown(frame, "judgements", "product_id", pl.Series(["b", "c"]), ledger)
    assert kept["product_id"].to_list() == ["b"]
    assert ledger.rejected["judgements"].rows() == [("q", "a", 1.0, "product_id not among the products")]


def test_near_duplicates_are_only_reported() -> None:
    red, blue = _photo("red"), _photo("blue")
    frame = _products(
        title=["Red Shoe!", "red  shoe", "Red shoe", "Red Shoe", None, None],
        brand=["Acme", "ACME", "Other", "Acme", None, None],
        price=[5.0, 5.0, 5.0, 6.0, None, None],
        image=[red, blue, red, None, None, red],
    )
    ledger = Ledger()
    cleaning.report_near_duplicates(frame, ledger)
    assert [(step.affected, step.action) for step in ledger.steps] == [(1, "reported"), (2, "reported")]
    assert ledger.steps[0].example == "product_id='p1', like='p0', title='red  shoe'"
    assert ledger.rejected == {}


def test_steps_as_a_frame() -> None:
    step = Step("products", "checked", 3, 1, "reported", "a")
    assert steps_frame([step]).rows() == [("products", "checked", 3, 1, "reported", "a")]
    assert steps_frame([]).columns == steps_frame([step]).columns


WORDS = [
    "Café crème",
    "Größe – weiß",
    "l’été",
    "красный чайник",
    "红色鞋子",
    "kırmızı ışık",
    "100 €",
    "żółty",
    "ñandú",
]


@pytest.mark.parametrize("text", WORDS)
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("table", ["latin-1", "cp1252"])
def test_text_that_was_read_as_latin_and_written_again_is_mended(text: str, times: int, table: str) -> None:
    wrong = text
    for _ in range(times):  # Windows has no sign for five bytes, which programs keep as they are
        wrong = "".join(
            bytes([byte]).decode(table, "replace").replace("\ufffd", chr(byte)) for byte in wrong.encode()
        )
    column = pl.Series([wrong, *WORDS])
    for _ in range(times):
        column = cleaning._read_again(column)
    assert column.to_list() == [text, *WORDS]


@pytest.mark.parametrize(
    "text",
    [
        "IRMÃ",
        "Ã ",
        "â la carte",
        "ÄÖÜ",
        "Café Ã© é",
        "„weiß“",
        "weiß“",
        "Maß–Tabelle",
        "MAÇÃ – VERDE",
        "café–crème",
        "“LÔ",
    ],
)
def test_such_signs_that_people_write_stay(text: str) -> None:
    assert cleaning._read_again(pl.Series([text])).to_list() == [text]
