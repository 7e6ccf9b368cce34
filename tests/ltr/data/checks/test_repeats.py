"""Copied queries and contradicting grades are counted, and said above a share."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from features.sources.load import CatalogueConfig, load
from ltr.data.checks.repeats import examine_repeats
from ltr.data.doctor import Finding
from ltr.data.splits import FoldsConfig, make_folds

QUERIES = pl.DataFrame({"query_id": [f"q{n}" for n in range(40)], "text": [f"lamp {n}" for n in range(40)]})
JUDGEMENTS = QUERIES.select("query_id").join(
    pl.DataFrame({"product_id": ["a", "b", "c"], "grade": [0.0, 1.0, 2.0]}), how="cross"
)


def found(queries: pl.DataFrame, judgements: pl.DataFrame) -> dict[str, Finding]:
    return {one.check: one for one in examine_repeats(queries, judgements)}


def copied(count: int, text: pl.Expr, grade: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The first `count` queries once more under other ids."""
    other = pl.concat_str(pl.lit("copy "), pl.col("query_id")).alias("query_id")
    first = QUERIES.head(count)
    again = JUDGEMENTS.join(first, on="query_id", how="semi").with_columns(other, grade)
    # Judged in another order of rows: a copy all the same.
    return pl.concat([QUERIES, first.with_columns(other, text)]), pl.concat([JUDGEMENTS, again.reverse()])


@pytest.mark.parametrize(("count", "level"), [(0, "PASS"), (20, "WARN")])
def test_copies_are_counted(count: int, level: str) -> None:
    loud = pl.col("text").str.to_uppercase() + "!"
    one = found(*copied(count, loud, pl.col("grade")))["queries that copy another"]
    assert one.level == level
    assert one.evidence.startswith(f"{count} of {40 + count} ")
    assert bool(one.cure) == (level == "WARN")


def test_queries_of_other_words_or_grades_are_no_copies() -> None:
    for text, grade in ((pl.col("text") + " red", pl.col("grade")), (pl.col("text"), pl.col("grade") + 1)):
        assert found(*copied(20, text, grade))["queries that copy another"].level == "PASS"


def test_queries_of_nothing_are_no_copies() -> None:
    nothing = QUERIES.with_columns(text=pl.lit(None, pl.String))
    assert not examine_repeats(nothing, JUDGEMENTS)


def test_copies_share_a_fold() -> None:
    queries, _ = copied(20, pl.col("text"), pl.col("grade"))
    for fold in make_folds(FoldsConfig(folds=5), queries):
        for part in (fold.train, fold.validation, fold.test):
            assert {f"copy {query}" in part for query in part if query in QUERIES["query_id"].head(20)} <= {
                True
            }


@pytest.mark.parametrize(("count", "level"), [(2, "PASS"), (20, "WARN")])
def test_alike_queries_that_are_graded_differently(count: int, level: str) -> None:
    one = found(*copied(count, pl.col("text"), pl.col("grade") + 1))[
        "pairs that alike queries grade differently"
    ]
    assert one.level == level
    assert one.evidence.startswith(f"{3 * count} of 120 ")


@pytest.mark.parametrize(("count", "level"), [(0, "PASS"), (1, "PASS"), (30, "WARN")])
def test_rows_that_contradict_each_other(count: int, level: str, tmp_path: Path) -> None:
    again = JUDGEMENTS.head(count).with_columns(pl.col("grade") + 1)
    pl.concat([JUDGEMENTS, again]).write_csv(tmp_path / "judgements.csv")
    QUERIES.write_csv(tmp_path / "queries.csv")
    pl.DataFrame({"product_id": ["a", "b", "c"], "title": ["x", "y", "z"]}).write_csv(
        tmp_path / "products.csv"
    )
    tree = {name: {"path": f"{name}.csv"} for name in ("products", "queries", "judgements")}
    read = load(CatalogueConfig.model_validate({"kind": "catalogue"} | tree), tmp_path)
    message = examine_repeats(read.queries, read.judgements, read.steps)
    one = next(one for one in message if one.check == "rows that grade one pair differently")
    assert one.level == level
    assert one.evidence.startswith(f"{2 * count} of {120 + count} ")
