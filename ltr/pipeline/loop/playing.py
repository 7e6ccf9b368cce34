"""The steps in their order; what learns never sees the truth, which only this demo knows."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from features.sources.events import EventRules, Events, clean_events
from features.sources.ledger import Ledger
from ltr.clicks import CannotTell, Labels, ShownLists, agreement, label, mixed, on_human_scale
from ltr.config.tree import Config
from ltr.demo.shop import grades_of_all
from ltr.experiments import Outcome
from ltr.experiments.estimates import mean_of
from ltr.experiments.outcome import Check, Says, Table
from ltr.pipeline.loop.at_server import AtServer
from ltr.pipeline.loop.in_memory import InMemory
from ltr.pipeline.loop.settings import LoopSettings
from ltr.pipeline.loop.world import DEPTH, Train, TrueFigures, World

log = logging.getLogger(__name__)

TITLE = "The loop: from few judgements to what shoppers like"
ASSUMPTIONS = (
    "People are simulated: their taste, eyes and purse are known, so that every figure can be held to the truth.",
    "The rule was fixed before the experiments: promoted only where interleaving prefers the retrained ranker and "
    "the A/B test finds more clicks; otherwise the old one stays.",
    "Most queries that shoppers ask are those that their clicks taught; the held-out ones taught nothing.",
    "Both rankers retrieve the same candidates; only the order is learned.",
)


@dataclass(frozen=True)
class Played:
    """outcome: yes: promoted, no: not, cannot: the clicks taught nothing, and there is no new run."""

    outcome: Outcome
    old: Path
    new: Path | None


def play(settings: LoopSettings, config: Config, train: Train, folder: Path) -> Played:
    """train: leaves runs. folder: where servers log, for shoppers at a server."""
    world = World.of(settings, config, train)
    place = AtServer(world, folder) if settings.shop_at == "server" else InMemory(world)
    old = world.rank(world.human, "old")
    before = world.true_figures(old)
    log.info("%s sessions at the old ranker …", f"{settings.sessions:,}")
    ledger = Ledger()
    events = clean_events(place.log(old, settings.sessions), EventRules(), ledger)
    lists = ShownLists.of(events)
    tables = [_judged_table(world), _log_table(settings, events, lists, ledger)]
    try:
        labels = label(lists)
    except CannotTell as found:
        check = Check("labels", "FAIL", str(found))
        tables += [_true_table(world, {"old": before}), *place.tables()]
        verdict = f"Not promoted: no labels from these clicks, so nothing was retrained ({found})."
        outcome = Outcome("loop", TITLE, "cannot", verdict, [check], ASSUMPTIONS, tables)
        return Played(outcome, old.run, None)
    learned, label_table = _learned(world, labels)
    new = world.rank(learned, "new")
    after = world.true_figures(new)
    log.info("experiments: %s sessions each …", f"{settings.sessions_each:,}")
    both = old, new, settings.sessions_each
    mixed_lists, test = place.interleave(*both), place.ab_test(*both)
    tables += [label_table, _true_table(world, {"old": before, "new": after}), *place.tables()]
    outcome = _decision(tables, mixed_lists, test, after.clicks / before.clicks - 1)
    return Played(outcome, old.run, new.run)


def _learned(world: World, labels: Labels) -> tuple[pl.DataFrame, Table]:
    """Human and click judgements, mixed; and how well the labels agree with the truth."""
    enough = labels.judgements.filter(pl.col("effective_size") >= world.settings.least_views)
    ours, scaled = on_human_scale(enough, world.human)
    learned = mixed(ours, world.human, world.settings.human_views)
    everywhere = grades_of_all(world.shop.wishes, world.shop.stock)
    rows: list[list[object]] = []
    for name, judged in (("the truth", everywhere), ("the few human judgements", world.human)):
        found = agreement(enough, judged)
        rows.append(
            [name, None, None, None, "–"]
            if found is None
            else [
                name,
                found.pairs,
                found.spearman,
                found.kendall,
                "{:.3f} to {:.3f}".format(*found.interval),
            ]
        )
    words = (
        f"{enough.height:,} pairs labelled, views counted by {labels.counted.name}; "
        f"{labels.judgements.height - enough.height:,} with too few views left out. Grades "
        + ("on the human scale." if scaled else "on their own scale: too few pairs judged both ways.")
        + " Retrained on the queries that are not held out, whose labels measure the run; human and click "
        "grades weighted by views, the linear gain."
    )
    columns = ["labels from clicks against", "pairs", "Spearman", "Kendall within queries", "95 % interval"]
    return learned, Table("3 Labels from clicks", columns, rows, words)


def _judged_table(world: World) -> Table:
    held = int((~world.known).sum())
    row = ["people", world.settings.judged_queries, world.human.height, len(world.known), held]
    columns = ["judged by", "queries", "judgements", "queries of the shop", "held out"]
    return Table("1 Few judgements, and the first ranker", columns, [row], "Its true figures stand under 4.")


def _log_table(settings: LoopSettings, events: Events, lists: ShownLists, ledger: Ledger) -> Table:
    clicks = float(lists.clicked.sum()) / len(lists)
    row = [settings.sessions, len(lists), events.actions.height, clicks, f"{settings.exploration:.0%}"]
    left_out = [f"{one.step} {one.affected:,}" for one in ledger.steps if one.lost]
    words = "Left out in cleaning: " + ("; ".join(left_out) or "nothing") + "."
    columns = ["sessions", "lists", "actions", "clicks a list", "lists with exploration"]
    return Table("2 Shoppers at the first ranker", columns, [row], words)


def _true_table(world: World, found: dict[str, TrueFigures]) -> Table:
    rows: list[list[object]] = []
    for name, figures in found.items():
        held = figures.ndcg[~world.known]
        means = float(np.nanmean(figures.ndcg)), float(np.nanmean(held))
        rows.append([name, *means, figures.clicks])
    words = (
        f"nDCG@{DEPTH} of what is shown, by true grades against the best of the whole catalogue; clicks a list by "
        "exact chances, no lot."
    )
    if "new" in found:
        gain = (found["new"].ndcg - found["old"].ndcg)[~world.known]
        apart = mean_of(gain[~np.isnan(gain)])
        words += f" New less old on held-out queries: {apart.value:+.3f} ± {1.96 * apart.error:.3f} (95 %)."
    columns = ["ranker", "true nDCG, all queries", "true nDCG, held out", "expected clicks a list"]
    return Table("4 Old and retrained ranker, by the truth", columns, rows, words)


def _decision(tables: list[Table], mixed_lists: Outcome, test: Outcome, lift: float) -> Outcome:
    ways = {"interleaving": mixed_lists, "A/B test": test}
    promoted = all(one.says == "yes" for one in ways.values())
    says: Says = "yes" if promoted else "no"
    rows = [[name, one.says, one.verdict, f"{lift:+.2%}"] for name, one in ways.items()]
    words = "The true lift is of expected clicks a list, which no shop would know."
    tables.append(
        Table("5 Experiments, and the truth", ["experiment", "says", "verdict", "true lift"], rows, words)
    )
    serves, why = (
        ("new", "both experiments prefer it") if promoted else ("old", "not both experiments prefer the new")
    )
    tables.append(Table("6 Decision", ["serves now", "because"], [[serves, why]]))
    verdict = (
        f"{'Promoted' if promoted else 'Not promoted'}: {why}. The true lift in clicks a list is {lift:+.2%}."
    )
    right = promoted == (lift > 0)
    check = Check(
        "decision and truth", "PASS" if right else "WARN", f"promoted: {promoted}, true lift {lift:+.2%}"
    )
    checks = [
        check,
        *(Check(f"{n}: {c.name}", c.state, c.evidence) for n, o in ways.items() for c in o.checks),
    ]
    figures = {"promoted": promoted, "true_lift": lift, **{name: one.to_dict() for name, one in ways.items()}}
    figures["steps"] = [{"title": t.title, "columns": t.columns, "rows": t.rows} for t in tables]
    bars, axis = test.bars, test.bars_title  # interleaving is in another unit
    return Outcome("loop", TITLE, says, verdict, checks, ASSUMPTIONS, tables, figures, bars, axis)
