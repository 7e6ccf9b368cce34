"""A fitted encoder's folder with a bit turned, a file cut, lost or swapped: found before a vector is made."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
import torch

from features.encoders.fitting.distillation_settings import DistillationConfig
from features.encoders.fitting.static_distillation import make_static
from features.encoders.folder_sums import SUMS, checked_sums, write_sums
from features.encoders.image.aligned import AlignedConfig, AlignedShape, save_aligned
from features.encoders.image.aligned_network import make_network
from features.encoders.protocol import EncoderSettings
from features.encoders.registry import make_encoder
from features.encoders.text.model_files import load_model
from features.encoders.text.static import StaticConfig, save_static
from features.encoders.text.student import StudentAbout, StudentConfig, save_student
from features.errors import InputError
from tests.features.encoders.tiny_teacher import build_teacher

KINDS = {"aligned": AlignedConfig, "student": StudentConfig, "static": StaticConfig}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("fitted")
    for kind in KINDS:
        (base / kind).mkdir()
    shape = AlignedShape(backbone="small", dimensions=6, height=32, width=24, space="words")
    save_aligned(base / "aligned", make_network("small", 6, (32, 24)), shape, {"seconds": 1})
    model = load_model(build_teacher(base / "tiny"), torch.device("cpu"))
    save_student(base / "student", model, StudentAbout(layers=4, space="words"), {"seconds": 1})
    words = DistillationConfig(dimensions=8)
    save_static(base / "static", make_static(["red shirt", "blue dress"], model, words), {"seconds": 1})
    return base


def opened(folder: Path, kind: str) -> str:
    settings: EncoderSettings = KINDS[kind](folder=folder.name)  # type: ignore[call-arg]
    return make_encoder(settings, folder.parent).fingerprint


def summed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if f'"{path.name}"' in (folder / SUMS).read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_damage_to_any_file_is_found(folders: Path, tmp_path: Path, kind: str) -> None:
    whole, draw = folders / kind, random.Random(0)
    mark = opened(whole, kind)
    for path in sorted(path for path in whole.rglob("*") if path.is_file() and path.name != "fitting.json"):
        for damage in ("flip", "flip", "flip", "cut", "gone"):
            folder = tmp_path / kind
            shutil.copytree(whole, folder)
            target, data = folder / path.relative_to(whole), bytearray(path.read_bytes())
            if damage == "gone":
                target.unlink()
            else:
                place = draw.randrange(len(data))
                data[place] ^= 1 << draw.randrange(8)
                target.write_bytes(data if damage == "flip" else path.read_bytes()[:place])
            try:  # some of sums.json, and files that no vector hangs on, may change without harm
                assert opened(folder, kind) == mark
                assert path.name not in summed(whole), (path.name, damage)
            except InputError:
                pass
            shutil.rmtree(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_how_it_was_made_is_for_people(folders: Path, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / kind
    shutil.copytree(folders / kind, folder)
    (folder / "fitting.json").write_text("{}")
    assert opened(folder, kind) == opened(folders / kind, kind)


def test_a_folder_without_sums_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with pytest.raises(
        InputError, match=r"sums\.json.*copy the whole folder again, or fit the encoder again"
    ):
        checked_sums(tmp_path, ["a"])
    write_sums(tmp_path, ["a"])
    assert list(checked_sums(tmp_path, ["a"])) == ["a"]
    with pytest.raises(InputError, match="KeyError"):
        checked_sums(tmp_path, ["a", "b"])
    (tmp_path / SUMS).write_text('{"../secret": "0"}')
    with pytest.raises(InputError, match="leads out"):
        checked_sums(tmp_path, [])
