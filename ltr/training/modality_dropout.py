"""Catalogues that lack photos or descriptions: what is taken away, from which products, in which training lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from features.batch import has_values
from features.errors import InputError
from ltr.training.click_settings import ClickTrainingConfig
from ltr.training.transfer import TransferConfig

Part = Literal["photos", "descriptions"]
Share = Annotated[float, Field(ge=0, le=1)]

COLUMN: dict[Part, str] = {"photos": "image", "descriptions": "description"}


class RobustnessConfig(BaseModel):
    """What is taken away from the catalogue when the trained model scores, to see how it bears it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    drop: dict[Part, tuple[Share, ...]] = Field(
        {}, description="shares of the products that lose it: {photos: [0.1, 0.5, 1]}; none: not measured"
    )
    seed: int = Field(0, ge=0)


class TrainConfig(TransferConfig):
    """What training leans on beside the set's own judgements, and what it is made to do without."""

    modality_dropout: dict[Part, Share] = Field(
        {},
        description="share of the training queries that see products without photos, or without descriptions, "
        "so that the model bears their absence: {photos: 0.3}; none by default, as many models bear it anyway",
    )

    clicks: ClickTrainingConfig = ClickTrainingConfig()

    @field_validator("modality_dropout")
    @classmethod
    def _each_query_once(cls, shares: dict[Part, float]) -> dict[Part, float]:
        if sum(shares.values()) > 1:
            raise ValueError("shares of the training queries that sum to 1 or less")
        return shares

    @model_validator(mode="after")
    def _clicks_alone(self) -> Self:
        given = {
            "also": self.also,
            "start": self.start,
            "base": self.named_base,
            "modality_dropout": any(self.modality_dropout.values()),
        }
        beside = [name for name, value in given.items() if value]
        if self.clicks.strategy != "none" and beside:
            raise ValueError(f"either clicks or {beside[0]}: training from shown lists goes with neither")
        return self


def without(products: pl.DataFrame, part: Part, share: float, seed: int) -> pl.DataFrame:
    """The products, of which a random `share` has lost its photo or description.

    Nested: who loses it at a smaller share loses it at a larger one, whatever the order of the rows.
    """
    place = np.random.default_rng(seed).permutation(products.height)
    by_id = products["product_id"].rank("ordinal").to_numpy() - 1
    lost = pl.Series(place[by_id] < round(share * products.height))
    column = pl.col(COLUMN[part])
    return products.with_columns(pl.when(~lost).then(column).alias(COLUMN[part]))


def check_parts(products: pl.DataFrame, parts: Iterable[Part], where: str) -> None:
    """Raise InputError for a part that no product has."""
    for part in parts:
        column = COLUMN[part]
        if not has_values(products, column):
            raise InputError(
                where=f"{where}.{part}",
                expected=f"a catalogue with {part}",
                got="one without any",
                cure=f"remove it, or name the column of {part} under data.products",
            )


def lists_without(
    query_ids: Iterable[str], shares: Mapping[Part, float], seed: int
) -> Iterator[tuple[list[str], Part]]:
    """Which queries training sees over a catalogue without photos, which over one without descriptions.

    No query twice. Whole lists, since a list of which only half the products lack a photo taught less about a
    catalogue that has none: on fashion's descriptions that loss stayed, while this way it went.
    """
    ids = np.random.default_rng(seed).permutation(sorted(query_ids))
    first = 0.0
    for part, share in shares.items():
        last = first + share
        chosen = ids[round(first * len(ids)) : round(last * len(ids))]
        if len(chosen):
            yield chosen.tolist(), part
        first = last
