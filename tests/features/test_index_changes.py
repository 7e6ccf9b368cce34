"""An index changed by what changed in the catalogue is the one made anew."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import disk, index
from features.batch import PairBatch, QueryBatch
from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.cache import EmbeddingCache
from features.encoders.nearest import heads
from features.groups import lexical_counts
from features.words import tokens

SCHEMA: dict[str, Any] = dict.fromkeys(
    ("product_id", "title", "description", "brand", "category", "colour"), pl.String
)
SCHEMA |= {"price": pl.Float64, "image": pl.Binary}
WORDS = ["red", "blue", "shoe", "dress", "12", "mm", "the"]
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["", "Red-shoes 7.5 cm", "blue  dress", "500 ml 3 pack", "naïve café", "赤い靴", "nike"]),
    st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join),
)
PHOTOS = st.one_of(st.none(), st.sampled_from([b"red 1", b"red 2", b"blue 3", b"broken"]))
PRODUCTS = st.fixed_dictionaries(
    {
        **dict.fromkeys(("title", "description", "brand", "category", "colour"), TEXTS),
        "price": st.sampled_from([None, 1.5, 20.0]),
        "image": PHOTOS,
    }
)
Rows = list[dict[str, Any]]
SHOPS = st.lists(PRODUCTS, min_size=8, max_size=14)
QUERIES = pl.DataFrame(
    {
        "query_id": list("abcde"),
        "text": ["red shoe under 20", "dress 12 mm", "赤い", None, "nike"],
        "image": [None, b"red 1", None, b"blue 7", None],
    },
    schema_overrides={"text": pl.String, "image": pl.Binary},
)
CONFIG = FeaturesConfig.model_validate(
    {"shown_words": {"min_products": 2}, "asked_words": {"min_products": 1}}
)


class Drawn:
    """A vector of each text or photo, drawn from its bytes alone; what is broken has none."""

    dimensions = 5

    def __init__(self, modality: str) -> None:
        self.modalities, self.fingerprint = frozenset({modality}), f"drawn {modality}"
        self.space = self.fingerprint

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        return np.array([self._vector(i if isinstance(i, bytes) else i.encode()) for i in items], np.float32)

    def _vector(self, item: bytes) -> np.ndarray:
        if item == b"broken":
            return np.full(self.dimensions, np.nan)
        vector = np.random.default_rng(list(item)).normal(size=self.dimensions)
        return vector / np.linalg.norm(vector)


ENCODERS = {"text": Drawn("text"), "image": Drawn("image")}


def table(rows: Rows) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA)


def with_row(rows: Rows, row: int, values: dict[str, Any]) -> Rows:
    return [*rows[:row], {**rows[row], **values}, *rows[row + 1 :]]


def with_new(rows: Rows, row: int, new: dict[str, Any]) -> Rows:
    """At any place; of an id that is there, another product."""
    others = [one for one in rows if one["product_id"] != new["product_id"]]
    return [*others[:row], new, *others[row:]]


CHANGES: dict[str, Callable[[Rows, int, str, dict[str, Any]], Rows]] = {
    "new product": lambda rows, row, _, new: with_new(rows, row, new),
    "other value": lambda rows, row, column, new: with_row(rows, row, {column: new[column]}),
    "other photo": lambda rows, row, _, new: with_row(rows, row, {"image": new["image"]}),
    "new brand": lambda rows, row, _, new: with_row(
        rows, row, {"brand": new["product_id"], "category": f"all > {new['product_id']}"}
    ),
    "copied": lambda rows, row, _, __: with_row(rows, row, {n: rows[0][n] for n in ("title", "image")}),
    "gone": lambda rows, row, _, __: rows[:row] + rows[row + 1 :] or rows,
    "in another order": lambda rows, row, _, __: rows[row:] + rows[:row][::-1],
    "column emptied": lambda rows, _, column, __: [{**one, column: None} for one in rows],
}
COLUMNS = ("title", "description", "brand", "category", "colour", "price")


@st.composite
def changed(draw: st.DrawFn, rows: Rows) -> Rows:
    """A few things that happen to catalogues, one upon the other."""
    for what in draw(st.lists(st.sampled_from(sorted(CHANGES)), max_size=4)):
        new = {"product_id": draw(st.sampled_from(["p00", "n1", "n2", "z3"])), **draw(PRODUCTS)}
        row, column = draw(st.integers(0, len(rows) - 1)), draw(st.sampled_from(COLUMNS))
        rows = CHANGES[what](rows, row, column, new)
    return rows


def assert_same(found: FeatureBuilder, anew: FeatureBuilder) -> None:
    """Arrays to the bit, features, and what is retrieved."""
    ours, theirs = found.catalogue, anew.catalogue
    assert ours.product_ids.equals(theirs.product_ids)
    assert ours.catalogue_rows.tolist() == theirs.catalogue_rows.tolist()
    assert [side.column for side in ours.vectors.sides] == [side.column for side in theirs.vectors.sides]
    for one, two in zip(ours.vectors.sides, theirs.vectors.sides, strict=True):
        pairs = zip(ours.vectors.of_products(one), theirs.vectors.of_products(two), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)
    for kind, group in anew.groups.items():
        arrays = found.groups[kind].arrays()
        assert arrays.keys() == group.arrays().keys()
        for name, array in group.arrays().items():
            np.testing.assert_array_equal(arrays[name], array, err_msg=f"{kind} {name}")
            assert arrays[name].dtype == array.dtype, name
    assert found.schema == anew.schema
    batch = QueryBatch(QUERIES)
    rows = np.tile(np.arange(len(ours)), len(batch)), np.repeat(np.arange(len(batch)), len(ours))
    blocks = [one.block(PairBatch.of(QUERIES, rows[1], rows[0])[0]).matrix for one in (found, anew)]
    np.testing.assert_array_equal(blocks[0], blocks[1])
    lists = [one.retrieve(batch, 4) for one in (found, anew)]
    assert [part.tolist() for part in lists[0]] == [part.tolist() for part in lists[1]]


@settings(max_examples=4, deadline=None)
@given(SHOPS, st.data())
def test_after_any_changes_it_equals_one_made_anew(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    """Each state from what the folder keeps of the one before, and opened again; searches by heads as of many."""
    rows = [{"product_id": f"p{number:02d}", **row} for number, row in enumerate(rows)]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(heads, "_FEWEST", 1)
        cache = EmbeddingCache(Path(folder))
        FeatureBuilder.kept(table(rows), CONFIG, ENCODERS, cache)
        for _ in range(2):
            rows = data.draw(changed(rows))
            anew = FeatureBuilder(table(rows), CONFIG, ENCODERS)
            assert_same(FeatureBuilder.kept(table(rows), CONFIG, ENCODERS, cache), anew)
        assert_same(FeatureBuilder.kept(table(rows), CONFIG, ENCODERS, cache), anew)


def shop(products: int) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {
            "product_id": f"p{n:03d}",
            "title": " ".join(rng.choice(WORDS, 3)),
            "price": 5.0,
            "image": f"photo {n}".encode(),
        }
        for n in range(products)
    ]
    return table(rows)


def test_only_changed_products_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the folder of an earlier one; a changed price changes no word."""
    read: list[int] = []

    def counting(real: Callable[[pl.Series], Any]) -> Callable[[pl.Series], Any]:
        def counted(texts: pl.Series) -> Any:
            read.append(len(texts))
            return real(texts)

        return counted

    products = shop(80)
    FeatureBuilder.kept(products, CONFIG, ENCODERS, EmbeddingCache(tmp_path))
    for module, name in ((lexical_counts, "read_measures"), (tokens, "tokenise")):
        monkeypatch.setattr(module, name, counting(getattr(module, name)))
    here = pl.col("product_id") == "p007"
    changes = [
        products.with_columns(title=pl.when(here).then(pl.lit("green hat")).otherwise("title")),
        products.with_columns(price=pl.when(here).then(9.0).otherwise("price")),
        products.with_columns(image=pl.when(here).then(pl.lit(b"another")).otherwise("image")),
        products[3:],
        products[::-1],
        pl.concat([products, products[:1].with_columns(product_id=pl.lit("new"))]),
    ]
    for number, now in enumerate(changes):
        read.clear()
        found = FeatureBuilder.kept(now, CONFIG, ENCODERS, EmbeddingCache(tmp_path))
        assert max(read, default=0) <= 3, number
        assert_same(found, FeatureBuilder(now, CONFIG, ENCODERS))


class Killed(BaseException):
    """What no clean-up is to meet: a killed process does none."""


@pytest.mark.parametrize("at", ["encoding", "first array", "last array", "about", "name"])
def test_killed_in_the_middle_of_a_change_the_next_time_heals(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shop(20)
    after = pl.concat([before[2:], shop(22)[20:]])
    FeatureBuilder.kept(before, CONFIG, ENCODERS, EmbeddingCache(tmp_path))
    known = {path.name for path in (tmp_path / "index").iterdir()}
    written: list[Path] = []

    def writing(file: Any, array: np.ndarray, **options: bool) -> None:
        if isinstance(file, Path):  # of the index, not of the vectors' cache
            written.append(file)
            if at == "first array" or (at == "last array" and len(written) == arrays):
                file.write_bytes(b"half")
                raise Killed
        real(file, array, **options)

    def killed(*_: object, **__: object) -> None:
        raise Killed

    real = np.save
    with monkeypatch.context() as patch:
        arrays = len(list((tmp_path / "index" / next(iter(known))).glob("*.npy")))
        patch.setattr(np, "save", writing)
        patch.setattr(disk.shutil, "rmtree", lambda *_, **__: None)
        if at == "encoding":
            patch.setattr(Drawn, "encode", killed)
        if at == "about":
            patch.setattr(Path, "write_text", killed)
        if at == "name":
            patch.setattr(index, "_put", killed)
        with pytest.raises(Killed):
            FeatureBuilder.kept(after, CONFIG, ENCODERS, EmbeddingCache(tmp_path))
    left = {path.name for path in (tmp_path / "index").iterdir()} - known
    assert all(name.startswith(".draft") for name in left)
    assert len(left) == (at != "encoding")
    anew = FeatureBuilder(after, CONFIG, ENCODERS)
    for _ in range(2):
        assert_same(FeatureBuilder.kept(after, CONFIG, ENCODERS, EmbeddingCache(tmp_path)), anew)
