"""Photos, sound, video: which columns of a table hold files of some modality.

A modality is an open word, such as an encoder names among its `modalities`. Photos stand in the column
`image`; any other modality in `media.NAME` (`media.audio`). Either holds the bytes of files, or their paths.
"""

from __future__ import annotations

from collections.abc import Iterable

PREFIX = "media."


def column_of(modality: str) -> str:
    """Where files of a modality stand."""
    return modality if modality == "image" else PREFIX + modality


def modality_of(column: str) -> str:
    """What a column is read as; whatever holds no files is text."""
    if column == "image" or column.startswith(PREFIX):
        return column.removeprefix(PREFIX)
    return "text"


def media_columns(columns: Iterable[str]) -> list[str]:
    """Those of them that hold files other than photos."""
    return [name for name in columns if name.startswith(PREFIX)]
