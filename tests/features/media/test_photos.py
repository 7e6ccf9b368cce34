"""Photos: every way a file can be bad is named; good ones come out upright, RGB, on white."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from features.media.photos import ImageError, content_hashes, decode, decode_each, problems, read_bytes

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def noise(file_format: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 15, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), file_format)


@pytest.mark.parametrize("file_format", FORMATS)
def test_reads_common_formats(file_format: str) -> None:
    image = decode(noise(file_format))
    assert (image.mode, image.size) == ("RGB", (15, 20))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<html>404</html>", "not an image"),
        (b"\xff\xd8\xff", "not an image"),
        (noise("JPEG")[:-40], "truncated"),
        (noise("PNG")[:-40], "truncated"),
        (noise("BMP")[:-40], "truncated"),
        (b"P6 40000 40000 255 ", "too large"),
    ],
)
def test_names_what_is_wrong(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode(data)
    assert caught.value.reason == reason
    assert problems(pl.Series([data], dtype=pl.Binary)).to_list() == [reason]


@pytest.mark.filterwarnings("ignore")  # a damaged header may promise a large photo or odd metadata
@settings(max_examples=300)
@given(
    file_format=st.sampled_from(FORMATS),
    changes=st.lists(st.tuples(st.integers(0, 299), st.integers(0, 255)), max_size=6),
    length=st.none() | st.integers(0, 600),
)
def test_damaged_bytes_give_a_photo_or_an_image_error(
    file_format: str, changes: list[tuple[int, int]], length: int | None
) -> None:
    data = bytearray(noise(file_format))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        image = decode(bytes(data[:length]))
    except ImageError as error:
        assert error.reason in {"empty", "not an image", "truncated", "damaged", "too large"}
    else:
        assert image.mode == "RGB"


def test_turns_as_exif_says() -> None:
    image = Image.new("RGB", (30, 10), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees
    assert decode(encoded(image, "JPEG", exif=exif)).size == (10, 30)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_are_white(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (200, 0, 0, 0)).convert(mode)
    options = {"transparency": image.getpixel((0, 0))} if mode == "P" else {}
    assert np.asarray(decode(encoded(image, **options))).min() == 255


def test_cmyk_keeps_its_colour() -> None:
    image = Image.new("RGB", (16, 16), (250, 0, 0)).convert("CMYK")
    red, green, blue = np.asarray(decode(encoded(image, "JPEG"))).mean(axis=(0, 1))
    assert red > 200
    assert max(green, blue) < 60


def test_sixteen_bits_are_scaled_not_cut_off() -> None:
    levels = np.arange(0, 65536, 4096, dtype=np.uint16).reshape(4, 4)
    decoded = np.asarray(decode(encoded(Image.fromarray(levels))))
    np.testing.assert_array_equal(decoded[..., 0], levels // 256)


def test_paths_bytes_and_nulls(tmp_path) -> None:
    data = noise("PNG")
    good = tmp_path / "good.png"
    good.write_bytes(data)
    paths = pl.Series([str(good), None, str(tmp_path / "none.png"), str(tmp_path)])
    assert problems(paths).to_list() == [None, None, "file not found", "file not found"]
    expected = hashlib.blake2b(data, digest_size=16).hexdigest()
    assert content_hashes(paths).to_list() == [expected, None, None, None]
    assert content_hashes(pl.Series([data, None, b""], dtype=pl.Binary)).to_list()[:2] == [expected, None]
    assert read_bytes(str(good)) == data == read_bytes(data)


@pytest.mark.parametrize("count", [0, 1, 257, 600])
def test_order_is_kept_over_any_number(count: int) -> None:
    items = pl.Series([bytes([i % 256, i // 256]) for i in range(count)], dtype=pl.Binary)
    expected = [hashlib.blake2b(item, digest_size=16).hexdigest() for item in items]
    assert content_hashes(items).to_list() == expected
    assert problems(items).to_list() == ["not an image"] * count


def test_unreadable_photos_are_none_in_their_place() -> None:
    photos = decode_each([noise("PNG"), b"", noise("JPEG")])
    assert [photo is None for photo in photos] == [False, True, False]
