"""The aligned encoder: a saved aligned encoder read back, its space, and how it is refused."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.cache import EmbeddingCache
from features.encoders.folder_sums import write_sums
from features.encoders.image.aligned import AlignedConfig, AlignedEncoder, AlignedShape, save_aligned
from features.encoders.image.aligned_network import SMALL, make_network, to_pixels
from features.errors import InputError

DIMENSIONS = 4


def aligned_in(folder: Path, *, seed: int = 0, space: str = "words", backbone: str = SMALL) -> Path:
    folder.mkdir(exist_ok=True)
    shape = AlignedShape(backbone=backbone, dimensions=DIMENSIONS, height=32, width=32, space=space)
    save_aligned(folder, make_network(backbone, DIMENSIONS, (32, 32), seed=seed), shape, {"seed": seed})
    return folder


def encoder_of(folder: Path) -> AlignedEncoder:
    return AlignedEncoder(AlignedConfig(folder=folder.name, threads=1), folder.parent)


def photo(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 30), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photo_network(tmp_path: Path) -> Path:
    return aligned_in(tmp_path / "aligned")


class Words:
    """A text encoder whose vectors and space are given."""

    modalities = frozenset({"text"})
    dimensions = DIMENSIONS

    def __init__(self, space: str) -> None:
        self.space = self.fingerprint = space

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        return np.eye(DIMENSIONS, dtype=np.float32)[[len(item) % DIMENSIONS for item in items]]


@pytest.mark.parametrize("backbone", [SMALL, "mobilenet_v3_small"])
def test_a_saved_aligned_encoder_gives_the_vectors_of_the_one_in_memory(
    tmp_path: Path, backbone: str
) -> None:
    folder = aligned_in(tmp_path / "aligned", backbone=backbone)
    pixels = to_pixels([Image.new("RGB", (20, 30), "red")], 32, 32)
    network = make_network(backbone, DIMENSIONS, (32, 32), seed=0).eval()
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(encoder_of(folder).encode([photo("red")], "image"), expected, atol=1e-5)


def test_the_fingerprint_follows_weights_and_shape(tmp_path: Path) -> None:
    encoders = [
        aligned_in(tmp_path / "a"),
        aligned_in(tmp_path / "b", seed=1),
        aligned_in(tmp_path / "c", space="other"),
    ]
    again = encoder_of(aligned_in(tmp_path / "d")).fingerprint
    prints = [encoder_of(folder).fingerprint for folder in encoders]
    assert len(set(prints)) == len(prints)
    assert again == prints[0]


@pytest.mark.parametrize(("space", "there"), [("words", True), ("other words", False)])
def test_photos_are_compared_with_texts_of_the_same_space_only(
    photo_network: Path, space: str, there: bool
) -> None:
    products = pl.DataFrame({"product_id": ["p"], "title": ["a red shirt"], "image": [photo("red")]})
    queries = pl.DataFrame({"query_id": ["q"], "text": ["red"], "image": [photo("blue")]})
    encoders = {"text": Words(space), "image": encoder_of(photo_network)}
    config = FeaturesConfig(lexical=None, shown_words=None, structured=None)
    builder = FeatureBuilder(products, config, encoders, EmbeddingCache(photo_network.parent / "cache"))
    found = builder.build(queries, pl.DataFrame({"query_id": ["q"], "product_id": ["p"]})).frame
    assert ("image.text_photo" in found.columns) == there
    assert ("image.photo_title" in found.columns) == there
    assert "image.photo_photo" in found.columns
    if there:
        vector = encoders["image"].encode([photo("red")], "image")[0]
        expected = vector[len("red") % DIMENSIONS]
        assert found["image.text_photo"].item() == pytest.approx(expected, abs=1e-5)


def test_a_photo_is_seen_whole_on_white() -> None:
    seen = to_pixels([Image.new("RGB", (10, 20), "red")], 20, 20)
    assert seen.shape == (1, 20, 20, 3)
    assert (seen[0, :, 5:15] == (255, 0, 0)).all()
    assert (seen[0, :, :5] == 255).all()
    assert (seen[0, :, 15:] == 255).all()


# What cannot be read


def test_a_aligned_encoder_that_is_not_there_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder; fit it on a catalogue first"):
        encoder_of(tmp_path / "none")


@pytest.mark.parametrize("name", ["config.json", "aligned.safetensors"])
def test_half_a_aligned_encoder_is_none(photo_network: Path, name: str) -> None:
    (photo_network / name).unlink()
    with pytest.raises(InputError, match="in it; fit it"):
        encoder_of(photo_network)


@pytest.mark.parametrize("content", ["{", "{}", '{"backbone": "small", "colour": 3}'])
def test_a_damaged_description_is_explained(photo_network: Path, content: str) -> None:
    (photo_network / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json.*expected the description of an aligned encoder"):
        encoder_of(photo_network)


def test_damaged_weights_are_explained(photo_network: Path) -> None:
    weights = photo_network / "aligned.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match="expected the file as it was written with the encoder"):
        encoder_of(photo_network)
    write_sums(photo_network, ("config.json", "aligned.safetensors"))
    with pytest.raises(InputError, match="expected the weights of a small aligned encoder"):
        encoder_of(photo_network).encode([photo("red")], "image")


def test_weights_of_another_network_are_explained(photo_network: Path) -> None:
    described = (photo_network / "config.json").read_text()
    (photo_network / "config.json").write_text(described.replace('"dimensions": 4', '"dimensions": 5'))
    write_sums(photo_network, ("config.json", "aligned.safetensors"))
    with pytest.raises(InputError, match="expected the weights of a small aligned encoder"):
        encoder_of(photo_network).encode([photo("red")], "image")


@pytest.mark.parametrize(
    ("backbone", "size", "message"),
    [
        ("resnet5", (32, 32), "name one such as"),
        ("vit_b_16", (48, 32), "photos of 32 × 48 pixels"),
    ],
)
def test_a_backbone_that_does_not_do_is_explained(backbone: str, size: tuple[int, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_network(backbone, DIMENSIONS, size)


def test_a_backbone_starts_from_the_weights_given(tmp_path: Path) -> None:
    donor = make_network("mobilenet_v3_small", DIMENSIONS, (32, 32), seed=5).backbone.state_dict()
    torch.save(donor, tmp_path / "donor.pt")
    network = make_network("mobilenet_v3_small", DIMENSIONS, (32, 32), "donor.pt", tmp_path, seed=6)
    assert all(torch.equal(tensor, donor[name]) for name, tensor in network.backbone.state_dict().items())
