"""python -m benchmarks.session_history

What a session's history is worth on a real log (trivago: hotel searches that ended in a click-out): the order that was
shown, and LightGBM on the position and price alone, against LightGBM that also knows what the session had touched.
"""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.record import DATA, have, write
from features.batch import PairBatch, rows_of
from features.build import FeatureBuilder, FeaturesConfig
from features.sources.events import Events, with_history

FloatArray = npt.NDArray[np.float64]
TEST_SHARE = 0.3  # of the sessions, those that began last
RESAMPLES = 2_000
ROUNDS = 200
SHOWN = ["position", "price", "price_rank"]
OURS = ["history.price_gap", "history.seen", "history.steps_ago"]
SYSTEMS = {"LightGBM: position, price": SHOWN, "LightGBM: and history": [*SHOWN, *OURS]}
PARAMETERS = {
    "objective": "lambdarank",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "lambdarank_truncation_level": 25,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 0,
    "num_threads": 2,
    "verbosity": -1,
}


def main() -> None:
    if have("trivago"):
        rows = pl.read_parquet(DATA / "trivago" / "events.parquet")
        write("session_history", "python -m benchmarks.session_history", {"history": measure(rows)})


def measure(rows: pl.DataFrame) -> dict[str, Any]:
    """MRR of each system on the sessions that began last, with 95 % intervals by session."""
    queries = asked(rows)
    pairs = listed(queries)
    pairs = pairs.hstack(features_of(queries, pairs, touched(rows)))
    train, test = parted(pairs)
    scores = {"the order that was shown": -test["position"].to_numpy().astype(np.float64)}
    for name, columns in SYSTEMS.items():
        scores[name] = trained(train, columns).predict(test.select(columns).to_numpy())
    ranks = {name: reciprocal_ranks(test, values) for name, values in scores.items()}
    sessions = (
        test.unique("query_id", maintain_order=True)["session"].rank("dense").to_numpy().astype(int) - 1
    )
    lists = test.group_by("query_id", maintain_order=True).agg(
        pl.col("history.seen").is_not_null().any().alias("known"),
        (pl.col("history.seen").fill_nan(None).fill_null(0) * pl.col("clicked")).max().alias("of_seen"),
    )
    known = lists["known"].to_numpy()
    return {
        "lists_train": train["query_id"].n_unique(),
        "lists_test": lists.height,
        "sessions_test": int(sessions.max() + 1),
        "with_history": float(known.mean()),
        "clicked_was_seen": float(lists["of_seen"].mean()),
        "mrr": {name: table_row(values, sessions, known) for name, values in ranks.items()},
        "gain": gains(ranks, sessions),
    }


def asked(rows: pl.DataFrame) -> pl.DataFrame:
    """One row a click-out whose hotel stood in its list: query_id, session, at, impressions, prices, reference."""
    there = pl.col("impressions").list.contains(pl.col("reference"))
    found = rows.filter(pl.col("action_type") == "clickout item").filter(there)
    ordered = found.sort("session_id", "step").with_row_index("n")
    return ordered.select(
        pl.format("q{}", "n").alias("query_id"),
        pl.col("session_id").cast(pl.String).alias("session"),
        *("at", "impressions", "prices", "reference"),
    )


def touched(rows: pl.DataFrame) -> Events:
    """What sessions did with a hotel: looked at its photos, ratings, …, searched for it, or clicked out to it."""
    of_item = pl.col("action_type").str.contains("item") & pl.col("reference").str.contains(r"^\d+$")
    actions = rows.filter(of_item).select(
        pl.col("reference").alias("product_id"),
        pl.lit("click").alias("action"),
        pl.col("at").alias("acted_at"),
        pl.col("at").alias("available_at"),
        pl.col("session_id").cast(pl.String).alias("session"),
    )
    schema = {"request_id": pl.String, "shown_at": pl.Datetime, "product_id": pl.String, "position": pl.Int32}
    return Events(pl.DataFrame(schema=schema), actions)


def listed(queries: pl.DataFrame) -> pl.DataFrame:
    """One row a hotel of a list, each once: at its first position."""
    rows = queries.select("query_id", "session", "at", "reference", "impressions", "prices")
    rows = rows.explode("impressions", "prices").rename({"impressions": "product_id", "prices": "price"})
    rows = rows.with_columns(position=pl.int_range(1, pl.len() + 1).over("query_id"))
    rows = rows.unique(["query_id", "product_id"], keep="first", maintain_order=True)
    return rows.with_columns(
        clicked=(pl.col("product_id") == pl.col("reference")).cast(pl.Int32),
        price_rank=pl.col("price").rank("average").over("query_id") / pl.len().over("query_id"),
    )


def features_of(queries: pl.DataFrame, pairs: pl.DataFrame, events: Events) -> pl.DataFrame:
    """The history features, row by row; a hotel's price is its median over the sessions that train."""
    train, _ = parted(pairs)
    prices = train.group_by("product_id").agg(pl.col("price").median().cast(pl.Float64))
    hotels = pairs.select("product_id").unique().join(prices, on="product_id", how="left").sort("product_id")
    hotels = hotels.with_columns(title=pl.lit(None, dtype=pl.String))
    off = dict.fromkeys(("lexical", "similarity", "shown_words", "structured"), False)
    builder = FeatureBuilder(hotels, FeaturesConfig.model_validate({**off, "history": {}}), {})
    known = with_history(queries.select("query_id", "session", "at"), events)
    rows = rows_of(pairs["query_id"], known["query_id"])
    batch, order = PairBatch.of(known, rows, builder.catalogue.rows_of(pairs["product_id"]))
    frame = builder.block(batch).frame().select(OURS)
    return frame if order is None else frame[np.argsort(order)]


def parted(pairs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split by the time at which sessions asked first: sessions whole, and the later ones test."""
    began = pairs.group_by("session").agg(pl.col("at").min()).sort("at", "session")
    late = began.tail(round(TEST_SHARE * began.height)).select("session")
    return pairs.join(late, on="session", how="anti", maintain_order="left"), pairs.join(
        late, on="session", how="semi", maintain_order="left"
    )


def trained(train: pl.DataFrame, columns: list[str]) -> lgb.Booster:
    sizes = train.group_by("query_id", maintain_order=True).len()["len"].to_numpy()
    data = lgb.Dataset(train.select(columns).to_numpy(), train["clicked"].to_numpy(), group=sizes)
    return lgb.train(PARAMETERS, data, ROUNDS)


def reciprocal_ranks(test: pl.DataFrame, scores: FloatArray) -> FloatArray:
    """(lists,) 1 over the rank of the click-out; ties by position shown."""
    order = test.select("query_id", "position", "clicked", score=pl.Series(scores)).with_columns(
        rank=pl.struct(-pl.col("score"), "position").rank("ordinal").over("query_id")
    )
    return order.filter(clicked=1).select(1 / pl.col("rank")).to_series().to_numpy()


def table_row(values: FloatArray, sessions: npt.NDArray[Any], known: npt.NDArray[Any]) -> dict[str, Any]:
    return {
        "mean": float(values.mean()),
        "interval": interval(values, sessions),
        "with_history": float(values[known].mean()),
        "without_history": float(values[~known].mean()),
    }


def gains(ranks: dict[str, FloatArray], sessions: npt.NDArray[Any]) -> dict[str, Any]:
    """Of the last system over each other one."""
    *others, best = ranks
    differences = {name: ranks[best] - ranks[name] for name in others}
    return {
        name: {"mean": float(values.mean()), "interval": interval(values, sessions)}
        for name, values in differences.items()
    }


def interval(values: FloatArray, sessions: npt.NDArray[Any]) -> list[float]:
    """95 % of the mean over lists, sessions drawn whole."""
    sums, counts = np.bincount(sessions, values), np.bincount(sessions)
    draws = np.random.default_rng(0).integers(len(sums), size=(RESAMPLES, len(sums)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    return [float(edge) for edge in np.quantile(means, [0.025, 0.975])]


if __name__ == "__main__":
    main()
