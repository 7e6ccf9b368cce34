"""Cosine features in a world of words: an encoder that counts them, so every cosine is known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.batch import QueryBatch
from features.build import FeatureBuilder, FeaturesConfig
from features.encoders import vectors as cosines
from features.encoders.vectors import RowVectors
from features.errors import InputError
from features.groups.similarity import SimilarityConfig, SimilarityGroup
from tests.features.groups.asking import asked, catalogue_of

WORDS = ("red", "blue", "shoe", "shirt", "acme")
BROKEN = "broken"


@dataclass
class CountsWords:
    """One axis a word; a photo is the path of a file named by what it shows. Eq makes it unhashable."""

    space: str = "words"
    modalities: frozenset[str] = frozenset({"text"})
    words: tuple[str, ...] = WORDS

    @property
    def dimensions(self) -> int:
        return len(self.words)

    @property
    def fingerprint(self) -> str:
        return f"{self.space}:{sorted(self.modalities)}"

    def encode(self, items: list[str]) -> np.ndarray:
        counts = np.array(
            [[item.split().count(word) for word in self.words] for item in items], dtype=np.float32
        )
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@dataclass
class Embedded:
    vectors: np.ndarray
    rows: np.ndarray
    reused: int
    encoded: int
    unreadable: int


@dataclass
class MemoryCache:
    """What EmbeddingCache does, in a dict; it writes down what each call asked for."""

    known: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)

    def encode_one(self, encoder: CountsWords, item: str, modality: str) -> np.ndarray:
        if item == BROKEN:
            return np.full(encoder.dimensions, np.nan, dtype=np.float32)
        vector: np.ndarray = encoder.encode([item])[0]
        return vector

    def embed(self, encoder: CountsWords, items: pl.Series, modality: str, label: str) -> Embedded:
        assert modality in encoder.modalities
        assert modality == "image" or items.dtype == pl.String
        distinct = [item for item in items.unique(maintain_order=True) if item not in (None, BROKEN)]
        new = [item for item in distinct if (encoder.fingerprint, item) not in self.known]
        for item, vector in zip(new, encoder.encode(new) if new else [], strict=True):
            self.known[encoder.fingerprint, item] = vector
        vectors = np.array([self.known[encoder.fingerprint, item] for item in distinct], dtype=np.float32)
        rows = np.array([distinct.index(item) if item in distinct else -1 for item in items], dtype=np.int64)
        self.asked.append((label, len(items)))
        unreadable = items.to_list().count(BROKEN)
        shaped = vectors.reshape(-1, encoder.dimensions)
        return Embedded(shaped, rows, len(distinct) - len(new), len(new), unreadable)


TEXT = CountsWords("text words")
PHOTO = CountsWords("photo words", frozenset({"image"}))
JOINT = CountsWords("joint words", frozenset({"text", "image"}))

PRODUCTS = pl.DataFrame(
    {
        "product_id": ["p1", "p2", "p3", "p4"],
        "title": ["red shoe", "blue shoe", "shirt", None],
        "description": [None, "red shirt", None, None],
        "category": ["shoe", "shoe", "shirt", "shirt"],
        "brand": [None, None, None, None],
        "image": ["red shoe", "blue shoe", BROKEN, None],
    },
    schema_overrides={"brand": pl.String},
)
QUERIES = pl.DataFrame(
    {
        "query_id": ["words", "photo", "both"],
        "text": ["red shoe", None, "shirt"],
        "image": [None, "red shoe", "blue shoe"],
    }
)
PAIRS = QUERIES.select("query_id").join(PRODUCTS.select("product_id"), how="cross")


class Index:
    """The group over one catalogue."""

    def __init__(
        self, products: pl.DataFrame, settings: SimilarityConfig, encoders: dict[str, CountsWords]
    ) -> None:
        self.cache = MemoryCache()
        self.catalogue = catalogue_of(products, encoders, self.cache, settings.text_fields)
        self.group = SimilarityGroup.index(self.catalogue, settings)
        self.columns, self.stats = self.group.names, self.catalogue.vectors.stats

    def features(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        return asked(self.group, self.catalogue, queries, pairs)

    def nearest(self, queries: pl.DataFrame, n: int) -> pl.DataFrame:
        """query_id, product_id, cosine: by title, then by photo."""
        vectors = self.catalogue.vectors
        hits = [vectors.nearest(QueryBatch(queries), by, n) for by in vectors.searched.values()]
        return pl.concat(
            pl.DataFrame(
                {
                    "query_id": queries["query_id"][found.queries],
                    "product_id": self.catalogue.product_ids[found.items],
                    "cosine": found.cosines,
                }
            )
            for found in hits
        )


def index(products: pl.DataFrame = PRODUCTS, **encoders: CountsWords) -> Index:
    return Index(products, SimilarityConfig(), encoders or {"text": TEXT, "image": PHOTO})


def of_query(found: pl.DataFrame, query: str, name: str) -> list[float | None]:
    return PAIRS.hstack(found).filter(query_id=query)[name].to_list()


def test_cosines_are_those_of_the_words() -> None:
    found = index(both=JOINT).features(QUERIES, PAIRS)
    one_in_two = 1 / sqrt(2)
    expected = {
        ("words", "text.title"): [1, 1 / 2, 0, None],
        ("words", "text.description"): [None, 1 / 2, None, None],
        ("words", "text.category"): [one_in_two, one_in_two, 0, 0],
        ("photo", "text.title"): [None] * 4,
        ("words", "image.photo_photo"): [None] * 4,
        ("photo", "image.photo_photo"): [1, 1 / 2, None, None],
        ("words", "image.text_photo"): [1, 1 / 2, None, None],
        ("both", "image.text_photo"): [0, 0, None, None],
        ("both", "image.photo_title"): [1 / 2, 1, 0, None],
    }
    for (query, name), values in expected.items():
        assert of_query(found, query, name) == pytest.approx(values, abs=1e-6), (query, name)


def test_rank_and_z_stand_within_the_query() -> None:
    found = index().features(QUERIES, PAIRS)
    assert of_query(found, "words", "text.title_rank") == pytest.approx([2.5 / 3, 1.5 / 3, 0.5 / 3, None])
    z = sqrt(3 / 2)  # of three equally spaced values
    assert of_query(found, "words", "text.title_z") == pytest.approx([z, 0, -z, None], abs=1e-6)


@pytest.mark.parametrize(
    ("encoders", "absent"),
    [
        ({"text": TEXT}, {"image.photo_photo", "image.text_photo", "image.photo_title"}),
        ({"text": TEXT, "image": PHOTO}, {"image.text_photo", "image.photo_title"}),
        ({"image": PHOTO}, {"text.title", "text.description", "text.category", "image.text_photo"}),
        ({"text": TEXT, "joint": JOINT}, set()),
    ],
)
def test_only_what_the_encoders_can_compare_has_a_column(
    encoders: dict[str, CountsWords], absent: set[str]
) -> None:
    whole = set(index(both=JOINT).columns)
    found = index(**encoders).columns
    assert whole - set(found) >= {name + end for name in absent for end in ("", "_rank", "_z")}
    assert set(found) <= whole
    assert absent or set(found) == whole
    assert not any(name.startswith("text.brand") for name in whole), "no product has a brand"


@pytest.mark.parametrize(
    "queries", [QUERIES, QUERIES.head(1), QUERIES.head(0), QUERIES.with_columns(text=None)]
)
def test_columns_do_not_hang_on_the_queries(queries: pl.DataFrame) -> None:
    made = index()
    pairs = PAIRS.join(queries, on="query_id", how="semi")
    found = made.features(queries, pairs)
    assert found.columns == made.columns
    assert set(found.dtypes) == {pl.Float32}
    assert found.height == pairs.height


def test_one_query_alone_and_rows_in_any_order_give_the_same_bits() -> None:
    whole = PAIRS.hstack(index().features(QUERIES, PAIRS))
    for query in QUERIES["query_id"]:
        pairs = PAIRS.filter(query_id=query)
        alone = pairs.hstack(index().features(QUERIES.filter(query_id=query), pairs))
        assert_frame_equal(alone, whole.filter(query_id=query), check_exact=True)
    mixed = PAIRS.sample(fraction=1, shuffle=True, seed=3)
    turned = index(PRODUCTS.reverse()).features(QUERIES.reverse(), mixed)
    assert_frame_equal(mixed.hstack(turned), whole, check_exact=True, check_row_order=False)


def test_products_are_encoded_once_and_queries_when_a_pair_asks() -> None:
    made = index()
    whole = made.stats.encoded
    assert {size for _, size in made.cache.asked} == {PRODUCTS.height}
    made.features(QUERIES, PAIRS.filter(pl.col("query_id") != "photo"))
    assert {size for label, size in made.cache.asked if label.startswith("query")} == {2}
    assert made.stats.encoded == whole, "their words and photos are those of products"
    assert [label for label, _ in made.cache.asked].count("product title") == 1


@pytest.mark.parametrize("image", [BROKEN, None])
def test_a_single_query_that_cannot_be_read_is_counted(image: str | None) -> None:
    made = index()
    pairs = PAIRS.filter(query_id="photo")
    found = made.features(QUERIES.with_columns(image=pl.lit(image)), pairs)
    assert found["image.photo_photo"].null_count() == pairs.height
    assert made.stats.unreadable.get("query image", 0) == (image is not None)


def test_broken_photos_are_counted() -> None:
    made = index()
    made.features(QUERIES, PAIRS)
    assert made.stats.unreadable == {"product image": 1}


@pytest.mark.parametrize("column", ["query_id", "product_id"])
def test_a_pair_of_an_unknown_key_is_named(column: str) -> None:
    with pytest.raises(InputError, match="nowhere"):
        index().features(QUERIES, PAIRS.with_columns(pl.lit("nowhere").alias(column)))


def test_fields_left_out_of_the_config_have_no_column() -> None:
    encoders = {"text": TEXT, "image": PHOTO}
    made = Index(PRODUCTS, SimilarityConfig(text_fields=("category",)), encoders)
    assert {name.split("_")[0] for name in made.columns} == {"text.category", "image.photo"}


def test_nearest_finds_by_title_and_by_photo() -> None:
    found = index().nearest(QUERIES, 1)
    assert found["cosine"].to_list() == pytest.approx([1] * 4)
    assert set(found.select("query_id", "product_id").rows()) == {
        ("words", "p1"),
        ("photo", "p1"),
        ("both", "p2"),
        ("both", "p3"),
    }


def test_nearest_breaks_ties_by_product_id_and_leaves_out_what_has_nothing_in_common() -> None:
    twins = pl.DataFrame({"product_id": ["z", "a", "m", "far"], "title": ["shoe", "shoe", "shoe", "acme"]})
    query = pl.DataFrame({"query_id": ["q"], "text": ["shoe"], "image": [None]})
    made = index(twins, text=TEXT)
    assert made.nearest(query.with_columns(text=pl.lit("blue")), 1).height == 0
    assert made.nearest(query, 2)["product_id"].to_list() == ["a", "m"]
    assert made.nearest(query, 9)["product_id"].to_list() == ["a", "m", "z"]


def test_neighbours_once_found_answer_for_fewer() -> None:
    made, queries = index(), QueryBatch(QUERIES)
    by = made.catalogue.vectors.searched["text"]
    many, few = (made.catalogue.vectors.nearest(queries, by, n) for n in (3, 1))
    fresh = made.catalogue.vectors.nearest(QueryBatch(QUERIES), by, 1)
    assert [part.tolist() for part in few] == [part.tolist() for part in fresh]
    assert len(many.items) > len(few.items)


def embeddings(**encoders: CountsWords) -> dict[str, RowVectors]:
    config = FeaturesConfig(lexical=None, shown_words=None, structured=None)
    return FeatureBuilder(
        PRODUCTS, config, encoders or {"text": TEXT, "image": PHOTO}, MemoryCache()
    ).embeddings(QUERIES, PAIRS)


def test_embeddings_are_row_aligned_with_the_pairs() -> None:
    found = embeddings()
    assert set(found) == {"query_text", "query_image", "title", "description", "category", "image"}
    texts = PAIRS.join(QUERIES, on="query_id", maintain_order="left")["text"].to_list()
    for text, row in zip(texts, found["query_text"].rows, strict=True):
        if text is None:
            assert row == -1
        else:
            assert found["query_text"].vectors[row] == pytest.approx(TEXT.encode([text])[0])


def test_embeddings_of_a_column_come_from_the_first_encoder_that_reads_it() -> None:
    backwards = CountsWords("other", frozenset({"image"}), tuple(reversed(WORDS)))
    found = embeddings(text=TEXT, image=backwards, joint=JOINT)
    for name in ("image", "query_image"):
        assert found[name].vectors[0] == pytest.approx(backwards.encode(["red shoe"])[0])


@st.composite
def row_vectors(draw: Callable, rows: int) -> RowVectors:
    distinct, dimensions = draw(st.integers(1, 6)), 7
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    vectors = rng.integers(-2, 3, size=(distinct, dimensions)).astype(np.float32) + np.float32(0.25)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return RowVectors(vectors, rng.integers(-1, distinct, size=rows))


@settings(max_examples=40)
@given(row_vectors(25), row_vectors(25), st.integers(1, 9))
def test_cosines_of_pairs_agree_with_a_loop_in_blocks_of_any_size(
    left: RowVectors, right: RowVectors, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cosines, "_PAIRS_AT_ONCE", block)
        found = cosines.of_pairs(left, right).tolist()
    expected = [
        np.nan if -1 in (i, j) else float(left.vectors[i].astype(float) @ right.vectors[j].astype(float))
        for i, j in zip(left.rows, right.rows, strict=True)
    ]
    assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)


@settings(max_examples=40)
@given(row_vectors(9), row_vectors(20), st.integers(1, 25), st.integers(1, 4))
def test_nearest_agrees_with_sorting_everything(
    queries: RowVectors, items: RowVectors, n: int, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cosines, "_QUERIES_AT_ONCE", block)
        found = cosines.nearest(queries, items, n)
    expected = []
    for query in range(9):
        row = RowVectors(queries.vectors, np.full(20, queries.rows[query]))
        every = cosines.of_pairs(row, items).tolist()
        far_to_near = sorted((-c, item) for item, c in enumerate(every) if c > 1e-5)
        expected += [(query, item, -c) for c, item in far_to_near[:n]]
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected
