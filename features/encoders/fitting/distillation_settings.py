"""How a smaller text encoder is made of a larger one; kept apart from the making so that a config needs no torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from features.encoders.text.sentence_encoders import SentenceTransformerConfig


class DistillationConfig(BaseModel):
    """A `student` or `static` text encoder, made of a teacher on the catalogue's own texts.

    Device and threads of a student's fitting are those of the `student` encoder that will use it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    teacher: SentenceTransformerConfig = SentenceTransformerConfig()
    texts: int = Field(50_000, ge=1, description="of the catalogue, at most, drawn at random")
    runs: int = Field(
        20_000, ge=0, description="runs of one to five words of titles, which look like queries, besides"
    )
    layers: int = Field(2, ge=1, description="student: transformer layers kept of the teacher's")
    epochs: int = Field(6, ge=1, description="student: at most; the learning rate falls over all of them")
    minutes: float | None = Field(
        None, gt=0, description="student: limit of the fitting; the learning rate falls by then"
    )
    batch_tokens: int = Field(4_096, ge=1, description="student: tokens of one step")
    learning_rate: float = Field(5e-4, gt=0, description="student: the largest")
    words: int = Field(20_000, ge=0, description="static: the catalogue's own words with a vector each")
    dimensions: int = Field(256, ge=1, description="static: kept of the vectors' principal axes, at most")
    held_out: int = Field(1_000, ge=1, description="texts that measure it; at most a tenth of them all")
    seed: int = 0
