"""Click worlds whose truth is known, and click models written once more in plain Python, as slow as they are plain."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import polars as pl

from ltr.clicks.lists import ShownLists

Clicks = tuple[int, ...]


def lists_of(
    item: np.ndarray,
    clicked: np.ndarray,
    *,
    per_day: int = 1000,
    propensity: np.ndarray | None = None,
    queries: int = 1,
) -> ShownLists:
    """Lists of numbered pairs, so many a day; pair i is of query i % queries."""
    number = int(item.max()) + 1
    names = pl.int_range(number, eager=True)
    pairs = pl.DataFrame(
        {
            "query_id": [f"q{i % queries}" for i in range(number)],
            "product_id": names.cast(pl.String).str.zfill(6),
        }
    )
    chance = np.full(item.shape, np.nan) if propensity is None else propensity
    at = np.arange(len(item)) // per_day * 86_400_000_000
    request = pl.select(pl.format("r{}", pl.int_range(len(item)))).to_series()
    value = clicked.astype(float)
    return ShownLists(item, clicked.astype(bool), value, chance, at, request, pairs, {})


def joint(kind: str, alpha: list[float], clicks: Clicks, **of: object) -> float:
    """P(clicks of a list) by the story that each model tells, hidden events enumerated."""
    return sum(chance for chance, *_ in stories(kind, alpha, clicks, **of))


def stories(
    kind: str, alpha: list[float], clicks: Clicks, **of: object
) -> Iterator[tuple[float, list[int], list[int], list[int]]]:
    """Every hidden story that ends in these clicks: chance, places seen, satisfied at, went on from."""
    places = len(alpha)
    for seen in itertools.product((0, 1), repeat=places):
        if any(click and not eye for click, eye in zip(clicks, seen, strict=True)):
            continue
        chance, last = 1.0, 0
        if kind in ("cascade", "sdbn", "dbn"):
            yield from _cascade_stories(kind, alpha, clicks, seen, of)
            continue
        for place in range(places):
            gamma = of["gamma"][place] if kind == "pbm" else of["gamma"][place][last]  # type: ignore[index]
            chance *= gamma if seen[place] else 1 - gamma
            if seen[place]:
                chance *= alpha[place] if clicks[place] else 1 - alpha[place]
            last = place + 1 if clicks[place] else last
        yield chance, list(seen), [0] * places, [0] * places


def _cascade_stories(
    kind: str, alpha: list[float], clicks: Clicks, seen: Clicks, of: dict
) -> Iterator[tuple[float, list[int], list[int], list[int]]]:
    places = len(alpha)
    reach = sum(seen)
    if reach == 0 or list(seen) != [1] * reach + [0] * (places - reach):
        return
    sigma = of.get("sigma", [1.0] * places)
    gamma = of.get("gamma", 1.0)
    clicked_at = [place for place in range(reach) if clicks[place]]
    for satisfied in itertools.product((0, 1), repeat=len(clicked_at)):
        happy = dict(zip(clicked_at, satisfied, strict=True))
        chance, went = 1.0, [0] * places
        for place in range(reach):
            chance *= alpha[place] if clicks[place] else 1 - alpha[place]
            if place in happy:
                chance *= sigma[place] if happy[place] else 1 - sigma[place]
            on = place + 1 < reach
            if happy.get(place):
                chance *= 0.0 if on else 1.0
            elif place + 1 < places:
                chance *= gamma if on else 1 - gamma
            went[place] = int(on)
        if chance:
            yield chance, list(seen), [happy.get(place, 0) for place in range(places)], went


def simulate(
    kind: str,
    alpha: np.ndarray,
    rng: np.random.Generator,
    gamma: np.ndarray | float,
    sigma: np.ndarray | None = None,
) -> np.ndarray:
    """Clicks (n, k) on lists of attractions alpha (n, k); gamma: (k,), (k, k + 1) or one number; sigma (n, k)."""
    clicked = np.zeros(alpha.shape, dtype=bool)
    going, last = np.ones(len(alpha), dtype=bool), np.zeros(len(alpha), dtype=int)
    for place in range(alpha.shape[1]):
        lot, eye, glad, on = rng.random((4, len(alpha)))
        if kind == "pbm":
            seen = eye < gamma[place]  # type: ignore[index]
        elif kind == "ubm":
            seen = eye < gamma[place, last]  # type: ignore[index]
        else:
            seen = going
        clicked[:, place] = seen & (lot < alpha[:, place])
        last[clicked[:, place]] = place + 1
        if kind in ("cascade", "dbn"):
            end = clicked[:, place] & (True if sigma is None else glad < sigma[:, place])
            going = going & ~end & (on < (1.0 if kind == "cascade" else gamma))
    return clicked
