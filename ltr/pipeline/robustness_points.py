"""One measurement of a ranker whose catalogue has lost part of a modality."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RobustnessPoint:
    """The headline metric's mean and interval when a `share` (0 to 1) of the products has lost `dropped`.

    dropped: what was taken away ("photos", "descriptions"); system: "all features", or "trained without photos".
    """

    dropped: str
    share: float
    system: str
    mean: float
    low: float
    high: float
