"""LightGBM's text of a model → trees.

The library compares in 64 bits and takes equal values left: `x <= t` of 32-bit features is `x < the next 32-bit
number above t`. Numbers of at most 1e-35 it reads as zero; where training saw nothing missing, that too.
"""

from __future__ import annotations

import numpy as np

from features.errors import InputError
from ltr.serving.exports.trees import LARGEST, Forest, Tree, scaled

_CATEGORICAL, _DEFAULT_LEFT = 1, 2  # bits of a decision_type; two more say what counts as missing
_AS_ZERO, _ZERO_IS_MISSING = 0, 1
_TINY = np.float32(1e-35)


def read_lightgbm(text: str, features: int) -> Forest:
    """The forest of a model file; InputError for linear leaves, and for zeros that count as missing."""
    head, _, body = text.partition("\n\n")
    blocks = body.partition("end of trees")[0].strip().split("\n\n")
    trees = [_tree(dict(line.split("=", 1) for line in block.strip().split("\n"))) for block in blocks]
    if "average_output" in head.split("\n"):
        trees = [scaled(tree, 1 / len(trees)) for tree in trees]
    return Forest(trees, 0.0, features)


def _tree(entries: dict[str, str]) -> Tree:
    if entries["is_linear"] != "0":
        raise refused("linear leaves", "train without ranker.params.linear_tree")
    values = _floats(entries["leaf_value"])
    nodes = len(values) - 1
    if not nodes:
        zero = np.zeros(1, dtype=np.int32)
        return Tree(zero - 1, zero.astype(np.float32), zero, zero, zero > 0, values)
    kinds = _whole(entries["decision_type"])
    counts_as_missing = kinds >> 2 & 3
    categorical = kinds & _CATEGORICAL > 0
    if (counts_as_missing[~categorical] == _ZERO_IS_MISSING).any():
        raise refused("zeros that count as missing", "train without ranker.params.zero_as_missing")
    edges = _floats(entries["threshold"])
    thresholds = least_right(edges)
    missing_left = kinds & _DEFAULT_LEFT > 0
    missing_left = np.where(counts_as_missing == _AS_ZERO, thresholds > 0, missing_left)
    return Tree(
        feature=_padded(_whole(entries["split_feature"]), -1),
        threshold=_padded(np.where(categorical, 0, thresholds), 0).astype(np.float32),
        left=_padded(_rows(_whole(entries["left_child"])), 0),
        right=_padded(_rows(_whole(entries["right_child"])), 0),
        missing_left=_padded(missing_left & ~categorical, fill=False),
        value=np.concatenate([np.zeros(nodes), values]),
        categories=_categories(entries, np.flatnonzero(categorical), edges),
    )


def _padded(of_nodes: np.ndarray, fill: float) -> np.ndarray:
    """What is known of the nodes, and as many leaves as there are behind them, one more than nodes."""
    return np.concatenate([of_nodes, np.full(len(of_nodes) + 1, fill, dtype=of_nodes.dtype)])


def _rows(children: np.ndarray) -> np.ndarray:
    """Leaves, which the library counts from -1 down, as rows behind the nodes."""
    return np.where(children < 0, len(children) + ~children, children)


def _categories(entries: dict[str, str], nodes: np.ndarray, edges: np.ndarray) -> dict[int, tuple[int, ...]]:
    """By node, its codes: bits of 32-bit words, of which the threshold names the set."""
    if not len(nodes):
        return {}
    bounds, words = _whole(entries["cat_boundaries"]), _whole(entries["cat_threshold"])
    found = {}
    for node in nodes.tolist():
        first, end = bounds[int(edges[node])], bounds[int(edges[node]) + 1]
        bits = [32 * place + bit for place, word in enumerate(words[first:end].tolist())
                for bit in range(32) if word >> bit & 1]  # fmt: skip
        found[node] = tuple(bits)
    return found


def least_right(edges: np.ndarray) -> np.ndarray:
    """(n,) float32: the least number of 32 bits that is not left of each edge; of infinity the largest there is."""
    with np.errstate(over="ignore"):
        near = edges.astype(np.float32)
    above = np.where(near.astype(np.float64) > edges, near, np.nextafter(near, np.float32(np.inf)))
    about_zero = np.where(edges < 0, -_TINY, np.nextafter(_TINY, np.float32(1)))
    return np.clip(np.where(np.abs(edges) <= _TINY, about_zero, above), -LARGEST, LARGEST)


def _floats(text: str) -> np.ndarray:
    return np.array(text.split(), dtype=np.float64)


def _whole(text: str) -> np.ndarray:
    return np.array(text.split(), dtype=np.int64)


def refused(got: str, cure: str) -> InputError:
    return InputError(
        where="model", expected="trees whose leaves are numbers, over thresholds", got=got, cure=cure
    )
