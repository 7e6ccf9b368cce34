"""One metric of one arm against the control: raw, capped, adjusted, with the check of what it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ltr.experiments.ab_test.cuped import Adjusted, adjust
from ltr.experiments.columns import FloatArray
from ltr.experiments.estimates import NOTHING, SKEWED, Difference
from ltr.experiments.looks import Looks, Reading
from ltr.experiments.metrics import Metric, UnitValues
from ltr.experiments.outcome import Check

FEW = 10  # units with something other than 0 in an arm: fewer, and no normal interval can be trusted


@dataclass(frozen=True)
class Compared:
    """A metric between the control and an arm; `reading` is of the version that decides (`version`)."""

    metric: Metric
    arm: str
    version: str
    difference: Difference
    reading: Reading
    raw: Difference
    capped: Difference | None
    adjusted: Adjusted | None
    check: Check

    @property
    def better(self) -> bool:
        return self.reading.decided and self.difference.value * self.metric.sign > 0

    @property
    def worse(self) -> bool:
        return self.reading.decided and self.difference.value * self.metric.sign < 0

    @property
    def says(self) -> str:
        if self.check.state == "FAIL":
            return "not judged"
        return "better" if self.better else "worse" if self.worse else "no difference seen"

    def within(self, margin: float) -> bool:
        """Whether a loss beyond this share of the control's value is ruled out."""
        bound = self.reading.low if self.metric.sign > 0 else -self.reading.high
        return bool(bound > -margin * abs(self.difference.a.value))


@dataclass(frozen=True)
class How:
    """What is the same for all comparisons of a test."""

    looks: Looks
    cap: float
    decide_by: str


def compare_arms(
    values: UnitValues,
    arm: npt.NDArray[np.int64],
    names: Mapping[int, str],
    before: FloatArray | None,
    how: How,
) -> Compared:
    """Arm `max(names)` against the control 0: `arm` (units,) of all units, `names` of these two."""
    other = max(names)
    sides = [values.of(arm[values.units] == place) for place in (0, other)]
    slope = values.of((arm[values.units] == 0) | (arm[values.units] == other)).slope()
    raw = _difference(sides[0], sides[1], slope)
    metric = values.metric
    if raw is None:
        nothing = Difference(NOTHING, NOTHING)
        check = Check(metric.name, "FAIL", f"{names[other]}: an arm has fewer than two units with a value")
        return Compared(
            metric, names[other], "raw", nothing, how.looks.read(nothing), nothing, None, None, check
        )
    capped = None
    if metric.kind == "mean":
        most = float(np.quantile(np.concatenate([side.above for side in sides]), how.cap))
        capped = _difference(sides[0].capped(most), sides[1].capped(most))
    use_capped = how.decide_by == "capped" and capped is not None
    chosen, version = (capped, "capped") if use_capped and capped else (raw, "raw")
    adjusted = adjust(chosen, [before[side.units] for side in sides]) if before is not None else None
    final = adjusted.difference if adjusted else chosen
    version += ", CUPED" if adjusted else ""
    check = _sound(metric, names[other], sides, final)
    return Compared(metric, names[other], version, final, how.looks.read(final), raw, capped, adjusted, check)


def _difference(a: UnitValues, b: UnitValues, slope: float | None = None) -> Difference | None:
    first, second = a.estimate(slope), b.estimate(slope)
    return Difference(first, second) if first and second else None


def _sound(metric: Metric, arm: str, sides: list[UnitValues], found: Difference) -> Check:
    """Is the difference normal enough for its interval?"""
    name = f"{metric.name}, {arm}"
    fewest = min(side.not_zero for side in sides)
    if not found.known:
        return Check(name, "FAIL", "nothing varies: no error can be estimated")
    if fewest < FEW:
        return Check(
            name, "FAIL", f"only {fewest} units of an arm have something other than 0; {FEW} are needed"
        )
    skewed = f"skewness of the difference {found.skewness:+.3f}"
    if abs(found.skewness) > SKEWED:
        heavy = f"{skewed}, beyond ±{SKEWED:.3f}: heavy tail, read the capped line too"
        return Check(name, "WARN", heavy)
    return Check(name, "PASS", f"{skewed}: normal enough")
