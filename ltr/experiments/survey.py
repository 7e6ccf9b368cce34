"""Answers of a survey by arm: an ordinal test, and who did not answer.

An answer is a grade in an order (1 to 5 stars), so what is compared is the chance that a random answer of one
arm is higher than one of the other, ties counted half; no distance between grades is taken for granted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import rankdata
from scipy.stats import t as student

from features.errors import InputError
from features.sources.privacy import are_pseudonyms, load_key, pseudonyms
from ltr.experiments.ab_test.sample_ratio import REFUSE
from ltr.experiments.columns import Columns, FloatArray, IntArray
from ltr.experiments.estimates import Difference, Estimate, mean_of
from ltr.experiments.outcome import Bar, Check, Outcome, Says, State, Table, failed, refused
from ltr.experiments.served_log import sessions_of_log

TITLE = "Survey by arm"
FEW = 20  # answers of an arm
ASSUMPTIONS = (
    "Who answers does not depend on the arm and the answer together. Refuted by: response rates that differ. What "
    "those who did not answer could turn it into is shown as bounds.",
    "Answers are ordered, nothing more.",
    "Sessions were assigned at random, and answer for themselves only.",
)


class SurveySettings(BaseModel):
    """Answers (session, answer) joined to the arms of all sessions that were asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path = Field(description="the answers: CSV, Parquet or JSON lines")
    answer: str = Field(description="the column of answers, numbers in an order")
    session: str = Field(description="the column that joins both tables")
    arms: Path = Field(
        description="the table of all sessions that were asked, or the folder of ltr.serve's log: then session is the "
        "shop's own id, as the server was told"
    )
    arm: str = Field(default="arm", description="its column of arms")
    unit: str | None = Field(
        default=None, description="its column of visitors, where one has several sessions"
    )
    control: str | None = Field(
        default=None, description="the arm to compare with; default: the first by name"
    )
    level: float = Field(default=0.05, gt=0, lt=0.5, description="false alarms allowed")


@dataclass(frozen=True)
class Superiority:
    """Chance that a random answer of b is above one of a, ties half: its value and how each unit moves it."""

    chance: float
    error: float
    df: float

    def interval(self, level: float) -> tuple[float, float]:
        reach = float(student.isf(level / 2, self.df)) * self.error
        return max(0.0, self.chance - reach), min(1.0, self.chance + reach)

    @property
    def p_value(self) -> float:
        """Of .5."""
        if not self.error > 0:
            return 1.0 if self.chance == 0.5 else 0.0
        return float(2 * student.sf(abs(self.chance - 0.5) / self.error, self.df))


def superiority(a: FloatArray, b: FloatArray, unit_a: IntArray, unit_b: IntArray) -> Superiority:
    """Brunner and Munzel, Biometrical Journal 2000; answers of one unit (numbers from 0) count together.

    Where a unit has several answers, error and freedom are those of `_left_out`: with 20 units a side the plain ones
    give 6.4 % false alarms for 5 %.
    """
    both = rankdata(np.concatenate((a, b)))
    in_a = (both[: len(a)] - rankdata(a)) / len(b)  # share of b below each of a
    in_b = (both[len(a) :] - rankdata(b)) / len(a)
    chance = float(in_b.mean())
    if int(unit_a.max()) + 1 < len(a) or int(unit_b.max()) + 1 < len(b):
        (variance_a, df_a), (variance_b, df_b) = _left_out(in_a, unit_a), _left_out(in_b, unit_b)
        return Superiority(chance, float(np.sqrt(variance_a + variance_b)), min(df_a, df_b))
    spread = Difference(mean_of(in_a), mean_of(in_b))
    return Superiority(chance, spread.error, spread.df if spread.known else float(len(a) + len(b) - 2))


def _left_out(placements: FloatArray, unit: IntArray) -> tuple[float, float]:
    """Variance of their mean as each unit is left out (jackknife; Bell and McCaffrey, Survey Methodology 2002, on
    units of different size), and its degrees of freedom: how many units of one size are worth as much, less 1."""
    answers = np.bincount(unit).astype(np.float64)
    share, units = answers / len(unit), len(answers)
    if units < 2:
        return float("inf"), 1.0
    moved = np.bincount(unit, placements - placements.mean(), units) / len(unit) / (1 - share)
    return float(moved @ moved) * (units - 1) / units, max(1.0, 1 / float(share @ share) - 1)


def bounds_of(
    a: FloatArray, b: FloatArray, silent_a: int, silent_b: int, grades: FloatArray
) -> tuple[float, float]:
    """The chance if all who were silent answered against b, and if all answered for it (Manski, 1989)."""
    low, high = float(grades.min()), float(grades.max())
    ends = []
    for at_a, at_b in ((high, low), (low, high)):
        full_a, full_b = np.append(a, np.full(silent_a, at_a)), np.append(b, np.full(silent_b, at_b))
        ranks = rankdata(np.concatenate((full_a, full_b)))[len(full_a) :] - rankdata(full_b)
        ends.append(float(ranks.mean() / len(full_a)))
    return ends[0], ends[1]


def judge_survey(
    settings: SurveySettings, answers: Columns | None = None, asked: Columns | None = None
) -> Outcome:
    """Every arm against the control, on the sessions that answered; the silent ones are counted and bounded."""
    answers = answers or Columns.read(settings.data)
    if asked is None and settings.arms.is_dir():
        settings, answers, asked = _of_served_log(settings, answers)
    joined, checks = _join(settings, answers, asked or Columns.read(settings.arms))
    arms = _arms(settings, joined)
    control, others = arms[0], arms[1:]
    checks += _responses(joined, control, others)
    tables = [_answer_table(joined, arms)]
    if failed(checks):
        return refused("survey", TITLE, checks, assumptions=ASSUMPTIONS, tables=tables)
    level = settings.level / len(others)
    found = {arm: _compared(joined, control, arm) for arm in others}
    tables.insert(0, _chance_table(joined, control, found, level))
    says, verdict = _verdict(control, found, level)
    axis = f"chance to be above {control}, less ½"
    bars = [Bar(arm, f.chance - 0.5, *(end - 0.5 for end in f.interval(level))) for arm, f in found.items()]
    figures = {
        "units": dict(joined["arm"].value_counts().iter_rows()),
        "metrics": [_figures(settings.answer, arm, f, level) for arm, f in found.items()],
    }
    return Outcome("survey", TITLE, says, verdict, checks, ASSUMPTIONS, tables, figures, bars, axis)


def _of_served_log(settings: SurveySettings, answers: Columns) -> tuple[SurveySettings, Columns, Columns]:
    """Sessions and arms of a server's log, and the answers' sessions by their pseudonyms, as the log has them."""
    name = settings.session
    raw = answers.names(name)
    made = pseudonyms(raw.set(are_pseudonyms(raw), None), load_key())
    answers = Columns(
        answers.frame.with_columns(pl.coalesce(made, raw.cast(pl.String)).alias(name)), answers.where
    )
    asked = sessions_of_log(settings.arms).rename({"session": name, "arm": settings.arm})
    unit = {"unit": settings.unit or "person"}
    return settings.model_copy(update=unit), answers, Columns(asked, settings.arms)


def _arms(settings: SurveySettings, joined: pl.DataFrame) -> list[str]:
    """The control first; InputError for one arm only, and for a control that is none."""
    arms: list[str] = joined["arm"].unique().sort().to_list()
    if len(arms) < 2:
        raise InputError(
            where=settings.arms, expected="two arms or more", got=str(arms[0]), cure="name the column of arms"
        )
    control = settings.control or arms[0]
    if control not in arms:
        raise InputError(
            where="--control", expected=f"one of {', '.join(arms)}", got=control, cure="name an arm"
        )
    return [control, *(arm for arm in arms if arm != control)]


def _figures(answer: str, arm: str, found: Superiority, level: float) -> dict[str, Any]:
    low, high = found.interval(level)
    return {
        "metric": answer,
        "arm": arm,
        "chance": found.chance,
        "low": low,
        "high": high,
        "p": found.p_value,
    }


def _join(settings: SurveySettings, answers: Columns, asked: Columns) -> tuple[pl.DataFrame, list[Check]]:
    """session, arm, unit, answer (null: none) of every session asked; what does not join is counted."""
    sessions = pl.DataFrame({"session": asked.names(settings.session), "arm": asked.names(settings.arm)})
    unit = asked.names(settings.unit) if settings.unit else sessions["session"]
    sessions = sessions.with_columns(unit=unit)
    if sessions["session"].is_duplicated().any():
        raise InputError(
            where=f"{asked.where}, column {settings.session!r}",
            expected="each session once",
            got=f"{int(sessions['session'].is_duplicated().sum()):,} rows of sessions that come again",
            cure="give one row a session",
        )
    given = pl.DataFrame(
        {"session": answers.names(settings.session), "answer": answers.numbers(settings.answer)}
    )
    given = given.with_columns(pl.col("answer").fill_nan(None))
    once = given.drop_nulls("answer").unique("session", keep="first", maintain_order=True)
    unknown = once.join(sessions, on="session", how="anti").height
    again = given["answer"].count() - once.height
    evidence = f"{again:,} further answers of a session and {unknown:,} of sessions not asked are left out"
    state: State = "WARN" if again or unknown else "PASS"
    return sessions.join(once, on="session", how="left", maintain_order="left"), [
        Check("answers", state, evidence)
    ]


def _responses(joined: pl.DataFrame, control: str, others: Sequence[str]) -> list[Check]:
    """Response rates, and whether they differ between the arms; units rather than sessions are independent."""
    checks = []
    base = _answered(joined, control)
    for arm in others:
        other = _answered(joined, arm)
        p_value = Difference(base, other).p_value
        uneven = p_value < REFUSE
        evidence = f"{control} {base.value:.1%}, {arm} {other.value:.1%}, p = {p_value:.2g}" + (
            ": who answers depends on the arm, so the answers cannot be compared" if uneven else ""
        )
        state: State = "FAIL" if uneven else "WARN" if min(base.value, other.value) < 0.1 else "PASS"
        checks.append(Check(f"response, {arm}", state, evidence))
    counts = dict(joined.group_by("arm").agg(pl.col("answer").count()).iter_rows())
    fewest = min(counts.values())
    if fewest < FEW:
        checks.append(Check("answers of an arm", "FAIL", f"only {fewest:,}; {FEW} are needed"))
    return checks


def _answered(joined: pl.DataFrame, arm: str) -> Estimate:
    part = joined.filter(pl.col("arm") == arm)
    found, unit = mean_of(part["answer"].is_not_null().to_numpy().astype(np.float64)), _codes(part["unit"])
    units = int(unit.max()) + 1
    return Estimate(found.value, np.bincount(unit, found.influence, units) * units / len(unit))


def _codes(names: pl.Series) -> IntArray:
    return np.unique(names.to_numpy(), return_inverse=True)[1].astype(np.int64)


def _values(joined: pl.DataFrame, arm: str) -> tuple[FloatArray, IntArray, int]:
    """Answers, their units, and how many were silent."""
    part = joined.filter(pl.col("arm") == arm)
    answered = part.drop_nulls("answer")
    return (
        answered["answer"].to_numpy().astype(np.float64),
        _codes(answered["unit"]),
        part.height - answered.height,
    )


def _compared(joined: pl.DataFrame, control: str, arm: str) -> Superiority:
    (a, unit_a, _), (b, unit_b, _) = _values(joined, control), _values(joined, arm)
    return superiority(a, b, unit_a, unit_b)


def _answer_table(joined: pl.DataFrame, arms: Sequence[str]) -> Table:
    grades = joined["answer"].drop_nulls().unique().sort().to_list()
    shown = grades if len(grades) <= 11 else []
    rows = []
    for arm in arms:
        values, _, silent = _values(joined, arm)
        shares = [f"{float((values == grade).mean()):.1%}" if len(values) else None for grade in shown]
        median = float(np.median(values)) if len(values) else None
        rows.append(
            [
                arm,
                len(values) + silent,
                len(values),
                f"{len(values) / (len(values) + silent):.1%}",
                median,
                *shares,
            ]
        )
    return Table(
        "Answers", ["arm", "asked", "answered", "response", "median", *(f"{g:g}" for g in shown)], rows
    )


def _chance_table(joined: pl.DataFrame, control: str, found: dict[str, Superiority], level: float) -> Table:
    grades = joined["answer"].drop_nulls().to_numpy()
    a, _, silent_a = _values(joined, control)
    rows = []
    for arm, f in found.items():
        b, _, silent_b = _values(joined, arm)
        worst, best = bounds_of(a, b, silent_a, silent_b, grades)
        low, high = f.interval(level)
        rows.append(
            [arm, f.chance, f"{low:.3f} to {high:.3f}", round(f.p_value, 4), f"{worst:.3f} to {best:.3f}"]
        )
    return Table(
        f"Chance that an answer is above one of {control}, ties half",
        ["arm", "chance", "interval", "p", "if the silent had answered"],
        rows,
        ".5 is no difference. The last column is how far those who did not answer could move it, at worst and at best.",
    )


def _verdict(control: str, found: dict[str, Superiority], level: float) -> tuple[Says, str]:
    parts = "; ".join(
        "{}: chance {:.3f} ({:.3f} to {:.3f}, p = {:.2g})".format(
            arm, f.chance, *f.interval(level), f.p_value
        )
        for arm, f in found.items()
    )
    better = [arm for arm, f in found.items() if f.p_value < level and f.chance > 0.5]
    if better:
        return "yes", f"Answers are better in {', '.join(better)} than in {control}. {parts}."
    worse = [arm for arm, f in found.items() if f.p_value < level and f.chance < 0.5]
    if worse:
        return "no", f"Answers are worse in {', '.join(worse)} than in {control}. {parts}."
    return "no", f"No difference of answers seen against {control}. {parts}."
