"""Writes the broken files of this folder: `python tests/bad_input/make_files.py`.

A whole little shop (products.csv, queries.csv, judgements.csv), and copies of its tables that are each broken
in one way. The tests take shop.yaml and put one broken file in the place of a whole one.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from PIL import Image

HERE = Path(__file__).resolve().parent
COLOURS = ("red", "blue", "green")
THINGS = ("shoe", "hat", "scarf", "coat")
TITLES = [f"{colour} {thing}" for thing in THINGS for colour in COLOURS]
PRODUCT_COLUMNS = ("product_id", "title", "brand", "category", "price", "rating")
PRODUCTS = [
    (f"p{i:02}", title, f"brand {i % 3}", f"clothes > {title.split()[1]}", f"{10 + 3 * i}", f"{1 + i % 5}")
    for i, title in enumerate(TITLES, start=1)
]
QUERIES = [(f"q{i:02}", title) for i, title in enumerate(TITLES, start=1)]


def judgements() -> list[tuple[str, str, str]]:
    """Half of the catalogue for each query: 2 for the thing asked for, 1 for another colour, some mistakes."""
    rows = []
    for q, (query_id, text) in enumerate(QUERIES):
        for p, product in enumerate(PRODUCTS):
            alike = len(set(text.split()) & set(product[1].split()))
            grade = 2 - alike if (q + 5 * p) % 7 == 0 else alike
            if alike or (q + p) % 2:
                rows.append((query_id, product[0], str(grade)))
    return rows


def csv(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]], encoding: str = "utf-8") -> None:
    lines = "".join(",".join(row) + "\n" for row in (columns, *rows))
    (HERE / name).write_text(lines, encoding=encoding, newline="")


def with_cells(column: str, cells: dict[int, str]) -> list[tuple[str, ...]]:
    """The products with other values in a column, by row (from 0)."""
    place = PRODUCT_COLUMNS.index(column)
    return [
        (*row[:place], cells.get(number, row[place]), *row[place + 1 :])
        for number, row in enumerate(PRODUCTS)
    ]


def whole_shop() -> None:
    csv("products.csv", PRODUCT_COLUMNS, PRODUCTS)
    csv("queries.csv", ("query_id", "text"), QUERIES)
    csv("judgements.csv", ("query_id", "product_id", "grade"), judgements())


def broken_tables() -> None:
    """Files that cannot be read at all."""
    (HERE / "empty.csv").write_bytes(b"")
    csv("header_only.csv", PRODUCT_COLUMNS, [])
    csv("not_utf8.csv", PRODUCT_COLUMNS, with_cells("title", {3: "chapeau brodé"}), "latin-1")
    csv("utf16.csv", PRODUCT_COLUMNS, PRODUCTS, "utf-16")
    csv("ragged.csv", PRODUCT_COLUMNS, with_cells("title", {4: "hat, blue, wide"}))
    csv("open_quote.csv", PRODUCT_COLUMNS, with_cells("title", {4: '"blue hat'}))
    csv("shop.xlsx", PRODUCT_COLUMNS, PRODUCTS)
    whole = (HERE / "products.csv").read_bytes()
    (HERE / "not_a.parquet").write_bytes(whole)
    (HERE / "not_zipped.csv.gz").write_bytes(whole)
    (HERE / "cut.csv.gz").write_bytes(gzip.compress(whole, mtime=0)[:150])
    buffer = io.BytesIO()
    pl.DataFrame(PRODUCTS, PRODUCT_COLUMNS, orient="row").write_parquet(buffer)
    (HERE / "cut.parquet").write_bytes(buffer.getvalue()[:1000])
    rows = [dict(zip(PRODUCT_COLUMNS, row, strict=True)) for row in PRODUCTS]
    lines = [json.dumps(row) for row in rows]
    (HERE / "cut.jsonl").write_text("\n".join(lines)[:400], encoding="utf-8")
    (HERE / "one_list.jsonl").write_text(json.dumps(rows, indent=1), encoding="utf-8")


def broken_products() -> None:
    """Tables that can be read, of which a column or some rows are wrong."""
    csv("wrong_columns.csv", ("sku", "name", "maker", "group", "cost", "stars"), PRODUCTS)
    csv("duplicate_ids.csv", PRODUCT_COLUMNS, [*PRODUCTS, PRODUCTS[0], ("p02", "other", *PRODUCTS[1][2:])])
    csv("no_ids.csv", PRODUCT_COLUMNS, with_cells("product_id", dict.fromkeys(range(12), "")))
    text = {0: "$29.00", 1: '"1.299,00 €"', 2: "12 - 15", 3: "ask", 4: "-5", 5: "0"}
    csv("text_prices.csv", PRODUCT_COLUMNS, with_cells("price", text))
    csv("no_prices.csv", PRODUCT_COLUMNS, with_cells("price", dict.fromkeys(range(12), "on request")))
    odd = {0: "NaN", 1: "inf", 2: "-inf", 3: "1e400"}
    csv("not_finite.csv", PRODUCT_COLUMNS, with_cells("rating", odd))
    rows: list[dict[str, object]] = [dict(zip(PRODUCT_COLUMNS, row, strict=True)) for row in PRODUCTS]
    rows[0] |= {"price": 13, "rating": 2}
    rows[1] |= {"price": [16], "rating": {"mean": 3}}
    rows[2] |= {"price": True, "title": 7}
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (HERE / "mixed_types.jsonl").write_text(lines, encoding="utf-8")


def broken_photos() -> None:
    """Products whose photos are whole, cut off, no photo, empty, or not there."""
    folder = HERE / "photos"
    folder.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    grey = Image.radial_gradient("L").resize((128, 128))
    Image.merge("RGB", (grey, grey.rotate(90), grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT))).save(
        buffer, "JPEG", quality=95
    )
    whole = buffer.getvalue()
    for name, content in (
        ("whole.jpg", whole),
        ("cut.jpg", whole[: len(whole) * 2 // 3]),
        ("text.jpg", b"<html>404 not found</html>"),
        ("empty.jpg", b""),
    ):
        (folder / name).write_bytes(content)
    names = ["whole.jpg", "cut.jpg", "text.jpg", "empty.jpg", "absent.jpg", *[""] * 7]
    rows = [(*row, name) for row, name in zip(PRODUCTS, names, strict=True)]
    csv("with_photos.csv", (*PRODUCT_COLUMNS, "photo"), rows)


def broken_queries() -> None:
    csv("empty_queries.csv", ("query_id", "text"), [*QUERIES[:8], *((q, " ") for q, _ in QUERIES[8:])])
    csv("duplicate_queries.csv", ("query_id", "text"), [*QUERIES, ("q01", "another text")])


def broken_judgements() -> None:
    columns, rows = ("query_id", "product_id", "grade"), judgements()
    csv("grade_50.csv", columns, [(*rows[0][:2], "50"), *rows[1:]])
    csv("grade_500.csv", columns, [(*rows[0][:2], "500"), *rows[1:]])
    csv("word_grades.csv", columns, [(q, p, "good" if grade == "2" else "bad") for q, p, grade in rows])
    bad = ("NaN", "inf", "-1", "", "good")
    some = [(q, p, bad[i] if i < len(bad) else grade) for i, (q, p, grade) in enumerate(rows)]
    csv("bad_grades.csv", columns, some)
    csv("one_grade.csv", columns, [(q, p, "1") for q, p, _ in rows])
    csv("other_products.csv", columns, [(q, f"SKU-{p}", grade) for q, p, grade in rows])
    csv("other_queries.csv", columns, [(f"old-{q}", p, grade) for q, p, grade in rows])
    csv("some_unknown.csv", columns, [*rows, ("q01", "p99", "1"), ("q99", "p01", "1"), ("", "p01", "1")])
    csv("conflicts.csv", columns, [*rows, rows[0], (*rows[1][:2], "9")])


def broken_svmlight() -> None:
    lines = [f"{i % 3} qid:{i // 4 + 1} 1:{i / 8} 2:{i * 7 % 5}" for i in range(24)]
    variants = {
        "bad_token.svm": [*lines[:5], "1 qid:2 1:0.5 two:3", *lines[5:]],
        "no_qid.svm": [*lines[:5], "1 1:0.5 2:3", *lines[5:]],
        "bad_label.svm": [*lines[:5], "good qid:2 1:0.5", *lines[5:]],
        "scattered.svm": [*lines, "1 qid:1 1:0.5"],
        "comments.svm": ["# nothing", "# here"],
        "not_finite.svm": [*lines[:5], "1 qid:2 1:nan 2:inf", *lines[5:]],
        "groups.svm": [line.replace(f" qid:{i // 4 + 1}", "") for i, line in enumerate(lines)],
    }
    for name, content in variants.items():
        (HERE / name).write_text("\n".join(content) + "\n", encoding="utf-8")
    (HERE / "groups.svm.query").write_text("4\n4\n4\n", encoding="utf-8")


def broken_configs() -> None:
    shop = (HERE / "shop.yaml").read_text(encoding="utf-8")
    (HERE / "open_bracket.yaml").write_text(shop.replace("folds: 2}", "folds: 2"), encoding="utf-8")
    (HERE / "tabs.yaml").write_text("name: shop\ndata:\n\tkind: catalogue\n", encoding="utf-8")
    (HERE / "not_utf8.yaml").write_text(shop + "# à la carte\n", encoding="latin-1")
    (HERE / "twice.yaml").write_text(shop + "ranker: {kind: xgboost}\n", encoding="utf-8")


if __name__ == "__main__":
    whole_shop()
    broken_tables()
    broken_products()
    broken_photos()
    broken_queries()
    broken_judgements()
    broken_svmlight()
    broken_configs()
