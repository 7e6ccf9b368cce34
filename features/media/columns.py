"""Photos, sound, video: which columns of a table hold files of some modality, and which their content hashes.

A modality is an open word, such as an encoder names among its `modalities`. Photos stand in the column
`image`; any other modality in `media.NAME` (`media.audio`). Either holds the bytes of files, or their paths.
What was hashed when a file was first read stands beside it: `image_hash`, `media.audio_hash`.
"""

from __future__ import annotations

from collections.abc import Iterable

PREFIX = "media."
_HASH = "_hash"


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
    return [name for name in columns if name.startswith(PREFIX) and not name.endswith(_HASH)]


def hash_column(column: str) -> str:
    """Where the content hashes of a column of files stand."""
    return column + _HASH


def file_columns(columns: Iterable[str]) -> list[str]:
    """Those of them that hold photos or other files, or the hashes of them: nothing that is told of a product."""
    return [name for name in columns if name in {"image", hash_column("image")} or name.startswith(PREFIX)]
