"""How alike two products are: each part by its formula, the whole by the known parts."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from pydantic import ValidationError

from features.encoders.cache import EmbeddingCache
from features.encoders.image.plain import ColoursConfig, ColoursEncoder
from features.encoders.text.sentence_encoders import TfidfConfig, TfidfEncoder
from features.errors import InputError
from features.groups.likeness import PARTS, Likeness, LikenessWeights, overall


def photo(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(buffer, "PNG")
    return buffer.getvalue()


PRODUCTS = pl.DataFrame(
    {
        "product_id": ["a", "b", "c", "d"],
        "title": ["red boot", "red boot", "blue hat", None],
        "price": [10.0, 20.0, None, 10.0],
        "category": ["Shoes > Boots > High", "Shoes > Boots", "Hats", None],
        "image": [photo("red"), photo("red"), photo("blue"), None],
    }
)


@pytest.fixture
def likeness(tmp_path: Path) -> Likeness:
    text = TfidfEncoder(TfidfConfig(dimensions=8), tmp_path)
    text.fit(["red boot", "blue hat", "green sock", "grey cap"])
    encoders = {"text": text, "image": ColoursEncoder(ColoursConfig(), tmp_path)}
    return Likeness(PRODUCTS, encoders, EmbeddingCache(tmp_path / "cache"))


def test_each_part_is_its_formula(likeness: Likeness) -> None:
    pairs = {(row["a"], row["b"]): row for row in likeness.between(["a", "b", "c", "d"]).to_dicts()}
    assert len(pairs) == 6
    same = pairs["a", "b"]
    assert same["photo"] == pytest.approx(1, abs=1e-5)
    assert same["text"] == pytest.approx(1, abs=1e-5)
    assert same["price"] == pytest.approx(10 / 20)
    assert same["category"] == pytest.approx(2 / 3)
    other = pairs["a", "c"]
    assert other["photo"] < 0.5
    assert other["text"] == pytest.approx(0, abs=1e-5)
    assert other["category"] == 0


def test_what_either_product_lacks_is_not_known(likeness: Likeness) -> None:
    rows = {row["b"]: row for row in likeness.between(["a", "c", "d"]).to_dicts() if row["a"] == "a"}
    assert rows["c"]["price"] is None
    assert [rows["d"][part] for part in ("photo", "text", "category")] == [None] * 3
    assert rows["d"]["price"] == 1


def test_to_the_whole_catalogue_is_as_between_two(likeness: Likeness) -> None:
    every = {row["product_id"]: row for row in likeness.to("a").to_dicts()}
    assert list(every) == PRODUCTS["product_id"].to_list()
    for row in likeness.between(["a", "b", "c", "d"]).to_dicts():
        if row["a"] == "a":
            assert {part: every[row["b"]][part] for part in PARTS} == {part: row[part] for part in PARTS}


def test_the_whole_is_the_weighted_mean_of_the_known_parts() -> None:
    schema = dict.fromkeys(PARTS, pl.Float32)
    parts = pl.DataFrame([(0.5, 1.0, None, 0.0), (None,) * 4], schema=schema, orient="row")
    weights = LikenessWeights(photo=2, text=1, price=5, category=1)
    known, unknown = overall(parts, weights)
    assert known == pytest.approx((2 * 0.5 + 1 * 1.0 + 1 * 0.0) / (2 + 1 + 1))
    assert unknown is None


def test_without_encoders_price_and_category_are_left(tmp_path: Path) -> None:
    bare = Likeness(PRODUCTS.drop("image"), {}, EmbeddingCache(tmp_path)).between(["a", "b"])
    assert bare.row(0)[2:] == (None, None, pytest.approx(0.5), pytest.approx(2 / 3))


def test_unknown_products_and_bad_weights_are_refused(likeness: Likeness) -> None:
    with pytest.raises(InputError, match="'nope'"):
        likeness.to("nope")
    with pytest.raises(ValidationError):
        LikenessWeights(photo=-1)
