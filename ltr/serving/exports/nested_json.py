"""Trees as XGBoost dumps them, nested JSON that the plugins of Elasticsearch and OpenSearch and Vespa read.

Numbers are written as the exact 64-bit value of their 32 bits, so that no reader rounds one otherwise. All three refuse
a field that they do not know; `yes` and `no` are the ids of the first and second child, and a plain list of trees has
no objective, so that the sum is left as it is. Sources: XGBoostJsonParser.java (o19s/elasticsearch-learning-to-rank,
opensearch-project/opensearch-learning-to-rank-base), XGBoostTree.java and XGBoostImporter.java (vespa-engine/vespa).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from features.errors import InputError
from ltr.serving.exports.trees import Forest, Growing, Tree

DEEPEST = 250  # levels; readers nest two of JSON for each and stop at 1,000


def write_nested(forest: Forest, names: Sequence[str]) -> str:
    """The trees of the forest, which has no categories, over features of these names; not its base score."""
    deepest = max((tree.depth for tree in forest.trees), default=0)
    if deepest > DEEPEST:
        raise InputError(
            where="model",
            expected=f"trees of at most {DEEPEST} levels, which an engine's JSON reader takes",
            got=f"one of {deepest}",
            cure="lower ranker.leaves and train again, or export to onnx or treelite",
        )
    return json.dumps([_node(tree, 0, 0, names) for tree in forest.trees], allow_nan=False)


def _node(tree: Tree, node: int, depth: int, names: Sequence[str]) -> dict[str, Any]:
    if tree.feature[node] < 0:
        return {"nodeid": node, "leaf": _exact(tree.value[node])}
    left, right = int(tree.left[node]), int(tree.right[node])
    return {
        "nodeid": node,
        "depth": depth,
        "split": names[tree.feature[node]],
        "split_condition": _exact(tree.threshold[node]),
        "yes": left,
        "no": right,
        "missing": left if tree.missing_left[node] else right,
        "children": [_node(tree, child, depth + 1, names) for child in (left, right)],
    }


def _exact(value: float) -> float:
    return float(np.float32(value))


def read_nested(text: str, names: Sequence[str]) -> list[Tree]:
    """The trees of such a file."""
    columns = {name: column for column, name in enumerate(names)}
    trees = []
    for root in json.loads(text):
        grown = Growing()
        _grow(grown, root, columns)
        trees.append(grown.tree())
    return trees


def _grow(grown: Growing, node: dict[str, Any], columns: dict[str, int]) -> int:
    if "leaf" in node:
        return grown.leaf(node["leaf"])
    missing_left = node["missing"] == node["yes"]
    new = grown.split(columns[node["split"]], node["split_condition"], missing_left=missing_left)
    left, right = (_grow(grown, child, columns) for child in node["children"])
    grown.children(new, left, right)
    return new
