"""python -m benchmarks.recommendation

What comes next: shop click sessions beside four published systems' stored answers to the same steps (yoochoose), and
H&M purchases beside the library `implicit` in the same run. Everything is chosen on training days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import implicit
import numpy as np
import polars as pl
import scipy.sparse as sp

from benchmarks.record import DATA, have, write
from ltr.experiments.estimates import mean_of, ratio_of
from ltr.recommendation import (
    Histories,
    Popularity,
    RankedRecommender,
    Recommender,
    Step,
    all_rules,
    best_of,
    measure,
)

PEERS = ("vsknn", "ar", "gru4rec", "sr")
DAY = 86_400.0
HELD_DAYS, MONTHS = 28, 4  # of H&M


def main() -> None:
    if have("yoochoose", "hm"):
        write("recommendation", "python -m benchmarks.recommendation", {"yoochoose": yoochoose(), "hm": hm()})


def fitted(
    histories: Histories, learn_days: float, most: int = 6000
) -> tuple[list[Recommender], RankedRecommender]:
    """The rules and the ranker over them, all fitted on the whole of the training days; most: steps to learn from."""
    rules = all_rules()
    ranked = RankedRecommender(rules)
    ranked.fit(histories, learn_days, most)
    return rules, ranked


@dataclass(frozen=True)
class PeerSteps:
    """histories: all training days. shared: the 387 steps that the peers answered; every: all steps of the test day."""

    histories: Histories
    shared: list[Step]
    every: list[Step]
    answers: dict[str, list[list[str]]]
    """By peer, the products that it gave for each shared step."""
    targets: list[str]


def peer_steps() -> PeerSteps:
    train, test = (pl.read_parquet(DATA / "yoochoose" / f"{part}.parquet") for part in ("train", "test"))
    histories = Histories.of(train.rename({"session_id": "session"}))
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
    answers = {}
    for name, table in stored.items():
        of_step = {(session, place): said[:20] for session, place, said in table.iter_rows()}
        answers[name] = [of_step[key] for key in asked]
    every = [step(name, place) for name, own in sessions.items() for place in range(len(own) - 1)]
    targets = [sessions[session][place + 1] for session, place in asked]
    return PeerSteps(histories, [step(*key) for key in asked], every, answers, targets)


def yoochoose() -> dict[str, Any]:
    """The 387 steps that the peers answered, and all steps of the test day."""
    given = peer_steps()
    rules, ranked = fitted(given.histories, learn_days=1)
    ours = measure(given.shared, partial(ranked.recommend, count=20))
    lines = [_line("ranked", ours.hits, ours.reciprocal, ours.hits)]
    for rule in rules:
        found = measure(given.shared, partial(by_rule, rule))
        lines.append(_line(rule.name, found.hits, found.reciprocal, ours.hits))
    for name, answers in given.answers.items():
        places = [_place(answer, target) for answer, target in zip(answers, given.targets, strict=True)]
        hits = np.array([place > 0 for place in places], dtype=float)
        reciprocal = np.array([1 / place if place else 0.0 for place in places])
        lines.append(_line(f"{name}, published", hits, reciprocal, ours.hits))
    whole = measure(given.every, partial(ranked.recommend, count=20))
    best = measure(given.every, partial(by_rule, rules[0]))
    return {
        "steps": len(given.shared),
        "lines": lines,
        "all_steps": len(given.every),
        "all": [
            _line("ranked", whole.hits, whole.reciprocal, whole.hits),
            _line(rules[0].name, best.hits, best.reciprocal, whole.hits),
        ],
    }


def _place(answer: list[str], target: str) -> int:
    return answer.index(target) + 1 if target in answer else 0


def by_rule(rule: Recommender, history: np.ndarray) -> np.ndarray:
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


@dataclass(frozen=True)
class Month:
    """28 days of H&M: what was bought before, by whom, and what each customer bought then."""

    before: Histories
    known: dict[str, np.ndarray]
    bought: dict[str, set[int]]

    def recalls(self, way: Callable[[str], np.ndarray], popular: np.ndarray) -> list[float]:
        """Of each customer; lists that are too short end with what is popular."""
        found = []
        for name, bought in self.bought.items():
            given = [row for row in way(name).tolist() if row >= 0][:20] if name in self.known else []
            shown = list(dict.fromkeys([*given, *popular.tolist()]))[:20]
            found.append(len(bought.intersection(shown)) / len(bought))
        return found


def months(count: int, skipped: int = 0) -> list[Month]:
    """The last ones, the latest first; skipped: how many later ones to leave out."""
    rows = pl.read_parquet(DATA / "hm" / "transactions.parquet").select(
        pl.col("customer_id").cast(pl.String).alias("session"),
        pl.col("article_id").alias("product_id"),
        pl.col("t_dat").str.to_datetime("%Y-%m-%d", time_unit="us").alias("at"),
    )
    whole = Histories.of(rows)
    end, found = float(whole.at.max()) + 1, []
    for number in range(skipped, skipped + count):
        until = end - number * HELD_DAYS * DAY
        cut = until - HELD_DAYS * DAY
        before = whole.before(cut)
        then = (whole.at >= cut) & (whole.at < until)
        who, what = whole.sessions.gather(whole.session_of[then]), whole.product[then].tolist()
        bought: dict[str, set[int]] = {}
        for session, product in zip(who, what, strict=True):
            bought.setdefault(session, set()).add(product)
        found.append(Month(before, dict(zip(before.sessions, before, strict=True)), bought))
    return found


def popular_in(month: Month, half_life: float) -> np.ndarray:
    rule = Popularity(half_life)
    rule.fit(month.before)
    return best_of(rule.scores(np.zeros(0, dtype=np.int64)), 20)


def chosen_half_life() -> float:
    """Days, the best of some in the months before those that are measured."""
    earlier = months(MONTHS, skipped=MONTHS)
    nothing = np.zeros(0, dtype=np.int64)

    def recall(days: float) -> float:
        found = [month.recalls(lambda _: nothing, popular_in(month, days)) for month in earlier]
        return float(np.mean(np.concatenate(found)))

    return max((7.0, 30.0, 90.0, 365.0), key=recall)


def hm() -> dict[str, Any]:
    """Recall@20 of what each customer bought in each of the last months, from all that was bought before it."""
    half_life = chosen_half_life()
    recalls: dict[str, list[float]] = {}
    customers: list[str] = []
    learned_from = []
    for month in months(MONTHS):
        rules, ranked = fitted(month.before, learn_days=365, most=1000)
        learned_from.append(ranked.learned_from)
        popular = popular_in(month, half_life)
        nothing = np.zeros(0, dtype=np.int64)
        ways: dict[str, Callable[[str], np.ndarray]] = {
            "ranked": partial(
                lambda ranked, known, name: ranked.recommend(known[name], 20), ranked, month.known
            ),
            **{
                rule.name: partial(lambda rule, known, name: by_rule(rule, known[name]), rule, month.known)
                for rule in rules
                if rule.name != "popularity"
            },
            **_implicit(month.before),
            "popularity": lambda _, nothing=nothing: nothing,
        }
        for way, ask in ways.items():
            recalls.setdefault(way, []).extend(month.recalls(ask, popular))
        customers += month.bought
    lines = [
        recall_line(way, np.array(found), np.array(recalls["popularity"]), customers)
        for way, found in recalls.items()
    ]
    return {
        "months": MONTHS,
        "half_life_days": half_life,
        "customers": len(set(customers)),
        "customer_months": len(customers),
        "learned_from": learned_from,
        "lines": lines,
    }


def recall_line(way: str, recall: np.ndarray, popular: np.ndarray, customers: list[str]) -> dict[str, Any]:
    """Months of one customer are not independent, customers are."""
    _, who = np.unique(customers, return_inverse=True)
    months_of = np.bincount(who).astype(np.float64)
    apart = ratio_of(np.bincount(who, recall - popular).astype(np.float64), months_of)
    return {
        "way": way,
        "recall@20": float(recall.mean()),
        "better_than_popularity_by": apart.value,
        "interval": list(apart.interval()) if apart.known else [0.0, 0.0],
    }


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
