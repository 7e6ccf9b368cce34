"""A small shop whose run goes by counts of what shoppers did, and the log they are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from features.sources.events import Events, write_ubi
from ltr import ingest_events, train
from ltr.serving.live.live_run import LiveRun
from tests.features.behaviour.world import DAYS, PRODUCTS, START, make_events

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
SHIFT = TODAY - timedelta(days=DAYS + 5) - START  # the last event is some days old
CONFIG = """
name: shop
data:
  kind: catalogue
  products: {path: products.csv, columns: {}}
  queries: {path: queries.csv, columns: {at: at}}
  judgements: {path: judgements.csv}
features: {similarity: false, shown_words: false, behaviour: {windows: [30], least_people: 3, store: ROOT/store}}
ranker: {kind: xgboost, trees: 10, bags: 1, threads: 1, early_stopping_rounds: 0}
split: {kind: folds, folds: 2, validation_share: 0}
ladder: []
encoders: {}
evaluation: {bootstrap: {resamples: 100}}
store: {root: ROOT/features}
cache: {folder: ROOT/cache}
runs: ROOT/runs
"""


def shifted(events: Events) -> Events:
    times = (pl.col("shown_at"),), (pl.col("acted_at"), pl.col("available_at"))
    frames = zip((events.shown, events.actions), times, strict=True)
    return Events(*(frame.with_columns(time + SHIFT for time in of) for frame, of in frames))


def ingest(folder: Path, until: datetime) -> None:
    words = [
        "--config",
        str(folder / "shop.yaml"),
        "--log",
        str(folder / "log"),
        "--until",
        until.isoformat(),
    ]
    ingest_events.main(words)


def make(folder: Path) -> Path:
    """A run whose features are counts of the first half of a log."""
    PRODUCTS.write_csv(folder / "products.csv")
    texts = [f"{colour} {thing}" for colour in ("red", "blue", "grey") for thing in ("hat", "bag", "thing")]
    asked = pl.DataFrame({"query_id": [f"q{n}" for n in range(len(texts))], "text": texts})
    at = (START + SHIFT + timedelta(days=20)).isoformat()
    asked.with_columns(at=pl.lit(at)).write_csv(folder / "queries.csv")
    events = shifted(make_events(lists=300))
    popular = events.actions.group_by("product_id").agg(often=pl.len())
    pairs = (
        asked.select("query_id")
        .join(PRODUCTS.select("product_id"), how="cross")
        .join(popular, on="product_id")
    )
    pairs.select("query_id", "product_id", grade=pl.col("often").rank("dense").cast(pl.Int64) % 4).write_csv(
        folder / "judgements.csv"
    )
    write_ubi(events, folder / "log")
    (folder / "shop.yaml").write_text(CONFIG.replace("ROOT", str(folder)))
    ingest(folder, START + SHIFT + timedelta(days=DAYS / 2))
    train.main(["--config", str(folder / "shop.yaml")])
    return folder


def opened(shop: Path) -> LiveRun:
    return LiveRun(shop / "runs" / "shop-xgboost")
