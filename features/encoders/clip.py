"""Text and photo → one space: a CLIP-like model through sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from features.encoders.image.photo_loading import PhotoSettings, autocast, encode_photos
from features.encoders.protocol import (
    check_modality,
    fingerprint_of,
    major_versions,
    torch_device,
    unit_rows,
)
from features.encoders.text.model_files import hash_files, load_model, locate_model
from features.errors import InputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class ClipConfig(PhotoSettings):
    """A CLIP, SigLIP or like model that encodes both texts and photos."""

    packages: ClassVar[tuple[str, ...]] = ("torch", "torchvision", "sentence_transformers")
    extra: ClassVar[str] = "all"

    kind: Literal["clip"] = "clip"
    model: str = Field(description="a folder (relative to the config file) or a hub id")


class ClipEncoder:
    """Both modalities in one space; texts longer than the model's limit are cut."""

    modalities = frozenset({"text", "image"})

    def __init__(self, config: ClipConfig, base: Path) -> None:
        self._config = config
        if config.device == "cuda":
            torch_device(config)
        self._folder = locate_model(config.model, base)
        self.fingerprint = fingerprint_of(
            {
                "kind": config.kind,
                "files": hash_files(self._folder),
                "versions": major_versions("sentence-transformers", "transformers"),
                **config.rounding,
            }
        )
        self.space = self.fingerprint

    @cached_property
    def dimensions(self) -> int:
        # Saved CLIP models do not all declare it, so one word tells.
        return int(self._encode([{"text": "a"}]).shape[1])

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        check_modality(self, modality)
        if modality == "image":
            # Marked with their modality: unmarked, sentence-transformers would open a text that ends in .jpg.
            return encode_photos(
                items, lambda photo: {"image": photo}, self._encode, self.dimensions, self._config
            )
        vectors = np.full((len(items), self.dimensions), np.nan, dtype=np.float32)
        readable = [row for row, text in enumerate(map(str, items)) if text.strip()]
        if readable:
            with autocast(self._config):
                vectors[readable] = self._encode([{"text": str(items[row])} for row in readable])
        return unit_rows(vectors)

    @cached_property
    def _model(self) -> SentenceTransformer:
        model = load_model(self._folder, torch_device(self._config))
        if not self.modalities <= set(model.modalities):
            raise InputError(
                where=self._folder,
                expected="a model of text and image",
                got=f"one of {', '.join(map(str, model.modalities))}",
                cure="use kind: sentence-transformer for a text model",
            )
        return model

    def _encode(self, inputs: Sequence[dict[str, Any]]) -> np.ndarray:
        return self._model.encode(list(inputs), batch_size=self._config.batch_size, show_progress_bar=False)
