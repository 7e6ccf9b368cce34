"""A model of unknown origin tried in a process of its own: what would end this one ends that one only."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.errors import InputError

if TYPE_CHECKING:
    from ltr.rankers.boosters.boosted import BoostedRanker

_SECONDS = 120
_BYTES = 32 << 30  # of address space: a model of absurd counts ends early
_ROWS = 16


def try_out(ranker_class: type[BoostedRanker[Any, Any]], folder: Path) -> None:
    """Open, score and explain by a model in another process; InputError where that fails."""
    words = [sys.executable, "-m", __name__, ranker_class.__module__, ranker_class.__qualname__, str(folder)]
    places = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109 - as imports read it
    try:
        done = subprocess.run(  # noqa: S603 - this very Python
            words,
            env=os.environ | {"PYTHONPATH": places},
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(folder, f"one that took more than {_SECONDS} s to score {_ROWS} rows") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        how = f"signal {-done.returncode}" if done.returncode < 0 else last[:200] or "no reason told"
        raise _refused(folder, f"one that ended the process that tried it ({how})")


def _refused(folder: Path, got: str) -> InputError:
    cure = "ask its maker for the run again, or train it here"
    return InputError(where=folder, expected="a model that can be scored with", got=got, cure=cure)


def main(module: str, name: str, folder: str) -> None:
    """What the other process does."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - there is none on Windows

        resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ranker_class: type[BoostedRanker[Any, Any]] = getattr(importlib.import_module(module), name)
    ranker_class.open_models(Path(folder)).try_models(_rows)


def _rows(features: int) -> np.ndarray:
    """(_ROWS, f) float32: nothing known, zeros, small and large numbers, codes of categories."""
    rng = np.random.default_rng(0)
    rows = rng.normal(scale=10.0 ** rng.integers(-3, 6, (_ROWS, 1)), size=(_ROWS, features))
    rows[0], rows[1], rows[2:6] = np.nan, 0, rng.integers(0, 50, (4, features))
    rows[6:][rng.random((_ROWS - 6, features)) < 0.3] = np.nan
    return rows.astype(np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
