"""Photo → the space of a text encoder: an aligned encoder fitted on the shop's own catalogue, now frozen."""

# ruff: noqa: PLC0415 - torch takes seconds to import, and a run whose vectors are all cached needs none

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.encoders.folder_sums import checked_sums, write_sums
from features.encoders.image.photo_loading import PhotoSettings, encode_photos
from features.encoders.protocol import (
    check_modality,
    fingerprint_of,
    major_versions,
    torch_device,
)
from features.errors import NotFittedError

if TYPE_CHECKING:
    import torch

    from features.encoders.image.aligned_network import PhotoNetwork

_WEIGHTS, _ABOUT, _RECORD = "aligned.safetensors", "config.json", "fitting.json"
_CURE = "fit it on a catalogue first"


class AlignedConfig(PhotoSettings):
    """An aligned encoder that was fitted (see `encoders.fitting`) to the space of a text encoder."""

    kind: Literal["aligned"] = "aligned"
    folder: str = Field(description="of the aligned encoder; relative to the config file")
    batch_size: int = Field(256, ge=1, description="photos the network sees at a time")


class AlignedShape(BaseModel):
    """What a saved aligned encoder is, beside its weights: the content of its config.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: str
    dimensions: int
    height: int
    width: int
    space: str = Field(description="that of the text encoder the aligned encoder was fitted to")


class AlignedEncoder:
    """Photos in the space of the text encoder that the aligned encoder was fitted to: the two may be compared.

    With any other text encoder the spaces differ, and text–photo similarity is absent. The network is
    loaded at the first photo: a cached run needs no torch.
    """

    modalities = frozenset({"image"})

    def __init__(self, config: AlignedConfig, base: Path) -> None:
        self._config, self._folder = config, base / config.folder
        if config.device == "cuda":
            torch_device(config)
        self._shape = read_shape(self._folder)
        sums = check_files(self._folder)
        self.space = self._shape.space
        self.dimensions = self._shape.dimensions
        self.fingerprint = fingerprint_of(
            {
                "kind": config.kind,
                "shape": self._shape.model_dump(),
                "weights": sums[_WEIGHTS],
                "versions": major_versions("torchvision", "pillow"),
                **config.rounding,
            }
        )

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        check_modality(self, modality)
        return encode_photos(items, self._shrink, self._forward, self.dimensions, self._config)

    def _shrink(self, image: Image.Image) -> np.ndarray:
        from features.encoders.image.aligned_network import photo_pixels

        return photo_pixels(image, self._shape.height, self._shape.width)

    def _forward(self, photos: Sequence[np.ndarray]) -> np.ndarray:
        import torch

        from features.encoders.image.aligned_network import encode_pixels

        return encode_pixels(self._photo_network, torch.from_numpy(np.stack(photos)), self._device)

    @cached_property
    def _device(self) -> torch.device:
        return torch_device(self._config)

    @cached_property
    def _photo_network(self) -> PhotoNetwork:
        return load_aligned(self._folder, self._shape).to(self._device)


def save_aligned(
    folder: Path, photo_network: PhotoNetwork, shape: AlignedShape, record: Mapping[str, object]
) -> None:
    """Fill a folder with a aligned encoder; record: how it was made, for people to read."""
    from safetensors.torch import save_file

    state = {name: tensor.cpu().contiguous() for name, tensor in photo_network.state_dict().items()}
    save_file(state, folder / _WEIGHTS)
    (folder / _ABOUT).write_text(shape.model_dump_json(indent=2) + "\n", encoding="utf-8")
    write_sums(folder, (_ABOUT, _WEIGHTS))
    (folder / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def is_aligned(folder: Path) -> bool:
    return (folder / _ABOUT).is_file() and (folder / _WEIGHTS).is_file()


def check_files(folder: Path) -> dict[str, str]:
    """Sums of its files; NotFittedError for one that changed since it was written."""
    return checked_sums(folder, (_ABOUT, _WEIGHTS))


def read_shape(folder: Path) -> AlignedShape:
    """What a saved aligned encoder is; InputError where there is none, or its files are damaged."""
    if not is_aligned(folder):
        got = "no such folder" if not folder.is_dir() else f"no {_ABOUT} or no {_WEIGHTS} in it"
        raise NotFittedError(where=folder, expected="a fitted aligned encoder", got=got, cure=_CURE)
    try:
        return AlignedShape.model_validate_json((folder / _ABOUT).read_bytes())
    except ValidationError as error:
        problem = error.errors()[0]
        got = f"{'.'.join(map(str, problem['loc']))} {problem['msg']}".strip()
        raise NotFittedError(
            where=folder / _ABOUT, expected="the description of an aligned encoder", got=got, cure=_CURE
        ) from error


def load_aligned(folder: Path, shape: AlignedShape) -> PhotoNetwork:
    """The network in eval mode, on the CPU; InputError for weights that are damaged or of another network."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from features.encoders.image.aligned_network import make_network

    photo_network = make_network(shape.backbone, shape.dimensions, (shape.height, shape.width))
    try:
        photo_network.load_state_dict(load_file(folder / _WEIGHTS))
    except (SafetensorError, RuntimeError) as error:  # RuntimeError: tensors that do not fit
        raise NotFittedError(
            where=folder / _WEIGHTS,
            expected=f"the weights of a {shape.backbone} aligned encoder",
            got=str(error).split("\n", 1)[0],
            cure=_CURE,
        ) from error
    return photo_network.eval()
