"""Photos as shops name them: several in a field, by pattern, in two Unicode forms; hostile names are counted."""

from __future__ import annotations

import io
import os
import unicodedata
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image
from pydantic import ValidationError

from features.errors import InputError
from features.sources.load import CatalogueConfig, Collection, load


def photo(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(photo("red"))
    (tmp_path / "photos" / "b.jpg").write_bytes(photo("blue"))
    (tmp_path / "photos" / "broken.jpg").write_bytes(photo("blue")[:-40])
    (tmp_path / "secret.jpg").write_bytes(photo("green"))
    return tmp_path


def shop(base: Path, fields: list[Any], images: dict[str, str] | None = None, **more: Any) -> Collection:
    ids = [f"p{n}" for n in range(len(fields))]
    pl.DataFrame({"product_id": ids, "title": ids, "file": fields}).write_parquet(base / "products.parquet")
    pl.DataFrame({"query_id": ["q"], "text": ["p"]}).write_parquet(base / "queries.parquet")
    config = {
        "products": {"path": "products.parquet"},
        "queries": {"path": "queries.parquet"},
        "images": images or {"folder": "photos", "column": "file"},
    }
    return load(CatalogueConfig.model_validate(config | more), base)


def names(found: Collection) -> list[str | None]:
    return [None if path is None else Path(path).name for path in found.products["image"]]


def changed(found: Collection) -> dict[str, int]:
    return {step.step: step.affected for step in found.steps if step.affected and step.action == "changed"}


@pytest.mark.parametrize("between", [",", ", ", "|", ";", "\n", " "])
def test_of_several_in_a_field_the_first_that_can_be_read_is_taken(base: Path, between: str) -> None:
    rows = [
        ["a.jpg", "b.jpg"],
        ["broken.jpg", "b.jpg"],
        ["none.jpg", "broken.jpg", "a.jpg"],
        ["none.jpg", "no.jpg"],
    ]
    found = shop(base, [between.join(row) for row in rows])
    assert names(found) == ["a.jpg", "b.jpg", "a.jpg", None]
    assert changed(found) == {
        "several photos in one field: the first that can be read taken, 5 left out": 4,
        "photo set to null: file not found": 1,
    }
    assert found.rejected["products photos"].rows() == [("p3", "none.jpg", "file not found")]


def test_lists_of_names_and_of_bytes(base: Path) -> None:
    assert names(shop(base, [["broken.jpg", "a.jpg"], [], None, ["b.jpg"]])) == ["a.jpg", None, None, "b.jpg"]
    found = shop(base, [[b"broken", photo("red")], [photo("blue")], None])
    assert found.products["image"].to_list() == [photo("red"), photo("blue"), None]
    assert found.products["image_hash"].null_count() == 1


def test_several_rows_of_a_product_in_a_table_of_photos(base: Path) -> None:
    rows = {"product_id": ["p0", "p0", "p1", "p0"], "image": ["broken.jpg", "b.jpg", "a.jpg", "a.jpg"]}
    pl.DataFrame(rows).write_parquet(base / "photos" / "table.parquet")
    found = shop(base, ["x", "x"], {"path": "photos/table.parquet"})
    assert names(found) == ["b.jpg", "a.jpg"]
    assert "several photos in one field: the first that can be read taken, 2 left out" in changed(found)


@pytest.mark.parametrize("pattern", ["{id}.jpg", "{product_id}.jpg", "{title}.jpg", "./{id}.jpg"])
def test_files_named_by_a_pattern(base: Path, pattern: str) -> None:
    for name in ("p0", "p2"):
        (base / "photos" / f"{name}.jpg").write_bytes(photo("red"))
    found = shop(base, ["x", "x", "x"], {"folder": "photos", "column": pattern})
    assert names(found) == ["p0.jpg", None, "p2.jpg"]
    assert changed(found) == {"photo set to null: file not found": 1}


def test_the_pattern_that_fits_is_named_where_the_column_is_not_there(base: Path) -> None:
    (base / "photos" / "p0.png").write_bytes(photo("red"))
    with pytest.raises(InputError, match=r"set data.images.column to '\{id\}.png'"):
        shop(base, ["x", "x"], {"folder": "photos"})
    with pytest.raises(InputError, match="expected a column 'sku'"):
        shop(base, ["x"], {"folder": "photos", "column": "{sku}.jpg"})


@pytest.mark.parametrize(("on_disk", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_ids_and_names_in_two_unicode_forms(base: Path, on_disk: str, asked: str) -> None:
    for name in ("café", "größe", "が"):
        (base / "photos" / unicodedata.normalize(on_disk, f"{name}.jpg")).write_bytes(photo("red"))
    found = shop(base, [unicodedata.normalize(asked, f"{name}.jpg") for name in ("café", "größe", "が")])
    assert found.products["image"].null_count() == 0


def test_nothing_outside_the_folder_is_read_unless_it_is_allowed(base: Path) -> None:
    (base / "photos" / "link.jpg").symlink_to("../secret.jpg")
    fields = ["a.jpg", "../secret.jpg", str(base / "secret.jpg"), "link.jpg"]
    found = shop(base, fields)
    assert names(found) == ["a.jpg", None, None, None]
    assert changed(found) == {"photo set to null: outside its folder": 3}
    assert found.products["image_hash"].null_count() == 3
    assert names(shop(base, fields, files_outside=True))[1:] == ["secret.jpg", "secret.jpg", "link.jpg"]
    with pytest.raises(InputError, match=r"outside its folder.*set data.files_outside to true"):
        shop(base, fields[1:])


def test_pipes_devices_and_folders_are_counted_and_hold_nothing_up(base: Path) -> None:
    os.mkfifo(base / "photos" / "pipe.jpg")
    (base / "photos" / "folder.jpg").mkdir()
    found = shop(base, ["a.jpg", "pipe.jpg", "folder.jpg", "/dev/zero", "/dev/zero"], files_outside=True)
    assert names(found) == ["a.jpg", None, None, None, None]
    assert changed(found) == {"photo set to null: not a regular file": 4}


def test_a_column_of_ours_is_no_ones_attribute() -> None:
    with pytest.raises(ValidationError, match="image_hash"):
        CatalogueConfig.model_validate({"products": {"path": "p.csv", "numeric": ["image_hash"]}})
