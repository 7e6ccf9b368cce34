"""What `ltr.recommend` asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class RecommendSettings(BaseModel):
    """For whom, from which events; with nobody named, the home page: what is popular now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: Path | None = Field(
        default=None, description="UBI files: a folder, or one file; instead of a config with data.events"
    )
    by: Literal["session", "shopper"] = Field(
        default="session", description="whose history: one visit's, or all that one shopper did"
    )
    who: str | None = Field(default=None, description="a session or shopper of the log, by pseudonym")
    product: tuple[str, ...] = Field(
        default=(), description="products looked at just now, oldest first; one: what others also looked at"
    )
    count: int = Field(default=20, ge=1, le=1000, description="of products")
    candidates: int = Field(default=50, ge=1, description="of each rule, which the ranker puts in order")
    learn_days: float = Field(
        default=7.0, gt=0, description="of the end of the log, from which the order is learnt"
    )
    trial: bool = Field(
        default=False, description="instead: every rule and the ranker measured on the last days"
    )
    trial_days: float = Field(default=7.0, gt=0, description="of the end of the log, that are held out")
    seed: int = Field(default=0, ge=0, description="of the steps that are drawn to learn from")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.who is not None and self.product:
            raise ValueError("give --who or --product: one names a history, the other is one")
        if self.trial and (self.who is not None or self.product):
            raise ValueError("leave --who and --product out: --trial measures on the histories of everybody")
        if self.trial and "count" in self.model_fields_set:
            raise ValueError("leave --count out: --trial looks at the first 20")
        if not self.trial and "trial_days" in self.model_fields_set:
            raise ValueError("add --trial, or leave --trial-days out")
        return self
