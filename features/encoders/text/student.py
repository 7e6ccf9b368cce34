"""Text → the space of a larger text encoder: a student of it, fitted on the shop's own texts, now frozen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.encoders.folder_sums import SUMS, checked_sums, write_sums
from features.encoders.text.model_files import hash_files
from features.encoders.text.transformer import TransformerSettings, TransformerTextEncoder
from features.errors import NotFittedError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_ABOUT, _RECORD = "student.json", "fitting.json"
_CURE = "make it of a larger encoder first"


class StudentConfig(TransformerSettings):
    """A student that was made (see `encoders.fitting`) of a larger text encoder."""

    kind: Literal["student"] = "student"
    folder: str = Field(description="of the student; relative to the config file")


class StudentAbout(BaseModel):
    """What a saved student is, beside its weights: the content of its student.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: int
    space: str = Field(description="that of the teacher, whose vectors it was fitted to")


class StudentEncoder(TransformerTextEncoder):
    """A student has its teacher's `space`.

    What it was fitted by is the angle to the teacher's vectors and nothing else, so an aligned encoder
    fitted to the teacher may be used beside it; the folder's record tells how near it came.
    """

    def __init__(self, config: StudentConfig, base: Path) -> None:
        folder = base / config.folder
        about = read_about(folder)
        hashes = checked_sums(folder, _files(folder))
        super().__init__(config, folder, hashes, config.kind, about.space)


def save_student(
    folder: Path, student: SentenceTransformer, about: StudentAbout, record: Mapping[str, object]
) -> None:
    """Fill a folder with a student; record: how it was made, for people to read."""
    student.save(str(folder), create_model_card=False, safe_serialization=True)
    for weights in folder.rglob("*.safetensors"):
        weights.chmod(0o644)  # safetensors keeps it from everyone else
    (folder / _ABOUT).write_text(about.model_dump_json(indent=2) + "\n", encoding="utf-8")
    write_sums(folder, _files(folder))
    (folder / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _files(folder: Path) -> list[str]:
    """What decides its vectors: how long its making took does not."""
    return sorted(set(hash_files(folder)) - {_RECORD, SUMS})


def is_student(folder: Path) -> bool:
    return (folder / _ABOUT).is_file()


def read_about(folder: Path) -> StudentAbout:
    """What a saved student is; InputError where there is none, or its description is damaged."""
    if not is_student(folder):
        got = f"no {_ABOUT} in it" if folder.is_dir() else "no such folder"
        raise NotFittedError(where=folder, expected="a student of a text encoder", got=got, cure=_CURE)
    try:
        return StudentAbout.model_validate_json((folder / _ABOUT).read_bytes())
    except ValidationError as error:
        problem = error.errors()[0]
        got = f"{'.'.join(map(str, problem['loc']))} {problem['msg']}".strip()
        raise NotFittedError(
            where=folder / _ABOUT, expected="the description of a student", got=got, cure=_CURE
        ) from error
