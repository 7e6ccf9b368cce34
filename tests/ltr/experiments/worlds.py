"""Made-up tests whose truth is known."""

from __future__ import annotations

import numpy as np
import polars as pl

ARMS = np.array(["new", "old"])


def searches(
    units: int = 600,
    lift: float = 0.0,
    seed: int = 0,
    rows: float = 4.0,
    shares: tuple[float, float] = (0.5, 0.5),
) -> pl.DataFrame:
    """Rows of searches by visitor: impressions, clicks (correlated within a visitor), gmv, latency, past gmv.

    lift: relative, of the new arm's click rate and of its spending.
    """
    rng = np.random.default_rng(seed)
    arm = rng.choice(2, units, p=shares)
    taste = rng.beta(2, 6, units)
    worth = np.exp(rng.normal(0, 1, units))
    count = 1 + rng.poisson(rows - 1, units)
    who = np.repeat(np.arange(units), count)
    more = np.where(arm == 0, 1 + lift, 1.0)[who]
    shown = rng.integers(5, 12, len(who))
    bought = rng.random(len(who)) < 0.3
    return pl.DataFrame(
        {
            "visitor": [f"v{i:06d}" for i in who],
            "arm": ARMS[arm][who],
            "device": np.where(who % 3 == 0, "phone", "desk"),
            "impressions": shown,
            "clicks": rng.binomial(shown, np.clip(taste[who] * more, 0, 1)),
            "bought": bought,
            "gmv": np.where(bought, worth[who] * more * np.exp(rng.normal(0, 0.3, len(who))), 0.0),
            "latency": np.exp(rng.normal(4, 0.3, len(who)) + rng.normal(0, 0.2, units)[who]),
            "past": (worth * np.exp(rng.normal(0, 0.3, units)))[who],
        }
    )
