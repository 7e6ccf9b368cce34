"""Files and folders that take their name only when whole; what a killed process left, the next one finishes or clears.

Two names are this module's own: `.draft-…` is a folder that somebody is filling, `.whole-…` one that is filled
and was killed before it took its name, which any later writer or reader beside it gives it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import mmap
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import xxhash

from features.processes import machine, started

# The writer stands in the name: so there is no moment at which a draft is there and its writer not known.
_DRAFT = re.compile(r"\.draft-(?P<machine>[0-9a-f]+)-(?P<process>\d+)-(?P<began>\d*)-\w+")
_WHOLE = re.compile(r"\.whole-[0-9a-f]{32}-(?P<name>.+)")
_UNFINISHED = f".{'[0-9a-f]' * 32}.tmp"  # as `glob` takes it
_PASSING = re.compile(r"\.[0-9a-f]{32}\.tmp")
_STALE_SECONDS = 3600
_ATTEMPTS = 100  # at a name that other processes take meanwhile
_TAKEN = {errno.ENOTEMPTY, errno.EEXIST}
_SYSTEM_ERROR = re.compile(r"\b(?:os error|errno)[ :=]*(\d+)", re.IGNORECASE)
_FULL = 1 << 20  # bytes; with fewer left, a library that failed to write failed for want of space


def quick_sum(path: Path) -> str:
    """128 bits of XXH3 of a file's content, mapped into memory: against damage, not against forgers."""
    if not path.stat().st_size:
        return xxhash.xxh3_128_hexdigest(b"")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return xxhash.xxh3_128_hexdigest(content)


def sha256(path: Path) -> str:
    """The file's SHA-256 in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to: what is written there becomes `path` when the block ends, and nothing of it if it fails.

    The folder is made; what writers killed an hour ago left there is cleared. Raises OSError naming `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, _UNFINISHED)
    unfinished = path.with_name(f".{uuid.uuid4().hex}.tmp")
    with system_errors(path):
        try:
            unfinished.touch()
            mode = unfinished.stat().st_mode
            yield unfinished
            unfinished.chmod(mode)  # some libraries keep what they write from everybody else
            _sync(unfinished)
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    _sync(path.parent)


def write_whole(path: Path, text: str) -> None:
    """Write a text file: whole, or not at all."""
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def write_note(path: Path, text: str) -> None:
    """`write_whole` for what a cache knows only to be quicker: where nothing can be written, nothing is."""
    with suppress(OSError):
        write_whole(path, text)


def sweep(folder: Path, names: str = "*.tmp") -> None:
    """Remove the files that killed writers left unfinished; a live one needs its own for a moment only."""
    for path in folder.glob(names):
        with suppress(OSError):  # finished, swept by another process, or not ours to remove
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()


@contextmanager
def draft_beside(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, for the block to fill and to `publish`; it is removed if it is not.

    First finishes the whole drafts there, and clears those whose writers are known to be dead: killed on this
    machine since it was started. Those of other machines sharing the folder, and of this one before, are left
    alone. Raises OSError naming the folder where it cannot be written or is full, whatever library met that.
    """
    finish_whole(target.parent)
    for path in target.parent.glob(".draft-*"):
        if (writer := _DRAFT.fullmatch(path.name)) and _is_dead(writer):
            shutil.rmtree(path, ignore_errors=True)  # another may be clearing it, too
    process = os.getpid()
    name = f".draft-{_machine_in_short()}-{process}-{started(process) or ''}-{uuid.uuid4().hex}"
    draft = target.with_name(name)
    with system_errors(target):
        draft.mkdir()
    try:
        with system_errors(target):
            yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def publish(draft: Path, target: Path, *, keep: bool = False) -> None:
    """Give a whole draft its name; what has that name is set aside as NAME@TIME, or with `keep` stays instead.

    Killed at any moment, the folder of that name is found whole afterwards, the new one or the one before.
    Several processes may do so at once: each one's folder is kept. Files are readable as the umask says.
    """
    mode = draft.stat().st_mode
    for path in draft.rglob("*"):
        if path.is_file():
            path.chmod(mode & 0o666)
            _sync(path)
    with _locked(target.parent):
        finish_whole(target.parent)
        if keep and target.exists():
            return
        whole = target.with_name(f".whole-{uuid.uuid4().hex}-{target.name}")
        draft.rename(whole)
        _take_name(whole, target)
        _sync(target.parent)


def finish_whole(folder: Path) -> None:
    """Give the whole drafts in a folder the names that they were about to take when their writers were killed."""
    for whole in sorted(folder.glob(".whole-*"), key=_changed_at):
        if name := _WHOLE.fullmatch(whole.name):
            _take_name(whole, whole.with_name(name["name"]))


def check_writable(folder: Path) -> None:
    """Make the folder; raise OSError where a file in it cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".{uuid.uuid4().hex}.tmp"
    try:
        with probe.open("wb") as file:
            file.write(b"\0" * 4096)  # a full disk takes names, not bytes
            file.flush()
            os.fsync(file.fileno())
    finally:
        with suppress(OSError):
            probe.unlink()


@contextmanager
def system_errors(path: Path) -> Iterator[None]:
    """Raise what libraries make of a full disk or a forbidden file as the OSError that it is, naming `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is None or not _is_unnamed(error.filename):
            raise
        raise OSError(error.errno, error.strerror or os.strerror(error.errno), str(path)) from error
    except Exception as error:
        number = _system_error(error, path)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _is_unnamed(name: object) -> bool:
    """Whether an error names no file (of a full disk none does), or one by a passing name of this module's."""
    if name is None:
        return True
    parts = Path(os.fsdecode(name)).parts if isinstance(name, str | bytes | Path) else ()
    return any(_DRAFT.fullmatch(part) or _PASSING.fullmatch(part) for part in parts)


def _system_error(error: Exception, path: Path) -> int | None:
    if found := _SYSTEM_ERROR.search(str(error)):
        return int(found[1])
    with suppress(OSError):  # not every library says why
        return errno.ENOSPC if shutil.disk_usage(path.parent).free < _FULL else None
    return None


def _take_name(whole: Path, target: Path) -> None:
    for _ in range(_ATTEMPTS):
        set_aside(target)
        try:
            whole.rename(target)
        except FileNotFoundError:
            if whole.exists():
                raise
        except OSError as error:
            if error.errno in _TAKEN:  # by another process since, where the folder knows no locks
                continue
            raise
        return  # given its name, here or by another process
    raise OSError(errno.EBUSY, "other processes write it all the time", str(target))


def set_aside(target: Path) -> None:
    """Rename what has that name to NAME@TIME, the time it was last changed."""
    try:
        made = datetime.fromtimestamp(target.stat().st_mtime, tz=UTC)
        target.rename(_free_name(target, made))
    except FileNotFoundError:  # nothing is there, or another process has set it aside
        return
    except OSError as error:
        if error.errno not in _TAKEN:
            raise


def _free_name(target: Path, made: datetime) -> Path:
    earlier = target.with_name(f"{target.name}@{made:%Y-%m-%dT%H-%M-%S}")
    number = 1
    while earlier.exists():
        number += 1
        earlier = target.with_name(f"{target.name}@{made:%Y-%m-%dT%H-%M-%S}-{number}")
    return earlier


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time; in a network folder without locks several, which the renames stand, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync(path: Path) -> None:
    """Have it on the disk before what it replaces is gone from there."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _is_dead(writer: re.Match[str]) -> bool:
    """Whether the process is known to be gone; without its beginning nobody can know."""
    here = writer["machine"] == _machine_in_short()
    return here and writer["began"] != "" and started(int(writer["process"])) != writer["began"]


def _machine_in_short() -> str:
    return hashlib.blake2b(machine().encode(), digest_size=8).hexdigest()
