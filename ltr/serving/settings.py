"""What `ltr.serve` takes: where it listens, how much it bears, what it logs and how it explores."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

LOOPBACK = ("127.0.0.1", "::1", "localhost")
TOKEN_VARIABLE = "LTR_SERVE_TOKEN"  # noqa: S105 - the name of the variable, not what it holds
_OPTIMISED_PLACES = 10  # 1,024 lists at most: all of them, which makes the mixture fair
_PROBABILISTIC_ITEMS = 16  # sets of so many are gone through in milliseconds


class ServeSettings(BaseModel):
    """Every bound of the server; each is a command-line option of the same name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="the address to listen on; others than loopback need a token")
    port: int = Field(8080, ge=0, le=65535, description="the port; 0 takes a free one")

    candidates: int | None = Field(
        None, ge=1, le=5000, description="of a query; none: as many as the run was trained with"
    )
    rerank_most: int = Field(2000, ge=1, le=10_000, description="candidates that /rerank takes at most")
    query_characters: int = Field(500, ge=1, description="the longest query")
    body_bytes: int = Field(12 << 20, ge=1024, description="the largest body of a request")
    photo_bytes: int = Field(8 << 20, ge=1024, description="the largest photo of a query")
    photo_pixels: int = Field(30_000_000, ge=1, description="of a query's photo, read from its header first")
    workers: int = Field(2, ge=1, le=64, description="requests that are worked on at once, a thread each")
    queue: int = Field(32, ge=0, description="requests that may wait; one more is refused with status 429")
    timeout: float = Field(
        2.0, gt=0, description="seconds; then retrieval's order is answered, marked as degraded"
    )
    body_timeout: float = Field(10.0, gt=0, description="seconds for a client to send its body")
    grace: float = Field(10.0, ge=0, description="seconds for requests under way when the server is stopped")

    judgements: Path = Field(
        Path("judgements"), description="the folder of the grades given in the judging view"
    )
    log: Path | None = Field(None, description="the folder of the event log; default: RUN's folder/events")
    no_log: bool = Field(default=False, description="log nothing: then nothing can be learnt from shoppers")
    log_rotate_bytes: int = Field(64 << 20, ge=4096, description="size at which a log file is closed")
    log_flush: float = Field(
        0.01, ge=0, description="seconds that a batch of log lines may wait for others before it is synced"
    )
    store: str | None = Field(None, description="feature store that closed log files are carried into")

    counts_every: float = Field(
        60.0, ge=0, description="seconds between looks for newer counts of shoppers' events; 0: never"
    )

    golden: Path | None = Field(
        None, description="a table of query, product_id, top: a new run must show each product so high"
    )
    check_seconds: float = Field(
        600.0,
        gt=0,
        description="that trying a new run, or a changed catalogue, may take in a process of its own",
    )
    check_gib: float | None = Field(
        None, gt=0, description="memory that it may take; none: half of the machine's"
    )
    explore_swaps: float = Field(
        0.0, ge=0, le=0.5, description="chance that two neighbours of a chosen pairing change places"
    )
    explore_depth: int = Field(10, ge=2, le=12, description="places from the top that exploration touches")
    experiment: Literal["none", "interleave", "ab"] = Field(
        "none", description="interleave the runs' lists, or split the shoppers between two runs"
    )
    others: tuple[Path, ...] = Field(
        (),
        max_length=4,
        description="for --experiment: the runs beside the first; one, or for interleave up to 4",
    )
    method: Literal["team-draft", "probabilistic", "optimised"] = Field(
        "team-draft", description="interleave: how lists are mixed"
    )
    share: float = Field(0.5, gt=0, lt=1, description="ab: of the shoppers, who gets the other run")
    salt: str = Field("experiment", min_length=1, description="ab: another salt is another split")

    @property
    def check_bytes(self) -> int | None:
        return None if self.check_gib is None else int(self.check_gib * 2**30)

    @model_validator(mode="after")
    def _fit_together(self) -> ServeSettings:
        if (self.experiment == "none") != (not self.others):
            raise ValueError("--others RUN goes with --experiment interleave or ab, and only with it")
        if self.experiment == "ab" and len(self.others) > 1:
            raise ValueError("--experiment ab compares two runs: name one with --others")
        if self.experiment != "interleave" and self.method != "team-draft":
            raise ValueError("--method goes with --experiment interleave, and only with it")
        if self.experiment == "interleave":
            self._can_be_mixed()
        return self

    def _can_be_mixed(self) -> None:
        runs, places = 1 + len(self.others), self.explore_depth
        if self.explore_swaps:
            raise ValueError(
                "--explore-swaps or --experiment interleave, not both: the draft explores already"
            )
        if self.method == "optimised" and (runs > 2 or places > _OPTIMISED_PLACES):
            raise ValueError(
                "--method optimised mixes two runs, and up to 10 places: lists of more cannot all be weighed, so "
                "that clicks at random would prefer one of the runs"
            )
        if self.method == "probabilistic" and runs * places > _PROBABILISTIC_ITEMS:
            raise ValueError(
                f"--method probabilistic mixes up to {_PROBABILISTIC_ITEMS // runs} places of {runs} runs: with more, "
                f"exact propensities take too long; say --explore-depth {_PROBABILISTIC_ITEMS // runs}"
            )
