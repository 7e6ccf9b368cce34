"""PNG files of every kind written sample by sample, so that the right picture is known without a reader."""

from __future__ import annotations

import struct
import zlib

import numpy as np

GREY, COLOUR, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 4, 6
KINDS = [(bits, GREY) for bits in (1, 2, 4, 8, 16)] + [
    (bits, kind) for bits in (8, 16) for kind in (COLOUR, GREY_ALPHA, COLOUR_ALPHA)
]


def png(samples: np.ndarray, bits: int, kind: int, transparent: np.ndarray | None = None) -> bytes:
    """samples: (height, width, channels) whole numbers below 2**bits; transparent: the colour (channels,) of tRNS."""
    height, width, _ = samples.shape
    rows = b"".join(b"\0" + _packed(row.reshape(-1), bits) for row in samples)
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    trns = b"" if transparent is None else _chunk(b"tRNS", transparent.astype(">u2").tobytes())
    body = _chunk(b"IHDR", head) + trns + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def promised(width: int, height: int) -> bytes:
    """A PNG of few bytes whose header promises that many pixels."""
    head = struct.pack(">IIBBBBB", width, height, 1, GREY, 0, 0, 0)
    rows = zlib.compress(bytes(100_000), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def on_white(samples: np.ndarray, bits: int, kind: int, transparent: np.ndarray | None = None) -> np.ndarray:
    """(height, width, 3) float64: the picture that these samples are, from 0 to 255."""
    top = 2**bits - 1
    colour = samples[..., :1] if kind in (GREY, GREY_ALPHA) else samples[..., :3]
    alpha = (
        samples[..., -1:] / top if kind in (GREY_ALPHA, COLOUR_ALPHA) else np.ones((*samples.shape[:2], 1))
    )
    if transparent is not None:
        alpha = alpha * ~(samples == transparent).all(axis=2, keepdims=True)
    return np.broadcast_to(colour / top * 255 * alpha + 255 * (1 - alpha), (*samples.shape[:2], 3))


def _packed(row: np.ndarray, bits: int) -> bytes:
    if bits >= 8:
        return row.astype(">u2" if bits == 16 else "u1").tobytes()
    digits = "".join(format(int(value), f"0{bits}b") for value in row)
    digits += "0" * (-len(digits) % 8)
    return bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits), 8))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
