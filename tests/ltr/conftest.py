"""A small demo shop, trained once for all tests that look at a finished run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ltr import train

ENCODERS = (
    "{text: {kind: tfidf, dimensions: 32}, "
    "image: {kind: torchvision, backbone: resnet18, weights: random, size: 32, threads: 1}}"
)
WORDS = [
    *("--data.products", "90", "--data.queries", "40", "--data.judged_per_query", "15"),
    *("--encoders", ENCODERS, "--ranker.trees", "20", "--ranker.threads", "1", "--split.folds", "3"),
    *("--evaluation.bootstrap.resamples", "200"),
]


@dataclass(frozen=True)
class Trained:
    """A run folder, and the working folder that its cache and store lie in."""

    run: Path
    work: Path

    def words(self, *more: str) -> list[str]:
        """Command-line words that repeat the run's settings, with others laid over them."""
        places = [
            *("--cache.folder", str(self.work / "cache"), "--store.root", str(self.work / "store")),
            *("--runs", str(self.work / "runs")),
        ]
        return [*WORDS, *places, *more]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    work = tmp_path_factory.mktemp("shop")
    made = Trained(work / "run", work)
    train.main(made.words("--run", str(made.run)))
    return made
