"""python -m benchmarks.item_graph

The sparse walk on the graph of what was looked at together, beside a light graph network on the same graph: next
products of shop sessions (yoochoose), and of H&M's customers, with the articles' words as its input too. A network of
no layers is the same without the graph. Epochs are chosen on days before those that are measured.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks import record
from benchmarks.graph_network import GraphNetwork
from benchmarks.recommendation import (
    DAY,
    by_rule,
    chosen_half_life,
    months,
    peer_steps,
    popular_in,
    recall_line,
)
from ltr.recommendation import (
    Found,
    GraphWalk,
    Histories,
    RankedRecommender,
    Recommender,
    SessionNeighbours,
    Step,
    all_rules,
    measure,
    steps_of,
)
from ltr.recommendation.trial import gain

MONTHS, STEPS = 2, 2000  # of H&M; of the test day, by lot


def main() -> None:
    torch.set_num_threads(1)
    if record.have("yoochoose", "hm"):
        figures = {"yoochoose": yoochoose(), "hm": hm()}
        record.write("item_graph", "python -m benchmarks.item_graph", figures)


def yoochoose() -> dict[str, Any]:
    given = peer_steps()
    networks = chosen(
        [GraphNetwork(layers, 0) for layers in (0, 1, 2)], given.histories, days=1, epochs=10, most=3000
    )
    best = max(networks, key=lambda network: network.found)
    ways: list[Recommender] = [GraphWalk(), *networks, SessionNeighbours()]
    seconds = {way.name: fit_seconds(way, given.histories) for way in ways}
    plain = RankedRecommender(all_rules())
    more = RankedRecommender([*all_rules(), GraphNetwork(best.layers, best.epochs)])
    seconds |= {"ranked": fit_ranked(plain, given.histories)}
    seconds |= {"ranked, the network among its rules": fit_ranked(more, given.histories)}
    asks = {way.name: partial(by_rule, way) for way in ways}
    asks |= {
        "ranked": partial(plain.recommend, count=20),
        "ranked, the network among its rules": partial(more.recommend, count=20),
    }
    lines = []
    drawn = np.random.default_rng(0).choice(len(given.every), STEPS, replace=False)
    every = [given.every[row] for row in np.sort(drawn)]
    found = {name: (measure(given.shared, ask), measure(every, ask)) for name, ask in asks.items()}
    for name, (shared, drawn_ones) in found.items():
        against = "ranked" if name.startswith("ranked") else "graph_walk"
        lines.append(
            {
                "way": name,
                "seconds": round(seconds[name], 1),
                "shared": hit_line(shared, found[against][0]),
                "every": hit_line(drawn_ones, found[against][1]),
                "against": against,
            }
        )
    epochs = {network.name: network.epochs for network in networks}
    return {"steps": [len(given.shared), len(every)], "epochs": epochs, "lines": lines}


def hit_line(found: Found, other: Found) -> dict[str, Any]:
    apart = gain(found, other)
    return {
        "HR@20": round(float(found.hits.mean()), 4),
        "better_by": round(apart.value, 4),
        "interval": [round(edge, 4) for edge in apart.interval()] if apart.known else None,
    }


def chosen(
    networks: list[GraphNetwork], histories: Histories, days: float, epochs: int, most: int
) -> list[GraphNetwork]:
    """Each with the epochs that find most of the last days' steps, learned from what was before."""
    cut = float(histories.at.max()) - days * DAY
    before = histories.before(cut)
    later: list[Step] = steps_of(histories.ending_from(cut), since=cut, most=most)
    for network in networks:
        network.choose_epochs(before, later, epochs)
    return networks


def fit_seconds(way: Recommender, histories: Histories) -> float:
    start = time.perf_counter()
    way.fit(histories)
    return time.perf_counter() - start


def fit_ranked(ranked: RankedRecommender, histories: Histories) -> float:
    start = time.perf_counter()
    ranked.fit(histories, 1, most=2000)
    return time.perf_counter() - start


def hm() -> dict[str, Any]:
    half_life = chosen_half_life()
    measured = months(MONTHS)
    texts = words_of(measured[0].before.products)
    networks = [GraphNetwork(layers, 0, words) for layers, words in ((0, None), (1, None), (1, texts))]
    chosen(networks, measured[-1].before, days=56, epochs=5, most=1000)
    ways: list[Recommender] = [GraphWalk(), *networks]
    recalls: dict[str, list[float]] = {}
    seconds: dict[str, float] = {}
    customers: list[str] = []
    for month in measured:
        popular = popular_in(month, half_life)
        for way in ways:
            took = fit_seconds(way, month.before)
            seconds[way.name] = seconds.get(way.name, 0.0) + took / MONTHS

            def ask(name: str, way: Recommender = way, month: Any = month) -> np.ndarray:
                return by_rule(way, month.known[name])

            recalls.setdefault(way.name, []).extend(month.recalls(ask, popular))
        nothing = np.zeros(0, dtype=np.int64)
        recalls.setdefault("popularity", []).extend(month.recalls(lambda _, none=nothing: none, popular))
        customers += month.bought
    lines = [
        recall_line(way, np.array(found), np.array(recalls["popularity"]), customers)
        | {"seconds": round(seconds.get(way, 0.0), 1)}
        for way, found in recalls.items()
    ]
    epochs = {network.name: network.epochs for network in networks}
    return {"months": MONTHS, "customer_months": len(customers), "epochs": epochs, "lines": lines}


def words_of(products: pl.Series) -> np.ndarray:
    """(m, 64) the words of each article, reduced; 0 where nothing is known of it."""
    rows = pl.read_parquet(record.DATA / "hm" / "articles.parquet")
    columns = ("prod_name", "product_type_name", "colour_group_name", "section_name", "detail_desc")
    told = rows.select("article_id", text=pl.concat_str(columns, separator=" ", ignore_nulls=True))
    texts = products.to_frame("article_id").join(told, on="article_id", how="left", maintain_order="left")[
        "text"
    ]
    words = TfidfVectorizer(min_df=2).fit_transform(texts.fill_null("").to_list())
    found = TruncatedSVD(64, random_state=0).fit_transform(words)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


if __name__ == "__main__":
    main()
