"""Trees as Vespa compares them in 32 bits, which is how a model is trained.

Vespa reads a forest as one expression and compares its features as the 64-bit numbers that they are: a price of 0.1
is below a threshold of the 32-bit number above it, and the model says that it is not. With the rank property
`vespa.eval.use_fast_forest` it rounds them first (vespa-engine/vespa: eval/src/vespa/eval/eval/fast_forest.cpp). It
does so only for a sum of two or more trees that all split and have at most 2,048 leaves (basic_nodes.cpp,
operator_nodes.h; en/ranking/xgboost in vespa-engine/documentation), and says nothing where it does not.
"""

from __future__ import annotations

import numpy as np

from features.errors import InputError
from ltr.serving.exports.trees import Forest, scaled

FAST_FOREST = "vespa.eval.use_fast_forest"
MOST_LEAVES = 2_048


def fast_forest(forest: Forest) -> Forest:
    """The same score, by trees that Vespa rounds features for: those of one leaf are added to the base score.

    A forest without any split stays as it is. Raises InputError for a tree of too many leaves.
    """
    leaves = max((int((tree.feature < 0).sum()) for tree in forest.trees), default=0)
    if leaves > MOST_LEAVES:
        raise InputError(
            where="model",
            expected=f"trees of at most {MOST_LEAVES:,} leaves, for which Vespa compares in 32 bits",
            got=f"one of {leaves:,}, with splits by categories made thresholds",
            cure="lower ranker.leaves or features.structured.max_categories and train again, or export to onnx",
        )
    splitting = [tree for tree in forest.trees if len(tree) > 1]
    if not splitting:
        return forest
    constant = sum(float(np.float32(tree.value[0])) for tree in forest.trees if len(tree) == 1)
    if len(splitting) == 1:  # one tree alone is no sum
        splitting.append(scaled(splitting[0], 0.0))
    return Forest(splitting, forest.base + constant, forest.features)
