"""Texts grouped by length, so that hardly any padding is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def token_batches(counts: np.ndarray, budget: int, padding: bool = False) -> Iterator[np.ndarray]:
    """Positions grouped from the longest down, each group at most `budget` tokens once padded.

    counts: (n,) tokens of each text. A text longer than the budget makes a batch of its own. padding: whether a
    group may mix numbers of tokens, which fills a GPU; without, hardly a last bit of a vector hangs on its neighbours.
    """
    order = np.argsort(-counts, kind="stable")
    start = 0
    while start < len(order):
        count = int(counts[order[start]])
        stop = start + max(1, budget // max(1, count))
        if not padding:
            stop = min(stop, int(np.searchsorted(-counts[order], -count, side="right")))
        yield order[start:stop]
        start = stop


def padded(tokens: Sequence[Sequence[int]], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids (texts, longest), filled up with `pad`, and the mask of the real ones, both int64."""
    ids = np.full((len(tokens), max(map(len, tokens))), pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(tokens):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return ids, mask
