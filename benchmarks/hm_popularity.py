"""H&M: popularity and last price of each article as of each transaction, and what a naive join leaks.

A day's sales are known when the day has ended, so they become available at the start of the next. The
naive views differ in that alone: the same values, available at the start of their own day.
"""

from __future__ import annotations

import tempfile
import time
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table
from sklearn.metrics import ndcg_score, roc_auc_score

from benchmarks import record
from features.store.delta import FeatureStore, FeatureView

SALES = FeatureView("article_sales", keys=("article_id",))
PRICE = FeatureView("article_price", keys=("article_id",))
FEATURES = ("sales_30d", "sales_total", "last_price")
DAY = timedelta(days=1)
WINDOW = 30 * DAY
TEST_PERIOD = 28 * DAY
RECOUNTED = 500
RESAMPLES = 2_000


def measure() -> dict[str, Any]:
    """Write the views, join them to all transactions, recount a sample, and measure what leaks."""
    sold = transactions()
    with tempfile.TemporaryDirectory() as folder:
        honest, naive = FeatureStore(f"{folder}/honest"), FeatureStore(f"{folder}/naive")
        write_views(honest, sold, delay=DAY)
        write_views(naive, sold, delay=timedelta(0))
        start = time.perf_counter()
        known = honest.as_of(sold, [SALES, PRICE])
        seconds = time.perf_counter() - start
        leaked = naive.as_of(sold, [SALES, PRICE])
        ranker = popularity_as_ranker(sold, honest, naive)
    figures = {
        "transactions": sold.height,
        "seconds_as_of_two_views": round(seconds, 3),
        "rows_recounted_and_equal": recount(sold, known),
        "naive_join": compare(known, leaked),
        "popularity_as_ranker": ranker,
    }
    show(figures)
    return figures


def transactions() -> pl.DataFrame:
    """article_id, price, and at: the start of the day (the data have no hour)."""
    rows = pl.read_parquet(record.DATA / "hm" / "transactions.parquet")
    return rows.select("article_id", "price", at=pl.col("t_dat").str.to_datetime("%Y-%m-%d", time_unit="us"))


def write_views(store: FeatureStore, sold: pl.DataFrame, delay: timedelta) -> None:
    """Daily sales and last price, available `delay` after the start of their day.

    A sale counts from then on, and leaves the trailing count when the window has passed: the running sum
    of these changes is the value.
    """
    days = sold.group_by("article_id", "at", maintain_order=True).agg(
        sales=pl.len().cast(pl.Int64), last_price=pl.col("price").last()
    )
    days = days.with_columns(available_at=pl.col("at") + delay)
    entering = days.select("article_id", "available_at", sales_30d="sales", sales_total="sales")
    leaving = entering.with_columns(
        pl.col("available_at") + WINDOW, -pl.col("sales_30d"), pl.lit(0, pl.Int64).alias("sales_total")
    )
    changes = pl.concat([entering, leaving]).group_by("article_id", "available_at").sum()
    sums = pl.col("sales_30d", "sales_total").cum_sum().over("article_id", order_by="available_at")
    store.write(SALES, changes.with_columns(sums), metadata={"delay": str(delay)})
    store.write(
        PRICE, days.select("article_id", "available_at", "last_price"), metadata={"delay": str(delay)}
    )


def recount(sold: pl.DataFrame, known: pl.DataFrame) -> int:
    """Recount a sample of rows from the transactions of earlier days alone; a difference is an error."""
    columns = ("article_id", "at", "sales_30d", "sales_total", "last_price")
    sample = known.select(columns).sample(RECOUNTED, seed=0)
    for article, at, recent, total, price in sample.iter_rows():
        before = sold.filter((pl.col("article_id") == article) & (pl.col("at") < at))
        counted = before.filter(pl.col("at") >= at - WINDOW).height, before.height
        last = before.sort("at", maintain_order=True)["price"].to_list()[-1:] or [None]
        if (recent or 0, total or 0, price) != (*counted, *last):
            raise AssertionError(f"{article} as of {at}: recounted {counted}, last price {last}")
    return sample.height


def compare(known: pl.DataFrame, leaked: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Per feature, the share of transactions whose value the naive join changes.

    And, for the price, the share in which the joined value is the very price paid: with the naive join
    the feature holds the day's own outcome.
    """
    shares = {name: {"share_changed": _share(known[name].ne_missing(leaked[name]))} for name in FEATURES}
    shares["last_price"] |= {
        "equals_price_paid": _share(known["last_price"].eq_missing(known["price"])),
        "naive_equals_price_paid": _share(leaked["last_price"].eq_missing(known["price"])),
    }
    return shares


def popularity_as_ranker(sold: pl.DataFrame, honest: FeatureStore, naive: FeatureStore) -> dict[str, Any]:
    """On each of the last 28 days, rank all articles by popularity: were the day's bought ones on top?

    One query a day; candidates are all articles of the file, bought that day = relevant. nDCG@10 with equal
    scores averaged over their orders. The scores differ only in which sales they count.
    """
    days = sold.filter(pl.col("at") > pl.col("at").max() - TEST_PERIOD).select("at").unique().sort("at")
    articles = sold.select("article_id").unique().sort("article_id")
    grid = days.join(articles, how="cross")
    bought = sold.select("at", "article_id").unique().with_columns(bought=pl.lit(True))
    grid = grid.join(bought, on=["at", "article_id"], how="left", maintain_order="left")
    relevant = grid["bought"].fill_null(False).to_numpy().reshape(days.height, -1)
    whole = sold.group_by("article_id").agg(sales_ever=pl.len())
    scores = {
        "as of the day, 30 days": honest.as_of(grid, [SALES])["sales_30d"],
        "as of the day, all time": honest.as_of(grid, [SALES])["sales_total"],
        "leak: the day itself counted, 30 days": naive.as_of(grid, [SALES])["sales_30d"],
        "leak: the day itself counted, all time": naive.as_of(grid, [SALES])["sales_total"],
        "leak: counted over the whole file": grid.join(
            whole, on="article_id", how="left", maintain_order="left"
        )["sales_ever"],
    }
    return {
        "days": days.height,
        "articles": articles.height,
        "bought_per_day": round(float(relevant.sum(axis=1).mean()), 1),
        **{name: quality(score.fill_null(0).to_numpy(), relevant) for name, score in scores.items()},
    }


def quality(scores: np.ndarray, relevant: np.ndarray) -> dict[str, Any]:
    """Mean over days of AUC and nDCG@10, each with its 95 % bootstrap interval over days."""
    by_day = scores.reshape(relevant.shape)
    auc = [roc_auc_score(y, s) for y, s in zip(relevant, by_day, strict=True)]
    ndcg = [ndcg_score(y[None].astype(int), s[None], k=10) for y, s in zip(relevant, by_day, strict=True)]
    return {"AUC": _mean(np.array(auc)), "nDCG@10": _mean(np.array(ndcg))}


def _mean(values: np.ndarray) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": round(float(values.mean()), 4), "interval": [round(float(low), 4), round(float(high), 4)]}


def _share(true: pl.Series) -> float:
    return round(float(true.to_numpy().mean()), 4)


def show(figures: dict[str, Any]) -> None:
    table = Table("popularity by", "AUC", "nDCG@10", title="H&M, last 28 days: bought articles among all")
    for name, found in figures["popularity_as_ranker"].items():
        if isinstance(found, dict):
            table.add_row(name, *("{mean:.3f} {interval}".format(**found[m]) for m in ("AUC", "nDCG@10")))
    console = Console()
    console.print({name: figures[name] for name in figures if name != "popularity_as_ranker"})
    console.print(table)
