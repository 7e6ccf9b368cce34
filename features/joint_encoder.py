"""Text and photo → one space: a CLIP-like model through sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from features.encoder_protocol import (
    TorchSettings,
    check_modality,
    fingerprint_of,
    major_versions,
    torch_device,
    unit_rows,
)
from features.errors import InputError
from features.images import decode_each
from features.model_files import hash_files, load_model, locate_model

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class ClipConfig(TorchSettings):
    """A CLIP, SigLIP or like model that encodes both texts and photos."""

    kind: Literal["clip"] = "clip"
    model: str = Field(description="a folder (relative to the config file) or a hub id")
    batch_size: int = Field(32, ge=1)


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
            }
        )
        self.space = self.fingerprint

    @cached_property
    def dimensions(self) -> int:
        # Saved CLIP models do not all declare it, so one word tells.
        return int(self._encode([{"text": "a"}]).shape[1])

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        check_modality(self, modality)
        vectors = np.full((len(items), self.dimensions), np.nan, dtype=np.float32)
        # Photos are decoded a few batches at a time: a catalogue of them would not fit in memory.
        step = 8 * self._config.batch_size
        for start in range(0, len(items), step):
            inputs = _inputs(items[start : start + step], modality)
            if inputs:
                vectors[[start + row for row in inputs]] = self._encode(list(inputs.values()))
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


def _inputs(items: Sequence[str | bytes], modality: str) -> dict[int, dict[str, Any]]:
    """The readable items by their position, each marked with its modality.

    Unmarked, sentence-transformers would take a text that ends in .jpg for an address and open it.
    """
    if modality == "image":
        photos = enumerate(decode_each(items))
        return {row: {"image": photo} for row, photo in photos if photo is not None}
    return {row: {"text": text} for row, text in enumerate(map(str, items)) if text.strip()}
