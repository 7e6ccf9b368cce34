"""What the new policy would have earned, one action a row: each estimator and the assumption it adds.

All need the logged propensities to be right and to cover what the new policy does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ltr.experiments.columns import IntArray
from ltr.experiments.estimates import Estimate, mean_of, ratio_of

FloatArray = npt.NDArray[np.float64]

ASSUMES = {
    "ips": "nothing more; high variance",
    "snips": "nothing more; a bias that falls with the effective size",
    "clipped": "rewards under cut weights are 0: biased towards 0 by what is cut",
    "dr": "nothing more: right if either the propensities or the reward model is",
    "switch": "the reward model is right where weights are large",
}


def ips(reward: FloatArray, weights: FloatArray) -> Estimate:
    """Inverse propensity scoring (Horvitz and Thompson, JASA 1952)."""
    return mean_of(weights * reward)


def snips(reward: FloatArray, weights: FloatArray) -> Estimate:
    """Self-normalised (Swaminathan and Joachims, NeurIPS 2015)."""
    return ratio_of(weights * reward, weights)


def clipped(reward: FloatArray, weights: FloatArray, most: float | None = None) -> Estimate:
    """Weights cut at `most`, by default √n (Ionides, Journal of Computational and Graphical Statistics 2008)."""
    most = float(np.sqrt(len(weights))) if most is None else most
    return mean_of(np.minimum(weights, most) * reward)


def doubly_robust(
    reward: FloatArray, weights: FloatArray, action: IntArray, target_all: FloatArray, expected: FloatArray
) -> Estimate:
    """Model plus weighted residuals (Dudík, Langford and Li, ICML 2011); `expected` (rows, actions) out of fold."""
    rows = np.arange(len(reward))
    return mean_of((target_all * expected).sum(axis=1) + weights * (reward - expected[rows, action]))


def switch(
    reward: FloatArray,
    weights: FloatArray,
    action: IntArray,
    target_all: FloatArray,
    expected: FloatArray,
    most: float | None = None,
) -> Estimate:
    """Doubly robust where weights are up to `most`, the model alone beyond (Wang, Agarwal and Dudík, ICML 2017).

    Without `most`: of a few quantiles of the weights, the one with the least variance plus squared bound of bias.
    """
    rows = np.arange(len(reward))
    direct = (target_all * expected).sum(axis=1)
    residual = reward - expected[rows, action]
    if most is not None:
        return mean_of(direct + np.where(weights <= most, weights, 0.0) * residual)
    largest = float(np.abs(residual).max())
    best: tuple[float, Estimate] | None = None
    for cut in np.quantile(weights, [0.8, 0.9, 0.95, 0.99, 1.0]):
        found = mean_of(direct + np.where(weights <= cut, weights, 0.0) * residual)
        bias = largest * float(np.where(weights > cut, weights, 0.0).mean())
        risk = found.variance + bias**2
        if best is None or risk < best[0]:
            best = risk, found
    if best is None:
        raise AssertionError("there are always cuts")
    return best[1]


def by_unit(estimate: Estimate, unit: IntArray | None) -> Estimate:
    """The same value, its error counted over units whose rows are not independent."""
    if unit is None:
        return estimate
    units = int(unit.max()) + 1
    return Estimate(estimate.value, np.bincount(unit, estimate.influence, units) * units / len(unit))
