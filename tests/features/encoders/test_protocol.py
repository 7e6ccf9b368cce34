"""One contract for every encoder, then what is peculiar to each."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import BaseModel, ValidationError

from features.encoders.fitting.distillation_settings import DistillationConfig
from features.encoders.fitting.static_distillation import make_static
from features.encoders.image.aligned import AlignedShape, save_aligned
from features.encoders.image.aligned_network import make_network
from features.encoders.protocol import Encoder, EncoderSettings, Fittable
from features.encoders.registry import ENCODERS, EncoderConfig, known_kinds, make_encoder, register
from features.encoders.text.model_files import load_model
from features.encoders.text.static import save_static
from features.encoders.text.student import StudentAbout, save_student
from features.errors import InputError
from tests.features.encoders.tiny_teacher import build_teacher

TEXTS = [
    "red cotton shirt",
    "",
    "blue denim jeans with a very long description of pockets, seams and buttons",
    "a crimson cotton shirt for men",
    "wireless headphones",
    "  ",
    "shirt",
]
COLOURS = ("red", "green", "blue", "white", "black")


def photo(colour: str, size: tuple[int, int] = (24, 32)) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(buffer, "PNG")
    tinted = Image.blend(Image.open(buffer), Image.new("RGB", size, colour), 0.5)
    buffer = io.BytesIO()
    tinted.save(buffer, "PNG")
    return buffer.getvalue()


PHOTOS: list[str | bytes] = [photo(colour) for colour in COLOURS]
PHOTOS[1:1] = [b"not a photo"]
PHOTOS[4:4] = ["/no/such/file.jpg"]
ITEMS: dict[str, Sequence[str | bytes]] = {"text": TEXTS, "image": PHOTOS}
UNREADABLE = {"text": [1, 5], "image": [1, 4]}

RANDOM = {
    "kind": "torchvision",
    "backbone": "mobilenet_v3_small",
    "weights": "random",
    "size": 32,
    "threads": 1,
}


@dataclass(frozen=True)
class Case:
    """An implementation under the contract: all it supplies is a config."""

    settings: Callable[[Path], dict]
    modalities: frozenset[str]


CASES = {
    "minilm": Case(lambda _: {"kind": "sentence-transformer", "threads": 1}, frozenset({"text"})),
    "minilm int8": Case(
        lambda clip: {
            "kind": "sentence-transformer",
            "threads": 1,
            "runtime": "onnx-int8",
            "exports": str(clip.parent / "exports"),
        },
        frozenset({"text"}),
    ),
    "student": Case(
        lambda clip: {"kind": "student", "threads": 1, "folder": str(student_beside(clip))},
        frozenset({"text"}),
    ),
    "static": Case(lambda clip: {"kind": "static", "folder": str(table_beside(clip))}, frozenset({"text"})),
    "tfidf": Case(lambda _: {"kind": "tfidf", "dimensions": 5}, frozenset({"text"})),
    "torchvision": Case(lambda _: RANDOM, frozenset({"image"})),
    "aligned": Case(
        lambda clip: {"kind": "aligned", "folder": str(aligned_beside(clip))}, frozenset({"image"})
    ),
    "pixels": Case(lambda _: {"kind": "pixels", "side": 16}, frozenset({"image"})),
    "colours": Case(lambda _: {"kind": "colours"}, frozenset({"image"})),
    "clip": Case(lambda folder: {"kind": "clip", "model": str(folder)}, frozenset({"text", "image"})),
}


def aligned_beside(folder: Path) -> Path:
    """An aligned encoder of random weights in the parent of a folder."""
    photo_network = folder.parent / "aligned"
    if not photo_network.exists():
        photo_network.mkdir()
        shape = AlignedShape(backbone="small", dimensions=6, height=32, width=24, space="words")
        save_aligned(photo_network, make_network("small", 6, (32, 24)), shape, {})
    return photo_network


def student_beside(folder: Path) -> Path:
    """A student of random weights in the parent of a folder."""
    student = folder.parent / "student"
    if not student.exists():
        student.mkdir()
        model = load_model(build_teacher(folder.parent / "tiny"), torch.device("cpu"))
        save_student(student, model, StudentAbout(layers=4, space="words"), {})
    return student


def table_beside(folder: Path) -> Path:
    """A static encoder made of that student's tokens."""
    table = folder.parent / "static"
    if not table.exists():
        model = load_model(student_beside(folder), torch.device("cpu"))
        save_static(table, make_static(TEXTS, model, DistillationConfig(dimensions=8)), {})
    return table


class Holder(BaseModel):
    encoder: EncoderConfig


def make(settings: dict, base: Path = Path()) -> Encoder:
    encoder = make_encoder(Holder.model_validate({"encoder": settings}).encoder, base)
    if isinstance(encoder, Fittable) and not encoder.fitted:
        encoder.fit([text for text in TEXTS if text.strip()])
    return encoder


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture(scope="module")
def encoder(case: Case, tiny_clip: Path) -> Encoder:
    return make(case.settings(tiny_clip))


class TestContract:
    def test_rows_are_unit_vectors_or_nan(self, case: Case, encoder: Encoder) -> None:
        assert encoder.modalities == case.modalities
        for modality in encoder.modalities:
            items = ITEMS[modality]
            vectors = encoder.encode(items, modality)
            assert vectors.shape == (len(items), encoder.dimensions)
            assert vectors.dtype == np.float32
            unreadable = np.isnan(vectors).all(axis=1)
            assert np.flatnonzero(unreadable).tolist() == UNREADABLE[modality]
            np.testing.assert_allclose(np.linalg.norm(vectors[~unreadable], axis=1), 1, atol=1e-5)

    def test_neither_order_nor_neighbours_matter(self, encoder: Encoder) -> None:
        for modality in encoder.modalities:
            items = ITEMS[modality]
            vectors = encoder.encode(items, modality)
            order = np.random.default_rng(3).permutation(len(items))
            shuffled = encoder.encode([items[i] for i in order], modality)
            np.testing.assert_allclose(shuffled, vectors[order], atol=1e-5)
            np.testing.assert_allclose(encoder.encode(items[2:3], modality), vectors[2:3], atol=1e-5)

    def test_different_items_get_different_vectors(self, encoder: Encoder) -> None:
        for modality in encoder.modalities:
            vectors = encoder.encode([ITEMS[modality][0], ITEMS[modality][2]], modality)
            assert vectors[0] @ vectors[1] < 1 - 1e-4

    def test_a_new_instance_is_the_same(self, case: Case, encoder: Encoder, tiny_clip: Path) -> None:
        again = make(case.settings(tiny_clip))
        assert (again.fingerprint, again.space) == (encoder.fingerprint, encoder.space)
        for modality in encoder.modalities:
            items = ITEMS[modality]
            np.testing.assert_allclose(
                again.encode(items, modality), encoder.encode(items, modality), atol=1e-5
            )

    def test_nothing_in_nothing_out(self, encoder: Encoder) -> None:
        for modality in encoder.modalities:
            assert encoder.encode([], modality).shape == (0, encoder.dimensions)
            unreadable = [ITEMS[modality][1]]
            assert np.isnan(encoder.encode(unreadable, modality)).all()

    def test_refuses_another_modality(self, encoder: Encoder) -> None:
        for modality in {"text", "image", "audio"} - encoder.modalities:
            with pytest.raises(InputError, match=modality):
                encoder.encode(["x"], modality)

    def test_every_setting_survives_a_round_trip(self, case: Case, tiny_clip: Path) -> None:
        config = Holder.model_validate({"encoder": case.settings(tiny_clip)})
        written = json.loads(json.dumps(config.model_dump(mode="json")))
        assert written["encoder"].keys() == type(config.encoder).model_fields.keys()
        assert Holder.model_validate(written) == config


def test_every_fingerprint_is_its_own(tiny_clip: Path) -> None:
    variants = [case.settings(tiny_clip) for case in CASES.values()]
    variants += [
        {"kind": "sentence-transformer", "max_tokens": 8},
        {"kind": "tfidf", "dimensions": 4},
        {"kind": "tfidf", "dimensions": 5, "longest_phrase": 1},
        {"kind": "pixels", "side": 8},
        {**RANDOM, "seed": 1},
        {**RANDOM, "size": 48},
        {**RANDOM, "backbone": "mobilenet_v3_large"},
        {**RANDOM, "weights": "DEFAULT"},
        {**RANDOM, "weights": "DEFAULT", "backbone": "resnet50"},
        {**RANDOM, "weights": "IMAGENET1K_V1", "backbone": "resnet50"},
    ]
    prints = [make(settings).fingerprint for settings in variants]
    assert len(set(prints)) == len(prints)


# The registry


def test_importing_the_registry_does_not_import_a_framework() -> None:
    heavy = ["torch", "torchvision", "sentence_transformers", "transformers", "sklearn"]
    code = f"import sys, features.encoders; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "word2vec"}, "'clip', 'colours', 'joined', 'pixels', 'sentence-transformer'"),
        ({"model": "minilm"}, "kind"),
        ({"kind": "tfidf", "dimension": 5}, "encoder.dimension\n"),
        ("minilm", "dictionary"),
    ],
)
def test_a_wrong_config_is_explained(settings: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Holder.model_validate({"encoder": settings})


class LengthConfig(EncoderSettings):
    kind: Literal["test-length"] = "test-length"
    scale: float = 1.0


class LengthEncoder:
    """An encoder from outside the package, of a modality of its own."""

    modalities = frozenset({"audio"})
    dimensions = 2
    space = fingerprint = "length"

    def __init__(self, config: LengthConfig, base: Path) -> None:
        self._scale = config.scale

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        angles = np.array([self._scale * len(item) for item in items])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_a_kind_from_outside_is_known_once_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ENCODERS, "_known", {})
    register(LengthConfig, LengthEncoder)
    assert known_kinds() == ["test-length"]
    config = Holder.model_validate({"encoder": {"kind": "test-length", "scale": 2}})
    encoder = make_encoder(config.encoder, Path())
    np.testing.assert_allclose(encoder.encode([b"abc"], "audio"), [[np.cos(6), np.sin(6)]], atol=1e-6)
    assert config.model_dump() == {"encoder": {"kind": "test-length", "scale": 2}}
    register(LengthConfig, LengthEncoder)  # the same again does no harm
    with pytest.raises(ValueError, match="taken by LengthConfig"):
        register(type("Other", (LengthConfig,), {}), LengthEncoder)


# Devices


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has the device that must be missing")
@pytest.mark.parametrize("name", ["minilm", "torchvision", "aligned", "clip"])
def test_cuda_that_is_not_there_is_an_error(name: str, tiny_clip: Path) -> None:
    with pytest.raises(InputError, match="set device: cpu"):
        make({**CASES[name].settings(tiny_clip), "device": "cuda"})


def test_threads_are_set_as_asked() -> None:
    before = torch.get_num_threads()
    try:
        make({**RANDOM, "threads": 2}).encode(PHOTOS[:1], "image")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
