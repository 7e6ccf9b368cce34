"""Where a sentence-transformers model lies on disk, what is in it, and how it is loaded.

The fingerprint is taken from the files, so that a run whose vectors are all cached never loads the model.
"""

# ruff: noqa: PLC0415 - torch takes seconds to import, and a run whose vectors are all cached needs none

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from features.disk import sha256
from features.encoders.text.safe_folder import check_folder
from features.errors import InputError

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

# Weights, tokenizer and settings; a README or an exported ONNX copy does not change a vector.
# Pickled weights (.bin) are left out: loading them could run code.
_SUFFIXES = (".safetensors", ".json", ".txt", ".model")


def locate_model(name: str, base: Path) -> Path:
    """The folder of a model: `base / name` where that is a folder, else the hub's snapshot of that id.

    Raises InputError where there is neither (also when the hub cannot be reached).
    """
    folder = base / name
    if folder.is_dir():
        return folder
    if name.count("/") != 1 or name.startswith(("/", "./", "../", "~")):
        raise InputError(
            where=f"encoder model {name!r}",
            expected="a folder or a hub id (owner/name)",
            got=f"no folder {folder}",
            cure="mend the path (relative ones start from the config file)",
        )
    return _snapshot(name)


def hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 in hex of every file that decides the model's vectors, by path within the folder.

    Raises InputError for a folder without .safetensors weights.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    if not any(path.suffix == ".safetensors" for path in files):
        raise InputError(
            where=folder,
            expected="a model with .safetensors weights",
            got="no such file",
            cure="save the model with save_pretrained (pickled weights are not read)",
        )
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}


def load_model(folder: Path, device: torch.device) -> SentenceTransformer:
    """The model in eval mode, read from safetensors only, without a look at the network.

    Raises InputError for a folder that is damaged, or would run code (see safe_folder).
    """
    check_folder(folder)
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # loading takes a moment; the bar of the encoding is the one that matters
    try:
        model = SentenceTransformer(
            str(folder),
            device=str(device),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # whatever the libraries raise on a stranger's files
        raise InputError(
            where=folder,
            expected="a sentence-transformers model",
            got=str(error).split("\n", 1)[0],
            cure="check that the folder is whole",
        ) from error
    _check_weights(model, folder)
    return model.eval()


def _check_weights(model: SentenceTransformer, folder: Path) -> None:
    """Where weights are missing the library takes random ones and goes on; names may differ, but not most of them."""
    from safetensors import safe_open

    there: set[str] = set()
    for path in folder.rglob("*.safetensors"):
        with safe_open(path, "pt") as file:
            there.update(".".join(name.split(".")[-2:]) for name in file.keys())  # noqa: SIM118 - no dict
    asked = [".".join(name.split(".")[-2:]) for name, _ in model.named_parameters()]
    missing = [name for name in asked if name not in there]
    if len(missing) * 2 > len(asked):
        raise InputError(
            where=folder,
            expected="weights of the whole model",
            got=f"none of such a name for {len(missing)} of {len(asked)}, as {missing[0]}",
            cure="check that the folder is whole",
        )


def _snapshot(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    patterns = [f"*{suffix}" for suffix in _SUFFIXES]
    unused = ["onnx/*", "openvino/*"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns, ignore_patterns=unused))
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OSError) as error:
        raise InputError(
            where=f"encoder model {name!r}",
            expected="a folder, or a hub id that can be reached",
            got=f"{type(error).__name__} from the hub",
            cure="download it where there is a network, copy the folder here and name its path",
        ) from error
