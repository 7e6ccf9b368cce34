"""Does the engine score as the model does? The written file read back and evaluated by the engine's rules.

Rows: judged lists of the run with its own features, and adversarial ones: every threshold that a split has, the
32-bit numbers just below and above it, every category, and each feature missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr.rankers.lists import starts_of
from ltr.serving.exports.engines import Engine
from ltr.serving.exports.trees import LARGEST, Forest, Tree

MOST_ADVERSARIAL = 20_000
_STARTS = 20  # rows at most that one hard value is put into
TOLERANCE = 1e-4  # of 1 + the score: sums of 32-bit leaves in another order differ by less

Scorer = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Proof:
    """What proof.json holds of the comparison. not_proven: what an engine does otherwise before it scores."""

    rule: str
    checked_by: str
    rows: int
    lists: int
    reordered_lists: int
    max_difference: float
    adversarial_rows: int
    thresholds: int
    thresholds_tried: int
    max_difference_adversarial: float
    always_supplied: list[str]
    not_proven: list[str]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def prove(
    model: Scorer,
    exported: Scorer,
    rows: np.ndarray,
    groups: np.ndarray,
    hard: np.ndarray,
    **about: Any,
) -> Proof:
    """Compare the scores of lists, (n, f) rows in groups, and of adversarial rows (m, f).

    Raises InputError where they differ by more than the tolerance: such a file is not to be used.
    """
    ours, theirs = model(rows), exported(rows)
    apart = _difference(ours, theirs)
    apart_hard = _difference(model(hard), exported(hard))
    proof = Proof(
        rows=len(rows),
        lists=len(groups),
        reordered_lists=_reordered(ours, theirs, groups),
        max_difference=apart,
        adversarial_rows=len(hard),
        max_difference_adversarial=apart_hard,
        **about,
    )
    largest = max([1.0, *np.abs(ours).tolist()])
    if max(apart, apart_hard) > TOLERANCE * largest:
        raise InputError(
            where="proof",
            expected="the model's scores from the exported file",
            got=f"others by up to {max(apart, apart_hard):.3g}",
            cure="report the run's settings as a fault of this export; nothing was written",
        )
    return proof


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max()) if len(ours) else 0.0


def _reordered(ours: np.ndarray, theirs: np.ndarray, groups: np.ndarray) -> int:
    """Lists whose products, ties by product_id, stand in another order."""
    number = np.repeat(np.arange(len(groups)), groups)
    places = np.arange(len(number))
    differ = np.lexsort((places, -ours, number)) != np.lexsort((places, -theirs, number))
    return int(np.logical_or.reduceat(differ, starts_of(groups)).sum()) if len(groups) else 0


def by_engine(trees: list[Tree], engine: Engine) -> Scorer:
    """How the engine evaluates nested JSON's trees.

    Elasticsearch's and OpenSearch's plugins add 32-bit leaves one after another, Vespa in 64 bits (its
    features rounded to 32, see vespa_trees).
    """

    def score(X: np.ndarray) -> np.ndarray:
        values = X.astype(np.float32)
        if engine.missing == "zero":
            values = np.where(np.isnan(values), np.float32(0), values)
        width: type[np.floating[Any]] = np.float64 if engine.target == "vespa" else np.float32
        sums = np.zeros(len(values), dtype=width)
        for tree in trees:
            kept = tree if engine.missing != "right" else _missing_right(tree)
            sums = sums + kept.leaves(values).astype(np.float32)
        return sums.astype(np.float64)

    return score


def _missing_right(tree: Tree) -> Tree:
    nowhere = np.zeros(len(tree), dtype=bool)
    return Tree(tree.feature, tree.threshold, tree.left, tree.right, nowhere, tree.value)


def adversarial(
    forest: Forest, schema: FeatureSchema, rows: np.ndarray, always: list[str], seed: int = 0
) -> tuple[np.ndarray, int, int]:
    """Hard rows (m, f) float32, how many thresholds and categories there are, and how many of them are in the rows.

    rows: (n, f) of which each starts, but for the one feature that is made hard; none: made up by the thresholds.
    """
    rng = np.random.default_rng(seed)
    values = [_hard_values(forest, column, len(f.categories)) for column, f in enumerate(schema.features)]
    known = sum(len(found) for found in values)
    most = MOST_ADVERSARIAL // 3
    share = min(1.0, most / max(known, 1))
    times = min(_STARTS, max(1, most // max(known, 1)))
    tried = [rng.permutation(found)[: int(np.ceil(share * len(found)))] for found in values]
    parts = []
    for column, found in enumerate(tried):
        numeric = schema.features[column].kind == "numeric"
        near = [
            found,
            *((np.nextafter(found, np.float32(to)) for to in (-np.inf, np.inf)) if numeric else ()),
        ]
        gap = [] if schema.names[column] in always else [np.array([np.nan], dtype=np.float32)]
        hard = np.concatenate([*near, *gap]).astype(np.float32)
        hard = np.tile(hard, times)
        start = _starts(rows, values, len(hard), rng)
        start[:, column] = hard
        parts.append(start)
    return np.concatenate([*parts, np.empty((0, len(values)), dtype=np.float32)]), known, sum(map(len, tried))


def _hard_values(forest: Forest, column: int, categories: int) -> np.ndarray:
    if categories:
        return np.arange(categories + 1, dtype=np.float32)
    found = [tree.threshold[tree.feature == column] for tree in forest.trees]
    edges = np.unique(np.concatenate([*found, np.empty(0, dtype=np.float32)]))
    return edges[np.abs(edges) < LARGEST]  # which stands for infinity: no feature has such values


def _starts(rows: np.ndarray, values: list[np.ndarray], number: int, rng: np.random.Generator) -> np.ndarray:
    if len(rows):
        return rows[rng.integers(len(rows), size=number)].astype(np.float32)
    drawn = [rng.choice(found, number) if len(found) else np.zeros(number) for found in values]
    return np.stack([*drawn], axis=1).astype(np.float32).reshape(number, len(values))
