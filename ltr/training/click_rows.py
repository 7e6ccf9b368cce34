"""Training rows out of shown lists: each list as it was, or each pair with what its views earned."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.errors import InputError
from features.feature_schema import WEIGHT
from ltr.clicks.examination import Examination
from ltr.clicks.lists import PAIR, ShownLists
from ltr.clicks.models.model import sums_by
from ltr.data.dataset import Dataset

CLIP = 0.05  # the least chance to be seen that a click is divided by


def pair_features(pairs: pl.DataFrame, features: Dataset) -> np.ndarray:
    """(pairs,) the row of `features` of each pair; InputError for a pair without."""
    rows = features.frame.select(PAIR).with_row_index("row")
    found = pairs.join(rows, on=PAIR, how="left", maintain_order="left")["row"]
    if found.null_count():
        first = pairs.filter(found.is_null()).select(PAIR).row(0)
        raise InputError(
            where="feature table",
            expected="every pair that was shown",
            got=f"none of query {first[0]!r}, product {first[1]!r} ({found.null_count():,} such pairs)",
            cure="build features of the shown pairs",
        )
    return found.to_numpy().astype(np.int64)


def dataset_of(rows: pl.DataFrame, features: Dataset) -> Dataset:
    """Rows to train on: query_id, product_id (the order within a list), grade, row of `features`, and perhaps `place`
    and `judgement_weight`.
    """
    rows = rows.sort("query_id", "product_id")
    lengths = rows["query_id"].rle().struct
    return Dataset(
        rows.select(*PAIR, "grade", *(name for name in [WEIGHT] if name in rows.columns)),
        features.schema,
        np.ascontiguousarray(features.X[rows["row"].to_numpy()]),
        lengths.field("value").rename("query_id"),
        lengths.field("len").to_numpy().astype(np.int32),
        positions=rows["place"].to_numpy() if "place" in rows.columns else None,
    )


def rows_as_shown(lists: ShownLists, features: Dataset) -> pl.DataFrame:
    """Each list with a click and with more than one product as a list of its own, rows in the order shown.

    Columns as `dataset_of` takes them, place from 0; grade: what was done with a product, in [0, 1].
    """
    useful = lists.rows(lists.clicked.any(axis=1) & (lists.shown.sum(axis=1) > 1))
    row, place = np.nonzero(useful.shown)
    kept, of_kept = np.unique(useful.item[row, place], return_inverse=True)
    rows = pair_features(lists.pairs[kept], features)[of_kept]
    return pl.DataFrame(
        {
            "query_id": useful.request.gather(row),
            "product_id": pl.Series(place).cast(pl.String).str.zfill(4),
            "grade": useful.value[row, place],
            "row": rows,
            "place": place.astype(np.int32),
        }
    )


def as_shown(lists: ShownLists, features: Dataset) -> Dataset:
    """See `rows_as_shown`."""
    return dataset_of(rows_as_shown(lists, features), features)


def as_judged(judgements: pl.DataFrame, features: Dataset) -> Dataset:
    """The features of judged pairs with `rate` as the grade."""
    rows = pair_features(judgements, features)
    return dataset_of(judgements.select(*PAIR, grade="rate").with_columns(row=rows), features)


def ips_rates(lists: ShownLists, found: Examination) -> pl.DataFrame:
    """query_id, product_id, rate, views: mean over its rows of value over the chance to be seen, clipped."""
    seen = np.where(found.known, found.seen, 1.0).clip(CLIP, 1.0)
    earned = sums_by(lists.item, lists.pairs.height, lists.value / seen)
    views = sums_by(lists.item, lists.pairs.height, lists.shown)
    rates = lists.pairs.with_columns(rate=earned / np.where(views > 0, views, 1.0), views=views)
    return rates.filter(pl.col("views") > 0)
