"""What a log of interleaved lists holds, and how it is credited."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ltr.experiments.looks import LookSettings

Credit = Literal["click", "cart", "purchase"]
Method = Literal["team-draft", "probabilistic", "optimised"]
TAU = 3.0  # of probabilistic drafts: chance ∝ rank^−τ (Hofmann, Whiteson and de Rijke, CIKM 2011)
_OF_A_TABLE = (
    "list",
    "position",
    "rank",
    "method",
    "team",
    "click",
    "cart",
    "purchase",
    "depth",
    "length",
    "tau",
)


class InterleaveSettings(LookSettings):
    """A row for each item of each list that was shown; of the log of ltr.serve, what is in it is known."""

    data: Path = Field(
        description="the folder of ltr.serve's log, which needs nothing more; or a table: CSV, Parquet, JSON lines"
    )
    list: str = Field(
        default="list", description="the column that says which rows are one list that was shown"
    )
    position: str = Field(default="position", description="the column of the place it was shown at: 1, 2, …")
    rank: tuple[str, ...] = Field(
        default=(),
        description="RANKER=COLUMN for each ranker: the item's rank in its own list, empty if not in it",
    )
    method: Method | None = Field(default=None, description="how the lists were made")
    team: str | None = Field(
        default=None, description="team-draft: the column of the RANKER whose item it is"
    )
    click: str | None = Field(default=None, description="the column of clicks, 0 or 1 (or counts)")
    cart: str | None = Field(default=None, description="the column of items put into the cart")
    purchase: str | None = Field(default=None, description="the column of items bought")
    credit: Credit = Field(default="click", description="which of the three decides")
    depth: int | None = Field(
        default=None, ge=1, description="how long each ranker's own list was; probabilistic needs it"
    )
    length: str | None = Field(
        default=None, description="instead of --depth, where lists differ in it: the column of that length"
    )
    tau: float = Field(default=TAU, gt=0, description="of the probabilistic draft: chance ∝ rank^−tau")
    unit: str | None = Field(
        default=None, description="lists of one unit are not independent: visitor, session"
    )
    segment: tuple[str, ...] = Field(default=(), description="columns of segments of lists")

    @model_validator(mode="after")
    def _fit_together(self) -> InterleaveSettings:
        if self.data.is_dir():
            given = [f"--{name}" for name in _OF_A_TABLE if name in self.model_fields_set]
            if given:
                raise ValueError(f"of a server's log the columns are known: leave {', '.join(given)} out")
            return self
        if len(self.rank) < 2 or self.method is None:
            raise ValueError("a table needs --method, and --rank for two rankers or more")
        if (self.method == "team-draft") != (self.team is not None):
            raise ValueError("--team goes with --method team-draft, and only with it")
        if self.method == "probabilistic" and self.depth is None and self.length is None:
            raise ValueError("--method probabilistic needs --depth or --length")
        if getattr(self, self.credit) is None:
            raise ValueError(f"--credit {self.credit} needs --{self.credit}")
        return self
