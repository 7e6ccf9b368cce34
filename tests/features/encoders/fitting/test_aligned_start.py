"""A fitting that starts from an aligned encoder fitted before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from features.encoders.fitting.aligned_start import content_of, first_network
from features.encoders.fitting.aligned_training import fit_aligned_encoder
from features.encoders.fitting.pair_sampling import Pairs
from features.encoders.image.aligned import AlignedShape, save_aligned
from features.encoders.image.aligned_network import make_network
from features.encoders.image.aligned_settings import AlignedTrainingConfig
from features.encoders.protocol import unit_rows
from features.encoders.vectors import RowVectors
from features.errors import InputError

DIMENSIONS = 4
SETTINGS = AlignedTrainingConfig(
    start="aligned", height=16, width=16, epochs=1, batch_size=8, precision="float32", learning_rate=1e-9
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(tmp_path, seed=5)
    return tmp_path


def save(folder: Path, seed: int) -> None:
    (folder / "aligned").mkdir(exist_ok=True)
    shape = AlignedShape(backbone="small", dimensions=DIMENSIONS, height=16, width=16, space="words")
    save_aligned(folder / "aligned", make_network("small", DIMENSIONS, (16, 16), seed=seed), shape, {})


def noise(n: int = 40) -> Pairs:
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)
    texts = unit_rows(rng.normal(size=(n, DIMENSIONS)).astype(np.float32))
    return Pairs(photos, np.arange(n), RowVectors(texts, np.arange(n)), {}, "words")


def test_it_starts_with_the_weights_of_that_aligned_encoder(saved: Path) -> None:
    first = first_network(SETTINGS, DIMENSIONS, saved)
    assert content_of(first) == content_of(make_network("small", DIMENSIONS, (16, 16), seed=5))
    fresh = first_network(SETTINGS.model_copy(update={"start": None}), DIMENSIONS, saved)
    assert content_of(fresh) != content_of(first)


def test_a_fitting_that_hardly_learns_stays_where_it_started(saved: Path) -> None:
    torch.set_num_threads(1)
    fitted = fit_aligned_encoder(noise(), SETTINGS, torch.device("cpu"), saved / "checkpoint", base=saved)
    start = make_network("small", DIMENSIONS, (16, 16), seed=5)
    for ours, theirs in zip(fitted.photo_network.parameters(), start.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_a_checkpoint_that_started_from_another_aligned_encoder_is_not_gone_on_from(saved: Path) -> None:
    torch.set_num_threads(1)
    fitted: list[int] = []
    for seed in (5, 5, 6):
        save(saved, seed)
        fitted.append(0)

        def count(_: object) -> None:
            fitted[-1] += 1

        fit_aligned_encoder(noise(), SETTINGS, torch.device("cpu"), saved / "checkpoint", count, saved)
    assert fitted == [1, 0, 1]  # once fitted, read back, and fitted anew


@pytest.mark.parametrize(
    ("changed", "dimensions", "got"),
    [
        ({"height": 24}, DIMENSIONS, "16 × 16 pixels"),
        ({"backbone": "mobilenet_v3_small"}, DIMENSIONS, "got a small aligned encoder"),
        ({}, DIMENSIONS + 1, "of 4 dimensions"),
    ],
)
def test_a_aligned_encoder_of_another_shape_is_refused(
    saved: Path, changed: dict, dimensions: int, got: str
) -> None:
    with pytest.raises(InputError, match=got):
        first_network(SETTINGS.model_copy(update=changed), dimensions, saved)


def test_a_folder_without_a_aligned_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a fitted aligned encoder, got no such folder"):
        first_network(SETTINGS, DIMENSIONS, tmp_path)


def test_start_and_weights_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="not both"):
        AlignedTrainingConfig(start="aligned", backbone="resnet18", weights="IMAGENET1K_V1")
