"""LightGBM's text of a model, checked before the library reads it: from a wrong count or index it ends the process.

The checksum in ranker.json tells that a file is the one that was saved, not that its writer meant well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_FLOAT = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
_NUMBERS = re.compile(rf"(?:{_FLOAT}(?: {_FLOAT})*)?", re.ASCII)
_ENDS = ("inf", "-inf")
_FIGURES = re.compile(r"[-+0-9.eE infa]*", re.ASCII)  # of what is told and never computed with
_FEATURE_INFO = re.compile(rf"none|\[(?:{_FLOAT}|-?inf):(?:{_FLOAT}|-?inf)\]|-?\d+(?::-?\d+)*", re.ASCII)
_PARAMETER = re.compile(r"\[[a-z0-9_]+: [^\n\r\0]*\]")
_HEAD = (
    *("version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective"),
    *("feature_names", "monotone_constraints", "feature_infos", "tree_sizes"),
)
_OBJECTIVES = ("lambdarank", "rank_xendcg")
_OF_NODES = (
    *("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child"),
    *("internal_value", "internal_weight", "internal_count"),
)
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_STATISTICS = (
    "split_gain",
    "internal_value",
    "internal_weight",
    "internal_count",
    "leaf_weight",
    "leaf_count",
)
_CATEGORIES = ("cat_boundaries", "cat_threshold")
_LINEAR = ("leaf_const", "num_features", "leaf_features", "leaf_coeff")
_SINGLE = ("num_leaves", "num_cat", "is_linear", "shrinkage")
_DEEPEST = 1000  # a path is walked by recursion where contributions are told
_MOST = 2**31 - 1


def checked_text(data: bytes, features: int) -> bytes:
    """The same bytes, where they are a ranking model over so many features; ValueError says what is wrong with them."""
    text = data.decode("utf-8")
    _require("\0" not in text and "\r" not in text, "no control characters")
    head_text, blank, _ = text.partition("\n\n")
    head = _head(head_text.split("\n"), features)
    sizes = _whole(head["tree_sizes"], 1, _MOST)
    at = len((head_text + blank).encode())
    for number, size in enumerate(sizes):
        tree = data[at : at + size].decode("utf-8")
        _require(tree.startswith(f"Tree={number}\n") and tree.endswith("\n\n"), f"tree {number} in its place")
        _check_tree(_entries(tree.rstrip("\n").split("\n")[1:]), features)
        at += size
    _check_tail(data[at:].decode("utf-8"), head["feature_names"].split(" "))
    return data


def _head(lines: Sequence[str], features: int) -> dict[str, str]:
    _require(lines[0] == "tree", "a first line 'tree'")
    entries = _entries(line for line in lines[1:] if line != "average_output")
    _require(set(_HEAD) - {"monotone_constraints"} <= entries.keys() <= set(_HEAD), "the entries of a head")
    for name, value in (
        ("version", "v4"),
        ("num_class", "1"),
        ("num_tree_per_iteration", "1"),
        ("label_index", "0"),
    ):
        _require(entries[name] == value, f"{name}={value}")
    _require(entries["max_feature_idx"] == str(features - 1), f"{features} features")
    _require(entries["objective"].split(" ")[0] in _OBJECTIVES, "a ranking objective")
    for name in ("feature_names", "feature_infos"):
        _require(len(entries[name].split(" ")) == features, f"{features} {name}")
    infos = entries["feature_infos"].split(" ")
    _require(all(map(_FEATURE_INFO.fullmatch, infos)), "feature_infos of ranges or categories")
    if "monotone_constraints" in entries:
        _require(len(_whole(entries["monotone_constraints"], -1, 1)) == features, "a sign for each feature")
    return entries


def _check_tree(tree: Mapping[str, str], features: int) -> None:
    _require({"num_leaves", "num_cat", "is_linear", "shrinkage"} <= tree.keys(), "the entries of a tree")
    (leaves,), (categories,) = _whole(tree["num_leaves"], 1, _MOST), _whole(tree["num_cat"], 0, _MOST)
    (linear,) = _whole(tree["is_linear"], 0, 1)
    names = {
        *_SINGLE,
        *_OF_NODES,
        *_OF_LEAVES,
        *(_CATEGORIES if categories else ()),
        *(_LINEAR if linear else ()),
    }
    _require(tree.keys() == names, "the entries of a tree")
    _require(len(_numbers(tree["shrinkage"])) == 1, "one shrinkage")
    _require(len(_numbers(tree["leaf_value"])) == leaves, f"{leaves} leaf values")
    for name in _STATISTICS:
        found = tree[name].split()
        counts = {leaves if name in _OF_LEAVES else leaves - 1, *([0] if leaves == 1 else [])}
        _require(bool(_FIGURES.fullmatch(tree[name])) and len(found) in counts, f"{name} of {leaves} leaves")
        for figure in found:
            float(figure)
    _check_nodes(tree, leaves, features)
    _check_splits(tree, leaves, categories)
    if linear:
        _check_linear(tree, leaves, features)


def _check_nodes(tree: Mapping[str, str], leaves: int, features: int) -> None:
    """Every node but the first and every leaf is one node's child, and stands behind it."""
    nodes = leaves - 1
    _require(len(_whole(tree["split_feature"], 0, features - 1)) == nodes, f"{nodes} features to split by")
    left, right = (_whole(tree[name], -leaves, nodes - 1) for name in ("left_child", "right_child"))
    _require(len(left) == len(right) == nodes, f"{nodes} children left and right")
    depth = [0] * nodes
    for node, children in enumerate(zip(left, right, strict=True)):
        for child in children:
            _require(child < 0 or child > node, "children behind their parents")
            if child >= 0:
                depth[child] = depth[node] + 1
    every = sorted([*left, *right])
    _require(not nodes or every == [child for child in range(-leaves, nodes) if child], "each child once")
    _require(max(depth, default=0) <= _DEEPEST, f"paths of at most {_DEEPEST} nodes")


def _check_splits(tree: Mapping[str, str], leaves: int, categories: int) -> None:
    # The library parts what is missing from what is there by a threshold of inf.
    thresholds = [float("inf") if word in _ENDS else _number(word) for word in tree["threshold"].split()]
    kinds = _whole(tree["decision_type"], 0, 11)
    _require(len(thresholds) == len(kinds) == leaves - 1, f"{leaves - 1} thresholds")
    by_category = [threshold for threshold, kind in zip(thresholds, kinds, strict=True) if kind & 1]
    _require(all(0 <= place < categories and place % 1 == 0 for place in by_category), "sets of categories")
    if categories:
        bounds, words = _whole(tree["cat_boundaries"], 0, _MOST), _whole(tree["cat_threshold"], 0, 2**32 - 1)
        _require(len(bounds) == categories + 1 and bounds[0] == 0, f"{categories + 1} bounds of categories")
        _require(bounds == sorted(bounds) and bounds[-1] == len(words), "as many categories as bounds tell")


def _check_linear(tree: Mapping[str, str], leaves: int, features: int) -> None:
    counts = _whole(tree["num_features"], 0, features)
    _require(len(counts) == len(_numbers(tree["leaf_const"])) == leaves, f"{leaves} linear leaves")
    used = _whole(" ".join(tree["leaf_features"].split()), 0, features - 1)
    factors = _numbers(" ".join(tree["leaf_coeff"].split()))
    _require(len(used) == len(factors) == sum(counts), "as many factors as features of linear leaves")


def _check_tail(text: str, names: Sequence[str]) -> None:
    """What stands behind the trees: importances, the settings, and no categories by pandas."""
    lines = text.rstrip("\n").split("\n")
    _require(lines[:3] == ["end of trees", "", "feature_importances:"], "the end of the trees")
    gap = lines.index("", 3)
    importances = _entries(lines[3:gap])
    _require(importances.keys() <= set(names), "importances of the features")
    for count in importances.values():
        _whole(count, 0, _MOST)
    _require(lines[gap + 1] == "parameters:", "the settings")
    end = lines.index("end of parameters")
    settings = [line for line in lines[gap + 2 : end] if line]
    _require(all(map(_PARAMETER.fullmatch, settings)), "settings one a line")
    _require(
        lines[end + 1 :] in (["", "pandas_categorical:null"], ["", "pandas_categorical:[]"]), "nothing else"
    )


def _entries(lines: Iterable[str]) -> dict[str, str]:
    pairs = [line.partition("=") for line in lines]
    _require(all(equals for _, equals, _ in pairs), "entries name=value")
    entries = {name: value for name, _, value in pairs}
    _require(len(entries) == len(pairs), "each entry once")
    return entries


def _whole(value: str, least: int, most: int) -> list[int]:
    _require(bool(_NUMBERS.fullmatch(value)), "numbers")
    found = [int(number) for number in value.split()]  # ValueError for a fraction
    _require(all(least <= number <= most for number in found), f"numbers from {least} to {most}")
    return found


def _number(word: str) -> float:
    found = _numbers(word)
    _require(len(found) == 1, "one number")
    return found[0]


def _numbers(value: str) -> list[float]:
    _require(bool(_NUMBERS.fullmatch(value)), "numbers")
    found = [float(number) for number in value.split()]
    _require(all(abs(number) < float("inf") for number in found), "finite numbers")
    return found


def _require(right: bool, expected: str) -> None:
    if not right:
        raise ValueError(f"not {expected}")
