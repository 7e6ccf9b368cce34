"""Recommenders give candidates and features; LambdaMART learns their order from what came next.

The candidates of training steps come from recommenders that were fitted on earlier days alone, so no step has been
counted in what it is to be found by; then they are fitted again on everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ltr.data.dataset import Dataset
from ltr.rankers import LightGBMConfig, LightGBMRanker
from ltr.recommendation.histories import Histories, IntArray
from ltr.recommendation.recommenders import Recommender
from ltr.recommendation.steps import Step, steps_of

DAY = 86_400.0
FEW = 200  # steps to learn from; fewer, and the order of one recommender stands
FIRST = 20


@dataclass
class RankedRecommender:
    """Every recommender's best, put in order by what came next after such histories.

    learned_from: next products among the candidates, from which the order was learnt. With fewer than FEW nothing is:
    then the order of one recommender stands, of that which put most of these next products among its first (`leading`);
    of the first, where none has found any.
    """

    recommenders: Sequence[Recommender]
    candidates: int = 50
    settings: LightGBMConfig = field(
        default_factory=lambda: LightGBMConfig(leaves=15, min_rows_per_leaf=50, stop_at=20)
    )
    seed: int = 0
    learned_from: int = 0

    def fit(self, histories: Histories, days: float = 1.0, most: int = 6000) -> None:
        """days: how much of the end is learnt from, the rest is what it is found by; most: steps."""
        self._products = histories.products
        cut = float(histories.at.max(initial=0.0)) - days * DAY
        before = histories.before(cut)
        steps = steps_of(histories.ending_from(cut), since=cut, most=most, seed=self.seed)
        self._ranker, self.learned_from, self.leading = None, 0, self.recommenders[0]
        if len(before) and len(steps):
            self._fit_each(before)
            self._ranker = self._learn(steps) if len(steps) >= FEW else None
            if self._ranker is None:
                self.leading = max(self.recommenders, key=lambda one: _hits(one, steps))
        self._fit_each(histories)

    def _fit_each(self, histories: Histories) -> None:
        for recommender in self.recommenders:
            recommender.fit(histories)

    def _learn(self, steps: Sequence[Step]) -> LightGBMRanker | None:
        parts = []
        for number, step in enumerate(steps):
            rows, columns = self._candidates(step.history)
            if step.target in rows:  # what is not found cannot be put first
                parts.append(
                    self._frame(number, rows, columns).with_columns(
                        grade=pl.Series((rows == step.target) * 1.0)
                    )
                )
        self.learned_from = len(parts)
        if len(parts) < FEW:
            return None
        held = np.random.default_rng(self.seed).random(len(parts)) < 0.2
        train, validation = (
            Dataset.from_frame(
                pl.concat([part for part, out in zip(parts, held, strict=True) if out == side])
            )
            for side in (False, True)
        )
        ranker = LightGBMRanker(self.settings)
        ranker.fit(train, validation)
        return ranker

    def _candidates(self, history: IntArray) -> tuple[IntArray, Mapping[str, np.ndarray]]:
        """Rows, rising, and each feature (c,): scores as a share of the best one's, places, standing in the history."""
        scored = [one.scores(history) for one in self.recommenders]
        chosen: IntArray = np.unique(np.concatenate([best_of(scores, self.candidates) for scores in scored]))
        columns: dict[str, np.ndarray] = {}
        for one, scores in zip(self.recommenders, scored, strict=True):
            found = scores[chosen]
            columns[f"{one.name}.score"] = np.where(
                found > 0, found / max(found.max(initial=0.0), 1e-12), np.nan
            )
            columns[f"{one.name}.place"] = np.where(
                found > 0, np.argsort(np.argsort(-found, kind="stable")) + 1.0, np.nan
            )
        since = np.full(len(scored[0]), np.nan)
        since[history] = len(history) - np.arange(len(history))  # of one seen twice the later place stays
        columns["history.steps_since"] = since[chosen]
        columns["history.times"] = np.bincount(history, minlength=len(since))[chosen].astype(float)
        columns["history.length"] = np.full(len(chosen), float(len(history)))
        return chosen, columns

    def _frame(self, number: int, rows: IntArray, columns: Mapping[str, np.ndarray]) -> pl.DataFrame:
        keys = pl.DataFrame({"product_id": self._products.gather(rows)})
        made = keys.with_columns(
            pl.lit(f"{number:07d}").alias("query_id"),
            *(
                pl.Series(name, values, dtype=pl.Float32, nan_to_null=True)
                for name, values in columns.items()
            ),
        )
        return made.select("query_id", "product_id", *columns)

    @property
    def learned(self) -> bool:
        return self._ranker is not None

    def recommend(self, history: IntArray, count: int = 20) -> IntArray:
        """Rows of the products that come next, best first; fewer where nothing more is known."""
        rows, columns = self._candidates(history)
        if self._ranker is None or not len(rows):
            return best_of(self.leading.scores(history), count)
        scores = self._ranker.score(Dataset.from_frame(self._frame(0, rows, columns)))
        return rows[np.argsort(-scores, kind="stable")[:count]]


def _hits(recommender: Recommender, steps: Sequence[Step]) -> int:
    """Next products among its first."""
    return sum(step.target in best_of(recommender.scores(step.history), FIRST) for step in steps)


def best_of(scores: np.ndarray, count: int) -> IntArray:
    """The rows of the highest scores above 0, best first, ties by row: (up to count,)."""
    known = np.flatnonzero(scores > 0)
    return known[np.argsort(-scores[known], kind="stable")[:count]]
