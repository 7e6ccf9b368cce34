"""What `train.clicks` asks for: whether shown lists train, and how."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Strategy = Literal["naive", "rates", "ips", "labels", "smoothed", "positions", "unbiased"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


class ClickTrainingConfig(BaseModel):
    """Learning from the shown lists of `data.events`, beside the judgements of people."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategy: Strategy | Literal["none", "automatic"] = Field(
        "none",
        description="none: from judgements alone (such as those of ltr.label_clicks). naive: lists as they are; "
        "rates: clicks over rows; ips: over the chance to be seen; labels: over views; smoothed: over views, drawn to "
        "what like products earn; positions: LightGBM's own; unbiased: XGBoost's own; automatic: what held-out queries "
        "choose",
    )
    human_views: float = Field(
        30.0, ge=0, description="views that a judgement of weight 1 by people weighs as much as"
    )
    places: int = Field(25, ge=1, description="places of a list, from the top, that are looked at")
    window_days: float = Field(30, gt=0, description="actions later than this after showing do not count")
