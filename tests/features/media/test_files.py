"""Files of a catalogue that anybody may have written: regular ones of a stated size are read, nothing else is."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from features.media import files
from features.media.files import MediaError, content_hashes, hashes_of, look_at_files, read_bytes
from features.media.photos import decode_each, problems


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(files.PHOTO_BYTES + 1)


def _link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


ODD: list[tuple[str, Callable[[Path], object]]] = [
    ("not a regular file", _pipe),
    ("not a regular file", _socket),
    ("not a regular file", Path.mkdir),
    ("not a regular file", _link("/dev/zero")),
    ("not a regular file", _link("/dev/null")),
    ("not a regular file", _link("/dev/tty")),
    ("file too large", _sparse),
    ("file not found", lambda path: None),
    ("file not found", _link("nowhere")),
    ("file of no fixed size", _link("/proc/self/status")),
    ("file not readable (too many levels of symbolic links)", lambda path: path.symlink_to(path)),
]


@pytest.mark.parametrize(("reason", "make"), ODD)
def test_what_is_no_regular_file_of_a_photos_size_is_named_and_not_read(
    tmp_path: Path, reason: str, make: Callable[[Path], object]
) -> None:
    path = tmp_path / "odd"
    make(path)
    with pytest.raises(MediaError) as caught:
        read_bytes(str(path))
    assert caught.value.reason == reason
    items = pl.Series([str(path), None], dtype=pl.String)
    assert problems(items).to_list() == [reason, None]
    assert decode_each([str(path)]) == [None]
    most = files.PHOTO_BYTES
    assert look_at_files(items, most).rows() == [(None, reason), (None, None)]


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "\ud800", "a/b\0", ""])
def test_names_that_no_file_can_have_are_not_found(name: str) -> None:
    with pytest.raises(MediaError, match=r"not found|not readable|not a regular"):
        read_bytes(name)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_hash_and_bytes_are_of_the_whole_file(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    expected = hashlib.blake2b(data, digest_size=16).hexdigest()
    both = [pl.Series([str(tmp_path / "file")]), pl.Series([data], dtype=pl.Binary)]
    assert [content_hashes(items).to_list() for items in both] == [[expected]] * 2
    assert read_bytes(str(tmp_path / "file")) == read_bytes(data) == data
    with pytest.raises(MediaError, match="too large"):
        read_bytes(data + b"x", size)


def test_carried_hashes_are_taken_and_follow_a_photo_that_is_taken_away() -> None:
    frame = pl.DataFrame({"image": [b"a", None, b"b"], "image_hash": ["1", "2", "3"]})
    assert hashes_of(frame, "image").to_list() == ["1", None, "3"]
    assert hashes_of(frame.drop("image_hash"), "image").equals(
        content_hashes(frame["image"]).alias("image_hash"), null_equal=True
    )
