"""When a network has learnt enough: nDCG on held-out queries, and the weights of the best epoch."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn


class BestEpoch:
    """Watches validation nDCG after each epoch, and keeps a copy of the best weights so far."""

    def __init__(self, rounds: int) -> None:
        self.history: list[float] = []
        self._rounds = rounds
        self._best: dict[str, Any] = {}
        self._epoch = 0

    def is_over(self, network: nn.Module, ndcg: float) -> bool:
        """Take note of an epoch; True when the last `rounds` brought nothing better (never for 0)."""
        self.history.append(ndcg)
        if not self._rounds:
            return False
        if len(self.history) == 1 or ndcg > self.history[self._epoch - 1]:
            self._epoch = len(self.history)
            self._best = copy.deepcopy(network.state_dict())
        return len(self.history) - self._epoch >= self._rounds

    def restore(self, network: nn.Module, epochs: int) -> int:
        """Put the best weights back and return their epoch; the last of `epochs`, when nothing was watched."""
        if not self._best:
            return epochs
        network.load_state_dict(self._best)
        return self._epoch


def mean_ndcg(scores: np.ndarray, gains: np.ndarray, groups: np.ndarray, k: int) -> float:
    """Mean nDCG@k of the queries that have a gain; ties in the order of rows, as the boosters have them."""
    query = np.repeat(np.arange(len(groups)), groups)
    rank = np.arange(len(scores)) - np.repeat(np.cumsum(groups) - groups, groups)
    discount = np.where(rank < k, 1 / np.log2(2.0 + rank), 0.0)

    def dcg(key: np.ndarray) -> np.ndarray:
        return np.bincount(query, gains[np.lexsort((-key, query))] * discount, minlength=len(groups))

    ideal = dcg(gains)
    return float((dcg(scores)[ideal > 0] / ideal[ideal > 0]).mean())


def differ_in_gain(gains: np.ndarray, groups: np.ndarray) -> bool:
    """Whether the rows of any query differ: else every order of them is as good."""
    starts = np.cumsum(groups) - groups
    return bool((np.maximum.reduceat(gains, starts) > np.minimum.reduceat(gains, starts)).any())


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Let PyTorch use so many threads on the CPU, and give it back what it had."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
