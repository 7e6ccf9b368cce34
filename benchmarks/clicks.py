"""python -m benchmarks.clicks [examination] [models] [learning] [real] [open_bandit]

Learning from clicks where the truth is known: examination found, click models beside published EM in plain Python,
strategies of training in worlds of three logging rankers and three ways to click; and real logs: hotel searches, and a
shop's recommendations of which a week was drawn at random.
Parts that are named replace their figures; the others stay.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.click_worlds import CLICKS, CONFIG, XGBOOST, World
from benchmarks.plain_pbm import plain_pbm
from benchmarks.record import DATA, RESULTS, have, write
from features.sources.events import Events
from ltr.clicks import CannotTell, ShownLists, harvest, label, overlap
from ltr.clicks.models import PositionBased, Prior, choose, perplexity
from ltr.data.gains import gains_of
from ltr.rankers.lists import ndcg
from ltr.training.click_settings import STRATEGIES, Strategy
from ltr.training.click_strategies import choose_strategy, train

METHODS = ("pivot", "adjacent", "all pairs")
FIRST_SEED = (
    3000  # of the worlds published; smoothing was made on 1000 to 1015, the rule of lots on 2000 to 2005
)
WORLDS = (("random", None, 6), ("weak", None, 2), ("strong", None, 2), ("weak", 0.1, 4), ("strong", 0.1, 4))
LISTS = 4000
CHEAP: tuple[Strategy, ...] = (
    "naive",
    "rates",
    "ips",
    "labels",
    "smoothed",
)  # the libraries' own take most of the time


def main() -> None:
    if not have("lightgbm_rank"):
        return
    parts = {
        "examination": examination,
        "models": models,
        "learning": learning,
        "real": real,
        "open_bandit": open_bandit,
    }
    before = RESULTS / "clicks.json"
    kept = json.loads(before.read_text(encoding="utf-8")) if before.exists() else {}
    found = {name: kept[name] for name in parts if name in kept}
    for name in sys.argv[1:] or parts:
        found[name] = parts[name]()
    write("clicks", "python -m benchmarks.clicks", found)


def examination() -> list[dict[str, Any]]:
    """Largest error over ten places, at 100,000 lists of which all or a tenth are in random order."""
    world, found = World.load(), []
    truth = 1 / np.arange(1.0, 11)
    for logging, explored in (("random", None), ("weak", 0.1), ("strong", 0.1)):
        lists = world.lists(logging, "position", 100_000, 0, explored)
        errors = {}
        for method in METHODS:
            for by_lot in (False, True):
                made = harvest(lists, method, by_lot=by_lot)  # type: ignore[arg-type]
                errors[made.method] = float(np.nanmax(np.abs(made.seen - truth)))
        found.append({"logging": logging, "explored": explored or 1.0, "largest_error": errors})
    return found


def models() -> dict[str, Any]:
    """The position-based model on 6,000 lists beside 30 steps of published EM in plain Python, alternating."""
    lists = World.load().lists("random", "position", 6000, 1)
    earlier, later = lists.split()
    ours, plain, times = PositionBased(), PositionBased(), {"ours": [], "plain": []}
    for _ in range(3):
        start = time.perf_counter()
        ours.fit(earlier, Prior(1, 1))
        times["ours"].append(time.perf_counter() - start)
        start = time.perf_counter()
        alpha, gamma = plain_pbm(earlier.item, earlier.clicked, (1, 1), 30)
        times["plain"].append(time.perf_counter() - start)
    plain.attraction, plain.seen = np.array(alpha), np.array(gamma)
    by = {name: float(np.nanmean(perplexity(one, later))) for name, one in (("ours", ours), ("plain", plain))}
    best = {name: min(values) for name, values in times.items()}
    return {"perplexity": by, "seconds": best, "times_faster": best["plain"] / best["ours"]}


def learning() -> list[dict[str, Any]]:
    """nDCG@10 on test queries with their true grades, mean over seeds, by logging ranker and way to click.

    With weak and strong logging also where a share of lists was in random order, logged as such.
    """
    world = World.load()
    return [
        in_world(world, logging, explored, seeds, clicks)
        for logging, explored, seeds in WORLDS
        for clicks in CLICKS
    ]


def in_world(world: World, logging: str, explored: float | None, seeds: int, clicks: str) -> dict[str, Any]:
    values: dict[str, list[float]] = {}
    chosen = []
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        lists = world.lists(logging, clicks, LISTS, seed, explored)
        scores, choice = one_world(world, lists, STRATEGIES if clicks == "position" else CHEAP)
        chosen.append(choice)
        for name, value in (scores | {"automatic": scores[choice]}).items():
            values.setdefault(name, []).append(value)
    found = learned(logging, explored, clicks, values, chosen)
    print(found, flush=True)
    return found


def learned(
    logging: str, explored: float | None, clicks: str, values: dict[str, list[float]], chosen: list[str]
) -> dict[str, Any]:
    """A world's row: means over seeds, and what automatic gains over naive, with its error from three seeds on."""
    gain = np.array(values["automatic"]) - np.array(values["naive"])
    many = len(gain) > 2
    return {
        "logging": logging,
        "explored": explored,
        "clicks": clicks,
        "first_seed": FIRST_SEED,
        "lists": LISTS,
        "seeds": len(gain),
        "ndcg": {name: float(np.mean(each)) for name, each in values.items()},
        "gain": float(gain.mean()),
        "gain_error": float(gain.std(ddof=1) / np.sqrt(len(gain))) if many else None,
        "chosen": chosen,
    }


def one_world(
    world: World, lists: ShownLists, strategies: Sequence[Strategy]
) -> tuple[dict[str, float], str]:
    """nDCG@10 of each strategy that can be trained, and the one that is chosen."""
    gains = gains_of(world.test.grades, "exp")
    scores = dict[str, float]()
    try:
        views = label(lists).counted
    except CannotTell:
        views = None
    choice = choose_strategy(lists, world.train, CONFIG).strategy  # of what LightGBM can do
    for strategy in {*strategies, choice}:
        try:
            ranker = train(strategy, lists, world.train, XGBOOST if strategy == "unbiased" else CONFIG, views)
        except CannotTell:
            continue
        scores[strategy] = float(np.nanmean(ndcg(ranker.score(world.test), gains, world.test.groups, 10)))
    return scores, choice


def real() -> dict[str, Any] | None:
    """Hotel searches that ended in a click-out (trivago): the city is the query."""
    if not have("trivago"):
        return None
    rows = pl.read_parquet(DATA / "trivago" / "events.parquet").filter(action_type="clickout item")
    asked = rows.with_row_index("n").select(
        pl.format("r{}", "n").alias("request_id"),
        pl.col("city").alias("query_id"),
        pl.col("at").alias("shown_at"),
        "impressions",
        "reference",
    )
    shown = asked.explode("impressions").rename({"impressions": "product_id"})
    shown = shown.with_columns(position=pl.int_range(1, pl.len() + 1).over("request_id"))
    acted = asked.select(
        "request_id",
        pl.col("reference").alias("product_id"),
        pl.lit("click").alias("action"),
        pl.col("shown_at").alias("acted_at"),
        pl.col("shown_at").alias("available_at"),
    )
    lists = ShownLists.of(Events(shown, acted))
    rate = lists.clicked.sum(axis=0) / lists.shown.sum(axis=0)
    made = {method: harvest(lists, method) for method in METHODS}  # type: ignore[arg-type]
    overlapping = overlap(lists, made["all pairs"])
    return {
        "lists": len(lists),
        "rows_at_several_places": overlapping.rows,
        "click_rate": (rate / rate[0])[:6].tolist(),
        "seen": {method: one.seen[:6].tolist() for method, one in made.items()},
        "error": {method: one.error[:6].tolist() for method, one in made.items()},
        "models": {one.name: [one.log_likelihood, one.perplexity] for one in choose(lists)},
        "judged": label(lists, "places").judgements.height,
    }


def open_bandit() -> dict[str, Any] | None:
    """A shop's recommendations at three places (Open Bandit sample), each drawn evenly from all products.

    First whether the log can tell; then what it says of the places all the same, and models judged on its later days.
    """
    if not have("open_bandit"):
        return None
    lists = drawn_evenly(DATA / "open_bandit" / "random")
    seen = harvest(lists, by_lot=True)
    overlapping = overlap(lists, seen)
    return {
        "rows": len(lists),
        "rows_at_several_places": overlapping.rows,
        "by_lot": overlapping.by_lot,
        "clicks": lists.clicked.sum(axis=0).tolist(),
        "shown": lists.shown.sum(axis=0).tolist(),
        "problems": overlapping.problems,
        "seen": seen.seen.tolist(),
        "error": seen.error.tolist(),
        "models": {one.name: [one.log_likelihood, one.error] for one in choose(lists)},
    }


def drawn_evenly(folder: Path) -> ShownLists:
    """Each row is one product at one place, on the page of men or of women."""
    tables = [
        pl.read_csv(folder / page / f"{page}.csv.gz").select(
            pl.lit(page).alias("query_id"),
            pl.col("timestamp").str.to_datetime(time_unit="us", time_zone="UTC").alias("shown_at"),
            pl.col("item_id").cast(pl.String).alias("product_id"),
            "position",
            pl.col("propensity_score").alias("propensity"),
            "click",
        )
        for page in ("men", "women")
    ]
    rows = pl.concat(tables).with_row_index("n").with_columns(pl.format("r{}", "n").alias("request_id"))
    acted = rows.filter(pl.col("click") == 1).select(
        "request_id",
        "product_id",
        pl.lit("click").alias("action"),
        pl.col("shown_at").alias("acted_at"),
        pl.col("shown_at").alias("available_at"),
    )
    return ShownLists.of(Events(rows.drop("n", "click"), acted))


if __name__ == "__main__":
    main()
