"""The doctor on a shop's own tables: a sound shop passes, each fault put into one is found by its own check."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from features.sources.load import CatalogueConfig, Collection, load
from ltr.data.checks.collection import examine_collection
from ltr.data.checks.reading import examine_reading
from ltr.data.doctor import Finding
from tests.ltr.conftest import Shop as Commands

Tables = dict[str, pl.DataFrame]
Change = Callable[[Tables], Tables]
PRODUCTS, QUERIES = 60, 30


def small_shop(seed: int = 0) -> Tables:
    """60 products of article codes, 30 queries of which a third name a limit, 6 judged products each."""
    pick = random.Random(seed)
    ids = [f"{4_000_000_000_000 + 7 * n}" for n in range(PRODUCTS)]
    products = pl.DataFrame(
        {
            "product_id": ids,
            "title": [
                f"{pick.choice(['red', 'blue'])} {pick.choice(['boot', 'lamp'])} {n}" for n in range(PRODUCTS)
            ],
            "description": ["as good as it looks"] * PRODUCTS,
            "brand": [pick.choice(["Acme", "Nord", "Umbra"]) for _ in ids],
            "category": [pick.choice(["Home > Lamps", "Shoes > Boots"]) for _ in ids],
            "price": [round(pick.uniform(5, 200), 2) for _ in ids],
        }
    )
    texts = [
        f"lamp {n}" + (f" under {pick.randrange(20, 150)}" if n % 3 == 0 else "") for n in range(QUERIES)
    ]
    queries = pl.DataFrame({"query_id": [f"q{n}" for n in range(QUERIES)], "text": texts})
    judged = [
        (f"q{n}", product, float(grade))
        for n in range(QUERIES)
        for product, grade in zip(pick.sample(ids, 6), (0, 0, 1, 1, 2, 3), strict=True)
    ]
    judgements = pl.DataFrame(judged, schema=["query_id", "product_id", "grade"], orient="row")
    return {"products": products, "queries": queries, "judgements": judgements}


def read(tables: Tables, folder: Path) -> Collection:
    tree: dict[str, object] = {"kind": "catalogue"}
    for name, table in tables.items():
        table.write_csv(folder / f"{name}.csv")
        further = {"categorical": ["sku"]} if "sku" in table.columns else {}
        tree[name] = {"path": f"{name}.csv"} | further
    return load(CatalogueConfig.model_validate(tree), folder)


def examined(collection: Collection) -> list[Finding]:
    return [*examine_reading(collection), *examine_collection(collection)]


def notable(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings if finding.level != "PASS"}


@pytest.mark.parametrize("seed", range(5))
def test_a_sound_shop_passes(seed: int, tmp_path: Path) -> None:
    assert not notable(examined(read(small_shop(seed), tmp_path)))


def on(table: str, *columns: pl.Expr) -> Change:
    return lambda tables: tables | {table: tables[table].with_columns(*columns)}


row = pl.int_range(pl.len())
short = pl.col("product_id").str.slice(0, 3) + pl.col("product_id").str.slice(4)
lost_zeros = pl.when(row % 7 == 0).then(short).otherwise("product_id").alias("product_id")
FAULTS: dict[str, tuple[str, str, Change]] = {
    "prices in cents": (
        "scale of the prices",
        "WARN",
        on("products", (pl.col("price") * 100).cast(pl.Int64)),
    ),
    "prices in thousands": ("scale of the prices", "WARN", on("products", pl.col("price") / 1000)),
    "few descriptions": (
        "products with a description",
        "WARN",
        on("products", pl.when(row % 4 == 0).then("description").alias("description")),
    ),
    "an id for a brand": (
        "distinct values of brand",
        "WARN",
        on("products", pl.col("product_id").alias("brand")),
    ),
    "an id for a further column": (
        "categorical columns that tell products apart",
        "WARN",
        on("products", ("SKU " + pl.col("product_id")).alias("sku")),
    ),
    "one category": ("distinct values of category", "WARN", on("products", pl.lit("Shop").alias("category"))),
    "judged products unknown": (
        "judgements left out",
        "FAIL",
        on(
            "judgements",
            pl.when(row % 6 > 1).then("x" + pl.col("product_id")).otherwise("product_id").alias("product_id"),
        ),
    ),
    "some judged products unknown": (
        "judgements left out",
        "WARN",
        on(
            "judgements",
            pl.when(row % 6 == 1).then(pl.lit("none of ours")).otherwise("product_id").alias("product_id"),
        ),
    ),
    "lists of good ones alone": (
        "queries with good candidates alone",
        "WARN",
        on("judgements", pl.col("grade") + 1),
    ),
    "leading zeros lost": (
        "ids that look whole",
        "WARN",
        lambda tables: (
            on("judgements", lost_zeros)(on("products", lost_zeros)(tables))
            | {
                "judgements": tables["judgements"].filter(
                    pl.col("product_id")
                    .is_in(tables["products"]["product_id"].gather_every(7).implode())
                    .not_()
                )
            }
        ),
    ),
    "queries of nothing": (
        "queries left out",
        "WARN",
        on("queries", pl.when(row % 5 > 0).then("text").alias("text")),
    ),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_with_a_cure(fault: str, seed: int, tmp_path: Path) -> None:
    check, level, change = FAULTS[fault]
    found = notable(examined(read(change(small_shop(seed)), tmp_path)))
    assert check in found, found
    assert found[check].level == level
    assert found[check].cure


def test_the_command_makes_no_features_unless_asked(shop: Commands) -> None:
    assert shop.run("check --json").status == 0
    assert not (shop.folder / "store").exists()
    assert shop.run("check --features").status == 0
    assert (shop.folder / "store").exists()
