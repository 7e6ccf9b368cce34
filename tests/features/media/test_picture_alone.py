"""Whatever else a JPEG or PNG file holds, however broken: the picture is what it is without it."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from features.media.photos import ImageError, decode
from features.media.picture_alone import picture_alone

_PNG_HEADER = 33  # bytes, up to the end of IHDR


def _photo(file_format: str) -> bytes:
    levels = np.random.default_rng(1).integers(0, 255, (8, 12, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(levels).resize((24, 16)).save(buffer, file_format)
    return buffer.getvalue()


def _chunk(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


PNG, JPEG = _photo("PNG"), _photo("JPEG")


def _same(odd: bytes, whole: bytes) -> None:
    assert np.array_equal(np.asarray(decode(odd)), np.asarray(decode(whole)))


@pytest.mark.filterwarnings("ignore")  # Pillow's own, of odd metadata
@pytest.mark.parametrize(
    "name",
    [
        b"gAMA",
        b"cHRM",
        b"pHYs",
        b"sRGB",
        b"iCCP",
        b"zTXt",
        b"iTXt",
        b"tEXt",
        b"acTL",
        b"fcTL",
        b"tRNS",
        b"eXIf",
        b"prVt",
    ],
)
@given(payload=st.binary(max_size=3))
def test_a_png_with_broken_parts_beside_the_picture(name: bytes, payload: bytes) -> None:
    _same(PNG[:_PNG_HEADER] + _chunk(name, payload) + PNG[_PNG_HEADER:], PNG)


@pytest.mark.parametrize("name", [b"tEXt", b"pHYs", b"tRNS", b"eXIf"])
def test_a_png_with_a_wrong_sum_beside_the_picture(name: bytes) -> None:
    _same(
        PNG[:_PNG_HEADER] + struct.pack(">I", 6) + name + b"a\0b\0\0\0" + b"\0\0\0\0" + PNG[_PNG_HEADER:], PNG
    )


@pytest.mark.parametrize("size", [5_000_000, 80_000_000])
def test_a_png_with_a_text_larger_than_itself(size: int) -> None:
    _same(PNG[:_PNG_HEADER] + _chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(size))) + PNG[_PNG_HEADER:], PNG)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("marker", range(0xE0, 0xF0))
@given(
    sign=st.sampled_from(
        [b"", b"JFIF", b"Exif\0\0", b"Adobe", b"ICC_PROFILE\0", b"MPF\0", b"Photoshop 3.0\0"]
    ),
    payload=st.binary(max_size=6),
)
def test_a_jpeg_with_broken_parts_beside_the_picture(marker: int, sign: bytes, payload: bytes) -> None:
    segment = bytes([0xFF, marker]) + struct.pack(">H", 2 + len(sign) + len(payload)) + sign + payload
    _same(JPEG[:2] + segment + JPEG[2:], JPEG)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_the_turn_and_the_transparency_stay(file_format: str) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (24, 16), "red").save(buffer, file_format, exif=exif)
    assert decode(picture_alone(buffer.getvalue())).size == (16, 24)
    clear = io.BytesIO()
    Image.new("RGBA", (8, 8)).save(clear, "PNG")
    assert decode(picture_alone(clear.getvalue())).getpixel((0, 0)) == (255, 255, 255)


@given(st.binary(max_size=40), st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n"]))
def test_any_bytes_are_borne(rest: bytes, start: bytes) -> None:
    assert len(picture_alone(start + rest)) <= len(start + rest)


@pytest.mark.parametrize("whole", [PNG, JPEG])
def test_a_picture_that_is_broken_itself_stays_broken(whole: bytes) -> None:
    middle = len(whole) * 3 // 4
    with pytest.raises(ImageError):
        decode(whole[:middle])


def test_xmp_turns_nothing() -> None:
    payload = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(payload)) + payload
    _same(JPEG[:2] + segment + JPEG[2:], JPEG)
