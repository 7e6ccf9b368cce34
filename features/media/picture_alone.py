"""JPEG and PNG files without what does not make the picture: browsers read past it, decoders stumble over it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_PARTS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_LEAST_TRANSPARENCY = {0: 2, 2: 6, 3: 1}  # bytes, by the PNG's kind of colour
_APP1, _APP14 = 0xE1, 0xEE
_SCAN = 0xDA


def picture_alone(data: bytes) -> bytes:
    """The file's picture, transparency and EXIF; all of the data where it is neither format or has no such parts."""
    if data.startswith(_PNG):
        return _PNG + b"".join(_png_parts(data))
    if data.startswith(b"\xff\xd8"):
        return b"\xff\xd8" + b"".join(_jpeg_parts(data))
    return data


def _png_parts(data: bytes) -> Iterator[bytes]:
    at = len(_PNG)
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        name, part = data[at + 4 : at + 8], data[at : at + 12 + size]
        whole = zlib.crc32(part[4:-4]) == int.from_bytes(part[-4:], "big")
        colour = int.from_bytes(data[25:26], "big")
        if (
            name in _PNG_PARTS
            or (name == b"eXIf" and whole)
            or (name == b"tRNS" and whole and size >= _LEAST_TRANSPARENCY.get(colour, 1))
        ):
            yield part
        at += 12 + size


def _jpeg_parts(data: bytes) -> Iterator[bytes]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xFF:  # may fill the space before a marker
            at += 1
            continue
        marker, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN:
            break
        payload = data[at + 4 : end]
        kept = not (0xE0 <= marker <= 0xEF or marker == 0xFE)
        kept |= marker == _APP1 and payload.startswith(b"Exif\0\0")
        kept |= marker == _APP14 and payload.startswith(b"Adobe") and len(payload) >= 12
        if kept:
            yield data[at:end]
        at = end
    yield data[at:]
