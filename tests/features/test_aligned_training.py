"""Fitting a tower: the arithmetic against plain loops, the pairs, a world that can be learnt, and kill -9."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, reject
from hypothesis import strategies as st
from PIL import Image

from features.aligned_training import Fitted, Progress, fit_tower
from features.contrastive import augment, contrastive_loss, learning_rate_at, recall_at
from features.cosines import RowVectors
from features.embedding_cache import EmbeddingCache
from features.encoder_protocol import unit_rows
from features.errors import InputError
from features.pair_sampling import (
    Pairs,
    alike,
    batches,
    catalogue_pairs,
    decode_photos,
    draw_targets,
    hold_out,
)
from features.tower_network import encode_pixels, make_tower
from features.tower_settings import AlignedTrainingConfig

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
    return torch.cat([tensor.flatten().float() for tensor in fitted.tower.state_dict().values()]).numpy()


# The arithmetic


@given(seed=st.integers(0, 999), n=st.integers(2, 6), scale=st.floats(1, 20))
def test_the_loss_is_the_mean_of_both_cross_entropies(seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    photos, texts, groups = units(n, seed), units(n, seed + 1), rng.integers(0, n, n)
    same = groups[:, None] == groups
    expected = 0.0
    for i in range(n):
        rivals = [j for j in range(n) if j == i or not same[i, j]]
        own = scale * photos[i] @ texts[i]
        expected += np.log(sum(np.exp(scale * photos[i] @ texts[j]) for j in rivals)) - own
        expected += np.log(sum(np.exp(scale * photos[j] @ texts[i]) for j in rivals)) - own
    tensors = [torch.from_numpy(array) for array in (photos, texts)]
    loss = contrastive_loss(*tensors, torch.tensor(scale), torch.from_numpy(same))
    assert loss.item() == pytest.approx(expected / (2 * n), rel=1e-4, abs=1e-5)


def test_equal_texts_pull_no_other_photo_away() -> None:
    """Two photos of one text and nothing else: there is nothing to tell apart, so nothing to learn."""
    photos = torch.from_numpy(units(2)).requires_grad_()
    texts = torch.from_numpy(units(1, 3)).expand(2, -1)
    loss = contrastive_loss(photos, texts, torch.tensor(10.0), torch.ones(2, 2, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert photos.grad is not None
    assert (photos.grad == 0).all()


@given(seed=st.integers(0, 999), n=st.integers(1, 12), k=st.integers(1, 5))
def test_recall_is_the_share_found_both_ways(seed: int, n: int, k: int) -> None:
    photos, texts = units(n, seed), units(n, seed + 1)
    cosines = photos @ texts.T
    found = [i in np.argsort(-cosines[i])[:k] for i in range(n)]
    found += [i in np.argsort(-cosines[:, i])[:k] for i in range(n)]
    assert recall_at(photos, texts, k) == pytest.approx(np.mean(found))


def test_a_network_that_tells_no_photos_apart_recalls_nothing_by_text() -> None:
    photos, texts, k = np.repeat(units(1), 10, axis=0), units(10, 1), 3
    assert recall_at(photos, texts, k) == pytest.approx((k / 10 + 0) / 2)


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    rates = [learning_rate_at(share) for share in np.linspace(0, 1, 101)]
    top = int(np.argmax(rates))
    assert (rates[0], max(rates)) == (0, 1)
    assert rates[-1] == pytest.approx(0, abs=1e-12)
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert learning_rate_at(1.5) == pytest.approx(0, abs=1e-12)


def test_augmentation_moves_shapes_and_keeps_colours() -> None:
    plain = torch.tensor([200.0, 30.0, 90.0]).view(1, 3, 1, 1).expand(64, 3, 12, 8)
    seen = augment(plain, torch.Generator().manual_seed(0))
    torch.testing.assert_close(seen, plain)
    left_lit = torch.zeros(64, 3, 12, 8)
    left_lit[..., :4] = 255
    seen = augment(left_lit, torch.Generator().manual_seed(0))
    mirrored = (seen[..., 4:].mean(dim=(1, 2, 3)) > seen[..., :4].mean(dim=(1, 2, 3))).float().mean()
    assert 0.25 < mirrored < 0.75
    again = augment(left_lit, torch.Generator().manual_seed(0))
    assert torch.equal(seen, again)
    assert len(seen.flatten(1).unique(dim=0)) > 32


# Pairs


def paired(text_rows: Sequence[int], photo_ids: Sequence[int]) -> Pairs:
    n = len(text_rows)
    text = RowVectors(units(max(text_rows) + 1), np.array(text_rows))
    brand = RowVectors(units(2, 9), np.arange(n) % 3 - 1)
    return Pairs(np.zeros((n, 2, 2, 3), np.uint8), np.array(photo_ids), text, {"brand": brand}, "words")


@given(
    ids=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=20, max_size=60),
    count=st.integers(1, 50),
)
def test_held_out_pairs_share_nothing_with_each_other_or_with_training(
    ids: list[tuple[int, int]], count: int
) -> None:
    pairs = paired(*zip(*ids, strict=True))
    try:
        train, held = hold_out(pairs, count, seed=0)
    except InputError:  # by chance nearly all pairs share something with a held-out one
        reject()
    assert 1 <= len(held) <= min(count, len(pairs) // 10)
    for owned in (pairs.text.rows, pairs.photo_ids):
        assert len(set(owned[held])) == len(held)
        assert not set(owned[held]) & set(owned[train])
    left = set(range(len(pairs))) - set(train) - set(held)
    assert all(
        pairs.text.rows[row] in pairs.text.rows[held] or pairs.photo_ids[row] in pairs.photo_ids[held]
        for row in left
    )


def test_a_catalogue_of_one_text_teaches_nothing() -> None:
    with pytest.raises(InputError, match=r"30 that nearly all share theirs; .* set tower\.text"):
        hold_out(paired([0] * 30, range(30)), 5, seed=0)


def test_an_epoch_takes_each_row_once_in_whole_batches() -> None:
    rows = np.arange(100, 150)
    drawn = list(batches(rows, 8, seed=1, epoch=2))
    assert [len(batch) for batch in drawn] == [8] * (50 // 8)
    assert len(np.unique(np.concatenate(drawn))) == 8 * (50 // 8)
    assert np.isin(np.concatenate(drawn), rows).all()
    again, other = (np.concatenate(list(batches(rows, 8, 1, epoch))) for epoch in (2, 3))
    np.testing.assert_array_equal(np.concatenate(drawn), again)
    assert (again != other).any()


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_targets_are_the_text_with_what_chance_adds(chance: float) -> None:
    pairs = paired([0, 1, 2, 0, 1, 2], range(6))
    rows = np.array([5, 0, 1, 2])
    text, brand = pairs.text, pairs.mixed["brand"]
    expected = text.vectors[text.rows[rows]].copy()
    for place, row in enumerate(rows):
        if chance and brand.rows[row] >= 0:
            expected[place] += brand.vectors[brand.rows[row]]
    drawn = draw_targets(pairs, rows, {"brand": chance}, np.random.default_rng(0))
    np.testing.assert_allclose(drawn, unit_rows(expected), atol=1e-6)


def test_one_text_or_one_photo_makes_two_rows_alike() -> None:
    pairs = paired([0, 0, 1, 2], [0, 1, 2, 2])
    expected = np.eye(4, dtype=bool)
    expected[0, 1] = expected[1, 0] = expected[2, 3] = expected[3, 2] = True
    np.testing.assert_array_equal(alike(pairs, np.arange(4)), expected)


class Lengths:
    """A text encoder from the length of a text; blank text has no vector."""

    modalities = frozenset({"text"})
    dimensions = 2
    space = fingerprint = "lengths"

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        angles = [len(item) if str(item).strip() else np.nan for item in items]
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def photo(red: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 8), (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def shop(n: int = 30) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "product_id": [f"p{i}" for i in range(n)],
            "title": ["x" * (i % 25 + 1) for i in range(n)],
            "brand": pl.Series([None] * n, dtype=pl.String),
            "image": [photo(i) for i in range(n)],
        }
    )


def pairs_of(products: pl.DataFrame, asked: Sequence[bytes], folder: Path) -> Pairs:
    queries = pl.DataFrame(
        {
            "query_id": [f"q{i}" for i in range(len(asked))],
            "image": pl.Series(asked, dtype=pl.Binary),
        }
    )
    settings = SETTINGS.model_copy(update={"mix": {"brand": 0.5}})
    return catalogue_pairs(products, queries, Lengths(), EmbeddingCache(folder), settings)


def test_queries_photos_and_what_cannot_be_read_stay_out(tmp_path: Path) -> None:
    products = shop()
    images, titles = products["image"].to_list(), products["title"].to_list()
    images[3], images[4], titles[5], titles[6] = None, b"no photo", None, "  "
    products = products.with_columns(
        image=pl.Series(images, dtype=pl.Binary), title=pl.Series(titles, dtype=pl.String)
    )
    pairs = pairs_of(products, [images[0], images[7], photo(200)], tmp_path)
    kept = [row for row in range(30) if row not in {0, 7, 3, 4, 5, 6}]
    assert len(pairs) == len(kept)
    assert pairs.photos[:, 8, 8, 0].tolist() == kept
    expected = Lengths().encode([titles[row] for row in kept], "text")
    np.testing.assert_allclose(pairs.text.vectors[pairs.text.rows], expected, atol=1e-6)
    assert (pairs.mixed["brand"].rows == -1).all()


def test_too_few_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 20 products with a photo and a title, got 19"):
        pairs_of(shop(19), [], tmp_path)


def test_photos_are_decoded_in_order() -> None:
    pixels, readable = decode_photos(pl.Series([photo(9), b"", photo(50)]), 8, 6)
    assert readable.tolist() == [True, False, True]
    assert pixels[[0, 2], 4, 3, 0].tolist() == [9, 50]


def test_the_fingerprint_follows_photos_texts_and_space() -> None:
    pairs = colour_world(20)
    others = [
        replace(pairs, photos=pairs.photos ^ 1),
        replace(pairs, text=RowVectors(-pairs.text.vectors, pairs.text.rows)),
        replace(pairs, text=RowVectors(pairs.text.vectors, pairs.text.rows[::-1])),
        replace(pairs, space="other"),
    ]
    prints = {made.fingerprint for made in [pairs, colour_world(20), *others]}
    assert len(prints) == 1 + len(others)


# Fitting


def test_a_world_of_colours_is_learnt(tmp_path: Path) -> None:
    pairs = colour_world()
    fitted = fit_tower(pairs, SETTINGS, CPU, tmp_path / "checkpoint")
    chance = SETTINGS.recall_at / fitted.held_out
    assert fitted.recall > 5 * chance
    assert (fitted.held_out, fitted.trained_on) == (len(pairs) // 10, len(pairs) - len(pairs) // 10)
    _, held = hold_out(pairs, SETTINGS.held_out, SETTINGS.seed)
    vectors = encode_pixels(fitted.tower, torch.from_numpy(pairs.photos[held]), CPU)
    assert recall_at(vectors, pairs.text.vectors[held], SETTINGS.recall_at) == fitted.recall


def test_texts_that_say_nothing_of_the_photo_stop_it_early(tmp_path: Path) -> None:
    pairs = colour_world(100)
    blank = replace(pairs, photos=np.zeros_like(pairs.photos))
    settings = SETTINGS.model_copy(update={"epochs": 50, "patience": 2})
    fitted = fit_tower(blank, settings, CPU, tmp_path / "checkpoint")
    assert fitted.epochs < settings.epochs


def test_minutes_end_the_fitting_and_the_learning_rate(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 10_000, "patience": 10_000, "minutes": 1e-5})
    fitted = fit_tower(colour_world(), settings, CPU, tmp_path / "checkpoint")
    assert fitted.epochs == 1
    assert fitted.recall >= 0


def test_progress_counts_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.aligned_training._TOLD_SECONDS", 0.0)
    told: list[Progress] = []
    settings = SETTINGS.model_copy(update={"epochs": 2})
    fit_tower(colour_world(100), settings, CPU, tmp_path / "checkpoint", told.append)
    steps = 90 // SETTINGS.batch_size
    assert [at.step for at in told] == [
        step for step in range(1, 2 * steps + 1) for _ in range(1 + (step % steps == 0))
    ]
    assert [at.epoch for at in told if at.recall is not None] == [1, 2]
    assert told[-1].seconds_left == 0
    assert all(at.seconds_left > 0 for at in told[:-2])


INTERRUPTED = """
import os, signal, sys, torch, numpy as np
from pathlib import Path
import features.aligned_training as training
from features.cosines import RowVectors
from features.pair_sampling import Pairs
from features.tower_settings import AlignedTrainingConfig

torch.set_num_threads(1)
training._CHECKPOINT_SECONDS = training._TOLD_SECONDS = 0.0
world = np.load(sys.argv[1])
rows = np.arange(len(world["texts"]))
pairs = Pairs(world["photos"], rows, RowVectors(world["texts"], rows), {}, "words")
settings = AlignedTrainingConfig.model_validate_json(sys.argv[2])

def tell(at):
    if at.step == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)

training.fit_tower(pairs, settings, torch.device("cpu"), Path(sys.argv[3]), tell)
"""


def test_killed_and_run_again_it_ends_as_if_never_killed(tmp_path: Path) -> None:
    pairs, settings = colour_world(100), SETTINGS.model_copy(update={"epochs": 4})
    checkpoint, steps = tmp_path / "checkpoint", 4 * (90 // SETTINGS.batch_size)
    killed_at = steps // 2 + 1  # in the midst of an epoch
    np.savez(tmp_path / "world.npz", photos=pairs.photos, texts=pairs.text.vectors)
    words = [str(tmp_path / "world.npz"), settings.model_dump_json(), str(checkpoint), str(killed_at)]
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED, *words], check=False)
    assert ended.returncode == -signal.SIGKILL
    told: list[Progress] = []
    resumed = fit_tower(pairs, settings, CPU, checkpoint, told.append)
    assert told[0].epoch == 1 + killed_at // (90 // SETTINGS.batch_size)
    whole = fit_tower(pairs, settings, CPU, tmp_path / "another")
    assert (resumed.recall, resumed.epochs) == (whole.recall, whole.epochs)
    np.testing.assert_allclose(weights(resumed), weights(whole), atol=1e-6)


def test_a_finished_fitting_is_read_back_from_its_checkpoint(tmp_path: Path) -> None:
    pairs, settings = colour_world(100), SETTINGS.model_copy(update={"epochs": 2})
    first = fit_tower(pairs, settings, CPU, tmp_path / "checkpoint")
    told: list[Progress] = []
    again = fit_tower(pairs, settings, CPU, tmp_path / "checkpoint", told.append)
    assert (told, again.recall) == ([], first.recall)
    np.testing.assert_array_equal(weights(again), weights(first))


@pytest.mark.parametrize("changed", ["settings", "pairs"])
def test_a_checkpoint_of_another_fitting_is_not_gone_on_from(tmp_path: Path, changed: str) -> None:
    pairs, settings = colour_world(100), SETTINGS.model_copy(update={"epochs": 1})
    fit_tower(pairs, settings, CPU, tmp_path / "checkpoint")
    if changed == "settings":
        settings = settings.model_copy(update={"learning_rate": 1e-3})
    else:
        pairs = replace(pairs, photos=pairs.photos ^ 1)
    told: list[Progress] = []
    fit_tower(pairs, settings, CPU, tmp_path / "checkpoint", told.append)
    assert [at.epoch for at in told] == [1]


def test_a_damaged_checkpoint_is_explained(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match="remove it: the fitting starts again"):
        fit_tower(colour_world(100), SETTINGS, CPU, tmp_path / "checkpoint")


def test_bfloat16_learns_the_same_world(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"precision": "bfloat16"})
    fitted = fit_tower(colour_world(), settings, CPU, tmp_path / "checkpoint")
    assert fitted.recall > 5 * SETTINGS.recall_at / fitted.held_out


def test_a_torchvision_backbone_is_fitted_alike(tmp_path: Path) -> None:
    pairs = colour_world(100)
    settings = SETTINGS.model_copy(update={"backbone": "mobilenet_v3_small", "epochs": 1})
    fitted = fit_tower(pairs, settings, CPU, tmp_path / "checkpoint")
    before = make_tower(settings.backbone, DIMENSIONS, (16, 16), seed=settings.seed)
    moved = [
        not torch.equal(a, b) for a, b in zip(before.parameters(), fitted.tower.parameters(), strict=True)
    ]
    assert all(moved)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_learns_the_same_world(tmp_path: Path) -> None:
    fitted = fit_tower(colour_world(), SETTINGS, torch.device("cuda"), tmp_path / "checkpoint")
    assert fitted.recall > 5 * SETTINGS.recall_at / fitted.held_out
