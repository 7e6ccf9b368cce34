"""The demo shop: same seed same shop, of any size, with known right answers that no one source holds."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from PIL import Image
from polars.testing import assert_frame_equal

from features.errors import InputError
from features.sources.schema import Judgements, Products, Queries, Schema, separate
from ltr.demo.photos import COLOURS, PATTERNS, SILHOUETTES, SIZE, render
from ltr.demo.shop import CUTS, DemoShop, DemoShopConfig, collection, generate, utility
from ltr.demo.words import KINDS, WORDS

TABLES = ("products", "queries", "judgements", "stock", "wishes", "truth")


@pytest.fixture(scope="module")
def shop() -> DemoShop:
    return generate(DemoShopConfig(products=500, queries=120))


def pixels(photo: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(photo)), dtype=float)


def names(text: str, words: Sequence[str]) -> bool:
    """Whether one of the words stands in the text as a whole word."""
    return any(re.search(rf"\b{re.escape(word)}\b", text) for word in words)


def mean_ndcg(pairs: pl.DataFrame, score: str) -> float:
    """nDCG@10 with gain 2^grade - 1; queries without a relevant product left out; ties by product_id."""

    def dcg(by: list[str]) -> pl.Expr:
        gains = (2 ** pl.col("grade") - 1).sort_by(by, descending=[True, False]).head(10)
        return (gains / (pl.int_range(pl.len()).head(10) + 2).log(2)).sum()

    lists = pairs.group_by("query_id").agg(
        found=dcg([score, "product_id"]), ideal=dcg(["grade", "product_id"])
    )
    return lists.filter(pl.col("ideal") > 0).select((pl.col("found") / pl.col("ideal")).mean()).item()


def test_the_same_config_gives_the_same_bytes_and_another_seed_does_not() -> None:
    config = DemoShopConfig(products=40, queries=8)
    one, again, other = generate(config), generate(config), generate(config.model_copy(update={"seed": 8}))
    for table in TABLES:
        assert_frame_equal(getattr(one, table), getattr(again, table))
        assert not getattr(one, table).equals(getattr(other, table))


def test_a_larger_shop_begins_with_the_products_of_a_smaller() -> None:
    small, large = (generate(DemoShopConfig(products=size, queries=1)) for size in (20, 30))
    assert_frame_equal(large.products.head(20), small.products)


@pytest.mark.parametrize(("products", "queries"), [(1, 1), (20, 5)])
def test_small_shops_are_whole(products: int, queries: int) -> None:
    small = generate(DemoShopConfig(products=products, queries=queries))
    assert small.products.height == products
    assert small.queries["query_id"].n_unique() == queries == small.judgements["query_id"].n_unique()
    assert not small.judgements.select("query_id", "product_id").is_duplicated().any()
    assert small.products.schema == generate(DemoShopConfig(products=60, queries=1)).products.schema


@pytest.mark.parametrize("name", ["products", "queries", "judged_per_query"])
def test_nothing_at_all_is_no_shop(name: str) -> None:
    with pytest.raises(InputError, match=rf"data\.{name}: expected 1 or more, got 0"):
        generate(DemoShopConfig.model_validate({name: 0}))


@pytest.mark.parametrize(
    ("table", "schema"), [("products", Products), ("queries", Queries), ("judgements", Judgements)]
)
def test_tables_are_canonical(shop: DemoShop, table: str, schema: Schema) -> None:
    good, rejected = separate(schema, getattr(shop, table))
    assert good.height == getattr(shop, table).height
    assert rejected.is_empty()


def test_judgements_are_of_known_queries_and_products_about_as_many_as_asked(shop: DemoShop) -> None:
    lists = shop.judgements.group_by("query_id").len()["len"]
    assert set(shop.judgements["query_id"]) == set(shop.queries["query_id"])
    assert set(shop.judgements["product_id"]) <= set(shop.products["product_id"])
    assert lists.min() >= 0.7 * 30
    assert lists.max() <= 1.3 * 30
    assert set(shop.judgements["grade"]) == {0.0, 1.0, 2.0, 3.0}


def test_queries_are_told_by_text_by_photo_or_by_both(shop: DemoShop) -> None:
    parts = shop.queries.group_by("segment").agg(
        text=pl.col("text").is_not_null().mean(), photo=pl.col("image").is_not_null().mean()
    )
    assert {s: (t, p) for s, t, p in parts.iter_rows()} == {
        "text": (1, 0),
        "photo": (0, 1),
        "mixed": (1, 1),
    }


@pytest.mark.parametrize("column", ["image", "description", "brand", "price", "rating"])
def test_some_values_are_missing_and_most_are_not(shop: DemoShop, column: str) -> None:
    assert 0 < shop.products[column].null_count() < 0.2 * shop.products.height


def test_photos_are_all_different_and_of_one_size(shop: DemoShop) -> None:
    photos = pl.concat([shop.products["image"], shop.queries["image"]]).drop_nulls()
    assert photos.n_unique() == len(photos)
    assert {pixels(photo).shape for photo in photos.head(50)} == {(SIZE, SIZE, 3)}


# The right answer is known.


def test_utility_follows_the_formula() -> None:
    stock = pl.DataFrame(
        {
            "kind": ["boots", "trainers", "mug", "boots"],
            "shelf": [KINDS[kind].shelf for kind in ("boots", "trainers", "mug", "boots")],
            "colour": ["red", "red", "red", "blue"],
            "price": [50.0, 50.0, 50.0, 150.0],
            "appeal": [1.0, 1.0, 1.0, 0.5],
        }
    )
    unasked = dict.fromkeys(("pattern", "material", "use", "brand"))
    wish = {"kind": "boots", "shelf": KINDS["boots"].shelf, "colour": "red", "max_price": 100.0, **unasked}
    whole = 0.15 + 0.5 * 1 + 0.35 * 1
    assert utility(wish, stock).tolist() == pytest.approx([whole, 0.55 * whole, 0, 0.15 + 0.35 * 0.5])


def test_grades_are_the_true_ones_but_for_noise(shop: DemoShop) -> None:
    expected = sum((shop.truth["utility"] >= cut).cast(pl.Float64) for cut in CUTS)
    assert shop.truth["grade"].to_list() == expected.to_list()
    assert_frame_equal(
        shop.truth.select("query_id", "product_id"), shop.judgements.select("query_id", "product_id")
    )
    agree = (shop.truth["grade"] == shop.judgements["grade"]).mean()
    assert 0.8 < agree < 1


@pytest.mark.parametrize("segment", ["text", "photo", "mixed"])
def test_the_hidden_truth_ranks_nearly_perfectly_and_chance_does_not(shop: DemoShop, segment: str) -> None:
    chance = pl.Series("chance", np.random.default_rng(0).random(shop.truth.height))
    pairs = shop.judgements.with_columns(shop.truth["utility"], chance)
    pairs = pairs.join(shop.queries.filter(segment=segment), on="query_id", how="semi")
    assert mean_ndcg(pairs, "utility") > 0.93
    assert mean_ndcg(pairs, "chance") < 0.5


# Each source holds a part that the others lack.


@pytest.mark.parametrize("colour", COLOURS)
def test_a_photo_shows_the_colour(colour: str) -> None:
    photo = pixels(render("cushion", colour, "plain", np.random.default_rng(1)))
    centre = photo[SIZE // 2 - 5 : SIZE // 2 + 5, SIZE // 2 - 5 : SIZE // 2 + 5].mean(axis=(0, 1))
    assert min(COLOURS, key=lambda name: float(np.abs(centre - COLOURS[name]).sum())) == colour


@pytest.mark.parametrize("kind", SILHOUETTES)
def test_a_photo_shows_the_pattern(kind: str) -> None:
    photos = {
        pattern: pixels(render(kind, "blue", pattern, np.random.default_rng(1))) for pattern in PATTERNS
    }
    changed = {
        (a, b): float((np.abs(photos[a] - photos[b]).max(axis=2) > 30).mean())
        for a in PATTERNS
        for b in PATTERNS
        if a < b
    }
    assert min(changed.values()) > 0.01, changed


def test_photos_alone_rank_for_photo_queries(shop: DemoShop) -> None:
    """Six by six mean colours, with no learning at all, already do far better than chance."""

    def coarse(frame: pl.DataFrame, key: str) -> pl.DataFrame:
        kept = frame.drop_nulls("image").select(key, "image")
        vectors = [Image.open(io.BytesIO(p)).reduce(16).tobytes() for p in kept["image"]]
        return kept.select(
            key, pl.Series("pixels", [np.frombuffer(v, np.uint8).astype(float) for v in vectors])
        )

    pairs = (
        shop.judgements.join(shop.queries.filter(segment="photo"), on="query_id", how="semi")
        .join(coarse(shop.queries, "query_id"), on="query_id")
        .join(coarse(shop.products, "product_id"), on="product_id", suffix="_product")
    )
    one, other = (np.stack(pairs[name].to_list()) for name in ("pixels", "pixels_product"))
    scored = pairs.with_columns(
        likeness=pl.Series(-np.abs(one - other).sum(axis=1)),
        chance=pl.Series(np.random.default_rng(0).random(len(one))),
    )
    assert mean_ndcg(scored, "likeness") > mean_ndcg(scored, "chance") + 0.15


@pytest.mark.parametrize(
    ("attribute", "low", "high"),
    [("colour", 0.2, 0.6), ("pattern", 0.1, 0.6), ("material", 0.7, 0.99), ("use", 0.6, 0.99)],
)
def test_texts_tell_material_and_use_and_mostly_leave_out_the_looks(
    shop: DemoShop, attribute: str, low: float, high: float
) -> None:
    texts = (shop.products["title"] + " " + shop.products["description"].fill_null("")).to_list()
    named = [names(text, WORDS[value]) for text, value in zip(texts, shop.stock[attribute], strict=True)]
    assert low < np.mean(named) < high


def test_only_columns_tell_the_appeal(shop: DemoShop) -> None:
    seen = shop.products.join(shop.stock.select("product_id", "appeal"), on="product_id")
    assert seen.select(pl.corr("rating", "appeal")).item() > 0.5
    by_season = dict(seen.group_by("season").agg(pl.col("appeal").mean()).iter_rows())
    assert by_season["summer"] < min(by_season["winter"], by_season["all year"])


def test_words_beside_a_photo_ask_for_what_it_does_not_show(shop: DemoShop) -> None:
    mixed = shop.queries.filter(segment="mixed").join(shop.wishes, on="query_id")
    named = [[colour for colour in COLOURS if names(text, WORDS[colour])] for text in mixed["text"]]
    assert [[colour] for colour, found in zip(mixed["colour"], named, strict=True) if found] == [
        found for found in named if found
    ]
    assert 0 < sum(map(bool, named)) < mixed.height
    kinds = [name for kind in KINDS.values() for name in kind.names]
    assert not any(names(text, kinds) for text in mixed["text"])


def test_collection_tells_shops_apart() -> None:
    config = DemoShopConfig(products=10, queries=2)
    one, again = collection(config), collection(config)
    other = collection(config.model_copy(update={"seed": 1}))
    assert one.fingerprints == again.fingerprints
    assert not set(one.fingerprints.values()) & set(other.fingerprints.values())
    assert one.events is None
    assert one.steps == []
