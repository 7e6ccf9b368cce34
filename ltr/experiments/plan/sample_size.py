"""How many units a two-sided test needs, and what so many units can see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from ltr.experiments.looks.sequential import (
    Spending,
    bounds,
    inflation,
    mixture_limits,
)


@dataclass(frozen=True)
class Spread:
    """A metric's value in the control, and the variance of a unit's influence in each arm under the effect."""

    value: float
    control: float
    treatment: float

    def per_unit(self, share: float) -> float:
        """Variance of the difference times all units."""
        return self.control / (1 - share) + self.treatment / share


def share_spread(rate: float, effect: float) -> Spread:
    """Of a share of units that rises to rate·(1 + effect)."""
    risen = rate * (1 + effect)
    return Spread(rate, rate * (1 - rate), risen * (1 - risen))


def scaled_spread(value: float, variance: float, effect: float) -> Spread:
    """Of a mean, ratio or quantile whose units' values are all multiplied by 1 + effect."""
    return Spread(value, variance, variance * (1 + effect) ** 2)


def units_for(spread: Spread, effect: float, level: float, power: float, share: float = 0.5) -> float:
    """All units, both arms: (z₁₋ₗ/₂ + z_power)² · (σ₀²/(1−s) + σ₁²/s) / δ² (Fleiss, Levin and Paik, 2003, ch. 4)."""
    z = float(ndtri(1 - level / 2) + ndtri(power))
    return (z / (effect * spread.value)) ** 2 * spread.per_unit(share)


def effect_seen(spread: Spread, units: float, level: float, power: float, share: float = 0.5) -> float:
    """The relative effect that so many units see with this power."""
    z = float(ndtri(1 - level / 2) + ndtri(power))
    return z * float(np.sqrt(spread.per_unit(share) / units)) / abs(spread.value)


def power_of(spread: Spread, effect: float, units: float, level: float, share: float = 0.5) -> float:
    """Chance that the test says so, in the effect's direction or the other."""
    shift = effect * abs(spread.value) / float(np.sqrt(spread.per_unit(share) / units))
    edge = float(ndtri(1 - level / 2))
    return float(ndtr(shift - edge) + ndtr(-shift - edge))


def price_of_looking(
    looks: int, level: float, power: float, spending: Spending, *, always_valid: bool = False
) -> float:
    """How many times the units of one look are needed."""
    if always_valid:
        fractions = np.arange(1, 26) / 25
        return inflation(fractions.tolist(), mixture_limits(fractions, level), level, power)
    fractions = np.arange(1, looks + 1) / looks
    return inflation(fractions.tolist(), bounds(fractions.tolist(), level, spending), level, power)
