"""Which encoders there are: each `kind` of the config with the class that it makes.

A new kind, also from outside this package, is a config class, an encoder class and one call of `register`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import polars as pl
from pydantic import Field, PlainValidator, PositiveFloat, SerializeAsAny, model_validator

from features.batch import has_values
from features.encoders.clip import ClipConfig, ClipEncoder
from features.encoders.image.aligned import AlignedConfig, AlignedEncoder
from features.encoders.image.plain import ColoursConfig, ColoursEncoder, PixelsConfig, PixelsEncoder
from features.encoders.image.pretrained import TorchvisionConfig, TorchvisionEncoder
from features.encoders.joined import JoinedEncoder
from features.encoders.protocol import Encoder, EncoderSettings, Fittable
from features.encoders.text.sentence_encoders import (
    SentenceTransformerConfig,
    SentenceTransformerEncoder,
    TfidfConfig,
    TfidfEncoder,
)
from features.encoders.text.static import StaticConfig, StaticEncoder
from features.encoders.text.student import StudentConfig, StudentEncoder
from features.kinds import Kinds

__all__ = [
    "ENCODERS",
    "Encoder",
    "EncoderConfig",
    "EncoderSettings",
    "Fittable",
    "default_encoders",
    "fit_on_products",
    "known_kinds",
    "make_encoder",
    "register",
]

Settings = TypeVar("Settings", bound=EncoderSettings)

ENCODERS: Kinds[EncoderSettings, Encoder] = Kinds(EncoderSettings)


def register(config_class: type[Settings], encoder_class: Callable[[Settings, Path], Encoder]) -> None:
    """Make a kind of encoder known to every config read from now on.

    config_class: its `kind` is a Literal of one word, its default. encoder_class: called with the config
    and the folder that relative paths start from. Raises ValueError for a kind taken by another class.
    """
    ENCODERS.register(config_class, encoder_class)


def known_kinds() -> list[str]:
    return ENCODERS.names


def make_encoder(config: EncoderSettings, base: Path) -> Encoder:
    """The encoder a config describes; relative paths in it start from `base`.

    Raises InputError for weights, files, packages or a device that are not there.
    """
    return ENCODERS.make(config, base)


def fit_on_products(encoder: Fittable, products: pl.DataFrame) -> None:
    """Fit on the products' own texts, all fields together."""
    fields = [pl.col(name) for name in ("title", "description", "brand", "category")]
    encoder.fit(
        products.select(pl.concat_str(fields, separator=" ", ignore_nulls=True)).to_series().to_list()
    )


def default_encoders(products: pl.DataFrame) -> dict[str, Encoder]:
    """TF-IDF of the products' own texts, by role; none where no product has a text."""
    if not any(has_values(products, name) for name in ("title", "description", "brand", "category")):
        return {}
    encoder = TfidfEncoder(TfidfConfig(), Path())
    fit_on_products(encoder, products)
    return {"text": encoder}


# A field of this type reads a dict by its `kind` and writes every setting of that kind.
EncoderConfig = Annotated[SerializeAsAny[EncoderSettings], PlainValidator(ENCODERS.parse)]


class JoinedConfig(EncoderSettings):
    """Several encoders of one modality as one."""

    kind: Literal["joined"] = "joined"
    parts: tuple[EncoderConfig, ...] = Field(min_length=2, description="encoders, each with its kind")
    weights: tuple[PositiveFloat, ...] | None = Field(
        None,
        description="what the cosine by each part counts; null: alike. A part whose cosines lie close together "
        "(a network of random weights) needs more to be seen at all",
    )

    @model_validator(mode="after")
    def _one_weight_a_part(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.parts):
            raise ValueError(f"as many weights as parts: {len(self.parts)}")
        return self


def _joined(config: JoinedConfig, base: Path) -> JoinedEncoder:
    parts = [make_encoder(part, base) for part in config.parts]
    return JoinedEncoder(parts, config.weights or [1.0] * len(parts))


register(SentenceTransformerConfig, SentenceTransformerEncoder)
register(StudentConfig, StudentEncoder)
register(StaticConfig, StaticEncoder)
register(TfidfConfig, TfidfEncoder)
register(TorchvisionConfig, TorchvisionEncoder)
register(ClipConfig, ClipEncoder)
register(AlignedConfig, AlignedEncoder)
register(PixelsConfig, PixelsEncoder)
register(ColoursConfig, ColoursEncoder)
register(JoinedConfig, _joined)
