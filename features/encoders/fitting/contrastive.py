"""The arithmetic of fitting photos to texts: loss, recall, learning rate and augmentation."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_WARM_UP = 0.1  # share of the fitting in which the learning rate rises
_SHIFT = 0.08  # of a photo's side, at most
_ZOOM = 0.12  # in or out, at most; by height and width apart, so that proportions vary too
_LARGEST_ZOOM = 0.7  # beyond it a few pixels fill the photo


def contrastive_loss(photos: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Mean cross-entropy of finding each photo's text among the batch's, and each text's photo.

    photos, texts: (b, d) unit rows. scale: one over the temperature. same: (b, b) bool, pairs that are
    no negatives of each other.
    """
    logits = scale * photos @ texts.T
    apart = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    logits = logits.masked_fill(apart, float("-inf"))
    own = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2


def recall_at(photos: np.ndarray, texts: np.ndarray, k: int) -> float:
    """Share of (n, d) photos whose own text is among the k nearest texts, averaged with the converse.

    Another as near as one's own stands before it: a network that sees no difference has found nothing.
    """
    cosines = photos @ texts.T
    own = np.diag(cosines)
    by_photo = (cosines >= own[:, None]).sum(axis=1) <= k
    by_text = (cosines >= own).sum(axis=0) <= k
    return float((by_photo.mean() + by_text.mean()) / 2)


def recall_among(photos: np.ndarray, texts: np.ndarray, own: np.ndarray, k: int) -> float:
    """Share of (n, d) photos whose own text, row own[i] of the (t, d) distinct ones, is among the k nearest.

    Another as near as one's own stands before it, as in `recall_at`.
    """
    cosines = photos @ texts.T
    mine = np.take_along_axis(cosines, own[:, None], axis=1)
    return float(((cosines >= mine).sum(axis=1) <= k).mean())


def learning_rate_at(share: float) -> float:
    """Of the largest: a linear rise, then half a cosine down to zero at share 1."""
    if share < _WARM_UP:
        return share / _WARM_UP
    return (1 + math.cos(math.pi * (min(share, 1.0) - _WARM_UP) / (1 - _WARM_UP))) / 2


def augment(pixels: Tensor, generator: torch.Generator, jitter: float = 1.0) -> Tensor:
    """(n, 3, h, w) photos mirrored, shifted and scaled at random; colours stay: they are what is asked for.

    jitter: how many times a tenth of a photo's side it is moved, and it is shown larger or smaller.
    """
    n = len(pixels)
    drawn = torch.rand(n, 5, generator=generator) * 2 - 1
    scale = 1 + min(jitter * _ZOOM, _LARGEST_ZOOM) * drawn[:, :2]
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0] = scale[:, 0] * torch.sign(drawn[:, 4])
    affine[:, 1, 1] = scale[:, 1]
    affine[:, :, 2] = 2 * jitter * _SHIFT * drawn[:, 2:4]
    grid = functional.affine_grid(affine.to(pixels.device), list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels.float(), grid, padding_mode="border", align_corners=False)
