"""How an A/B test is to be read: columns, metrics, looks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class AbSettings(BaseModel):
    """Rows of any grain (event, search, session, visitor); the unit is what was randomised."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path = Field(description="the table of rows: CSV, Parquet or JSON lines")
    arm: str = Field(description="the column that says which arm a row belongs to")
    unit: str = Field(description="the column of what was randomised: visitor, session")
    metric: tuple[str, ...] = Field(
        min_length=1,
        description="metrics, the deciding one first: COLUMN (mean per unit), any:COLUMN (share of units), "
        "each:COLUMN (mean over rows: zero results, reformulations), "
        "COLUMN/COLUMN (ratio of sums), p95:COLUMN (quantile of rows); NAME=… names one",
    )
    lower: tuple[str, ...] = Field(default=(), description="names of metrics of which less is better")
    guardrail: tuple[str, ...] = Field(
        default=(), description="names of metrics that must not get worse by more than --margin"
    )
    margin: float = Field(default=0.02, gt=0, lt=1, description="share of the control's value")
    control: str | None = Field(
        default=None, description="the arm to compare with; default: the first by name"
    )
    allocation: tuple[str, ...] = Field(default=(), description="planned shares, ARM=SHARE; default: equal")
    segment: tuple[str, ...] = Field(default=(), description="columns of segments known before exposure")
    before: tuple[str, ...] = Field(
        default=(), description="METRIC=COLUMN: a covariate from before exposure for CUPED"
    )
    at: str | None = Field(default=None, description="with --exposed-at: the column of a row's time")
    exposed_at: str | None = Field(
        default=None, description="a unit's first exposure: earlier rows become covariates for CUPED"
    )
    cap: float = Field(
        default=0.999, gt=0.5, lt=1, description="quantile at which means are also shown capped"
    )
    decide_by: Literal["raw", "capped"] = Field(default="raw", description="which of the two decides")
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
    a_a: int = Field(
        default=0, ge=0, le=20_000, description="calibrate on that many random splits of the units"
    )
    seed: int = Field(default=0, ge=0, description="of --a-a")

    @model_validator(mode="after")
    def _fit_together(self) -> AbSettings:
        if (self.at is None) != (self.exposed_at is None):
            raise ValueError("--at and --exposed-at go together")
        if self.looks and self.always_valid:
            raise ValueError("--looks and --always-valid are two ways: choose one")
        if self.always_valid and self.planned_units is None:
            raise ValueError("--always-valid needs --planned-units, fixed before the data are seen")
        return self
