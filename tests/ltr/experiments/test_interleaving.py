"""Interleaving: fair to every ranker under clicks at random, and telling the better one apart."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from features.errors import InputError
from ltr.experiments import Columns, Outcome
from ltr.experiments.interleaving import (
    InterleaveSettings,
    analyse_interleaving,
    optimised,
    probabilistic,
    ranks_of,
    team_draft,
)
from ltr.experiments.interleaving.credit import informative, probabilistic_credit, team_credit
from ltr.experiments.interleaving.preference import preference
from ltr.experiments.interleaving.shown_lists import read_shown
from ltr.experiments.looks import Looks
from tests.ltr.experiments.interleaving_world import DEPTH, SHOWN, interleaved

METHODS = ("team-draft", "probabilistic", "optimised")
LISTS = st.integers(2, 4).flatmap(
    lambda rankers: st.lists(
        st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=8, unique=True),
        min_size=rankers,
        max_size=rankers,
    )
)


def settings_of(method: str, rankers: str = "ab", **more: Any) -> InterleaveSettings:
    given = {
        "data": Path("log"),
        "list": "shown",
        "position": "place",
        "rank": tuple(f"{r}=rank_{r}" for r in rankers),
        "method": method,
        "team": "team" if method == "team-draft" else None,
        "depth": DEPTH,
        "click": "click",
        "purchase": "bought",
        "unit": "visitor",
    }
    return InterleaveSettings(**(given | more))


def judge(frame: pl.DataFrame, method: str, rankers: str = "ab", **more: Any) -> Outcome:
    return analyse_interleaving(settings_of(method, rankers, **more), Columns(frame))


@given(LISTS, st.integers(1, 8), st.integers(0, 99))
def test_team_draft_takes_turns(rankings: list[list[str]], length: int, seed: int) -> None:
    drafted = team_draft(rankings, length, np.random.default_rng(seed))
    everything = {item for ranking in rankings for item in ranking}
    assert len(set(drafted.items)) == len(drafted.items) == min(length, len(everything))
    for place, (item, team) in enumerate(zip(drafted.items, drafted.team, strict=True)):
        left = [other for other in rankings[team] if other not in drafted.items[:place]]
        assert left[0] == item  # each adds its best item left
    same_length = [set(ranking) for ranking in rankings]
    if all(found == same_length[0] for found in same_length):
        counts = np.bincount(drafted.team, minlength=len(rankings))
        assert counts.max() - counts.min() <= 1


@given(LISTS, st.integers(1, 8), st.integers(0, 99))
def test_probabilistic_shows_each_item_once(rankings: list[list[str]], length: int, seed: int) -> None:
    drafted = probabilistic(rankings, length, np.random.default_rng(seed))
    everything = {item for ranking in rankings for item in ranking}
    assert len(set(drafted.items)) == len(drafted.items) == min(length, len(everything))
    assert all(item in rankings[team] for item, team in zip(drafted.items, drafted.team, strict=True))


@settings(max_examples=40)
@given(st.permutations(range(7)), st.permutations(range(7)), st.integers(1, 6))
def test_optimised_lists_are_fair_at_every_cut(a: list[int], b: list[int], length: int) -> None:
    mixture = optimised([a, b], length)
    assert mixture.chances.sum() == pytest.approx(1)
    assert mixture.bias < 1e-9
    for items in mixture.lists:
        for place, item in enumerate(items):
            above = items[:place]
            assert item in {next(i for i in ranking if i not in above) for ranking in (a, b)}


def test_what_is_left_of_bias_with_several_rankers_is_told() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        rankings = [rng.permutation(6).tolist() for _ in range(3)]
        mixture = optimised(rankings, 4)
        credit = np.stack([1 / ranks_of(rankings, items) for items in mixture.lists])
        by_cut = np.cumsum(np.tensordot(mixture.chances, credit, axes=1), axis=0)
        gap = np.abs(by_cut - by_cut.mean(axis=1, keepdims=True)).max()
        assert mixture.bias == pytest.approx(gap, abs=1e-9)
        assert mixture.bias < 0.1


@settings(max_examples=25)
@given(st.permutations(range(4)), st.permutations(range(4)), st.sampled_from([1.0, 3.0]))
def test_probabilistic_credit_is_the_sum_over_assignments(a: list[int], b: list[int], tau: float) -> None:
    """By enumeration: chances of every list and every assignment of its places to rankers."""
    force = [{item: place**-tau for place, item in enumerate(ranking, 1)} for ranking in (a, b)]
    offered = np.zeros((3, 2))
    total = 0.0
    for items in itertools.permutations(range(4), 3):
        credit = probabilistic_credit(ranks_of([a, b], items), 4, tau)
        chance, by_ranker = 1.0, np.zeros((3, 2))
        for place, item in enumerate(items):
            left = [i for i in range(4) if i not in items[:place]]
            parts = np.array([0.5 * f[item] / sum(f[i] for i in left) for f in force])
            by_ranker[place] = parts / parts.sum()
            chance *= parts.sum()
        assert credit == pytest.approx(by_ranker)
        offered += chance * credit
        total += chance
    assert total == pytest.approx(1)
    assert offered[:, 0] == pytest.approx(offered[:, 1])  # clicks at random prefer none


def test_a_shared_prefix_tells_nothing() -> None:
    ranks = ranks_of([[1, 2, 3, 4], [1, 2, 4, 3]], (1, 2, 4, 3))
    assert informative(ranks).tolist() == [False, False, True, True]
    assert team_credit(np.array([0, 1, 1, 0]), ranks)[:2].sum() == 0
    alike = probabilistic_credit(ranks, 4, 3.0)
    assert alike[0] == pytest.approx([0.5, 0.5])
    again = ranks_of([[1, 2, 3], [1, 2, 3]], (1, 2, 3))
    assert not informative(again).any()


def test_dropping_the_prefix_lowers_the_noise() -> None:
    rng = np.random.default_rng(1)
    a, b = [1, 2, 3, 4, 5, 6], [1, 2, 4, 3, 5, 6]
    kept, dropped = [], []
    for _ in range(2000):
        drafted = team_draft([a, b], 6, rng)
        clicks = rng.random(6) < 0.5 / np.arange(1, 7)
        team = np.array(drafted.team)
        credit = team_credit(team, ranks_of([a, b], drafted.items))
        dropped.append(clicks @ (credit[:, 1] - credit[:, 0]))
        kept.append(clicks @ np.where(team == 1, 1.0, -1.0))
    assert np.std(dropped) < 0.75 * np.std(kept)
    assert abs(np.mean(dropped)) < 3 * np.std(dropped) / np.sqrt(2000)


@pytest.mark.parametrize("method", METHODS)
def test_clicks_at_random_prefer_no_ranker(method: str) -> None:
    frame = interleaved(method, 4000, (0.2, 2.0), seed=2, at_random=True)
    outcome = judge(frame, method)
    assert outcome.says == "no"
    assert outcome.figures["metrics"][0]["p"] > 0.01


@pytest.mark.parametrize("method", METHODS)
def test_the_better_ranker_is_found(method: str) -> None:
    frame = interleaved(method, 2500, (1.5, 0.2), seed=3)
    outcome = judge(frame, method, segment=("kind",))
    assert outcome.says == "yes", outcome.verdict
    assert "b preferred" in outcome.verdict
    assert {part["segment"] for part in outcome.figures["segments"]} == {"short", "long"}
    assert outcome.figures["others"][0]["credit"] > 0  # by purchase
    worse = interleaved(method, 2500, (0.2, 1.5), seed=3)
    assert judge(worse, method).status == 1


@pytest.mark.parametrize("method", METHODS)
def test_false_alarms_of_interleaving(method: str) -> None:
    """2,000 logs of 300 lists, drawn from a pool of 3,000 and clicked at random."""
    frame = interleaved(method, 3000, (0.2, 2.0), seed=4)
    shown = read_shown(settings_of(method, unit=None), Columns(frame))
    offered = (shown.credit[:, 1] - shown.credit[:, 0]).reshape(3000, SHOWN)
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(2000):
        lists = rng.integers(0, 3000, 300)
        clicks = rng.random((300, SHOWN)) < 0.6 / (1 + np.arange(SHOWN))
        gained = (offered[lists] * clicks).sum(axis=1)
        alarms += preference("click", "a", "b", gained, np.arange(300)).estimate.p_value < 0.05
    assert alarms / 2000 == pytest.approx(0.05, abs=0.0125)


def test_several_rankers_at_once() -> None:
    frame = interleaved("team-draft", 3000, (2.0, 2.0, 0.1), seed=5)
    outcome = judge(frame, "team-draft", "abc")
    said = {(row["first"], row["second"]): row["p_holm"] for row in outcome.figures["metrics"]}
    assert said[("a", "c")] < 0.05
    assert said[("b", "c")] < 0.05
    assert said[("a", "b")] > 0.05


def test_lists_that_favour_one_ranker_are_refused() -> None:
    frame = interleaved("team-draft", 1500, (1.0, 1.0), seed=6)
    always = frame.with_columns(team=pl.when(pl.col("place") == 1).then(pl.lit("a")).otherwise("team"))
    assert judge(always, "team-draft").status == 2
    assert "balance" in judge(always, "team-draft").verdict


def test_visitors_who_click_alike_count_once() -> None:
    frame = interleaved("team-draft", 300, (1.5, 0.2), seed=7)
    copies = pl.concat([frame.with_columns(shown=pl.col("shown") + f"-{n}") for n in range(4)])
    one, other = (judge(f, "team-draft").figures["metrics"][0] for f in (frame, copies))
    assert other["credit"] == pytest.approx(one["credit"])
    assert other["high"] - other["low"] == pytest.approx(one["high"] - one["low"], rel=0.01)


def test_too_few_clicks_are_not_judged() -> None:
    frame = interleaved("team-draft", 200, seed=8).with_columns(
        click=(pl.int_range(pl.len()) < 4).cast(pl.Int64)
    )
    assert judge(frame, "team-draft").status == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"place": pl.col("place") * 2}, "without gaps"),
        ({"team": pl.lit("z")}, "expected one of a, b, got 'z'"),
        ({"rank_a": pl.lit(0)}, "whole ranks from 1"),
        ({"rank_a": pl.lit(None), "rank_b": pl.lit(None)}, "an item of no ranker"),
        ({"click": pl.lit("yes")}, "expected a number"),
    ],
)
def test_bad_logs_are_one_line(change: dict[str, pl.Expr], message: str) -> None:
    with pytest.raises(InputError) as caught:
        judge(interleaved("team-draft", 30).with_columns(**change), "team-draft")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("team-draft", {"team": None}),
        ("team-draft", {"credit": "cart"}),
        ("probabilistic", {"team": "team"}),
        ("probabilistic", {"depth": None}),
    ],
)
def test_options_that_do_not_fit_together(method: str, more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        judge(interleaved("team-draft", 5), method, **more)


@pytest.mark.parametrize("how", ["looks", "any time"])
def test_looking_early_cries_wolf_no_more_often(how: str) -> None:
    """20 looks at 400 tests without a preference; looking naively, a quarter of them would show one."""
    rng, looks, each = np.random.default_rng(5), 20, 40
    shares = [tuple(np.arange(1, look + 1) / looks) for look in range(1, looks + 1)]
    reads = [Looks(fractions=f) if how == "looks" else Looks(planned=looks * each) for f in shares]
    naive = alarms = 0
    for _ in range(400):
        gained = rng.choice([-1.0, 0.0, 1.0], looks * each, p=[0.2, 0.6, 0.2])
        seen_naively = seen = False
        for look in range(1, looks + 1):
            part = gained[: look * each]
            found = preference("click", "a", "b", part, np.arange(len(part)), reads[look - 1])
            seen |= found.reading.decided
            seen_naively |= found.estimate.p_value < 0.05
        alarms, naive = alarms + seen, naive + seen_naively
    assert alarms / 400 <= 0.075  # 5 % and 2.3 standard errors
    assert naive / 400 > 0.15


def test_a_test_that_goes_on_is_not_decided() -> None:
    log = interleaved("team-draft", 300, (1.0, 1.0), seed=3)
    early, late = (judge(log, "team-draft", looks=looks) for looks in ((0.5,), (0.5, 1.0)))
    assert early.says == "cannot"
    assert "Go on as planned" in early.verdict
    assert late.says == "no"
    assert "|z| must pass 2.9" in early.figures["reading"]


@pytest.mark.parametrize(("units", "decided"), [(5, False), (7, True), (300, True)])
def test_a_unanimous_preference_is_one(units: int, decided: bool) -> None:
    """No spread between units is no lack of evidence: so many coins do not fall alike by chance."""
    found = preference("click", "a", "b", np.repeat(0.5, 2 * units), np.repeat(np.arange(units), 2))
    assert found.reading.decided == decided
    assert found.reading.p_value == pytest.approx(2 * 0.5**units)
    none = preference("click", "a", "b", np.zeros(units), np.arange(units))
    assert not none.reading.decided
    assert none.reading.p_value == 1
