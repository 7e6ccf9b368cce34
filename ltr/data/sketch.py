"""What each feature looked like in training, small enough to lie in the run: to hold against what is served later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import kstwobign, norm

from ltr.data.dataset import Dataset
from ltr.data.doctor import Finding, feature_finding

_POINTS = 101
_BINS = 10
_COLUMNS = 8
NOTABLE_PSI = 0.1  # below it a shift is small, above .25 large, as banks have long had it
NOTABLE_MISSING = 0.05  # of a share
_LEVEL = 0.05  # of false alarms, over all features together
_FEW = 1e-4  # stands for an empty bin
_SHIFTED = "train again on newer data, or find out what changed in the catalogue or the queries"
_MISSING = "see which column or encoder stopped giving it (ltr.check), or train again"


@dataclass(frozen=True)
class FeatureShape:
    """missing: share of rows; points: rising values; below: share of the other rows up to each point."""

    missing: float
    points: list[float]
    below: list[float]


@dataclass(frozen=True)
class Sketch:
    """lists: how many queries' lists the rows came from; rows of one list are not independent."""

    lists: int
    rows: int
    features: Mapping[str, FeatureShape]

    @classmethod
    def of(cls, data: Dataset) -> Sketch:
        shapes = [
            _shape(column)
            for first in range(0, data.X.shape[1], _COLUMNS)  # laid out by column, without a copy of them all
            for column in np.ascontiguousarray(data.X[:, first : first + _COLUMNS].T)
        ]
        return cls(len(data.groups), len(data.X), dict(zip(data.schema.names, shapes, strict=True)))

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Sketch:
        shapes = {name: FeatureShape(**shape) for name, shape in found["features"].items()}
        return cls(int(found["lists"]), int(found["rows"]), shapes)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Shift:
    """One feature held against its sketch; p values hold for as many independent draws as there are lists."""

    feature: str
    psi: float
    ks: float
    p_shift: float
    missing_before: float
    missing_now: float
    p_missing: float


def _shape(values: np.ndarray) -> FeatureShape:
    there = np.sort(values[~np.isnan(values)])
    if not len(there):
        return FeatureShape(1.0, [], [])
    # The quantiles by numpy's "inverted_cdf", of what is sorted already.
    ranks = np.ceil(len(there) * np.linspace(0, 1, _POINTS) - 1).clip(0).astype(np.int64)
    points = np.unique(there[ranks] + 0)  # one 0, whatever its sign
    below = np.searchsorted(there, points, side="right") / len(there)
    return FeatureShape(1 - len(there) / len(values), points.astype(np.float64).tolist(), below.tolist())


def shifts(sketch: Sketch, now: Dataset) -> list[Shift]:
    """Every feature of the sketch in the rows of now."""
    places = {name: place for place, name in enumerate(now.schema.names)}
    lists = len(now.groups)
    return [
        _shift(name, shape, now.X[:, places[name]], sketch.lists, lists)
        for name, shape in sketch.features.items()
        if name in places
    ]


def _shift(name: str, shape: FeatureShape, values: np.ndarray, before: int, lists: int) -> Shift:
    there = np.sort(values[~np.isnan(values)].astype(np.float64))
    missing = 1 - len(there) / max(len(values), 1)
    effective = before * lists / max(before + lists, 1)
    ks = psi = 0.0
    p_shift = 1.0
    if len(there) and shape.points:
        known = np.array(shape.below)
        found = np.searchsorted(there, shape.points, side="right") / len(there)
        ks = float(np.abs(found - known).max())
        p_shift = float(kstwobign.sf(ks * np.sqrt(effective)))
        psi = _psi(known, found)
    pooled = (shape.missing * before + missing * lists) / max(before + lists, 1)
    error = np.sqrt(max(pooled * (1 - pooled), 1e-12) / max(effective, 1e-12))
    p_missing = float(2 * norm.sf(abs(missing - shape.missing) / error))
    return Shift(name, psi, ks, p_shift, shape.missing, missing, p_missing)


def _psi(known: np.ndarray, found: np.ndarray) -> float:
    """Population stability index over bins of a tenth of the training rows, or more where values repeat."""
    edges = np.unique([np.searchsorted(known, share - 1e-9) for share in np.arange(1, _BINS) / _BINS])
    before = np.diff(known[edges], prepend=0.0, append=1.0).clip(_FEW)
    now = np.diff(found[edges], prepend=0.0, append=1.0).clip(_FEW)
    return float(((now - before) * np.log(now / before)).sum())


def examine_shifts(found: list[Shift]) -> list[Finding]:
    """WARN for features that are notably others than in training, beyond chance after Holm's correction."""
    shifted = _beyond_chance({one.feature: one.p_shift for one in found})
    gone = _beyond_chance({one.feature: one.p_missing for one in found})
    moved = [
        f"{one.feature} (PSI {one.psi:.2f}, KS {one.ks:.2f})"
        for one in sorted(found, key=lambda one: -one.psi)
        if one.feature in shifted and one.psi >= NOTABLE_PSI
    ]
    missing = [
        f"{one.feature} ({one.missing_before:.0%} → {one.missing_now:.0%})"
        for one in sorted(found, key=lambda one: -abs(one.missing_now - one.missing_before))
        if one.feature in gone and abs(one.missing_now - one.missing_before) >= NOTABLE_MISSING
    ]
    return [
        feature_finding("features are as in training", moved, len(found), _SHIFTED),
        feature_finding("features are missing as often as in training", missing, len(found), _MISSING),
    ]


def _beyond_chance(p_values: Mapping[str, float]) -> set[str]:
    """Holm's: the features whose hypothesis falls at the level of all together."""
    kept: set[str] = set()
    for step, (name, p_value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        if p_value * (len(p_values) - step) > _LEVEL:
            break
        kept.add(name)
    return kept
