"""What a trained ranker is worth once part of the catalogue has lost its photos or descriptions.

Two things should hold: the loss grows smoothly with what is missing, and the model stays as good as the same one
trained without the modality. Where the second fails, `train.modality_dropout` mends it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl

from ltr.config.tree import Config
from ltr.data.embedded import EmbeddedDataset
from ltr.data.kinds import in_order, query_kinds
from ltr.data.splits import Fold
from ltr.evaluation.notation import difference, figure
from ltr.evaluation.per_query import (
    EvaluationConfig,
    evaluate,
    evaluate_bags,
    headline_metric,
    summarise,
)
from ltr.evaluation.significance import compare
from ltr.evaluation.systems import ALL as ALL_QUERIES
from ltr.evaluation.training_noise import ByBag
from ltr.pipeline.thinned_catalogue import ThinnedCatalogue
from ltr.training.anchoring import Transfer
from ltr.training.cross_fit import CrossFit, cross_fit, held_out_scores
from ltr.training.modality_dropout import Part

ALL = "all features"
LEVEL = 0.05


@dataclass(frozen=True)
class RobustnessPoint:
    """The headline metric's mean and interval when a `share` (0 to 1) of the products has lost `dropped`.

    dropped: what was taken away ("photos", "descriptions"); system: "all features", or "trained without photos".
    """

    dropped: str
    share: float
    system: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class RobustnessTest:
    """The model at one share, paired by query with another: `difference` is its own mean less the other's.

    against: the same model trained without the part, or this one with the next smaller share missing.
    """

    dropped: str
    share: float
    against: str
    difference: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class DropoutCost:
    """What `train.modality_dropout` costs where nothing is missing: the model's mean less that of one without it.

    queries: "all queries", or a kind of them.
    """

    queries: str
    difference: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class Robustness:
    """The curves, the tests of their points, and what the robustness costs where training pays for it.

    The p-values are not corrected for being many: that would make it easier to be called as good as before.
    """

    metric: str
    points: list[RobustnessPoint]
    tests: list[RobustnessTest]
    costs: list[DropoutCost] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        """What the dropout costs, and for each part that was dropped, what the curve shows; in sentences."""
        curves = [self._finding(dropped) for dropped in dict.fromkeys(point.dropped for point in self.points)]
        return [*([self._cost()] if self.costs else []), *curves]

    def _cost(self) -> str:
        costs = (
            f"{cost.queries} {difference(asdict(cost))}, p = {figure(cost.p_value, 4)}" for cost in self.costs
        )
        return (
            f"modality dropout where nothing is missing, {self.metric} against the same ranker without it: "
            + "; ".join(costs)
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"findings": self.findings}

    def _finding(self, dropped: str) -> str:
        curve = [p for p in self.points if p.dropped == dropped and p.system == ALL]
        sure = [test for test in self.tests if test.dropped == dropped and test.p_value < LEVEL]
        below = [t for t in sure if t.against == trained_without(dropped) and t.difference < 0]
        rises = [t for t in sure if t.against != trained_without(dropped) and t.difference > 0]
        shares = ", ".join(f"{test.share:.0%}" for test in below)
        floor = f"below the model {trained_without(dropped)} at {shares}" if below else "never below"
        shape = "rises on the way" if rises else "falls without a rise"
        return (
            f"{dropped}: {self.metric} {figure(curve[0].mean)} with all, {figure(curve[-1].mean)} with "
            f"{curve[-1].share:.0%} missing; {shape}, {floor} beyond noise"
        )


@dataclass(frozen=True)
class Trained:
    """A ranker's held-out models and what they were trained on."""

    rows: EmbeddedDataset
    folds: Sequence[Fold]
    fitted: CrossFit
    transfer: Transfer | None = None


def trained_without(dropped: str) -> str:
    return f"trained without {dropped}"


def measure_robustness(config: Config, catalogue: ThinnedCatalogue, trained: Trained) -> Robustness:
    """The curve of every part that the config drops, on the test queries of each fold by its own model.

    Trains one more ranker a part and fold: the one without it; and where lists are thinned in training, one on whole
    lists, which says what that costs.
    """
    metric = headline_metric(config.evaluation)
    points: list[RobustnessPoint] = []
    tests: list[RobustnessTest] = []
    for part, shares in config.robustness.drop.items():
        values = dict(_values_by_share(config, catalogue, trained, part, shares))
        floor = _values(trained.rows, *_scores_without(config, catalogue, trained, part), config.evaluation)
        for share, found in values.items():
            points += [
                _point(part, share, ALL, found, metric, config.evaluation),
                _point(part, share, trained_without(part), floor, metric, config.evaluation),
            ]
        tests += _tests(part, values, floor, metric, config.evaluation)
    return Robustness(metric, points, tests, list(_costs(config, catalogue, trained)))


def _costs(config: Config, catalogue: ThinnedCatalogue, trained: Trained) -> Iterator[DropoutCost]:
    """For all queries and, where there are several kinds, for each."""
    if not any(config.train.modality_dropout.values()):
        return
    rows, metric = trained.rows, headline_metric(config.evaluation)
    plain = cross_fit(rows, trained.folds, config.ranker, config.embeddings, transfer=trained.transfer)
    ours, theirs = (
        _values(rows, fitted.scores, fitted.by_bag, config.evaluation) for fitted in (trained.fitted, plain)
    )
    kinds = query_kinds(catalogue.queries.join(ours, on="query_id", how="semi"))
    several = in_order(kinds["kind"]) if kinds["kind"].n_unique() > 1 else []
    asked = {ALL_QUERIES: kinds, **{kind: kinds.filter(kind=kind) for kind in several}}
    for name, part in asked.items():
        a, b = (values.join(part, on="query_id", how="semi") for values in (ours, theirs))
        if a[metric].count():
            found = compare(a, b, metric, config.evaluation.bootstrap)
            yield DropoutCost(name, found.difference, found.low, found.high, found.p_value)


def _values_by_share(
    config: Config, catalogue: ThinnedCatalogue, trained: Trained, part: Part, shares: Sequence[float]
) -> Iterator[tuple[float, pl.DataFrame]]:
    """By rising share, from nothing missing: the measures of each test query."""
    yield 0.0, _values(trained.rows, trained.fitted.scores, trained.fitted.by_bag, config.evaluation)
    tested = [query for fold in trained.folds for query in fold.test]
    for share in sorted(set(shares) - {0}):
        rows = catalogue.rows(tested, part, share, config.robustness.seed)
        yield (
            share,
            _values(rows, *held_out_scores(rows, trained.folds, trained.fitted.models), config.evaluation),
        )


def _scores_without(
    config: Config, catalogue: ThinnedCatalogue, trained: Trained, part: Part
) -> tuple[np.ndarray, ByBag | None]:
    """Held-out scores (n,), and by bag, of the same ranker, trained alike on a catalogue that never had the part.

    Alike: the same training lists lack the other parts, where modality dropout takes several.
    """
    bare = catalogue.never_had(part)
    rows = bare.whole
    transfer = trained.transfer and trained.transfer.within(rows.data.schema)
    fitted = cross_fit(
        rows, trained.folds, config.ranker, bare.embeddings, transfer=transfer, thinned=bare.thinned()
    )
    return fitted.scores, fitted.by_bag


def _values(
    rows: EmbeddedDataset, scores: np.ndarray, by_bag: ByBag | None, config: EvaluationConfig
) -> pl.DataFrame:
    judged = rows.data.frame.select("query_id", "product_id", "grade").with_columns(score=pl.Series(scores))
    there = np.isfinite(scores) & judged["grade"].is_not_null().to_numpy()
    if by_bag is None:
        return evaluate(judged.filter(there), config)
    return evaluate_bags(judged.filter(there), ByBag(by_bag.scores[there], by_bag.split[there]), config)


def _point(
    part: Part, share: float, system: str, values: pl.DataFrame, metric: str, config: EvaluationConfig
) -> RobustnessPoint:
    row = summarise(values.select("query_id", metric), config).row(0, named=True)
    return RobustnessPoint(part, share, system, row["mean"], row["low"], row["high"])


def _tests(
    part: Part,
    values: dict[float, pl.DataFrame],
    floor: pl.DataFrame,
    metric: str,
    config: EvaluationConfig,
) -> Iterator[RobustnessTest]:
    before = None
    for share, found in values.items():
        others = {trained_without(part): floor}
        if before is not None:
            others[f"{before:.0%} missing"] = values[before]
        for against, other in others.items():
            seen = compare(found, other, metric, config.bootstrap)
            yield RobustnessTest(part, share, against, seen.difference, seen.low, seen.high, seen.p_value)
        before = share
