"""What a fitting starts from: a new aligned encoder, or one that was fitted before."""

from __future__ import annotations

import hashlib
from pathlib import Path

from features.encoders.image.aligned import check_files, load_aligned, read_shape
from features.encoders.image.aligned_network import PhotoNetwork, make_network
from features.encoders.image.aligned_settings import AlignedTrainingConfig
from features.errors import InputError


def first_network(settings: AlignedTrainingConfig, dimensions: int, base: Path | None) -> PhotoNetwork:
    """A new aligned encoder, or the one that `start` names.

    base: the folder that relative paths start from. Raises InputError for an aligned encoder to start from that is
    not there, is damaged, or is of another shape than the settings'.
    """
    size = settings.height, settings.width
    if settings.start is None:
        return make_network(settings.backbone, dimensions, size, settings.weights, base, settings.seed)
    folder = (base or Path()) / settings.start
    shape = read_shape(folder)
    check_files(folder)
    wanted = _in_words(settings.backbone, dimensions, *size)
    found = _in_words(shape.backbone, shape.dimensions, shape.height, shape.width)
    if found != wanted:
        cure = "set aligned.backbone, .height and .width to its own, with the text encoder it was fitted to"
        raise InputError(where=folder, expected=wanted, got=found, cure=cure)
    return load_aligned(folder, shape)


def content_of(photo_network: PhotoNetwork) -> str:
    """A hash of its weights: a checkpoint that began from others is not gone on from."""
    hashed = hashlib.blake2b(digest_size=16)
    for tensor in photo_network.state_dict().values():
        hashed.update(tensor.cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()


def _in_words(backbone: str, dimensions: int, height: int, width: int) -> str:
    return f"a {backbone} aligned encoder of {dimensions} dimensions for photos of {width} × {height} pixels"
