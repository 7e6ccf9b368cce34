"""Folders that take their name only when whole; what a killed process left half filled, the next one clears."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.processes import machine, started

# The writer stands in the name: so there is no moment at which a draft is there and its writer not known.
_NAME = re.compile(r"\.draft-(?P<machine>[0-9a-f]+)-(?P<process>\d+)-(?P<began>\d*)-\w+")


@contextmanager
def draft_beside(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, for the block to fill and to rename; it is removed if it is not.

    First clears the drafts there whose writers are known to be dead: killed on this machine since it was
    started. Those of other machines sharing the folder, and of this one before, are left alone.
    """
    _clear_dead(target.parent)
    process = os.getpid()
    prefix = f".draft-{_machine_in_short()}-{process}-{started(process) or ''}-"
    draft = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        draft.chmod(0o755)  # what it becomes is for others to read, too
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file: whole, or not at all."""
    unfinished = path.with_name(f"{path.name}.tmp")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _clear_dead(folder: Path) -> None:
    for path in folder.glob(".draft-*"):
        if (name := _NAME.fullmatch(path.name)) and _is_dead(name):
            shutil.rmtree(path, ignore_errors=True)  # another may be clearing it, too


def _is_dead(writer: re.Match[str]) -> bool:
    """Whether the process is known to be gone; without its beginning nobody can know."""
    here = writer["machine"] == _machine_in_short()
    return here and writer["began"] != "" and started(int(writer["process"])) != writer["began"]


def _machine_in_short() -> str:
    return hashlib.blake2b(machine().encode(), digest_size=8).hexdigest()
