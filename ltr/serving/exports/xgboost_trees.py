"""XGBoost's JSON of a model → trees: `x < t` goes left, categories of the set go right, all in 32 bits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ltr.serving.exports.trees import LARGEST, Forest, Growing, Tree, scaled


def read_xgboost(text: str, features: int) -> Forest:
    """The forest of a model file, dropped-out trees by their weights."""
    learner = json.loads(text)["learner"]
    booster = learner["gradient_booster"]
    model = booster["gbtree"]["model"] if booster["name"] == "dart" else booster["model"]
    weights = booster.get("weight_drop", [1.0] * len(model["trees"]))
    trees = [_tree(tree) for tree in model["trees"]]
    weighed = [
        tree if weight == 1 else scaled(tree, weight) for tree, weight in zip(trees, weights, strict=True)
    ]
    base = float(str(learner["learner_model_param"]["base_score"]).strip("[]"))
    return Forest(weighed, float(np.float32(base)), features)


def _tree(entries: dict[str, Any]) -> Tree:
    """The nodes that the root leads to: pruned ones stay in the file."""
    left, right = entries["left_children"], entries["right_children"]
    sets = _categories(entries)
    grown, codes = Growing(), {}
    waiting, places = [0], {}
    for node in waiting:  # grows on the way
        edge = float(np.float32(entries["split_conditions"][node]))
        if left[node] == -1:
            places[node] = grown.leaf(edge)
            continue
        missing_left = bool(entries["default_left"][node])
        by_category = bool(entries["split_type"][node])
        threshold = 0.0 if by_category else float(np.clip(edge, -LARGEST, LARGEST))
        places[node] = grown.split(
            entries["split_indices"][node], threshold, missing_left=missing_left != by_category
        )
        if by_category:
            codes[places[node]] = sets[node]
        waiting += [left[node], right[node]]
    for node in waiting:
        if left[node] != -1:
            children = places[left[node]], places[right[node]]
            swapped = places[node] in codes  # the set goes right there, and left here
            grown.children(places[node], *(reversed(children) if swapped else children))
    made = grown.tree()
    return Tree(made.feature, made.threshold, made.left, made.right, made.missing_left, made.value, codes)


def _categories(entries: dict[str, Any]) -> dict[int, tuple[int, ...]]:
    nodes, starts, sizes = (entries.get(f"categories_{name}", []) for name in ("nodes", "segments", "sizes"))
    words = entries.get("categories", [])
    return {
        node: tuple(words[start : start + size])
        for node, start, size in zip(nodes, starts, sizes, strict=True)
    }
