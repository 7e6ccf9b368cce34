"""Files other than photos on a page: played there if they are small and of a kind that browsers play, else named."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.media.columns import media_columns, modality_of
from features.media.files import MediaError, read_bytes

# By how their content begins: a column of bytes has no file names, and names may lie.
_PLAYED = {
    "audio/wav": rb"RIFF....WAVE",
    "audio/mpeg": rb"ID3|\xff[\xf2\xf3\xfa\xfb]",
    "audio/ogg": rb"OggS",
    "audio/flac": rb"fLaC",
    "audio/mp4": rb"....ftypM4A",
    "video/mp4": rb"....ftyp(iso|mp4|avc1|M4V)",
    "video/webm": rb"\x1aE\xdf\xa3.{0,60}webm",
}


@dataclass(frozen=True)
class Clip:
    """A file as a page shows it; source: a data URI, empty where it is only named."""

    modality: str
    name: str
    source: str

    @property
    def element(self) -> str:
        """What plays it: `audio` or `video`."""
        return self.source.removeprefix("data:").partition("/")[0]


class Clips:
    """Makes the clips of one page, which share `room` characters of it: the first that fit are played."""

    def __init__(self, room: int) -> None:
        self._room = room

    def of(self, row: Mapping[str, Any]) -> list[Clip]:
        """Those of a product or a query: a clip for each of its files that is no photo."""
        files = {column: row[column] for column in media_columns(row) if row[column] is not None}
        return [
            Clip(modality_of(column), file_name(item), self._source(item)) for column, item in files.items()
        ]

    def _source(self, item: bytes | str) -> str:
        try:
            data = read_bytes(item, self._room * 3 // 4)  # four characters hold three bytes
        except MediaError:  # too large, gone, or no regular file
            return ""
        kind = kind_of(data)
        source = f"data:{kind};base64,{base64.b64encode(data).decode()}" if kind else ""
        if len(source) > self._room:
            return ""
        self._room -= len(source)
        return source


def kind_of(data: bytes) -> str:
    """The MIME type of sound or video that browsers play; empty for anything else."""
    return next((kind for kind, start in _PLAYED.items() if re.match(start, data, re.DOTALL)), "")


def file_name(item: bytes | str) -> str:
    """What a file is called on a page: by its size where the catalogue holds its bytes."""
    return f"{len(item):,} bytes" if isinstance(item, bytes) else Path(item).name
