"""What is learnt from the vectors themselves before the ranker: components of them, and adapted cosines.

Both are fitted on the training pairs alone, fold by fold, and saved with the model.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from features.groups.adapted import WORDS, AdaptedSimilarity
from features.groups.adapted_fitting import GradedLists
from features.groups.embeddings import EmbeddingFeatures
from features.groups.word_by_word.word_pairs import WordPairs
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset, EmbeddingFusionConfig
from ltr.data.gains import Gain, gains_of
from ltr.rankers import Bagged, Ranker
from ltr.training.anchoring import by_itself, choice_of, load_anchored, unwrapped
from ltr.training.click_strategies import Choice

PROJECTION, ADAPTED = "projection.safetensors", "adapted.safetensors"


class FusedRanker:
    """A ranker with its projection of embeddings and its maps of adapted cosines, fitted and saved together."""

    def __init__(
        self,
        ranker: Ranker,
        embeddings: EmbeddingFusionConfig | None,
        projection: EmbeddingFeatures | None = None,
        adapted: AdaptedSimilarity | None = None,
    ) -> None:
        self.ranker, self._embeddings = ranker, embeddings
        self._projection, self._adapted = projection, adapted
        self.choice: Choice | None = None  # how it learned from shown lists, where it did

    def fit(self, train: EmbeddedDataset, validation: EmbeddedDataset | None) -> None:
        """Fit projection and maps on training rows, then the ranker; validation only stops it, by its judged rows."""
        weighing = self.ranker.config.weighs_rows
        own = None
        if self._embeddings and self._embeddings.fields:
            rows = train.for_training(weighing=weighing)
            fields = {name: rows.vectors[name] for name in self._embeddings.fields}
            self._projection = EmbeddingFeatures.fit(fields, self._embeddings.components)
        if self._embeddings and self._embeddings.adapted:
            lists = GradedLists(train.data.groups, _gains(train.data, self.ranker.config.gain))
            self._adapted, own = AdaptedSimilarity.fit(train.vectors, self._embeddings.adapted, lists)
        seen = self._extended(train, own).for_training(
            weighing=weighing
        )  # standings are those of whole lists
        self.ranker.fit(seen, self.extend(validation).judged() if validation else None)

    @property
    def word_pairs(self) -> WordPairs | None:
        """What was learnt of pairs of words; None where that was not asked for."""
        found = self._adapted.maps.get(WORDS) if self._adapted else None
        return found if isinstance(found, WordPairs) else None

    def settle(self) -> None:
        """After fitting: the ranker itself where it leans on nothing more, and what it chose meanwhile."""
        self.choice, self.ranker = choice_of(self.ranker), unwrapped(self.ranker)

    def by_itself(self) -> FusedRanker:
        """The same without what its ranker leans on."""
        return FusedRanker(by_itself(self.ranker), self._embeddings, self._projection, self._adapted)

    def score(self, rows: EmbeddedDataset) -> np.ndarray:
        """Scores (n,), aligned with the dataset's rows."""
        return self.ranker.score(self.extend(rows))

    def score_with_bags(self, rows: EmbeddedDataset) -> tuple[np.ndarray, np.ndarray | None]:
        """As `score`, and the scores (n, bags) of each of its models; None where they are not several."""
        data = self.extend(rows)
        if not isinstance(self.ranker, Bagged):
            return self.ranker.score(data), None
        bags = self.ranker.score_bags(data)
        return bags.T.mean(axis=0), bags if bags.shape[1] > 1 else None

    def save(self, run: Path) -> None:
        """`model/` and, where vectors were learnt from, their files in the run folder."""
        self.ranker.save(run / "model")
        if self._projection:
            self._projection.save(run / PROJECTION)
        if self._adapted:
            self._adapted.save(run / ADAPTED)

    @classmethod
    def load(cls, run: Path, embeddings: EmbeddingFusionConfig | None) -> FusedRanker:
        projection = EmbeddingFeatures.load(run / PROJECTION) if embeddings and embeddings.fields else None
        adapted = None
        if embeddings and embeddings.adapted:
            adapted = AdaptedSimilarity.load(run / ADAPTED, embeddings.adapted)
        return cls(load_anchored(run / "model"), embeddings, projection, adapted)

    def extend(self, rows: EmbeddedDataset) -> Dataset:
        """The dataset as the ranker takes it: what is made of the vectors beside the other features.

        Not for the rows that it was fitted on: of those the maps know the grades.
        """
        adapted = self._adapted.transform(rows.vectors, rows.data.groups) if self._adapted else None
        return self._extended(rows, adapted)

    def _extended(self, rows: EmbeddedDataset, adapted: np.ndarray | None) -> Dataset:
        """adapted: (n, features) of the maps, where there are any."""
        beside = []
        if self._projection:
            beside.append(self._projection.transform(rows.vectors))
        if self._adapted and adapted is not None:
            beside.append(pl.DataFrame(adapted, schema=self._adapted.names).fill_nan(None))
        if not beside:
            return rows.data
        table = pl.concat([rows.data.frame, *beside], how="horizontal")
        return replace(Dataset.from_frame(table), unjudged=rows.data.unjudged)


def _gains(data: Dataset, gain: Gain) -> np.ndarray:
    """(n,) what each grade is worth; NaN where nobody judged."""
    judged = data.is_judged
    found = np.full(len(judged), np.nan)
    found[judged] = gains_of(data.grades[judged], gain)
    return found
