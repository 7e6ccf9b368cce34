"""A model's folder from anywhere, looked through before a library opens it: no code, no pickles, nothing outside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from features.errors import InputError

# What sentence-transformers itself brings and reads from safetensors; a class of any other package is code that the
# folder's writer chose. Those that name classes of their own (Router, WordEmbeddings) are left out.
_MODULES = (
    *(
        "Transformer",
        "CLIPModel",
        "Pooling",
        "Normalize",
        "Dense",
        "LayerNorm",
        "Dropout",
        "WeightedLayerPooling",
    ),
    *("StaticEmbedding", "LSTM", "CNN"),
)
_MODULE = re.compile(rf"sentence_transformers(?:\.[a-z_]+)*\.(?:{'|'.join(_MODULES)})")
_PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
_LARGEST_JSON = 256 << 20
_CURE = "use a model saved by sentence-transformers itself, from a place that you trust"


def check_folder(folder: Path) -> None:
    """InputError for a folder that names modules of others, leads outside, or has pickled weights and no others."""
    modules, places = folder / "modules.json", {folder}
    for module in _modules(modules) if modules.exists() else ():
        kind, path = module.get("type"), module.get("path")
        if not isinstance(kind, str) or not _MODULE.fullmatch(kind):
            got = f"{kind!r}: opening it would run code of its choice"
            raise InputError(where=modules, expected="modules of sentence-transformers", got=got, cure=_CURE)
        if not isinstance(path, str) or not _is_inside(folder / path, folder):
            got = f"the path {path!r}"
            raise InputError(where=modules, expected="paths within the folder", got=got, cure=_CURE)
        places.add(folder / path)
    for path in sorted(folder.rglob("*")):
        if not _is_inside(path, folder):
            raise InputError(
                where=path, expected="files within the folder", got="a link that leads out", cure=_CURE
            )
        if path.suffix in _PICKLED and path.parent in places and not any(path.parent.glob("*.safetensors")):
            got = "pickled ones alone, which may run code"
            raise InputError(where=path, expected="weights as .safetensors", got=got, cure=_CURE)
        if path.suffix == ".json" and path.is_file() and path.stat().st_size > _LARGEST_JSON:
            raise InputError(where=path, expected="settings or words", got="a file of its size", cure=_CURE)


def _modules(path: Path) -> Iterator[dict[str, Any]]:
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise _damaged(path, type(error).__name__) from error
    if not isinstance(found, list) or not all(isinstance(module, dict) for module in found):
        raise _damaged(path, "something else")
    yield from found


def _damaged(path: Path, got: str) -> InputError:
    return InputError(where=path, expected="a list of modules", got=got, cure="copy the whole folder again")


def _is_inside(path: Path, folder: Path) -> bool:
    """Also where the hub's cache keeps a snapshot's files: links into `blobs` beside the snapshots."""
    try:
        real = path.resolve()
    except (OSError, RuntimeError, ValueError):  # links in a ring; a null character
        return False
    roots = [folder.resolve()]
    if folder.resolve().parent.name == "snapshots":
        roots.append(folder.resolve().parents[1] / "blobs")
    return any(real.is_relative_to(root) for root in roots)
