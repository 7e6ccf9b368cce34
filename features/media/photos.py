"""Bytes or a path → an upright RGB photo on white; files that cannot be read are named, not hidden.

A photo is given as its encoded bytes (JPEG, PNG, WebP, … as Pillow reads them) or as the path of a file.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image, ImageOps, UnidentifiedImageError

# What Pillow's readers raise on damaged bytes (found by flipping bytes in files of ten formats).
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    ArithmeticError,
    struct.error,
)
NOT_FOUND = "file not found"
_THREADS = min(4, os.cpu_count() or 1)
_CHUNK = 256
_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")


class ImageError(Exception):
    """A photo that cannot be read; `reason` is a short noun phrase fit for a table of rejects."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def read_bytes(item: bytes | str) -> bytes:
    """The encoded photo itself: bytes as they are, a path's file read. Raises ImageError."""
    if isinstance(item, bytes):
        return item
    try:
        return Path(item).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise ImageError(NOT_FOUND) from error


def decode(data: bytes) -> Image.Image:
    """An RGB photo, decoded in full: turned as its EXIF says, transparent parts white.

    Raises ImageError: "empty", "not an image", "truncated", "damaged" or "too large"
    (more pixels than Pillow takes for a decompression bomb).
    """
    if not data:
        raise ImageError("empty")
    try:
        image = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise ImageError("too large") from error
    except (UnidentifiedImageError, *_DAMAGE) as error:
        raise ImageError("not an image") from error
    try:
        return _flatten(ImageOps.exif_transpose(image))
    except _DAMAGE as error:
        raise ImageError("truncated" if "truncat" in str(error).lower() else "damaged") from error


def problems(images: pl.Series) -> pl.Series:
    """(n,) String: why each photo cannot be read, null where it can or where there is none.

    `images` holds bytes (Binary) or paths (String). Every photo is decoded in full, so that a file cut
    short is found now and not in the middle of an encoding run.
    """
    return _each(images, _problem).alias("problem")


def content_hashes(images: pl.Series) -> pl.Series:
    """(n,) String: 128-bit BLAKE2b of each item's bytes, in hex; null where null or where no file is."""
    return _each(images, _content_hash).alias("content_hash")


def decode_each(items: Sequence[bytes | str]) -> list[Image.Image | None]:
    """The photos in order, None for each that cannot be read."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(_decode_or_none, items))


def _flatten(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), coloured).convert("RGB")
    if image.mode in _SIXTEEN_BIT:
        # Pillow's own conversion cuts off at 255: every 16-bit photo would come out white.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def _each(images: pl.Series, function: Callable[[bytes | str], str | None]) -> pl.Series:
    def read(start: int) -> list[str | None]:
        # By slices: the bytes of a whole catalogue are never held a second time.
        return [None if item is None else function(item) for item in images.slice(start, _CHUNK)]

    with ThreadPoolExecutor(_THREADS) as pool:
        parts = pool.map(read, range(0, len(images), _CHUNK))
        return pl.Series(values=[value for part in parts for value in part], dtype=pl.String)


def _problem(item: bytes | str) -> str | None:
    try:
        decode(read_bytes(item))
    except ImageError as error:
        return error.reason
    return None


def _content_hash(item: bytes | str) -> str | None:
    try:
        return hashlib.blake2b(read_bytes(item), digest_size=16).hexdigest()
    except ImageError:
        return None


def _decode_or_none(item: bytes | str) -> Image.Image | None:
    try:
        return decode(read_bytes(item))
    except ImageError:
        return None
