"""Products' photos as a page shows them: small JPEGs, made once and kept beside the vectors."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path

import polars as pl

from features.disk import whole_file
from features.media.files import MediaError, content_hash, read_bytes
from features.media.photos import decode

SIZES = {"small": 240, "large": 800}  # pixels of the longer side


class Photos:
    """The photos of a catalogue.

    products: of an index, which holds paths and no bytes; read: reads the catalogue's own table, once, for a
    shop whose photos are bytes in it.
    """

    def __init__(self, products: pl.DataFrame, read: Callable[[], pl.DataFrame], folder: Path) -> None:
        self._products, self._read, self._folder = products, read, folder
        self._lock = threading.Lock()
        self._items: pl.Series | None = products["image"] if "image" in products.columns else None
        self._hashes: dict[int, str] = {}

    def original(self, row: int) -> bytes | None:
        """The photo's file; None for a product without one, or one that cannot be read."""
        item = self._all()[row]
        try:
            return None if item is None else read_bytes(item)
        except MediaError:
            return None

    def thumbnail(self, row: int, size: str) -> Path | None:
        """The file of a JPEG that fits into the size, made now if it was not; None where there is no photo."""
        known = self._hashes.get(row)
        if known is not None and self._file(known, size).is_file():
            return self._file(known, size)
        data = self.original(row)
        if data is None:
            return None
        hashed = self._hashes[row] = content_hash(data)
        target = self._file(hashed, size)
        if target.is_file():
            return target
        try:
            picture = decode(data)
        except MediaError:
            return None
        picture.thumbnail((SIZES[size], SIZES[size]))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=82, optimize=True)
        with whole_file(target) as unfinished:
            unfinished.write_bytes(buffer.getvalue())
        return target

    def _file(self, hashed: str, size: str) -> Path:
        return self._folder / hashed[:2] / f"{hashed}-{SIZES[size]}.jpg"

    def _all(self) -> pl.Series:
        """The column of photos, in the order of the index."""
        with self._lock:
            if self._items is None:
                table = self._read()
                if "image" in table.columns:
                    order = table["product_id"].arg_sort()
                    self._items = table["image"].gather(order)
                else:
                    self._items = pl.repeat(None, self._products.height, dtype=pl.String, eager=True)
            return self._items
