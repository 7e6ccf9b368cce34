"""Which ranker do shoppers like better in lists that mix them? Balance first, then credit, segments, a verdict."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from ltr.evaluation.significance import holm
from ltr.experiments.columns import Columns, FloatArray, IntArray
from ltr.experiments.estimates import Estimate, mean_of, ratio_of
from ltr.experiments.interleaving.settings import InterleaveSettings
from ltr.experiments.interleaving.shown_lists import ShownLists, read_shown
from ltr.experiments.outcome import Bar, Check, Outcome, Says, State, Table, failed, refused

TITLE = "Interleaving"
FEW = 10  # lists won or lost: fewer, and nothing can be said
UNBALANCED = 0.001
ASSUMPTIONS = (
    "Clicks at random prefer no ranker: the draft gives each the same chances at every place. Refuted by: the balance "
    "of credits that were on offer, clicked or not.",
    "A shopper does not notice that lists are mixed, and clicks an item for itself, not for its neighbours.",
    "Lists of one unit may depend on each other, units do not.",
    "It tells which ranker is preferred, not by how much CTR or GMV would rise: that takes an A/B test.",
)


@dataclass(frozen=True)
class Preference:
    """Credit of ranker b less a per list, over units; lists that each won."""

    a: str
    b: str
    estimate: Estimate
    wins_a: int
    wins_b: int
    lists: int

    @property
    def p_value(self) -> float:
        return against_zero(self.estimate) if self.judged else 1.0

    @property
    def judged(self) -> bool:
        return self.wins_a + self.wins_b >= FEW and self.estimate.units > 2

    def says(self, p: float, level: float) -> str:
        if not self.judged:
            return f"not judged: {self.wins_a + self.wins_b} lists with a preference, {FEW} are needed"
        return (
            "no preference seen"
            if p >= level
            else f"{self.b if self.estimate.value > 0 else self.a} preferred"
        )


def against_zero(estimate: Estimate) -> float:
    """Two-sided p of a value of 0, by Student's t."""
    if not estimate.error > 0:
        return 1.0
    return float(2 * student.sf(abs(estimate.value) / estimate.error, estimate.units - 1))


def preference(a: str, b: str, gained: FloatArray, unit: IntArray) -> Preference:
    """gained (lists,): credit of b less that of a; unit (lists,)."""
    units = int(unit.max()) + 1 if len(unit) else 0
    lists = np.bincount(unit, minlength=units).astype(np.float64)
    present = lists > 0
    sums = np.bincount(unit, gained, units)[present].astype(np.float64)
    estimate = ratio_of(sums, lists[present]) if present.any() else Estimate(0.0, np.zeros(0))
    sign = np.sign(np.where(np.abs(gained) < 1e-12, 0.0, gained))
    return Preference(a, b, estimate, int((sign < 0).sum()), int((sign > 0).sum()), len(gained))


def analyse_interleaving(settings: InterleaveSettings, table: Columns | None = None) -> Outcome:
    """yes: the second ranker named is preferred to the first; no: it is not; with more, every pair is told."""
    table = table or Columns.read(settings.data)
    shown = read_shown(settings, table)
    checks = balance(shown)
    if failed(checks):
        return refused("interleave", TITLE, checks, assumptions=ASSUMPTIONS, figures={"units": _units(shown)})
    couples = list(itertools.combinations(range(len(shown.rankers)), 2))
    by_act = {act: _pairs(shown, shown.earned(act), couples) for act in shown.acts}
    main = by_act[settings.credit]
    corrected = holm([found.p_value for found in main])
    others = [found for act, founds in by_act.items() if act != settings.credit for found in founds]
    other_p = holm([found.p_value for found in others])
    segments = [
        (c, name, found) for c in settings.segment for name, found in _by_segment(settings, shown, c, couples)
    ]
    segment_p = holm([found.p_value for *_, found in segments])
    tables = [_table(settings, by_act, corrected, other_p)]
    if segments:
        tables.append(_segment_table(settings, segments, segment_p))
    figures: dict[str, Any] = {
        "units": _units(shown),
        "lists": len(shown.starts),
        "metrics": [
            {"metric": settings.credit, **_figures(f), "p_holm": p}
            for f, p in zip(main, corrected, strict=True)
        ],
        "others": [_figures(f) | {"p_holm": p} for f, p in zip(others, other_p, strict=True)],
        "segments": [
            {"column": c, "segment": name, **_figures(f), "p_holm": p}
            for (c, name, f), p in zip(segments, segment_p, strict=True)
        ],
    }
    if not any(found.judged for found in main):
        check = Check("preferences", "FAIL", main[0].says(1.0, settings.level))
        return refused(
            "interleave", TITLE, [*checks, check], assumptions=ASSUMPTIONS, tables=tables, figures=figures
        )
    says, verdict = _verdict(settings, main, corrected)
    bars = [
        Bar(f"{f.b} over {f.a}", f.estimate.value, *f.estimate.interval(settings.level))
        for f in main
        if f.judged
    ]
    return Outcome(
        "interleave",
        TITLE,
        says,
        verdict,
        checks,
        ASSUMPTIONS,
        tables,
        figures,
        bars,
        f"credit by {settings.credit} per list",
    )


def _units(shown: ShownLists) -> dict[str, int]:
    return {"all": int(shown.unit.max()) + 1}


def _pairs(shown: ShownLists, earned: FloatArray, couples: Sequence[tuple[int, int]]) -> list[Preference]:
    return [
        preference(shown.rankers[a], shown.rankers[b], earned[:, b] - earned[:, a], shown.unit)
        for a, b in couples
    ]


def _by_segment(
    settings: InterleaveSettings, shown: ShownLists, column: str, couples: Sequence[tuple[int, int]]
) -> list[tuple[str, Preference]]:
    earned, segment = shown.earned(settings.credit), shown.segment(column).to_numpy()
    return [
        (
            str(name),
            preference(
                shown.rankers[a],
                shown.rankers[b],
                (earned[:, b] - earned[:, a])[segment == name],
                shown.unit[segment == name],
            ),
        )
        for name in sorted(set(segment.tolist()))
        for a, b in couples
    ]


def balance(shown: ShownLists) -> list[Check]:
    """The credit on offer at each place, clicked or not, must be even between rankers."""
    worst, told = 1.0, "no place offers credit"
    tests = 0
    for a, b in itertools.combinations(range(len(shown.rankers)), 2):
        offered = shown.credit[:, b] - shown.credit[:, a]
        for place in range(int(shown.place.max()) + 1):
            here = offered[shown.place == place]
            if len(here) < 2 or not here.std() > 0:
                continue
            tests += 1
            p_value = against_zero(mean_of(here))
            if p_value <= worst:
                worst = p_value
                told = f"place {place + 1} offers {shown.rankers[b]} {here.mean():+.3f} more than {shown.rankers[a]}"
    worst = min(1.0, worst * max(tests, 1))
    state: State = "FAIL" if worst < UNBALANCED else "PASS"
    meaning = "the lists were not drawn as the method says" if state == "FAIL" else "chance"
    return [Check("balance", state, f"at most, {told} (p = {worst:.2g} over {tests} places): {meaning}")]


def _verdict(
    settings: InterleaveSettings, main: Sequence[Preference], corrected: Sequence[float]
) -> tuple[Says, str]:
    told = [f"{_sentence(f, settings.level)}" for f in main]
    if len(main) > 1:
        seen = [
            f"{f.says(p, settings.level)} ({f.a}, {f.b})"
            for f, p in zip(main, corrected, strict=True)
            if f.judged and p < settings.level
        ]
        return ("yes" if seen else "no"), (
            f"By {settings.credit}: " + ("; ".join(seen) or "no preference seen") + "."
        )
    found, p = main[0], corrected[0]
    says: Says = "yes" if p < settings.level and found.estimate.value > 0 else "no"
    return says, f"{found.says(p, settings.level)} by {settings.credit}: {told[0]}."


def _sentence(f: Preference, level: float) -> str:
    low, high = f.estimate.interval(level)
    decided = f.wins_a + f.wins_b
    return (
        f"{f.b} wins {f.wins_b:,} of {decided:,} lists with a preference; credit per list "
        f"{f.estimate.value:+.4g} ({low:+.4g} to {high:+.4g}, p = {f.p_value:.2g})"
    )


def _table(
    settings: InterleaveSettings,
    by_act: dict[str, list[Preference]],
    corrected: Sequence[float],
    other_p: Sequence[float],
) -> Table:
    main = list(zip([settings.credit] * len(corrected), by_act[settings.credit], corrected, strict=True))
    rest = [(act, found) for act, founds in by_act.items() if act != settings.credit for found in founds]
    lines = [*main, *((act, found, p) for (act, found), p in zip(rest, other_p, strict=True))]
    rows = [[act, *_row(found, p, settings.level)] for act, found, p in lines]
    return Table(
        "Preferences",
        [
            "credit by",
            "pair",
            "lists",
            "first wins",
            "second wins",
            "ties",
            "credit per list",
            "interval",
            "p (Holm)",
            "",
        ],
        rows,
        f"{settings.credit} decides. Credit of the second ranker less the first's; places that all rankers share "
        "at the top carry none.",
    )


def _row(f: Preference, p: float, level: float) -> list[object]:
    ties = f.lists - f.wins_a - f.wins_b
    interval = "{:.4g} to {:.4g}".format(*f.estimate.interval(level)) if f.judged else "–"
    return [
        f"{f.a}, {f.b}",
        f.lists,
        f.wins_a,
        f.wins_b,
        ties,
        f.estimate.value,
        interval,
        round(p, 4),
        f.says(p, level),
    ]


def _segment_table(
    settings: InterleaveSettings, segments: Sequence[tuple[str, str, Preference]], p_holm: Sequence[float]
) -> Table:
    rows = [
        [f"{column}: {name}", *_row(found, p, settings.level)]
        for (column, name, found), p in zip(segments, p_holm, strict=True)
    ]
    return Table(
        f"By segment, credit by {settings.credit}",
        [
            "segment",
            "pair",
            "lists",
            "first wins",
            "second wins",
            "ties",
            "credit per list",
            "interval",
            "p (Holm)",
            "",
        ],
        rows,
        "Explored, not decided: p is Holm's over all segments.",
    )


def _figures(f: Preference) -> dict[str, Any]:
    low, high = f.estimate.interval() if f.judged else (float("nan"), float("nan"))
    return {
        "first": f.a,
        "second": f.b,
        "credit": f.estimate.value,
        "low": low,
        "high": high,
        "p": f.p_value,
        "first_wins": f.wins_a,
        "second_wins": f.wins_b,
        "lists": f.lists,
    }
