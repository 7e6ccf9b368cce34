"""The pure functions of fusion against loops over lists, and against ranx."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltr.rankers.blend import score_fusion
from ltr.rankers.lists import mean_ndcg

EIGHTHS = st.integers(-16, 16).map(lambda whole: whole / 8)


@st.composite
def lists(draw: st.DrawFn, *, ties: bool = True, gaps: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n, m) and groups (q,): short lists, ties, members that abstain on rows or on whole lists."""
    groups = np.array(draw(st.lists(st.integers(1, 6), min_size=1, max_size=5)))
    shape = (int(groups.sum()), draw(st.integers(1, 4)))
    cells = shape[0] * shape[1]
    if ties:
        values = draw(st.lists(EIGHTHS, min_size=cells, max_size=cells))
    else:
        values = draw(st.permutations(range(cells)))
    scores = np.array(values, dtype=float).reshape(shape)
    if gaps:
        absent = draw(st.lists(st.sampled_from([False, False, True]), min_size=cells, max_size=cells))
        scores[np.array(absent).reshape(shape)] = np.nan
    return scores, groups


def each_list(groups: np.ndarray) -> list[np.ndarray]:
    return np.split(np.arange(groups.sum()), np.cumsum(groups)[:-1])


def by_list(scores: np.ndarray, groups: np.ndarray, of_column: object) -> np.ndarray:
    """Apply a function of one member's list to every list and member."""
    out = np.empty_like(scores)
    for rows in each_list(groups):
        for member in range(scores.shape[1]):
            out[rows, member] = of_column(scores[rows, member])  # type: ignore[operator]
    return out


def slow_ranks(column: np.ndarray) -> list[float]:
    """1 + the number above + half the number beside; who has no score stands below all who have one."""
    keys = [(-np.inf if np.isnan(value) else value) for value in column]
    return [1 + sum(b > a for b in keys) + (sum(b == a for b in keys) - 1) / 2 for a in keys]


def slow_min_max(column: np.ndarray) -> list[float]:
    known = [value for value in column if not np.isnan(value)]
    width = max(known, default=0) - min(known, default=0)
    return [np.nan if np.isnan(v) else (v - min(known)) / width if width else 0.0 for v in column]


def slow_z(column: np.ndarray) -> list[float]:
    known = [value for value in column if not np.isnan(value)]
    spread = float(np.std(known)) if len(set(known)) > 1 else 0.0
    return [np.nan if np.isnan(v) else (v - np.mean(known)) / spread if spread else 0.0 for v in column]


@settings(deadline=None)
@given(lists())
def test_ranks_and_normalisations_are_those_of_a_loop(made: tuple[np.ndarray, np.ndarray]) -> None:
    scores, groups = made
    for ours, slow in (
        (score_fusion.mid_ranks, slow_ranks),
        (score_fusion.min_max, slow_min_max),
        (score_fusion.z_scores, slow_z),
    ):
        np.testing.assert_allclose(ours(scores, groups), by_list(scores, groups, slow), atol=1e-9)


@settings(deadline=None)
@given(lists(), st.floats(0, 100))
def test_joining_is_that_of_a_loop(made: tuple[np.ndarray, np.ndarray], k: float) -> None:
    scores, groups = made
    ranks, size = by_list(scores, groups, slow_ranks), np.repeat(groups, groups)
    normalised = score_fusion.min_max(scores, groups)
    weights = np.arange(1, scores.shape[1] + 1.0)
    for row, present in enumerate(~np.isnan(scores)):
        sums = sum(normalised[row, present])
        expected = {
            "rrf": sum(1 / (k + ranks[row, present])),
            "borda": sum(size[row] - ranks[row]),
            "combsum": sums,
            "combmnz": sums * (normalised[row, present] > 0).sum(),
            "weighted": sum(normalised[row, present] * weights[present]),
        }
        got = {
            "rrf": score_fusion.reciprocal_rank_fusion(scores, groups, k)[row],
            "borda": score_fusion.borda(scores, groups)[row],
            "combsum": score_fusion.comb_sum(normalised)[row],
            "combmnz": score_fusion.comb_mnz(normalised)[row],
            "weighted": score_fusion.weighted(normalised, weights)[row],
        }
        assert got == pytest.approx(expected)


@pytest.mark.slow  # ranx compiles for a minute
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_ranx_where_nothing_ties(seed: int) -> None:
    """A member that abstains leaves the row out of its run; ranx's MNZ counts a lowest score of 0 as a vote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ranx = pytest.importorskip("ranx")
    random = np.random.default_rng(seed)
    groups = random.integers(3, 9, 6)
    scores = random.permuted(np.arange(groups.sum() * 3.0)).reshape(-1, 3)
    absent = random.random(scores.shape) < 0.2
    absent[np.cumsum(groups) - groups] = absent[np.cumsum(groups) - 1] = False  # ranx wants no empty list
    scores[absent] = np.nan
    runs = [
        ranx.Run(
            {
                f"q{q}": {f"d{row}": scores[row, m] for row in rows if not np.isnan(scores[row, m])}
                for q, rows in enumerate(each_list(groups))
            }
        )
        for m in range(3)
    ]
    normalised = score_fusion.min_max(scores, groups)
    ours = {
        ("rrf", None): score_fusion.reciprocal_rank_fusion(scores, groups),
        ("sum", "min-max"): score_fusion.comb_sum(normalised),
        ("sum", "zmuv"): score_fusion.comb_sum(score_fusion.z_scores(scores, groups)),
    }
    if not absent.any():
        ours["bordafuse", None] = score_fusion.borda(scores, groups) + 3  # ranx counts points from 1
    for (method, norm), values in ours.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fused = ranx.fuse(runs, norm=norm, method=method).to_dict()
        for q, rows in enumerate(each_list(groups)):
            theirs = [fused[f"q{q}"][f"d{row}"] for row in rows]
            assert values[rows].tolist() == pytest.approx(theirs, abs=1e-9), method


def test_one_product_is_its_own_best_and_worst() -> None:
    scores, groups = np.array([[3.0, np.nan]]), np.array([1])
    assert score_fusion.min_max(scores, groups)[0, 0] == score_fusion.z_scores(scores, groups)[0, 0] == 0
    assert score_fusion.reciprocal_rank_fusion(scores, groups) == pytest.approx([1 / 61])
    assert score_fusion.borda(scores, groups) == pytest.approx([0])


def test_equal_scores_that_miss_their_mean_by_rounding_have_no_spread() -> None:
    scores = np.full((7, 1), 0.1)
    assert not score_fusion.z_scores(scores, np.array([7])).any()


def test_a_silent_member_changes_no_ranking() -> None:
    random = np.random.default_rng(0)
    heard, groups = random.normal(size=(12, 2)), np.array([5, 7])
    silent = np.hstack([heard, np.full((12, 1), np.nan)])
    for join in (
        score_fusion.reciprocal_rank_fusion,
        score_fusion.borda,
        lambda s, g: score_fusion.comb_sum(score_fusion.z_scores(s, g)),
        lambda s, g: score_fusion.comb_mnz(score_fusion.min_max(s, g)),
    ):
        for rows in each_list(groups):
            orders = [np.argsort(join(scores, groups)[rows], kind="stable") for scores in (heard, silent)]
            assert orders[0].tolist() == orders[1].tolist()


def test_agreement_never_pulls_a_bad_row_down_or_up() -> None:
    z = np.array([[1.0, 1.0], [2.5, -0.5], [-1.0, -1.5], [0.5, -1.0]])
    assert score_fusion.comb_mnz(z).tolist() == [4.0, 2.0, -2.5, -0.5]


@settings(deadline=None, max_examples=30)
@given(lists(gaps=False), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_mean_ndcg_is_that_of_a_loop(made: tuple[np.ndarray, np.ndarray], k: int, seed: int) -> None:
    (scores, groups), random = made, np.random.default_rng(seed)
    gains = random.integers(0, 3, len(scores)).astype(float)
    found = []
    for rows in each_list(groups):
        discount = [1 / np.log2(place + 2) if place < k else 0 for place in range(len(rows))]
        best = sum(gain * d for gain, d in zip(sorted(gains[rows], reverse=True), discount, strict=True))
        order = sorted(rows, key=lambda row: -scores[row, 0])
        if best:
            found.append(sum(gains[row] * d for row, d in zip(order, discount, strict=True)) / best)
    assert mean_ndcg(scores[:, 0], gains, groups, k) == pytest.approx(np.mean(found) if found else 0)


@pytest.mark.parametrize("members", [1, 2, 3, 4, 6])
def test_weights_find_the_member_that_knows(members: int) -> None:
    random = np.random.default_rng(1)
    groups = np.full(60, 10)
    gains = random.integers(0, 4, 600).astype(float)
    scores = random.normal(size=(600, members))
    scores[:, -1] = gains + random.normal(scale=0.3, size=600)
    normalised = score_fusion.min_max(scores, groups)
    weights = score_fusion.learn_weights(normalised, gains, groups, 10)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    assert weights.argmax() == members - 1
    learned, equal = (
        mean_ndcg(normalised @ w, gains, groups, 10) for w in (weights, np.full(members, 1 / members))
    )
    assert learned >= equal
    assert members == 1 or learned > equal


def test_weights_that_cannot_be_told_apart_stay_equal() -> None:
    same = np.repeat(np.linspace(0, 1, 5), 3).reshape(5, 3)
    weights = score_fusion.learn_weights(same, np.zeros(5), np.array([5]), 10)
    np.testing.assert_allclose(weights, 1 / 3)
