"""What a model is measured against: plain scorers that learn nothing, and the same model with fewer features."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset


@dataclass(frozen=True)
class Baseline:
    """One feature taken as the score; sign -1 where less is better."""

    name: str
    feature: str
    sign: int = 1


BASELINES = (
    Baseline("BM25", "lexical.bm25_all"),
    Baseline("text cosine", "text.title"),
    Baseline("photo cosine", "image.photo_photo"),
    Baseline("text–photo cosine", "image.text_photo"),
    Baseline("photo–title cosine", "image.photo_title"),
    Baseline("popularity", "structured.rating_count"),
    Baseline("price, low first", "structured.price", sign=-1),
)


def baseline_scores(data: Dataset) -> dict[str, np.ndarray]:
    """Scores (n,) by baseline: random, each of BASELINES whose feature the table has, and for a modality
    of an encoder's own (audio) its cosine of like with like.

    A pair that lacks the feature goes last in its list.
    """
    scores = {"random": random_scores(data.frame)}
    own = [Baseline(f"{group} cosine", f"{group}.{group}_{group}") for group in data.schema.groups]
    for baseline in (*BASELINES, *own):
        if baseline.feature in data.frame.columns:
            values = data.frame[baseline.feature].cast(pl.Float64).to_numpy() * baseline.sign
            scores[baseline.name] = np.where(np.isnan(values), -1e300, values)
    return scores


def random_scores(pairs: pl.DataFrame) -> np.ndarray:
    """A fixed random score per (query, product): the same whatever the order or number of rows."""
    keys = (pairs["query_id"] + "\x1f" + pairs["product_id"]).to_list()
    digests = (hashlib.blake2b(key.encode(), digest_size=7).digest() for key in keys)
    return np.fromiter((int.from_bytes(digest) for digest in digests), np.float64, len(keys))


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
