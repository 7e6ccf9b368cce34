"""CUPED: less noise by what was known of each unit before it was exposed (Deng et al., WSDM 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ltr.experiments.estimates import Difference, Estimate

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Adjusted:
    """The difference after adjustment; fell: the share of its variance that is gone.

    correlation: between the metric's influence and the fitted covariates; its square is what may fall.
    """

    difference: Difference
    fell: float
    correlation: float


def adjust(difference: Difference, before: Sequence[FloatArray]) -> Adjusted | None:
    """Take out what the covariates before exposure (units a, then units b; NaN where unknown) explain.

    Unknown ones count as the mean, with a column that says so: newcomers stay in. θ is the same in both arms,
    so that what is taken out is 0 on average whatever the treatment does. None where nothing varies.
    """
    arms = (difference.a, difference.b)
    sizes = [arm.units for arm in arms]
    columns = _columns(np.concatenate(before))
    if not difference.known or not columns.shape[1] or min(sizes) <= columns.shape[1] + 1:
        return None
    parts = np.split(columns, [sizes[0]])
    centred = [part - part.mean(axis=0) for part in parts]
    scaled = np.concatenate([c / n for c, n in zip(centred, sizes, strict=True)])
    influence = np.concatenate([arm.influence / n for arm, n in zip(arms, sizes, strict=True)])
    theta = np.linalg.lstsq(scaled, influence, rcond=None)[0]
    a, b = (
        Estimate(
            arm.value - float((part.mean(axis=0) - columns.mean(axis=0)) @ theta),
            arm.influence - c @ theta,
        )
        for arm, part, c in zip(arms, parts, centred, strict=True)
    )
    made = Difference(a, b)
    fell = 1 - (made.error / difference.error) ** 2
    return Adjusted(made, fell, float(np.sqrt(max(fell, 0.0))))


def _columns(before: FloatArray) -> FloatArray:
    """The covariate (units,) with NaN as its mean, and whether it was NaN where some were: (units, 0 to 2)."""
    unknown = np.isnan(before)
    if unknown.all():
        return np.empty((len(before), 0))
    filled = np.where(unknown, np.nanmean(before), before)
    columns = [filled, unknown.astype(np.float64)] if unknown.any() else [filled]
    made = np.column_stack(columns)
    return made[:, made.std(axis=0) > 0]
