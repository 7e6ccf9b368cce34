"""What a log holds, and which policy is asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

UNIFORM = "uniform"
ListEstimator = Literal["cascade-dr", "reward-interaction", "pseudo-inverse", "item-position"]
_OF_A_TABLE = (
    "action",
    "propensity",
    "target",
    "actions",
    "context",
    "list",
    "position",
    "logging_score",
    "target_score",
)


class OffPolicySettings(BaseModel):
    """A server's log (with --run or --policy), or one action a row (--propensity, --target or --policy), or lists
    (--list, --position, both scores)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path = Field(
        description="the folder of ltr.serve's log, asked about the run named by --run; or a table: CSV, Parquet, "
        "JSON lines"
    )
    reward: str = Field(
        default="click", description="the column of what came of it; of a log: click, cart, purchase, value"
    )
    action: str | None = Field(default=None, description="the column of what was shown (in lists: the item)")
    propensity: str | None = Field(default=None, description="the logged chance of the action that was taken")
    target: str | None = Field(
        default=None, description="the column of the new policy's chance of that action, or `uniform`"
    )
    policy: Path | None = Field(
        default=None,
        description="a table of the new policy: action, context columns, probability; for a "
        "server's log: text, position, product_id, probability",
    )
    actions: int | None = Field(
        default=None, ge=2, description="with --target uniform: how many actions there are"
    )
    context: tuple[str, ...] = Field(
        default=(), description="columns known before acting, for the reward model"
    )
    unit: str | None = Field(
        default=None, description="rows of one unit are not independent: visitor, session"
    )
    truth: Path | None = Field(default=None, description="a log of the new policy itself, to compare with")
    list: str | None = Field(default=None, description="lists: the column that says which rows are one list")
    position: str | None = Field(default=None, description="lists: 1, 2, …; empty for a candidate not shown")
    logging_score: str | None = Field(
        default=None, description="lists: Plackett-Luce score when it was shown"
    )
    target_score: str | None = Field(default=None, description="lists: the new ranker's score")
    estimator: Literal["dr", "snips", "ips", "clipped", "switch", ListEstimator] | None = Field(
        default=None, description="which one decides; default: dr, else snips; for lists cascade-dr"
    )
    clip: float | None = Field(default=None, gt=0, description="weights beyond it are cut; default: √rows")
    level: float = Field(default=0.05, gt=0, lt=0.5, description="false alarms allowed")
    seed: int = Field(default=0, ge=0, description="of the folds of the reward model")

    @model_validator(mode="after")
    def _one_kind(self) -> OffPolicySettings:
        if self.data.is_dir():
            given = [f"--{name.replace('_', '-')}" for name in _OF_A_TABLE if name in self.model_fields_set]
            if given:
                raise ValueError(f"of a server's log the columns are known: leave {', '.join(given)} out")
            return self
        lists = (self.position, self.logging_score, self.target_score)
        if self.list is not None:
            if None in lists or self.action is None:
                raise ValueError("--list needs --action, --position, --logging-score and --target-score")
            if self.propensity or self.target or self.policy:
                raise ValueError(
                    "lists take chances from their scores: leave --propensity, --target, --policy out"
                )
            return self
        if any(lists[1:]):
            raise ValueError("--logging-score and --target-score need --list")
        if self.propensity is None:
            raise ValueError("give --propensity, or --list for lists")
        if (self.target is None) == (self.policy is None):
            raise ValueError("give one of --target and --policy")
        if (self.target == UNIFORM or self.policy) and self.action is None:
            raise ValueError("--target uniform and --policy need --action")
        return self
