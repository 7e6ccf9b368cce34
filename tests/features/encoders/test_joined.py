"""Joined encoders, of parts whose vectors are known."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from features.encoders.joined import JoinedEncoder
from features.encoders.registry import ENCODERS, make_encoder
from features.errors import InputError
from ltr.pipeline.known_encoders import remember_encoder


class Part:
    """Sees one of a few directions in each text; none in an empty one."""

    def __init__(self, seed: int, dimensions: int = 4, modalities: Sequence[str] = ("text",)) -> None:
        self.modalities, self.dimensions = frozenset(modalities), dimensions
        self.space = self.fingerprint = f"part {seed}"
        self._seed = seed

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        rows = [np.random.default_rng([self._seed, len(item)]).normal(size=self.dimensions) for item in items]
        found = np.array(rows).reshape(-1, self.dimensions)
        found[[not item for item in items]] = np.nan
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=4))
def test_the_cosine_is_the_weighted_mean_of_the_parts_cosines(weights: list[float]) -> None:
    parts = [Part(seed, seed + 2) for seed in range(len(weights))]
    joined, items = JoinedEncoder(parts, weights), ["a", "bb", "ccc"]
    found = joined.encode(items, "text")
    assert found.shape == (3, joined.dimensions)
    cosines = [vectors @ vectors.T for vectors in (part.encode(items, "text") for part in parts)]
    np.testing.assert_allclose(found @ found.T, np.average(cosines, axis=0, weights=weights), atol=1e-5)


def test_what_one_part_cannot_read_has_no_vector() -> None:
    found = JoinedEncoder([Part(0), Part(1)], [1, 1]).encode(["a", ""], "text")
    assert np.isnan(found).all(axis=1).tolist() == [False, True]


def test_parts_and_weights_alike_are_one_space_and_others_another() -> None:
    made = [JoinedEncoder([Part(0), Part(seed)], weights) for seed, weights in ((1, [1, 1]), (1, [2, 2]))]
    assert made[0].fingerprint == made[1].fingerprint, "only their ratio counts"
    others = JoinedEncoder([Part(0), Part(2)], [1, 1]), JoinedEncoder([Part(0), Part(1)], [1, 2])
    assert (
        len({one.fingerprint for one in (made[0], *others)})
        == len({o.space for o in (made[0], *others)})
        == 3
    )


def test_parts_that_read_nothing_in_common_are_refused() -> None:
    with pytest.raises(InputError, match="read something in common"):
        JoinedEncoder([Part(0), Part(1, modalities=("image",))], [1, 1])
    with pytest.raises(InputError, match="fitted on texts"):
        make_encoder(
            ENCODERS.parse({"kind": "joined", "parts": [{"kind": "tfidf"}, {"kind": "tfidf"}]}), Path()
        )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"parts": [{"kind": "colours"}]}, "at least 2"),
        ({"parts": [{"kind": "colours"}, {"kind": "colors"}]}, "colours"),
        ({"parts": [{"kind": "colours"}, {"kind": "pixels"}], "weights": [1]}, "as many weights as parts"),
        ({"parts": [{"kind": "colours"}, {"kind": "pixels"}], "weights": [1, 0]}, "greater than 0"),
    ],
)
def test_settings_that_make_no_encoder(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ENCODERS.parse({"kind": "joined", **wrong})


def test_from_settings_to_vectors_of_photos() -> None:
    parts = [{"kind": "colours"}, {"kind": "pixels", "side": 4}]
    encoder = make_encoder(ENCODERS.parse({"kind": "joined", "parts": parts}), Path())
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(buffer, "PNG")
    found = encoder.encode([buffer.getvalue(), b"no photo"], "image")
    assert np.linalg.norm(found[0]) == pytest.approx(1)
    assert np.isnan(found[1]).all()


def test_a_part_s_file_that_changed_makes_it_unknown(tmp_path: Path) -> None:
    """What is known of an encoder hangs on the files that its parts name, too."""
    weights = tmp_path / "weights.pt"
    named = {"kind": "torchvision", "backbone": "resnet18", "weights": "weights.pt"}
    settings = ENCODERS.parse({"kind": "joined", "parts": [named, {"kind": "colours"}]})
    made = make_encoder(ENCODERS.parse({"kind": "joined", "parts": [{"kind": "colours"}] * 2}), tmp_path)
    notes = []
    for content in (b"one", b"others"):
        weights.write_bytes(content)
        remember_encoder(made, settings, tmp_path, tmp_path)
        notes.append(set(tmp_path.glob("index/*.encoder.json")))
    assert len(notes[1] - notes[0]) == 1
