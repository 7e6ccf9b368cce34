"""The journal of a study: a file to which whole, summed records are appended, under a lock of the kernel's.

Optuna's own journal is destroyed by a full disk or a cut: the next record is written behind half of another,
and the file can never be read again. Here a record is written whole or taken back, an unfinished last line is
ended or cut before the next is written, and a line that changed since it was written is told by its number.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from features.errors import InputError

_SUM = "sum"
_BEGINNING = b'{"op_code":'  # of every record


class Journal(BaseJournalBackend):
    """Records of one study or several in a file, which is made where there is none.

    Any number of processes may read and append. Raises InputError for a file that is no journal, or is damaged
    elsewhere than at its end, and OSError where nothing can be appended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets = [0]  # by the number of a record: where its line begins
        path.touch()

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        number = min(log_number_from, len(self._offsets) - 1)
        with self._path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < self._offsets[number]:
                raise self._refused("a shorter one than before", "run the same command again")
            file.seek(self._offsets[number])
            for line in file:
                if not line.endswith(b"\n"):  # being written, or left so: see `_end_last_line`
                    self._check_beginning(line)
                    return
                if number == len(self._offsets) - 1:
                    self._offsets.append(self._offsets[number] + len(line))
                number += 1
                if number > log_number_from:
                    yield self._record(line, number)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = b"".join(_line(log) for log in logs)
        with self._locked(), self._path.open("r+b", buffering=0) as file:
            self._end_last_line(file.fileno())
            whole = os.lseek(file.fileno(), 0, os.SEEK_END)
            try:
                _write(file.fileno(), lines)
            except BaseException as error:
                os.ftruncate(file.fileno(), whole)
                if isinstance(error, OSError):
                    raise OSError(error.errno, error.strerror, str(self._path)) from error
                raise

    def _end_last_line(self, handle: int) -> None:
        """End an unfinished line that holds a whole record, cut any other: its writer was killed, or the disk full."""
        line = self._last_line(handle)
        if not line:
            return
        self._check_beginning(line)
        try:
            _unsummed(json.loads(line))
        except ValueError:
            os.ftruncate(handle, os.fstat(handle).st_size - len(line))
        else:
            os.lseek(handle, 0, os.SEEK_END)
            _write(handle, b"\n")

    @staticmethod
    def _last_line(handle: int) -> bytes:
        """What stands behind the last line end."""
        size, length = os.fstat(handle).st_size, 1 << 12
        while True:
            start = max(0, size - length)
            tail = os.pread(handle, size - start, start)
            if b"\n" in tail or not start:
                return tail.rpartition(b"\n")[2]
            length *= 4

    def _record(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            return _unsummed(json.loads(line))
        except ValueError as error:  # JSON's and UTF-8's are of this kind, too
            where = f"a damaged line {number:,}"
            cure = f"restore it, keep its first {number - 1:,} lines only, or name another with --storage"
            raise self._refused(where, cure) from error

    def _check_beginning(self, line: bytes) -> None:
        """Another file is not cut. (After a crash of the machine there may be zeros where a record was.)"""
        if line.strip(b"\0") and not line.startswith(_BEGINNING[: len(line)]):
            raise self._refused("another file", "name another with --storage")

    def _refused(self, got: str, cure: str) -> InputError:
        return InputError(where=self._path, expected="the journal of a study", got=got, cure=cure)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """A lock that the kernel gives back when its process dies: optuna's own, a link, outlives a kill -9."""
        handle = os.open(self._path.with_name(self._path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _line(record: dict[str, Any]) -> bytes:
    plain = json.loads(json.dumps(record))  # as it will be read: keys are strings
    return json.dumps(plain | {_SUM: _sum_of(plain)}, separators=(",", ":")).encode() + b"\n"


def _unsummed(record: Any) -> dict[str, Any]:
    """The record without its sum (optuna's own have none); ValueError for one that is not as it was written."""
    if not isinstance(record, dict) or "op_code" not in record:
        raise ValueError("no record of a study")
    written = record.pop(_SUM, None)
    if written is not None and written != _sum_of(record):
        raise ValueError("not the record that was written")
    return record


def _sum_of(record: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=8).hexdigest()


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
    os.fsync(handle)
