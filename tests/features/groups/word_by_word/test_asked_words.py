"""Words asked one by one, in a world whose photos are colours: some products name them, some by another word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.encoders.vectors import RowVectors
from features.groups.word_by_word.asked_words import AskedWordsConfig, AskedWordsGroup
from features.groups.word_by_word.related_words import by_meaning, most
from tests.features.groups.asking import asked, catalogue_of
from tests.features.groups.word_by_word.test_shown_words import Looks

WORDS = {"red": ("red", "crimson"), "green": ("green", "emerald"), "blue": ("blue", "navy")}
COLOURS = tuple(WORDS)
SILENT, LIAR, UNSEEN, OTHER = "p900", "p901", "p902", "p903"
NEAR = ("shirt", "tee")  # words of one meaning, by the reader below


class Eye:
    """Sees the colour of a photo that is `colour number`, each a little its own."""

    modalities, dimensions = frozenset({"image"}), 6
    space = fingerprint = "eye"

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        return np.array([self._see(str(item)) for item in items], dtype=np.float32)

    def _see(self, name: str) -> np.ndarray:
        colour, _, number = name.partition(" ")
        noise = np.random.default_rng(int(number)).normal(size=self.dimensions)
        vector = np.eye(self.dimensions)[COLOURS.index(colour)] + 0.1 * noise
        return vector / np.linalg.norm(vector)


class Reader:
    """Texts at random, but for two words that lie close together."""

    modalities, dimensions = frozenset({"text"}), 32
    space = fingerprint = "reader"

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        return np.array([self._read(str(item)) for item in items], dtype=np.float32)

    def _read(self, text: str) -> np.ndarray:
        seeds = [NEAR[0] if text in NEAR else text, text]
        parts = [np.random.default_rng(list(seed.encode())).normal(size=self.dimensions) for seed in seeds]
        vector = 2 * parts[0] + parts[1]
        return vector / np.linalg.norm(vector)


def catalogue() -> pl.DataFrame:
    """120 products a colour, that are named by either word, and odd ones."""
    shown = [colour for colour in COLOURS for _ in range(120)]
    kinds = ("shirt", "tee", "hat", "bag")
    titles = [f"{WORDS[c][i % 2]} {kinds[i // 2 % 4]} of cotton" for i, c in enumerate(shown)]
    photos: list[str | None] = [f"{colour} {i}" for i, colour in enumerate(shown)]
    odd = {
        SILENT: ("shirt of wool", "red 900"),
        LIAR: ("red shirt", "blue 901"),
        UNSEEN: ("crimson shirt", None),
        OTHER: ("tee of wool", "green 903"),
    }
    ids = [f"p{i:03}" for i in range(len(shown))]
    return pl.DataFrame(
        {
            "product_id": [*ids, *odd],
            "title": [*titles, *(title for title, _ in odd.values())],
            "image": [*photos, *(photo for _, photo in odd.values())],
        }
    )


PRODUCTS = catalogue()
QUERIES = pl.DataFrame(
    {
        "query_id": ["red", "red shirt", "unknown", "none"],
        "text": ["red", "a red shirt under 30", "zebra 7", None],
    }
)
PAIRS = QUERIES.select("query_id").join(PRODUCTS.select("product_id"), how="cross")


def features_of(products: pl.DataFrame, encoders: dict[str, object]) -> pl.DataFrame:
    index = catalogue_of(products, encoders, Looks())
    group = AskedWordsGroup.index(index, AskedWordsConfig())
    return PAIRS.hstack(asked(group, index, QUERIES, PAIRS)) if group.features else PAIRS


@pytest.fixture(scope="module")
def found() -> pl.DataFrame:
    return features_of(PRODUCTS, {"text": Reader(), "image": Eye()})


def value(found: pl.DataFrame, query: str, product: str, name: str) -> Any:
    result: float | None = found.filter(query_id=query, product_id=product)[name].item()
    return result


def test_a_photo_shows_a_word_that_no_text_says(found: pl.DataFrame) -> None:
    assert value(found, "red", SILENT, "text.asked_said") == 0
    assert value(found, "red", SILENT, "image.asked_shown") == pytest.approx(1, abs=0.4)
    assert value(found, "red", SILENT, "image.asked_met") == pytest.approx(1, abs=0.4)
    assert value(found, "red", OTHER, "image.asked_shown") < 0.3


def test_another_word_for_what_photos_show_is_found_in_photos(found: pl.DataFrame) -> None:
    """Crimson products show red, though none of them says so."""
    crimson = found.filter(pl.col("query_id") == "red", pl.col("product_id").is_in(["p001", "p003", "p005"]))
    assert (crimson["text.asked_said"] < 0.5).all()
    assert (crimson["image.asked_met"] > 0.6).all()


def test_what_a_product_says_of_itself_does_not_show(found: pl.DataFrame) -> None:
    assert value(found, "red", LIAR, "image.asked_shown") < 0.3
    assert value(found, "red", LIAR, "image.asked_met") == 1


def test_the_word_that_is_met_least_counts_beside_the_mean(found: pl.DataFrame) -> None:
    assert value(found, "red shirt", OTHER, "image.asked_met_least") < 0.3
    tee = value(found, "red shirt", OTHER, "text.asked_said")
    assert 0 < tee < 0.5, "a tee is related to a shirt, by half of two words"
    assert value(found, "red shirt", OTHER, "image.asked_met") >= tee


def test_missing_where_nothing_can_be_known(found: pl.DataFrame) -> None:
    names = [name for name in found.columns if "asked" in name]
    assert len(names) == 8
    for query in ("unknown", "none"):
        assert found.filter(query_id=query).select(names).null_count().row(0) == (PRODUCTS.height,) * 8
    assert value(found, "red", UNSEEN, "image.asked_shown") is None
    assert value(found, "red", UNSEEN, "image.asked_met") is not None


def test_what_needs_both_goes_with_either() -> None:
    seen = features_of(PRODUCTS, {"image": Eye()})
    assert [name for name in seen.columns if "asked" in name] == [
        "image.asked_shown",
        "image.asked_shown_least",
        "image.photo_asked",
        "image.photo_asked_z",
    ]
    read = features_of(PRODUCTS, {"text": Reader()})
    assert [name for name in read.columns if "asked" in name] == ["text.asked_said", "text.asked_said_least"]
    assert features_of(PRODUCTS, {}).columns == PAIRS.columns
    assert features_of(PRODUCTS.select("product_id", "image"), {"image": Eye()}).columns == PAIRS.columns


def test_words_are_related_where_they_lie_unusually_near() -> None:
    rng = np.random.default_rng(0)
    words = rng.normal(size=(40, 64))
    words[1] = words[0] + 0.3 * rng.normal(size=64)
    units = (words / np.linalg.norm(words, axis=1, keepdims=True)).astype(np.float32)
    rows = np.append(np.arange(40), -1)
    found = by_meaning(RowVectors(units, rows))
    related = [
        found.words[start:end].tolist() for start, end in zip(found.starts, found.starts[1:], strict=False)
    ]
    assert related[:2] == [[0, 1], [0, 1]]
    assert related[40] == [40]
    assert all(word in kin for word, kin in enumerate(related))
    assert ((found.weights > 0) & (found.weights <= 1)).all()


def test_the_most_of_each_entry() -> None:
    assert most(np.array([0, 0, 2]), np.array([1.0, 3.0, 2.0]), 4)[[0, 2]].tolist() == [3, 2]
    assert np.isnan(most(np.array([0, 0, 2]), np.array([1.0, 3.0, 2.0]), 4)[[1, 3]]).all()


@pytest.mark.parametrize("count", [1, 3, 15, 16, 17, 300])
def test_words_of_like_meaning_are_the_nearest_fifteen_of_unusual_ones(count: int) -> None:
    rng = np.random.default_rng(count)
    units = rng.normal(size=(count, 12)) + 2 * rng.normal(size=(6, 12))[rng.integers(0, 6, count)]
    units = (units / np.linalg.norm(units, axis=1, keepdims=True)).astype(np.float32)
    found = by_meaning(RowVectors(units, np.append(np.arange(count), -1)))
    cosines = units.astype(np.float64) @ units.T
    others = cosines[~np.eye(count, dtype=bool)]
    usual = min(others.mean() + 2.5 * others.std(), 1) if count > 1 else 1
    for word in range(count):
        order = [other for other in np.argsort(-cosines[word]) if other != word][:15]
        near = {other for other in order if cosines[word, other] > usual}
        assert set(found.words[found.starts[word] : found.starts[word + 1]]) == {word, *near}
    assert found.words[found.starts[count] :].tolist() == [count]
