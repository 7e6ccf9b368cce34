"""One estimate of one group: its value and what each unit adds to its error.

Every estimator here is asymptotically a mean of influence values over independent units, so that its
variance, a difference of two arms, adjustment by covariates and sequential looks are one piece of code
(Hampel, JASA 1974; the delta method is the special case of smooth functions of means).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

FloatArray = npt.NDArray[np.float64]

SKEWED = 355**-0.5  # Kohavi et al., KDD 2014, rule 7: n ≥ 355 · skewness² for a normal mean


@dataclass(frozen=True)
class Estimate:
    """A value and the influence (units,) of each unit on it: mean 0, the estimate's error is their mean."""

    value: float
    influence: FloatArray

    @property
    def units(self) -> int:
        return len(self.influence)

    @property
    def variance(self) -> float:
        """Of the value, not of a unit."""
        if self.units < 2:
            return float("nan")
        return float(self.influence @ self.influence / (self.units * (self.units - 1)))

    @property
    def error(self) -> float:
        return float(np.sqrt(self.variance))

    @property
    def known(self) -> bool:
        """Whether the data say anything of its error."""
        return self.units > 1 and bool(np.isfinite(self.error) and self.error > 0)

    @property
    def p_value(self) -> float:
        """Two-sided p of a value of 0, by Student's t; 1 where nothing varies."""
        if not self.known:
            return 1.0
        return float(2 * student.sf(abs(self.value) / self.error, self.units - 1))

    def interval(self, level: float = 0.05, df: float | None = None) -> tuple[float, float]:
        """Student-t interval of coverage 1 − level."""
        reach = float(student.isf(level / 2, df or self.units - 1)) * self.error
        return self.value - reach, self.value + reach


@dataclass(frozen=True)
class Difference:
    """b − a: value, standard error, Welch's degrees of freedom, and the relative lift b/a − 1 with its error."""

    a: Estimate
    b: Estimate

    @property
    def value(self) -> float:
        return self.b.value - self.a.value

    @property
    def units(self) -> int:
        return self.a.units + self.b.units

    @property
    def error(self) -> float:
        return float(np.sqrt(self.a.variance + self.b.variance))

    @property
    def df(self) -> float:
        """Welch, Biometrika 1947."""
        parts = ((self.a.variance, self.a.units), (self.b.variance, self.b.units))
        return sum(v for v, _ in parts) ** 2 / sum(v**2 / (n - 1) for v, n in parts)

    @property
    def known(self) -> bool:
        """Whether the data say anything of its error."""
        return bool(np.isfinite(self.error) and self.error > 0)

    @property
    def p_value(self) -> float:
        """Two-sided p of no difference; 1 where nothing varies."""
        if not self.known:
            return 1.0
        return float(2 * student.sf(abs(self.value) / self.error, self.df))

    def interval(self, level: float = 0.05) -> tuple[float, float]:
        if not self.known:
            return float("nan"), float("nan")
        reach = float(student.isf(level / 2, self.df)) * self.error
        return self.value - reach, self.value + reach

    @property
    def lift(self) -> float:
        return self.value / self.a.value if self.a.value else float("nan")

    def lift_interval(self, level: float = 0.05) -> tuple[float, float]:
        """By the delta method on the ratio of both values, which are independent."""
        if not (self.known and self.a.value):
            return float("nan"), float("nan")
        ratio = self.b.value / self.a.value
        error = np.sqrt(self.b.variance + ratio**2 * self.a.variance) / abs(self.a.value)
        reach = float(student.isf(level / 2, self.df)) * error
        return self.lift - reach, self.lift + reach

    @property
    def skewness(self) -> float:
        """Of the difference itself: 0 where it is normal (the two arms' skewness cancels if they are alike)."""
        third = sum(
            sign * float((e.influence**3).mean()) / e.units**2 for sign, e in ((1, self.b), (-1, self.a))
        )
        return third / self.error**3 if self.known else 0.0


NOTHING = Estimate(float("nan"), np.empty(0))


def mean_of(values: FloatArray) -> Estimate:
    """Mean over units."""
    value = float(values.mean())
    return Estimate(value, values - value)


def ratio_of(above: FloatArray, below: FloatArray) -> Estimate:
    """Σ above / Σ below over units (units,) each: delta method, Deng, Knoblich and Lu, KDD 2018."""
    level = float(below.mean())
    value = float(above.mean()) / level
    return Estimate(value, (above - value * below) / level)


def quantile_of(
    values: FloatArray, unit: npt.NDArray[np.int64], units: int, share: float, slope: float | None = None
) -> Estimate:
    """The quantile of rows (rows,) that belong to units 0 … units−1 (rows,).

    A unit's rows count as one (Liu et al., "Large-scale online experimentation with quantile metrics",
    ICSE-SEIP 2019). slope: see `quantile_slope`; of all arms together where arms are compared.
    """
    value = float(np.quantile(values, share))
    shares = _share_up_to(values, value, unit, units)
    slope = quantile_slope(values, unit, units, share) if slope is None else slope
    return Estimate(value, -shares.influence * slope)


def quantile_slope(values: FloatArray, unit: npt.NDArray[np.int64], units: int, share: float) -> float:
    """How fast the quantile moves with the share: 1 over the density there.

    Measured over two standard errors of the share on both sides (Woodruff, JASA 1952).
    """
    error = _share_up_to(values, float(np.quantile(values, share)), unit, units).error
    step = max(2 * error, 2 / len(values))
    ends = np.clip([share - step, share + step], 0, 1)
    low, high = np.quantile(values, ends)
    return float((high - low) / (ends[1] - ends[0]))


def _share_up_to(values: FloatArray, most: float, unit: npt.NDArray[np.int64], units: int) -> Estimate:
    under = np.bincount(unit, (values <= most).astype(np.float64), units)
    rows = np.bincount(unit, minlength=units).astype(np.float64)
    return ratio_of(under.astype(np.float64), rows)


def pooled(estimates: Sequence[Estimate]) -> FloatArray:
    """Influence of all units of several estimates, one after the other."""
    return np.concatenate([estimate.influence for estimate in estimates])
