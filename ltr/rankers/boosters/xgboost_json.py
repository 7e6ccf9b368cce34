"""XGBoost's JSON of a model, checked before the library reads it: it follows children and indices as they stand.

The checksum in ranker.json tells that a file is the one that was saved, not that its writer meant well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

_OBJECTIVES = ("rank:ndcg", "rank:map", "rank:pairwise")
_DEEPEST = 1000  # a path is walked by recursion where contributions are told
_MOST_CATEGORIES = 2**20  # a set of them is as many bits as its largest
_OF_NODES = (
    *("left_children", "right_children", "parents", "split_indices", "split_type", "default_left"),
    *("split_conditions", "base_weights", "loss_changes", "sum_hessian"),
)


def checked_json(data: bytes, features: int) -> bytes:
    """The bytes, where they are a ranking model over so many features; ValueError or KeyError says what is wrong."""
    _require(data.startswith(b'{"'), "JSON")
    learner = json.loads(data, object_pairs_hook=_each_once, parse_constant=_no_constant)["learner"]
    _require(learner["objective"]["name"] in _OBJECTIVES, "a ranking objective")
    params = learner["learner_model_param"]
    _require(_number(params["num_feature"]) == features, f"{features} features")
    _require(
        _number(params["num_class"]) == 0 and _number(params.get("num_target", "1")) == 1, "one score a row"
    )
    for name in ("feature_names", "feature_types"):
        _require(len(learner.get(name, [])) in (0, features), f"{features} {name}")
    booster = learner["gradient_booster"]
    _require(booster["name"] in ("gbtree", "dart"), "trees")
    model = booster["gbtree"]["model"] if booster["name"] == "dart" else booster["model"]
    trees = model["trees"]
    _require(_number(model["gbtree_model_param"]["num_trees"]) == len(trees), "as many trees as are told")
    _require(model["tree_info"] == [0] * len(trees), "trees of one score")
    _require(len(booster.get("weight_drop", trees)) == len(trees), "a weight for each tree")
    _check_rounds(model.get("iteration_indptr", [0, len(trees)]), len(trees))
    _require(not any(model.get("cats", {}).values()), "codes of categories, not their names")
    for number, tree in enumerate(trees):
        _require(tree["id"] == number, f"tree {number} in its place")
        _check_tree(tree, features)
    return data


def _check_rounds(starts: Sequence[Any], trees: int) -> None:
    _integers(starts, 0, trees)
    _require(
        bool(starts) and starts[0] == 0 and starts[-1] == trees and starts == sorted(starts),
        "rounds of trees",
    )


def _check_tree(tree: Mapping[str, Any], features: int) -> None:
    param = tree["tree_param"]
    nodes = _number(param["num_nodes"])
    _require(nodes >= 1 and all(len(tree[name]) == nodes for name in _OF_NODES), f"arrays of {nodes} nodes")
    _require(_number(param.get("size_leaf_vector", "1")) in (0, 1), "one value a leaf")
    _require(_number(param["num_feature"]) == features, f"{features} features")
    left, right = tree["left_children"], tree["right_children"]
    _integers([*left, *right], -1, nodes - 1)
    _integers(tree["split_type"], 0, 1)
    _integers(tree["default_left"], 0, 1)
    for name in ("split_conditions", "base_weights", "loss_changes", "sum_hessian"):
        _require(all(_is_finite(value) for value in tree[name]), f"finite {name}")
    reached = _reached(left, right, tree["parents"])
    splits = [node for node in reached if left[node] != -1]
    _integers([tree["split_indices"][node] for node in splits], 0, features - 1)
    _require(
        len(reached) + _number(param["num_deleted"]) == nodes, "every node reached, or told to be deleted"
    )
    _check_categories(tree, {node for node in splits if tree["split_type"][node]})


def _reached(left: Sequence[int], right: Sequence[int], parents: Sequence[Any]) -> list[int]:
    """The nodes of a tree from its first; ValueError where one is reached twice, or its parent is another."""
    depth, seen = {0: 0}, [0]
    for node in seen:  # grows on the way
        children = (left[node], right[node])
        _require((children[0] == -1) == (children[1] == -1), "two children or none")
        for child in children if children[0] != -1 else ():
            _require(child not in depth and parents[child] == node, "each child once, under its parent")
            depth[child] = depth[node] + 1
            seen.append(child)
    _require(max(depth.values()) <= _DEEPEST, f"paths of at most {_DEEPEST} nodes")
    return seen


def _check_categories(tree: Mapping[str, Any], nodes: set[int]) -> None:
    chosen, words = tree.get("categories_nodes", []), tree.get("categories", [])
    starts, sizes = tree.get("categories_segments", []), tree.get("categories_sizes", [])
    _require(len(chosen) == len(starts) == len(sizes), "a start and a size for each set of categories")
    _integers(chosen, 0, len(tree["left_children"]) - 1)
    _require(
        chosen == sorted(set(chosen)) and nodes <= set(chosen), "sets of categories for the splits by them"
    )
    _integers(words, 0, _MOST_CATEGORIES)
    _integers(sizes, 0, len(words))
    _integers(starts, 0, len(words))
    ends = [start + size for start, size in zip(starts, sizes, strict=True)]
    _require(all(end <= len(words) for end in ends), "sets of categories among the categories")


def _integers(values: Sequence[Any], least: int, most: int) -> None:
    right = all(type(value) is int and least <= value <= most for value in values)
    _require(right, f"whole numbers from {least} to {most}")


def _is_finite(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 3.5e38  # type: ignore[arg-type]


def _number(value: object) -> int:
    """A parameter, which XGBoost writes as text."""
    _require(isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10, "a count")
    return int(str(value))


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    _require(len(found) == len(pairs), "each name once")
    return found


def _no_constant(value: str) -> NoReturn:
    raise ValueError(f"not {value}")


def _require(right: bool, expected: str) -> None:
    if not right:
        raise ValueError(f"not {expected}")
