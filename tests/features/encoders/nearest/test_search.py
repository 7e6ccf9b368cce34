"""A search by heads, or of what passes a filter, finds what a whole scan of the same items finds, bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.encoders.nearest import cells, heads, search
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
    ruled_out = []
    for bound, query in zip(found.bounds(steep[:50]), steep[:50], strict=True):
        last = np.partition(steep @ query, -20)[-20]
        assert (
            heads.contenders(bound, query, steep, None, 20) == np.flatnonzero(steep @ query >= last - 1e-5)
        ).all()
        ruled_out.append((bound < last).mean())
    assert np.mean(ruled_out) > 0.8
    assert Heads.of(np.zeros((5000, 64), dtype=np.float32)) is None


@pytest.mark.parametrize(
    "kind", ["one bound for all", "the highest between the looked at", "few looked at", "rising"]
)
def test_any_bounds_leave_the_nearest_in(kind: str) -> None:
    rng = np.random.default_rng(2)
    made = rng.normal(size=(3000, 8)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    query, rows = made[0], np.arange(3000)
    slack = {
        "one bound for all": 1 - made @ query,
        "the highest between the looked at": np.where(rows % 16, 0.5, 0),
        "few looked at": np.where(rows % 16, 0, 0.5),
        "rising": rows / 3000,
    }[kind]
    last = np.partition(made @ query, -30)[-30]
    found = heads.contenders((made @ query + slack).astype(np.float32), query, made, None, 30)
    assert found.tolist() == np.flatnonzero(made @ query >= last - 1e-5).tolist()


def test_axes_of_another_catalogue_bound_as_surely() -> None:
    rng = np.random.default_rng(1)
    made = rng.normal(size=(300, 16)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    axes = np.linalg.qr(rng.normal(size=(16, 16)))[0][:, :5].astype(np.float32)
    assert (Heads.along(axes, made).bounds(made[:20]) >= made[:20] @ made.T - 1e-5).all()


def drawn(count: int, seed: int) -> np.ndarray:
    """Vectors in heaps."""
    rng = np.random.default_rng(seed)
    heaps = np.random.default_rng(0).normal(size=(30, 24))
    made = heaps[rng.integers(0, 30, count)] + 0.6 * rng.normal(size=(count, 24))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def recall(made: VectorSearch, items: RowVectors, queries: RowVectors, within: np.ndarray | None) -> float:
    passing = items if within is None else RowVectors(items.vectors, np.where(within, items.rows, -1))
    found, expected = made.nearest(queries, 20, within), nearest(queries, passing, 20)
    assert (np.diff(found.queries) >= 0).all()
    theirs = dict(zip(zip(found.queries, found.items, strict=True), found.cosines, strict=True))
    ours = dict(zip(zip(expected.queries, expected.items, strict=True), expected.cosines, strict=True))
    both = ours.keys() & theirs.keys()
    assert all(ours[key] == theirs[key] for key in both)
    return len(both) / len(ours)


@pytest.fixture
def in_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small catalogue counts as a very large one, of which few cells are opened."""
    pytest.importorskip("faiss")
    for name, value in {"_OPENED": 20, "_MET": 600, "_SPARE": 20}.items():
        monkeypatch.setattr(cells, name, value)
    monkeypatch.setattr(search, "_MANY_VECTORS", 1000)
    monkeypatch.setattr(search, "_FEW_VECTORS", 50)


@pytest.mark.usefixtures("in_cells")
@pytest.mark.parametrize("share", [None, 0.5, 0.1, 0.03, 0.001, "not the nearest heaps"])
def test_cells_find_nearly_all_under_any_filter(share: float | str | None) -> None:
    items = RowVectors(drawn(4000, 0), np.random.default_rng(2).integers(-1, 4000, 5000))
    queries = RowVectors(drawn(40, 1), np.arange(40))
    made = VectorSearch.of(items)
    assert made._cells is not None
    within: np.ndarray | None = None
    if isinstance(share, float):
        within = np.random.default_rng(3).random(5000) < share
    elif share is not None:  # just the heaps that the query lies nearest to are turned away
        queries = RowVectors(queries.vectors[:1], np.zeros(1, dtype=np.int64))
        centres = np.random.default_rng(0).normal(size=(30, 24))
        near = np.argsort(-(centres @ queries.vectors[0]))[:5]
        within = ~np.isin(np.argmax(items.vectors[items.rows] @ centres.T, axis=1), near)
    assert recall(made, items, queries, within) > (0.85 if isinstance(share, str) else 0.97)
    opened = VectorSearch.from_arrays(items, made.arrays())
    found, again = (one.nearest(queries, 20, within) for one in (made, opened))
    assert [part.tolist() for part in found] == [part.tolist() for part in again]


@pytest.mark.usefixtures("in_cells")
@pytest.mark.parametrize(("gone", "new"), [(0, 0), (5, 0), (0, 5), (5, 5), (300, 20), (20, 300)])
def test_after_changes_cells_find_as_well_as_made_anew(gone: int, new: int) -> None:
    before, seed = drawn(2000, 0), gone + new
    rng = np.random.default_rng(seed)
    kept = np.sort(rng.permutation(2000)[gone:])
    order = rng.permutation(len(kept) + new)
    after = np.concatenate([before[kept], drawn(new, seed + 1)])[order]
    same = np.concatenate([kept, np.full(new, -1)])[order]
    items, queries = RowVectors(after, np.arange(len(after))), RowVectors(drawn(20, 1), np.arange(20))
    first = VectorSearch.of(RowVectors(before, np.arange(2000)))
    changed = first.changed(items, same)
    assert changed._cells is not None
    assert first._cells is not None
    np.testing.assert_array_equal(changed._cells.cell, cells._assigned(after, first._cells.centroids))
    assert recall(changed, items, queries, None) > recall(VectorSearch.of(items), items, queries, None) - 0.03
    assert recall(first, RowVectors(before, np.arange(2000)), queries, None) > 0.95, "the old one is whole"


@pytest.mark.parametrize(("gone", "new", "twice"), [(0, 0, 0), (0, 0, 3), (7, 0, 0), (0, 7, 0), (50, 30, 5)])
def test_after_changes_cells_hold_the_bytes_that_filled_anew_they_hold(
    gone: int, new: int, twice: int
) -> None:
    pytest.importorskip("faiss")
    rng = np.random.default_rng(gone + new)
    before = drawn(500, 0)
    kept = rng.permutation(500)[gone:]
    same = rng.permutation(np.concatenate([kept, kept[:twice], np.full(new, -1)]))
    after = np.where(same[:, np.newaxis] >= 0, before[np.maximum(same, 0)], drawn(len(same), 1))
    first = cells.Cells.of(before)
    changed = first.changed(after, same)
    index = cells._faiss().deserialize_index(first.packed)
    index.reset()
    anew = cells.Cells._filled(index, first.centroids, changed.cell, after, np.arange(len(after)), 500)
    assert changed._opened.ntotal == len(after)
    assert held(changed) == held(anew)


def held(made: cells.Cells) -> dict[int, tuple[int, bytes]]:
    """By row, the cell it lies in and its bytes."""
    faiss, lists = cells._faiss(), made._opened.invlists
    found: dict[int, tuple[int, bytes]] = {}
    for cell in range(lists.nlist):
        if size := lists.list_size(cell):
            rows = faiss.rev_swig_ptr(lists.get_ids(cell), size).tolist()
            codes = faiss.rev_swig_ptr(lists.get_codes(cell), size * lists.code_size).reshape(size, -1)
            assert not found.keys() & set(rows)
            found |= {row: (cell, code.tobytes()) for row, code in zip(rows, codes, strict=True)}
    return found


@pytest.mark.usefixtures("in_cells")
@pytest.mark.parametrize("moved", [0.0, 0.05, 0.3])
def test_cells_hold_other_vectors_that_lie_much_alike(moved: float) -> None:
    before, queries = drawn(2000, 0), RowVectors(drawn(20, 1), np.arange(20))
    after = before + np.float32(moved) * drawn(2000, 7)
    items = RowVectors(after / np.linalg.norm(after, axis=1, keepdims=True), np.arange(2000))
    first = VectorSearch.of(RowVectors(before, np.arange(2000)))
    found = first.refilled(items)
    assert found._cells is not None
    assert first._cells is not None
    assert found._cells.centroids is first._cells.centroids
    assert recall(found, items, queries, None) > recall(VectorSearch.of(items), items, queries, None) - 0.03


def test_centroids_are_fitted_anew_for_a_catalogue_of_another_size() -> None:
    pytest.importorskip("faiss")
    first = cells.Cells.of(drawn(500, 0))
    grown = drawn(1500, 1)
    changed = first.changed(grown, np.full(1500, -1))
    assert changed.fitted == 1500
    assert len(changed.centroids) > len(first.centroids)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.integers(0, 40), st.integers(0, 40))
def test_heads_after_changes_find_what_a_whole_scan_finds(seed: int, gone: int, new: int) -> None:
    before = drawn(60, 0) * (np.arange(24) < 6)
    before = (before / np.linalg.norm(before, axis=1, keepdims=True)).astype(np.float32)
    rng = np.random.default_rng(seed)
    kept = rng.permutation(60)[gone:]
    after, same = np.concatenate([before[kept], drawn(new, seed)]), np.concatenate([kept, np.full(new, -1)])
    items, queries = RowVectors(after, np.arange(len(after))), RowVectors(drawn(5, 1), np.arange(5))
    found = VectorSearch.of(RowVectors(before, np.arange(60))).changed(items, same).nearest(queries, 7)
    assert [part.tolist() for part in found] == [part.tolist() for part in nearest(queries, items, 7)]
