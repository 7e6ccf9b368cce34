"""The lexical group in a small shop whose matches can be counted by eye, and on real sets."""

import os
from math import log, log1p
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.batch import QueryBatch
from features.errors import InputError
from features.groups.lexical import LexicalConfig, LexicalGroup
from features.words.typos import Typos
from tests.features.groups.asking import asked, catalogue_of

SHARED = Path(os.environ.get("LTR_SHARED_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
TEXT = pl.String

SHOP = pl.DataFrame(
    [
        ("a", "Acme red running shoes", "Light shoes, 2 pack", "Acme", "Shoes > Running", 20.0),
        ("b", "Blue shoe 10 ft. laces", None, "Bolt", "Shoes > Casual", 40.0),
        ("c", "Red dress", "Dress for running errands", None, "Clothes > Dresses", None),
        ("d", None, "Red shoe", "Acme", None, 10.0),
    ],
    schema={
        "product_id": TEXT,
        "title": TEXT,
        "description": TEXT,
        "brand": TEXT,
        "category": TEXT,
        "price": pl.Float64,
    },
    orient="row",
)


def query_frame(*texts: str | None) -> pl.DataFrame:
    ids = [f"q{place}" for place in range(len(texts))]
    return pl.DataFrame({"query_id": ids, "text": texts}, schema={"query_id": TEXT, "text": TEXT})


def every_pair(queries: pl.DataFrame, products: pl.DataFrame = SHOP) -> pl.DataFrame:
    return queries.select("query_id").join(products.select("product_id"), how="cross")


def features(*texts: str | None, products: pl.DataFrame = SHOP) -> pl.DataFrame:
    queries = query_frame(*texts)
    return Index(products).features(queries, every_pair(queries, products))


class Index:
    """The group over one catalogue, by whose words typos are read."""

    def __init__(self, products: pl.DataFrame = SHOP, settings: LexicalConfig | None = None) -> None:
        self.catalogue = catalogue_of(products)
        self.group = LexicalGroup.index(self.catalogue, settings or LexicalConfig())
        self.catalogue.typos = Typos(self.group.known_words)

    def features(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        return asked(self.group, self.catalogue, queries, pairs)

    def retrieve(self, queries: pl.DataFrame, n: int) -> pl.DataFrame:
        """query_id, product_id, score."""
        hits = self.group.best(QueryBatch(queries), n)
        ids = queries["query_id"][hits.queries], self.catalogue.product_ids[hits.items]
        return pl.DataFrame({"query_id": ids[0], "product_id": ids[1], "score": hits.cosines})


def column(text: str | None, name: str) -> list[float | None]:
    """One feature of products a, b, c, d for a single query."""
    return features(text)[f"lexical.{name}"].to_list()


@pytest.mark.parametrize(
    ("query", "name", "expected"),
    [
        ("red shoe", "covered_title", [2 / 2, 1 / 2, 1 / 2, None]),
        ("the red shoe", "covered_title", [2 / 2, 1 / 2, 1 / 2, None]),
        ("red shoe", "covered_description", [1 / 2, None, 0, 2 / 2]),
        ("red shoe", "covered_brand", [0, 0, None, 0]),
        ("red shoe", "covered_all", [1, 1 / 2, 1 / 2, 1]),
        ("running shoes", "phrase_title", [1, 0, 0, None]),
        ("red shoe", "phrase_title", [0, 0, 0, None]),
        ("red shoe", "phrase_all", [0, 0, 0, 1]),
        ("shoes light", "phrase_all", [0, 0, 0, 0]),  # across two fields
        ("dress for running", "phrase_all", [0, 0, 1, 0]),
        ("acme shoe", "brand_named", [1, 0, None, 1]),
        ("red shoe", "brand_named", [None] * 4),
        ("10 foot lace", "numbers_title", [0, 1, 0, None]),
        ("10 foot lace", "measures_title", [0, 1, 0, None]),
        ("10 inch lace", "numbers_title", [0, 1, 0, None]),
        ("10 inch lace", "measures_title", [0, 0, 0, None]),
        ("2 pack 10 ft", "measures_all", [1 / 2, 1 / 2, 0, 0]),
        ("red shoe", "numbers_all", [None] * 4),
        ("shoe under 20", "numbers_all", [None] * 4),
        ("shoe under 20", "price_limit_satisfied", [1, 0, None, 1]),
        ("shoe under 20", "price_limit_ratio", [20 / 20, 40 / 20, None, 10 / 20]),
        ("shoe over 20", "price_limit_satisfied", [1, 1, None, 0]),
        ("shoe over 20", "price_limit_ratio", [20 / 20, 40 / 20, None, 10 / 20]),
        ("shoe between 15 and 25", "price_limit_satisfied", [1, 0, None, 0]),
        ("shoe between 15 and 25", "price_limit_ratio", [20 / 25, 40 / 25, None, 10 / 25]),
        ("red shoe", "price_limit_satisfied", [None] * 4),
        ("red shoe", "price_limit_ratio", [None] * 4),
        ("shoe under 20", "query_terms", [1] * 4),
        ("the red shoe", "query_terms", [2] * 4),
        ("red shoe", "title_terms", [4, 5, 2, None]),
        ("purple", "bm25_title", [0, 0, 0, None]),
        ("purple", "bm25_title_rank", [1 / 2, 1 / 2, 1 / 2, None]),
        ("purple", "bm25_title_z", [0, 0, 0, None]),
        ("dress", "bm25_title_rank", [1 / 3, 1 / 3, 2.5 / 3, None]),  # (rank - 1/2) / 3, ranks 1.5, 1.5, 3
        ("dress", "bm25_title_z", [-1 / 2**0.5, -1 / 2**0.5, 2 / 2**0.5, None]),
    ],
)
def test_a_feature_says_what_can_be_counted(query: str, name: str, expected: list[float | None]) -> None:
    found = column(query, name)
    assert [value is None for value in found] == [value is None for value in expected]
    assert [value for value in found if value is not None] == pytest.approx(
        [value for value in expected if value is not None], abs=1e-6
    )


def test_bm25_of_a_field_counts_only_products_that_have_it() -> None:
    documents, lengths = 3, [4, 5, 2]
    idf = log1p((documents - 1 + 0.5) / (1 + 0.5))
    saturation = 0.9 * (1 - 0.4 + 0.4 * 2 / (sum(lengths) / documents))
    assert column("dress", "bm25_title") == [0, 0, pytest.approx(idf / (1 + saturation)), None]


def test_coverage_by_idf_weighs_rare_terms_more() -> None:
    rare, common = (log(1 + (4 - having + 0.5) / (having + 0.5)) for having in (1, 3))
    expected = [common / (common + rare), rare / (common + rare), common / (common + rare)]
    assert column("red blue", "covered_idf") == pytest.approx([*expected, expected[0]])


def test_the_words_of_a_price_limit_are_not_searched_for() -> None:
    plain = features("red shoe").select(pl.exclude("^.*price.*$"))
    assert_frame_equal(features("red shoe under 20").select(plain.columns), plain)


@pytest.mark.parametrize("text", [None, "", "🙂", " … "])
def test_a_query_without_words_has_only_nulls(text: str | None) -> None:
    found = features(text)
    assert found.null_count().row(0) == (SHOP.height,) * found.width


def test_a_query_of_a_price_limit_alone_has_only_its_features() -> None:
    found = features("under 20")
    filled = [name for name in found.columns if found[name].null_count() < SHOP.height]
    assert filled == ["lexical.price_limit_satisfied", "lexical.price_limit_ratio"]


def test_stop_words_alone_are_searched_for() -> None:
    assert column("for", "covered_description") == [0, None, 1, 0]


def test_a_text_of_ten_thousand_characters_is_a_query() -> None:
    assert column("red shoe " * 1200, "covered_title") == [1, 1 / 2, 1 / 2, None]


@pytest.mark.parametrize("field", ["title", "description", "brand", "category", "price"])
def test_a_field_that_no_product_has_makes_no_feature(field: str) -> None:
    without = SHOP.with_columns(pl.lit(None, dtype=SHOP.schema[field]).alias(field))
    gone = set(features("acme red shoe").columns) - set(features("acme red shoe", products=without).columns)
    assert gone
    assert all(field in name for name in gone)


def test_a_shop_without_text_has_only_the_query_s_length() -> None:
    bare = SHOP.with_columns(pl.lit(None, dtype=TEXT).alias(name) for name in LexicalConfig().fields)
    assert features("red shoe", products=bare.drop("price")).columns == ["lexical.query_terms"]
    assert Index(bare).retrieve(query_frame("red"), 3).is_empty()


words = st.sampled_from(["red", "blue", "shoes", "dress", "acme", "10 ft", "2 pack", "for", "under 30"])
texts = st.none() | st.lists(words, max_size=4).map(" ".join)


@given(st.lists(texts, min_size=1, max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_a_pair_s_features_hang_neither_on_other_queries_nor_on_the_order_of_rows(
    asked: list[str | None], random: Random
) -> None:
    queries = query_frame(*asked)
    pairs = every_pair(queries)
    rows = list(range(pairs.height))
    random.shuffle(rows)
    index = Index()
    together = index.features(queries, pairs)
    shuffled = Index(SHOP.reverse()).features(queries.reverse(), pairs[rows])
    assert_frame_equal(shuffled, together[rows])
    alone = [index.features(query, every_pair(query)) for query in queries.iter_slices(1)]
    assert_frame_equal(pl.concat(alone), together)


def test_columns_are_float32_and_named_alike_for_any_queries() -> None:
    found = features("acme shoe under 20 2 pack")
    assert set(found.dtypes) == {pl.Float32}
    assert found.columns == features(None).columns
    assert all(name.startswith("lexical.") for name in found.columns)


def test_no_pairs_make_no_rows_but_all_columns() -> None:
    queries = query_frame("red")
    none = Index().features(queries, every_pair(queries).clear())
    assert none.columns == features("red").columns
    assert none.is_empty()


def test_further_text_columns_are_searched_when_named() -> None:
    products = SHOP.with_columns(colour=pl.Series(["red", None, "red", "blue"]))
    index = Index(products, LexicalConfig(fields=("title", "colour")))
    queries = query_frame("blue shoe")
    found = index.features(queries, every_pair(queries))
    assert found["lexical.covered_colour"].to_list() == [0, None, 0, 1 / 2]
    assert found["lexical.covered_all"].to_list() == [1 / 2, 1, 0, 1 / 2]


@pytest.mark.parametrize(("field", "got"), [("colour", "no such column"), ("price", "Float64")])
def test_a_field_that_is_no_text_is_refused_by_name(field: str, got: str) -> None:
    with pytest.raises(InputError, match=rf"{field}.*{got}.*choose from .*title"):
        Index(SHOP, LexicalConfig(fields=(field,)))


def test_a_pair_of_an_unknown_product_is_refused() -> None:
    pairs = pl.DataFrame({"query_id": ["q0"], "product_id": ["z"]})
    with pytest.raises(InputError, match="'z'"):
        Index().features(query_frame("red"), pairs)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("runing shoes", "running shoes"),
        ("red drress under 50", "red dress under 50"),
        ("accme runnnig", "acme running"),
        ("boltt laces", "bolt laces"),
    ],
)
def test_a_typo_has_the_features_of_the_word(typed: str, meant: str) -> None:
    """Its phrases and its brand, too."""
    assert_frame_equal(features(typed), features(meant))


def test_a_typo_is_said_and_can_be_left_as_it_is() -> None:
    queries = query_frame("runing shoes, runing", "running", None)
    index = Index()
    assert index.catalogue.words_of(QueryBatch(queries)).read_as == [{"runing": "running"}, {}, {}]
    index.catalogue.typos = None
    assert index.catalogue.words_of(QueryBatch(queries)).read_as == [{}, {}, {}]
    assert index.retrieve(query_frame("runing"), 3).is_empty()


def test_a_brand_that_no_searched_text_says_is_no_typo() -> None:
    """Else "marlow" were read as "mallow", and the brand that was typed not named."""
    products = SHOP.with_columns(title=pl.lit("mallow root"), brand=pl.lit("Marlow"))
    index = Index(products, LexicalConfig(fields=("title",)))
    queries = query_frame("marlow", "marrlow", "malllow")
    assert index.catalogue.words_of(QueryBatch(queries)).read_as == [
        {},
        {"marrlow": "marlow"},
        {"malllow": "mallow"},
    ]
    named = index.features(queries, every_pair(queries, products))["lexical.brand_named"]
    assert named.to_list() == [1.0] * 8 + [None] * 4


def test_a_search_finds_the_best_of_the_whole_shop() -> None:
    index = Index()
    queries = query_frame("red shoe under 20", None, "purple", "bolt")
    found = index.retrieve(queries, 3)
    scores = index.features(queries, every_pair(queries))["lexical.bm25_all"].to_list()
    best = sorted(zip(scores[:4], "abcd", strict=True), reverse=True)[:3]
    assert found["query_id"].to_list() == ["q0"] * 3 + ["q3"]
    assert found["product_id"].to_list() == [product for _, product in best] + ["b"]
    assert found["score"].to_list() == pytest.approx([score for score, _ in best] + [scores[-3]], rel=1e-6)


def test_equal_finds_come_by_product_id() -> None:
    twins = pl.DataFrame({"product_id": ["b", "c", "a"], "title": ["red shoe"] * 3})
    index = Index(twins, LexicalConfig(fields=("title",)))
    assert index.retrieve(query_frame("red"), 2)["product_id"].to_list() == ["a", "b"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")
def test_bm25_ranks_icecat_as_well_as_the_reference_prototype() -> None:
    products = pl.read_parquet(SHARED / "icecat" / "products.parquet").select(
        "title", "brand", product_id="id", description="short_description"
    )
    judged = pl.read_parquet(SHARED / "icecat" / "judgments.parquet")
    pairs = judged.select(query_id="query", product_id="docid", grade=pl.col("rating").cast(pl.Float64))
    queries = pairs.select("query_id").unique().with_columns(text="query_id")
    index = Index(products, LexicalConfig(fields=("title", "description", "brand")))
    scores = index.features(queries, pairs)["lexical.bm25_all"]
    assert mean_ndcg(pairs.with_columns(scores), "lexical.bm25_all") > 0.747


def mean_ndcg(pairs: pl.DataFrame, score: str) -> float:
    """nDCG@10, exp gain, ties by product_id, queries with nothing relevant left out."""
    gain, place = 2 ** pl.col("grade") - 1, pl.int_range(pl.len())
    dcg = (gain / (place + 2).log(2)).head(10).sum()
    found = pairs.sort(score, "product_id", descending=[True, False]).group_by("query_id").agg(dcg=dcg)
    ideal = pairs.sort("grade", descending=True).group_by("query_id").agg(ideal=dcg)
    both = found.join(ideal, on="query_id").filter(pl.col("ideal") > 0)
    return (both["dcg"] / both["ideal"]).mean()
