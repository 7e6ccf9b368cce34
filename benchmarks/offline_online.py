"""python -m benchmarks.offline_online

Which way of judging a ranker agrees with what shoppers then do? On the demo shop's simulated people, whose exact
chances are known: 20 pairs of rankers of graded quality, each judged in every way, against the true lift in clicks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import kendalltau, norm

from benchmarks.record import write
from ltr.clicks import CannotTell, ShownLists, label
from ltr.demo.shop import DemoShop, DemoShopConfig, generate
from ltr.demo.shoppers import Policy, Requests, Shoppers, ShopperSettings, Shown
from ltr.evaluation.per_query import evaluate
from ltr.experiments.estimates import Difference, Estimate, ratio_of
from ltr.experiments.interleaving import ranks_of, team_draft
from ltr.experiments.interleaving.credit import team_credit
from ltr.experiments.off_policy.lists import ListLog, list_values

PAIRS, SHOWN = 20, 10
SESSIONS = 3000  # of an experiment
TRUTH_SESSIONS = 6000
CANDIDATES, SHARPNESS = (
    20,
    12.0,
)  # of the lists drawn for off-policy estimates: what is drawn from, and how boldly
ESTIMATORS = ("cascade-dr", "item-position")
CLEAR = 0.02  # a true lift below it is a tie
EXAMINATIONS = ("position", "dynamic-bayesian")


@dataclass(frozen=True)
class Judged:
    """What one way says of b against a: a value above 0 for b, and how sure it is (nan: it does not say)."""

    value: float
    z: float = float("nan")
    per_session: float = float("nan")
    """z per root session: sessions for 80 % power at 5 % are (2.8 / it)²."""


def main() -> None:
    shop = generate(DemoShopConfig())
    write(
        "offline_online",
        "python -m benchmarks.offline_online",
        {"worlds": [world(shop, e) for e in EXAMINATIONS]},
    )


def world(shop: DemoShop, examination: str) -> dict[str, Any]:
    """Every way of judging, over all pairs, in the shop where people look down a list in this way."""
    settings = ShopperSettings.model_validate(
        {"examination": examination, "shown": SHOWN, "bots": 0, "repeats": 0, "new_products": 0}
    )
    shoppers = Shoppers(shop, settings)
    requests = shoppers.requests(TRUTH_SESSIONS, seed=1)
    found: dict[str, list[Judged]] = {}
    lifts, drawn_lifts = [], []
    for a, b, seed in pairs_of_rankers(shoppers):
        clicks = [true_clicks(shoppers, requests, top(scores[requests.query])) for scores in (a, b)]
        lifts.append(clicks[1] / clicks[0] - 1)
        ways = {**offline(shoppers, a, b), **by_clicks(shoppers, a, b, seed), **online(shoppers, a, b, seed)}
        drawn, lift = off_policy(shoppers, requests, a, b, seed)
        drawn_lifts.append(lift)
        ways |= drawn
        for name, judged in ways.items():
            found.setdefault(name, []).append(judged)
        print(f"{examination}: pair {len(lifts)} of {PAIRS}, true lift {lifts[-1]:+.1%}", flush=True)
    return {
        "examination": examination,
        "lifts": lifts,
        "ways": [
            agreement(name, judged, drawn_lifts if name.startswith("off-policy") else lifts)
            for name, judged in found.items()
        ],
        "interleaving_saves": savings(found["A/B test"], found["interleaving"], lifts),
    }


def pairs_of_rankers(shoppers: Shoppers) -> Iterable[tuple[np.ndarray, np.ndarray, int]]:
    """Scores (queries, products): a product's worth, spoiled more or less, so that the quality is graded.

    Spoiled in turn by an error of its own for each query and product, by one for each product (as a popular one
    that is put first everywhere), and by strays: products of other shelves that nobody judged come up.
    """
    rng = np.random.default_rng(0)
    worth = shoppers.worth
    for pair in range(PAIRS):
        made = []
        for side, level in enumerate(rng.uniform(0.05, 0.2, 2)):
            kind = (pair + side) % 3
            error = rng.normal(size=worth.shape if kind == 0 else (1, worth.shape[1]))
            if kind == 2:
                strays = (worth == 0) & (rng.random(worth.shape) < 0.05 * level)
                error = rng.normal(size=worth.shape) / 2 + strays * 5
            made.append(worth + level * error)
        yield made[0], made[1], pair


def top(scores: np.ndarray, length: int = SHOWN) -> np.ndarray:
    """(n, length) products, best first."""
    best = np.argpartition(-scores, length, axis=1)[:, :length]
    return np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1), axis=1)


def lists(products: np.ndarray) -> Shown:
    return Shown(products, np.full(products.shape, np.nan))


def true_clicks(shoppers: Shoppers, requests: Requests, products: np.ndarray) -> float:
    """Expected clicks per list: exact chances, no lot."""
    return shoppers.browse(requests, lists(products)).clicks_expected()


def clicked(shoppers: Shoppers, requests: Requests, products: np.ndarray, seed: int) -> np.ndarray:
    """(n, length) 0 or 1, by lot."""
    visit = shoppers.browse(requests, lists(products), seed)
    clicks = (
        visit.events.actions.filter(action="click").select("request_id", "product_id", click=1.0).unique()
    )
    found = visit.events.shown.join(
        clicks, on=["request_id", "product_id"], how="left", maintain_order="left"
    )
    return found["click"].fill_null(0.0).to_numpy().reshape(products.shape)


def offline(shoppers: Shoppers, a: np.ndarray, b: np.ndarray) -> dict[str, Judged]:
    """nDCG@10 by what is known of each product: lists of the judged, what is shown, and the truth of all products."""
    shop = shoppers.shop
    place = {name: row for row, name in enumerate(shop.products["product_id"])}
    query = {name: row for row, name in enumerate(shop.queries["query_id"])}
    judged = shop.judgements.with_columns(
        q=pl.col("query_id").replace_strict(query), p=pl.col("product_id").replace_strict(place)
    )
    rows, columns = judged["q"].to_numpy(), judged["p"].to_numpy()
    grades = np.full(shoppers.worth.shape, np.nan)
    grades[rows, columns] = judged["grade"].to_numpy()
    true_grades = np.digitize(shoppers.worth, (0.4, 0.62, 0.82)).astype(float)

    def of_judged(scores: np.ndarray) -> np.ndarray:
        return per_query(
            judged.select("query_id", "product_id", "grade").with_columns(score=scores[rows, columns])
        )

    def of_shown(known: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        def measure(scores: np.ndarray) -> np.ndarray:
            gains = 2 ** np.nan_to_num(known) - 1
            discount = 1 / np.log2(np.arange(2, SHOWN + 2))
            ideal = -np.sort(-gains, axis=1)[:, :SHOWN] @ discount
            shown = np.take_along_axis(gains, top(scores), axis=1) @ discount
            return shown[ideal > 0] / ideal[ideal > 0]

        return measure

    ways = {
        "nDCG@10, judged lists": of_judged,
        "nDCG@10 of what is shown, unjudged = 0": of_shown(grades),
        "nDCG@10 of what is shown, truth": of_shown(true_grades),
    }
    found = {}
    for name, measure in ways.items():
        found[name] = _by_query(measure(b) - measure(a))
    return found


def per_query(pairs: pl.DataFrame) -> np.ndarray:
    return evaluate(pairs).sort("query_id")["nDCG@10"].drop_nulls().to_numpy()


def by_clicks(shoppers: Shoppers, a: np.ndarray, b: np.ndarray, seed: int) -> dict[str, Judged]:
    """nDCG@10 on labels from clicks on the old ranker's lists, of which each had two neighbours swapped by lot."""
    visit = shoppers.visit(Policy(a, "log", "swap"), SESSIONS, seed=300 + seed)
    place = {name: row for row, name in enumerate(shoppers.shop.products["product_id"])}
    query = {name: row for row, name in enumerate(shoppers.shop.queries["query_id"])}
    found = {}
    for name, seen in (("clicks as they are", "naive"), ("a click model's labels", "automatic")):
        try:
            labels = label(ShownLists.of(visit.events), seen).judgements.select(
                "query_id", "product_id", "grade"
            )
        except CannotTell:
            found[f"nDCG@10, {name}"] = Judged(float("nan"))
            continue
        rows = labels["query_id"].replace_strict(query).to_numpy()
        columns = labels["product_id"].replace_strict(place).to_numpy()
        measured = [per_query(labels.with_columns(score=scores[rows, columns])) for scores in (a, b)]
        found[f"nDCG@10, {name}"] = _by_query(measured[1] - measured[0])
    return found


def _by_query(apart: np.ndarray) -> Judged:
    return Judged(float(apart.mean()), float(apart.mean() / (apart.std() / np.sqrt(len(apart)))))


def online(shoppers: Shoppers, a: np.ndarray, b: np.ndarray, seed: int) -> dict[str, Judged]:
    """A/B test, interleaving, and clicks on what the old ranker shows credited to the new one's order."""
    requests = shoppers.requests(SESSIONS, seed=100 + seed)
    rng = np.random.default_rng(seed)
    ours, theirs = top(a[requests.query]), top(b[requests.query])
    arm = rng.integers(0, 2, int(requests.person.max()) + 1)[requests.person]
    clicks = clicked(shoppers, requests, np.where(arm[:, None] == 1, theirs, ours), seed).sum(axis=1)
    arms = [per_list(clicks[arm == side], requests.person[arm == side]) for side in (0, 1)]
    test = Difference(*arms)
    drafts = [team_draft(pair, SHOWN, rng) for pair in zip(ours.tolist(), theirs.tolist(), strict=True)]
    mixed = np.array([draft.items for draft in drafts], dtype=np.int64)
    credit = np.stack(
        [
            team_credit(np.array(draft.team), ranks_of(pair, draft.items))
            for draft, *pair in zip(drafts, ours.tolist(), theirs.tolist(), strict=True)
        ]
    )
    clicks = clicked(shoppers, requests, mixed, 1000 + seed)
    preferred = per_list(((credit[..., 1] - credit[..., 0]) * clicks).sum(axis=1), requests.person)
    return {
        "A/B test": _judged(test.value, test.error),
        "interleaving": _judged(preferred.value, preferred.error),
    }


def per_list(values: np.ndarray, person: np.ndarray) -> Estimate:
    """Mean per list, whose shoppers are the independent units."""
    codes, lists_of = np.unique(person, return_counts=True)
    sums = np.bincount(np.searchsorted(codes, person), values, len(codes))
    return ratio_of(sums.astype(np.float64), lists_of.astype(np.float64))


def _judged(value: float, error: float) -> Judged:
    return Judged(value, value / error, value / error / np.sqrt(SESSIONS))


def off_policy(
    shoppers: Shoppers, requests: Requests, a: np.ndarray, b: np.ndarray, seed: int
) -> tuple[dict[str, Judged], float]:
    """From a log of lists that `a` draws from its best 20, what lists drawn by `b` would earn, by two estimators.

    Also the true lift of the drawn lists, which is what it estimates. A refusal counts as no answer.
    """
    log_requests = shoppers.requests(SESSIONS, seed=200 + seed)
    rng = np.random.default_rng(300 + seed)
    drawn = {}
    for name, asked, scores in (("log", log_requests, a), ("a", requests, a), ("b", requests, b)):
        pool = top(a[asked.query], CANDIDATES)
        drawn[name] = pool, _draw(_sharp(scores, asked, pool), rng)
    pool, shown = drawn["log"]
    rewards = clicked(shoppers, log_requests, np.take_along_axis(pool, shown, axis=1), 2000 + seed)
    _, unit = np.unique(log_requests.person, return_inverse=True)
    log = ListLog(
        _sharp(a, log_requests, pool),
        _sharp(b, log_requests, pool),
        pool,
        shown,
        rewards,
        unit.astype(np.int64),
    )
    clicks = [
        true_clicks(shoppers, requests, np.take_along_axis(*drawn[name], axis=1)) for name in ("a", "b")
    ]
    lift = clicks[1] / clicks[0] - 1
    own = per_list(rewards.sum(axis=1), log_requests.person)
    found = {}
    for valued in list_values(log, seed):
        if valued.name in ESTIMATORS:
            apart = valued.estimate.influence - own.influence
            gain = Estimate(valued.estimate.value - own.value, apart)
            known = Judged(float("nan")) if valued.refused else _judged(gain.value, gain.error)
            found[f"off-policy, {valued.name}"] = known
    return found, lift


def _sharp(scores: np.ndarray, requests: Requests, pool: np.ndarray) -> np.ndarray:
    """Plackett-Luce scores (n, candidates) of a pool."""
    return SHARPNESS * np.take_along_axis(scores[requests.query], pool, axis=1)


def _draw(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, SHOWN) places in the pool, by Plackett-Luce: the largest of the scores with Gumbel noise."""
    return top(scores + rng.gumbel(size=scores.shape))


def agreement(name: str, judged: list[Judged], lifts: list[float]) -> dict[str, Any]:
    """How a way's values go with the true lifts: rank correlation, right and wrong verdicts, refusals."""
    values, z, true = np.array([j.value for j in judged]), np.array([j.z for j in judged]), np.array(lifts)
    said = ~np.isnan(values)
    sure = said & (np.abs(z) > norm.isf(0.025))
    right = np.sign(values) == np.sign(true)
    clear = np.abs(true) > CLEAR
    return {
        "way": name,
        "says": int(said.sum()),
        "tau": float(kendalltau(values[said], true[said]).statistic) if said.sum() > 2 else None,
        "correlation": float(np.corrcoef(values[said], true[said])[0, 1]) if said.sum() > 2 else None,
        "clear_pairs": int((said & clear).sum()),
        "right_side": int((said & clear & right).sum()),
        "sure": int(sure.sum()),
        "sure_and_wrong": int((sure & ~right).sum()),
    }


def savings(ab: list[Judged], interleaving: list[Judged], lifts: list[float]) -> dict[str, float]:
    """Sessions of an A/B test over sessions of interleaving, for the same power, over the pairs with a clear lift."""
    clear = [n for n, lift in enumerate(lifts) if abs(lift) > CLEAR]
    ratios = [(interleaving[n].per_session / ab[n].per_session) ** 2 for n in clear]
    pooled = sum(interleaving[n].per_session ** 2 for n in clear) / sum(ab[n].per_session ** 2 for n in clear)
    return {"pairs": len(clear), "median": float(np.median(ratios)), "pooled": float(pooled)}


if __name__ == "__main__":
    main()
