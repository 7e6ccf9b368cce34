"""What every group of features keeps to, of this package or not: hand it products, queries and its settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from features.batch import Block, PairBatch, QueryBatch, rows_of
from features.groups.protocol import Group
from features.index import CatalogueIndex
from tests.features.groups.asking import asked


def check_group(
    kind: type[Group], catalogue: CatalogueIndex, settings: Any, queries: pl.DataFrame, few: int = 3
) -> None:
    """Every product for every query: names, shapes, order of rows, one query alone, arrays saved and opened."""
    group = kind.index(catalogue, settings)
    ids = pl.DataFrame({"product_id": catalogue.product_ids})
    pairs = queries.select("query_id").join(ids, how="cross")
    whole = asked(group, catalogue, queries, pairs)
    assert whole.columns == group.names
    assert len(set(group.names)) == len(group.names)
    _check_matrix(group, catalogue, queries, pairs)
    mixed = pairs.with_row_index("row").sample(fraction=1, shuffle=True, seed=1)
    again = asked(group, catalogue, queries.reverse(), mixed.drop("row"))
    assert_frame_equal(again, whole[mixed["row"]], check_exact=True)
    for query in queries["query_id"].head(few):
        one = pairs.filter(query_id=query)
        alone = asked(group, catalogue, queries.filter(query_id=query), one)
        assert_frame_equal(alone, whole.filter(pairs["query_id"] == query), abs_tol=1e-5)
    _check_opened(group, catalogue, settings, queries, pairs, whole)
    _check_finds(group, catalogue, queries)


def _check_finds(group: Group, catalogue: CatalogueIndex, queries: pl.DataFrame) -> None:
    """Each named way gives up to n products a query, sorted by query, only of those that pass."""
    within = np.arange(len(catalogue)) % 2 == 0
    found = group.find(QueryBatch(queries), 3, within)
    assert len(found) == len(group.finds_by)
    for hits in found:
        assert (np.diff(hits.queries) >= 0).all()
        assert max(np.bincount(hits.queries), default=0) <= 3
        assert within[hits.items].all()


def _check_matrix(
    group: Group, catalogue: CatalogueIndex, queries: pl.DataFrame, pairs: pl.DataFrame
) -> None:
    """All that it writes is a number or missing, inside its own columns; a code is of its categories."""
    rows = rows_of(pairs["query_id"], queries["query_id"]), catalogue.rows_of(pairs["product_id"])
    batch, _ = PairBatch.of(queries, *rows)
    room = np.full((len(batch), len(group.features) + 2), 7, dtype=np.float32)
    group.block(batch, room[:, 1:-1])
    assert (room[:, [0, -1]] == 7).all()
    assert not np.isinf(room).any()
    for feature, values in zip(group.features, room[:, 1:-1].T, strict=True):
        if feature.kind == "categorical":
            codes = values[~np.isnan(values)]
            assert np.isin(codes, np.arange(len(feature.categories))).all()


def _check_opened(
    group: Group,
    catalogue: CatalogueIndex,
    settings: Any,
    queries: pl.DataFrame,
    pairs: pl.DataFrame,
    whole: pl.DataFrame,
) -> None:
    """Arrays that cannot be written, as mapped from a disk, without the products, give the same bits."""
    arrays = {name: np.array(array) for name, array in group.arrays().items()}
    for array in arrays.values():
        assert array.dtype != object
        array.flags.writeable = False
    ids = pl.DataFrame({"product_id": catalogue.product_ids})
    bare = CatalogueIndex(catalogue.product_ids, catalogue.catalogue_rows, catalogue.vectors, ids)
    opened = type(group).opened(bare, settings, arrays)
    assert opened.features == group.features
    assert_frame_equal(asked(opened, bare, queries, pairs), whole, check_exact=True)
    nothing = Block.empty(opened.features, 0)
    assert nothing.frame().columns == whole.columns
