"""What photos show, in a world whose photos are colours and whose texts name them, or do not."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.encoders.cache import Embeddings
from features.groups.word_by_word.shown_words import ShownWordsConfig, ShownWordsGroup
from tests.features.groups.asking import asked, catalogue_of

COLOURS = ("red", "green", "blue")
SILENT, LIAR, UNSEEN = "p900", "p901", "p902"


def catalogue() -> pl.DataFrame:
    """Products whose photos are named by the colour they show: 40 of each colour that say so, and three odd ones."""
    shown: list[str | None] = [colour for colour in COLOURS for _ in range(40)]
    titles = [f"{colour} shirt 7 for the {i}" for i, colour in enumerate(shown)]
    ids = [f"p{i:03}" for i in range(len(shown))]
    odd = {SILENT: ("plain shirt", "red"), LIAR: ("red shirt", "blue"), UNSEEN: ("red shirt", None)}
    products = pl.DataFrame(
        {"product_id": [*ids, *odd], "title": [*titles, *(title for title, _ in odd.values())]}
    )
    shown += [colour for _, colour in odd.values()]
    names = [None if colour is None else f"{colour} {i}" for i, colour in enumerate(shown)]
    return products.with_columns(image=pl.Series(names, dtype=pl.String))


NOISE = np.random.default_rng(0).normal(size=(123, len(COLOURS)))


class Eye:
    """Sees the colour that a photo's name begins with: one axis a colour, each photo a little its own."""

    modalities, dimensions = frozenset({"image"}), len(COLOURS)
    space = fingerprint = "eye"

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        return np.array([self._see(str(item)) for item in items], dtype=np.float32)

    @staticmethod
    def _see(name: str) -> np.ndarray:
        colour, _, number = name.partition(" ")
        vector = np.array([colour == axis for axis in COLOURS]) + 0.05 * NOISE[int(number)]
        return vector / np.linalg.norm(vector)


class Looks:
    """What EmbeddingCache does, without a disk."""

    def embed(self, encoder: Eye, items: pl.Series, modality: str, label: str = "") -> Embeddings:
        there = items.is_not_null().to_numpy()
        rows = np.where(there, np.cumsum(there) - 1, -1)
        vectors = encoder.encode(items.drop_nulls().to_list(), modality).reshape(-1, encoder.dimensions)
        return Embeddings(vectors, rows, 0, len(vectors), 0, encoder.space)

    def encode_one(self, encoder: Eye, item: str, modality: str) -> np.ndarray:
        vector: np.ndarray = encoder.encode([item], modality)[0]
        return vector


PRODUCTS = catalogue()
QUERIES = pl.DataFrame(
    {
        "query_id": ["words", "unknown", "limit", "photo"],
        "text": ["the red shirt", "zebra 7", "red under 30 blue", None],
        "image": [None, None, None, "blue 0"],
    }
)
PAIRS = QUERIES.select("query_id").join(PRODUCTS.select("product_id"), how="cross")
NAMES = [
    f"image.{n}{end}" for n in ("words", "words_least", "words_unsaid", "photo_words") for end in ("", "_z")
]


class Index:
    """The group over one catalogue, whose photos are seen by an Eye, if it has one."""

    def __init__(self, products: pl.DataFrame = PRODUCTS, *, eyes: bool = True, **settings: object) -> None:
        self.catalogue = catalogue_of(products, {"eye": Eye()} if eyes else {}, Looks())
        self.group = ShownWordsGroup.index(self.catalogue, ShownWordsConfig.model_validate(settings))
        self.columns = self.group.names

    def features(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        return asked(self.group, self.catalogue, queries, pairs)


index = Index


@pytest.fixture(scope="module")
def found() -> pl.DataFrame:
    return PAIRS.hstack(index().features(QUERIES, PAIRS))


def value(found: pl.DataFrame, query: str, product: str, name: str) -> float | None:
    row = found.row(
        by_predicate=(pl.col("query_id") == query) & (pl.col("product_id") == product), named=True
    )
    result: float | None = row[f"image.{name}"]
    return result


def test_a_photo_shows_what_the_title_leaves_out(found: pl.DataFrame) -> None:
    silent, liar = (value(found, "words", product, "words_least") for product in (SILENT, LIAR))
    assert silent is not None
    assert liar is not None
    assert silent > 0.5 > liar
    assert value(found, "words", SILENT, "words_unsaid") == pytest.approx(silent, rel=1e-5)


def test_its_own_title_does_not_put_a_word_in_a_photo(found: pl.DataFrame) -> None:
    """The liar says red and shows blue: it stands among the blue ones, of which none says red."""
    blue = [value(found, "words", f"p{i:03}", "words") for i in range(80, 120)]
    lies = value(found, "words", LIAR, "words")
    assert lies is not None
    assert lies <= max(v for v in blue if v is not None) + 1e-6


def test_the_mean_is_that_of_the_query_words_log_chances(found: pl.DataFrame) -> None:
    """Nearly all products say shirt: a red photo shows both words, of blue ones 1 in 41 is called red."""
    red, blue = (value(found, "words", product, "words") for product in ("p000", "p100"))
    assert red == pytest.approx(0, abs=0.15)
    assert blue == pytest.approx(np.log(1 / 41) / 2, abs=0.3)


def test_no_value_where_nothing_can_be_told(found: pl.DataFrame) -> None:
    assert all(value(found, "words", UNSEEN, name.removeprefix("image.")) is None for name in NAMES)
    worded = [name for name in NAMES if "photo" not in name]
    assert found.filter(query_id="unknown").select(NAMES).null_count().row(0) == (len(PRODUCTS),) * len(NAMES)
    assert found.filter(query_id="photo").select(worded).null_count().row(0) == (len(PRODUCTS),) * len(worded)
    assert value(found, "words", "p000", "words_unsaid") is None, "its title says it all"
    assert value(found, "words", "p000", "photo_words") is None, "the query has no photo"


def test_a_price_limit_is_no_word(found: pl.DataFrame) -> None:
    """Cut out of the query, as BM25 does; what is left asks for both colours."""
    least = [value(found, "limit", product, "words_least") for product in ("p000", "p050", "p100")]
    assert all(v is not None and v < 0 for v in least)


def test_photos_that_show_the_same_words_are_alike(found: pl.DataFrame) -> None:
    alike = found.filter(query_id="photo").filter(product_id=LIAR)["image.photo_words"].item()
    assert alike > 0.9
    assert found.filter(query_id="photo", product_id="p000")["image.photo_words"].item() < 0


def test_one_query_alone_gives_the_same_bits(found: pl.DataFrame) -> None:
    made = index()
    for query in QUERIES["query_id"]:
        pairs = PAIRS.filter(query_id=query)
        alone = pairs.hstack(made.features(QUERIES.filter(query_id=query), pairs))
        assert_frame_equal(alone, found.filter(query_id=query), check_exact=True)


@pytest.mark.parametrize("queries", [QUERIES, QUERIES.head(0), QUERIES.drop("text")])
def test_columns_do_not_hang_on_the_queries(queries: pl.DataFrame) -> None:
    made = index()
    pairs = PAIRS.join(queries, on="query_id", how="semi")
    frame = made.features(queries, pairs)
    assert frame.columns == made.columns == NAMES
    assert set(frame.dtypes) == {pl.Float32}
    assert frame.height == pairs.height


@pytest.mark.parametrize(
    ("products", "settings"),
    [
        (PRODUCTS.drop("title"), {}),
        (PRODUCTS.with_columns(title=pl.lit(None, pl.String)), {}),
        (PRODUCTS, {"min_products": 1000}),
        (PRODUCTS, {"fields": ["description"]}),
    ],
)
def test_without_words_there_are_no_features(products: pl.DataFrame, settings: dict[str, object]) -> None:
    assert index(products, **settings).columns == []


def test_without_media_there_are_no_features() -> None:
    assert index(eyes=False).features(QUERIES, PAIRS).width == 0
    assert index(PRODUCTS.drop("image")).features(QUERIES, PAIRS).width == 0
