"""Broken files through the commands: one clear line each; or the good rows are kept and the others counted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

if TYPE_CHECKING:
    from tests.ltr.conftest import Shop

BAD = Path(__file__).resolve().parent.parent / "bad_input"
JUDGED = pl.read_csv(BAD / "judgements.csv")
LOST = JUDGED.filter(pl.col("query_id") > "q08").height  # of the queries that empty_queries.csv empties
PHOTOS = "--data.products.path with_photos.csv --data.images.column photo --data.images.folder"
SVMLIGHT = "--data.kind svmlight --data.files.all"

REFUSED = [
    ("--data.products.path empty.csv", "empty.csv: expected rows, got an empty file"),
    ("--data.products.path header_only.csv", "header_only.csv: expected rows, got a header only"),
    ("--data.products.path absent.csv", "absent.csv: expected a file, got no such file; check the path"),
    ("--data.products.path photos", "photos: expected a file, got a folder; check the path"),
    ("--data.products.path not_utf8.csv", "not_utf8.csv, line 5: expected UTF-8 text, got the byte 0xe9; save"),
    ("--data.products.path ragged.csv", "ragged.csv, line 6: expected 6 fields, as in the header, got 8; put"),
    ("--data.products.path open_quote.csv", "open_quote.csv, line 6: expected a closing quote for each opening"),
    ("--data.products.path shop.xlsx", "expected .parquet, .csv, .tsv, .txt, .json or .jsonl (each also"),
    ("--data.products.path not_a.parquet", "expected a Parquet file, got one that starts with b'product_id'; name"),
    ("--data.products.path cut.parquet", "expected a Parquet file, got one that is cut off at its end; fetch"),
    ("--data.products.path not_zipped.csv.gz", "got not a gzipped file (b'pr'); fetch or pack it again; if it is"),
    ("--data.products.path cut.csv.gz", "expected a whole gzip file, got compressed file ended before"),
    ("--data.products.path cut.jsonl", "cut.jsonl, line 4: expected a JSON object, got '{\"product_id\": \"p04\""),
    ("--data.products.path one_list.jsonl", "one_list.jsonl, line 1: expected a JSON object, got '['"),
    (
        "--data.products.path wrong_columns.csv",
        "wrong_columns.csv: expected a column 'product_id', got the columns sku, name, maker, group, cost, stars; "
        "set data.products.columns.product_id to the right column\n",
    ),
    (
        "--data.products.columns.title titel",
        "expected a column 'titel', got the columns product_id, title, brand, category, price, rating; set "
        "data.products.columns.title to the right column (the nearest name is 'title')",
    ),
    ("--data.products.categorical [brnd]", "data.products.categorical to the right column (the nearest name is"),
    ("--data.products.path no_ids.csv", "no_ids.csv: expected products with an id, got none with one; set"),
    (
        "--data.products.path no_prices.csv",
        "no_prices.csv, column 'price': expected a price, got 'on request' in row 1 (12 of 12 values are no price); "
        "set data.products.columns.price to another column, or mend this one",
    ),
    (f"{PHOTOS} fotos", "fotos: expected a folder of photos, got none; mend data.images.folder"),
    (f"{PHOTOS} .", "expected photos that can be read, got none in 5 (whole.jpg: file not found); check"),
    ("--data.queries.columns.text []", "queries.csv: expected queries with an id, and a text or a photo, got none"),
    ("--data.judgements.path products.csv", "expected a column 'grade', got the columns product_id, title, brand"),
    (
        "--data.judgements.path word_grades.csv",
        f"column 'grade': expected a number, got 'bad' in row 1 ({JUDGED.height} of {JUDGED.height} values are no "
        "number); set data.judgements.columns.grade to another column, or give each of its values a number in "
        "data.judgements.grades",
    ),
    (
        "--data.judgements.path other_products.csv",
        "expected values of product_id as in the other tables ('p01', 'p02', 'p03'), got 'SKU-p01', 'SKU-p02', "
        "'SKU-p03'; map product_id",
    ),
    (
        "--data.judgements.path other_queries.csv",
        "expected values of query_id as in the other tables ('q01', 'q02', 'q03'), got 'old-q01', 'old-q02', "
        "'old-q03'; map query_id",
    ),
    ("--data.judgements null", "data.judgements: expected a table of graded pairs, got none; set"),
    ("--data.events.path judgements.csv", "expected a column 'at', got the columns query_id, product_id, grade; set"),
    (f"{SVMLIGHT} bad_token.svm", "and a number (nan where it is missing), got 'two:3'; mend"),
    (f"{SVMLIGHT} bad_label.svm", "bad_label.svm, line 6: expected a grade, got 'good'; mend that line"),
    (f"{SVMLIGHT} no_qid.svm", "no_qid.svm, line 6: expected qid:N after the grade, got none; add it, or put"),
    (f"{SVMLIGHT} scattered.svm", "line 25: expected all rows of a query together, got query '1' again; sort"),
    (f"{SVMLIGHT} groups.svm", "groups.svm.query: expected group sizes that add up to the 24 rows of groups.svm"),
    (f"{SVMLIGHT} comments.svm", "comments.svm: expected rows, got comments only"),
]  # fmt: skip


def test_what_the_shop_is_before_it_is_broken(shop: Shop) -> None:
    ended = shop.run("check")
    assert (ended.status, ended.err) == (0, "")
    assert f"read: 12 products, 12 queries, {JUDGED.height} judgements\n" in ended.out


@pytest.mark.parametrize(("words", "line"), REFUSED)
def test_a_file_that_cannot_be_used_is_told_in_one_line(shop: Shop, words: str, line: str) -> None:
    assert line in shop.refused(f"check {words}")


# What is broken, judgements kept, cleaning steps with the rows they concern, rejected rows by table.
KEPT = [
    (
        "--data.products.path duplicate_ids.csv",
        JUDGED.height,
        {
            "identical row of the same product_id": 1,
            "other values for the same product_id (the first row is kept)": 1,
        },
        {"products": 2},
    ),
    (
        "--data.products.path text_prices.csv",
        JUDGED.height,
        {
            "price: no price, set to null": 1,
            "price: lower bound of a range taken": 1,
            "price: in another currency than $, set to null": 1,
            "price of 0 or below set to null": 2,
        },
        {},
    ),
    ("--data.products.path utf16.csv", JUDGED.height, {}, {}),
    ("--data.products.path not_finite.csv", JUDGED.height, {"NaN or infinite set to null": 3}, {}),
    (
        "--data.products.path mixed_types.jsonl",
        JUDGED.height,
        {"price: no price, set to null": 2, "rating: no number, set to null": 1},
        {},
    ),
    (
        f"{PHOTOS} photos",
        JUDGED.height,
        {
            "photo set to null: truncated": 1,
            "photo set to null: not an image": 1,
            "photo set to null: empty": 1,
            "photo set to null: file not found": 1,
        },
        {"products photos": 4},
    ),
    (
        "--data.queries.path empty_queries.csv",
        JUDGED.height - LOST,
        {
            "empty text set to null": 4,
            "neither text nor a readable photo": 4,
            "query_id not among the queries": LOST,
        },
        {"queries": 4, "judgements": LOST},
    ),
    (
        "--data.queries.path duplicate_queries.csv",
        JUDGED.height,
        {"other values for the same query_id (the first row is kept)": 1},
        {"queries": 1},
    ),
    (
        "--data.judgements.path bad_grades.csv",
        JUDGED.height - 5,
        {"grade: no number, set to null": 1, "grade missing": 3, "grade infinite": 1, "grade negative": 1},
        {"judgements": 5},
    ),
    (
        "--data.judgements.path some_unknown.csv",
        JUDGED.height,
        {
            "query_id missing": 1,
            "product_id not among the products": 1,
            "query_id not among the queries": 1,
        },
        {"judgements": 3},
    ),
    (
        "--data.judgements.path conflicts.csv",
        JUDGED.height,
        {
            "the same grade for the same pair again": 1,
            "conflicting grades of a pair resolved to their lower median": 2,
        },
        {"judgements": 1},
    ),
    (f"{SVMLIGHT} not_finite.svm", 24 + 1, {"NaN or infinite set to null": 1}, {}),
]


@pytest.mark.parametrize(("words", "judgements", "steps", "rejected"), KEPT)
def test_good_rows_are_kept_and_the_others_counted(
    shop: Shop, words: str, judgements: int, steps: dict[str, int], rejected: dict[str, int]
) -> None:
    ended = shop.run(f"train {words}")
    assert (ended.status, ended.err) == (0, "")
    folder = shop.folder / "runs" / "shop-lightgbm"
    counted = {step["step"]: step for step in json.loads((folder / "cleaning.json").read_text())}
    assert {name: step["affected"] for name, step in counted.items() if step["affected"]} == steps
    message = shop.run(f"check {words}").out
    for name, affected in steps.items():
        row = rf"{counted[name]['table']} +{re.escape(name)} +{counted[name]['rows']} +{affected} "
        assert re.search(row, message), name
    kept = {path.stem: pl.read_parquet(path) for path in (folder / "rejected").glob("*.parquet")}
    assert {table: rows.height for table, rows in kept.items()} == rejected
    assert all(rows["reason"].null_count() == 0 for rows in kept.values())
    assert pl.read_parquet(folder / "scores.parquet").height == judgements


def test_a_grade_of_50_is_warned_of_and_one_of_500_refused(shop: Shop) -> None:
    ended = shop.run("train --data.judgements.path grade_50.csv")
    assert (ended.status, ended.err) == (0, "")
    assert re.search(r"WARN +labels for lightgbm +highest grade 50; .+\n +cure: .+ linear\n", ended.out)
    findings = json.loads((shop.folder / "runs" / "shop-lightgbm" / "doctor.json").read_text())
    assert "labels for lightgbm" in [finding["check"] for finding in findings if finding["level"] == "WARN"]
    line = shop.refused("train --data.judgements.path grade_500.csv")
    assert "ranker.gain: expected grades up to 127 for gain 2^grade - 1, got 500; choose ranker.gain" in line


def test_the_doctor_says_no_by_status_1(shop: Shop) -> None:
    ended = shop.run("check --data.judgements.path one_grade.csv")
    assert ended.status == 1
    assert "FAIL  queries with one grade" in ended.out
    line = shop.refused("train --data.judgements.path one_grade.csv")
    assert "data doctor: expected 'queries with one grade' to pass, got 12 of 12" in line


def test_20000_rows_in_one_query(shop: Shop) -> None:
    rows = 20_000
    ids = [f"p{number}" for number in range(rows)]
    pl.DataFrame({"product_id": ids, "title": "hat"}).write_parquet(shop.folder / "products.parquet")
    judged = {"query_id": ["q01"] * rows + ["q02"] * 9, "product_id": ids + ids[:9]}
    grades = [number % 3 for number in range(rows + 9)]
    pl.DataFrame({**judged, "grade": grades}).write_parquet(shop.folder / "grades.parquet")
    tables = f"--data.products.path {shop.folder}/products.parquet --data.judgements.path {shop.folder}/grades.parquet"
    line = shop.refused(f"train {tables}")
    assert (
        "'longest query for lightgbm' to pass, got 20,000 rows, limit 10,000; keep fewer candidates" in line
    )
    assert shop.run(f"check {tables} --ranker.kind xgboost").status == 0


def test_an_error_names_twenty_columns_of_a_wide_table_and_counts_the_others(shop: Shop) -> None:
    wide = pl.DataFrame({f"column {number}": ["x"] for number in range(500)})
    wide.write_parquet(shop.folder / "wide.parquet")
    line = shop.refused(f"check --data.products.path {shop.folder}/wide.parquet")
    assert "column 18, column 19 and 480 more; set data.products.columns.product_id" in line
