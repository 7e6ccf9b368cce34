"""Text → the mean of its tokens' fixed vectors: no network is left, so a text takes microseconds."""

# ruff: noqa: PLC0415 - model2vec is an optional extra

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from features.encoders.folder_sums import checked_sums, write_sums
from features.encoders.protocol import (
    EncoderSettings,
    check_modality,
    fingerprint_of,
    major_versions,
    unit_rows,
)
from features.errors import NotFittedError

if TYPE_CHECKING:
    from model2vec import StaticModel

_WEIGHTS, _TOKENIZER, _ABOUT, _RECORD = "model.safetensors", "tokenizer.json", "config.json", "fitting.json"
_FILES = (_WEIGHTS, _TOKENIZER, _ABOUT)
_CURE = "make it of a larger encoder first"


class StaticConfig(EncoderSettings):
    """A table of token vectors that was made (see `encoders.fitting`) of a text encoder."""

    packages: ClassVar[tuple[str, ...]] = ("model2vec",)
    extra: ClassVar[str] = "fast"

    kind: Literal["static"] = "static"
    folder: str = Field(description="of the table; relative to the config file")


class StaticEncoder:
    """Read and averaged by `model2vec`. Its space is its own: the axes are not the teacher's.

    A text of which no token is known is a row of NaN.
    """

    modalities = frozenset({"text"})

    def __init__(self, config: StaticConfig, base: Path) -> None:
        self._folder = base / config.folder
        if not is_static(self._folder):
            got = f"no {_ABOUT} or no {_WEIGHTS} in it" if self._folder.is_dir() else "no such folder"
            raise NotFittedError(where=self._folder, expected="a static text encoder", got=got, cure=_CURE)
        self.fingerprint = fingerprint_of(
            {
                "kind": config.kind,
                "files": checked_sums(self._folder, _FILES),
                "versions": major_versions("model2vec"),
            }
        )
        self.space = self.fingerprint

    @property
    def dimensions(self) -> int:
        return self._model.dim

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        check_modality(self, modality)
        if not items:
            return np.empty((0, self.dimensions), dtype=np.float32)
        # In this process: model2vec would start others for long lists, each with its own copy.
        return unit_rows(self._model.encode([str(item) for item in items], use_multiprocessing=False))

    @cached_property
    def _model(self) -> StaticModel:
        from model2vec import StaticModel
        from safetensors import SafetensorError

        try:
            return StaticModel.from_pretrained(self._folder, max_length=None)
        except (SafetensorError, ValueError, KeyError) as error:
            raise NotFittedError(
                where=self._folder,
                expected="a static text encoder",
                got=str(error).split("\n", 1)[0],
                cure=_CURE,
            ) from error


def save_static(folder: Path, model: StaticModel, record: Mapping[str, object]) -> None:
    """Fill a folder with a table of token vectors; record: how it was made, for people to read."""
    from model2vec.persistence import save_pretrained

    save_pretrained(folder, model.embedding, model.tokenizer, model.config, create_model_card=False)
    (folder / _WEIGHTS).chmod(0o644)  # safetensors keeps it from everyone else
    write_sums(folder, _FILES)
    (folder / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def is_static(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _FILES)
