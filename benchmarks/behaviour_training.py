"""python -m benchmarks.behaviour_training

The whole way from a log to a better ranker, by the commands, among simulated shoppers of the demo shop: BM25 shows
lists for four weeks, `ltr.ingest_events` counts, `ltr.train` learns with and without what shoppers did. Requests that
train are of earlier days and other queries than those that test; each row knows what was known when it was made.
Grades are what each shopper's own taste makes of the first 40 that BM25 had in stock that day.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from benchmarks import record
from features.build import FeatureBuilder, FeaturesConfig
from features.sources.events import Events, write_ubi
from features.sources.privacy import Key, pseudonyms
from ltr import ingest_events, train
from ltr.demo.shop import CUTS, DemoShop, DemoShopConfig, generate
from ltr.demo.shoppers import Policy, Shoppers, ShopperSettings
from ltr.experiments.estimates import ratio_of
from ltr.rankers.lists import ndcg

SHOP = DemoShopConfig(products=600, queries=240)
PEOPLE = ShopperSettings(new_products=0.2)
SESSIONS, LENGTH, REQUESTS, DEPTH = 20_000, 40, 900, 10
EARLIER, LATER = (7.0, 20.0), (21.0, 28.0)  # days of the requests that train, and that test
GROUPS: dict[str, dict[str, Any]] = {
    "content": {},
    "and behaviour": {"behaviour": {}},
    "and history": {"history": {}},
    "and behaviour, history, graph": {"behaviour": {}, "history": {}, "graph": {}},
}
BUCKETS = {"0": (0, 0), "1–9": (1, 9), "10–99": (10, 99), "100 or more": (100, 10**9)}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        record.write("behaviour_training", "python -m benchmarks.behaviour_training", measured(Path(folder)))


def measured(folder: Path) -> dict[str, Any]:
    requests, events = make_shop(folder)
    end = events.shown["shown_at"].max()
    config = write_config(folder, "counts", {"behaviour": {}})
    ingest_events.main(
        ["--config", str(config), "--log", str(folder / "log"), "--until", f"{end:%Y-%m-%dT%H:%M:%S}"]
    )
    for name, groups in GROUPS.items():
        train.main(
            ["--config", str(write_config(folder, name, groups)), "--run", str(folder / f"run {name}")]
        )
    return figures(folder, requests, events)


def figures(folder: Path, requests: pl.DataFrame, events: Events) -> dict[str, Any]:
    """Of the runs in the folder, on the later requests."""
    scores = {}
    for name in GROUPS:
        table = pl.read_parquet(folder / f"run {name}" / "scores.parquet").sort("query_id", "product_id")
        scored = table.select("query_id", "product_id", "grade", score="score: lightgbm")
        scores[name] = scored.filter(pl.col("score").is_not_nan())
    named = requests.rename({"request_id": "query_id"})
    lists = scores["content"].join(named, on="query_id", how="left", maintain_order="left")
    seen = seen_before(lists, events)
    return {
        "sessions": SESSIONS,
        "events": {"shown": events.shown.height, "actions": events.actions.height},
        "requests": dict(requests.group_by("split").len().sort("split").iter_rows()),
        "lines": [line(name, found, scores["content"], lists) for name, found in scores.items()],
        "by_views": by_views(scores, lists, seen),
    }


def make_shop(folder: Path) -> tuple[pl.DataFrame, Events]:
    """The shop's files and its log; the requests that are judged (request_id, text, day, split), and the events."""
    shop = generate(SHOP)
    shoppers = Shoppers(shop, PEOPLE)
    policy = Policy(bm25(shop), "bm25", exploration="swap", share=0.1)
    asked = shoppers.requests(SESSIONS)
    events = pseudonymous(shoppers.visit(policy, SESSIONS).events)
    write_ubi(events, folder / "log")
    place = chosen(shop, asked)
    some = asked.rows(place["row"].to_numpy())
    rng = np.random.default_rng(0)
    plain = Policy(policy.scores, "bm25")
    listed = plain.show(some.query, some.day, shoppers.arrives, LENGTH, rng)
    judge = Shoppers(
        shop, PEOPLE.model_copy(update={"shown": LENGTH})
    )  # the same people, before longer lists
    known = events.shown.unique("request_id").select("request_id", "shown_at", "session", "shopper")
    placed = place.join(known, on="request_id", how="inner", maintain_order="left")
    worth = judge.browse(some, listed, seed=1, request_ids=place["request_id"]).truth
    graded = worth.select("request_id", "product_id", grade=pl.col("worth").cut(CUTS, labels=list("0123")))
    shop.products.drop("image", "image_hash", strict=False).write_parquet(folder / "products.parquet")
    queries = placed.select(
        "text",
        "session",
        "shopper",
        "split",
        query_id="request_id",
        at=pl.col("shown_at").dt.replace_time_zone(None),
    )
    queries.write_parquet(folder / "queries.parquet")
    rows = graded.join(placed, on="request_id", how="semi")
    rows.select("product_id", pl.col("grade").cast(pl.String), query_id="request_id").write_parquet(
        folder / "judgements.parquet"
    )
    return placed.select("request_id", "text", "split", "shown_at"), events


def pseudonymous(events: Events) -> Events:
    """As a server writes them down."""
    key = Key(1, bytes(32))
    named = (
        frame.with_columns(pseudonyms(frame[name], key).alias(name) for name in ("session", "shopper"))
        for frame in (events.shown, events.actions)
    )
    return Events(*named)


def bm25(shop: DemoShop) -> np.ndarray:
    """(queries, products); NaN for queries without words, which nobody is shown anything for."""
    off = dict.fromkeys(("similarity", "shown_words", "structured"), False)
    builder = FeatureBuilder(shop.products.drop("image"), FeaturesConfig.model_validate(off), {})
    asking = shop.queries.drop_nulls("text").drop("image", strict=False)
    pairs = asking.select("query_id").join(shop.products.select("product_id"), how="cross")
    found = builder.build(asking, pairs).frame["lexical.bm25_all"].fill_null(0).to_numpy()
    scores = np.full((shop.queries.height, shop.products.height), np.nan)
    scores[shop.queries["text"].is_not_null().to_numpy()] = found.reshape(asking.height, -1)
    return scores


def chosen(shop: DemoShop, asked: Any) -> pl.DataFrame:
    """Requests with words, by lot: row, request_id, text and split; texts are of one part, test ones of later days."""
    rng = np.random.default_rng(0)
    texts = shop.queries["text"].gather(asked.query)
    names = texts.drop_nulls().unique().sort()
    part = dict(
        zip(names, rng.choice(["train", "validation", "test"], len(names), p=[0.6, 0.15, 0.25]), strict=True)
    )
    rows = pl.DataFrame({"row": np.arange(len(asked)), "text": texts, "day": asked.day, "bot": asked.bot})
    rows = rows.filter(pl.col("text").is_not_null() & ~pl.col("bot"))
    rows = rows.with_columns(split=pl.col("text").replace_strict(part, return_dtype=pl.String))
    later = pl.col("split") == "test"
    rows = rows.filter(
        pl.when(later).then(pl.col("day").is_between(*LATER)).otherwise(pl.col("day").is_between(*EARLIER))
    )
    some = rows.sample(min(REQUESTS, rows.height), seed=0).sort("row")
    return some.with_columns(request_id=pl.format(f"r{PEOPLE.seed}-0-{{}}", "row"))


def write_config(folder: Path, name: str, groups: dict[str, dict[str, Any]]) -> Path:
    of_store = {
        kind: given | {"store": str(folder / "store")} for kind, given in groups.items() if kind != "history"
    }
    of_history = {kind: given for kind, given in groups.items() if kind == "history"}
    config = {
        "name": "shop",
        "data": {
            "kind": "catalogue",
            "products": {"path": "products.parquet"},
            "queries": {"path": "queries.parquet"},
            "judgements": {"path": "judgements.parquet"},
            "events": {"path": "log"},
        },
        "encoders": {"text": {"kind": "tfidf"}},
        "features": {"shown_words": False, **of_store, **of_history},
        "split": {"kind": "column"},
        "lists": {"kind": "judged"},
        "ranker": {"threads": 1},
        **{place: {key: str(folder / place)} for place, key in (("store", "root"), ("cache", "folder"))},
        "runs": str(folder / "runs"),
    }
    target = folder / f"{name.replace(' ', '_')}.yaml"
    target.write_text(yaml.safe_dump(config), encoding="utf-8")
    return target


def line(name: str, found: pl.DataFrame, content: pl.DataFrame, lists: pl.DataFrame) -> dict[str, Any]:
    """nDCG@10 of the later requests, and what is gained on content; lists of one text are not independent."""
    ours, theirs = (quality(one) for one in (found, content))
    texts = lists.group_by("query_id", maintain_order=True).first()["text"].to_list()
    _, place = np.unique(texts, return_inverse=True)
    kept = ~np.isnan(ours)
    sizes = np.bincount(place[kept]).astype(np.float64)
    apart = ratio_of(np.bincount(place[kept], (ours - theirs)[kept]).astype(np.float64), sizes)
    return {
        "features": name,
        "nDCG@10": round(float(np.nanmean(ours)), 4),
        "gain": round(apart.value, 4),
        "interval": [round(edge, 4) for edge in apart.interval()] if apart.known else None,
    }


def quality(found: pl.DataFrame) -> np.ndarray:
    """(lists,) nDCG@10, NaN where nothing is good."""
    sizes = found.group_by("query_id", maintain_order=True).len()["len"].to_numpy().astype(np.int32)
    gains = 2.0 ** found["grade"].to_numpy() - 1
    return ndcg(found["score"].to_numpy(), gains, sizes, DEPTH)


def seen_before(lists: pl.DataFrame, events: Events) -> np.ndarray:
    """(rows,) how often the product had been shown to anybody before the day of the request."""
    shown = events.shown.select("product_id", at="shown_at").sort("at")
    counts = shown.with_columns(views=pl.int_range(1, pl.len() + 1).over("product_id"))
    asked = lists.with_row_index("row").with_columns(at=pl.col("shown_at").dt.truncate("1d")).sort("at")
    found = asked.join_asof(counts, on="at", by="product_id", check_sortedness=False).sort("row")
    return found["views"].fill_null(0).to_numpy()


def by_views(scores: dict[str, pl.DataFrame], lists: pl.DataFrame, seen: np.ndarray) -> dict[str, Any]:
    """AUC of good products (grade 2 and more) against the poor ones of their list, by views of the good one before."""
    found: dict[str, Any] = {}
    for name, table in scores.items():
        rows = table.select("query_id", "grade", "score").with_columns(
            views=pl.Series(seen), text=lists["text"]
        )
        good, poor = rows.filter(pl.col("grade") >= 2), rows.filter(pl.col("grade") < 2)
        pairs = good.join(poor.select("query_id", other="score"), on="query_id")
        won = (pl.col("score") > pl.col("other")) + 0.5 * (pl.col("score") == pl.col("other"))
        auc = pairs.group_by("query_id", "text", "views", "score").agg(won.mean().alias("auc"))
        found[name] = {
            bucket: mean_of_texts(auc.filter(pl.col("views").is_between(*edges)))
            for bucket, edges in BUCKETS.items()
        }
    return found


def mean_of_texts(rows: pl.DataFrame) -> dict[str, Any] | None:
    if rows["text"].n_unique() < 3:
        return None
    _, place = np.unique(rows["text"].to_list(), return_inverse=True)
    found = ratio_of(np.bincount(place, rows["auc"].to_numpy()), np.bincount(place).astype(np.float64))
    low, high = found.interval()
    return {
        "products": rows.height,
        "auc": round(found.value, 4),
        "interval": [round(low, 4), round(high, 4)],
    }


if __name__ == "__main__":
    main()
