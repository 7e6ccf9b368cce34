"""An index changed by what changed in the catalogue is the one made anew."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.batch import QueryBatch
from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.cache import EmbeddingCache
from features.encoders.nearest import heads
from features.encoders.text.sentence_encoders import TfidfConfig, TfidfEncoder
from features.groups import lexical_counts

TEXTS = st.one_of(
    st.none(),
    st.sampled_from(
        ["", "red shoe", "Red-shoes 7.5 cm", "blue  dress", "500 ml 3 pack", "naïve café", "赤い靴", "nike"]
    ),
    st.lists(st.sampled_from(["red", "blue", "shoe", "dress", "12", "mm"]), max_size=5).map(" ".join),
)
PRODUCTS = st.fixed_dictionaries(
    {
        "title": TEXTS,
        "description": TEXTS,
        "brand": TEXTS,
        "category": TEXTS,
        "price": st.sampled_from([None, 1.5, 20.0]),
    }
)
TABLES = st.dictionaries(st.sampled_from([f"p{n}" for n in range(12)]), PRODUCTS, min_size=1, max_size=12)
SCHEMA = dict.fromkeys(("product_id", "title", "description", "brand", "category"), pl.String)
QUERIES = pl.DataFrame(
    {"query_id": list("abcd"), "text": ["red shoe under 20", "dress 12 mm", "赤い", None]},
    schema_overrides={"text": pl.String},
)


def table(products: dict[str, dict[str, Any]]) -> pl.DataFrame:
    rows = [{"product_id": name, **values} for name, values in products.items()]
    return pl.DataFrame(rows, schema=SCHEMA | {"price": pl.Float64})


def encoder() -> TfidfEncoder:
    made = TfidfEncoder(TfidfConfig(dimensions=4), Path())
    made.fit(["red shoe", "blue dress", "500 ml", "nike cafe", "12 mm", "red dress"])
    return made


@settings(max_examples=8, deadline=None)
@given(TABLES, TABLES, st.data())
def test_it_holds_the_arrays_of_one_made_anew(
    before: dict[str, dict[str, Any]], other: dict[str, dict[str, Any]], data: st.DataObject
) -> None:
    """Products of the earlier state, each kept as it was, gone, or with another's texts; and new ones."""
    kept = data.draw(st.sets(st.sampled_from(sorted(before))))
    after = {**{name: before[name] for name in sorted(kept)}, **copy.deepcopy(other)}
    for name in kept & other.keys():
        column = data.draw(st.sampled_from(sorted(SCHEMA.keys() - {"product_id"})))
        after[name] = {**before[name], column: other[name][column]}
    config, encoders = (
        FeaturesConfig.model_validate({"shown_words": False, "structured": False}),
        {"text": encoder()},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "_FEWEST", 1)
        first = FeatureBuilder(table(before), config, encoders)
        for by in first.catalogue.vectors.finding:
            first.catalogue.vectors.search(by.product)
        anew = FeatureBuilder(table(after), config, encoders)
        changed = FeatureBuilder(table(after), config, encoders, before=first)
        for kind, group in anew.groups.items():
            ours, theirs = changed.groups[kind].arrays(), group.arrays()
            assert ours.keys() == theirs.keys()
            for name, array in theirs.items():
                np.testing.assert_array_equal(ours[name], array, err_msg=name)
                assert ours[name].dtype == array.dtype, name
        for one, two in zip(
            changed.retrieve(QueryBatch(QUERIES), 4), anew.retrieve(QueryBatch(QUERIES), 4), strict=True
        ):
            assert one.tolist() == two.tolist()


def test_only_changed_products_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the folder of an earlier one; a changed price changes no word."""
    words = ["red", "blue", "long", "short", "dress", "shoe"]
    rng = np.random.default_rng(0)
    products = table(
        {f"p{n:03d}": {"title": " ".join(rng.choice(words, 3)), "price": 5.0} for n in range(80)}
    )
    config = FeaturesConfig.model_validate({"shown_words": False})

    def kept(products: pl.DataFrame) -> FeatureBuilder:
        return FeatureBuilder.kept(products, config, {"text": encoder()}, EmbeddingCache(tmp_path))

    kept(products)
    read = []
    real = lexical_counts.read_measures
    monkeypatch.setattr(
        lexical_counts, "read_measures", lambda texts: (read.append(len(texts)), real(texts))[1]
    )
    here = pl.col("product_id")
    changes = [
        products.with_columns(title=pl.when(here == "p007").then(pl.lit("green hat")).otherwise("title")),
        products.with_columns(price=pl.when(here == "p007").then(9.0).otherwise("price")),
        products[3:],
        pl.concat([products, products[:1].with_columns(product_id=pl.lit("new"))]),
    ]
    for number, changed in enumerate(changes):
        read.clear()
        found = kept(changed)
        assert sum(read) <= 4, number
        pairs = QUERIES.select("query_id").join(changed.select("product_id"), how="cross")
        anew = FeatureBuilder(changed, config, {"text": encoder()})
        ours, theirs = (one.build(QUERIES, pairs).frame for one in (found, anew))
        assert_frame_equal(ours, theirs, check_exact=True)
