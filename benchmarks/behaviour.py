"""python -m benchmarks.behaviour

H&M: what behaviour as of the moment adds to content, by how many events the bought product had (cold start). And what
differential privacy costs: the order by noisy counts, and the law of the noise on a million draws.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl
from scipy.stats import chisquare
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import ndcg_score

from benchmarks import record
from features.batch import PairBatch
from features.behaviour import BehaviourConfig, update_behaviour
from features.encoders.cache import EmbeddingCache
from features.groups.behaviour import BehaviourGroup
from features.index import CatalogueIndex
from features.sources.events import Events
from features.sources.privacy.counts import Privacy, discrete_laplace, private_counts

OTHERS = 100  # products beside the bought ones in a list, drawn from those on sale around that day
TRAIN, TEST, ON_SALE = timedelta(days=112), timedelta(days=56), timedelta(days=28)
BUCKETS = {"0": (0, 0), "1–2": (1, 2), "3–9": (3, 9), "10 or more": (10, 10**9)}
RESAMPLES, DRAWS, REPEATS = 2_000, 1_000_000, 5
EPSILONS = (Fraction(1, 10), Fraction(1), Fraction(10))
KEYS_OF_ONE = 5


def main() -> None:
    figures: dict[str, Any] = {"price_by_people": price_by_people(), "noise": noise()}
    if record.have("hm"):
        figures |= {"cold_start": cold_start(), "price": price()}
    record.write("behaviour", "python -m benchmarks.behaviour", figures)


def transactions() -> pl.DataFrame:
    """article, customer, at (the day, UTC)."""
    rows = pl.read_parquet(record.DATA / "hm" / "transactions.parquet")
    day = pl.col("t_dat").str.to_datetime("%Y-%m-%d", time_unit="us", time_zone="UTC")
    return rows.select(product_id="article_id", customer=pl.col("customer_id").cast(pl.String), at=day)


def articles() -> pl.DataFrame:
    rows = pl.read_parquet(record.DATA / "hm" / "articles.parquet")
    text = pl.concat_str(
        "prod_name", "product_type_name", "colour_group_name", "detail_desc", separator=" ", ignore_nulls=True
    )
    return rows.select(
        product_id="article_id", title=text, category="product_type_name", brand="section_name"
    ).sort("product_id")


def cold_start() -> dict[str, Any]:
    """AUC of a bought product in its list, by its events as of that day, for three sets of features."""
    products = articles()
    sold = transactions().filter(pl.col("product_id").is_in(products["product_id"].implode()))
    pairs = make_lists(sold)
    content = content_features(pairs, sold, products)
    with tempfile.TemporaryDirectory() as folder:
        behaviour = behaviour_features(pairs, sold, products, folder)
    test = (pairs["at"] > pairs["at"].max() - TEST).to_numpy()
    counts = events_before(pairs, sold)
    found: dict[str, Any] = {
        "lists_train": int(pairs.filter(~test)["list"].n_unique()),
        "lists_test": int(pairs.filter(test)["list"].n_unique()),
        "others": OTHERS,
        "auc": {},
    }
    for name, X in {
        "content": content,
        "behaviour": behaviour,
        "both": np.hstack([content, behaviour]),
    }.items():
        scores = fitted_scores(pairs, X, test)
        found["auc"][name] = by_events(pairs.filter(test), scores, counts[test])
    return found


def make_lists(sold: pl.DataFrame) -> pl.DataFrame:
    """A list a customer and day of the last weeks: what was bought, and others sold within weeks of that day.

    list, customer, at, product_id, bought; sorted by list and product. Which were on sale is known to the list alone.
    """
    random = np.random.default_rng(0)
    since = sold["at"].max() - TRAIN - TEST
    baskets = sold.filter(pl.col("at") > since).unique().sort("at", "customer", "product_id")
    days = {
        at: sold.filter((pl.col("at") - at).abs() <= ON_SALE)["product_id"].unique().sort().to_list()
        for at in baskets["at"].unique()
    }
    rows = []
    for number, ((customer, at), part) in enumerate(baskets.group_by("customer", "at", maintain_order=True)):
        bought = set(part["product_id"])
        others = [name for name in random.permutation(days[at]) if name not in bought][:OTHERS]
        rows += [(number, customer, at, name, name in bought) for name in sorted({*bought, *others})]
    schema = {
        "list": pl.Int64,
        "customer": pl.String,
        "at": pl.Datetime("us", "UTC"),
        "product_id": pl.String,
        "bought": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def content_features(pairs: pl.DataFrame, sold: pl.DataFrame, products: pl.DataFrame) -> np.ndarray:
    """Cosines of the product's words with what the customer bought on earlier days: their mean, and the nearest."""
    words = TfidfVectorizer(min_df=2).fit_transform(products["title"].fill_null("").to_list())
    rows = {name: row for row, name in enumerate(products["product_id"])}
    history = {key[0]: part.sort("at") for key, part in sold.group_by("customer")}
    X = np.full((pairs.height, 2), np.nan, dtype=np.float32)
    start = 0
    for (customer, at), part in pairs.group_by("customer", "at", maintain_order=True):
        before = history[customer].filter(pl.col("at") < at)["product_id"]
        if len(before):
            theirs = words[[rows[name] for name in before]]
            cosines = (words[[rows[name] for name in part["product_id"]]] @ theirs.T).toarray()
            X[start : start + part.height] = np.stack([cosines.mean(axis=1), cosines.max(axis=1)], axis=1)
        start += part.height
    return X


def behaviour_features(
    pairs: pl.DataFrame, sold: pl.DataFrame, products: pl.DataFrame, folder: str
) -> np.ndarray:
    """The behaviour group's, from purchases that became known when their day had ended."""
    actions = sold.select(
        "product_id",
        action=pl.lit("purchase"),
        acted_at="at",
        available_at=pl.col("at") + timedelta(days=1),
        shopper="customer",
    )
    config = BehaviourConfig(store=folder, windows=(30, 180), retention_days=10_000)
    update_behaviour(
        Events(Events.none().shown, actions), products, config, moment=datetime(2020, 12, 1, tzinfo=UTC)
    )
    catalogue = CatalogueIndex.of(products, {}, EmbeddingCache(), ())
    group = BehaviourGroup.index(catalogue, config)
    lists = pairs.unique("list", keep="first", maintain_order=True)
    queries = lists.select(
        query_id=pl.col("list").cast(pl.String),
        text=pl.lit(None, dtype=pl.String),
        at=pl.col("at") + timedelta(hours=12),
    )
    query_rows = pairs["list"].rle_id().cast(pl.Int32).to_numpy()
    batch, order = PairBatch.of(queries, query_rows, catalogue.rows_of(pairs["product_id"]))
    if order is not None:
        raise AssertionError("pairs lie by list and product already")
    X = np.full((pairs.height, len(group.features)), np.nan, dtype=np.float32)
    group.block(batch, X)
    return X[:, ~np.isnan(X).all(axis=0)]


def events_before(pairs: pl.DataFrame, sold: pl.DataFrame) -> np.ndarray:
    """(pairs,) purchases of the product on earlier days."""
    days = sold.group_by("product_id", "at").len().sort("at")
    days = days.with_columns(pl.col("len").cum_sum().over("product_id")).with_columns(
        pl.col("at") + timedelta(days=1)
    )
    asked = pairs.with_row_index("row").sort("at")
    found = asked.join_asof(days, on="at", by="product_id", check_sortedness=False).sort("row")
    return found["len"].fill_null(0).to_numpy()


def fitted_scores(pairs: pl.DataFrame, X: np.ndarray, test: np.ndarray) -> np.ndarray:
    """LambdaMART at fixed settings, fitted on the lists of the earlier weeks."""
    y, lists = pairs["bought"].cast(pl.Int8).to_numpy(), pairs["list"].to_numpy()
    sizes = np.unique(lists[~test], return_counts=True)[1]
    params = {
        "objective": "lambdarank",
        "learning_rate": 0.05,
        "num_leaves": 15,
        "min_data_in_leaf": 50,
        "seed": 0,
        "verbose": -1,
        "num_threads": 1,
        "deterministic": True,
    }
    model = lgb.train(params, lgb.Dataset(X[~test], y[~test], group=sizes), num_boost_round=150)
    return model.predict(X[test])


def by_events(pairs: pl.DataFrame, scores: np.ndarray, events: np.ndarray) -> dict[str, Any]:
    """Of each bucket of events: bought products, and their mean AUC with a 95 % bootstrap interval over lists.

    Among the others of their list in the same bucket alone: that a product not sold before was in the list at all is
    known from its later sales, which would flatter whatever sees that it had none.
    """
    rows = pairs.select("list", "bought").with_columns(score=pl.Series(scores), events=pl.Series(events))
    kept: dict[str, list[tuple[int, float]]] = {name: [] for name in BUCKETS}
    for (number,), part in rows.group_by("list", maintain_order=True):
        for name, (low, high) in BUCKETS.items():
            alike = part.filter(pl.col("events").is_between(low, high))
            others = alike.filter(~pl.col("bought"))["score"].to_numpy()
            for score in alike.filter("bought")["score"] if len(others) else ():
                auc = float((others < score).mean() + (others == score).mean() / 2)
                kept[name].append((int(number), auc))
    return {name: _mean(found) for name, found in kept.items() if found}


def _mean(found: list[tuple[int, float]]) -> dict[str, Any]:
    numbers, values = np.array([n for n, _ in found]), np.array([v for _, v in found])
    lists, place = np.unique(numbers, return_inverse=True)
    sums, sizes = np.bincount(place, values), np.bincount(place)
    drawn = np.random.default_rng(0).integers(0, len(lists), (RESAMPLES, len(lists)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {
        "bought": len(values),
        "mean": round(float(values.mean()), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
    }


def price() -> dict[str, Any]:
    """H&M: each of the last 28 days, all articles by purchases of the 30 days before; nDCG@10 of what was bought."""
    sold = transactions()
    known = sold["product_id"].unique().sort()
    days = sold.filter(pl.col("at") > sold["at"].max() - ON_SALE)["at"].unique().sort()
    found: dict[str, list[float]] = {}
    for at in days:
        before = sold.filter(pl.col("at").is_between(at - timedelta(days=30), at, closed="left"))
        relevant = known.is_in(sold.filter(at=at)["product_id"].implode()).cast(pl.Int8).to_numpy()[None]
        plain = known.to_frame().join(before.group_by("product_id").len(), on="product_id", how="left")
        people = known.to_frame().join(
            before.unique(["product_id", "customer"]).group_by("product_id").len(),
            on="product_id",
            how="left",
        )
        scores = {
            "all purchases": plain.sort("product_id")["len"].cast(pl.Int64).fill_null(0).to_numpy(),
            "people who bought": people.sort("product_id")["len"].cast(pl.Int64).fill_null(0).to_numpy(),
            f"people, each for {KEYS_OF_ONE} articles at most": counts(before, known, None),
        }
        for name, score in scores.items():
            found.setdefault(name, []).append(float(ndcg_score(relevant, score[None], k=10)))
        for epsilon in EPSILONS:
            noisy = [ndcg_score(relevant, counts(before, known, epsilon)[None], k=10) for _ in range(REPEATS)]
            found.setdefault(f"epsilon {float(epsilon):g}", []).append(float(np.mean(noisy)))
    people = sold.filter(pl.col("at") > sold["at"].max() - ON_SALE)["customer"].n_unique()
    return {
        "days": len(days),
        "articles": len(known),
        "people_a_month": people,
        "ndcg": {name: round(float(np.mean(v)), 4) for name, v in found.items()},
    }


def counts(rows: pl.DataFrame, known: pl.Series, epsilon: Fraction | None) -> np.ndarray:
    """(known,) private counts; without epsilon, of as many of each person but without noise."""
    privacy = Privacy(epsilon or Fraction(10**6), 1e-6, KEYS_OF_ONE)
    return private_counts(rows, "product_id", "customer", privacy, known)["count"].to_numpy()


def price_by_people() -> list[dict[str, Any]]:
    """A made-up shop of 500 products whose true popularity falls as 1 / rank; each person buys 5 of them."""
    random = np.random.default_rng(0)
    truth = 1 / np.arange(1, 501)
    known = pl.Series("product_id", [f"p{i:03}" for i in range(500)])
    rows = []
    for people in (1_000, 10_000, 100_000):
        bought = random.choice(500, size=(people, KEYS_OF_ONE), p=truth / truth.sum()).ravel()
        frame = pl.DataFrame(
            {"product_id": known.gather(bought), "customer": np.repeat(np.arange(people), KEYS_OF_ONE)}
        )
        frame = frame.with_columns(pl.col("customer").cast(pl.String))
        row: dict[str, Any] = {
            "people": people,
            "no noise": ndcg_score(truth[None], counts(frame, known, None)[None], k=10),
        }
        for epsilon in EPSILONS:
            noisy = [
                ndcg_score(truth[None], counts(frame, known, epsilon)[None], k=10) for _ in range(REPEATS)
            ]
            row[f"epsilon {float(epsilon):g}"] = np.mean(noisy)
        rows.append(
            {name: round(float(value), 4) if name != "people" else value for name, value in row.items()}
        )
    return rows


def noise() -> dict[str, Any]:
    """χ² of a million draws against the law, over whole numbers met 20 times at least and the rest together."""
    found = {}
    for scale in (Fraction(1), Fraction(7, 2), Fraction(20)):
        drawn = discrete_laplace(scale, DRAWS)
        step, values = np.exp(-1 / float(scale)), np.arange(-1000, 1001)
        chances = (1 - step) / (1 + step) * step ** np.abs(values)
        often = chances * DRAWS > 20
        seen = np.array([(drawn == value).sum() for value in values[often]])
        wanted = np.append(chances[often], 1 - chances[often].sum()) * DRAWS
        found[str(scale)] = round(float(chisquare(np.append(seen, DRAWS - seen.sum()), wanted).pvalue), 4)
    return found


if __name__ == "__main__":
    main()
