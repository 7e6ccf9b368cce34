"""Photos: every way a file can be bad is named; good ones come out upright, RGB, on white."""

from __future__ import annotations

import hashlib
import io
from contextlib import suppress

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps

from features.media.files import content_hashes, read_bytes
from features.media.photos import ImageError, decode, decode_each, problems
from tests.features.media.png_files import (
    COLOUR,
    COLOUR_ALPHA,
    GREY,
    GREY_ALPHA,
    KINDS,
    on_white,
    png,
    promised,
)

Image.init()
_WRITABLE = tuple(Image.SAVE)
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
        (b"%!PS-Adobe-3.0 EPSF-3.0", "format EPS is not read"),
        (noise("JPEG")[:-40], "truncated"),
        (noise("PNG")[:-40], "truncated"),
        (noise("BMP")[:-40], "truncated"),
        (b"P6 40000 40000 255 ", "format PPM is not read"),
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


@pytest.mark.parametrize(("bits", "most"), [(8, 255), (16, 65535), (32, 2**31 - 1)])
def test_wide_greys_are_scaled_by_the_room_they_take(bits: int, most: int) -> None:
    levels = np.array([[0, most // 2, most]], dtype=np.int32)
    decoded = np.asarray(decode(encoded(Image.fromarray(levels), "TIFF")))
    np.testing.assert_array_equal(decoded[..., 0], levels >> (24 if bits == 32 else bits - 8))


@pytest.mark.parametrize("brand", ["heic", "heix", "hevc", "mif1", "msf1"])
def test_a_phones_format_is_named(brand: str) -> None:
    with pytest.raises(ImageError, match="HEIC is not read"):
        decode(b"\0\0\0\x18ftyp" + brand.encode() + bytes(20))


def test_paths_bytes_and_nulls(tmp_path) -> None:
    data = noise("PNG")
    good = tmp_path / "good.png"
    good.write_bytes(data)
    paths = pl.Series([str(good), None, str(tmp_path / "none.png"), str(tmp_path)])
    assert problems(paths).to_list() == [None, None, "file not found", "not a regular file"]
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


@pytest.mark.parametrize(("bits", "kind"), KINDS)
def test_every_kind_of_png_is_the_picture_that_its_samples_are(bits: int, kind: int) -> None:
    """Grey or colour, of 1 to 16 bits, with a transparent colour or alpha, against the samples themselves."""
    rng = np.random.default_rng(bits * 10 + kind)
    channels = {GREY: 1, COLOUR: 3, GREY_ALPHA: 2, COLOUR_ALPHA: 4}[kind]
    for named in (False, True) if kind in (GREY, COLOUR) else (False,):
        for _ in range(8):
            samples = rng.integers(0, 2**bits, (5, 7, channels))
            transparent = samples[2, 3] if named else None
            picture = np.asarray(decode(png(samples, bits, kind, transparent))).astype(np.float64)
            expected = on_white(samples, bits, kind, transparent)
            np.testing.assert_allclose(picture, expected, atol=2)


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_grey_in_fractions_and_long_numbers_is_scaled(top: float) -> None:
    ramp = np.linspace(0, 1, 64).reshape(8, 8)
    fractions = encoded(Image.fromarray((ramp * top).astype(np.float32)), "TIFF")
    np.testing.assert_allclose(np.asarray(decode(fractions))[..., 0], ramp * 255, atol=1.01)
    longs = encoded(Image.fromarray((ramp * (2**31 - 1)).astype(np.int32)), "TIFF")
    np.testing.assert_allclose(np.asarray(decode(longs))[..., 0], ramp * 127.5, atol=1.01)


ODD_TAGS = [0x011A, 0x011B, 0x0128, 0x0132, 0x8769, 0x8825, 0x9286, 0x0213, 0xA005, 0x010F]
ODD_VALUES: list[object] = ["72 dpi", b"\xff\xfe", (1, 2, 3), 2**31, 0, 1.5, "", (0, 0)]


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150, deadline=None)
@given(
    tags=st.dictionaries(st.sampled_from(ODD_TAGS), st.sampled_from(ODD_VALUES), max_size=5),
    turn=st.integers(1, 8),
    flips=st.lists(st.tuples(st.integers(30, 10_000), st.integers(0, 255)), max_size=4),
    file_format=st.sampled_from(["JPEG", "PNG", "WEBP"]),
)
def test_odd_exif_tags_never_cost_a_photo(
    tags: dict[int, object], turn: int, flips: list[tuple[int, int]], file_format: str
) -> None:
    """Upright where the orientation can still be read, and at the least there."""
    exif = Image.Exif()
    exif[0x0112] = turn
    raw = bytearray(exif.tobytes())
    for tag, value in tags.items():
        more = Image.Exif()
        more[0x0112], more[tag] = turn, value
        with suppress(Exception):  # a value that Pillow itself cannot write
            raw = bytearray(more.tobytes())
    for place, value in flips:
        raw[place % len(raw)] = value
    image = Image.new("RGB", (30, 10), "red")
    sideways = decode(encoded(image, file_format, exif=bytes(raw)))
    assert sideways.size in {(30, 10), (10, 30)}
    if not flips and not tags:
        assert sideways.size == ((10, 30) if turn > 4 else (30, 10))
    assert np.asarray(sideways)[5, 5, 0] > 240


@pytest.mark.parametrize("turn", range(1, 9))
def test_each_orientation_is_that_of_pillow(turn: int) -> None:
    pixels = np.random.default_rng(turn).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = turn
    data = encoded(Image.fromarray(pixels), "PNG", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(np.asarray(decode(data)), np.asarray(expected))


@pytest.mark.parametrize(
    ("width", "height"), [(7072, 7072), (13300, 13300), (50_000_001, 1), (1, 50_000_001), (30000, 30000)]
)
@pytest.mark.filterwarnings("ignore")  # Pillow's own, of larger photos yet
def test_more_pixels_than_memory_bears_are_refused_by_the_header(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)  # never asked
    with pytest.raises(ImageError, match="too large"):
        decode(promised(width, height))


@pytest.mark.parametrize("kind", [b"VP8X", b"VP8L", b"VP8 "])
def test_a_webp_canvas_is_measured_before_room_is_made_for_it(
    kind: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "open", None)  # never asked
    sides = {
        b"VP8X": b"\0" * 4 + (16382).to_bytes(3, "little") * 2,
        b"VP8L": b"\x2f" + (16382 | 16382 << 14).to_bytes(4, "little") + b"\0" * 5,
        b"VP8 ": b"\0" * 6 + (16383).to_bytes(2, "little") * 2,
    }
    body = b"RIFF" + (100).to_bytes(4, "little") + b"WEBP" + kind + (50).to_bytes(4, "little") + sides[kind]
    with pytest.raises(ImageError, match="too large"):
        decode(body + b"\0" * 60)


def test_a_webp_of_a_size_that_memory_bears_is_measured_rightly() -> None:
    for options in (
        {},
        {"lossless": True},
        {"save_all": True, "append_images": [Image.new("RGB", (300, 200))]},
    ):
        assert decode(encoded(Image.new("RGB", (300, 200)), "WEBP", **options)).size == (300, 200)


@pytest.mark.parametrize("file_format", sorted({*_WRITABLE} - {*FORMATS, "AVIF", "MPO"}))
def test_formats_that_no_shop_serves_are_not_even_opened(
    file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.new("RGB", (16, 16), "red")
    buffer = io.BytesIO()
    for mode in ("RGB", "L", "1", "RGBA"):
        buffer = io.BytesIO()
        with suppress(Exception):  # one that this Pillow cannot write, or not in this mode
            image.convert(mode).save(buffer, file_format)
            break
    if not buffer.getvalue():
        pytest.skip(f"Pillow writes no {file_format} here")
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", None)  # would be a TypeError
    with pytest.raises(ImageError) as caught:
        decode(buffer.getvalue())
    assert caught.value.reason == "not an image" or caught.value.reason.endswith("is not read")
