"""Looks at a running experiment, as a user says them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ltr.experiments.looks.reading import Looks


class LookSettings(BaseModel):
    """One look at the end, planned looks, or as many as one likes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: float = Field(default=0.05, gt=0, lt=0.5, description="false alarms allowed")
    looks: tuple[float, ...] = Field(
        default=(),
        description="shares of the planned units at which was looked, the last one now; 1 = the end",
    )
    spending: Literal["obrien-fleming", "pocock"] = Field(
        default="obrien-fleming", description="of false alarms"
    )
    always_valid: bool = Field(default=False, description="read at any time, as often as you like")
    planned_units: int | None = Field(
        default=None, ge=2, description="with --always-valid: tunes the interval"
    )

    @model_validator(mode="after")
    def _one_way(self) -> LookSettings:
        if self.looks and self.always_valid:
            raise ValueError("--looks and --always-valid are two ways: choose one")
        if self.always_valid and self.planned_units is None:
            raise ValueError("--always-valid needs --planned-units, fixed before the data are seen")
        return self

    def shared_by(self, comparisons: int) -> Looks:
        """How each of so many deciding comparisons is read: its share of the level (Bonferroni)."""
        planned = self.planned_units if self.always_valid else None
        return Looks(self.level / comparisons, self.looks, self.spending, planned)
