"""What `ltr.label_clicks` asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Seen = Literal["automatic", "places", "naive", "pbm", "cascade", "sdbn", "dbn", "ubm"]
Worth = Literal["click", "graded", "purchase"]

WORTH: dict[Worth, dict[str, float]] = {
    "click": {"click": 1.0, "cart": 1.0, "purchase": 1.0},
    "graded": {"click": 1.0, "cart": 2.0, "purchase": 4.0},
    "purchase": {"purchase": 1.0},
}
"""What an action says of a product; of several on a row the best one counts."""


class LabelSettings(BaseModel):
    """Judgements from what shoppers did with what they were shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: Path | None = Field(
        default=None, description="UBI files: a folder, or one file; instead of a config with data.events"
    )
    out: Path = Field(
        default=Path("click_judgements.parquet"), description="the judgements to write: .parquet or .csv"
    )
    judgements: Path | None = Field(
        default=None,
        description="human judgements (query_id, product_id, grade), to mix in and to agree with",
    )
    worth: Worth = Field(
        default="click",
        description="what counts: any click, graded (cart 2, purchase 4 clicks), or a purchase",
    )
    seen: Seen = Field(
        default="automatic",
        description="how views are counted: automatic, places, naive, or a click model (pbm, cascade, sdbn, dbn, ubm)",
    )
    places: int = Field(default=25, ge=1, description="places of a list, from the top, that are looked at")
    window_days: float = Field(
        default=30, gt=0, description="actions later than this after showing do not count"
    )
    clip: float = Field(default=0.05, gt=0, le=1, description="a place counts as seen so often at least")
    least_views: float = Field(
        default=1.0, ge=0, description="pairs that rest on fewer views get no judgement"
    )
    least_people: int = Field(
        default=5,
        ge=1,
        description="people who must have asked a query known by its words alone (no query_id) for it to be labelled",
    )
    top_grade: float = Field(default=3.0, gt=0, description="the highest grade, where human ones do not say")
    human_views: float = Field(
        default=30.0, ge=0, description="views that a human judgement weighs as much as, where both are there"
    )
