import polars as pl
import pytest

from features.sources.schema import Judgements, Products, Queries, completed, separate


def test_separate_keeps_order_and_further_columns() -> None:
    frame = pl.DataFrame({"query_id": ["a", None, "b"], "text": ["x", "y", None], "split": ["s", "t", "u"]})
    good, bad = separate(Queries, frame)
    assert good.equals(frame[[0, 2]])
    assert bad.to_dicts() == [{"query_id": None, "text": "y", "split": "t", "reason": "query_id missing"}]


@pytest.mark.parametrize(
    ("grade", "reason"),
    [
        (None, "grade missing"),
        (float("nan"), "grade NaN"),
        (float("inf"), "grade infinite"),
        (-1.0, "grade negative"),
    ],
)
def test_grades_that_cannot_be_used_have_their_reason(grade: float | None, reason: str) -> None:
    frame = pl.DataFrame({"query_id": ["q", "q"], "product_id": ["a", "b"], "grade": [grade, 0.5]})
    good, bad = separate(Judgements, frame)
    assert good["product_id"].to_list() == ["b"]
    assert bad["reason"].to_list() == [reason]


def test_several_reasons_are_joined() -> None:
    frame = pl.DataFrame({"query_id": [""], "product_id": ["a"], "grade": [-2.0]})
    _, bad = separate(Judgements, frame)
    assert bad["reason"].to_list() == ["query_id empty, grade negative"]


def test_no_row_at_all_is_fine() -> None:
    good, bad = separate(Judgements, pl.DataFrame(schema=pl.Schema(Judgements)))
    assert good.height == bad.height == 0
    assert bad.columns == [*good.columns, "reason"]


def test_completed_adds_typed_nulls_in_the_schemas_order() -> None:
    frame = completed(Products, pl.DataFrame({"extra": [1.0], "product_id": ["a"]}))
    assert frame.columns == [*Products.column_names(), "extra"]
    assert frame.schema["listed_at"] == pl.Datetime("us")
    assert frame.schema["price"] == pl.Float64
    assert frame["title"].to_list() == [None]
