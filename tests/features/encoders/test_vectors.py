"""Nearest items where some vectors belong to none, as after choosing part of a catalogue."""

import numpy as np
import pytest

from features.encoders.nearest.search import VectorSearch
from features.encoders.vectors import ROUNDING, RowVectors, nearest, of_pairs


def test_a_vector_of_no_item_takes_no_place_among_the_nearest() -> None:
    vectors = np.array([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]], dtype=np.float32)
    query = RowVectors(vectors[:1], np.array([0]))
    part = RowVectors(vectors, np.array([0, 1, 2])).take(np.array([1, 2]))
    found = nearest(query, part, 1)
    assert (found.queries.tolist(), found.items.tolist()) == ([0], [1])
    assert found.cosines.tolist() == [vectors[2, 0]]


@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_items_that_share_vectors_are_found_as_one_by_one(seed: int, filtered: bool) -> None:
    """Few vectors, some equal to another, for many items, some of which have none."""
    rng = np.random.default_rng(seed)
    made = rng.integers(-2, 3, (rng.integers(1, 12), 3)).astype(np.float32) + np.float32(0.1)
    items = RowVectors(
        made / np.linalg.norm(made, axis=1, keepdims=True), rng.integers(-1, len(made), rng.integers(1, 60))
    )
    asked = rng.normal(size=(4, 3)).astype(np.float32)
    queries = RowVectors(asked / np.linalg.norm(asked, axis=1, keepdims=True), np.array([2, -1, 0, 3]))
    n = int(rng.integers(1, 20))
    within = rng.random(len(items.rows)) < 0.5 if filtered else None
    found = VectorSearch.of(items).nearest(queries, n, within)
    expected = []
    for query in range(4):
        each = np.arange(len(items.rows))
        cosines = of_pairs(queries.take(np.full(len(each), query)), items.take(each))
        counted = (cosines > ROUNDING) & (True if within is None else within)
        order = np.lexsort((each, -cosines))
        expected += [(query, item, cosines[item]) for item in order[counted[order]][:n]]
    assert list(zip(*found, strict=True)) == expected
