"""What is asked of a plan: the metric and its past, the effect worth seeing, how often to look."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class PlanSettings(BaseModel):
    """From past data (--data, --unit, --metric), or from a known share (--rate) or mean (--mean, --sd)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    effect: float = Field(gt=0, lt=10, description="the relative change worth seeing: .02 is 2 %")
    data: Path | None = Field(
        default=None, description="rows of the past, or a server's log, as `ab` reads them"
    )
    unit: str | None = Field(default=None, description="the column of what will be randomised")
    metric: str | None = Field(default=None, description="as in `ab`; a name only, without --data")
    rate: float | None = Field(
        default=None, gt=0, lt=1, description="a known share of units, such as the CVR"
    )
    mean: float | None = Field(default=None, description="a known mean per unit")
    sd: float | None = Field(default=None, gt=0, description="with --mean: its standard deviation over units")
    guardrail: tuple[str, ...] = Field(
        default=(), description="metrics whose visible loss is shown; needs --data"
    )
    cap: float | None = Field(
        default=None, gt=0.5, lt=1, description="decide by means capped at that quantile"
    )
    power: float = Field(default=0.8, ge=0.5, lt=1, description="chance to see the effect if it is there")
    level: float = Field(default=0.05, gt=0, lt=0.5, description="false alarms allowed, two-sided")
    share: float = Field(default=0.5, gt=0, lt=1, description="of the units that get the treatment")
    looks: int = Field(default=1, ge=1, le=100, description="equally spaced looks that are planned")
    spending: Literal["obrien-fleming", "pocock"] = Field(
        default="obrien-fleming", description="of false alarms"
    )
    always_valid: bool = Field(default=False, description="look at any time instead")
    per_day: float | None = Field(default=None, gt=0, description="units a day, to say it in days")
    days: float | None = Field(default=None, gt=0, description="days there are: is that enough?")
    seed: int = Field(default=0, ge=0, description="of resampling the past")

    @model_validator(mode="after")
    def _one_source(self) -> PlanSettings:
        if sum(given is not None for given in (self.data, self.rate, self.mean)) != 1:
            raise ValueError("give one of --data, --rate and --mean")
        if (self.mean is None) != (self.sd is None):
            raise ValueError("--mean and --sd go together")
        if self.data is not None and (self.unit is None or self.metric is None):
            raise ValueError("--data needs --unit and --metric")
        if self.data is None and (self.guardrail or self.cap):
            raise ValueError("--guardrail and --cap need --data")
        if self.days is not None and self.per_day is None:
            raise ValueError("--days needs --per-day")
        if self.looks > 1 and self.always_valid:
            raise ValueError("--looks and --always-valid are two ways: choose one")
        return self
