"""Which photos can be read, remembered by their content: each distinct photo is decoded for this once, ever.

Decoding all of a catalogue at every build, only to find the broken ones, costs more than encoding what changed:
400 photos of 800 × 800 pixels are two seconds of a core.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import PIL
import polars as pl

from features.media import photos

_SCHEMA = {"content_hash": pl.String, "problem": pl.String}
_RECIPE = 1  # to be raised when `photos.decode` calls other photos broken than before


class PhotoChecks:
    """What was found out about photos, in a folder of files that are written once, whole, and never changed."""

    def __init__(self, folder: Path) -> None:
        # Another Pillow may read what this one cannot.
        self._folder = folder / f"photo-checks-{_RECIPE}-pillow-{PIL.__version__}"

    def problems(self, items: pl.Series) -> pl.Series:
        """(n,) String: as `photos.problems`, which is asked for the photos not seen before."""
        hashes = photos.content_hashes(items)
        asked = pl.DataFrame({"content_hash": hashes}).with_row_index("row")
        known = self._read()
        new = asked.drop_nulls("content_hash").join(known, on="content_hash", how="anti")
        new = new.unique("content_hash", keep="first").sort("row")
        found = new.select("content_hash", problem=photos.problems(items.gather(new["row"])))
        self._write(found)
        every = pl.concat([known, found])
        told = asked.join(every, on="content_hash", how="left", maintain_order="left")["problem"]
        # A file that is not there has no content, and may be there the next time.
        absent = hashes.is_null() & items.is_not_null()
        return told.set(absent, photos.NOT_FOUND).alias("problem")

    def _read(self) -> pl.DataFrame:
        parts = [pl.read_parquet(path) for path in sorted(self._folder.glob("*.parquet"))]
        return pl.concat([pl.DataFrame(schema=_SCHEMA), *parts]).unique("content_hash")

    def _write(self, found: pl.DataFrame) -> None:
        if not found.height:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f"{uuid.uuid4().hex}.tmp"
        found.write_parquet(unfinished)
        unfinished.replace(unfinished.with_suffix(".parquet"))
