"""Shoppers who see interleaved lists: which items are good is known, and how they look down a list."""

from __future__ import annotations

import numpy as np
import polars as pl

from ltr.experiments.interleaving import optimised, probabilistic, ranks_of, team_draft

DEPTH, SHOWN = 8, 5


def rankings(rng: np.random.Generator, noises: tuple[float, ...]) -> tuple[np.ndarray, list[list[int]]]:
    """Worth of items (DEPTH,), and a ranking of them for each noise: the more, the worse."""
    worth = rng.normal(size=DEPTH)
    return worth, [np.argsort(-(worth + noise * rng.normal(size=DEPTH))).tolist() for noise in noises]


def interleaved(
    method: str, lists: int, noises: tuple[float, ...] = (1.0, 1.0), seed: int = 0, *, at_random: bool = False
) -> pl.DataFrame:
    """A log of `lists` lists from 40 queries; rankers are a, b, …; at_random: clicks care for no item."""
    rng = np.random.default_rng(seed)
    queries = [rankings(rng, noises) for _ in range(40)]
    mixtures = [optimised(made, SHOWN) for _, made in queries] if method == "optimised" else []
    rows = []
    for number in range(lists):
        query = int(rng.integers(40))
        worth, made = queries[query]
        team: tuple[int, ...] = (0,) * SHOWN
        if method == "optimised":
            items = mixtures[query].draw(rng)
        else:
            drafted = (
                team_draft(made, SHOWN, rng) if method == "team-draft" else probabilistic(made, SHOWN, rng)
            )
            items, team = drafted.items, drafted.team
        ranks = ranks_of(made, items)
        for place, item in enumerate(items):
            chance = 0.3 / (1 + place) if at_random else 1 / (1 + np.exp(1.5 + 0.5 * place - worth[item]))
            click = rng.random() < chance
            rows.append(
                {
                    "shown": f"l{number}",
                    "visitor": f"v{number // 2}",
                    "place": place + 1,
                    "team": "abcd"[team[place]],
                    "click": int(click),
                    "bought": int(click and rng.random() < 0.3),
                    "kind": "short" if query % 2 else "long",
                    **{f"rank_{'abcd'[r]}": ranks[place, r] for r in range(len(noises))},
                }
            )
    return pl.DataFrame(rows)
