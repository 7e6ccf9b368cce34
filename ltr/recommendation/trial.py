"""Every rule and the ranker on the last days, side by side: hit rate and reciprocal rank against the plain ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from features.errors import InputError
from ltr.experiments.estimates import Estimate
from ltr.recommendation.histories import Histories, IntArray
from ltr.recommendation.ranked import DAY, RankedRecommender, best_of
from ltr.recommendation.recommenders import Recommender
from ltr.recommendation.steps import Found, measure, steps_of

MOST_STEPS = 5000


@dataclass(frozen=True)
class Trial:
    """found: by name, the places of what came next; best: the plain rule that the ranker must beat."""

    found: dict[str, Found]
    best: str
    steps: int
    sessions: int
    learned_from: int

    def table(self) -> pl.DataFrame:
        """A row a way: hit rate and mean reciprocal rank of the first k, and by how much the ranker is better."""
        ranked = self.found["ranked"]
        rows = []
        for name, found in self.found.items():
            hits, places = found.mean(found.hits), found.mean(found.reciprocal)
            low, high = hits.interval()
            row = {
                "way": name,
                f"HR@{found.k}": hits.value,
                "from": low,
                "to": high,
                f"MRR@{found.k}": places.value,
            }
            apart = gain(ranked, found)
            rows.append(
                row | {"ranked is better by": apart.value, "p": apart.p_value if name != "ranked" else None}
            )
        return pl.DataFrame(rows)

    @property
    def in_words(self) -> str:
        """The verdict, with what it rests on."""
        ranked = self.found["ranked"]
        apart = gain(ranked, self.found[self.best])
        low, high = apart.interval()
        says = "beats" if low > 0 else "is behind" if high < 0 else "is level with"
        return (
            f"ranked {says} {self.best}, the best plain rule: hit rate of the first {ranked.k} {apart.value:+.3f} "
            f"({low:+.3f} to {high:+.3f}, 95 %, by sessions) on {self.steps:,} next products of {self.sessions:,} "
            f"sessions; its order learnt from {self.learned_from:,} earlier ones"
        )


def gain(one: Found, other: Found) -> Estimate:
    """Hit rate of one less that of the other, on the same steps."""
    return one.mean(one.hits - other.hits)


def compare_recommenders(
    histories: Histories,
    rules: Sequence[Recommender],
    days: float,
    candidates: int = 50,
    learn_days: float = 7.0,
    k: int = 20,
    seed: int = 0,
) -> Trial:
    """Fitted on all but the last days; each event there after the first of its history is to be found.

    InputError where nothing is left to learn from or to find.
    """
    cut = float(histories.at.max(initial=0.0)) - days * DAY
    before = histories.before(cut)
    steps = steps_of(histories.ending_from(cut), since=cut, most=MOST_STEPS, seed=seed)
    if not len(before) or not steps:
        raise InputError(
            where="trial",
            expected="events before and in the last days, with histories of two products or more",
            got=f"{len(before):,} histories before, {len(steps):,} next products in the last {days:g} days",
            cure="choose --trial-days within the log",
        )
    ranked = RankedRecommender(rules, candidates, seed=seed)
    ranked.fit(before, learn_days)
    ways: dict[str, Callable[[IntArray], IntArray]] = {
        rule.name: partial(_by_rule, rule, k) for rule in rules
    }
    ways["ranked"] = partial(ranked.recommend, count=k)
    found = {name: measure(steps, way, k) for name, way in ways.items()}
    best = max((name for name in found if name != "ranked"), key=lambda name: found[name].hits.mean())
    sessions = len(np.unique([step.session for step in steps]))
    return Trial(found, best, len(steps), sessions, ranked.learned_from)


def _by_rule(rule: Recommender, k: int, history: IntArray) -> IntArray:
    return best_of(rule.scores(history), k)
