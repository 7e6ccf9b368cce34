"""Pixels and colours in photos whose likeness is known by construction."""

from __future__ import annotations

import io
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from features.encoders.image.plain import (
    ColoursConfig,
    ColoursEncoder,
    PixelsConfig,
    PixelsEncoder,
    lab_of,
    soft_histogram,
)

PIXELS = PixelsEncoder(PixelsConfig(side=8), Path())
COLOURS = ColoursEncoder(ColoursConfig(), Path())


def png(pixels: np.ndarray | Image.Image) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels.astype(np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def halves(left: str, right: str, size: int = 32) -> Image.Image:
    image = Image.new("RGB", (size, size), left)
    image.paste(right, (size // 2, 0, size, size))
    return image


def framed(inside: str, margin: int) -> bytes:
    """A square of one colour on a shop's white background."""
    image = Image.new("RGB", (32, 32), "white")
    image.paste(inside, (margin, margin, 32 - margin, 32 - margin))
    return png(image)


def cosine(encoder: PixelsEncoder | ColoursEncoder, one: bytes, other: bytes) -> float:
    ours, theirs = encoder.encode([one, other], "image")
    return float(ours @ theirs)


@pytest.mark.parametrize("encoder", [PIXELS, COLOURS])
def test_photos_of_one_colour_are_equal_whatever_their_size(encoder: PixelsEncoder | ColoursEncoder) -> None:
    small, large = (png(Image.new("RGB", (side, side), "teal")) for side in (20, 60))
    assert cosine(encoder, small, large) == pytest.approx(1)
    assert cosine(encoder, small, png(Image.new("RGB", (20, 20), "orange"))) < 0.2


def test_a_mirrored_layout_is_other_pixels_and_the_same_colours() -> None:
    photo, mirrored = png(halves("red", "blue")), png(halves("blue", "red"))
    assert cosine(COLOURS, photo, mirrored) == pytest.approx(1)
    assert cosine(PIXELS, photo, photo) == pytest.approx(1)
    assert cosine(PIXELS, photo, mirrored) < 0


def test_pixels_give_pearsons_correlation() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 256, (2, 8, 8, 3))
    expected = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    assert cosine(PIXELS, png(one), png(other)) == pytest.approx(expected, abs=1e-6)
    dimmer = png(one // 2 * 2 // 2 + 40)  # darker and lighter alike leave a correlation as it is
    assert cosine(PIXELS, png(one // 2 * 2), dimmer) == pytest.approx(1, abs=1e-6)


def test_pixels_are_padded_not_stretched() -> None:
    wide = Image.new("RGB", (16, 8), "navy")
    padded = Image.new("RGB", (16, 16), "white")
    padded.paste(wide, (0, 4))
    assert cosine(PIXELS, png(wide), png(padded)) == pytest.approx(1)


def test_an_even_grey_photo_correlates_with_nothing() -> None:
    grey = png(Image.new("RGB", (20, 20), (90, 90, 90)))
    assert np.isnan(PIXELS.encode([grey], "image")).all()
    assert cosine(COLOURS, grey, grey) == pytest.approx(1)


def test_colours_give_bhattacharyyas_coefficient() -> None:
    """Half red and half blue against all red: the root of a half, red and blue sharing no cell."""
    both, red = png(halves("red", "blue")), png(Image.new("RGB", (32, 32), "red"))
    assert cosine(COLOURS, both, red) == pytest.approx(sqrt(1 / 2), abs=1e-6)


def test_a_shared_background_raises_the_cosine_by_its_share_and_keeps_the_order() -> None:
    red, blue, crimson = framed("red", 8), framed("blue", 8), framed("#e01010", 8)
    white = 1 - (16 / 32) ** 2
    assert cosine(COLOURS, red, blue) == pytest.approx(white, abs=1e-6)
    assert white < cosine(COLOURS, red, crimson) < 1


def test_a_slight_change_of_shade_is_slight() -> None:
    def alike(first: int, second: int) -> float:
        return cosine(COLOURS, *(png(Image.new("RGB", (9, 9), (value, 60, 60))) for value in (first, second)))

    steps = [alike(150, value) for value in (150, 155, 170, 200)]
    assert steps == sorted(steps, reverse=True)
    assert steps[1] > 0.9


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # Lindbloom's calculator, D65
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_is_cies(rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    assert lab_of(np.array([rgb], dtype=np.uint8))[0] == pytest.approx(lab, abs=0.05)


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=20))
def test_a_histogram_is_of_shares(colours: list[tuple[int, int, int]]) -> None:
    shares = soft_histogram(lab_of(np.array(colours, dtype=np.uint8)))
    assert shares.sum() == pytest.approx(1)
    assert shares.min() >= 0
    assert (shares > 0).sum() <= 8 * len(set(colours))
