"""Sums of a fitted encoder's files, beside them: a bit that turned on the disk is found before a vector is made.

They tell damage, not ill will: who can change a file can change its sum, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from features.disk import sha256
from features.errors import NotFittedError

SUMS = "sums.json"
_CURE = "copy the whole folder again, or fit the encoder again"


def write_sums(folder: Path, names: Iterable[str]) -> None:
    """Note the sums of these files, by path in the folder, once each is written."""
    sums = {name: sha256(folder / name) for name in sorted(names)}
    (folder / SUMS).write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")


def checked_sums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 in hex of these files, and of all that were written with them.

    NotFittedError for one that is not there, that changed since, or that came later.
    """
    try:
        written = json.loads((folder / SUMS).read_bytes())
        known = {name: written[name] for name in sorted({*written, *names})}
        outside = [name for name in known if PurePosixPath(name).is_absolute() or ".." in name.split("/")]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(folder / SUMS, f"none, or another ({type(error).__name__}: {error})") from error
    if outside:
        raise _damaged(folder / SUMS, f"a path that leads out ({outside[0]})")
    for name, expected in known.items():
        path = folder / name
        if not path.is_file():
            raise _damaged(path, "no such file")
        if sha256(path) != expected:
            raise _damaged(path, f"another file of {path.stat().st_size:,} bytes")
    return known


def _damaged(path: Path, got: str) -> NotFittedError:
    return NotFittedError(
        where=path, expected="the file as it was written with the encoder", got=got, cure=_CURE
    )
