"""One comparison read under the looks that were planned: z bounds, or any-time intervals, or one look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from scipy.special import ndtr

from ltr.experiments.estimates import Difference, Estimate
from ltr.experiments.looks.sequential import Spending, any_time, bounds, mixture_variance


@dataclass(frozen=True)
class Reading:
    """An interval of a difference with the p-value that belongs to it; decided: whether 0 is outside."""

    low: float
    high: float
    p_value: float

    @property
    def decided(self) -> bool:
        return bool(self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Looks:
    """How differences are read. fractions: looks up to now; planned: units for which any-time is tuned."""

    level: float = 0.05
    fractions: Sequence[float] = ()
    spending: Spending = "obrien-fleming"
    planned: int | None = None

    @property
    def final(self) -> bool:
        """Whether nothing more is to come."""
        return self.planned is None and (not self.fractions or self.fractions[-1] >= 1)

    @cached_property
    def limit(self) -> float:
        """The |z| that must be passed at this one of the planned looks."""
        return float(bounds(self.fractions, self.level, self.spending)[-1])

    @property
    def in_words(self) -> str:
        if self.planned is not None:
            return f"always valid (mixture sequential test, tuned for {self.planned:,} units)"
        if self.fractions:
            return (
                f"look {len(self.fractions)} at {self.fractions[-1]:.0%} of the planned units, "
                f"{self.spending} spending: |z| must pass {self.limit:.2f}"
            )
        return "one look, at the end"

    @property
    def once(self) -> bool:
        """Whether it is read one time, at the end."""
        return self.planned is None and not self.fractions

    def read(self, found: Difference | Estimate) -> Reading:
        """A difference, or an estimate whose null is 0."""
        if not found.known:
            return Reading(float("nan"), float("nan"), 1.0)
        if self.planned is not None:
            tau2 = mixture_variance(found.error**2 * found.units / self.planned, self.level)
            at_any = any_time(found.value, found.error, tau2, self.level)
            return Reading(at_any.low, at_any.high, at_any.p_value)
        if self.fractions:
            reach = self.limit * found.error
            p_value = float(2 * ndtr(-abs(found.value) / found.error))
            return Reading(found.value - reach, found.value + reach, p_value)
        return Reading(*found.interval(self.level), found.p_value)
