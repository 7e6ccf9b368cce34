"""Feature-level fusion: the embeddings themselves, raw or reduced by PCA, beside the other features.

The projection is fitted on the training pairs alone, fold by fold, and saved with the model.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from features.groups.embeddings import EmbeddingFeatures
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset, EmbeddingFusionConfig
from ltr.rankers import Bagged, Ranker
from ltr.training.anchoring import load_anchored

PROJECTION = "projection.safetensors"


class FusedRanker:
    """A ranker and the projection its embedding features go through, fitted and saved together."""

    def __init__(
        self,
        ranker: Ranker,
        embeddings: EmbeddingFusionConfig | None,
        projection: EmbeddingFeatures | None = None,
    ) -> None:
        self.ranker, self._embeddings, self._projection = ranker, embeddings, projection

    def fit(self, train: EmbeddedDataset, validation: EmbeddedDataset | None) -> None:
        """Fit the projection on the training rows, then the ranker; validation only stops it, by its judged rows."""
        train = train.for_training(weighing=self.ranker.config.weighs_rows)
        validation = validation and validation.judged()
        if self._embeddings:
            self._projection = EmbeddingFeatures.fit(train.vectors, self._embeddings.components)
        self.ranker.fit(self.extend(train), self.extend(validation) if validation else None)

    def score(self, rows: EmbeddedDataset) -> np.ndarray:
        """Scores (n,), aligned with the dataset's rows."""
        return self.ranker.score(self.extend(rows))

    def score_bags(self, rows: EmbeddedDataset) -> np.ndarray | None:
        """Scores (n, bags) of each of its models; None where they are not several."""
        if not isinstance(self.ranker, Bagged):
            return None
        scores = self.ranker.score_bags(self.extend(rows))
        return scores if scores.shape[1] > 1 else None

    def save(self, run: Path) -> None:
        """`model/` and, where embeddings are features, `projection.safetensors` in the run folder."""
        self.ranker.save(run / "model")
        if self._projection:
            self._projection.save(run / PROJECTION)

    @classmethod
    def load(cls, run: Path, embeddings: EmbeddingFusionConfig | None) -> FusedRanker:
        projection = EmbeddingFeatures.load(run / PROJECTION) if embeddings else None
        return cls(load_anchored(run / "model"), embeddings, projection)

    def extend(self, rows: EmbeddedDataset) -> Dataset:
        """The dataset as the ranker takes it: the projected embeddings, if any, beside the other features."""
        if not self._projection:
            return rows.data
        embedded = self._projection.transform(rows.vectors)
        table = pl.concat([rows.data.frame, embedded], how="horizontal")
        return replace(Dataset.from_frame(table), unjudged=rows.data.unjudged)
