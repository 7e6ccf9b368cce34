"""Surveys by arm: the ordinal test against scipy's, non-response counted and bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from features.errors import InputError
from ltr.experiments import Columns, Outcome, SurveySettings, judge_survey
from ltr.experiments.survey import bounds_of, superiority

STARS = st.lists(st.integers(1, 5), min_size=5, max_size=60).map(lambda v: np.array(v, dtype=float))


@given(STARS, STARS)
def test_it_is_the_brunner_munzel_test(a: np.ndarray, b: np.ndarray) -> None:
    found = superiority(a, b, np.arange(len(a)), np.arange(len(b)))
    pairs = (b[:, None] > a).mean() + 0.5 * (b[:, None] == a).mean()
    assert found.chance == pytest.approx(pairs)
    if a.std() > 0 and b.std() > 0 and found.error > 1e-9:
        expected = stats.brunnermunzel(a, b)
        assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)


Tables = tuple[pl.DataFrame, pl.DataFrame]


def world(
    sessions: int, lift: float = 0.0, seed: int = 0, response: tuple[float, float] = (0.5, 0.5)
) -> Tables:
    """Answers (1 to 5) and the arms of all sessions."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, sessions)
    grade = np.clip(np.round(3 + lift * arm + rng.normal(0, 1, sessions)), 1, 5)
    answered = rng.random(sessions) < np.array(response)[arm]
    names = [f"s{i}" for i in range(sessions)]
    asked = pl.DataFrame({"session": names, "arm": np.array(["new", "old"])[1 - arm]})
    return pl.DataFrame({"session": names, "stars": grade}).filter(pl.Series(answered)), asked


def judge(tables: Tables, **more: Any) -> Outcome:
    columns = {"answer": "stars", "session": "session", "arm": "arm", "control": "old"}
    chosen = {"data": Path("a"), "arms": Path("b"), **columns}
    return judge_survey(SurveySettings(**(chosen | more)), *(Columns(table) for table in tables))


def test_better_answers_are_seen() -> None:
    assert judge(world(1500, 0.4, 1)).says == "yes"
    assert judge(world(1500, -0.4, 1)).status == 1
    assert judge(world(1500, 0.0, 2)).status == 1


def test_false_alarms_are_five_per_cent() -> None:
    alarms = 0
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        a, b = (rng.choice(5, 80, p=[0.1, 0.1, 0.2, 0.4, 0.2]) for _ in range(2))
        alarms += superiority(a.astype(float), b.astype(float), np.arange(80), np.arange(80)).p_value < 0.05
    assert alarms / 2000 == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("seed", range(20))
def test_units_with_several_answers_are_left_out_one_by_one(seed: int) -> None:
    """The error is the jackknife's over units of both sides, and one big unit leaves little freedom."""
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(1, 6, rng.integers(20, 60)).astype(float) for _ in range(2))
    of_a, of_b = (np.unique(rng.integers(12, size=len(one)), return_inverse=True)[1] for one in (a, b))
    variance = 0.0
    for own, other, unit in ((a, b, of_a), (b, a, of_b)):
        shares = ((own[:, None] > other) + 0.5 * (own[:, None] == other)).mean(axis=1)
        without = np.array([shares[unit != left].mean() for left in range(unit.max() + 1)])
        variance += ((without - shares.mean()) ** 2).sum() * (len(without) - 1) / len(without)
    found = superiority(a, b, of_a, of_b)
    assert found.error == pytest.approx(np.sqrt(variance))
    assert found.df < min(of_a.max(), of_b.max()) + 1e-9
    lone = superiority(a, b, np.where(np.arange(len(a)) < 15, 0, np.arange(len(a)) - 14), of_b)
    assert 1 <= lone.df <= (len(a) / 15) ** 2


def test_silence_that_depends_on_the_arm_is_refused() -> None:
    outcome = judge(world(2000, 0.4, 3, response=(0.6, 0.4)))
    assert outcome.status == 2
    assert "who answers depends on the arm" in outcome.verdict
    assert outcome.tables[0].title == "Answers"  # shown, not judged


def test_silence_is_bounded() -> None:
    a, b = np.array([3.0, 4.0]), np.array([4.0, 5.0])
    low, high = bounds_of(a, b, 1, 1, np.array([1.0, 5.0]))
    worst = np.mean([[1.0 if y > x else 0.5 if y == x else 0.0 for x in (3, 4, 5)] for y in (4, 5, 1)])
    best = np.mean([[1.0 if y > x else 0.5 if y == x else 0.0 for x in (3, 4, 1)] for y in (4, 5, 5)])
    assert (low, high) == pytest.approx((worst, best))


def test_answers_that_do_not_join_are_counted() -> None:
    answers, asked = world(600, 0.0, 4)
    more = pl.concat([answers, answers.head(3), pl.DataFrame({"session": ["other"], "stars": [5.0]})])
    check = judge((more, asked)).checks[0]
    assert check.state == "WARN"
    assert check.evidence.startswith("3 further answers of a session and 1 of sessions not asked")


def test_sessions_of_one_visitor_count_together() -> None:
    answers, asked = world(400, 0.3, 5, response=(1.0, 1.0))
    visitors = asked.with_columns(visitor="session")
    twice = pl.concat([visitors, visitors.with_columns(session=pl.col("session") + "b")])
    answered = pl.concat([answers, answers.with_columns(session=pl.col("session") + "b")])
    one, other = judge((answers, asked)), judge((answered, twice), unit="visitor")
    assert other.figures["metrics"][0]["p"] == pytest.approx(one.figures["metrics"][0]["p"], rel=0.1)


def test_few_answers_are_not_judged() -> None:
    assert judge(world(60, 1.0, 6, response=(0.2, 0.2))).status == 2


def test_sessions_come_once() -> None:
    answers, asked = world(100)
    with pytest.raises(InputError, match="each session once"):
        judge((answers, pl.concat([asked, asked.head(1)])))
