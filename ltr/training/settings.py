"""The `train` section of a config."""

from __future__ import annotations

from pydantic import Field, field_validator

from ltr.training.modality_dropout import Part, Share
from ltr.training.transfer import TransferConfig


class TrainConfig(TransferConfig):
    """What training leans on beside the set's own judgements, and what it is made to do without."""

    modality_dropout: dict[Part, Share] = Field(
        {},
        description="share of the training queries that see products without photos, or without descriptions, "
        "so that the model bears their absence: {photos: 0.3}; none by default, as many models bear it anyway",
    )

    @field_validator("modality_dropout")
    @classmethod
    def _each_query_once(cls, shares: dict[Part, float]) -> dict[Part, float]:
        if sum(shares.values()) > 1:
            raise ValueError("shares of the training queries that sum to 1 or less")
        return shares
