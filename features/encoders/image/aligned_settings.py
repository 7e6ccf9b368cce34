"""How an aligned encoder is built and fitted; kept apart from the fitting so that reading a config needs no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

TextField = Literal["title", "description", "category", "brand"]


class AlignedTrainingConfig(BaseModel):
    """An image network fitted to the space of the config's text encoder, on the shop's own photos.

    Device and threads are those of the `aligned` encoder that will use the aligned encoder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: str = Field("small", description="small (made for a CPU), or a torchvision model's name")
    weights: str | None = Field(
        None,
        description="where a torchvision backbone starts from: a torchvision name, or a state dict "
        "(relative to the config file); null: from scratch",
    )
    start: str | None = Field(
        None,
        description="folder of a aligned encoder of the same backbone and sizes to start from (relative to the "
        "config file), where a few hundred photos must suffice",
    )
    height: int = Field(64, ge=8, description="pixels of the photos that the network sees")
    width: int = Field(48, ge=8)
    pairs: Literal["catalogue", "judgements", "both"] = Field(
        "catalogue",
        description="whose photos: the products'; the training queries', with the texts of their best products; "
        "or both",
    )
    text: TextField = Field("title", description="what every photo is matched with")
    mix: dict[TextField, float] = Field(
        {},
        description="chance with which another field's vector is added to the text's in training",
    )
    jitter: float = Field(
        1.0,
        ge=0,
        le=5,
        description="how far photos are shifted, enlarged and reduced in training; 1: by a tenth",
    )
    views: float = Field(
        0.0,
        ge=0,
        le=10,
        description="weight of telling a photo's second view (moved, mirrored, sized anew) from the batch's other "
        "photos, beside the texts: for photo searches; twice the time",
    )
    epochs: int = Field(12, ge=1, description="at most; the learning rate falls over all of them")
    minutes: float | None = Field(
        None,
        gt=0,
        description="limit of all of it, reading and encoding too, by the clock: what it cuts short is another "
        "network on a busier machine, and says so; epochs are the budget that gives the same one everywhere",
    )
    batch_size: int = Field(256, ge=2)
    learning_rate: float = Field(3e-3, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    temperature: float = Field(0.07, gt=0, description="at the start; it is learnt")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the arithmetic; auto: bfloat16 where the device has it in hardware"
    )
    held_out: int = Field(1000, ge=1, description="pairs that tell when to stop; at most a tenth of them all")
    recall_at: int = Field(10, ge=1, description="k of the recall that decides")
    patience: int = Field(4, ge=1, description="epochs without better recall before stopping")
    seed: int = 0

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.start is not None and self.weights is not None:
            raise ValueError("start (a whole aligned encoder) or weights (a backbone's), not both")
        return self
