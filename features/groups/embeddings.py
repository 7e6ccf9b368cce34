"""Embeddings themselves as features, reduced by principal components or raw: early fusion.

Concatenation before the ranker (feature-level fusion), where cosines are fusion by similarity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from features.encoders.vectors import RowVectors
from features.errors import InputError


@dataclass(frozen=True)
class EmbeddingFeatures:
    """Columns `embedding.FIELD_0 …` per field: (vector - mean) · axes.

    means: per field, (d,) float32; axes: per field, (columns, d) float32. A field is any name that
    has vectors: title, image, query_text (see `FeatureBuilder.embeddings`).
    """

    means: dict[str, np.ndarray]
    axes: dict[str, np.ndarray]

    @classmethod
    def fit(cls, training: Mapping[str, RowVectors], components: int | None) -> EmbeddingFeatures:
        """Learn the axes from training rows: `components` principal ones a field (Pearson 1901).

        None keeps the vectors as they are. Each distinct vector in use counts once, however many
        rows share it. Raises InputError where a field has fewer of them, or fewer dimensions, than
        components.
        """
        fitted = {
            name: _principal(name, vectors[np.unique(rows[rows >= 0])], components)
            for name, (vectors, rows) in sorted(training.items())
        }
        return cls(
            {name: mean for name, (mean, _) in fitted.items()},
            {name: axes for name, (_, axes) in fitted.items()},
        )

    @property
    def columns(self) -> list[str]:
        return [f"embedding.{name}_{i}" for name, axes in self.axes.items() for i in range(len(axes))]

    def transform(self, fields: Mapping[str, RowVectors]) -> pl.DataFrame:
        """(n rows, `columns`) Float32; a row without a vector is null in all columns of its field."""
        return pl.concat([self._project(name, *fields[name]) for name in self.axes], how="horizontal")

    def save(self, path: Path) -> None:
        """As safetensors: `FIELD.mean` and `FIELD.axes`."""
        means = {f"{name}.mean": mean for name, mean in self.means.items()}
        save_file(means | {f"{name}.axes": axes for name, axes in self.axes.items()}, path)

    @classmethod
    def load(cls, path: Path) -> EmbeddingFeatures:
        """InputError for a file that `save` did not write."""
        try:
            tensors = load_file(path)
            names = sorted(key.removesuffix(".axes") for key in tensors if key.endswith(".axes"))
            means, axes = ({n: tensors[f"{n}.{part}"] for n in names} for part in ("mean", "axes"))
            for name in names:
                _check_whole(name, means[name], axes[name])
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                where=path,
                expected="a saved projection",
                got=str(error).partition("\n")[0],
                cure="copy the whole run folder again, or train it again",
            ) from error
        return cls(means, axes)

    def _project(self, name: str, vectors: np.ndarray, rows: np.ndarray) -> pl.DataFrame:
        axes = self.axes[name]
        columns = [f"embedding.{name}_{i}" for i in range(len(axes))]
        reduced = pl.DataFrame((vectors - self.means[name]) @ axes.T, schema=columns)
        return reduced.select(pl.all().gather(pl.Series(rows).replace(-1, None)))


def _check_whole(name: str, mean: np.ndarray, axes: np.ndarray) -> None:
    whole = np.isfinite(axes).all() and np.isfinite(mean).all()
    if not whole or axes.ndim != 2 or mean.shape != axes.shape[1:]:
        raise ValueError(f"axes {axes.shape} with a mean {mean.shape} of {name}")


def _principal(name: str, vectors: np.ndarray, components: int | None) -> tuple[np.ndarray, np.ndarray]:
    dimensions = vectors.shape[1]
    if components is None:
        return np.zeros(dimensions, np.float32), np.eye(dimensions, dtype=np.float32)
    if components > min(vectors.shape):
        raise InputError(
            where=f"embedding features of {name!r}",
            expected=f"at least {components} distinct training vectors of as many dimensions",
            got=f"{len(vectors)} of {dimensions}",
            cure="ask for fewer components",
        )
    from sklearn.decomposition import PCA  # noqa: PLC0415 - takes a second to import, and few runs fit axes

    pca = PCA(components, svd_solver="full").fit(vectors)
    return pca.mean_.astype(np.float32), np.ascontiguousarray(pca.components_, dtype=np.float32)
