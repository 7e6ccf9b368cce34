"""Looking before the end without more false alarms: bounds at planned looks, or intervals valid at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import lambertw, ndtr, ndtri

from features.errors import InputError

FloatArray = npt.NDArray[np.float64]
Spending = Literal["obrien-fleming", "pocock"]

NEVER = 9.0  # standard errors: a bound beyond it is never crossed (2e-19)


def spent(fractions: FloatArray, level: float, spending: Spending = "obrien-fleming") -> FloatArray:
    """False-alarm rate spent up to each fraction of the planned units (Lan and DeMets, Biometrika 1983)."""
    if spending == "pocock":
        return level * np.log(1 + (np.e - 1) * fractions)
    return 4 * ndtr(ndtri(level / 4) / np.sqrt(fractions))


def bounds(
    fractions: Sequence[float], level: float = 0.05, spending: Spending = "obrien-fleming"
) -> FloatArray:
    """The |z| at each look beyond which the null is rejected; the last look spends what is left of `level`
    if it is at 1 or more. fractions: rising shares of the planned units at which was looked."""
    times = _checked(fractions)
    spend = np.diff(spent(np.minimum(times, 1.0), level, spending), prepend=0.0)
    walk = _Walk(times)
    found = []
    for amount in spend:
        found.append(walk.bound_for(amount))
        walk.go_on(found[-1])
    return np.array(found)


def crossing_chance(fractions: Sequence[float], limits: FloatArray, drift: float) -> float:
    """Chance that z crosses one of the upper bounds when its mean at fraction t is drift·√t."""
    walk = _Walk(_checked(fractions), drift)
    chance = 0.0
    for limit in limits:
        chance += walk.above(limit * np.sqrt(walk.time))
        walk.go_on(limit)
    return chance


def inflation(fractions: Sequence[float], limits: FloatArray, level: float, power: float) -> float:
    """How many times the units of a test with one look are needed for the same power under these bounds."""
    plain = float(ndtri(1 - level / 2) + ndtri(power))
    drift = brentq(lambda d: crossing_chance(fractions, limits, d) - power, plain / 2, plain * 3)
    return float((drift / plain) ** 2)


def _checked(fractions: Sequence[float]) -> FloatArray:
    times = np.asarray(fractions, dtype=np.float64)
    if not len(times) or not (np.diff(times, prepend=0.0) > 0).all() or not np.isfinite(times).all():
        raise InputError(
            where="looks",
            expected="rising shares of the planned units, above 0",
            got=str(list(fractions)),
            cure="write them as .25 .5 1",
        )
    return times


class _Walk:
    """Brownian motion that has not crossed yet, look by look, as a density on Gauss-Legendre nodes.

    The recursion of Armitage, McPherson and Rowe, JRSS A 1969.
    """

    def __init__(self, times: FloatArray, drift: float = 0.0) -> None:
        self._times, self._drift, self._look = times, drift, 0
        self._nodes, self._mass = np.zeros(1), np.ones(1)  # all of it at 0 before the first look

    @property
    def time(self) -> float:
        return float(self._times[self._look])

    @property
    def _step(self) -> float:
        return self.time - (float(self._times[self._look - 1]) if self._look else 0.0)

    def above(self, place: float) -> float:
        """Chance of being above `place` at this look without having crossed before."""
        return float(
            self._mass @ ndtr((self._nodes + self._drift * self._step - place) / np.sqrt(self._step))
        )

    def bound_for(self, amount: float) -> float:
        """The two-sided bound of z that spends `amount` at this look (no drift)."""
        root = np.sqrt(self.time)

        def excess(limit: float) -> float:
            return 2 * self.above(limit * root) - amount

        return float(brentq(excess, 0.0, NEVER)) if excess(NEVER) < 0 < excess(0.0) else NEVER

    def go_on(self, limit: float) -> None:
        """To the next look, without what is beyond ±limit at this one."""
        reach, step = limit * np.sqrt(self.time), np.sqrt(self._step)
        centre = self._drift * self.time
        low, high = (
            max(-reach, centre - 9 * np.sqrt(self.time)),
            min(reach, centre + 9 * np.sqrt(self.time)),
        )
        if high > low:
            points = int(np.clip(6 * (high - low) / step, 96, 3000))
            at, weight = np.polynomial.legendre.leggauss(points)
            nodes = low + (at + 1) * (high - low) / 2
            distance = (nodes[:, None] - self._nodes - self._drift * self._step) / step
            density = np.exp(-(distance**2) / 2) @ self._mass / (step * np.sqrt(2 * np.pi))
            self._nodes, self._mass = nodes, density * weight * (high - low) / 2
        else:
            self._nodes, self._mass = np.zeros(1), np.zeros(1)
        self._look = min(self._look + 1, len(self._times) - 1)


@dataclass(frozen=True)
class AnyTime:
    """An interval and p-value that hold at every look at once, whatever made one look or stop."""

    low: float
    high: float
    p_value: float


def mixture_variance(variance: float, level: float = 0.05) -> float:
    """The prior's variance τ² that makes the interval narrowest when the estimate has `variance`.

    Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 2021, section 3.5.
    """
    return variance * float(-lambertw(-(level**2) / np.e, -1).real - 1)


def any_time(value: float, error: float, tau2: float, level: float = 0.05) -> AnyTime:
    """Mixture sequential probability ratio test of a mean of 0 with a normal prior N(0, τ²).

    Johari, Koomen, Pekelis and Walsh, KDD 2017; as an interval, the asymptotic confidence sequence of
    Waudby-Smith et al., Annals of Statistics 2024. τ² must be chosen before the data are seen.
    """
    variance = error**2
    total = variance + tau2
    reach = np.sqrt(2 * variance * total / tau2 * (np.log(1 / level) + np.log(total / variance) / 2))
    log_ratio = tau2 * value**2 / (2 * variance * total) - np.log(total / variance) / 2
    return AnyTime(value - float(reach), value + float(reach), float(np.exp(-max(log_ratio, 0.0))))


def mixture_limits(fractions: FloatArray, level: float = 0.05) -> FloatArray:
    """The |z| beyond which `any_time`, tuned for fraction 1, rejects at each fraction."""
    tau2 = mixture_variance(1.0, level)
    return np.array([any_time(0.0, t**-0.5, tau2, level).high * t**0.5 for t in fractions])
