"""Fitting an aligned encoder: a world that can be learnt, and kill -9."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from features.encoders.fitting.aligned_training import Fitted, Progress, fit_aligned_encoder
from features.encoders.fitting.contrastive import recall_at
from features.encoders.fitting.pair_sampling import (
    Pairs,
    hold_out,
)
from features.encoders.image.aligned_network import encode_pixels, make_network
from features.encoders.image.aligned_settings import AlignedTrainingConfig
from features.encoders.protocol import unit_rows
from features.encoders.vectors import RowVectors
from features.errors import InputError

CPU = torch.device("cpu")
DIMENSIONS = 8
SETTINGS = AlignedTrainingConfig(
    height=16, width=16, epochs=6, batch_size=32, precision="float32", held_out=40, recall_at=3
)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def units(n: int, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(n, DIMENSIONS)).astype(np.float32))


def colour_world(n: int = 400) -> Pairs:
    """Photos of one colour each, with texts that are a fixed function of that colour."""
    rng = np.random.default_rng(1)
    colours = rng.integers(0, 256, (n, 3))
    photos = np.clip(colours[:, None, None, :] + rng.normal(0, 5, (n, 16, 16, 3)), 0, 255).astype(np.uint8)
    texts = unit_rows((colours / 128 - 1) @ rng.normal(size=(3, DIMENSIONS)))
    return Pairs(photos, np.arange(n), RowVectors(texts, np.arange(n)), {}, "words")


def weights(fitted: Fitted) -> np.ndarray:
    return torch.cat(
        [tensor.flatten().float() for tensor in fitted.photo_network.state_dict().values()]
    ).numpy()


def test_a_world_of_colours_is_learnt(tmp_path: Path) -> None:
    pairs = colour_world()
    fitted = fit_aligned_encoder(pairs, SETTINGS, CPU, tmp_path / "checkpoint")
    chance = SETTINGS.recall_at / fitted.held_out
    assert fitted.recall > 5 * chance
    assert (fitted.held_out, fitted.trained_on) == (len(pairs) // 10, len(pairs) - len(pairs) // 10)
    _, held = hold_out(pairs, SETTINGS.held_out, SETTINGS.seed)
    vectors = encode_pixels(fitted.photo_network, torch.from_numpy(pairs.photos[held]), CPU)
    assert recall_at(vectors, pairs.text.vectors[held], SETTINGS.recall_at) == fitted.recall


def test_texts_that_say_nothing_of_the_photo_stop_it_early(tmp_path: Path) -> None:
    pairs = colour_world(100)
    blank = replace(pairs, photos=np.zeros_like(pairs.photos))
    settings = SETTINGS.model_copy(update={"epochs": 50, "patience": 2})
    fitted = fit_aligned_encoder(blank, settings, CPU, tmp_path / "checkpoint")
    assert fitted.epochs < settings.epochs


def test_second_views_tell_photos_apart_that_texts_do_not(tmp_path: Path) -> None:
    world = colour_world()
    red = world.photos[..., 0].mean((1, 2))[:, None] / 256
    of_red = unit_rows(np.cos(red * np.arange(1, DIMENSIONS + 1))).astype(np.float32)
    pairs = replace(world, text=RowVectors(of_red, world.text.rows))
    asked = world.photos[:60].copy()
    asked[..., 0] = 128  # what is left to tell them apart, no text speaks of

    def alikeness(views: float) -> float:
        settings = SETTINGS.model_copy(update={"views": views})
        network = fit_aligned_encoder(pairs, settings, CPU, tmp_path / f"views{views}").photo_network
        vectors = encode_pixels(network, torch.from_numpy(asked), CPU)
        return float((vectors @ vectors.T).mean())

    assert alikeness(1.0) < alikeness(0.0) - 0.1


class Clock:
    """A clock that moves by a second a look, or more on a busier machine."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now = seconds, 0.0

    def monotonic(self) -> float:
        self.now += self.seconds
        return self.now


def on_a_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr("features.encoders.fitting.aligned_training.time", Clock(seconds))


def test_a_busy_machine_gives_the_same_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that does not cut it short has no say, however slow the steps."""
    pairs, settings = colour_world(100), SETTINGS.model_copy(update={"epochs": 2})
    quick = fit_aligned_encoder(pairs, settings, CPU, tmp_path / "quick")
    on_a_clock(monkeypatch, 7.0)
    hours = settings.model_copy(update={"minutes": 600})
    slow = fit_aligned_encoder(pairs, hours, CPU, tmp_path / "slow", spent=3_000)
    assert not slow.cut
    np.testing.assert_array_equal(weights(slow), weights(quick))
    assert slow.seconds > 3_000


@pytest.mark.parametrize("spent", [0, 5])
def test_minutes_cut_it_short_with_a_word_before_and_after(
    spent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Seconds spent on reading count; with more minutes it goes on and ends as if never cut."""
    caplog.set_level("INFO")
    pairs, settings = colour_world(100), SETTINGS.model_copy(update={"epochs": 8, "patience": 99})
    whole = fit_aligned_encoder(pairs, settings, CPU, tmp_path / "whole")
    assert "steps: about" in caplog.text
    assert "WARN" not in caplog.text
    on_a_clock(monkeypatch, 1.0)
    short = settings.model_copy(update={"minutes": 0.15})
    cut = fit_aligned_encoder(pairs, short, CPU, tmp_path / "checkpoint", spent=spent)
    assert cut.cut
    assert 9 <= cut.seconds <= 10
    assert ("WARN: aligned.minutes 0.15 will cut it short at about step" in caplog.text) == (spent == 0)
    assert "WARN: cut short by aligned.minutes 0.15 after step" in caplog.text
    more = settings.model_copy(update={"minutes": 600.0})
    ended = fit_aligned_encoder(pairs, more, CPU, tmp_path / "checkpoint")
    assert not ended.cut
    np.testing.assert_allclose(weights(ended), weights(whole), atol=1e-6)


def test_no_minute_left_is_no_network(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"minutes": 1.0})
    with pytest.raises(InputError, match=r"aligned.minutes.*2.0 minutes gone of 1"):
        fit_aligned_encoder(colour_world(100), settings, CPU, tmp_path / "checkpoint", spent=120)


def test_progress_counts_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.encoders.fitting.aligned_training._REPORT_SECONDS", 0.0)
    reports: list[Progress] = []
    settings = SETTINGS.model_copy(update={"epochs": 2})
    fit_aligned_encoder(colour_world(100), settings, CPU, tmp_path / "checkpoint", reports.append)
    steps = 90 // SETTINGS.batch_size
    assert [at.step for at in reports] == [
        step for step in range(1, 2 * steps + 1) for _ in range(1 + (step % steps == 0))
    ]
    assert [at.epoch for at in reports if at.recall is not None] == [1, 2]
    assert reports[-1].seconds_left == 0
    assert all(at.seconds_left > 0 for at in reports[:-2])


INTERRUPTED = """
import os, signal, sys, torch, numpy as np
from pathlib import Path
import features.encoders.fitting.aligned_training as training
from features.encoders.vectors import RowVectors
from features.encoders.fitting.pair_sampling import Pairs
from features.encoders.image.aligned_settings import AlignedTrainingConfig

torch.set_num_threads(1)
training._CHECKPOINT_SECONDS = training._REPORT_SECONDS = 0.0
world = np.load(sys.argv[1])
rows = np.arange(len(world["texts"]))
pairs = Pairs(world["photos"], rows, RowVectors(world["texts"], rows), {}, "words")
settings = AlignedTrainingConfig.model_validate_json(sys.argv[2])

def tell(at):
    if at.step == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)

training.fit_aligned_encoder(pairs, settings, torch.device("cpu"), Path(sys.argv[3]), tell)
"""


def test_killed_and_run_again_it_ends_as_if_never_killed(tmp_path: Path) -> None:
    pairs, settings = colour_world(100), SETTINGS.model_copy(update={"epochs": 4})
    checkpoint, steps = tmp_path / "checkpoint", 4 * (90 // SETTINGS.batch_size)
    killed_at = steps // 2 + 1  # in the midst of an epoch
    np.savez(tmp_path / "world.npz", photos=pairs.photos, texts=pairs.text.vectors)
    words = [str(tmp_path / "world.npz"), settings.model_dump_json(), str(checkpoint), str(killed_at)]
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED, *words], check=False)
    assert ended.returncode == -signal.SIGKILL
    reports: list[Progress] = []
    resumed = fit_aligned_encoder(pairs, settings, CPU, checkpoint, reports.append)
    assert reports[0].epoch == 1 + killed_at // (90 // SETTINGS.batch_size)
    whole = fit_aligned_encoder(pairs, settings, CPU, tmp_path / "another")
    assert (resumed.recall, resumed.epochs) == (whole.recall, whole.epochs)
    np.testing.assert_allclose(weights(resumed), weights(whole), atol=1e-6)


def test_a_finished_fitting_is_read_back_from_its_checkpoint(tmp_path: Path) -> None:
    pairs, settings = colour_world(100), SETTINGS.model_copy(update={"epochs": 2})
    first = fit_aligned_encoder(pairs, settings, CPU, tmp_path / "checkpoint")
    reports: list[Progress] = []
    again = fit_aligned_encoder(pairs, settings, CPU, tmp_path / "checkpoint", reports.append)
    assert (reports, again.recall) == ([], first.recall)
    np.testing.assert_array_equal(weights(again), weights(first))


@pytest.mark.parametrize("changed", ["settings", "pairs"])
def test_a_checkpoint_of_another_fitting_is_not_gone_on_from(tmp_path: Path, changed: str) -> None:
    pairs, settings = colour_world(100), SETTINGS.model_copy(update={"epochs": 1})
    fit_aligned_encoder(pairs, settings, CPU, tmp_path / "checkpoint")
    if changed == "settings":
        settings = settings.model_copy(update={"learning_rate": 1e-3})
    else:
        pairs = replace(pairs, photos=pairs.photos ^ 1)
    reports: list[Progress] = []
    fit_aligned_encoder(pairs, settings, CPU, tmp_path / "checkpoint", reports.append)
    assert [at.epoch for at in reports] == [1]


def test_a_damaged_checkpoint_is_explained(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match="remove it: the fitting starts again"):
        fit_aligned_encoder(colour_world(100), SETTINGS, CPU, tmp_path / "checkpoint")


def test_bfloat16_learns_the_same_world(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"precision": "bfloat16"})
    fitted = fit_aligned_encoder(colour_world(), settings, CPU, tmp_path / "checkpoint")
    assert fitted.recall > 5 * SETTINGS.recall_at / fitted.held_out


def test_a_torchvision_backbone_is_fitted_alike(tmp_path: Path) -> None:
    pairs = colour_world(100)
    settings = SETTINGS.model_copy(update={"backbone": "mobilenet_v3_small", "epochs": 1})
    fitted = fit_aligned_encoder(pairs, settings, CPU, tmp_path / "checkpoint")
    before = make_network(settings.backbone, DIMENSIONS, (16, 16), seed=settings.seed)
    moved = [
        not torch.equal(a, b)
        for a, b in zip(before.parameters(), fitted.photo_network.parameters(), strict=True)
    ]
    assert all(moved)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_learns_the_same_world(tmp_path: Path) -> None:
    fitted = fit_aligned_encoder(colour_world(), SETTINGS, torch.device("cuda"), tmp_path / "checkpoint")
    assert fitted.recall > 5 * SETTINGS.recall_at / fitted.held_out
