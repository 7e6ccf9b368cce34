"""Similarity adapted to a shop's own judgements: the query's vector is moved before it meets the product's.

adapted cosine = cosine + query · weights · product / scale, for every pair of a query's and a product's vectors that
share a space. The encoders stay frozen; `weights` (d, d), 0 at the start, is fitted to graded lists in seconds over
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

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from features.encoders import vectors
from features.encoders.vectors import RowVectors
from features.errors import InputError
from features.groups.adapted_fitting import GradedLists, fit_path
from features.groups.standings import rank_share, z_score

GROUP = "adapted"
# Of the penalty, from strong to weak; what lies between makes no difference that folds of queries can tell.
STRENGTHS = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
SURE = 2.0  # standard errors by which a map must beat none on queries it has not seen: the best of five is lucky

Vectors = Mapping[str, RowVectors]


def fields_of(comparison: str) -> tuple[str, str]:
    """The fields of a query and of a product that a cosine compares: image.photo_title → query_image, title."""
    group, _, name = comparison.partition(".")
    if group == "text":
        return "query_text", name
    asked, _, offered = name.partition("_")
    return ("query_text" if asked == "text" else f"query_{group}"), ("title" if offered == "title" else group)


def feature_of(comparison: str) -> str:
    """text.title → adapted.title; image.photo_photo → adapted.photo_photo."""
    return f"{GROUP}.{comparison.partition('.')[2]}"


@dataclass(frozen=True)
class AdaptedSimilarity:
    """Features `adapted.NAME`, with `_rank` and `_z` in the list, for each comparison.

    maps: (d, d) float32 by comparison (`text.title`), in the order of the features; all 0 where no map was better
    than none beyond noise: then the feature is the plain cosine.
    """

    maps: dict[str, np.ndarray]

    @classmethod
    def fit(
        cls, fields: Vectors, comparisons: Sequence[str], lists: GradedLists, folds: int, seed: int
    ) -> tuple[AdaptedSimilarity, np.ndarray]:
        """The maps of all these lists, and the features (n, `names`) of the same rows, each out of fold.

        fields: the rows' vectors (see `FeatureBuilder.embeddings`). The strength of each map's penalty is the one
        of the highest nDCG on queries left out; none, where that does not beat the cosine's by two standard errors.
        """
        maps, columns = {}, []
        fold_of = np.random.default_rng(seed).permutation(len(lists.sizes)) % folds
        for name in comparisons:
            asked, offered = (fields[field] for field in fields_of(name))
            maps[name], own = _fit_one(asked, offered, lists, fold_of)
            columns += _standings(own, lists.starts)
        return cls(maps), np.column_stack(columns).astype(np.float32)

    @property
    def names(self) -> list[str]:
        """Of the features."""
        return [feature_of(name) + suffix for name in self.maps for suffix in ("", "_rank", "_z")]

    def transform(self, fields: Vectors, starts: np.ndarray) -> np.ndarray:
        """(n, `names`) float32, NaN where either vector is missing. starts: (lists + 1,) of the rows' lists."""
        columns = []
        for name, weights in self.maps.items():
            asked, offered = (fields[field] for field in fields_of(name))
            columns += _standings(_adapted(asked, offered, weights), starts)
        return np.column_stack(columns).astype(np.float32)

    def save(self, path: Path) -> None:
        """As safetensors, a tensor a comparison."""
        save_file({name: np.ascontiguousarray(weights) for name, weights in self.maps.items()}, path)

    @classmethod
    def load(cls, path: Path, comparisons: Sequence[str]) -> AdaptedSimilarity:
        """InputError for a file that `save` did not write for these comparisons."""
        try:
            tensors = load_file(path)
            maps = {name: tensors.pop(name) for name in comparisons}
            odd = [name for name, map_ in maps.items() if not _whole(map_)]
            if tensors or odd:
                raise ValueError(f"other tensors than a square of numbers for each of {', '.join(comparisons)}")
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                where=path,
                expected="saved maps of adapted similarity",
                got=str(error).partition("\n")[0],
                cure="copy the whole run folder again, or train it again",
            ) from error
        return cls(maps)


def _whole(weights: np.ndarray) -> bool:
    square = weights.ndim == 2 and weights.shape[0] == weights.shape[1]
    return bool(square and weights.dtype == np.float32 and np.isfinite(weights).all())


def _fit_one(
    asked: RowVectors, offered: RowVectors, lists: GradedLists, fold_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One map, fitted to all lists, and the adapted cosine (n,) of each row by maps of the other folds."""
    plain = vectors.of_pairs(asked, offered)
    none = np.zeros((asked.vectors.shape[1],) * 2, dtype=np.float32)
    by_strength = {strength: plain.copy() for strength in STRENGTHS}
    for fold in range(fold_of.max() + 1):
        rest, part = lists.rows_where(fold_of != fold), lists.rows_where(fold_of == fold)
        found = fit_path(asked.take(rest), offered.take(rest), lists.take(fold_of != fold), STRENGTHS)
        for strength, weights in found.items():
            by_strength[strength][part] = _adapted(asked.take(part), offered.take(part), weights)
    before = lists.ndcg(plain)
    gains = {strength: lists.ndcg(found) - before for strength, found in by_strength.items()}
    best = max(gains, key=lambda strength: _mean(gains[strength]), default=None)
    if best is None or not _surely_above_zero(gains[best]):
        return none, plain
    weaker = STRENGTHS[: STRENGTHS.index(best) + 1]
    return fit_path(asked, offered, lists, weaker).get(best, none), by_strength[best]


def _adapted(asked: RowVectors, offered: RowVectors, weights: np.ndarray) -> np.ndarray:
    """Cosine and what the map adds, (n,) float32; NaN where either has no vector."""
    moved = RowVectors(asked.vectors + asked.vectors @ weights, asked.rows)
    return vectors.dots(moved, offered)


def _standings(values: np.ndarray, starts: np.ndarray) -> list[np.ndarray]:
    return [values, rank_share(values, starts), z_score(values, starts)]


def _mean(gains: np.ndarray) -> float:
    known = gains[~np.isnan(gains)]
    return float(known.mean()) if len(known) else -np.inf


def _surely_above_zero(gains: np.ndarray) -> bool:
    known = gains[~np.isnan(gains)]
    return len(known) > 1 and known.mean() > SURE * known.std(ddof=1) / np.sqrt(len(known))
