"""Sums of every file of a run: what changed since it was written is found by whoever reads it.

run.json holds the SHA-256 of each other file by its path in the folder, and of its own content. They tell damage
(a bad disk, a cut copy), not ill will: who can change a file can change its sum, too.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

from features.disk import sha256
from features.errors import InputError

ABOUT = "run.json"
SUMS, OWN = "sha256", "sum"
_CURE = "copy the whole run folder again, or train it again"


def seal(folder: Path) -> None:
    """Note the sums of all files in the folder's run.json, once each file is written."""
    path = folder / ABOUT
    about = json.loads(path.read_text(encoding="utf-8"))
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != path)
    write_about(folder, about | {SUMS: {file.relative_to(folder).as_posix(): sha256(file) for file in files}})


def write_about(folder: Path, about: dict[str, Any]) -> None:
    """Write run.json with the sum of its own content."""
    plain = {name: value for name, value in about.items() if name != OWN}
    text = json.dumps(plain | {OWN: _own(plain)}, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / ABOUT).write_text(text + "\n", encoding="utf-8")


def read_about(folder: Path) -> dict[str, Any]:
    """The folder's run.json; InputError for one that changed since it was written."""
    path = folder / ABOUT
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        found, written = _own({name: value for name, value in about.items() if name != OWN}), about.get(OWN)
        outside = [
            name for name in about[SUMS] if PurePosixPath(name).is_absolute() or ".." in name.split("/")
        ]
        texts = [about["model"], about.get("base", ""), *about[SUMS], *about[SUMS].values()]
        odd = [text for text in texts if not isinstance(text, str) or "\0" in text]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise changed(path, f"another ({type(error).__name__}: {error})") from error
    if found != written or outside or odd:
        raise changed(path, "one that was changed")
    return dict(about)


def check_files(folder: Path, about: dict[str, Any], *names: str) -> None:
    """Raise InputError for a file that is not there or changed since it was written.

    names: paths in the folder; one of a folder stands for all that was written in it.
    """
    sums = about[SUMS]
    for name in names:
        for file in (
            [name] if name in sums else [file for file in sums if file.startswith(f"{name}/")] or [name]
        ):
            _check(folder / file, sums.get(file))


def _check(path: Path, written: str | None) -> None:
    if not path.is_file():
        raise InputError(where=path.parent, expected=path.name, got="no such file", cure=_CURE)
    if written is None:
        raise changed(path, "a file that was not written with the run")
    if sha256(path) != written:
        raise changed(path, f"another file of {path.stat().st_size:,} bytes")


def changed(path: Path, got: str) -> InputError:
    return InputError(where=path, expected="the file as ltr.train wrote it", got=got, cure=_CURE)


def _own(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
