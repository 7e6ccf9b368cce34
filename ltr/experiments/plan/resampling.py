"""Power on the shop's own past: units drawn anew, the effect laid on one arm, the test of `ab` run on both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from scipy.stats import t as student

from ltr.experiments.metrics import UnitValues

FloatArray = npt.NDArray[np.float64]

CELLS = 12_000_000  # draws in one simulation
ROUNDS = 4


@dataclass(frozen=True)
class Simulated:
    """Share of `runs` simulated tests of `units` (both arms) that saw the effect."""

    units: int
    power: float
    runs: int

    @property
    def noise(self) -> float:
        return float(np.sqrt(self.power * (1 - self.power) / self.runs))


class Past:
    """Units of the past as distinct (above, below) values with their counts; zeros cost nothing extra."""

    def __init__(self, values: UnitValues, cap: float = float("inf")) -> None:
        below = np.ones_like(values.above) if values.below is None else values.below
        self.rows, counts = np.unique(np.column_stack((values.above, below)), axis=0, return_counts=True)
        self.chances: FloatArray = counts / counts.sum()
        self.cap = cap
        self.binary = values.metric.kind == "share"

    def simulate(self, effect: float, units: int, share: float, level: float, seed: int) -> Simulated:
        """Every value of the treatment's units is multiplied by 1 + effect (a share: that many more units)."""
        rng = np.random.default_rng(seed)
        sizes = (max(2, round(units * (1 - share))), max(2, round(units * share)))
        runs = int(np.clip(CELLS // (2 * min(max(sizes), len(self.rows))), 500, 8000))
        moments = [
            self._arm(size, factor, runs, rng) for size, factor in zip(sizes, (1.0, 1 + effect), strict=True)
        ]
        (value_a, variance_a), (value_b, variance_b) = moments
        parts = np.stack((variance_a, variance_b))
        with np.errstate(divide="ignore", invalid="ignore"):  # a draw in which nothing varies sees nothing
            df = parts.sum(axis=0) ** 2 / (parts**2 / (np.array(sizes)[:, None] - 1)).sum(axis=0)
            seen = (value_b - value_a) / np.sqrt(parts.sum(axis=0)) > student.isf(level / 2, df)
        return Simulated(units, float(seen.mean()), runs)

    def _arm(
        self, size: int, factor: float, runs: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Value of the metric and its variance in each run (runs,)."""
        if self.binary:
            rate = float(self.chances[self.rows[:, 0] > 0].sum()) * factor
            hits = rng.binomial(size, min(rate, 1.0), runs) / size
            return hits, hits * (1 - hits) / (size - 1)
        above, below = np.minimum(self.rows[:, 0] * factor, self.cap), self.rows[:, 1]
        parts = np.column_stack((above, below, above**2, above * below, below**2))
        sums = self._sums(parts, size, runs, rng)
        a, b, aa, ab, bb = sums.T
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = a / b
        return ratio, np.maximum(aa - 2 * ratio * ab + ratio**2 * bb, 0) * size / (b**2) * size / (
            size * (size - 1)
        )

    def _sums(self, parts: FloatArray, size: int, runs: int, rng: np.random.Generator) -> FloatArray:
        """Sums of `size` drawn rows of `parts`, for each run."""
        found = np.empty((runs, parts.shape[1]))
        cells = min(size, len(parts))
        block = max(1, 4_000_000 // cells)
        for start in range(0, runs, block):
            count = min(block, runs - start)
            if size > len(parts):
                found[start : start + count] = rng.multinomial(size, self.chances, count) @ parts
            else:
                drawn = rng.choice(len(parts), (count, size), p=self.chances)
                found[start : start + count] = parts[drawn].sum(axis=1)
        return found


def units_by_resampling(
    past: Past, first: float, effect: float, power: float, level: float, share: float, seed: int
) -> Simulated:
    """All units such that simulated tests have the power, from the normal formula's number on."""
    wanted, edge = float(ndtri(power)), float(ndtri(1 - level / 2))
    units = first
    for attempt in range(ROUNDS):
        found = past.simulate(effect, int(np.ceil(units)), share, level, seed + attempt)
        reached = float(ndtri(np.clip(found.power, 1e-3, 1 - 1e-3)))
        if abs(found.power - power) <= 2 * found.noise:
            break
        units *= float(np.clip((edge + wanted) / max(edge + reached, 0.3), 0.25, 4.0)) ** 2
    return past.simulate(effect, int(np.ceil(units)), share, level, seed + ROUNDS)
