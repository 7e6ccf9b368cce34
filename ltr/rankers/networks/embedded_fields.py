"""Which features are embeddings of which field, told by their names, and which fields meet in a pair."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from features.feature_schema import FeatureSchema

QUERY = "query_"
QUERY_FIELDS = ("query_text", "query_image")
TEXT_FIELDS = ("title", "description", "category", "brand")
IMAGE_FIELDS = ("image",)
_COLUMN = re.compile(r"embedding\.(\w+)_\d+")


@dataclass(frozen=True)
class Tower:
    """One modality of a product: the fields it reads, and the (query field, product field) that meet in it."""

    fields: tuple[str, ...]
    meetings: tuple[tuple[str, str], ...]


def embedded_fields(schema: FeatureSchema) -> dict[str, list[int]]:
    """Columns of each embedded field, by its name; empty where no embedding is a feature."""
    found: dict[str, list[int]] = {}
    for column, feature in enumerate(schema.features):
        match = _COLUMN.fullmatch(feature.name)
        if match:
            found.setdefault(match[1], []).append(column)
    return found


def towers_of(fields: tuple[str, ...]) -> list[Tower]:
    """The text and the image tower, and one for each modality of a shop's own, where a product has such a field."""
    known = (*QUERY_FIELDS, *TEXT_FIELDS, *IMAGE_FIELDS)
    own = [name for name in fields if name not in known]
    asked = (*QUERY_FIELDS, *(name for name in own if name.startswith(QUERY)))
    queries = tuple(name for name in asked if name in fields)
    towers = []
    for modality in (TEXT_FIELDS, IMAGE_FIELDS, *((name,) for name in own if not name.startswith(QUERY))):
        products = tuple(name for name in modality if name in fields)
        meetings = tuple((query, product) for query in queries for product in products)
        if products:
            towers.append(Tower((*queries, *products), meetings))
    return towers


def presence(X: np.ndarray, fields: dict[str, list[int]]) -> np.ndarray:
    """(n, fields) float32: 1 where a row has the field's embedding."""
    there = [~np.isnan(X[:, columns]).any(axis=1) for columns in fields.values()]
    return np.stack(there, axis=1).astype(np.float32) if there else np.empty((len(X), 0), np.float32)
