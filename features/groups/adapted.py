"""Similarity adapted to a shop's own judgements: the query's vector is moved before it meets the product's, and its
words meet the product's words by what the judgements say of them (see `word_pairs`).

adapted cosine = cosine + [query, 1] · weights · [product, 1], for every pair of a query's and a product's vectors
that share a space. The encoders stay frozen; `weights`, 0 at the start, is fitted to graded lists in seconds over
vectors that are there anyway, and a ridge penalty holds it near 0. The loss is that of ListNet (Cao et al., ICML
2007), convex in the weights: there is one answer, whatever the start. A low rank is not asked for: the penalty does
its work, and one map on the query's side says all that a map on either side can say of a dot product.

Unlike the groups of a table these features are learnt from grades. Whoever trains on them must take those of
`fit`'s second answer, each made by a map that never saw the grades of its query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from features.encoders import vectors
from features.encoders.vectors import RowVectors
from features.errors import InputError
from features.groups.adapted_fitting import AdaptedMap, GradedLists, fit_path
from features.groups.standings import rank_share, z_score
from features.groups.word_by_word import word_pairs
from features.groups.word_by_word.word_pairs import WordPairs

GROUP = "adapted"
WORDS = "words"  # among the comparisons: not of vectors, but word by word
# Of the penalty, from strong to weak; what lies between makes no difference that folds of queries can tell.
STRENGTHS = (1e-3, 3e-4, 1e-4, 3e-5)
FOLDS = 4
SURE = (
    2.0  # standard errors by which a map must beat none on queries it has not seen: the best of five is lucky
)

Vectors = Mapping[str, RowVectors]


def fields_of(comparison: str) -> tuple[str, str]:
    """The fields of a query and of a product that are compared: image.photo_title → query_image, title."""
    if comparison == WORDS:
        return "query_words", "product_words"
    group, _, name = comparison.partition(".")
    if group == "text":
        return "query_text", name
    asked, _, offered = name.partition("_")
    return ("query_text" if asked == "text" else f"query_{group}"), ("title" if offered == "title" else group)


def feature_of(comparison: str) -> str:
    """text.title → adapted.title; image.photo_photo → adapted.photo_photo; words → adapted.words."""
    return f"{GROUP}.{comparison.rpartition('.')[2]}"


class Adapted(Protocol):
    """What is fitted for one comparison; `weights` are all 0, or none, where it says no more than the plain cosine."""

    @property
    def weights(self) -> np.ndarray: ...

    def of_pairs(self, asked: RowVectors, offered: RowVectors) -> np.ndarray: ...


@dataclass(frozen=True)
class AdaptedSimilarity:
    """Features `adapted.NAME`, with `_rank` and `_z` in the list, for each comparison.

    maps: by comparison (`text.title`, `words`), in the order of the features; all 0 where none was better than none
    beyond noise: then the feature is the plain cosine, or of words 0.
    """

    maps: dict[str, Adapted]

    @classmethod
    def fit(
        cls, fields: Vectors, comparisons: Sequence[str], lists: GradedLists, seed: int = 0
    ) -> tuple[AdaptedSimilarity, np.ndarray]:
        """The maps of all these lists, and the features (n, `names`) of the same rows, each out of fold.

        fields: the rows' vectors (see `FeatureBuilder.embeddings`). The strength of each map's penalty is the one
        of the highest nDCG on queries that it was not fitted to; where that is not higher than the cosine's by a
        standard error, there is no map. For a query's own features its grades have no part in that choice either.
        """
        maps: dict[str, Adapted] = {}
        columns = []
        fold_of = np.random.default_rng(seed).permutation(len(lists.sizes)) % FOLDS
        for name in comparisons:
            asked, offered = (fields[field] for field in fields_of(name))
            folds = (_WordFolds if name == WORDS else _Folds)(asked, offered, lists, fold_of)
            columns += _standings(folds.out_of_fold(), lists.starts)
            maps[name] = folds.fitted()
        return cls(maps), np.column_stack(columns).astype(np.float32)

    @property
    def names(self) -> list[str]:
        """Of the features."""
        return [feature_of(name) + suffix for name in self.maps for suffix in ("", "_rank", "_z")]

    def transform(self, fields: Vectors, sizes: np.ndarray) -> np.ndarray:
        """(n, `names`) float32, NaN where either vector is missing. sizes: (lists,) rows of each list, in order."""
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        columns = []
        for name, found in self.maps.items():
            asked, offered = (fields[field] for field in fields_of(name))
            columns += _standings(found.of_pairs(asked, offered), starts)
        return np.column_stack(columns).astype(np.float32)

    def save(self, path: Path) -> None:
        """As safetensors, a tensor a comparison; of words their keys beside it."""
        tensors = {name: np.ascontiguousarray(found.weights) for name, found in self.maps.items()}
        words = self.maps.get(WORDS)
        if isinstance(words, WordPairs):
            tensors[f"{WORDS}.keys"] = words.keys
        save_file(tensors, path)

    @classmethod
    def load(cls, path: Path, comparisons: Sequence[str]) -> AdaptedSimilarity:
        """InputError for a file that `save` did not write for these comparisons."""
        try:
            tensors = load_file(path)
            maps: dict[str, Adapted] = {name: _read(name, tensors) for name in comparisons}
            _check_all_read(tensors)
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                where=path,
                expected="saved maps of adapted similarity",
                got=str(error).partition("\n")[0],
                cure="copy the whole run folder again, or train it again",
            ) from error
        return cls(maps)


def _read(name: str, tensors: dict[str, np.ndarray]) -> Adapted:
    """What `save` wrote of a comparison, taken out of the tensors; ValueError for anything else."""
    weights = tensors.pop(name)
    if weights.dtype != np.float32 or not np.isfinite(weights).all():
        raise ValueError(f"{name} is no array of numbers")
    if name != WORDS:
        if not weights.ndim == 2 or len(weights) != weights.shape[1] or len(weights) < 2:
            raise ValueError(f"{name} is no square of numbers")
        return AdaptedMap(weights)
    keys = tensors.pop(f"{WORDS}.keys")
    if (
        keys.dtype != np.uint64
        or keys.shape != weights.shape
        or keys.ndim != 1
        or (keys[1:] <= keys[:-1]).any()
    ):
        raise ValueError(f"{name} has no key for each weight")
    return WordPairs(keys, weights)


def _check_all_read(tensors: Mapping[str, np.ndarray]) -> None:
    if tensors:
        raise ValueError(f"a tensor {next(iter(tensors))!r} too many")


class _Folds:
    """One comparison of vectors over lists that are dealt to folds; each path of maps is fitted once."""

    strengths = STRENGTHS

    def __init__(
        self, asked: RowVectors, offered: RowVectors, lists: GradedLists, fold_of: np.ndarray
    ) -> None:
        """fold_of: (lists,) the fold of each."""
        self._sides, self._lists, self._fold_of = (asked, offered), lists, fold_of
        self._plain = self.plain(asked, offered)
        self._before = lists.ndcg(self._plain)
        self._paths: dict[frozenset[int], Mapping[float, Adapted]] = {}

    def plain(self, asked: RowVectors, offered: RowVectors) -> np.ndarray:
        """(n,) what there is without a map."""
        return vectors.of_pairs(asked, offered)

    def none(self) -> Adapted:
        return AdaptedMap.none(self._sides[0].vectors.shape[1])

    def path(self, asked: RowVectors, offered: RowVectors, lists: GradedLists) -> Mapping[float, Adapted]:
        """Fitted to these lists, by the strength of the penalty."""
        return fit_path(asked, offered, lists, self.strengths)

    def fitted(self) -> Adapted:
        """The map of all lists."""
        return self._map_without(frozenset()) or self.none()

    def out_of_fold(self) -> np.ndarray:
        """The adapted cosine (n,) of each row by a map to which the rows of its fold are unknown."""
        found = self._plain.copy()
        for fold in np.unique(self._fold_of):
            one = self._map_without(frozenset([int(fold)]))
            if one is not None:
                rows = self._lists.rows_where(self._fold_of == fold)
                found[rows] = one.of_pairs(*(side.take(rows) for side in self._sides))
        return found

    def _map_without(self, left_out: frozenset[int]) -> Adapted | None:
        """The map of the other folds' lists, of the strength that is best there; None where none is better."""
        gains: dict[float, list[np.ndarray]] = {strength: [] for strength in self.strengths}
        for fold in sorted(set(self._fold_of.tolist()) - left_out):
            for strength, one in self._path(left_out | {fold}).items():
                gains[strength].append(self._gains(one, fold))
        means = {strength: _sure_mean(np.concatenate(found)) for strength, found in gains.items() if found}
        best = max(means, key=lambda strength: means[strength][0], default=None)
        if best is None or means[best][1] <= 0:
            return None
        return self._path(left_out).get(best)

    def _path(self, left_out: frozenset[int]) -> Mapping[float, Adapted]:
        if left_out not in self._paths:
            kept = ~np.isin(self._fold_of, list(left_out))
            rows = self._lists.rows_where(kept)
            asked, offered = (side.take(rows) for side in self._sides)
            self._paths[left_out] = self.path(asked, offered, self._lists.take(kept))
        return self._paths[left_out]

    def _gains(self, one: Adapted, fold: int) -> np.ndarray:
        """What a map adds to the nDCG of each list of a fold."""
        chosen = self._fold_of == fold
        rows = self._lists.rows_where(chosen)
        scores = one.of_pairs(*(side.take(rows) for side in self._sides))
        return self._lists.take(chosen).ndcg(scores) - self._before[chosen]


class _WordFolds(_Folds):
    """The same of words."""

    strengths = word_pairs.STRENGTHS

    def plain(self, asked: RowVectors, offered: RowVectors) -> np.ndarray:
        return WordPairs.none().of_pairs(asked, offered)

    def none(self) -> Adapted:
        return WordPairs.none()

    def path(self, asked: RowVectors, offered: RowVectors, lists: GradedLists) -> Mapping[float, Adapted]:
        return word_pairs.fit_path(asked, offered, lists, self.strengths)


def _sure_mean(gains: np.ndarray) -> tuple[float, float]:
    """The mean of the gains that there are, and what is left of it a standard error below."""
    known = gains[~np.isnan(gains)]
    if len(known) < 2:
        return -np.inf, -np.inf
    return float(known.mean()), float(known.mean() - SURE * known.std(ddof=1) / np.sqrt(len(known)))


def _standings(values: np.ndarray, starts: np.ndarray) -> list[np.ndarray]:
    return [values, rank_share(values, starts), z_score(values, starts)]
