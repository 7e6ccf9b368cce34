"""A ranker on disk: ranker.json and one safetensors file per model, with their sums; nothing that runs code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from features.disk import sha256
from features.errors import InputError

Arrays = dict[str, np.ndarray]


def write_models(folder: Path, about: Mapping[str, Any], models: Sequence[Arrays]) -> None:
    """Write `model_0.safetensors` … and ranker.json, which holds `about` and the sums of the models."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"model_{bag}.safetensors" for bag in range(len(models))]
    for name, model in zip(names, models, strict=True):
        save_file({key: np.ascontiguousarray(array) for key, array in model.items()}, folder / name)
    sums = {"sha256": {name: sha256(folder / name) for name in names}}
    text = json.dumps(sums | dict(about), indent=1, allow_nan=False)
    (folder / "ranker.json").write_text(text + "\n", encoding="utf-8")


def read_models(folder: Path) -> tuple[dict[str, Any], list[Arrays]]:
    """What `write_models` wrote; InputError for a model file that changed since."""
    about = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
    check_unchanged(folder, about["sha256"])
    return about, [load_file(folder / name) for name in about["sha256"]]


def check_unchanged(folder: Path, sums: Mapping[str, str]) -> None:
    """Raise InputError for a file whose SHA-256 is no longer the one in `sums`, ValueError for a name of no model's."""
    for name, written in sums.items():
        if not re.fullmatch(r"model_\d{1,4}\.[a-z]+", name):
            raise ValueError(f"{name!r} among the models")
        if sha256(folder / name) != written:
            raise InputError(
                where=folder / name,
                expected="the model file of a saved ranker",
                got=f"another file of {(folder / name).stat().st_size:,} bytes",
                cure="copy the whole run folder again, or train it again",
            )
