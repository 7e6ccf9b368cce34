"""Embeddings as columns: known axes, training rows only, nulls, a file that runs no code."""

from pathlib import Path

import numpy as np
import pytest

from features.encoders.vectors import RowVectors
from features.errors import InputError
from features.groups.embeddings import EmbeddingFeatures


def flat_world(n: int = 50) -> np.ndarray:
    """Points of a plane in five dimensions, widest along (3, 4) / 5 of the first two, then the third."""
    rng = np.random.default_rng(0)
    wide, narrow = rng.normal(size=(2, n)) * [[10.0], [1.0]]
    points = np.zeros((n, 5))
    points[:, 0], points[:, 1], points[:, 2] = wide * 3 / 5, wide * 4 / 5, narrow
    return points.astype(np.float32)


def all_rows(vectors: np.ndarray) -> RowVectors:
    return RowVectors(vectors, np.arange(len(vectors)))


def test_the_first_component_is_the_widest_direction() -> None:
    vectors = flat_world()
    fitted = EmbeddingFeatures.fit({"title": all_rows(vectors)}, components=2)
    assert np.abs(fitted.axes["title"][0]) == pytest.approx([3 / 5, 4 / 5, 0, 0, 0], abs=0.05)
    found = fitted.transform({"title": all_rows(vectors)})
    assert found.columns == fitted.columns == ["embedding.title_0", "embedding.title_1"]
    lost_nothing = np.linalg.norm(vectors - vectors.mean(axis=0), axis=1)  # a plane fits in two columns
    assert np.linalg.norm(found.to_numpy(), axis=1) == pytest.approx(lost_nothing, rel=1e-4, abs=1e-4)


def test_raw_vectors_pass_unchanged() -> None:
    vectors = flat_world()
    fitted = EmbeddingFeatures.fit({"title": all_rows(vectors)}, components=None)
    assert np.array_equal(fitted.transform({"title": all_rows(vectors)}).to_numpy(), vectors)


def test_rows_without_a_vector_are_null_in_their_field_alone() -> None:
    vectors = flat_world()
    fields = {
        "title": RowVectors(vectors, np.array([2, -1, 2])),
        "image": RowVectors(vectors, np.array([0, 1, -1])),
    }
    found = EmbeddingFeatures.fit({"title": all_rows(vectors), "image": all_rows(vectors)}, 1).transform(
        fields
    )
    assert found["embedding.title_0"].is_null().to_list() == [False, True, False]
    assert found["embedding.image_0"].is_null().to_list() == [False, False, True]
    assert found["embedding.title_0"][0] == found["embedding.title_0"][2]


def test_only_vectors_of_training_rows_are_fitted_each_once() -> None:
    vectors = flat_world()
    stray = np.vstack([vectors, np.full((1, 5), 1e6, np.float32)])
    repeated = np.concatenate([np.arange(len(vectors)), np.zeros(500, np.int64), [-1]])
    fitted = EmbeddingFeatures.fit({"title": RowVectors(stray, repeated)}, 2)
    plain = EmbeddingFeatures.fit({"title": all_rows(vectors)}, 2)
    assert np.array_equal(fitted.axes["title"], plain.axes["title"])
    assert np.array_equal(fitted.means["title"], plain.means["title"])


@pytest.mark.parametrize("components", [2, None])
def test_saved_and_loaded_is_the_same(components: int | None, tmp_path: Path) -> None:
    world = {"title": all_rows(flat_world()), "image": all_rows(flat_world()[:, :4])}
    fitted = EmbeddingFeatures.fit(world, components)
    fitted.save(tmp_path / "projection.safetensors")
    loaded = EmbeddingFeatures.load(tmp_path / "projection.safetensors")
    assert loaded.transform(world).equals(fitted.transform(world))


@pytest.mark.parametrize("rows", [3, 40])
def test_too_few_vectors_or_dimensions_is_told(rows: int) -> None:
    with pytest.raises(InputError, match="fewer components"):
        EmbeddingFeatures.fit({"title": all_rows(flat_world()[:rows])}, components=6)
