"""No feature depends on the order of the rows, on how often a row stands there, or on the number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features import FeatureBuilder, Shop
from features.feature_schema import KEYS
from ltr.demo import DemoShopConfig, generate

DEMO = DemoShopConfig(products=120, queries=30)


def built(shop: Shop) -> pl.DataFrame:
    pairs = shop.judgements.select(*KEYS).sort(KEYS)
    return FeatureBuilder(shop.products).build(shop.queries, pairs).frame.sort(KEYS)


def reordered(shop: Shop, seed: int, *, doubled: bool = False) -> pl.DataFrame:
    """The features where products and queries stand in another order, and some products twice."""
    products = shop.products.sample(fraction=1, shuffle=True, seed=seed)
    if doubled:
        products = pl.concat([products, products.head(30)])
    read = Shop.from_frames(
        products.drop("image_hash", strict=False),
        shop.queries.sample(fraction=1, shuffle=True, seed=seed + 1).drop("image_hash", strict=False),
        shop.judgements.sample(fraction=1, shuffle=True, seed=seed + 2),
    )
    assert read.products.height == shop.products.height
    return built(read)


@pytest.fixture(scope="module")
def shop() -> Shop:
    demo = generate(DEMO)
    return Shop.from_frames(demo.products, demo.queries, demo.judgements)


@pytest.fixture(scope="module")
def before(shop: Shop) -> pl.DataFrame:
    return built(shop)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("doubled", [False, True])
def test_rows_in_another_order_and_twice(shop: Shop, before: pl.DataFrame, seed: int, doubled: bool) -> None:
    found = reordered(shop, seed, doubled=doubled)
    assert_frame_equal(found, before, categorical_as_str=True, abs_tol=1e-6)


IN_A_PROCESS = """
import sys
from tests.features.test_invariance import DEMO, Shop, built, generate
demo = generate(DEMO)
built(Shop.from_frames(demo.products, demo.queries, demo.judgements)).write_parquet(sys.argv[1])
"""


@pytest.mark.parametrize("threads", ["1", "4"])
def test_on_any_number_of_threads(before: pl.DataFrame, threads: str, tmp_path: Path) -> None:
    names = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    root = Path(__file__).parents[2]
    settings = {**os.environ, **dict.fromkeys(names, threads), "PYTHONPATH": str(root)}
    path = tmp_path / "found.parquet"
    subprocess.run([sys.executable, "-c", IN_A_PROCESS, str(path)], check=True, env=settings, cwd=root)
    assert_frame_equal(pl.read_parquet(path), before, categorical_as_str=True, abs_tol=1e-6)
