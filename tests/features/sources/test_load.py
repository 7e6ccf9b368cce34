import hashlib
import io
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from features.errors import InputError
from features.sources.load import Collection, DataConfig, load


def load_shop(base: Path, config: dict[str, Any]) -> Collection:
    parsed = TypeAdapter(DataConfig).validate_python({"kind": "catalogue", **config})
    collection = load(parsed, base)
    for frame, keys in (
        (collection.products, ["product_id"]),
        (collection.queries, ["query_id"]),
        (collection.judgements, ["query_id", "product_id"]),
    ):
        assert not frame.select(keys).is_duplicated().any()
        assert frame.select(keys).null_count().sum_horizontal().item() == 0
    return collection


def _affected(collection: Collection) -> dict[tuple[str, str], int]:
    return {(step.table, step.step): step.affected for step in collection.steps if step.affected}


def _photo(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def _write(folder: Path, **tables: list[dict[str, Any]]) -> None:
    for name, rows in tables.items():
        pl.DataFrame(rows).write_parquet(folder / f"{name}.parquet")


PRODUCTS = [
    {
        "sku": 1,
        "name": "Red <b>shoe</b>",
        "text": "soft",
        "more": "light",
        "cost": "$1,299.00",
        "cat": ["Shoes", "Men"],
    },
    {"sku": 2, "name": "Blue shoe", "text": None, "more": "dark", "cost": "10 - 12", "cat": []},
    {"sku": 3, "name": "Hat", "text": None, "more": None, "cost": "ask", "cat": None},
]
GRADES = {"E": 3, "S": 2, "?": None}
MAPPED = {
    "product_id": "sku",
    "title": "name",
    "description": ["text", "more"],
    "price": "cost",
    "category": "cat",
}


def _shop(tmp_path: Path) -> dict[str, Any]:
    judgements = [
        {"query": "red  shoe", "product_id": 1, "grade": "E"},
        {"query": "hat", "product_id": 3, "grade": "S"},
        {"query": "hat", "product_id": 9, "grade": "S"},
        {"query": "hat", "product_id": 2, "grade": "?"},
    ]
    _write(tmp_path, products=PRODUCTS, judgements=judgements)
    return {
        "products": {"path": "products.parquet", "columns": MAPPED},
        "judgements": {"path": "judgements.parquet", "grades": GRADES},
    }


def test_a_shop_with_its_own_names(tmp_path: Path) -> None:
    shop = load_shop(tmp_path, _shop(tmp_path))
    columns = ["product_id", "title", "description", "price", "category"]
    assert shop.products.select(columns).rows() == [
        ("1", "Red shoe", "soft light", 1299.0, "Shoes > Men"),
        ("2", "Blue shoe", "dark", 10.0, None),
        ("3", "Hat", None, None, None),
    ]
    assert shop.queries.select("query_id", "text").rows() == [("q1", "hat"), ("q2", "red shoe")]
    assert shop.judgements.rows() == [("q2", "1", 3.0), ("q1", "3", 2.0)]
    assert _affected(shop) == {
        ("judgements", "white space tidied"): 1,
        ("products", "cost: no price, set to null"): 1,
        ("products", "price: lower bound of a range taken"): 1,
        ("products", "HTML tags and entities removed"): 1,
        ("products", "white space tidied"): 1,
        ("judgements", "grade missing"): 1,
        ("judgements", "product_id not among the products"): 1,
    }
    assert shop.rejected["judgements"]["reason"].to_list() == [
        "grade missing",
        "product_id not among the products",
    ]
    assert shop.fingerprints == {
        f"{name}.parquet": hashlib.sha256((tmp_path / f"{name}.parquet").read_bytes()).hexdigest()
        for name in ("products", "judgements")
    }
    assert shop.summary().height == len(shop.steps)


def test_the_resolved_config_reads_the_same(tmp_path: Path) -> None:
    config = TypeAdapter(DataConfig).validate_python({"kind": "catalogue", **_shop(tmp_path)})
    again = TypeAdapter(DataConfig).validate_python(config.model_dump(mode="json"))
    assert again == config
    assert load(again, tmp_path).products.equals(load(config, tmp_path).products)


def test_canonical_names_need_no_mapping_and_an_empty_list_leaves_one_out(tmp_path: Path) -> None:
    _write(
        tmp_path,
        products=[{"product_id": "a", "title": "x", "brand": "y", "price": 150, "colour": True, "n": 2}],
    )
    products = {
        "path": "products.parquet",
        "columns": {"brand": []},
        "price_unit": "cents",
        "numeric": ["n"],
        "categorical": ["colour"],
    }
    shop = load_shop(tmp_path, {"products": products})
    row = shop.products.row(0, named=True)
    expected = {"title": "x", "brand": None, "price": 1.5, "n": 2.0, "colour": "true", "image": None}
    assert expected.items() <= row.items()
    assert shop.judgements.height == shop.queries.height == 0


def test_photos_in_a_table_of_their_own(tmp_path: Path) -> None:
    photos = [(1, _photo("red")), (1, _photo("blue")), (2, b"broken"), (7, _photo("green"))]
    _write(tmp_path, photos=[{"id": key, "photo": photo} for key, photo in photos])
    shop = load_shop(
        tmp_path, _shop(tmp_path) | {"images": {"path": "photos.parquet", "key": "id", "column": "photo"}}
    )
    assert shop.products["image"].to_list() == [photos[0][1], None, None]
    counts = _affected(shop)
    assert (
        counts["products", "several photos in one field: the first that can be read taken, 1 left out"] == 1
    )
    assert counts["images", "photo of no product"] == 1
    assert counts["products", "no photo"] == 1
    assert counts["products", "photo set to null: not an image"] == 1


def test_photos_in_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(_photo("red"))
    _write(
        tmp_path,
        products=[{"product_id": i, "file": file} for i, file in enumerate(["a.jpg", "b.jpg", None, ""])],
    )
    config = {"products": {"path": "products.parquet"}, "images": {"folder": "photos", "column": "file"}}
    shop = load_shop(tmp_path, config)
    assert shop.products["image"].to_list() == [str(folder / "a.jpg"), None, None, None]
    assert _affected(shop) == {("products", "photo set to null: file not found"): 1}
    assert shop.rejected["products photos"]["file"].to_list() == ["b.jpg"]
    (folder / "a.jpg").write_bytes(_photo("blue"))
    again = load_shop(tmp_path, config)
    assert [k for k, v in again.fingerprints.items() if v != shop.fingerprints[k]] == ["products photos"]


def test_queries_of_their_own(tmp_path: Path) -> None:
    photo = _photo("red")
    queries = [
        {"query_id": 1, "text": "hat", "image": None, "kind": "text", "at": "2024-05-31"},
        {"query_id": 2, "text": None, "image": photo, "kind": "photo", "at": None},
        {"query_id": 3, "text": " ", "image": b"", "kind": "photo", "at": None},
        {"query_id": 4, "text": "hat", "image": None, "kind": "text", "at": None},
    ]
    _write(
        tmp_path,
        queries=queries,
        judged=[{"query": "hat", "product_id": 1, "grade": 1}, {"query": "?", "product_id": 1, "grade": 1}],
    )
    config = _shop(tmp_path) | {
        "queries": {"path": "queries.parquet", "columns": {"segment": "kind"}},
        "judgements": {"path": "judged.parquet"},
    }
    shop = load_shop(tmp_path, config)
    assert shop.queries.select("query_id", "text", "image", "segment", "at").rows() == [
        ("1", "hat", None, "text", datetime(2024, 5, 31)),
        ("2", None, photo, "photo", None),
        ("4", "hat", None, "text", None),
    ]
    assert shop.judgements.rows() == [("1", "1", 1.0)]
    counts = _affected(shop)
    assert counts["queries", "neither text nor a readable photo"] == 1
    assert counts["queries", "photo set to null: empty"] == 1
    assert counts["judgements", "query text not among the queries"] == 1
    assert shop.rejected["judgements"]["query"].to_list() == ["?"]


def test_events(tmp_path: Path) -> None:
    events = [
        {
            "query_id": "1",
            "product_id": 1,
            "list": 4,
            "position": 2,
            "action": "shown",
            "day": "2024-05-31T10:00",
        },
        {
            "query_id": "1",
            "product_id": 1,
            "list": 4,
            "position": None,
            "action": "click",
            "day": "2024-05-31T10:01",
        },
        {
            "query_id": "1",
            "product_id": 99,
            "list": 4,
            "position": 1,
            "action": "click",
            "day": "2024-05-31T10:02",
        },
        {"query_id": "1", "product_id": 1, "list": 4, "position": 1, "action": "click", "day": None},
    ]
    _write(tmp_path, events=events)
    columns = {"request_id": "list", "at": "day"}
    shop = load_shop(tmp_path, _shop(tmp_path) | {"events": {"path": "events.parquet", "columns": columns}})
    assert shop.events is not None
    assert shop.events.shown.select("request_id", "query_id", "product_id", "position").rows() == [
        ("4", "1", "1", 2)
    ]
    assert shop.events.actions.select("request_id", "product_id", "action").rows() == [
        ("4", "1", "click"),
        (None, "99", "click"),
    ]
    assert _affected(shop)["events", "at missing"] == 1
    assert _affected(shop)["events", "actions: product_id not among the products"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"products": {"path": "none.parquet"}}, "none.parquet: expected a file, got no such file"),
        ({"products": {"path": "products.parquet"}}, "expected a column 'product_id'"),
        (
            {"products": {"path": "products.parquet", "columns": MAPPED | {"title": "nam"}}},
            "expected a column 'nam', got the columns sku, name, text, more, cost, cat; set "
            "data.products.columns.title to the right column (the nearest name is 'name')",
        ),
        (
            {"products": {"path": "products.parquet", "columns": MAPPED, "numeric": ["name"]}},
            "column 'name': expected a number",
        ),
        (
            {"products": {"path": "products.parquet", "columns": MAPPED, "categorical": ["size"]}},
            "data.products.categorical",
        ),
        (
            {"products": {"path": "products.parquet", "columns": MAPPED | {"price": ["cost", "sku"]}}},
            "expected one column",
        ),
        (
            {"products": {"path": "products.parquet", "columns": MAPPED | {"product_id": "name"}}},
            "got '1', '3', '9'",
        ),
        (
            {"judgements": {"path": "judgements.parquet"}},
            "column 'grade': expected a number, got 'E' in row 1 (4 of 4 values are no number); set "
            "data.judgements.columns.grade to another column, or give each of its values a number in "
            "data.judgements.grades",
        ),
        (
            {
                "judgements": {
                    "path": "judgements.parquet",
                    "columns": {"query": []},
                    "grades": GRADES,
                }
            },
            "expected a column 'query_id'",
        ),
        (
            {"products": {"path": "products.parquet", "columns": MAPPED | {"price": "cat"}}},
            "column 'cat': expected a price, got ['Shoes', 'Men'] in row 1",
        ),
        (
            {"products": {"path": "products.parquet", "columns": MAPPED | {"title": "zzzz"}}},
            "set data.products.columns.title to the right column\n",
        ),
        ({"products": None}, "titles in the judgements"),
        (
            {"images": {"folder": "photos", "column": "name"}},
            "photos: expected a folder of photos, got none; mend data.images.folder",
        ),
        (
            {"images": {"folder": ".", "column": "name"}},
            "expected photos that can be read, got none in 3 (",
        ),
        (
            {"judgements": {"path": "judgements.parquet", "grades": {"E": -1, "S": -1, "?": None}}},
            "got none in 4 rows",
        ),
    ],
)
def test_a_wrong_config_is_told_in_one_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        load_shop(tmp_path, _shop(tmp_path) | change)
    assert message in f"{error.value}\n"
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "config",
    [
        {"products": {"path": "p.csv"}, "colour": 1},
        {"products": {"path": "p.csv", "columns": {"titel": "x"}}},
        {"products": {"path": "p.csv", "numeric": ["price"]}},
        {"products": {"path": "p.csv", "numeric": ["n"], "categorical": ["n"]}},
        {"products": {"path": "p.csv"}, "images": {"column": "x"}},
        {"products": {"path": "p.csv"}, "images": {"path": "x", "folder": "y"}},
        {},
        {"kind": "svmlight", "files": {}},
    ],
)
def test_settings_that_make_no_sense_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(DataConfig).validate_python({"kind": "catalogue", **config})


def test_ids_that_lost_their_zeros_are_told_from_a_wrong_column(tmp_path: Path) -> None:
    """A spreadsheet drops the zeros of every id: no row is left, and mapping another column would not help."""
    sku = [f"00{n}" for n in range(3)]
    pl.DataFrame({"product_id": sku, "title": ["a", "b", "c"]}).write_csv(tmp_path / "products.csv")
    judged = {"query": "a", "product_id": [str(n) for n in range(3)], "grade": 1}
    pl.DataFrame(judged).write_csv(tmp_path / "judgements.csv")
    files = {name: {"path": f"{name}.csv"} for name in ("products", "judgements")}
    with pytest.raises(InputError, match="alike without leading zeros: export both tables by one program"):
        load_shop(tmp_path, files)
