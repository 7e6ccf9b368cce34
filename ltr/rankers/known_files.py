"""Sums of files that this user's own processes wrote here, or tried and found harmless.

They lie in the user's own cache folder, where no writer of a run folder can add one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def remember(sums: Iterable[str]) -> None:
    """Note them; where there is no folder to note that in, it is forgotten."""
    with suppress(OSError, RuntimeError):  # RuntimeError: a user without a home
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        for known in sums:
            (folder / known).touch()


def is_known(sums: Iterable[str]) -> bool:
    """Whether all these are noted."""
    with suppress(OSError, RuntimeError):
        return all((_folder() / known).is_file() for known in sums)
    return False


def _folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "shop-ltr" / "known-files"
