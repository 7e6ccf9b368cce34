"""Why a product has its score, and why it stands above another: exact TreeSHAP, by feature and by modality.

A ranking knows no absolute scores: what adds the same to all candidates of a query ranks nothing. So
whatever is told of one product is told against the mean of its query's candidates.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from features.errors import InputError
from features.feature_schema import Feature
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.explanation.aspects import SHOWN_BY, in_words, members, modality_of
from ltr.rankers import Explainable, Widening
from ltr.rankers.lists import list_means
from ltr.training.fused_ranker import FusedRanker

BASE = "base score"
REASONS = 3
# Scores and contributions are summed in another order, in 32 bits by XGBoost: apart by that share at most.
ROUNDING = 1e-4

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Explanation:
    """Contributions (n, f) and base (n,) of a dataset's rows, float64: together they make the score.

    data: as the ranker took it, projected embeddings included; a ranker that widens it, as its contributions are of.
    """

    data: Dataset
    contributions: np.ndarray
    base: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        return self.contributions.sum(axis=1) + self.base

    def centred(self) -> Explanation:
        """The same, each less its mean over the query's candidates: what ranks, and nothing else."""
        base = _centred(self.base[:, None], self.data.groups)[:, 0]
        return dataclasses.replace(
            self, contributions=_centred(self.contributions, self.data.groups), base=base
        )

    def by_modality(self) -> tuple[list[str], np.ndarray]:
        """The modalities, and the sum of each one's contributions, (n, modalities)."""
        found = members(self.data.schema)
        sums = [self.contributions[:, places].sum(axis=1) for places in found.values()]
        return list(found), np.stack(sums, axis=1)


def _centred(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    return values - np.repeat(list_means(values, groups), groups, axis=0)


def explain(model: FusedRanker, rows: EmbeddedDataset) -> Explanation:
    """Contributions of every row, checked against the model's own scores.

    Raises InputError for a ranker that is no sum over its features, or whose contributions miss its
    scores (LightGBM's linear trees).
    """
    ranker = explainable(model)
    data = model.extend(rows)
    seen = ranker.widened(data) if isinstance(ranker, Widening) else data
    explanation = Explanation(seen, *ranker.contributions(data))
    scores = model.ranker.score(data)
    off = np.abs(explanation.scores - scores)
    if (off > ROUNDING * (1 + np.abs(scores))).any():
        raise _cannot_explain(
            f"contributions that miss the score by {off.max():.2g}",
            "train without the library's linear trees",
        )
    return explanation


def explainable(model: FusedRanker) -> Explainable:
    """The model's ranker, if it can say what its features add; else InputError."""
    if not isinstance(model.ranker, Explainable):
        got = f"{type(model.ranker).__name__}, which is none"
        raise _cannot_explain(got, "explain a run of ranker lightgbm or xgboost, or of network_and_trees")
    return model.ranker


def _cannot_explain(got: str, cure: str) -> InputError:
    return InputError(
        where="explanation", expected="a ranker whose score is a sum over features", got=got, cure=cure
    )


def reasons_for(
    model: FusedRanker, rows: EmbeddedDataset, row_indices: Sequence[int]
) -> list[list[tuple[str, float]]]:
    """For each of these rows of the dataset, the up to three modalities that speak loudest for or against it.

    A share is the modality's contribution, less the mean of the query's candidates, over the sum of all such
    contributions' sizes: positive where it lifts the product; -1 to 1. Raises InputError as `explain`.
    """
    wanted = np.asarray(row_indices, dtype=np.int64)
    queries = rows.data.frame["query_id"].gather(wanted).unique().to_list()
    places = np.searchsorted(rows.rows_of(queries), wanted)
    names, values = explain(model, rows.take(queries)).centred().by_modality()
    return [leading(names, values[place]) for place in places]


def leading(names: Sequence[str], values: np.ndarray) -> list[tuple[str, float]]:
    """The largest of these values, (names,), as signed shares of the sum of all their sizes."""
    total = np.abs(values).sum()
    order = np.argsort(-np.abs(values), kind="stable")[:REASONS]
    return [(names[i], float(values[i] / total)) for i in order if values[i]]


def compare_products(explanation: Explanation, above: int, below: int) -> pl.DataFrame:
    """What carries the difference of two rows' scores: feature, modality, value, other, difference.

    The largest first; the differences sum to that of the scores. The base takes part where the ranker
    starts from a score that is not the same for both.
    """
    gaps = explanation.contributions[above] - explanation.contributions[below]
    base = explanation.base[above] - explanation.base[below]
    return _table(explanation, gaps, base, {"value": above, "other": below})


def against_mean(explanation: Explanation, row: int) -> pl.DataFrame:
    """As `compare_products`, of one row against the mean of its query's candidates: without `other`."""
    centred = explanation.centred()
    return _table(explanation, centred.contributions[row], centred.base[row], {"value": row})


def _table(
    explanation: Explanation, gaps: np.ndarray, base_gap: float, shown: Mapping[str, int]
) -> pl.DataFrame:
    """Feature by feature, with the values of the `shown` rows by column; the base last, if it differs."""
    features = explanation.data.schema.features
    names = [feature.name for feature in features]
    values = {
        column: [_value(f, x) for f, x in zip(features, explanation.data.X[row], strict=True)]
        for column, row in shown.items()
    }
    frame = pl.DataFrame(
        {"feature": names, "modality": [modality_of(name) for name in names]} | values | {"difference": gaps}
    )
    if abs(base_gap) > ROUNDING * ROUNDING:
        bases = {column: f"{explanation.base[row]:.4g}" for column, row in shown.items()}
        line = {"feature": BASE, "modality": BASE} | bases | {"difference": float(base_gap)}
        frame = pl.concat([frame, pl.DataFrame([line])])
    return frame.sort(pl.col("difference").abs(), descending=True, maintain_order=True)


def _value(feature: Feature, value: float) -> str:
    if np.isnan(value):
        return "none"
    return feature.categories[int(value)] if feature.kind == "categorical" else f"{value:.4g}"


def modality_sums(compared: pl.DataFrame) -> pl.DataFrame:
    """modality, difference: the features' differences summed, the largest first."""
    sums = compared.group_by("modality", maintain_order=True).agg(pl.col("difference").sum())
    return sums.sort(pl.col("difference").abs(), descending=True, maintain_order=True)


def sentences(compared: pl.DataFrame, product: Row, other: Row | None = None) -> list[str]:
    """One line a modality that counts: "price 39 against 129: +0.31".

    compared: from `compare_products`, or `against_mean` where there is no other; the rows are the catalogue's.
    """
    return [
        f"{_compared_in_words(modality, compared.filter(modality=modality), product, other)}: {difference:+.3f}"
        for modality, difference in modality_sums(compared).rows()
        if abs(difference) >= 0.0005
    ]


def _compared_in_words(modality: str, features: pl.DataFrame, product: Row, other: Row | None) -> str:
    """What the products have of a modality: columns that differ, else the leading feature's values."""
    for column in SHOWN_BY.get(modality, ()):
        ours, theirs = product.get(column), other.get(column) if other else None
        if ours != theirs:
            return _against(column.replace("_", " "), _plain(ours), _plain(theirs) if other else None)
    differing = features.filter(pl.col("value") != pl.col("other")) if other is not None else features
    if not differing.height:
        return f"{modality}, alike in both but weighed by what differs"
    first = differing.row(0, named=True)
    name = in_words(first["feature"])
    return _against(name if modality in name else f"{modality}, {name}", first["value"], first.get("other"))


def _against(name: str, ours: str, theirs: str | None) -> str:
    return f"{name} {ours}" if theirs is None else f"{name} {ours} against {theirs}"


def _plain(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d}"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
