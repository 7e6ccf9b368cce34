"""One comparison read under the looks that were planned: z bounds, or any-time intervals, or one look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import ndtr

from ltr.experiments.ab_test.sequential import Spending, any_time, bounds, mixture_variance
from ltr.experiments.estimates import Difference


@dataclass(frozen=True)
class Reading:
    """An interval of b − a with the p-value that belongs to it; decided: whether 0 is outside."""

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

    @property
    def in_words(self) -> str:
        if self.planned is not None:
            return f"always valid (mixture sequential test, tuned for {self.planned:,} units)"
        if self.fractions:
            limit = bounds(self.fractions, self.level, self.spending)[-1]
            return (
                f"look {len(self.fractions)} at {self.fractions[-1]:.0%} of the planned units, "
                f"{self.spending} spending: |z| must pass {limit:.2f}"
            )
        return "one look, at the end"

    def read(self, difference: Difference) -> Reading:
        if not difference.known:
            return Reading(float("nan"), float("nan"), 1.0)
        if self.planned is not None:
            units = difference.a.units + difference.b.units
            tau2 = mixture_variance(difference.error**2 * units / self.planned, self.level)
            found = any_time(difference.value, difference.error, tau2, self.level)
            return Reading(found.low, found.high, found.p_value)
        if self.fractions:
            limit = float(bounds(self.fractions, self.level, self.spending)[-1])
            reach = limit * difference.error
            p_value = float(2 * ndtr(-abs(difference.value) / difference.error))
            return Reading(difference.value - reach, difference.value + reach, p_value)
        return Reading(*difference.interval(self.level), difference.p_value)
