"""Which words of a query go with which words of a product, as the judgements have it.

score = Σ weight(a, b) / √(pairs of words) over all pairs of a word a of the query and a word b of the product: a ridge
regression of the gain, standardised within its list, solved by LSQR (Paige and Saunders, 1982). Words are known by
their hashes (`features.words.word_hashes`): a model needs no vocabulary and holds for the catalogue of tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import lsqr
from threadpoolctl import threadpool_limits

from features.encoders.vectors import RowVectors
from features.groups.adapted_fitting import GradedLists, drawn_rows
from features.words.word_hashes import word_hash

# Of the penalty, from strong to weak: as many rows as it takes to believe half of what they say of a pair.
STRENGTHS = (80.0, 20.0, 5.0, 1.25)
_STEPS = 25  # of LSQR: more change no list
_ROWS_AT_ONCE = 8192

_Block = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Rows (m,); of each pair of words the place in them, and its key; how many pairs each row has (m,)."""


class PairShare(NamedTuple):
    """What a word of a query beside a word of a product adds to the score."""

    asked: str
    said: str
    adds: float


@dataclass(frozen=True, eq=False)
class WordPairs:
    """keys: (k,) uint64, rising, the hash of a query's word above that of a product's; weights: (k,) float32."""

    keys: np.ndarray
    weights: np.ndarray

    @classmethod
    def none(cls) -> Self:
        """Nothing is known of any pair."""
        return cls(np.zeros(0, np.uint64), np.zeros(0, np.float32))

    def of_pairs(self, asked: RowVectors, offered: RowVectors) -> np.ndarray:
        """The score of each row of both, (n,) float32, of hashes as `padded` lays them; NaN where either has none."""
        found = np.full(len(asked.rows), np.nan, dtype=np.float32)
        for rows, place, keys, counts in _crossed(asked, offered, np.arange(len(asked.rows))):
            at = np.searchsorted(self.keys, keys)
            at[at == len(self.keys)] = 0
            known = self.keys[at] == keys if len(self.keys) else np.zeros(len(keys), dtype=bool)
            weights = self.weights[at[known]]
            total = np.bincount(place[known], weights=weights, minlength=len(rows))
            found[rows] = total / np.sqrt(counts)
        return found

    def shares(self, asked: Sequence[str], said: Sequence[str]) -> list[PairShare]:
        """The parts of the score of a query with these words and a product with those, the largest first.

        They sum to that of `of_pairs`; pairs of which nothing is known are left out.
        """
        pairs = [(ours, theirs) for ours in sorted(set(asked)) for theirs in sorted(set(said))]
        if not pairs or not len(self.keys):
            return []
        keys = np.array(
            [word_hash(ours) << 32 | word_hash(theirs) for ours, theirs in pairs], dtype=np.uint64
        )
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        adds = np.where(self.keys[at] == keys, self.weights[at], 0) / np.sqrt(len(pairs))
        order = np.argsort(-np.abs(adds), kind="stable")
        ranked = ((*pairs[place], float(adds[place])) for place in order)
        return [PairShare(ours, theirs, part) for ours, theirs, part in ranked if part]


def fit_path(
    asked: RowVectors, offered: RowVectors, lists: GradedLists, strengths: Sequence[float]
) -> dict[float, WordPairs]:
    """The weights of each strength of the penalty; empty where no list has rows of different gains."""
    target = _standardised(lists)
    blocks = list(_crossed(asked, offered, np.flatnonzero(drawn_rows(~np.isnan(target), lists))))
    if not blocks:
        return {}
    rows, place, keys, counts = (np.concatenate(part) for part in zip(*_on_from(blocks), strict=True))
    keys, column = np.unique(keys, return_inverse=True)
    values = 1 / np.sqrt(counts[place])
    crossed = sparse.csr_array((values, (place, column)), shape=(len(rows), len(keys)))
    found = {}
    with threadpool_limits(1, "blas"):  # threads gain nothing here, and wait for each other on a busy machine
        for strength in strengths:
            weights = lsqr(crossed, target[rows], damp=strength**0.5, iter_lim=_STEPS)[0]
            found[strength] = WordPairs(keys, weights.astype(np.float32))
    return found


def _standardised(lists: GradedLists) -> np.ndarray:
    """(n,) gains less their list's mean, over their spread; NaN for rows without one, of lists without a spread."""
    of = np.repeat(np.arange(len(lists.sizes)), lists.sizes)
    judged = ~np.isnan(lists.gains)
    gains = np.where(judged, lists.gains, 0)
    count = np.maximum(np.bincount(of[judged], minlength=len(lists.sizes)), 1)
    centred = gains - (np.bincount(of, gains, len(lists.sizes)) / count)[of]
    spread = np.sqrt(np.bincount(of, np.where(judged, centred**2, 0), len(lists.sizes)) / count)[of]
    telling = judged & (spread > 0)
    return np.divide(centred, spread, out=np.full(len(of), np.nan), where=telling)


def _on_from(blocks: Sequence[_Block]) -> Iterator[_Block]:
    """With places that go on from block to block."""
    before = 0
    for rows, place, keys, counts in blocks:
        yield rows, place + before, keys, counts
        before += len(rows)


def _crossed(asked: RowVectors, offered: RowVectors, rows: np.ndarray) -> Iterator[_Block]:
    """Those of the rows that have words on both sides, block by block."""
    rows = rows[(asked.rows[rows] >= 0) & (offered.rows[rows] >= 0)]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        block = rows[start : start + _ROWS_AT_ONCE]
        ours, theirs = (side.vectors[side.rows[block]].astype(np.uint64) for side in (asked, offered))
        there = (ours > 0)[:, :, np.newaxis] & (theirs > 0)[:, np.newaxis, :]
        counts = there.sum(axis=(1, 2))
        having = counts > 0
        keys = (ours[:, :, np.newaxis] << np.uint64(32)) | theirs[:, np.newaxis, :]
        place = np.repeat(np.arange(int(having.sum())), counts[having])
        yield block[having], place, keys[there], counts[having]
