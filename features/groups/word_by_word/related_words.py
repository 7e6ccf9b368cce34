"""Which words of a catalogue stand for which: by what they mean, and by what the photos of products show that say them.

By meaning: the word itself, and words whose vectors lie unusually near its own. By photos: products that say "crimson"
show what products show that say "red", though no product says both. No judgement is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from features.encoders.vectors import RowVectors
from features.groups.word_by_word.asked_photos import AskedPhotos
from features.groups.word_by_word.word_probes import Scatter, WordProbes
from features.words.term_counts import TermLists

_UNUSUAL = 2.5  # standard deviations above the mean cosine of two words, from which they are related
_NEAREST = 15  # other words at most that are related to one by meaning
# A word is visible where the photos of those who say it stand out, on average and beyond chance.
_STANDS_OUT, _SURE = 0.8, 10.0
_VISIBLE = 256  # words at most, a column each of what every product shows
_SHARE, _RELATED_SURE = (
    0.5,
    3.5,
)  # of a visible word's own standing, and beyond chance: then another shows it too
_LEAST, _MOST = (
    -0.5,
    1.5,
)  # of what a product shows of a word, where 1 is as much as those who say it, 0 the average
_ROWS_AT_ONCE = 1024
_SUMMED_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class Relations:
    """Of each word the words it is related to: `words[starts[i] : starts[i + 1]]`, with weights in (0, 1]."""

    starts: np.ndarray
    words: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, weights: sparse.csr_array) -> Relations:
        return cls(
            weights.indptr.astype(np.int64), weights.indices.astype(np.int32), weights.data.astype(np.float32)
        )

    def expand(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of entries (m,) of words: for each related word, which entry it belongs to and its place in `words`."""
        sizes = self.starts[words + 1] - self.starts[words]
        entry = np.repeat(np.arange(len(words)), sizes)
        within = np.arange(len(entry)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return entry, self.starts[words[entry]] + within

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        return {f"{name}.{part}": getattr(self, part) for part in ("starts", "words", "weights")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> Relations:
        return cls(*(arrays[f"{name}.{part}"] for part in ("starts", "words", "weights")))


def most(entries: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """(size,) the largest value of each entry; entries: (k,) rising; NaN for one without a value."""
    found = np.full(size, np.nan)
    starts = np.flatnonzero(np.diff(entries, prepend=-1))
    if len(starts):
        found[entries[starts]] = np.maximum.reduceat(values, starts)
    return found


def by_meaning(vectors: RowVectors) -> Relations:
    """vectors: a row a word, -1 for none; a word without one is related to itself alone."""
    known, words = np.flatnonzero(vectors.rows >= 0), len(vectors.rows)
    found = sparse.eye_array(words, format="coo")
    rows, columns, weights = [found.row], [found.col], [found.data]
    units = vectors.vectors[vectors.rows[known]]
    usual = _usual(units)
    for start in range(0, len(units), _ROWS_AT_ONCE):
        cosines = units[start : start + _ROWS_AT_ONCE] @ units.T
        own = np.arange(len(cosines))
        cosines[own, start + own] = -np.inf  # a word is related to itself as it is
        row, near, cosine = _nearest_above(cosines, usual)
        rows.append(known[start + row])
        columns.append(known[near])
        weights.append(np.minimum((cosine - usual) / max(1 - usual, 1e-6), 1))
    entries = np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))
    return Relations.of(sparse.coo_array(entries, shape=(words, words)).tocsr())


def _nearest_above(cosines: np.ndarray, usual: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, column and value of the highest cosines of each row, of those above the usual one: these are few."""
    row, column = np.nonzero(cosines > usual)
    value = cosines[row, column]
    order = np.lexsort((-value, row))
    place = np.arange(len(row)) - np.searchsorted(row, row)
    chosen = order[place < _NEAREST]
    return row[chosen], column[chosen], value[chosen]


def _usual(units: np.ndarray) -> float:
    """The cosine above which two words are nearer than words usually are.

    Sums over all pairs of words, by sums over the words: Σ u · v = |Σ u|², Σ (u · v)² = |Σ u uᵀ|².
    """
    count = len(units) * (len(units) - 1)
    if not count:
        return 1.0
    exact = units.astype(np.float64)
    mean = ((exact.sum(axis=0) ** 2).sum() - len(units)) / count
    square = (((exact.T @ exact) ** 2).sum() - len(units)) / count
    return float(min(mean + _UNUSUAL * np.sqrt(max(square - mean**2, 0)), 1.0))


@dataclass(frozen=True, eq=False)
class VisibleWords:
    """What every product shows of the words that photos show.

    related: of each of all words the visible words it stands for, as columns of `shown`; shown: (n, visible) float16,
    1 where a photo shows the word as those do that say it, 0 the average, NaN without a photo. A product that says a
    word has no say in what it shows of it. asked: what a query's photo shows where its words have their way.
    """

    related: Relations
    shown: np.ndarray
    asked: AskedPhotos

    @classmethod
    def fit(
        cls,
        photos: RowVectors,
        examples: np.ndarray,
        scatter: Scatter,
        leverages: np.ndarray,
        says: sparse.csr_array,
        words: np.ndarray,
        size: int,
    ) -> VisibleWords:
        """photos: of each product; examples: products with photo and text; scatter: of their photos; leverages: of all.

        says: (n, w) 1 or 0; words: (w,) the number of each among all words, of which there are `size`.
        """
        here = photos.take(examples)
        said = says[examples]
        probes = WordProbes.fit(scatter, photos.vectors, here.rows, said)
        typical, counts = _typical(probes, here, said, leverages)
        clear = np.flatnonzero((typical >= _STANDS_OUT) & (typical * np.sqrt(counts) >= _SURE))
        kept = np.sort(clear[np.argsort(-typical[clear] * np.sqrt(counts[clear]), kind="stable")[:_VISIBLE]])
        shown = np.full((len(photos.rows), len(kept)), np.nan, dtype=np.float16)
        there = np.flatnonzero(photos.rows >= 0)
        is_example = np.isin(there, examples)
        for start in range(0, len(there), _ROWS_AT_ONCE):
            part = there[start : start + _ROWS_AT_ONCE]
            found = photos.rows[part]
            example = is_example[start : start + _ROWS_AT_ONCE, np.newaxis]
            own = np.where(example, leverages[found][:, probes.strength[kept]], 0.0)
            estimate = probes.offset[kept] + photos.vectors[found] @ probes.weights[kept].T
            left_out = (estimate - own * says[part][:, kept].toarray()) / (1 - own)
            standing = (left_out - probes.share[kept]) / probes.spread[kept] / typical[kept]
            shown[part] = np.clip(standing, _LEAST, _MOST)
        related = _by_photos(shown[examples], said, kept, typical[kept], words, size)
        return cls(related, shown, AskedPhotos.fit(probes, photos, shown))

    def wanted(self, photos: RowVectors, asked: TermLists) -> RowVectors:
        """What each query's photo shows, its words having their way; asked: of each query, of all words."""
        entry, place = self.related.expand(asked.codes)
        # Of the visible words that a word stands for the surest one: shades of one colour are no two wishes.
        order = np.lexsort((-self.related.weights[place], entry))
        entry, place = entry[order], place[order]
        first = np.flatnonzero(np.diff(entry, prepend=-1))
        query = np.searchsorted(asked.starts, entry[first], side="right") - 1
        words = self.related.words[place[first]]
        return self.asked.asked(photos, [words[query == one] for one in range(len(asked.starts) - 1)])

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        own = {f"{name}.shown": self.shown}
        return own | self.related.arrays(f"{name}.related") | self.asked.arrays(f"{name}.asked")

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> VisibleWords:
        related, asked = Relations.from_arrays(arrays, f"{name}.related"), f"{name}.asked"
        return cls(related, arrays[f"{name}.shown"], AskedPhotos.from_arrays(arrays, asked))


def _typical(
    probes: WordProbes, photos: RowVectors, says: sparse.csr_array, leverages: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(w,) the mean standing of those that say each word, each by probes fitted without it; and how many they are."""
    counts = np.asarray(says.sum(axis=0)).ravel()
    chances = np.zeros(len(counts))
    for one in np.unique(probes.strength):
        words = np.flatnonzero(probes.strength == one)
        left = 1 / (1 - leverages[photos.rows, one])
        # Σ of (estimate - leverage) / (1 - leverage), estimates being linear in the vectors: theirs are summed first.
        vectors, said = np.zeros((len(words), photos.vectors.shape[1])), says[:, words]
        sums = said.T @ np.stack([left, left - 1], axis=1)  # left - 1 = leverage / (1 - leverage)
        for start in range(0, said.shape[0], _SUMMED_AT_ONCE):
            part = slice(start, start + _SUMMED_AT_ONCE)
            vectors += said[part].T @ (photos.vectors[photos.rows[part]] * left[part, np.newaxis])
        found = np.einsum("ij,ij->i", vectors, probes.weights[words])
        chances[words] = probes.offset[words] * sums[:, 0] + found - sums[:, 1]
    several = np.maximum(counts, 1)
    return probes.standing(chances / several, np.arange(len(counts))) * (counts > 0), counts


def _by_photos(
    shown: np.ndarray,
    says: sparse.csr_array,
    kept: np.ndarray,
    typical: np.ndarray,
    words: np.ndarray,
    size: int,
) -> Relations:
    """Which visible words each word stands for: those that its sayers show, who do not say them."""
    values = np.nan_to_num(shown.astype(np.float32))
    own = says[:, kept].toarray()
    together = says.T @ own
    alone = np.asarray(says.sum(axis=0))[:, np.newaxis] - together
    mean = (says.T @ (values * (1 - own))) / np.maximum(alone, 1)
    some = np.maximum(
        2, 0.3 * (alone + together)
    )  # of those who say a word: too few are left where most say both
    sure = mean * typical * np.sqrt(alone) >= _RELATED_SURE
    weight = np.where((mean >= _SHARE) & sure & (alone >= some), np.minimum(mean, 1), 0)
    weight[kept, np.arange(len(kept))] = 1
    found = sparse.coo_array(weight)
    entries = found.data, (words[found.row], found.col)
    return Relations.of(sparse.coo_array(entries, shape=(size, len(kept))).tocsr())
