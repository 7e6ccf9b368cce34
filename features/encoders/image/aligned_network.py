"""The aligned encoder: photo → backbone → projection into the space of a text encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional

from features.encoders.image.pretrained import TorchvisionConfig, TorchvisionEncoder
from features.errors import InputError

SMALL = "small"
_STAGES = ((64, 1), (128, 2), (256, 2))  # channels and blocks, each stage at half the resolution before
_STEM = 32
_ENCODED_AT_ONCE = 512
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision's weights expect


class PhotoNetwork(nn.Module):
    """(n, 3, height, width) pixels from 0 to 255 → (n, dimensions) rows of unit length."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, width: int, dimensions: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection = nn.Linear(width, dimensions)
        self.register_buffer("mean", 255 * torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(_STD).view(3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.backbone((pixels.float() - self.mean) / self.std)
        return functional.normalize(self.projection(features).float(), dim=1)


def make_network(
    backbone: str,
    dimensions: int,
    size: tuple[int, int],
    weights: str | None = None,
    base: Path | None = None,
    seed: int = 0,
) -> PhotoNetwork:
    """An aligned encoder with random weights, or one whose backbone starts from `weights`.

    backbone: "small", or a torchvision classification model. size: height and width of the photos.
    Raises InputError for a backbone that is not known or does not take that size, and for weights that
    are missing or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if backbone == SMALL:
            network = _small_backbone()
        else:
            network = _torchvision_backbone(backbone, size, weights, base, seed)
        network = network.to(memory_format=torch.channels_last)
        return PhotoNetwork(network, _width(network, backbone, size), dimensions)


def to_pixels(images: Sequence[Image.Image], height: int, width: int) -> np.ndarray:
    """(n, height, width, 3) uint8: whole photos, the rest of the frame white, nothing stretched or cut."""
    pixels = np.empty((len(images), height, width, 3), dtype=np.uint8)
    for row, image in enumerate(images):
        pixels[row] = photo_pixels(image, height, width)
    return pixels


def photo_pixels(image: Image.Image, height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8 of one photo."""
    return np.asarray(ImageOps.pad(image, (width, height), Image.Resampling.BILINEAR, color="white"))


def as_batch(pixels: Tensor) -> Tensor:
    """(n, height, width, 3) → (n, 3, height, width), which lies in memory channels last, without a copy."""
    return pixels.permute(0, 3, 1, 2)


def encode_pixels(photo_network: PhotoNetwork, pixels: Tensor, device: torch.device) -> np.ndarray:
    """(n, h, w, 3) uint8 → (n, d) float32 unit rows, in full precision."""
    photo_network.eval()
    with torch.inference_mode():
        parts = [photo_network(as_batch(part.to(device))).cpu() for part in pixels.split(_ENCODED_AT_ONCE)]
    return torch.cat(parts).numpy()


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; elsewhere it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = getattr(torch.cpu, "get_capabilities", dict)  # earlier versions of torch cannot tell
    able: Mapping[str, object] = capabilities()
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


class _Block(nn.Module):
    """Two 3×3 convolutions with squeeze-and-excitation around a shortcut.

    He et al., "Deep residual learning for image recognition" (2016), with the average-pooled shortcut of
    "Bag of tricks for image classification" (2019); Hu et al., "Squeeze-and-excitation networks" (2018).
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_convolution(channels, width, 3, stride), nn.ReLU(inplace=True), *_convolution(width, width, 3)
        )
        self.excitation = nn.Sequential(
            nn.Linear(width, width // 4), nn.ReLU(inplace=True), nn.Linear(width // 4, width), nn.Sigmoid()
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels != width:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True), *_convolution(channels, width, 1)
            )

    def forward(self, maps: Tensor) -> Tensor:
        made = self.convolutions(maps)
        gates = self.excitation(made.mean(dim=(2, 3)))
        return functional.relu(made * gates[:, :, None, None] + self.shortcut(maps))


class _MeanAndMax(nn.Module):
    """(n, c, h, w) → (n, 2c): what is there on the whole, and what stands out."""

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)


def _convolution(channels: int, width: int, side: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    convolution = nn.Conv2d(channels, width, side, stride, padding=side // 2, bias=False)
    return convolution, nn.BatchNorm2d(width)


def _small_backbone() -> nn.Module:
    """A residual network that keeps a CPU busy with matrix products: strided stem, wide late stages."""
    layers: list[nn.Module] = [*_convolution(3, _STEM, 3, stride=2), nn.ReLU(inplace=True)]
    channels = _STEM
    for width, blocks in _STAGES:
        for block in range(blocks):
            layers.append(_Block(channels, width, stride=1 if block else 2))
            channels = width
    return nn.Sequential(*layers, _MeanAndMax())


def _torchvision_backbone(
    name: str, size: tuple[int, int], weights: str | None, base: Path | None, seed: int
) -> nn.Module:
    """Its classifier taken off; the encoder of that kind explains a wrong name or wrong weights."""
    side = size[0] if size[0] == size[1] else None
    source = TorchvisionConfig(backbone=name, weights=weights or "random", seed=seed, size=side, device="cpu")
    network: Any = TorchvisionEncoder(source, base or Path()).network
    if hasattr(network, "aux_logits"):
        network.aux_logits = False  # GoogLeNet and Inception classify twice more while they are trained
    return network


def _width(network: nn.Module, backbone: str, size: tuple[int, int]) -> int:
    """How many features the backbone gives."""
    try:
        with torch.inference_mode():
            return int(network.eval()(torch.zeros(1, 3, *size)).shape[1])
    except (AssertionError, RuntimeError) as error:  # how vision transformers refuse a size
        raise InputError(
            where="aligned.backbone",
            expected=f"a network that takes photos of {size[1]} × {size[0]} pixels",
            got=f"{backbone!r}: {str(error).splitlines()[0]}",
            cure="set aligned.height and aligned.width to the size it takes, or name another",
        ) from error
