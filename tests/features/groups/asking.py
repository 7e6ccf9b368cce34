"""A group of features asked by tables, as tests write them down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from features.batch import Block, PairBatch, rows_of
from features.groups.protocol import Group
from features.index import CatalogueIndex


class NoCache:
    """A cache of a catalogue without encoders."""

    def embed(self, encoder: Any, items: pl.Series, modality: str, label: str = "") -> Any:
        raise AssertionError("nothing is to be encoded here")


def catalogue_of(
    products: pl.DataFrame, encoders: Mapping[str, Any] | None = None, cache: Any = None, fields: Any = None
) -> CatalogueIndex:
    fields = ("title", "description", "category", "brand") if fields is None else fields
    return CatalogueIndex.of(products, encoders or {}, cache or NoCache(), fields)


def asked(
    group: Group, catalogue: CatalogueIndex, queries: pl.DataFrame, pairs: pl.DataFrame
) -> pl.DataFrame:
    """The group's features of the pairs, row-aligned with them."""
    query_rows = rows_of(pairs["query_id"], queries["query_id"])
    batch, order = PairBatch.of(queries, query_rows, catalogue.rows_of(pairs["product_id"]))
    block = Block.empty(group.features, len(batch))
    group.block(batch, block.matrix)
    frame = block.frame()
    return frame if order is None else frame[np.argsort(order)]
