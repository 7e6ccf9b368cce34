"""A small made-up log: products, people, lists over some weeks, and what came of them, sometimes known late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from features.sources.events import ACTIONS, SHOWN, Events

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 40
PRODUCTS = pl.DataFrame(
    {
        "product_id": [f"p{i}" for i in range(12)],
        "title": [f"thing {i}" for i in range(12)],
        "category": ["hats", "bags", None, "hats"] * 3,
        "brand": ["Ao", None, "Bo"] * 4,
        "price": [float(i + 1) for i in range(12)],
    }
)
TEXTS = ("Red  hat", "bag", "red hat", None, "rare wish")


def make_events(seed: int = 0, lists: int = 150) -> Events:
    random = np.random.default_rng(seed)
    shown: list[dict[str, Any]] = []
    actions: list[dict[str, Any]] = []
    for number in range(lists):
        at = START + timedelta(seconds=int(random.integers(DAYS * 86_400)))
        text = TEXTS[int(random.choice(5, p=[0.3, 0.3, 0.25, 0.1, 0.05]))]
        about = {"request_id": f"r{number}", "text": text, "session": f"s{number // 2}", "shown_at": at}
        who = number % 2 if text == "rare wish" else number % 9
        about |= {"shopper": None if number % 7 == 0 and text != "rare wish" else f"k1-{who:032x}"}
        for place, product in enumerate(random.permutation(12)[:5], 1):
            shown.append(about | {"product_id": f"p{product}", "position": place})
            for action, chance in (("click", 0.4), ("cart", 0.2), ("purchase", 0.15), ("return", 0.05)):
                if random.random() < chance:
                    acted = at + timedelta(minutes=int(random.integers(1, 4000)))
                    late = timedelta(hours=int(random.choice([0, 0, 0, 30, 80])))
                    row = {"request_id": f"r{number}", "product_id": f"p{product}", "action": action}
                    row |= {"acted_at": acted, "available_at": acted + late, "session": about["session"]}
                    actions.append(row | {"shopper": about["shopper"]})
    tables = (
        pl.DataFrame(shown, schema_overrides=dict(SHOWN)),
        pl.DataFrame(actions, schema_overrides=dict(ACTIONS)),
    )
    return Events(*tables)
