"""A/A: the test's own units split at random, many times, must cry wolf as often as it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from ltr.experiments.estimates import Difference
from ltr.experiments.metrics import UnitValues
from ltr.experiments.outcome import Check

FloatArray = npt.NDArray[np.float64]
CELLS = 20_000_000  # (runs × units) held at once


@dataclass(frozen=True)
class Alarms:
    """Share of `runs` A/A tests that were significant at `level`."""

    runs: int
    level: float
    share: float

    @property
    def check(self) -> Check:
        """Three standard errors of the runs' own noise are allowed."""
        noise = 3 * float(np.sqrt(self.level * (1 - self.level) / self.runs))
        allowed = f"allowed {self.level:.0%} ± {noise:.1%}"
        evidence = f"{self.share:.1%} false alarms in {self.runs:,} random splits ({allowed})"
        if self.share < self.level - noise:
            evidence += ": too careful, as with heavy tails; the capped metric sees more"
        return Check("A/A", "WARN" if self.share > self.level + noise else "PASS", evidence)


def false_alarms(
    values: UnitValues, runs: int, level: float = 0.05, seed: int = 0, share: float = 0.5
) -> Alarms:
    """Split the units at random (each with chance `share` into b), test, and count: same formulas as the test's."""
    rng = np.random.default_rng(seed)
    with np.errstate(divide="ignore", invalid="ignore"):  # a split that leaves a side empty has no p-value
        p_values = (_fast if values.row_unit is None else _slow)(values, runs, share, rng)
    return Alarms(runs, level, float((p_values < level).mean()))


def _slow(values: UnitValues, runs: int, share: float, rng: np.random.Generator) -> FloatArray:
    found, slope = [], values.slope()
    for _ in range(runs):
        chosen = rng.random(len(values.units)) < share
        a, b = (values.of(side).estimate(slope) for side in (~chosen, chosen))
        found.append(Difference(a, b).p_value if a and b else 1.0)
    return np.array(found)


def _fast(values: UnitValues, runs: int, share: float, rng: np.random.Generator) -> FloatArray:
    """P-values (runs,) of means or ratios, from sums alone: Welch's test of all splits at once."""
    below = np.ones_like(values.above) if values.below is None else values.below
    parts = (values.above, below, values.above**2, values.above * below, below**2, np.ones_like(below))
    sums = np.column_stack(parts)
    total = sums.sum(axis=0)
    found = []
    block = max(1, CELLS // max(len(below), 1))
    for begun in range(0, runs, block):
        size = min(block, runs - begun)
        chosen = (rng.random((size, len(below)), dtype=np.float32) < share).astype(np.float64)
        b = chosen @ sums
        found.append(_p_values(*_moments(total - b), *_moments(b)))
    return np.concatenate(found)


def _moments(sums: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Value, variance of the value and units from the sums (runs, 6) of above, below, products and ones."""
    above, below, above2, cross, below2, n = sums.T
    ratio = above / below
    squares = (above2 - 2 * ratio * cross + ratio**2 * below2) / (below / n) ** 2
    return ratio, np.maximum(squares, 0) / (n * (n - 1)), n


def _p_values(*moments: FloatArray) -> FloatArray:
    value_a, variance_a, n_a, value_b, variance_b, n_b = moments
    variance = variance_a + variance_b
    df = variance**2 / (variance_a**2 / (n_a - 1) + variance_b**2 / (n_b - 1))
    return np.asarray(2 * student.sf(np.abs(value_b - value_a) / np.sqrt(variance), df))
