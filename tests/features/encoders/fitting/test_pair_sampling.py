"""The pairs an aligned encoder is fitted on: what is held out, drawn, masked and left out."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from PIL import Image

from features.encoders.cache import EmbeddingCache
from features.encoders.fitting.pair_sampling import (
    Pairs,
    alike,
    batches,
    catalogue_photos,
    decode_photos,
    draw_targets,
    held_out_recall,
    hold_out,
    judged_photos,
    make_pairs,
)
from features.encoders.image.aligned_settings import AlignedTrainingConfig
from features.encoders.protocol import unit_rows
from features.encoders.vectors import RowVectors
from features.errors import InputError

DIMENSIONS = 8
SETTINGS = AlignedTrainingConfig(
    height=16, width=16, epochs=6, batch_size=32, precision="float32", held_out=40, recall_at=3
)


def units(n: int, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(n, DIMENSIONS)).astype(np.float32))


def paired(text_rows: Sequence[int], photo_ids: Sequence[int]) -> Pairs:
    n = len(text_rows)
    text = RowVectors(units(max(text_rows) + 1), np.array(text_rows))
    brand = RowVectors(units(2, 9), np.arange(n) % 3 - 1)
    return Pairs(np.zeros((n, 2, 2, 3), np.uint8), np.array(photo_ids), text, {"brand": brand}, "words")


@given(
    ids=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=20, max_size=60),
    count=st.integers(1, 50),
)
def test_held_out_pairs_share_nothing_with_each_other_or_with_training(
    ids: list[tuple[int, int]], count: int
) -> None:
    pairs = paired(*zip(*ids, strict=True))
    try:
        train, held = hold_out(pairs, count, seed=0)
    except InputError:  # by chance nearly all pairs share something with a held-out one
        reject()
    assert 1 <= len(held) <= min(count, len(pairs) // 10)
    for owned in (pairs.text.rows, pairs.photo_ids):
        assert len(set(owned[held])) == len(held)
        assert not set(owned[held]) & set(owned[train])
    left = set(range(len(pairs))) - set(train) - set(held)
    assert all(
        pairs.text.rows[row] in pairs.text.rows[held] or pairs.photo_ids[row] in pairs.photo_ids[held]
        for row in left
    )


def test_a_catalogue_of_one_text_teaches_nothing() -> None:
    with pytest.raises(InputError, match=r"30 that nearly all share theirs; .* set aligned\.text"):
        hold_out(paired([0] * 30, range(30)), 5, seed=0)


def test_an_epoch_takes_each_row_once_in_whole_batches() -> None:
    rows = np.arange(100, 150)
    drawn = list(batches(rows, 8, seed=1, epoch=2))
    assert [len(batch) for batch in drawn] == [8] * (50 // 8)
    assert len(np.unique(np.concatenate(drawn))) == 8 * (50 // 8)
    assert np.isin(np.concatenate(drawn), rows).all()
    again, other = (np.concatenate(list(batches(rows, 8, 1, epoch))) for epoch in (2, 3))
    np.testing.assert_array_equal(np.concatenate(drawn), again)
    assert (again != other).any()


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_targets_are_the_text_with_what_chance_adds(chance: float) -> None:
    pairs = paired([0, 1, 2, 0, 1, 2], range(6))
    rows = np.array([5, 0, 1, 2])
    text, brand = pairs.text, pairs.mixed["brand"]
    expected = text.vectors[text.rows[rows]].copy()
    for place, row in enumerate(rows):
        if chance and brand.rows[row] >= 0:
            expected[place] += brand.vectors[brand.rows[row]]
    drawn = draw_targets(pairs, rows, {"brand": chance}, np.random.default_rng(0))
    np.testing.assert_allclose(drawn, unit_rows(expected), atol=1e-6)


def test_one_text_or_one_photo_makes_two_rows_alike() -> None:
    pairs = paired([0, 0, 1, 2], [0, 1, 2, 2])
    expected = np.eye(4, dtype=bool)
    expected[0, 1] = expected[1, 0] = expected[2, 3] = expected[3, 2] = True
    np.testing.assert_array_equal(alike(pairs, np.arange(4)), expected)


class Lengths:
    """A text encoder from the length of a text; blank text has no vector."""

    modalities = frozenset({"text"})
    dimensions = 2
    space = fingerprint = "lengths"

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        angles = [len(item) if str(item).strip() else np.nan for item in items]
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def photo(red: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 8), (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def shop(n: int = 30) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "product_id": [f"p{i}" for i in range(n)],
            "title": ["x" * (i % 25 + 1) for i in range(n)],
            "description": pl.Series([None] * n, dtype=pl.String),
            "category": [f"c{i % 3}" for i in range(n)],
            "brand": pl.Series([None] * n, dtype=pl.String),
            "image": [photo(i) for i in range(n)],
        }
    )


def pairs_of(products: pl.DataFrame, asked: Sequence[bytes], folder: Path) -> Pairs:
    queries = pl.DataFrame(
        {
            "query_id": [f"q{i}" for i in range(len(asked))],
            "image": pl.Series(asked, dtype=pl.Binary),
        }
    )
    settings = SETTINGS.model_copy(update={"mix": {"brand": 0.5}})
    shown = catalogue_photos(products, queries)
    return make_pairs(shown, None, Lengths(), EmbeddingCache(folder), settings)


def test_queries_photos_and_what_cannot_be_read_stay_out(tmp_path: Path) -> None:
    products = shop()
    images, titles = products["image"].to_list(), products["title"].to_list()
    images[3], images[4], titles[5], titles[6] = None, b"no photo", None, "  "
    products = products.with_columns(
        image=pl.Series(images, dtype=pl.Binary), title=pl.Series(titles, dtype=pl.String)
    )
    pairs = pairs_of(products, [images[0], images[7], photo(200)], tmp_path)
    kept = [row for row in range(30) if row not in {0, 7, 3, 4, 5, 6}]
    assert len(pairs) == len(kept)
    assert pairs.photos[:, 8, 8, 0].tolist() == kept
    expected = Lengths().encode([titles[row] for row in kept], "text")
    np.testing.assert_allclose(pairs.text.vectors[pairs.text.rows], expected, atol=1e-6)
    assert (pairs.mixed["brand"].rows == -1).all()


def test_too_few_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 20 products with a photo and a title, got 19"):
        pairs_of(shop(19), [], tmp_path)


def test_photos_are_decoded_in_order() -> None:
    pixels, readable = decode_photos(pl.Series([photo(9), b"", photo(50)]), 8, 6)
    assert readable.tolist() == [True, False, True]
    assert pixels[[0, 2], 4, 3, 0].tolist() == [9, 50]


def test_the_fingerprint_follows_photos_texts_and_space() -> None:
    pairs = paired(range(20), range(20))
    others = [
        replace(pairs, photos=pairs.photos ^ 1),
        replace(pairs, text=RowVectors(-pairs.text.vectors, pairs.text.rows)),
        replace(pairs, text=RowVectors(pairs.text.vectors, pairs.text.rows[::-1])),
        replace(pairs, space="other"),
        replace(pairs, asked=np.arange(20) > 9),
    ]
    prints = {made.fingerprint for made in [pairs, paired(range(20), range(20)), *others]}
    assert len(prints) == 1 + len(others)


# Photos of queries


def asked_shop() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """30 products; query i shows product i % 10, in a photo of its own."""
    queries = pl.DataFrame(
        {"query_id": [f"q{i:02}" for i in range(60)], "image": [photo(100 + i) for i in range(60)]}
    )
    best = [(f"q{i:02}", f"p{i % 10}", 2.0) for i in range(60)]
    good = [(f"q{i:02}", f"p{i % 10 + 10}", 1.0) for i in range(60)]
    nothing = [(f"q{i:02}", f"p{i % 10 + 20}", 0.0) for i in range(60)]
    schema = ["query_id", "product_id", "grade"]
    return shop(), queries, pl.DataFrame(best + good + nothing, schema=schema, orient="row")


def reds(images: pl.Series) -> list[int]:
    return [int(pixels[4, 3, 0]) for pixels in decode_photos(images, 8, 6)[0]]


def test_training_photos_meet_the_texts_of_their_best_products() -> None:
    products, queries, judgements = asked_shop()
    training = [f"q{i:02}" for i in range(40)]
    shown = judged_photos(products, queries, judgements, training)
    assert reds(shown["image"]) == [100 + i for i in range(40)]
    assert shown["title"].to_list() == [products["title"][i % 10] for i in range(40)]
    again = judged_photos(products, queries.sample(fraction=1.0, shuffle=True, seed=3), judgements, training)
    assert again.equals(shown)


def test_a_photo_of_another_query_stays_out_whoever_else_has_it() -> None:
    products, queries, judgements = asked_shop()
    images = queries["image"].to_list()
    images[3] = images[50]  # a training query with a test query's photo
    queries = queries.with_columns(image=pl.Series(images))
    products = products.with_columns(image=pl.Series([images[51], images[4], *products["image"][2:]]))
    training = [f"q{i:02}" for i in range(40)]
    asked = reds(judged_photos(products, queries, judgements, training)["image"])
    assert asked == [100 + i for i in range(40) if i != 3]
    own = reds(catalogue_photos(products, queries)["image"])
    assert own == list(range(2, 30))


def test_queries_without_a_grade_above_0_or_a_photo_teach_nothing() -> None:
    products, queries, judgements = asked_shop()
    judgements = judgements.with_columns(
        grade=pl.when(pl.col("query_id") == "q01").then(0.0).otherwise("grade")
    )
    queries = queries.with_columns(image=pl.when(pl.col("query_id") != "q02").then("image"))
    shown = judged_photos(products, queries, judgements, ["q00", "q01", "q02", "q03"])
    assert reds(shown["image"]) == [100, 103]


def test_two_best_products_make_two_pairs_that_are_no_negatives(tmp_path: Path) -> None:
    products, queries, judgements = asked_shop()
    second = judgements.filter(grade=1.0).with_columns(grade=2.0)
    both = pl.concat([judgements.filter(pl.col("grade") != 1.0), second])
    shown = judged_photos(products, queries, both, ["q00", *(f"q{i:02}" for i in range(30, 50))])
    pairs = make_pairs(None, shown, Lengths(), EmbeddingCache(tmp_path), SETTINGS)
    assert len(pairs) == 2 * 21
    assert alike(pairs, np.array([0, 1])).all()


def test_own_and_asked_photos_are_told_apart(tmp_path: Path) -> None:
    products, queries, judgements = asked_shop()
    own = catalogue_photos(products, queries)
    asked = judged_photos(products, queries, judgements, [f"q{i:02}" for i in range(40)])
    pairs = make_pairs(own, asked, Lengths(), EmbeddingCache(tmp_path), SETTINGS)
    assert pairs.photos[:, 8, 8, 0].tolist() == [*range(30), *range(100, 140)]
    assert pairs.asked is not None
    assert pairs.asked.tolist() == [False] * 30 + [True] * 40
    train, held = hold_out(pairs, 1000, seed=0)
    assert len(held) == len(pairs) // 10
    assert pairs.asked[held].all()
    assert not set(pairs.photo_ids[held]) & set(pairs.photo_ids[train])
    assert set(pairs.text.rows[held]) <= set(pairs.text.rows[train])  # a new photo of a known product


def test_recall_of_asked_photos_is_among_all_texts(tmp_path: Path) -> None:
    products, queries, judgements = asked_shop()
    asked = judged_photos(products, queries, judgements, [f"q{i:02}" for i in range(40)])
    pairs = make_pairs(
        catalogue_photos(products, queries), asked, Lengths(), EmbeddingCache(tmp_path), SETTINGS
    )
    held = np.arange(30, 38)
    right = pairs.text.vectors[pairs.text.rows[held]]
    assert held_out_recall(pairs, held, right, 1) == 1
    assert held_out_recall(pairs, held, -right, 1) == 0
    half = np.where(np.arange(8)[:, None] < 4, right, -right)
    assert held_out_recall(pairs, held, half, 1) == pytest.approx(4 / 8)


def test_too_few_training_photos_are_refused(tmp_path: Path) -> None:
    products, queries, judgements = asked_shop()
    asked = judged_photos(products, queries, judgements, ["q00", "q01"])
    settings = SETTINGS.model_copy(update={"pairs": "judgements"})
    with pytest.raises(InputError, match=r"at least 20 training queries .*got 2; set aligned\.pairs: both"):
        make_pairs(None, asked, Lengths(), EmbeddingCache(tmp_path), settings)
