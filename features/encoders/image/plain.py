"""Photos compared without any learning, by their pixels or by their colours: what a network has to beat.

A photo whose row would have no direction (one even grey, which correlates with nothing) has no vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps
from pydantic import Field

from features.encoders.protocol import (
    EncoderSettings,
    check_modality,
    fingerprint_of,
    major_versions,
    unit_rows,
)
from features.media.photos import decode_each

_AT_ONCE = 256  # photos decoded at a time
_COUNTED_SIDE = 32  # pixels of the longer side; 64 gave no better order (nDCG@10 .669, here .670)
_LIGHTNESS, _CHROMA, _CHROMA_STEP = 6, 11, 16.0  # cells of the histogram; a* and b* from -80 to 80
# sRGB to CIE XYZ (IEC 61966-2-1), each row divided by the white point D65.
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_XYZ /= _XYZ.sum(axis=1, keepdims=True)
_VALUES = np.arange(256) / 255
_LINEAR = np.where(_VALUES <= 0.04045, _VALUES / 12.92, ((_VALUES + 0.055) / 1.055) ** 2.4)


class PixelsConfig(EncoderSettings):
    """The photo itself, small: the cosine of two is the correlation of their pixels."""

    kind: Literal["pixels"] = "pixels"
    # 16 gave .608, 32 .597 in nDCG@10 of the cosine on 120 photo queries (training part of a fashion shop).
    side: int = Field(16, ge=2, description="of the square that the photo is shrunk to, padded with white")


class ColoursConfig(EncoderSettings):
    """How much of the photo has which colour: the cosine of two is their Bhattacharyya coefficient."""

    kind: Literal["colours"] = "colours"


class PixelsEncoder:
    """RGB values of the small photo less their mean, at unit length: a cosine is Pearson's correlation."""

    modalities = frozenset({"image"})

    def __init__(self, config: PixelsConfig, base: Path) -> None:  # noqa: ARG002 - it reads no file
        self._side = config.side
        self.dimensions = 3 * config.side**2
        self.space = self.fingerprint = _fingerprint(config)

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        check_modality(self, modality)
        return _encode(items, self._pixels, self.dimensions)

    def _pixels(self, photo: Image.Image) -> np.ndarray:
        square = ImageOps.pad(photo, (self._side, self._side), Image.Resampling.BOX, color="white")
        values = np.asarray(square, dtype=np.float32).ravel()
        return values - values.mean()


class ColoursEncoder:
    """Square roots of a joint histogram in CIE L*a*b*, each pixel shared by the eight nearest cells.

    The cosine of two rows is the Bhattacharyya coefficient of their histograms, 1 less the square of
    Hellinger's distance (Bhattacharyya 1943). Trilinear sharing keeps a slight change of shade slight.

    The white background that a shop's photos share is counted with the rest. It raises all cosines but hardly
    changes their order: leaving pure white out gave an nDCG@10 of .660 in place of .670 on 120 photo queries
    (training part of a fashion shop), and .231 both ways, counted at 64 pixels, from 296 phone photos to a
    grocer's own.
    """

    modalities = frozenset({"image"})
    dimensions = _LIGHTNESS * _CHROMA**2

    def __init__(self, config: ColoursConfig, base: Path) -> None:  # noqa: ARG002 - it reads no file
        self.space = self.fingerprint = _fingerprint(config)

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        check_modality(self, modality)
        return _encode(items, _colours, self.dimensions)


def _colours(photo: Image.Image) -> np.ndarray:
    small = photo.copy()
    # The nearest pixel, not a mean of several: a mean of red and white is a pink that is not there.
    small.thumbnail((_COUNTED_SIDE, _COUNTED_SIDE), Image.Resampling.NEAREST)
    return np.sqrt(soft_histogram(lab_of(np.asarray(small).reshape(-1, 3))))


def lab_of(pixels: np.ndarray) -> np.ndarray:
    """(n, 3) L* in 0 to 100, a*, b* of (n, 3) sRGB bytes: CIE 1976 for the white point D65."""
    relative = _LINEAR[pixels] @ _XYZ.T
    x, y, z = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative * (29 / 6) ** 2 / 3 + 4 / 29).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def soft_histogram(lab: np.ndarray) -> np.ndarray:
    """(cells,) shares that sum to 1: each colour goes to its eight nearest cells, the nearer the more."""
    shape = (_LIGHTNESS, _CHROMA, _CHROMA)
    steps = np.array([100 / (_LIGHTNESS - 1), _CHROMA_STEP, _CHROMA_STEP])
    middle = np.array([0.0, _CHROMA // 2, _CHROMA // 2])
    place = np.clip(lab / steps + middle, 0, np.array(shape) - 1)
    lower = np.minimum(place.astype(np.int64), np.array(shape) - 2)
    above = place - lower
    counts = np.zeros(int(np.prod(shape)))
    for corner in np.ndindex(2, 2, 2):
        share = np.where(corner, above, 1 - above).prod(axis=1)
        cells = np.ravel_multi_index(tuple((lower + corner).T), shape)
        counts += np.bincount(cells, share, len(counts))
    return counts / len(lab)


def _encode(
    items: Sequence[str | bytes], row_of: Callable[[Image.Image], np.ndarray], dimensions: int
) -> np.ndarray:
    vectors = np.full((len(items), dimensions), np.nan, dtype=np.float32)
    for start in range(0, len(items), _AT_ONCE):
        for row, photo in enumerate(decode_each(items[start : start + _AT_ONCE]), start):
            if photo is not None:
                vectors[row] = row_of(photo)
    return unit_rows(vectors)


def _fingerprint(config: EncoderSettings) -> str:
    return fingerprint_of({**config.model_dump(), "versions": major_versions("pillow", "numpy")})
