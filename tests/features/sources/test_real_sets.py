"""Every real set in ../shared/data loads with a short config, and nothing is lost on the way."""

import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import TypeAdapter

from features.sources.load import Collection, DataConfig, load

SHARED = Path(os.environ.get("LTR_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))


def _load(name: str, config: dict[str, Any]) -> Collection:
    return load(TypeAdapter(DataConfig).validate_python({"kind": "catalogue", **config}), _real(name))


def _real(name: str) -> Path:
    if not (SHARED / name).is_dir():
        pytest.skip(f"needs the real set {name!r} in ../shared/data")
    return SHARED / name


REAL: dict[str, tuple[dict[str, Any], tuple[int, int, int]]] = {
    "esci": (
        {
            "products": {
                "path": "products.parquet",
                "columns": {"product_id": "asin", "description": ["description", "bullet_points"]},
                "categorical": ["color", "is_book"],
            },
            "judgements": {"path": "judgments.parquet", "columns": {"product_id": "asin"}},
        },
        (6764, 100, 4438),
    ),
    "icecat": (
        {
            "products": {
                "path": "products.parquet",
                "columns": {
                    "product_id": "id",
                    "description": "short_description",
                    "price": "price_cents",
                    "listed_at": "date_released",
                },
                "price_unit": "cents",
                "numeric": ["n_attr"],
            },
            "judgements": {
                "path": "judgments.parquet",
                "columns": {"product_id": "docid", "grade": "rating"},
            },
        },
        (19406, 135, 3668),
    ),
    # Two pairs of its 11,795 search terms, and so five pairs of judgements, differ by white space alone.
    "homedepot": (
        {
            "judgements": {
                "path": "judgments.parquet",
                "columns": {
                    "query": "search_term",
                    "product_id": "product_uid",
                    "grade": "relevance",
                    "title": "product_title",
                },
            }
        },
        (54667, 11793, 74062),
    ),
    "grocery": (
        {
            "products": {"path": "products.parquet"},
            "queries": {"path": "queries.parquet"},
            "judgements": {"path": "judgments.parquet"},
        },
        (81, 2781, 9772),
    ),
    # Without images.parquet: decoding 43,261 photos takes longer than all other tests here.
    "fashion": (
        {
            "products": {
                "path": "products.parquet",
                "columns": {"price": "discounted_price", "list_price": "price"},
                "categorical": ["gender", "season"],
            },
            "queries": {"path": "queries.parquet", "columns": {"segment": "kind"}},
            "judgements": {"path": "judgments.parquet"},
        },
        (43261, 900, 48033),
    ),
    "hm": (
        {
            "products": {
                "path": "articles.parquet",
                "columns": {
                    "product_id": "article_id",
                    "title": "prod_name",
                    "description": "detail_desc",
                    "category": ["index_group_name", "product_group_name", "product_type_name"],
                },
            },
            "images": {"path": "images.parquet", "key": "article_id"},
            "events": {
                "path": "transactions.parquet",
                "columns": {
                    "shopper": "customer_id",
                    "product_id": "article_id",
                    "at": "t_dat",
                    "value": "price",
                },
                "action": "purchase",
            },
        },
        (5786, 0, 0),
    ),
    "mq2008": (
        {"kind": "svmlight", "files": {f"S{i}": f"S{i}.txt.gz" for i in range(1, 6)}},
        (14384, 784, 15211),
    ),
    "lightgbm_rank": (
        {"kind": "svmlight", "files": {"train": "rank.train.gz", "test": "rank.test.gz"}},
        (3773, 251, 3773),
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_real_sets_load(name: str) -> None:
    config, rows = REAL[name]
    loaded = _load(name, config)
    assert (loaded.products.height, loaded.queries.height, loaded.judgements.height) == rows
    if loaded.given is not None:
        assert loaded.given.select("query_id", "product_id").equals(
            loaded.judgements.select("query_id", "product_id")
        )


def test_lightgbms_rows_come_back_by_sorting_the_keys() -> None:
    config, _ = REAL["lightgbm_rank"]
    loaded = _load("lightgbm_rank", config)
    for split in ("train", "test"):
        rows = loaded.judgements.filter(pl.col("query_id").str.starts_with(split))
        assert rows.sort("query_id", "product_id").equals(rows)
        sizes = (_real("lightgbm_rank") / f"rank.{split}.query").read_text().split()
        assert rows.group_by("query_id", maintain_order=True).len()["len"].to_list() == [
            int(n) for n in sizes
        ]
