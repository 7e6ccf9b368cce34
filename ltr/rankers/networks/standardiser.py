"""Features as a linear model or a network takes them: of one scale, without gaps, categories one-hot.

Everything is fitted on the training pairs, and saved with the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.feature_schema import FeatureSchema

CLIP = 8.0  # deviations; one slip in a feed (a price of 10^9) would otherwise drown every other feature
FEWEST_ROWS = 5  # of a category that gets a column of its own


@dataclass(frozen=True)
class Standardiser:
    """Numbers as deviations from their mean, a gap as the mean itself, and a column that tells of it.

    numeric: the columns that vary, with their `mean` and `scale` (standard deviation). missing: columns
    whose gaps are told, one for each distinct set of rows: the dimensions of an embedding are missing
    together. one_hot: (column, code) of each category with a column; all others are zeros everywhere.
    """

    numeric: tuple[int, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    missing: tuple[int, ...]
    one_hot: tuple[tuple[int, int], ...]

    @classmethod
    def fit(cls, X: np.ndarray, schema: FeatureSchema) -> Standardiser:
        """X: (n, features) as in a Dataset, NaN = missing; n is 1 or more."""
        kinds = [feature.kind for feature in schema.features]
        moments = {c: _moments(X[:, c]) for c, kind in enumerate(kinds) if kind == "numeric"}
        varying = {c: found for c, found in moments.items() if found is not None}
        codes = [(c, code) for c, kind in enumerate(kinds) if kind != "numeric" for code in _codes(X[:, c])]
        return cls(
            numeric=tuple(varying),
            mean=tuple(mean for mean, _ in varying.values()),
            scale=tuple(scale for _, scale in varying.values()),
            missing=_gaps(X),
            one_hot=tuple(codes),
        )

    @property
    def sources(self) -> np.ndarray:
        """The column of X that each column of `transform` comes from; -1 for the last, which is all ones."""
        return np.array([*self.numeric, *self.missing, *(column for column, _ in self.one_hot), -1])

    def transform(self, X: np.ndarray) -> np.ndarray:
        """(n, len(sources)) float32 without NaN; the last column is 1, so that there always is one."""
        numbers = X[:, list(self.numeric)].astype(np.float64)
        numbers -= self.mean
        numbers /= self.scale
        np.nan_to_num(numbers, copy=False, nan=0.0)
        gaps = np.isnan(X[:, list(self.missing)])
        columns = [column for column, _ in self.one_hot]
        same = X[:, columns] == np.array([code for _, code in self.one_hot], X.dtype)
        ones = np.ones((len(X), 1), np.float32)
        return np.hstack([numbers.clip(-CLIP, CLIP).astype(np.float32), gaps, same, ones], dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Standardiser:
        one_hot = tuple((column, code) for column, code in kept["one_hot"])
        rest = {name: tuple(kept[name]) for name in ("numeric", "mean", "scale", "missing")}
        return cls(**rest, one_hot=one_hot)


def _moments(column: np.ndarray) -> tuple[float, float] | None:
    """Mean and standard deviation of what is there; None where nothing is, or all is the same."""
    there = column[~np.isnan(column)].astype(np.float64)
    if not len(there) or there.min() == there.max():
        return None
    return float(there.mean()), float(there.std())


def _codes(column: np.ndarray) -> list[int]:
    codes, rows = np.unique(column[~np.isnan(column)], return_counts=True)
    return [int(code) for code in codes[rows >= FEWEST_ROWS]]


def _gaps(X: np.ndarray) -> tuple[int, ...]:
    """The first column of each distinct set of rows with gaps, where some rows have none."""
    found: dict[bytes, int] = {}
    for column in range(X.shape[1]):
        gaps = np.isnan(X[:, column])
        if gaps.any() and not gaps.all():
            found.setdefault(np.packbits(gaps).tobytes(), column)
    return tuple(found.values())
