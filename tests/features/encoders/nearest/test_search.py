"""A search by heads, or of what passes a filter, finds what a whole scan of the same items finds, bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.encoders.nearest import heads, search
from features.encoders.nearest.heads import Heads
from features.encoders.nearest.search import VectorSearch
from features.encoders.vectors import RowVectors, nearest


@st.composite
def row_vectors(draw: Callable, rows: int) -> RowVectors:
    """Vectors that lie near few axes, some of them twice, and rows that share them or have none."""
    distinct, dimensions = draw(st.integers(1, 40)), 12
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    spread = draw(st.sampled_from([1.0, 0.3, 0.01, 0.0]))
    made = rng.integers(-2, 3, size=(distinct, dimensions)) + 0.25
    made *= np.where(np.arange(dimensions) < 4, 1.0, spread)
    made = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return RowVectors(made, rng.integers(-1, distinct, size=rows))


@pytest.fixture(autouse=True)
def few_count_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "_FEWEST", 1)
    monkeypatch.setattr(search, "_FEW_QUERIES", 3)


@pytest.mark.parametrize("few", [0, 8])
@settings(max_examples=60, deadline=None)
@given(row_vectors(7), row_vectors(50), st.integers(1, 30), st.floats(0, 1), st.integers(0, 99))
def test_it_finds_what_a_whole_scan_finds(
    few: int, queries: RowVectors, items: RowVectors, n: int, share: float, seed: int
) -> None:
    within = np.random.default_rng(seed).random(50) < share
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_FEW_VECTORS", few)
        made = VectorSearch.of(items)
        opened = VectorSearch.from_arrays(items, made.arrays())
        for mask in (None, within):
            passing = items if mask is None else RowVectors(items.vectors, np.where(mask, items.rows, -1))
            expected = nearest(queries, passing, n)
            for one in (made, opened):
                found = one.nearest(queries, n, mask)
                assert [part.tolist() for part in found] == [part.tolist() for part in expected]


def test_heads_are_taken_where_they_rule_most_vectors_out() -> None:
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(5000, 64)).astype(np.float32)
    steep = flat * (np.arange(64) + 1) ** -1.0
    flat, steep = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (flat, steep))
    assert Heads.of(flat) is None
    found = Heads.of(steep.astype(np.float32))
    assert found is not None
    kept = [
        len(heads.contenders(bound, query, steep, None, 20))
        for bound, query in zip(found.bounds(steep[:50]), steep[:50], strict=True)
    ]
    assert np.mean(kept) < 0.2 * len(steep)


def test_axes_of_another_catalogue_bound_as_surely() -> None:
    rng = np.random.default_rng(1)
    made = rng.normal(size=(300, 16)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    axes = np.linalg.qr(rng.normal(size=(16, 16)))[0][:, :5].astype(np.float32)
    assert (Heads.along(axes, made).bounds(made[:20]) >= made[:20] @ made.T - 1e-5).all()
