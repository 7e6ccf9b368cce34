"""python -m benchmarks.recommendation

What comes next: shop click sessions beside four published systems' stored answers to the same steps (yoochoose), and
H&M purchases beside the library `implicit` in the same run. Everything is chosen on training days.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import implicit
import numpy as np
import polars as pl
import scipy.sparse as sp

from benchmarks.record import DATA, have, write
from ltr.experiments.estimates import mean_of
from ltr.recommendation import (
    Histories,
    RankedRecommender,
    Recommender,
    Step,
    all_rules,
    best_of,
    measure,
)

PEERS = ("vsknn", "ar", "gru4rec", "sr")
DAY = 86_400.0
HELD_DAYS = 28  # of H&M


def main() -> None:
    if have("yoochoose", "hm"):
        write("recommendation", "python -m benchmarks.recommendation", {"yoochoose": yoochoose(), "hm": hm()})


def fitted(histories: Histories, learn_days: float) -> tuple[list[Recommender], RankedRecommender]:
    """The rules and the ranker over them, all fitted on the whole of the training days."""
    rules = all_rules()
    ranked = RankedRecommender(rules)
    ranked.fit(histories, learn_days)
    return rules, ranked


def yoochoose() -> dict[str, Any]:
    """The 387 steps that the peers answered, and all steps of the test day."""
    train, test = (pl.read_parquet(DATA / "yoochoose" / f"{part}.parquet") for part in ("train", "test"))
    histories = Histories.of(train.rename({"session_id": "session"}))
    rules, ranked = fitted(histories, learn_days=1)
    row = {name: place for place, name in enumerate(histories.products)}
    sessions = {
        key[0]: own["product_id"].to_list()
        for key, own in test.sort("session_id", "at").group_by("session_id", maintain_order=True)
    }

    def step(session: Any, place: int) -> Step:
        own = sessions[session]
        known = [row[name] for name in own[: place + 1] if name in row]
        return Step(np.array(known, dtype=np.int64), row.get(own[place + 1], -1), int(session))

    stored = {name: pl.read_parquet(DATA / "yoochoose" / f"peer_{name}.parquet") for name in PEERS}
    asked = [(session, place) for session, place, _ in stored["vsknn"].iter_rows()]
    shared = [step(*key) for key in asked]
    ours = measure(shared, partial(ranked.recommend, count=20))
    lines = [_line("ranked", ours.hits, ours.reciprocal, ours.hits)]
    for rule in rules:
        found = measure(shared, partial(_by_rule, rule))
        lines.append(_line(rule.name, found.hits, found.reciprocal, ours.hits))
    for name, table in stored.items():
        answers = {(session, place): said[:20] for session, place, said in table.iter_rows()}
        places = [_place(answers[key], sessions[key[0]][key[1] + 1]) for key in asked]
        hits = np.array([place > 0 for place in places], dtype=float)
        reciprocal = np.array([1 / place if place else 0.0 for place in places])
        lines.append(_line(f"{name}, published", hits, reciprocal, ours.hits))
    every = [step(name, place) for name, own in sessions.items() for place in range(len(own) - 1)]
    whole = measure(every, partial(ranked.recommend, count=20))
    best = measure(every, partial(_by_rule, rules[0]))
    return {
        "steps": len(shared),
        "lines": lines,
        "all_steps": len(every),
        "all": [
            _line("ranked", whole.hits, whole.reciprocal, whole.hits),
            _line(rules[0].name, best.hits, best.reciprocal, whole.hits),
        ],
    }


def _place(answer: list[str], target: str) -> int:
    return answer.index(target) + 1 if target in answer else 0


def _by_rule(rule: Recommender, history: np.ndarray) -> np.ndarray:
    return best_of(rule.scores(history), 20)


def _line(name: str, hits: np.ndarray, reciprocal: np.ndarray, ours: np.ndarray) -> dict[str, Any]:
    apart = mean_of(ours - hits)
    return {
        "way": name,
        "HR@20": float(hits.mean()),
        "MRR@20": float(reciprocal.mean()),
        "ranked_better_by": apart.value,
        "interval": list(apart.interval()) if apart.known else None,
        "p": apart.p_value,
    }


def hm() -> dict[str, Any]:
    """Recall@20 of what each customer bought in the last 28 days, from all that was bought before."""
    rows = pl.read_parquet(DATA / "hm" / "transactions.parquet").select(
        pl.col("customer_id").cast(pl.String).alias("session"),
        pl.col("article_id").alias("product_id"),
        pl.col("t_dat").str.to_datetime("%Y-%m-%d", time_unit="us").alias("at"),
    )
    whole = Histories.of(rows)
    cut = float(whole.at.max()) - HELD_DAYS * DAY + 1
    before = whole.before(cut)
    known = dict(zip(before.sessions, before, strict=True))
    late = whole.at >= cut
    who, what = whole.sessions.gather(whole.session_of[late]), whole.product[late].tolist()
    bought: dict[str, set[int]] = {}
    for session, product in zip(who, what, strict=True):
        bought.setdefault(session, set()).add(product)
    rules, ranked = fitted(before, learn_days=HELD_DAYS)
    popular = next(rule for rule in rules if rule.name == "popularity")
    nobody = np.zeros(0, dtype=np.int64)
    first = best_of(popular.scores(nobody), 20)

    def filled(way: Callable[[str], np.ndarray], name: str) -> float:
        """Recall of a customer: lists that are too short end with what is popular."""
        given = [row for row in way(name).tolist() if row >= 0][:20] if name in known else []
        shown = list(dict.fromkeys([*given, *first.tolist()]))[:20]
        return len(bought[name].intersection(shown)) / len(bought[name])

    ways: dict[str, Callable[[str], np.ndarray]] = {
        "ranked": lambda name: ranked.recommend(known[name], 20),
        **{rule.name: partial(lambda rule, name: _by_rule(rule, known[name]), rule) for rule in rules},
        **_implicit(before),
    }
    recalls = {way: np.array([filled(ask, name) for name in bought]) for way, ask in ways.items()}
    lines = []
    for way, recall in recalls.items():
        apart = mean_of(recalls["ranked"] - recall)
        low, high = apart.interval() if apart.known else (0.0, 0.0)
        lines.append(
            {
                "way": way,
                "recall@20": float(recall.mean()),
                "ranked_better_by": apart.value,
                "interval": [low, high],
            }
        )
    return {"customers": len(bought), "learned_from": ranked.learned_from, "lines": lines}


def _implicit(before: Histories) -> dict[str, Callable[[str], np.ndarray]]:
    """ALS and item–item cosine of the library `implicit`, at its defaults but for a fixed seed."""
    seen = sp.csr_matrix(before.matrix())
    place = {name: row for row, name in enumerate(before.sessions)}
    models = {
        "implicit: ALS": implicit.als.AlternatingLeastSquares(factors=64, random_state=0, num_threads=1),
        "implicit: item cosine": implicit.nearest_neighbours.CosineRecommender(K=20, num_threads=1),
    }
    for model in models.values():
        model.fit(seen, show_progress=False)

    def ask(model: Any, name: str) -> np.ndarray:
        rows, scores = model.recommend(
            place[name], sp.csr_matrix(seen[place[name]]), N=20, filter_already_liked_items=False
        )
        return np.where(scores > 0, rows, -1)

    return {name: partial(ask, model) for name, model in models.items()}


if __name__ == "__main__":
    main()
