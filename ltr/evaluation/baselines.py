"""What a model is measured against: plain scorers that learn nothing, and the same model with fewer features."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset
from ltr.data.kinds import PHOTO, WORDS
from ltr.data.splits import Fold
from ltr.evaluation.per_query import EvaluationConfig, evaluate, headline_metric

RANDOM = "random"
SINGLE = "best single feature"
_COSINE = " cosine"
_ENOUGH = 300  # training queries that a single feature is chosen on, at most


@dataclass(frozen=True)
class Baseline:
    """One feature taken as the score; sign -1 where less is better.

    needs: what a query must have to be read at all (a part of its kind); None: nothing.
    """

    name: str
    feature: str
    needs: str | None
    sign: int = 1


BASELINES = (
    Baseline("BM25", "lexical.bm25_all", WORDS),
    Baseline("text cosine", "text.title", WORDS),
    Baseline("photo cosine", "image.photo_photo", PHOTO),
    Baseline("text–photo cosine", "image.text_photo", WORDS),
    Baseline("photo–title cosine", "image.photo_title", PHOTO),
    Baseline("popularity", "structured.rating_count", None),
    Baseline("price, low first", "structured.price", None, sign=-1),
)


def baseline_scores(data: Dataset, single: Baseline | None = None) -> dict[str, np.ndarray]:
    """Scores (n,) by baseline: random, each of BASELINES whose feature the table has, and for a modality
    of an encoder's own (audio) its cosine of like with like.

    A pair that lacks the feature goes last in its list. single: one more, as from `best_single_feature`.
    """
    scores = {RANDOM: random_scores(data.frame)}
    own = [Baseline(f"{group}{_COSINE}", f"{group}.{group}_{group}", group) for group in data.schema.groups]
    for baseline in (*BASELINES, *own, *([single] if single else [])):
        if baseline.feature in data.frame.columns:
            scores[baseline.name] = _scores(data, baseline)
    return scores


def held_out_baselines(
    data: Dataset, folds: Sequence[Fold], config: EvaluationConfig
) -> dict[str, np.ndarray]:
    """As `baseline_scores`; ready-made features, of which none is known, get the best single one.

    It is chosen on each split's training queries, and scores that split's test queries (NaN elsewhere).
    """
    scores = baseline_scores(data)
    if len(scores) == 1 and data.schema.features:
        values = np.full(len(data.X), np.nan)
        for fold in folds:
            tested = np.repeat(data.query_ids.is_in(fold.test).to_numpy(), data.groups)
            values[tested] = _scores(data, best_single_feature(data, fold.train, config))[tested]
        scores[SINGLE] = values
    return scores


def best_single_feature(
    data: Dataset, query_ids: Sequence[str] | pl.Series, config: EvaluationConfig
) -> Baseline:
    """The feature, and its direction, that ranks these queries best by itself; the first of equals."""
    known = data.query_ids.filter(data.query_ids.is_in(pl.Series(query_ids, dtype=pl.String).implode()))
    data = data.take(known.gather_every(max(1, -(-len(known) // _ENOUGH))))
    metric = headline_metric(config)
    config = config.model_copy(update={"cutoffs": (int(metric.split("@")[1]),)})
    pairs = data.frame.select("query_id", "product_id", "grade")
    numeric = [feature.name for feature in data.schema.features if feature.kind == "numeric"]
    choices = [Baseline(SINGLE, name, None, sign) for name in numeric for sign in (1, -1)]

    def quality(baseline: Baseline) -> float:
        values = evaluate(pairs.with_columns(score=pl.Series(_scores(data, baseline))), config)[metric]
        return round(values.drop_nulls().to_numpy().sum(), 9)

    return max(choices, key=quality)


def needs_of(system: str) -> str | None:
    """What a query must have for the system of that name to read it; None: nothing, or it is no baseline."""
    known = {baseline.name: baseline.needs for baseline in BASELINES}
    own = system.removesuffix(_COSINE) if system.endswith(_COSINE) else None
    return known.get(system, own)


def is_baseline(system: str) -> bool:
    """Whether the system of that name learns nothing, save the choice of one feature."""
    return system in {RANDOM, SINGLE, *(b.name for b in BASELINES)} or system.endswith(_COSINE)


def _scores(data: Dataset, baseline: Baseline) -> np.ndarray:
    values = data.frame[baseline.feature].cast(pl.Float64).to_numpy() * baseline.sign
    return np.where(np.isnan(values), -1e300, values)


def random_scores(pairs: pl.DataFrame) -> np.ndarray:
    """A fixed random score per (query, product): the same whatever the order or number of rows."""
    keys = (pairs["query_id"] + "\x1f" + pairs["product_id"]).cast(pl.Binary).to_list()
    hashed = np.zeros((len(keys), 8), dtype=np.uint8)  # a whole number each, its first byte 0
    digests = b"".join([hashlib.blake2b(key, digest_size=7).digest() for key in keys])
    hashed[:, 1:] = np.frombuffer(digests, dtype=np.uint8).reshape(-1, 7)
    return hashed.view(">u8").astype(np.float64)[:, 0]


def rungs(schema: FeatureSchema, ladder: Sequence[str]) -> dict[str, FeatureSchema]:
    """The ladder's feature sets by name: each rung adds a group; one that adds no feature is left out.

    The shop's own extra columns come with `structured`. A rung that holds every feature is the full model,
    and not repeated here.
    """
    found: dict[str, FeatureSchema] = {}
    held: list[str] = []
    for group in (group for group in ladder if group in schema.groups):
        held.append(group)
        chosen = schema.select([*held, "extra"] if "structured" in held else held)
        if len(chosen.features) < len(schema.features):
            found[group if len(held) == 1 else f"+ {group}"] = chosen
    return found
