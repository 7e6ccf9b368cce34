"""Photos small enough to lie in a page."""

from __future__ import annotations

import base64
import functools
import io

from features.media.files import MediaError, read_bytes
from features.media.photos import decode

CARD = (128, 128)  # pixels: sharp at the 64 that a card shows, and some 4 KB
ROW = (72, 72)


@functools.lru_cache(maxsize=512)
def thumbnail(image: bytes | str | None, size: tuple[int, int] = CARD) -> str:
    """A photo as a JPEG data URI that fits into `size`; empty where there is none that can be read."""
    if image is None:
        return ""
    try:
        picture = decode(read_bytes(image))
    except MediaError:
        return ""
    picture.thumbnail(size)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
