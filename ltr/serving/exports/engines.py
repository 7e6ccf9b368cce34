"""What each engine's versions make of a feature that a product lacks, and which models they therefore cannot hold.

By the sources of the plugins: o19s' for Elasticsearch (o19s/elasticsearch-learning-to-rank, SparseFeatureVector.java
and NaiveAdditiveDecisionTree.java, changes 480 and 482) lets unset features be 0 up to the release for 8.9.2, and
sends them to each split's own side from the one for 8.11.4 on. OpenSearch's
(opensearch-project/opensearch-learning-to-rank-base, changes 206 and 379 of its release notes) lets them be 0 up to
3.1, sends all of them right from 3.2 to 3.7, and to each split's own side from 3.8 on; a model may ask later ones for
0 again (change 389), which none that knows gaps may. Vespa 8 compares so that they find their side: its importer
writes `!(f >= t)` where they go left and `f < t` where they go right (vespa-engine/vespa, XGBoostParser.java,
AbstractXGBoostParser.java).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.errors import InputError
from ltr.serving.arguments import Target
from ltr.serving.exports.trees import Forest

Missing = Literal["own side", "zero", "right"]
LIBRARIES = {"onnx": "onnxruntime", "treelite": "treelite"}  # whose version is the engine's

_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:[-.+].*)?")
# From which version on: the first is the oldest that is known.
_RULES: dict[str, tuple[tuple[tuple[int, int, int], Missing], ...]] = {
    "elasticsearch-ltr": (((7, 0, 0), "zero"), ((8, 11, 4), "own side")),
    "opensearch-ltr": (((1, 0, 0), "zero"), ((3, 2, 0), "right"), ((3, 8, 0), "own side")),
    "vespa": (((8, 0, 0), "own side"),),
    "onnx": (((1, 0, 0), "own side"),),
    "treelite": (((4, 0, 0), "own side"),),
}


@dataclass(frozen=True)
class Engine:
    """One version of a target; missing: where a feature goes that a product lacks."""

    target: Target
    version: str
    missing: Missing

    @classmethod
    def of(cls, target: Target, version: str) -> Engine:
        """Raises InputError for what is no version, and for one older than any that is known."""
        found = _VERSION.fullmatch(version)
        if not found:
            raise _bad_version("a version, such as 8.15.2", repr(version), "name the engine's version")
        numbers = tuple(int(part or 0) for part in found.groups())
        rules = _RULES[target]
        fitting = [missing for since, missing in rules if numbers >= since]
        if not fitting:
            oldest = ".".join(map(str, rules[0][0]))
            raise _bad_version(f"{target} {oldest} or later", version, "update the engine")
        return cls(target, version, fitting[-1])

    def goes_left(self, thresholds: np.ndarray, own: np.ndarray) -> np.ndarray:
        """(m,) where a missing feature goes at these splits; own: (m,) where the model has it go."""
        if self.missing == "own side":
            return own
        return thresholds > 0 if self.missing == "zero" else np.zeros(len(own), dtype=bool)

    @property
    def rule(self) -> str:
        """For the proof, in words."""
        return {
            "own side": "a missing feature goes to each split's own side",
            "zero": "a missing feature is read as 0",
            "right": "a missing feature goes right at every split",
        }[self.missing]


def always_supplied(forest: Forest, engine: Engine, gaps: np.ndarray, names: Sequence[str]) -> list[str]:
    """Features that the engine would send elsewhere than the model where a product lacks them.

    gaps: (f,) whether each is missing at times. Raises InputError where one of them is among those.
    """
    elsewhere = np.zeros(forest.features, dtype=bool)
    for tree in forest.trees:
        splits = tree.splits
        own = tree.missing_left[splits]
        differ = engine.goes_left(tree.threshold[splits], own) != own
        elsewhere[tree.feature[splits[differ]]] = True
    needed = [name for name, bad in zip(names, elsewhere & gaps, strict=True) if bad]
    if needed:
        several = f"{len(needed)} of them, " if len(needed) > 1 else ""
        since = ".".join(map(str, _RULES[engine.target][-1][0]))
        raise InputError(
            where=f"{engine.target} {engine.version}",
            expected=f"a model of features that no product lacks, since {engine.rule} there",
            got=f"one that goes by where {several}{needed[0]!r} is missing",
            cure=f"use {engine.target} {since} or later, or export to onnx or treelite",
        )
    return [name for name, bad in zip(names, elsewhere, strict=True) if bad]


def _bad_version(expected: str, got: str, cure: str) -> InputError:
    return InputError(where="--engine-version", expected=expected, got=got, cure=cure)
