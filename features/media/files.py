"""Files of photos, sound, video: regular files of a stated size, read whole or hashed, and nothing else.

A catalogue names files, and a catalogue may come from anybody: a pipe would hold the reader up for ever, and
`/dev/zero` has no end.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import polars as pl

from features.media.columns import hash_column

PHOTO_BYTES = 64 << 20  # no shop serves a photo of 64 MiB
MEDIA_BYTES = 4 << 30
NOT_FOUND = "file not found"
NOT_REGULAR = "not a regular file"
TOO_LONG = "file too large"
CHANGING = "file of no fixed size"  # being written, or one that the kernel makes as it is read

Found = TypeVar("Found")

EMPTY = "empty"
LOOK = {"content_hash": pl.String, "problem": pl.String}  # of a look at files

THREADS = min(4, os.cpu_count() or 1)
_CHUNK = 256
_PIECE = 1 << 20
# A pipe without a writer, or a terminal, is not waited for; where there are no pipes there is no flag for it.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class MediaError(Exception):
    """A file that cannot be read; `reason` is a short noun phrase fit for a table of rejects."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def read_bytes(item: bytes | str, most: int = PHOTO_BYTES) -> bytes:
    """The file itself: bytes as they are, a path's file read.

    Raises MediaError: "file not found", "not a regular file", "file too large" (above `most` bytes),
    "file of no fixed size", or "file not readable (why)".
    """
    if isinstance(item, bytes):
        if len(item) > most:
            raise MediaError(TOO_LONG)
        return item
    with _opened(item, most) as (file, size):
        data = file.read(size + 1)
    if len(data) != size:
        raise MediaError(CHANGING)
    return data


def content_hash(data: bytes) -> str:
    """128-bit BLAKE2b of a file's bytes, in hex: what every part of the project knows a photo or clip by."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def look_at_files(items: pl.Series, most: int = MEDIA_BYTES) -> pl.DataFrame:
    """content_hash, problem: (n,) String each, of items (Binary, or String for paths); both null for null.

    What cannot be read has no hash, an empty file has one.
    """
    rows = [found or (None, None) for found in each(items, lambda item: _hash_or_problem(item, most))]
    return pl.DataFrame(rows, LOOK, orient="row")


def content_hashes(items: pl.Series) -> pl.Series:
    """(n,) String: `content_hash` of each item (Binary, or String for paths); null where it cannot be read."""
    return look_at_files(items)["content_hash"]


def hashes_of(frame: pl.DataFrame, column: str) -> pl.Series:
    """(n,) String: the content hashes carried beside a column of files; taken now where none are carried."""
    files, name = frame[column], hash_column(column)
    if name not in frame.columns:
        return content_hashes(files).alias(name)
    return frame[name].set(files.is_null(), None)  # a photo taken away takes its hash along


def each(items: pl.Series, function: Callable[[bytes | str], Found]) -> list[Found | None]:
    """`function` of every item, in order, by a few threads; None for null."""

    def part(start: int) -> list[Found | None]:
        # By slices: the bytes of a whole catalogue are never held a second time.
        return [None if item is None else function(item) for item in items.slice(start, _CHUNK)]

    with ThreadPoolExecutor(THREADS) as pool:
        return [value for found in pool.map(part, range(0, len(items), _CHUNK)) for value in found]


def _hash_or_problem(item: bytes | str, most: int) -> tuple[str | None, str | None]:
    hashed, left = hashlib.blake2b(digest_size=16), 0
    try:
        if isinstance(item, bytes):
            return content_hash(item), None if item else EMPTY
        with _opened(item, most) as (file, size):
            left = size
            while left >= 0 and (piece := file.read(_PIECE)):
                hashed.update(piece)
                left -= len(piece)
    except MediaError as error:
        return None, error.reason
    return (None, CHANGING) if left else (hashed.hexdigest(), None if size else EMPTY)


@contextmanager
def _opened(path: str, most: int) -> Iterator[tuple[BinaryIO, int]]:
    """The file and its size."""
    try:
        _checked(Path(path).stat(), most)  # before it is opened, since opening some devices does something
        with os.fdopen(os.open(path, _FLAGS), "rb") as file:
            # What was opened, whatever its name means by now.
            yield file, _checked(os.fstat(file.fileno()), most)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a null character
        raise MediaError(NOT_FOUND) from error
    except OSError as error:
        raise MediaError(f"file not readable ({(error.strerror or str(error)).lower()})") from error


def _checked(found: os.stat_result, most: int) -> int:
    if not stat.S_ISREG(found.st_mode):
        raise MediaError(NOT_REGULAR)
    if found.st_size > most:
        raise MediaError(TOO_LONG)
    return found.st_size
