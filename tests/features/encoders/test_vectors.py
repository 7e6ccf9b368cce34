"""Nearest items where some vectors belong to none, as after choosing part of a catalogue."""

import numpy as np

from features.encoders.vectors import RowVectors, nearest


def test_a_vector_of_no_item_takes_no_place_among_the_nearest() -> None:
    vectors = np.array([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]], dtype=np.float32)
    query = RowVectors(vectors[:1], np.array([0]))
    part = RowVectors(vectors, np.array([0, 1, 2])).take(np.array([1, 2]))
    found = nearest(query, part, 1)
    assert (found.queries.tolist(), found.items.tolist()) == ([0], [1])
    assert found.cosines.tolist() == [vectors[2, 0]]
