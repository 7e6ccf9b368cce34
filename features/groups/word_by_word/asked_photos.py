"""What a query's photo shows, changed where its words ask for something else: like this, but in blue.

A photo of a red dress and the word "blue" ask for a blue dress. Products that show blue differ among each other in kind
and pattern, and hardly in colour: so kind and pattern of the query's photo stay, and its colour gives way to theirs.
Nobody says which words are colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.encoders.vectors import RowVectors, each_times
from features.groups.word_by_word.word_probes import WordProbes, units

_DIRECTIONS = 64  # at most, of what photos show: a square of them a word is kept
_SHRINK = 1e-3  # of the mean spread of a direction: what is no more than this says nothing
_ROWS_AT_ONCE = 2048  # times 2,080 products of two directions: a block of 17 MB


@dataclass(frozen=True, eq=False)
class AskedPhotos:
    """mean: (d,) of photos; root: (d, k), by which (photo - mean) · root is what it shows; average: (k,) over products.

    means: (w, k) what the products that show each word show on average; keeps: (w, k, k), by which what a photo shows
    beyond the average is multiplied to leave what products that show the word differ in; profiles: (u, k) of the
    photos, of unit length.
    """

    mean: np.ndarray
    root: np.ndarray
    average: np.ndarray
    means: np.ndarray
    keeps: np.ndarray
    profiles: np.ndarray

    @classmethod
    def fit(cls, probes: WordProbes, photos: RowVectors, shown: np.ndarray) -> AskedPhotos:
        """photos: of each product; shown: (n, w) how far a product shows a word, 1 as those who say it, NaN unknown."""
        mean, root = probes.mean.astype(np.float32), np.ascontiguousarray(probes.root[:, :_DIRECTIONS])
        there = np.flatnonzero(photos.rows >= 0)
        seen = ((photos.vectors - mean) @ root).astype(np.float32)
        size, words = root.shape[1], shown.shape[1]
        left, right = np.triu_indices(size)
        sums = [np.zeros(shape) for shape in ((words + 1, 1), (words + 1, size), (words + 1, len(left)))]
        for start in range(0, len(there), _ROWS_AT_ONCE):
            part = there[start : start + _ROWS_AT_ONCE]
            weight = np.ones((words + 1, len(part)), dtype=np.float32)  # of each word, and of all products
            weight[:-1] = np.clip(np.nan_to_num(shown[part].T.astype(np.float32)), 0, 1) ** 2
            values = np.ascontiguousarray(seen[photos.rows[part]].T)
            # In 32 bits twice as fast; the sum of blocks is exact enough in 64 bits.
            sums[0] += weight.sum(axis=1, keepdims=True)
            sums[1] += weight @ values.T
            sums[2] += weight @ (values[left] * values[right]).T
        total = np.maximum(sums[0], 1e-12)
        means, spreads = sums[1] / total, np.empty((words + 1, size, size))
        spreads[:, left, right] = spreads[:, right, left] = sums[2] / total
        spreads -= np.einsum("wi,wj->wij", means, means)
        least = _SHRINK * max(float(np.trace(spreads[-1])) / max(size, 1), 1e-12)
        keeps = spreads[:-1] @ np.linalg.inv(spreads[-1] + least * np.eye(size))
        narrow = [part.astype(np.float32) for part in (means[-1], means[:-1], keeps)]
        return cls(mean, root, narrow[0], narrow[1], narrow[2], units(seen))

    def asked(self, photos: RowVectors, words: Sequence[np.ndarray]) -> RowVectors:
        """What each query's photo shows once its words have their way, of unit length; words: of each query."""
        seen = each_times(photos.vectors - self.mean, self.root)[photos.rows]
        for query, own in enumerate(words):
            for word in own if photos.rows[query] >= 0 else ():
                seen[query] = self.means[word] + self.keeps[word] @ (seen[query] - self.average)
        return RowVectors(units(seen), np.where(photos.rows >= 0, np.arange(len(seen)), -1))

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        return {f"{name}.{part}": getattr(self, part) for part in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> AskedPhotos:
        return cls(**{part: arrays[f"{name}.{part}"] for part in cls.__dataclass_fields__})
