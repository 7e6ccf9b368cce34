"""Where there is too little to learn an order from, the rule that found most of the latest next products leads."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from ltr.recommendation import Histories, Popularity, RankedRecommender, Recency, Recommender, Transitions

START = datetime(2026, 3, 1)


def histories(draw: np.random.Generator, rule: str) -> Histories:
    """Few people with many days: what comes next is what they had before, or what follows it in one order of all."""
    rows = []
    for person in range(12):
        own = draw.choice(60, 3, replace=False)
        now = int(draw.integers(60))
        for day in range(14):
            now = int(draw.choice(own)) if rule == "recency" else (now + 1) % 60
            rows.append((f"s{person}", f"p{now:02}", START + timedelta(days=day)))
    return Histories.of(pl.DataFrame(rows, schema=["session", "product_id", "at"], orient="row"))


@pytest.mark.parametrize("rule", ["recency", "transitions"])
@pytest.mark.parametrize("turned", [False, True])
def test_the_rule_that_holds_leads_whichever_stands_first(rule: str, turned: bool) -> None:
    rules: list[Recommender] = [Popularity(), Recency(), Transitions()]
    ranked = RankedRecommender(rules[::-1] if turned else rules)
    ranked.fit(histories(np.random.default_rng(0), rule), days=5)
    assert not ranked.learned
    assert ranked.leading.name == rule


def test_without_a_step_the_first_leads() -> None:
    rows = [(f"s{number}", f"p{number}", START) for number in range(5)]
    ranked = RankedRecommender([Recency(), Popularity()])
    ranked.fit(Histories.of(pl.DataFrame(rows, schema=["session", "product_id", "at"], orient="row")))
    assert ranked.leading.name == "recency"
