"""How an A/B test is to be read: columns, metrics, looks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ltr.experiments.looks import LookSettings

SERVED_METRICS = (
    "CTR=click/impressions",
    "CVR=any:purchase",
    "GMV per person=value",
    "zero results=each:zero_results",
    "reformulations=each:reformulated",
    "p95 latency=p95:latency_ms",
)
SERVED_LOWER = ("zero results", "reformulations", "p95 latency")


class AbSettings(LookSettings):
    """Rows of any grain (event, search, session, visitor); the unit is what was randomised."""

    data: Path = Field(
        description="the table of rows: CSV, Parquet or JSON lines, or the folder of ltr.serve's log"
    )
    arm: str = Field(default="arm", description="the column that says which arm a row belongs to")
    unit: str = Field(
        default="person", description="the column of what was randomised: visitor, session; of a log: person"
    )
    metric: tuple[str, ...] = Field(
        default=(),
        description="metrics, the deciding one first: COLUMN (mean per unit), any:COLUMN (share of units), "
        "each:COLUMN (mean over rows: zero results, reformulations), "
        "COLUMN/COLUMN (ratio of sums), p95:COLUMN (quantile of rows); NAME=… names one; default of a log: "
        "CTR, CVR, GMV per person, zero results, reformulations, latency",
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
    a_a: int = Field(
        default=0, ge=0, le=20_000, description="calibrate on that many random splits of the units"
    )
    seed: int = Field(default=0, ge=0, description="of --a-a")

    @model_validator(mode="after")
    def _fit_together(self) -> AbSettings:
        if (self.at is None) != (self.exposed_at is None):
            raise ValueError("--at and --exposed-at go together")
        if not self.metric and not self.data.is_dir():
            raise ValueError("a table needs --metric")
        return self

    def of_served_log(self) -> AbSettings:
        """With the usual metrics of a shop's searches, where none is named."""
        usual = {} if self.metric else {"metric": SERVED_METRICS, "lower": (*self.lower, *SERVED_LOWER)}
        return self.model_copy(update=usual)
