"""Does the log hold enough of what the new policy would do? Otherwise no estimator can know."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ltr.experiments.columns import IntArray
from ltr.experiments.outcome import Check, State

FloatArray = npt.NDArray[np.float64]

LEAST, LEAST_SHARE, WARN_SHARE = 100, 0.01, 0.10  # effective rows; shares of all rows
WRONG = 3.5  # standard errors of the mean weight from 1: once in 2,000 right logs
LOST_MASS = 0.001  # of the new policy's chances on actions that were never logged


def effective_size(weights: FloatArray) -> float:
    """(Σw)² / Σw²: how many equally weighted rows or units are worth as much (Kish, Survey Sampling, 1965)."""
    total = float((weights**2).sum())
    return float(weights.sum()) ** 2 / total if total > 0 else 0.0


def weights_by_unit(weights: FloatArray, unit: IntArray | None) -> FloatArray:
    """Weights of independent units (units,), of mean as the rows' is; the rows' own where there are no units."""
    if unit is None:
        return weights
    units = int(unit.max()) + 1
    return np.asarray(np.bincount(unit, weights, units) * units / len(unit))


def effective_check(weights: FloatArray, name: str = "effective size") -> Check:
    """FAIL below 100 rows or 1 % of them, WARN below 10 %."""
    size, rows = effective_size(weights), len(weights)
    state: State = "PASS"
    if size < LEAST or size < LEAST_SHARE * rows:
        state = "FAIL"
    elif size < WARN_SHARE * rows:
        state = "WARN"
    meaning = {
        "FAIL": f"too few to judge by (least {LEAST}, and {LEAST_SHARE:.0%}); the log hardly shows what it would do",
        "WARN": "few: a handful of rows carries the estimate",
        "PASS": "enough",
    }[state]
    return Check(name, state, f"{size:,.0f} of {rows:,} ({size / rows:.1%}): {meaning}")


def mean_weight_check(weights: FloatArray, name: str = "mean weight") -> Check:
    """Weights average 1 where the propensities are right and cover all that the new policy does.

    Judged by a t statistic of the weights corrected for their skewness (Johnson, JASA 1978), because a few
    large weights make the plain one too sure from below.
    """
    n, mean = len(weights), float(weights.mean())
    spread = float(weights.std(ddof=1)) if n > 1 else 0.0
    if spread == 0:
        wrong = abs(mean - 1) > 1e-6
        return Check(
            name, "FAIL" if wrong else "PASS", f"{mean:.4g} in every row; 1 if the propensities are right"
        )
    third = float(((weights - mean) ** 3).mean())
    shift = third / (6 * spread**2 * n) + third * (mean - 1) ** 2 / (3 * spread**4)
    t = (mean - 1 + shift) / (spread / np.sqrt(n))
    wrong = min(abs(t), abs(mean - 1) / (spread / np.sqrt(n))) > WRONG
    meaning = (
        "not 1 beyond chance: propensities are wrong, or support is missing" if wrong else "1 within chance"
    )
    return Check(name, "FAIL" if wrong else "PASS", f"{mean:.3f}, {meaning}")


def support_check(action: IntArray, target_all: FloatArray) -> Check:
    """Actions that the new policy takes and the log never shows; target_all: (rows, actions)."""
    shown = np.bincount(action, minlength=target_all.shape[1]) > 0
    lost = float(target_all[:, ~shown].sum(axis=1).mean())
    count = int((~shown & (target_all.max(axis=0) > 0)).sum())
    if count == 0:
        return Check("support", "PASS", "every action of the new policy was logged")
    evidence = f"{count:,} actions of the new policy were never logged; it takes them in {lost:.2%} of rows"
    return Check("support", "FAIL" if lost > LOST_MASS else "WARN", evidence)
