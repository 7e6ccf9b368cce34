"""Photos and words together, in worlds of products that differ in two aspects which nobody names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import sparse

from features.encoders.vectors import RowVectors
from features.groups.word_by_word.asked_photos import AskedPhotos
from features.groups.word_by_word.related_words import VisibleWords
from features.groups.word_by_word.word_probes import Scatter
from features.words.term_counts import TermLists

KINDS, COLOURS = 4, 5
WORDS = KINDS + COLOURS + 20  # of kinds, of colours, and such that no photo shows
_PER_PAIR = 40


@dataclass
class World:
    """kinds, colours: (n,) of the products; the words 0 … 3 are kinds, 4 … 8 colours, each said by half of its own."""

    kinds: np.ndarray
    colours: np.ndarray
    photos: RowVectors
    visible: VisibleWords
    turn: np.ndarray
    rng: np.random.Generator

    @classmethod
    def of(cls, seed: int) -> World:
        rng = np.random.default_rng(seed)
        turn = np.linalg.qr(rng.normal(size=(30, 30)))[0]
        count = KINDS * COLOURS * _PER_PAIR
        kinds, colours = np.arange(count) % KINDS, np.arange(count) // KINDS % COLOURS
        photos = RowVectors(seen(kinds, colours, turn, rng), np.arange(count))
        shown = np.column_stack([np.eye(KINDS)[kinds], np.eye(COLOURS)[colours]]) * (
            rng.random((count, 1)) < 0.5
        )
        says = sparse.csr_array(np.column_stack([shown, rng.random((count, 20)) < 0.1]).astype(np.float32))
        scatter = Scatter.of(photos.vectors, photos.rows)
        leverages = scatter.leverages(photos.vectors)
        visible = VisibleWords.fit(
            photos, np.arange(count), scatter, leverages, says, np.arange(WORDS), WORDS
        )
        return cls(kinds, colours, photos, visible, turn, rng)

    def found(self, kind: int, colour: int, words: list[int]) -> np.ndarray:
        """(n,) the cosines of every product with a new photo and these words."""
        photo = seen(np.array([kind]), np.array([colour]), self.turn, self.rng)
        asked = TermLists(np.array(words, dtype=np.int64), np.array([0, len(words)]))
        wanted = self.visible.wanted(RowVectors(photo, np.array([0])), asked)
        return np.asarray(self.visible.asked.profiles @ wanted.vectors[0])


def seen(kinds: np.ndarray, colours: np.ndarray, turn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Photos whose kind and colour lie anywhere in their vectors."""
    noise = 0.05 * rng.normal(size=(len(kinds), 30 - KINDS - COLOURS))
    vectors = np.column_stack([np.eye(KINDS)[kinds], 0.6 * np.eye(COLOURS)[colours], noise]) @ turn
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module", params=range(3))
def world(request: pytest.FixtureRequest) -> World:
    return World.of(request.param)


def best(world: World, scores: np.ndarray) -> set[tuple[int, int]]:
    """Kind and colour of the twenty products that come first."""
    first = np.argsort(-scores)[:20]
    return set(zip(world.kinds[first].tolist(), world.colours[first].tolist(), strict=True))


def test_without_words_a_photo_asks_for_what_it_shows(world: World) -> None:
    for kind in range(KINDS):
        for colour in range(COLOURS):
            assert best(world, world.found(kind, colour, [])) == {(kind, colour)}


def test_words_overrule_what_they_name_and_leave_the_rest_to_the_photo(world: World) -> None:
    for kind in range(KINDS):
        for colour in range(COLOURS):
            other = (colour + 1) % COLOURS
            assert best(world, world.found(kind, colour, [KINDS + other])) == {(kind, other)}
            assert best(world, world.found(kind, colour, [(kind + 1) % KINDS])) == {
                ((kind + 1) % KINDS, colour)
            }


def test_a_word_that_no_photo_shows_changes_nothing(world: World) -> None:
    world.rng = np.random.default_rng(5)
    plain = world.found(1, 2, [])
    world.rng = np.random.default_rng(5)
    np.testing.assert_array_equal(world.found(1, 2, [WORDS - 1]), plain)


def test_a_query_without_a_photo_asks_for_nothing(world: World) -> None:
    asked = TermLists(np.array([KINDS, KINDS + 1]), np.array([0, 1, 2]))
    photos = RowVectors(world.photos.vectors[:1], np.array([-1, 0]))
    assert world.visible.wanted(photos, asked).rows.tolist() == [-1, 1]


def test_arrays_give_the_same_again(world: World) -> None:
    made = world.visible.asked
    again = AskedPhotos.from_arrays(made.arrays("x"), "x")
    words = [np.array([0, 1])]
    photos = world.photos.take(np.array([7]))
    np.testing.assert_array_equal(made.asked(photos, words).vectors, again.asked(photos, words).vectors)
