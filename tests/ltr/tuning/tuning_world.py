"""A made-up search whose answer is known: one group of features tells the grade, the other is pure noise."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import optuna
import polars as pl

from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.data.splits import Fold, FoldsConfig, make_folds
from ltr.evaluation.per_query import EvaluationConfig
from ltr.rankers import LightGBMConfig, OnTree
from ltr.training.anchoring import Transfer
from ltr.tuning.candidates import Candidate, CandidateSpace, TuningConfig
from ltr.tuning.search import Search
from ltr.tuning.study import open_study
from ltr.tuning.study_storage import open_storage
from ltr.tuning.trials import CrossValidation, FoldResult, inner_folds

RANKER = LightGBMConfig(trees=15, learning_rate=0.2, leaves=8, threads=1, bags=1, min_rows_per_leaf=2)
MADE_WITH = {"data": "this", "folds": "these"}


def table(queries: int = 40, rows: int = 6, noise: int = 40) -> pl.DataFrame:
    """`lexical.good` is the grade but for a little noise; `extra.n0` … say nothing."""
    random = np.random.default_rng(0)
    grade = random.integers(0, 4, queries * rows).astype(float)
    made = {f"extra.n{i}": random.normal(size=len(grade)).astype(np.float32) for i in range(noise)}
    return pl.DataFrame(
        {
            "query_id": np.repeat([f"q{i:02d}" for i in range(queries)], rows),
            "product_id": np.tile([f"p{i}" for i in range(rows)], queries),
            "grade": grade,
            "lexical.good": (grade + random.normal(scale=1.5, size=len(grade))).astype(np.float32),
            **made,
        }
    )


class Slow(CrossValidation):
    """Says that a fit begins, and waits a little before it."""

    pause = 0.0
    connection: Connection

    def fit(self, candidate: Candidate, fold: Fold, on_tree: OnTree | None = None) -> FoldResult:
        self.connection.send("fitting")
        time.sleep(self.pause)
        return super().fit(candidate, fold, on_tree)


def judge(
    kind: type[CrossValidation] = CrossValidation,
    transfer: Transfer | None = None,
    thinned: EmbeddedDataset | None = None,
) -> CrossValidation:
    frame = table()
    queries = frame.select("query_id").unique().sort("query_id")
    outer = make_folds(FoldsConfig(folds=4), queries)[-1]
    folds = inner_folds(TuningConfig(folds=3), outer, queries, 0.2)
    rows, evaluation = EmbeddedDataset(Dataset.from_frame(frame)), EvaluationConfig(cutoffs=(5,))
    return kind(rows, folds, evaluation, None, transfer, thinned)


def search(
    storage: str | None,
    folder: Path,
    trials: int,
    tuning: TuningConfig | None = None,
    judged: CrossValidation | None = None,
    seconds: float | None = None,
) -> optuna.Study:
    """Search as `ltr.tune` does; what it says goes to `folder`/said.txt."""
    tuning, judged = tuning or TuningConfig(folds=3), judged or judge()
    space = CandidateSpace(RANKER, tuning, judged.rows.data.schema.groups)
    two = tuning.second is not None
    study = open_study(open_storage(storage, folder), "world", MADE_WITH, space, tuning.seed, two=two)

    def say(text: str) -> None:
        with (folder / "said.txt").open("a", encoding="utf-8") as said:
            said.write(text + "\n")

    Search(study, space, judged, tuning, trials, seconds, say).run()
    return study


def work(storage: str | None, folder: Path, trials: int, pause: float, connection: Connection) -> None:
    """One worker on a study, as a process of its own."""
    slow = judge(Slow)
    assert isinstance(slow, Slow)
    slow.pause, slow.connection = pause, connection
    search(storage, folder, trials, judged=slow)
