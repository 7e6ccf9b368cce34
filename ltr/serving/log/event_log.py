"""What was shown and done, appended as UBI's lines: in the file before the request is answered, synced in batches.

Killed by `kill -9`, the server loses nothing that it answered; when the machine loses its power, at most the batch that
was not synced yet, of which no action was acknowledged. A file that has grown is closed, and carried into the store.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.behaviour.event_store import EventStore
from features.errors import InputError
from features.sources.events.ubi import read_logged
from features.sources.ledger import Ledger
from features.store.delta import FeatureStore
from ltr.serving.log.json_lines import as_json

log = logging.getLogger(__name__)

KINDS = ("queries", "events")
_CARRIED = "carried"  # where files lie whose lines are in the store


class _File:
    """One open file of lines, locked for as long as its writer lives."""

    def __init__(self, folder: Path, kind: str) -> None:
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        self.path = folder / f"ubi_{kind}-{stamp}-{os.getpid()}.ndjson"
        self.handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
        fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.size = self.synced = 0
        self._cut = False

    def write(self, data: bytes) -> None:
        """All of it; where the disk takes a part only, OSError, and the next line begins on its own."""
        whole = b"\n" + data if self._cut else data
        self._cut = True
        done = 0
        while done < len(whole):
            done += os.write(self.handle, whole[done:])
        self._cut = False
        self.size += len(whole)

    def sync(self) -> None:
        """Have all of it on the disk; OSError where it does not get there."""
        size = self.size  # what is written meanwhile may be on the disk too, or not
        if size > self.synced:
            os.fsync(self.handle)
            self.synced = size


class EventLog:
    """The log of one process in a folder, which any number of processes may share."""

    def __init__(
        self, folder: Path, rotate_bytes: int, flush: float, closed: Callable[[Path], None] | None = None
    ) -> None:
        """closed: called, in a thread of the log's own, with each file that was closed. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.failing = False
        self._rotate_bytes, self._flush, self._closed = rotate_bytes, flush, closed
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._files = {kind: _File(folder, kind) for kind in KINDS}
        self._waiting: list[Future[None]] = []
        self._full: list[_File] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._sync_in_batches, name="event-log", daemon=True)
        self._thread.start()

    def append(self, kind: str, lines: Sequence[Mapping[str, Any]]) -> Future[None]:
        """Written when this returns, synced when the future is done; OSError where the disk does not take it."""
        data = b"".join(as_json(line) + b"\n" for line in lines)
        synced: Future[None] = Future()
        with self._lock:
            try:
                self._files[kind].write(data)
            except OSError:
                self.failing = True
                raise
            self.failing = False
            self._waiting.append(synced)
            if self._files[kind].size >= self._rotate_bytes:
                self._full.append(self._files[kind])
                self._files[kind] = _File(self.folder, kind)
        self._wake.set()
        return synced

    def close(self) -> None:
        """Sync what is written and close the files; they are carried on like full ones."""
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
            self._full += self._files.values()
        self._wake.set()
        self._thread.join()

    def _sync_in_batches(self) -> None:
        while not self._stopping or self._full:
            self._wake.wait()
            if not self._stopping:
                time.sleep(self._flush)  # others' lines join the batch
            self._wake.clear()
            with self._lock:
                waiting, self._waiting = self._waiting, []
                full, self._full = self._full, []
                files = [*full, *self._files.values()]
            self._sync(files, waiting)
            for file in full:
                os.close(file.handle)
                if file.size == 0:
                    file.path.unlink(missing_ok=True)
                elif self._closed is not None:
                    self._closed(file.path)

    @staticmethod
    def _sync(files: Sequence[_File], waiting: Sequence[Future[None]]) -> None:
        try:
            for file in files:
                file.sync()
        except OSError as error:
            log.warning("event log: not synced (%s)", error)
            for synced in waiting:
                synced.set_exception(error)
            return
        for synced in waiting:
            synced.set_result(None)


def left_behind(folder: Path) -> list[Path]:
    """Files that no living process writes: of servers that were killed, or closed and never carried on."""
    found = []
    for path in sorted(folder.glob("ubi_*.ndjson")):
        handle = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found.append(path)
        except OSError:
            continue  # its writer lives
        finally:
            os.close(handle)
    return found


class Carrier:
    """Carries closed files into the feature store, each once, however often it is tried or killed."""

    def __init__(self, store: FeatureStore) -> None:
        self._events = EventStore(store)
        self._lock = threading.Lock()

    def __call__(self, path: Path) -> None:
        """A file that cannot be carried now stays where it is, and the next start tries again."""
        try:
            with self._lock:
                self.carry(path)
        except (InputError, OSError) as error:
            log.warning("event log: %s stays in its folder (%s)", path.name, error)

    def carry(self, path: Path) -> None:
        """Add its events to the store, which has each once, however often; then set the file aside."""
        if path.stat().st_size:
            with self._events.locked():
                self._events.add(read_logged([path], Ledger()))
        target = path.parent / _CARRIED / path.name
        target.parent.mkdir(exist_ok=True)
        path.replace(target)
