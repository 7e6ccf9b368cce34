"""Boosted trees as arrays, the same for every library they come from and every engine they go to.

A row goes left iff its value is below the threshold (both 32 bits), or its code is among the node's categories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from features.errors import InputError

LARGEST = np.finfo(np.float32).max  # stands for infinity, which JSON has not
MOST_NODES = 1_000_000


@dataclass(frozen=True, eq=False)
class Tree:
    """Nodes in an order that has every child behind its parent, the root first.

    feature: (m,) column, -1 of a leaf. threshold: (m,) float32. left, right: (m,) rows of the children.
    missing_left: (m,) where what is missing goes. value: (m,) float64 of leaves. categories: by node, the codes
    that go left; such a node has no threshold.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    categories: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.feature)

    @property
    def splits(self) -> np.ndarray:
        """Rows of the nodes that are no leaves."""
        return np.flatnonzero(self.feature >= 0)

    @property
    def depth(self) -> int:
        """Splits on the longest path."""
        depths = np.zeros(len(self), dtype=np.int64)
        for node in self.splits:
            depths[[self.left[node], self.right[node]]] = depths[node] + 1
        return int(depths.max())

    def leaves(self, X: np.ndarray) -> np.ndarray:
        """The value (n,) float64 of each row's leaf; X: (n, f) float32, NaN is missing."""
        at = np.zeros(len(X), dtype=np.int64)
        under_way = np.arange(len(X)) if self.feature[0] >= 0 else np.empty(0, dtype=np.int64)
        while len(under_way):
            node = at[under_way]
            values = X[under_way, self.feature[node]]
            goes_left = np.where(np.isnan(values), self.missing_left[node], values < self.threshold[node])
            for one, codes in self.categories.items():
                here = (node == one) & ~np.isnan(values)
                goes_left[here] = np.isin(values[here].astype(np.int64), codes)
            at[under_way] = np.where(goes_left, self.left[node], self.right[node])
            under_way = under_way[self.feature[at[under_way]] >= 0]
        return self.value[at]


@dataclass(frozen=True, eq=False)
class Forest:
    """A score that is `base` and the sum of a leaf of each tree, over `features` columns."""

    trees: Sequence[Tree]
    base: float
    features: int

    @classmethod
    def mean(cls, forests: Sequence[Forest]) -> Forest:
        """Of several bags: all their trees, each counting less."""
        if len(forests) == 1:
            return forests[0]
        parts = [scaled(tree, 1 / len(forests)) for forest in forests for tree in forest.trees]
        return cls(parts, float(np.mean([forest.base for forest in forests])), forests[0].features)

    @property
    def nodes(self) -> int:
        return sum(map(len, self.trees))

    @property
    def categorical_splits(self) -> int:
        return sum(len(tree.categories) for tree in self.trees)

    def used(self) -> np.ndarray:
        """(f,) how many splits each feature has."""
        columns = [tree.feature[tree.splits] for tree in self.trees]
        return np.bincount(np.concatenate([[], *columns]).astype(np.int64), minlength=self.features)

    def leaves(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """Tree by tree, each row's leaf as 32 bits, which is how every engine stores it: (n,) float32."""
        for tree in self.trees:
            yield tree.leaves(X).astype(np.float32)

    def with_base_first(self) -> Forest:
        """The base score as a tree of one leaf before the others: so an engine sums in the library's own order."""
        if not self.base:
            return self
        grown = Growing()
        grown.leaf(self.base)
        return Forest([grown.tree(), *self.trees], 0.0, self.features)

    def without_categories(self) -> Forest:
        """The same with thresholds on the codes in place of categories; InputError where it grows beyond use."""
        grown, room = [], MOST_NODES
        for tree in self.trees:
            grown.append(_Expansion(tree, room).tree() if tree.categories else tree)
            room -= len(grown[-1])
        return Forest(grown, self.base, self.features)


def scaled(tree: Tree, factor: float) -> Tree:
    """The tree with all its leaves times a factor."""
    return Tree(
        tree.feature,
        tree.threshold,
        tree.left,
        tree.right,
        tree.missing_left,
        tree.value * factor,
        tree.categories,
    )


class Growing:
    """A tree under way: its nodes, row by row."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, float, int, int, bool, float]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def leaf(self, value: float) -> int:
        self._rows.append((-1, 0.0, 0, 0, False, value))
        return len(self._rows) - 1

    def split(self, feature: int, threshold: float, *, missing_left: bool) -> int:
        """A node whose children are still to be set."""
        self._rows.append((feature, threshold, 0, 0, missing_left, 0.0))
        return len(self._rows) - 1

    def children(self, node: int, left: int, right: int) -> None:
        feature, threshold, _, _, missing_left, value = self._rows[node]
        self._rows[node] = (feature, threshold, left, right, missing_left, value)

    def tree(self) -> Tree:
        feature, threshold, left, right, missing_left, value = zip(*self._rows, strict=True)
        return Tree(
            np.array(feature, dtype=np.int32),
            np.array(threshold, dtype=np.float32),
            np.array(left, dtype=np.int32),
            np.array(right, dtype=np.int32),
            np.array(missing_left, dtype=bool),
            np.array(value, dtype=np.float64),
        )


class _Expansion:
    """A tree with each split by categories replaced by thresholds between runs of codes.

    What stands below such a split is written once for each run.
    """

    def __init__(self, tree: Tree, room: int) -> None:
        self._tree, self._room, self._grown = tree, room, Growing()

    def tree(self) -> Tree:
        self._copy(0)
        return self._grown.tree()

    def _copy(self, node: int) -> int:
        """Write the node and what is below it; its new row."""
        if len(self._grown) > self._room:
            raise InputError(
                where="model",
                expected=f"one that takes at most {MOST_NODES:,} nodes without splits by categories",
                got="one that takes more",
                cure="lower features.structured.max_categories and train again, or export to treelite",
            )
        tree = self._tree
        if tree.feature[node] < 0:
            return self._grown.leaf(float(tree.value[node]))
        if node in tree.categories:
            edges, sides = _runs(tree.categories[node])
            if edges or not tree.missing_left[node]:
                return self._by_runs(node, edges, sides)
            return self._present_from_missing(node)
        new = self._grown.split(
            int(tree.feature[node]), float(tree.threshold[node]), missing_left=bool(tree.missing_left[node])
        )
        self._grown.children(new, self._copy(int(tree.left[node])), self._copy(int(tree.right[node])))
        return new

    def _by_runs(self, node: int, edges: Sequence[int], sides: Sequence[bool]) -> int:
        """Runs of codes by halves: `sides` says which go left, one more than `edges`; missing finds its side, too."""
        tree = self._tree
        if not edges:
            return self._copy(int(tree.left[node] if sides[0] else tree.right[node]))
        middle = len(edges) // 2
        below, above = sides[: middle + 1], sides[middle + 1 :]
        goes = bool(tree.missing_left[node])
        new = self._grown.split(int(tree.feature[node]), float(edges[middle]), missing_left=goes in below)
        left = self._by_runs(node, edges[:middle], below)
        self._grown.children(new, left, self._by_runs(node, edges[middle + 1 :], above))
        return new

    def _present_from_missing(self, node: int) -> int:
        """A split by no category at all, which still parts what is missing."""
        tree = self._tree
        new = self._grown.split(int(tree.feature[node]), float(LARGEST), missing_left=False)
        self._grown.children(new, self._copy(int(tree.right[node])), self._copy(int(tree.left[node])))
        return new


def _runs(codes: Sequence[int]) -> tuple[list[int], list[bool]]:
    """Edges between runs of codes that are all among these or all not, and which of the runs are."""
    inside = sorted(codes)
    edges = [code for code in inside if code - 1 not in codes]
    ends = [code + 1 for code in inside if code + 1 not in codes]
    merged = sorted([*edges, *ends])
    return merged, [number % 2 == 1 for number in range(len(merged) + 1)]
