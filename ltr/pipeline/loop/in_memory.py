"""Shopping at rankers in this process: tens of thousands of sessions in seconds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.sources.events import EventRules, Events, clean_events
from features.sources.ledger import Ledger
from ltr.demo.shoppers import Shown
from ltr.experiments import Outcome
from ltr.experiments.interleaving import ranks_of, team_draft
from ltr.experiments.outcome import Table
from ltr.pipeline.loop.judging import judge_arms, judge_interleaved
from ltr.pipeline.loop.world import Trained, World


@dataclass(frozen=True)
class InMemory:
    """What is shown is computed beforehand, a score for each product and query."""

    world: World

    def log(self, old: Trained, sessions: int) -> Events:
        """What people saw and did at a ranker, some of whose lists explore."""
        share = self.world.settings.exploration
        exploring = dataclasses.replace(old.policy, exploration="swap", share=share)
        return self.world.shoppers.visit(exploring, sessions, seed=2).events

    def interleave(self, old: Trained, new: Trained, sessions: int) -> Outcome:
        """Team-drafted lists of both, shown to the same people."""
        shoppers, seed = self.world.shoppers, self.world.settings.seed
        requests, rng = shoppers.requests(sessions, seed=3), np.random.default_rng([seed, 33])
        length = shoppers.settings.shown
        rankings = [
            [[int(product) for product in row if product >= 0] for row in shown.products]
            for shown in (
                one.policy.show(requests.query, requests.day, shoppers.arrives, length, rng)
                for one in (old, new)
            )
        ]
        drafts = [team_draft(pair, length, rng) for pair in zip(*rankings, strict=True)]
        products = np.full((len(requests), length), -1, dtype=np.int64)
        for row, draft in enumerate(drafts):
            products[row, : len(draft.items)] = np.array(draft.items, dtype=np.int64)
        visit = shoppers.browse(requests, Shown(products, np.full(products.shape, np.nan)), 3)
        ranks = np.concatenate(
            [
                ranks_of(pair, draft.items).reshape(-1, 2)
                for draft, *pair in zip(drafts, *rankings, strict=True)
            ]
        )
        teams = pl.Series([name for draft in drafts for name in draft.team])
        drafted = visit.events.shown.select("request_id", "product_id").with_columns(
            team=teams.replace_strict({0: "old", 1: "new"}),
            rank_old=pl.Series(ranks[:, 0], nan_to_null=True),
            rank_new=pl.Series(ranks[:, 1], nan_to_null=True),
        )
        rows = _with_clicks(visit.events).join(drafted, on=["request_id", "product_id"])
        return judge_interleaved(_named(rows))

    def ab_test(self, old: Trained, new: Trained, sessions: int) -> Outcome:
        """Each shopper at one of the two."""
        visit = self.world.shoppers.visit({"old": old.policy, "new": new.policy}, sessions, seed=4)
        return judge_arms(_named(_with_clicks(visit.events)))

    def tables(self) -> list[Table]:
        """Nothing beyond the steps."""
        return []


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.rename({"request_id": "list", "shopper": "person"})


def _with_clicks(events: Events) -> pl.DataFrame:
    """The shown rows of people, bots left out, with `click` 0 or 1."""
    clean = clean_events(events, EventRules(), Ledger())
    clicks = clean.actions.filter(action="click").select("request_id", "product_id", click=1.0).unique()
    rows = clean.shown.join(clicks, on=["request_id", "product_id"], how="left", maintain_order="left")
    return rows.with_columns(pl.col("click").fill_null(0.0))
