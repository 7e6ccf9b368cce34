"""One ranker against another in lists that mixed them: credit per list, its error over units, lists won."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ltr.evaluation.significance import holm
from ltr.experiments.columns import FloatArray, IntArray
from ltr.experiments.estimates import Estimate, ratio_of
from ltr.experiments.interleaving.settings import InterleaveSettings
from ltr.experiments.interleaving.shown_lists import ShownLists
from ltr.experiments.looks import Looks, Reading

FEW = 10  # lists won or lost: fewer, and nothing can be said


@dataclass(frozen=True)
class Preference:
    """Credit of ranker b less a per list, over units; lists that each won; `of`: what earned credit, or the segment.

    p: corrected for the others of its table. decided: whether a preference is beyond noise.
    """

    of: str
    a: str
    b: str
    estimate: Estimate
    wins_a: int
    wins_b: int
    lists: int
    reading: Reading
    p: float = 1.0
    decided: bool = False

    @property
    def judged(self) -> bool:
        return self.wins_a + self.wins_b >= FEW and self.estimate.units > 2

    @property
    def says(self) -> str:
        if not self.judged:
            return f"not judged: {self.wins_a + self.wins_b} lists with a preference, {FEW} are needed"
        if not self.decided:
            return "no preference seen"
        return f"{self.b if self.estimate.value > 0 else self.a} preferred"

    @property
    def in_words(self) -> str:
        return (
            f"{self.b} wins {self.wins_b:,} of {self.wins_a + self.wins_b:,} lists with a preference; credit per "
            f"list {self.estimate.value:+.4g} ({self.reading.low:+.4g} to {self.reading.high:+.4g}, "
            f"p = {self.reading.p_value:.2g})"
        )

    @property
    def figures(self) -> dict[str, Any]:
        low, high = (self.reading.low, self.reading.high) if self.judged else (float("nan"), float("nan"))
        return {
            "first": self.a,
            "second": self.b,
            "credit": self.estimate.value,
            "low": low,
            "high": high,
            "p": self.reading.p_value if self.judged else 1.0,
            "first_wins": self.wins_a,
            "second_wins": self.wins_b,
            "lists": self.lists,
            "p_holm": self.p,
        }


def preference(
    of: str, a: str, b: str, gained: FloatArray, unit: IntArray, looks: Looks | None = None
) -> Preference:
    """gained (lists,): credit of b less that of a; unit (lists,). looks: without, one look."""
    units = int(unit.max()) + 1 if len(unit) else 0
    lists = np.bincount(unit, minlength=units).astype(np.float64)
    present = lists > 0
    sums = np.bincount(unit, gained, units)[present].astype(np.float64)
    estimate = ratio_of(sums, lists[present]) if present.any() else Estimate(0.0, np.zeros(0))
    sign = np.sign(np.where(np.abs(gained) < 1e-12, 0.0, gained))
    wins = int((sign < 0).sum()), int((sign > 0).sum())
    looks = looks or Looks()
    reading = looks.read(estimate) if estimate.known else _unanimous(estimate, looks.level)
    return Preference(of, a, b, estimate, *wins, len(gained), reading)


def _unanimous(estimate: Estimate, level: float) -> Reading:
    """Where every unit says the same there is no spread to measure: the sign test's chance of that, 2 · ½ⁿ."""
    if not estimate.value:
        return Reading(0.0, 0.0, 1.0)
    p_value = 2.0 ** (1 - estimate.units)
    ends = (estimate.value, estimate.value if p_value < level else 0.0)
    return Reading(min(ends), max(ends), p_value)


def preferences(settings: InterleaveSettings, shown: ShownLists, act: str, looks: Looks) -> list[Preference]:
    """Every pair of rankers, credit by this act, read under these looks."""
    earned = shown.earned(act)
    found = [
        preference(act, shown.rankers[a], shown.rankers[b], earned[:, b] - earned[:, a], shown.unit, looks)
        for a, b in couples(shown)
    ]
    return corrected(found, settings.level, looks)


def segment_preferences(settings: InterleaveSettings, shown: ShownLists) -> list[tuple[str, str, Preference]]:
    """Column, segment, and every pair of rankers in it; explored at one look, so corrected for all of them."""
    earned = shown.earned(settings.credit)
    where, found = [], []
    for column in settings.segment:
        segment = shown.segment(column).to_numpy()
        for name, (a, b) in itertools.product(sorted(set(segment.tolist())), couples(shown)):
            here = segment == name
            gained = (earned[:, b] - earned[:, a])[here]
            where.append((column, str(name)))
            found.append(
                preference(f"{column}: {name}", shown.rankers[a], shown.rankers[b], gained, shown.unit[here])
            )
    return [(*place, one) for place, one in zip(where, corrected(found, settings.level), strict=True)]


def corrected(found: Sequence[Preference], level: float, looks: Looks | None = None) -> list[Preference]:
    """With Holm's p over all of them; at more looks than one, what the bounds say decides."""
    p_holm = holm([one.reading.p_value if one.judged else 1.0 for one in found])
    at_once = looks is None or looks.once
    return [
        replace(one, p=p, decided=one.judged and (p < level if at_once else one.reading.decided))
        for one, p in zip(found, p_holm, strict=True)
    ]


def couples(shown: ShownLists) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(len(shown.rankers)), 2))
