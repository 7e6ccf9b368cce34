"""How the demo shop's people look, click and buy."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Examination = Literal["position", "cascade", "dynamic-bayesian", "trust"]


class ShopperSettings(BaseModel):
    """Every share and chance lies in [0, 1]; the world is the same for the same settings, seed among them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    examination: Examination = Field(
        "position", description="position-based, cascade, dynamic-Bayesian, or position-based with trust bias"
    )
    strength: float = Field(
        1.0, ge=0, description="of the bias; 0: every place is seen (cascades: until a click ends it)"
    )
    layout: Literal["list", "grid"] = "list"
    columns: int = Field(4, ge=1, description="of the grid, whose rows are seen as a list's places are")
    shown: int = Field(10, ge=1, description="products in a list")
    fold: int | None = Field(None, ge=1, description="places seen without scrolling; null: all of them")
    scrolls: float = Field(0.6, ge=0, le=1, description="chance that a list is scrolled below the fold")

    taste: float = Field(0.25, ge=0, description="how far a shopper's own taste moves a product's worth")
    noise: float = Field(
        0.02, ge=0, le=1, description="chance of a click on a seen product that nobody wants"
    )
    keen: float = Field(0.6, ge=0, le=1, description="chance of a click on a seen product that is just right")
    carts: float = Field(
        0.35, ge=0, le=1, description="chance of a cart after a click, where it is just right"
    )
    buys: float = Field(
        0.5, ge=0, le=1, description="chance of a purchase after a cart, where it is just right"
    )
    returns: float = Field(0.15, ge=0, le=1, description="chance that a purchase comes back")
    delay_hours: float = Field(6.0, ge=0, description="mean time from a cart to the purchase")
    late: float = Field(0.03, ge=0, le=1, description="share of actions that reach the log up to days later")

    weeks: int = Field(4, ge=1, description="over which sessions are spread")
    starts: datetime = Field(datetime(2024, 11, 4), description="the first day, UTC")
    sessions_a_shopper: float = Field(3.0, ge=1, description="mean")
    queries_a_session: float = Field(2.5, ge=1, description="mean")
    bots: float = Field(0.002, ge=0, le=1, description="share of sessions; bots ask 80 times, click half")
    repeats: float = Field(0.05, ge=0, le=1, description="share of clicks that are made again seconds later")
    drift: float = Field(
        0.1, ge=0, description="how far a week moves what is asked for and which colours please"
    )
    new_products: float = Field(
        0.05, ge=0, le=1, description="share of the stock that arrives in these weeks"
    )
    seed: int = Field(0, ge=0, description="of the people, the drift and the arrivals")
