"""What an encoder is, and the few lines that every encoder shares.

Torch is imported only when a device is asked for, so that reading a config stays quick.
"""

# ruff: noqa: PLC0415 - torch takes seconds to import, and a run whose vectors are all cached needs none

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from pydantic import Field

from features.errors import InputError
from features.kinds import KindSettings

if TYPE_CHECKING:
    import torch


class Encoder(Protocol):
    """Items of some modality → vectors; frozen: the same item gives the same vector to 1e-5.

    A modality is an open word ("text", "image", "audio", …). Text is given as str; anything else as the
    bytes of a file or its path.
    """

    @property
    def modalities(self) -> frozenset[str]: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def space(self) -> str:
        """Vectors of two encoders may be compared if and only if their spaces are equal."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with the weights, the preprocessing and the library's major version; fits a file name."""
        ...

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        """(n, dimensions) float32 rows of unit length; a row of NaN for an item that cannot be read.

        Raises InputError for a modality that is not among `modalities`.
        """
        ...


@runtime_checkable
class Fittable(Protocol):
    """What an encoder adds that learns from the catalogue's texts before it is frozen (TF-IDF).

    Fit it once, on training texts; save its state beside the model, and name that file in the config
    that scores, so that another catalogue does not change the vectors.
    """

    @property
    def fitted(self) -> bool: ...

    def fit(self, texts: Sequence[str]) -> None: ...

    def save(self, path: Path) -> None: ...


@runtime_checkable
class Bounded(Protocol):
    """What an encoder adds that reads only so many tokens of a text."""

    @property
    def longest(self) -> int | None: ...

    def cuts(self, texts: Sequence[str]) -> np.ndarray:
        """(n,) bool: texts of which the end is never read."""
        ...


class EncoderSettings(KindSettings):
    """The parent of every encoder's config class; a subclass narrows `kind` to one literal word."""


class TorchSettings(EncoderSettings):
    """Where a network runs. Neither setting changes the vectors, so neither enters the fingerprint."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: cuda where there is one")
    threads: int = Field(0, ge=0, description="CPU threads of torch in this process; 0: torch's own choice")


def torch_device(settings: TorchSettings) -> torch.device:
    """The device asked for, with the CPU threads set; InputError for a cuda that is not there."""
    import torch

    if settings.threads:
        torch.set_num_threads(settings.threads)
    if settings.device == "cpu" or (settings.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise InputError(
            where=f"encoder {settings.kind!r}, device",
            expected="a CUDA device that torch can use",
            got="none",
            cure="set device: cpu (or auto), or mend the driver",
        )
    return torch.device("cuda")


def check_modality(encoder: Encoder, modality: str) -> None:
    """Raise InputError unless the encoder reads this modality."""
    if modality not in encoder.modalities:
        raise InputError(
            where=type(encoder).__name__,
            expected=f"a modality among: {', '.join(sorted(encoder.modalities))}",
            got=repr(modality),
            cure="name an encoder of that modality in the config",
        )


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """(n, d) float32, each row divided by its length; a row of zeros has no direction and becomes NaN."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = np.nan
    return (vectors / lengths).astype(np.float32, copy=False)


def fingerprint_of(parts: Mapping[str, object]) -> str:
    """A 128-bit hash, in hex, of whatever decides an encoder's vectors (anything that JSON can hold)."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def major_versions(*packages: str) -> dict[str, str]:
    """The major version of each package, without importing any."""
    return {package: version(package).split(".", 1)[0] for package in packages}
