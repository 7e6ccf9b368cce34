"""Photo → vector: any torchvision classification backbone, its classifier taken off."""

# ruff: noqa: PLC0415 - torch takes seconds to import, and a run whose vectors are all cached needs none

from __future__ import annotations

import difflib
import pickle
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from features.disk import sha256
from features.encoders.image.photo_loading import PhotoSettings, encode_photos
from features.encoders.protocol import (
    check_modality,
    fingerprint_of,
    major_versions,
    torch_device,
)
from features.errors import InputError

if TYPE_CHECKING:
    import torch

_FILES = (".pth", ".pt", ".safetensors")
_EXAMPLES = ("resnet50", "efficientnet_v2_s", "mobilenet_v3_small", "vit_b_16")
_HEADS = ("fc", "classifier", "heads", "head")


class TorchvisionConfig(PhotoSettings):
    """A torchvision backbone and its weights; without weights it is refused, never silently random."""

    kind: Literal["torchvision"] = "torchvision"
    backbone: str = Field("resnet50", description="a torchvision classification model, such as vit_b_16")
    weights: str | None = Field(
        None,
        description="a torchvision name (DEFAULT, IMAGENET1K_V2: downloaded), a state dict "
        "(.pth, .pt, .safetensors; relative to the config file), or random",
    )
    seed: int = Field(0, description="of weights: random")
    size: int | None = Field(
        None, ge=1, description="side of the square the network sees, in pixels; null: its own"
    )


class TorchvisionEncoder:
    """Pooled features of the layer before the classifier.

    Preprocessing is that of the named weights, or of the backbone's default weights where they come from
    a file or are random. The network is built at the first photo: a cached run needs no weights.
    """

    modalities = frozenset({"image"})

    def __init__(self, config: TorchvisionConfig, base: Path) -> None:
        from torchvision import models

        known = models.list_models(module=models)
        if config.backbone not in known:
            near = difflib.get_close_matches(config.backbone, known)
            raise InputError(
                where="encoder 'torchvision', backbone",
                expected="a torchvision classification model",
                got=repr(config.backbone),
                cure=f"name one such as {', '.join(near or _EXAMPLES)}",
            )
        self._config, self._base = config, base
        if config.device == "cuda":
            torch_device(config)
        source, self._transform = _source(config, base), _preset(config)
        self.fingerprint = fingerprint_of(
            {
                "kind": config.kind,
                "backbone": config.backbone,
                "weights": source,
                "preprocessing": repr(self._transform),
                "size": config.size,
                "versions": major_versions("torchvision"),
                **config.rounding,
            }
        )
        self.space = self.fingerprint

    @cached_property
    def dimensions(self) -> int:
        side = self._transform.crop_size[0]
        return int(self._forward([np.zeros((side, side, 3), dtype=np.uint8)]).shape[1])

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        check_modality(self, modality)
        return encode_photos(items, self._shrink, self._forward, self.dimensions, self._config)

    def _shrink(self, image: Image.Image) -> np.ndarray:
        """(side, side, 3) uint8: the first half of the preset, Pillow's; the other half is one batch's."""
        from torchvision.transforms import functional

        preset = self._transform
        resized = functional.resize(
            image, preset.resize_size, preset.interpolation, antialias=preset.antialias
        )
        return np.asarray(functional.center_crop(resized, preset.crop_size))

    def _forward(self, photos: Sequence[np.ndarray]) -> np.ndarray:
        import torch
        from torchvision.transforms import functional

        preset = self._transform
        pixels = torch.from_numpy(np.stack(photos)).to(self._device).permute(0, 3, 1, 2).contiguous()
        with torch.inference_mode():
            floats = functional.convert_image_dtype(pixels, torch.float32)
            scaled = functional.normalize(floats, preset.mean, preset.std)
            return self.network(scaled).float().cpu().numpy()

    @cached_property
    def _device(self) -> torch.device:
        return torch_device(self._config)

    @cached_property
    def network(self) -> torch.nn.Module:
        import torch
        from torchvision import models

        config = self._config
        # A vision transformer's position table is as long as its photo has patches.
        sized = {"image_size": config.size} if config.size and config.backbone.startswith("vit_") else {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = models.get_model(config.backbone, weights=None, **sized)
        head = remove_head(network)
        if config.weights != "random":
            _load(network, _state(config, self._base), head, f"weights {config.weights!r}")
        return network.eval().to(self._device)


def remove_head(network: torch.nn.Module) -> str:
    """Cut the classifier off in place, from its first linear layer on; returns the head's name.

    Backbones that flatten a map of several positions (VGG, AlexNet, SqueezeNet) average it instead.
    """
    from torch import nn

    name = next(name for name in _HEADS if hasattr(network, name))
    head = getattr(network, name)
    kept: list[nn.Module] = []
    for layer in head if isinstance(head, nn.Sequential) else [head]:
        if isinstance(layer, nn.Conv2d):  # SqueezeNet classifies by a convolution
            kept.append(nn.AdaptiveAvgPool2d(1))
        if isinstance(layer, nn.Linear | nn.Conv2d):
            break
        kept.append(layer)
    setattr(network, name, nn.Sequential(*kept))
    if isinstance(getattr(network, "avgpool", None), nn.AdaptiveAvgPool2d):
        network.avgpool = nn.AdaptiveAvgPool2d(1)
    return name


def _preset(config: TorchvisionConfig) -> Any:
    """Resize, centre crop and normalise, as torchvision keeps them beside the weights."""
    from torchvision.transforms._presets import ImageClassification

    weights = _named_weights(config)
    preset = weights.transforms()
    if config.size is None:
        return preset
    return ImageClassification(
        crop_size=config.size,
        resize_size=round(config.size * preset.resize_size[0] / preset.crop_size[0]),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        interpolation=preset.interpolation,
    )


def _named_weights(config: TorchvisionConfig) -> Any:
    """The torchvision weights entry: the one named, or the default one's for files and random weights."""
    from torchvision import models

    entries = models.get_model_weights(config.backbone)
    name = str(config.weights)
    if name == "random" or name.endswith(_FILES) or name == "DEFAULT":
        return entries.DEFAULT
    if name not in entries.__members__:
        raise InputError(
            where="encoder 'torchvision', weights",
            expected=f"{', '.join(entries.__members__)}, random or a file ({', '.join(_FILES)})",
            got=repr(name),
            cure="choose one of them",
        )
    return entries[name]


def _source(config: TorchvisionConfig, base: Path) -> str:
    """What identifies the weights: their address (it carries their hash), their file's hash, or the seed."""
    if config.weights is None:
        raise InputError(
            where="encoder 'torchvision'",
            expected="weights",
            got="none",
            cure="name torchvision weights or a file; to run without knowledge, say weights: random",
        )
    if config.weights == "random":
        from torch import __version__ as torch_version

        return f"seed {config.seed}, torch {torch_version.split('+')[0]}"
    if not config.weights.endswith(_FILES):
        return str(_named_weights(config).url)
    path = base / config.weights
    if not path.is_file():
        raise InputError(
            where=path,
            expected="a file of weights",
            got="no such file",
            cure="mend the path (relative ones start from the config file)",
        )
    return sha256(path)


def _state(config: TorchvisionConfig, base: Path) -> object:
    name = str(config.weights)
    if not name.endswith(_FILES):
        return _download(config)
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = base / name
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).split("\n", 1)[0]
        raise InputError(
            where=path, expected="a state dict", got=reason, cure="save the model's state_dict() again"
        ) from error


def _download(config: TorchvisionConfig) -> object:
    weights = _named_weights(config)
    try:
        return weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: the hash differs
        raise InputError(
            where=f"encoder 'torchvision', weights {weights.name}",
            expected=f"a download of {weights.url}",
            got=type(error).__name__,
            cure="fetch that file where there is a network and name its path under weights",
        ) from error


def _load(network: torch.nn.Module, state: object, head: str, where: str) -> None:
    """Fill the network; the file may hold a head of any size or none, but every other tensor must fit."""
    wanted = network.state_dict()
    tensors = state if isinstance(state, dict) else {}
    ours = {name: tensor for name, tensor in tensors.items() if name in wanted}
    unknown = [
        name for name in tensors if name not in wanted and not name.startswith((f"{head}.", "AuxLogits."))
    ]
    problems = [f"no {name}" for name in wanted if name not in ours]
    problems += [f"unknown {name}" for name in unknown]
    problems += [f"{name} of another shape" for name in ours if ours[name].shape != wanted[name].shape]
    if problems:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise InputError(
            where=where,
            expected="the tensors of this backbone",
            got=f"{problems[0]}{more}",
            cure="name the backbone (and size) the weights belong to",
        )
    network.load_state_dict(ours)
