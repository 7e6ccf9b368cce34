"""The torchvision encoder's own properties; what it shares with every encoder is in test_encoders."""

from __future__ import annotations

import io
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from features.encoders.image.pretrained import TorchvisionConfig, remove_head
from features.encoders.protocol import Encoder
from features.encoders.registry import make_encoder
from features.errors import InputError

RANDOM = {"backbone": "mobilenet_v3_small", "weights": "random", "size": 32, "threads": 1, "device": "cpu"}


def gradient_photo() -> bytes:
    buffer = io.BytesIO()
    shades = Image.linear_gradient("L").resize((24, 32))
    Image.merge("RGB", [shades, shades.rotate(180), shades]).save(buffer, "PNG")
    return buffer.getvalue()


PHOTOS = [gradient_photo()]


def make(settings: dict, base: Path = Path()) -> Encoder:
    return make_encoder(TorchvisionConfig(**settings), base)


def random_state(backbone: str = "mobilenet_v3_small", seed: int = 5) -> dict[str, torch.Tensor]:
    from torchvision import models

    torch.manual_seed(seed)
    return models.get_model(backbone, weights=None).state_dict()


def test_without_weights_it_refuses() -> None:
    with pytest.raises(InputError, match="weights: random"):
        make({"backbone": "resnet50"})


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
