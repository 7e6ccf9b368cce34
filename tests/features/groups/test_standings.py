"""Standing within a query: parity with a loop, ties, nulls, single candidates, order of rows."""

import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.batch import list_starts
from features.groups.standings import rank_share, z_score

VALUES = st.one_of(st.none(), st.sampled_from([0.0, 0.5, -3.0]), st.floats(-1e6, 1e6, width=32))
LISTS = st.lists(st.tuples(st.sampled_from("abc"), VALUES), min_size=1, max_size=30)


def standing(rows: list[tuple[str, float | None]]) -> pl.DataFrame:
    """The rows with x_rank and x_z, of lists that need not lie together; as float32 and float64 they agree."""
    frame = pl.DataFrame(rows, schema={"query_id": pl.String, "x": pl.Float64}, orient="row")
    order = frame["query_id"].arg_sort(nulls_last=False)
    values = frame["x"][order].to_numpy().astype(np.float64)
    starts = list_starts(frame["query_id"][order].rank("dense").to_numpy())
    found = {"x_rank": rank_share(values, starts), "x_z": z_score(values, starts)}
    exact = values.astype(np.float32)
    if (exact == values)[~np.isnan(values)].all():
        np.testing.assert_array_equal(rank_share(exact, starts), found["x_rank"])
    back = np.argsort(order.to_numpy())
    columns = [pl.Series(name, of[back].astype(np.float32), nan_to_null=True) for name, of in found.items()]
    return frame.with_columns(columns)


def loop_rank(value: float, peers: list[float]) -> float:
    below, equal = sum(p < value for p in peers), sum(p == value for p in peers)
    return (below + equal / 2) / len(peers)


def loop_z(value: float, peers: list[float]) -> float:
    mean = math.fsum(peers) / len(peers)
    spread = math.sqrt(math.fsum((p - mean) ** 2 for p in peers) / len(peers))
    return 0.0 if spread <= 1e-6 * max(map(abs, peers)) else (value - mean) / spread


@settings(max_examples=60)
@given(LISTS)
def test_agrees_with_a_loop_over_candidates(rows: list[tuple[str, float | None]]) -> None:
    for (query, value), found in zip(rows, standing(rows).iter_rows(named=True), strict=True):
        peers = [v for q, v in rows if q == query and v is not None]
        if value is None:
            assert found["x_rank"] is None
            assert found["x_z"] is None
        else:
            assert found["x_rank"] == pytest.approx(loop_rank(value, peers), rel=1e-6)
            assert found["x_z"] == pytest.approx(loop_z(value, peers), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 420), st.floats(-8, 8), st.sampled_from([0.0, 0.3, 1.0]))
def test_a_list_alone_stands_as_among_others_to_the_last_bit(
    kind: type[np.floating], seed: int, size: int, scale: float, missing: float
) -> None:
    """As a request asks for it, and as training does."""
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=size) * 10**scale + rng.normal()).astype(kind)
    values[rng.random(size) < missing] = np.nan
    several = np.concatenate([values, rng.normal(size=3).astype(kind)])
    for standing_of in (rank_share, z_score):
        alone = standing_of(values, np.array([0, size]))
        among_others = standing_of(several, np.array([0, size, size + 3]))[:size]
        np.testing.assert_array_equal(alone, among_others)


@pytest.mark.parametrize("values", [[7.0], [7.0, 7.0, 7.0], [1.0, 1.0 + 1e-7]])
def test_nothing_to_tell_candidates_apart_is_the_middle(values: list[float]) -> None:
    found = standing([("q", value) for value in values])
    assert found["x_z"].to_list() == [0.0] * len(values)
    assert found["x_rank"].mean() == 0.5


def test_ties_share_a_rank_and_nulls_take_no_part() -> None:
    found = standing([("q", 1.0), ("q", None), ("q", 2.0), ("q", 2.0), ("other", 9.0)])
    n = 3
    expected = [0.5 / n, None, (1 + 2 / 2) / n, (1 + 2 / 2) / n, 0.5]
    assert found["x_rank"].to_list() == pytest.approx(expected, nan_ok=False)


def test_the_order_of_rows_changes_no_bit() -> None:
    rng = np.random.default_rng(1)
    rows = [(f"q{i % 7}", float(v)) for i, v in enumerate(rng.normal(size=500))]
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    assert standing(rows).sort("query_id", "x").equals(standing(shuffled).sort("query_id", "x"))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_signed_zeros_are_equal_and_no_list_makes_nothing(kind: type) -> None:
    starts = np.array([0, 3])
    assert rank_share(np.array([0.0, -0.0, -1.0], dtype=kind), starts).tolist() == [2 / 3, 2 / 3, 0.5 / 3]
    nothing = np.zeros(0, dtype=kind)
    assert len(rank_share(nothing, np.array([0]))) == len(z_score(nothing, np.array([0]))) == 0


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abc"), VALUES, st.booleans()), min_size=1, max_size=30))
def test_rows_that_do_not_count_move_nobody_and_stand_where_they_would(
    rows: list[tuple[str, float | None, bool]],
) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    values = np.array([math.nan if value is None else value for _, value, _ in rows])
    among = np.array([counts for _, _, counts in rows])
    queries = np.array([ord(query) for query, _, _ in rows])
    alone = {"rank": rank_share, "z": z_score}
    found = {n: stand(values, list_starts(queries), among) for n, stand in alone.items()}
    some = np.isin(queries, queries[among])
    if among.any():
        for name, stand in alone.items():  # to the last bit as without the others
            expected = stand(values[among], list_starts(queries[among]))
            np.testing.assert_array_equal(found[name][among], expected)
    for name, stand in alone.items():
        if not some.all():
            expected = stand(values[~some], list_starts(queries[~some]))
            np.testing.assert_array_equal(found[name][~some], expected)
    for place in np.flatnonzero(some & ~among & ~np.isnan(values)):
        peers = values[(queries == queries[place]) & among & ~np.isnan(values)]
        expected = loop_rank(values[place], list(peers)) if len(peers) else 0.5
        assert found["rank"][place] == pytest.approx(expected)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@settings(max_examples=40)
@given(rows=LISTS)
def test_a_list_alone_stands_as_among_others(kind: type, rows: list[tuple[str, float | None]]) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    values = np.array([np.nan if value is None else value for _, value in rows], dtype=kind)
    starts = list_starts(np.array([ord(query) for query, _ in rows]))
    for stand in (rank_share, z_score):
        whole = stand(values, starts)
        for start, end in itertools.pairwise(starts):
            alone = stand(values[start:end], np.array([0, end - start]))
            np.testing.assert_array_equal(alone, whole[start:end])
