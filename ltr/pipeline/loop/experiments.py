"""Old against new on the same shoppers: interleaved lists, an A/B test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from features.sources.events import EventRules, Events, clean_events
from features.sources.ledger import Ledger
from ltr.demo.shoppers import Policy, Shown
from ltr.experiments import AbSettings, Columns, InterleaveSettings, Outcome, analyse_ab, analyse_interleaving
from ltr.experiments.interleaving import ranks_of, team_draft
from ltr.pipeline.loop.world import World

_IN_MEMORY = Path("simulated")  # the settings ask for a file; the table itself is handed over


def interleave(world: World, old: Policy, new: Policy) -> Outcome:
    """Team-drafted lists of both, shown to the same people."""
    shoppers, seed = world.shoppers, world.settings.seed
    requests, rng = (
        shoppers.requests(world.settings.experiment_sessions, seed=3),
        np.random.default_rng([seed, 33]),
    )
    length = shoppers.settings.shown
    rankings = [
        [[int(product) for product in row if product >= 0] for row in shown.products]
        for shown in (p.show(requests.query, requests.day, shoppers.arrives, length, rng) for p in (old, new))
    ]
    drafts = [team_draft(pair, length, rng) for pair in zip(*rankings, strict=True)]
    products = np.full((len(requests), length), -1, dtype=np.int64)
    for row, draft in enumerate(drafts):
        products[row, : len(draft.items)] = np.array(draft.items, dtype=np.int64)
    visit = shoppers.browse(requests, Shown(products, np.full(products.shape, np.nan)), 3)
    ranks = np.concatenate(
        [ranks_of(pair, draft.items).reshape(-1, 2) for draft, *pair in zip(drafts, *rankings, strict=True)]
    )
    teams = pl.Series([name for draft in drafts for name in draft.team]).replace_strict({0: "old", 1: "new"})
    drafted = visit.events.shown.select("request_id", "product_id").with_columns(
        team=teams,
        rank_old=pl.Series(ranks[:, 0], nan_to_null=True),
        rank_new=pl.Series(ranks[:, 1], nan_to_null=True),
    )
    log_rows = _with_clicks(visit.events).join(drafted, on=["request_id", "product_id"])
    asked = InterleaveSettings(
        data=_IN_MEMORY,
        list="request_id",
        position="position",
        rank=("old=rank_old", "new=rank_new"),
        method="team-draft",
        team="team",
        click="click",
        unit="shopper",
    )
    return analyse_interleaving(asked, Columns(log_rows, "interleaved lists"))


def ab_test(world: World, old: Policy, new: Policy) -> Outcome:
    """Each shopper at one of the two; clicks a list decide."""
    visit = world.shoppers.visit({"old": old, "new": new}, world.settings.experiment_sessions, seed=4)
    rows = _with_clicks(visit.events).group_by("request_id", maintain_order=True)
    by_list = rows.agg(pl.col("arm", "shopper").first(), clicks=pl.col("click").sum(), lists=pl.lit(1.0))
    asked = AbSettings(
        data=_IN_MEMORY, arm="arm", unit="shopper", metric=("clicks a list=clicks/lists",), control="old"
    )
    return analyse_ab(asked, Columns(by_list, "A/B test"))


def _with_clicks(events: Events) -> pl.DataFrame:
    """The shown rows of people, bots left out, with `click` 0 or 1."""
    clean = clean_events(events, EventRules(), Ledger())
    clicks = clean.actions.filter(action="click").select("request_id", "product_id", click=1.0).unique()
    rows = clean.shown.join(clicks, on=["request_id", "product_id"], how="left", maintain_order="left")
    return rows.with_columns(pl.col("click").fill_null(0.0))
