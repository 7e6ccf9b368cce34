"""Which encoders there are: each `kind` of the config with the class that it makes.

A new kind, also from outside this package, is a config class, an encoder class and one call of `register`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import PlainValidator, SerializeAsAny
from pydantic_core import PydanticKnownError

from features.encoders.clip import ClipConfig, ClipEncoder
from features.encoders.image.aligned import AlignedConfig, AlignedEncoder
from features.encoders.image.plain import ColoursConfig, ColoursEncoder, PixelsConfig, PixelsEncoder
from features.encoders.image.pretrained import TorchvisionConfig, TorchvisionEncoder
from features.encoders.protocol import Encoder, EncoderSettings, Fittable
from features.encoders.text.sentence_encoders import (
    SentenceTransformerConfig,
    SentenceTransformerEncoder,
    TfidfConfig,
    TfidfEncoder,
)
from features.encoders.text.static import StaticConfig, StaticEncoder
from features.encoders.text.student import StudentConfig, StudentEncoder
from features.installed import require

__all__ = [
    "Encoder",
    "EncoderConfig",
    "EncoderSettings",
    "Fittable",
    "known_kinds",
    "make_encoder",
    "register",
]

Settings = TypeVar("Settings", bound=EncoderSettings)

_REGISTRY: dict[str, tuple[type[EncoderSettings], Callable[[Any, Path], Encoder]]] = {}


def register(config_class: type[Settings], encoder_class: Callable[[Settings, Path], Encoder]) -> None:
    """Make a kind of encoder known to every config read from now on.

    config_class: its `kind` is a Literal of one word, its default. encoder_class: called with the config
    and the folder that relative paths start from. Raises ValueError for a kind taken by another class.
    """
    kind = get_args(config_class.model_fields["kind"].annotation)[0]
    taken = _REGISTRY.get(kind)
    if taken is not None and taken[0] is not config_class:
        raise ValueError(f"the kind {kind!r} is taken by {taken[0].__name__}")
    _REGISTRY[kind] = (config_class, encoder_class)


def known_kinds() -> list[str]:
    return sorted(_REGISTRY)


def make_encoder(config: EncoderSettings, base: Path) -> Encoder:
    """The encoder a config describes; relative paths in it start from `base`.

    Raises InputError for weights, files, packages or a device that are not there.
    """
    _, encoder_class = _REGISTRY[config.kind]
    require(f"encoder {config.kind!r}", config.packages, config.extra)
    return encoder_class(config, base)


def _parse(value: object) -> EncoderSettings:
    """A config as its kind's class; looked up now, so that kinds registered later are known too."""
    if isinstance(value, EncoderSettings):
        return value
    if not isinstance(value, Mapping):
        raise PydanticKnownError("dict_type")
    kind = value.get("kind")
    if kind is None:
        raise PydanticKnownError("union_tag_not_found", {"discriminator": "'kind'"})
    if kind not in _REGISTRY:
        expected = ", ".join(map(repr, known_kinds()))
        known = {"discriminator": "'kind'", "tag": str(kind), "expected_tags": expected}
        raise PydanticKnownError("union_tag_invalid", known)
    return _REGISTRY[kind][0].model_validate(value)


# A field of this type reads a dict by its `kind` and writes every setting of that kind.
EncoderConfig = Annotated[SerializeAsAny[EncoderSettings], PlainValidator(_parse)]

register(SentenceTransformerConfig, SentenceTransformerEncoder)
register(StudentConfig, StudentEncoder)
register(StaticConfig, StaticEncoder)
register(TfidfConfig, TfidfEncoder)
register(TorchvisionConfig, TorchvisionEncoder)
register(ClipConfig, ClipEncoder)
register(AlignedConfig, AlignedEncoder)
register(PixelsConfig, PixelsEncoder)
register(ColoursConfig, ColoursEncoder)
