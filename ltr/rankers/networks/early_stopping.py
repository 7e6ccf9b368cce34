"""When a network has learnt enough: nDCG on held-out queries, and the weights of the best epoch."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Let PyTorch use so many threads on the CPU, and give it back what it had."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
