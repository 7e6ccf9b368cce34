"""How large a loop to play, and in what world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import InputError
from ltr.demo.shoppers.settings import Examination, ShopperSettings


class LoopSettings(BaseModel):
    """How large a loop to play, and in what world."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    judged_queries: int = Field(30, ge=2, description="queries that people have judged")
    held_out: float = Field(0.2, gt=0, lt=1, description="share of queries that no ranker learns from")
    sessions: int = Field(20_000, ge=1, description="logged at the first ranker, to learn from")
    exploration: float = Field(
        0.1, ge=0, le=1, description="share of logged lists in which two neighbours change places by lot"
    )
    experiment_sessions: int | None = Field(
        None,
        ge=1,
        description="of the interleaving, and again of the A/B test; without it half as many as sessions",
    )
    truth_sessions: int = Field(5_000, ge=1, description="whose exact chances give the true clicks a list")
    least_views: float = Field(1.0, ge=0, description="pairs that rest on fewer views get no label")
    human_views: float = Field(30.0, ge=0, description="views that a human judgement weighs as much as")
    shop_at: Literal["memory", "server"] = Field(
        "memory",
        description="memory: lists are computed beforehand (tens of thousands of sessions in seconds); server: "
        "ltr.serve is started, and asked and told over HTTP (a load and an end-to-end test, at its pace)",
    )
    clients: int = Field(4, ge=1, le=64, description="of shop_at server: requests sent at once")
    shown: int = Field(10, ge=2, description="products in a list")
    examination: Examination = Field("position", description="how people look down a list")
    seed: int = Field(0, ge=0, description="of the people, the draws and the choice of judged queries")

    @property
    def sessions_each(self) -> int:
        """Of the interleaving, and of the A/B test."""
        return self.experiment_sessions or max(self.sessions // 2, 1)

    @property
    def shoppers(self) -> ShopperSettings:
        """The people; at a server every product is there from the first day on."""
        chosen = self.model_dump(include={"examination", "shown", "seed"})
        there = {"new_products": 0.0} if self.shop_at == "server" else {}
        return ShopperSettings.model_validate({**chosen, **there})

    @classmethod
    def read(cls, given: Mapping[str, object]) -> LoopSettings:
        """From `--loop.key VALUE`; InputError for what is refused, or would go unheard."""
        if "clients" in given and given.get("shop_at") != "server":
            raise InputError(
                where="--loop.clients",
                expected="--loop.shop_at server beside it",
                got=repr(given.get("shop_at", "memory")),
                cure="add it, or leave the clients out: they ask a server",
            )
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            problem = error.errors()[0]
            said = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            raise InputError(
                where=".".join(("--loop", *map(str, problem["loc"]))),
                expected=said[:1].lower() + said[1:],
                got=repr(problem["input"]),
                cure=f"the keys are {', '.join(cls.model_fields)}",
            ) from error
