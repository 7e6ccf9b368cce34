"""The arithmetic of fitting an aligned encoder, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from features.encoders.fitting.contrastive import (
    augment,
    contrastive_loss,
    learning_rate_at,
    recall_among,
    recall_at,
)
from features.encoders.protocol import unit_rows

DIMENSIONS = 8


def units(n: int, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(n, DIMENSIONS)).astype(np.float32))


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


@given(seed=st.integers(0, 999), n=st.integers(1, 12), t=st.integers(1, 6), k=st.integers(1, 5))
def test_recall_among_is_the_share_whose_text_is_near(seed: int, n: int, t: int, k: int) -> None:
    photos, texts = units(n, seed), units(t, seed + 1)
    own = np.random.default_rng(seed).integers(0, t, n)
    found = [own[i] in np.argsort(-(photos[i] @ texts.T))[:k] for i in range(n)]
    assert recall_among(photos, texts, own, k) == pytest.approx(np.mean(found))


@pytest.mark.parametrize("jitter", [0.0, 5.0])
def test_jitter_says_how_far_photos_move(jitter: float) -> None:
    spot = torch.zeros(32, 3, 16, 16)
    spot[..., 6:10, 6:10] = 255  # in the middle: mirroring alone leaves it there
    seen = augment(spot, torch.Generator().manual_seed(0), jitter)
    assert torch.allclose(seen, spot, atol=1e-3) == (jitter == 0)
    assert seen.isfinite().all()


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
