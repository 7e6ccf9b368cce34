"""Ids as other programs leave them: mended where nothing is lost, refused where digits are, and always said."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from features.sources.parsing.ids import joint_ids, nearly_known, read_ids

IDS = st.text(alphabet="0123456789ABCXYZ-_.", min_size=1, max_size=12).filter(lambda i: not i.endswith(".0"))


@given(st.lists(IDS, min_size=1, max_size=9))
def test_ids_stay_as_they_are_written(ids: list[str]) -> None:
    read = read_ids(pl.Series(ids), "here")
    assert read.values.to_list() == [i.strip() for i in ids]
    assert read.said == ()


@given(
    st.lists(st.text(alphabet="0123456789", min_size=1, max_size=14), min_size=1),
    st.sampled_from(
        [
            *(
                '="{}"',
                "'{}",
                "’{}",
                '"{}"',
                "“{}”",
                '+"{}"',
                '= "{}"',
                '=T("{}")',
                '=CONCATENATE("{}")',
                "={}",
            ),
            '=HYPERLINK("https://x.io/1","{}")',
        ]
    ),
)
def test_what_spreadsheets_put_around_is_taken_off(ids: list[str], form: str) -> None:
    read = read_ids(pl.Series([form.format(i) for i in ids]), "here")
    assert read.values.to_list() == ids
    assert len(read.said) == 1


@given(st.lists(st.integers(0, 2**53 - 1) | st.none(), min_size=1))
def test_whole_floats_below_2_53_are_whole_ids(ids: list[int | None]) -> None:
    column = pl.Series(ids, dtype=pl.Float64)
    expected = [None if i is None else str(i) for i in ids]
    assert read_ids(column, "here").values.to_list() == expected
    printed = pl.Series([None if i is None else f"{i}.0" for i in ids], dtype=pl.String)
    assert read_ids(printed, "here").values.to_list() == expected


@pytest.mark.parametrize("value", [2.0**53, 2.0**63, 1e20, 1e300, -(2.0**60)])
def test_floats_that_hold_no_exact_number_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="2\\^53"):
        read_ids(pl.Series([1.0, None, value]), "here")


def test_no_float_is_a_traceback() -> None:
    assert read_ids(pl.Series([float("inf"), float("nan"), 1.5]), "here").values.to_list() == [
        None,
        None,
        "1.5",
    ]


@pytest.mark.parametrize(
    "written", ["5.01234E+12", "8E+15", "1,23E+09", "9.0072e+15", "5.01234E12", "########", '=TEXT(12,"000")']
)
def test_numbers_that_excel_shortened_are_refused_or_left_out(written: str) -> None:
    with pytest.raises(InputError, match="Excel"):
        read_ids(pl.Series([written, "5012345678900"]), "here")
    read = read_ids(pl.Series([written, *map(str, range(200))]), "here")
    assert read.values.to_list() == [None, *map(str, range(200))]
    assert [(one.level, "Excel" in one.evidence) for one in read.said] == [("WARN", True)]


@pytest.mark.parametrize("word", ["crème-2", "Ångström", "ñ1", "각1", "ệ"])
def test_both_unicode_forms_are_one_id(word: str) -> None:
    forms = [unicodedata.normalize(form, word) for form in ("NFC", "NFD")]
    assert read_ids(pl.Series([*forms, f"\ufeff{word}\u200b"]), "here").values.n_unique() == 1


@given(
    st.lists(st.integers(10**12, 10**13 - 1).filter(lambda i: i % 10), min_size=1),
    st.sampled_from(["E+", "e", "E"]),
)
def test_a_number_written_whole_with_an_exponent_is_that_number(numbers: list[int], mark: str) -> None:
    written = [f"{str(number)[0]}.{str(number)[1:]}{mark}12" for number in numbers]
    assert read_ids(pl.Series(written), "here").values.to_list() == list(map(str, numbers))


@pytest.mark.parametrize(
    "sku", ["1E10", "12E4", "E+12", "3e5", "1.5", "1.2.3", "v1,2", "AB#1", "A=1", "don't"]
)
def test_what_only_looks_like_damage_stays(sku: str) -> None:
    assert read_ids(pl.Series([sku, "other"]), "here").values.to_list() == [sku, "other"]


@given(
    st.lists(st.integers(1000, 10**9), min_size=1),
    st.sampled_from(", '"),
    st.sampled_from(["", ".0", ".00", ",0"]),
)
def test_ids_written_as_numbers(numbers: list[int], thousands: str, point: str) -> None:
    parted = [f"{number:,}".replace(",", thousands) for number in numbers]
    for column in (parted, [f"{number}{point}" for number in numbers]):
        assert read_ids(pl.Series(column), "here").values.to_list() == list(map(str, numbers))


@pytest.mark.parametrize(
    "written", ["A\u00a01", "Ａ １", "A\u202f1\u200e", "\u2066A 1\u2069", "A\u3000\ufe0f1", "\tA 1\x00"]
)
def test_signs_that_nobody_sees_are_none(written: str) -> None:
    assert read_ids(pl.Series([written]), "here").values.to_list() == ["A 1"]


@pytest.mark.parametrize("word", ["nan", "None", "NULL", "<NA>", "#N/A", "#REF!", "\\N"])
def test_words_for_no_value_are_no_ids(word: str) -> None:
    read = read_ids(pl.Series([word, "7", "8"]), "here")
    assert read.values.to_list() == [None, "7", "8"]
    assert [one.level for one in read.said] == ["WARN"]


@pytest.mark.parametrize(("zeros", "said"), [(4, 1), (0, 0)])
def test_long_ids_that_all_end_in_zeros_are_doubted(zeros: int, said: int) -> None:
    ids = pl.Series([f"{i:0{19 - zeros}d}".replace("0", "1") + "0" * zeros for i in range(5, 9)])
    assert len(read_ids(ids, "here").said) == said


def test_several_columns_are_one_id() -> None:
    joined = joint_ids([pl.Series(["a", "a", None]), pl.Series(["1", "2", "1"])], "here")
    assert joined.to_list() == ["a/1", "a/2", None]
    with pytest.raises(InputError, match="stay apart"):
        joint_ids([pl.Series(["a/b", "a"]), pl.Series(["c", "b/c"])], "here")


@pytest.mark.parametrize(
    ("ids", "known", "way"),
    [
        (["7", "12"], ["007", "012"], "without leading zeros"),
        (["AB-1"], ["ab-1"], "in other capitals"),
        (["7.0"], ["7"], "without '.0'"),
        (["AB 1"], ["AB-1"], "without blanks and dashes"),
        (["AB–1"], ["AB-1"], "without blanks and dashes"),
        (["#1,001"], ["1001"], "without blanks and dashes"),
        (
            ["1234567890123450000"],
            ["1234567890123456789"],
            "by their first 15 digits, which spreadsheets keep",
        ),
        (["x"], ["y"], ""),
    ],
)
def test_the_way_to_make_ids_meet_is_found(ids: list[str], known: list[str], way: str) -> None:
    assert nearly_known(pl.Series(ids), pl.Series(known)) == (len(ids) if way else 0, way)


@pytest.mark.parametrize(("kind", "bits"), [(pl.Float32, 24), (pl.Float64, 53)])
def test_each_kind_of_float_is_exact_up_to_its_own_bits(kind: type[pl.DataType], bits: int) -> None:
    assert read_ids(pl.Series([2.0**bits - 1], dtype=kind), "here").values.to_list() == [str(2**bits - 1)]
    with pytest.raises(InputError, match=f"2\\^{bits}"):
        read_ids(pl.Series([2.0**bits], dtype=kind), "here")


@pytest.mark.parametrize("scale", [0, 2, 5])
@given(ids=st.lists(st.integers(0, 10**20) | st.none(), min_size=1))
def test_decimals_of_whole_numbers_are_these(scale: int, ids: list[int | None]) -> None:
    column = pl.Series([None if i is None else Decimal(i) for i in ids], dtype=pl.Decimal(38, scale))
    assert read_ids(column, "here").values.to_list() == [None if i is None else str(i) for i in ids]


@given(
    ids=st.lists(st.integers() | st.text("ab", min_size=1), min_size=2, max_size=2).map(
        lambda two: [str(i) for i in two]
    )
)
def test_a_list_of_one_id_is_that_id_and_of_several_none(ids: list[str]) -> None:
    column = pl.Series([[ids[0]], [ids[1]], [], None])
    assert read_ids(column, "here").values.to_list() == [*ids, None, None]
    with pytest.raises(InputError, match="one id a row"):
        read_ids(pl.Series([ids, [ids[0]]]), "here")


@pytest.mark.parametrize("items", [[{"item_id": "p1", "price": 5.0}], [{"item_id": "p1", "price": 5.0}] * 2])
def test_lists_of_objects_are_no_ids(items: list[dict[str, object]]) -> None:
    with pytest.raises(InputError, match=r"lists of objects \(item_id, price\)"):
        read_ids(pl.Series([items, None]), "here")
