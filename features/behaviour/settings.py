"""What is counted, over which windows, how it is smoothed, and how long events are kept."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class BehaviourConfig(BaseModel):
    """Counts and rates of what shoppers did, as of the moment; written by a job, read by the features."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: str = Field(
        default="store", description="the folder of the tables of events and counts, as store.root"
    )
    windows: tuple[int, ...] = Field(default=(7, 30), min_length=1, description="days that are counted back")
    smoothing: float = Field(
        default=20, ge=0, description="views that the overall rate counts for in each product's rate"
    )
    most_a_day: int = Field(
        default=5, ge=1, description="events of a kind of one person on a product that count, a day"
    )
    least_people: int = Field(
        default=5, ge=1, description="people who must have asked a query before it is counted by its text"
    )
    retention_days: int = Field(default=400, ge=2, description="days after which events are deleted")

    @model_validator(mode="after")
    def _kept_long_enough(self) -> Self:
        if any(days < 1 for days in self.windows) or len(set(self.windows)) < len(self.windows):
            raise ValueError(f"windows of 1 day or more, each once (not {list(self.windows)})")
        if self.retention_days <= max(self.windows) + 1:
            raise ValueError(f"retention_days above the longest window, {max(self.windows)}, by 2 or more")
        return self
