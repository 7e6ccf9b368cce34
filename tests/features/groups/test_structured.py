"""Structured features of a small shop whose every value can be worked out by hand."""

from datetime import datetime
from math import log, log1p, sqrt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.batch import QueryBatch
from features.encoders.catalogue_vectors import CatalogueVectors
from features.encoders.comparisons import Comparison, Side
from features.encoders.vectors import Hits
from features.errors import InputError
from features.feature_schema import Feature, FeatureSchema
from features.groups.structured import OTHER, StructuredConfig, StructuredGroup
from tests.features.groups.asking import NoCache, asked, catalogue_of

SHOES, SHIRTS = "Wear > Feet > Shoes", "Wear > Body > Shirts"
PRODUCTS = pl.DataFrame(
    {
        "product_id": ["p1", "p2", "p3", "p4", "p5"],
        "title": ["a", "b", "c", "d", "e"],
        "description": [None] * 5,
        "brand": ["Acme", "Acme", "Bolt", None, None],
        "category": [SHOES, SHOES, SHOES, SHIRTS, None],
        "price": [10.0, 40.0, 20.0, 30.0, None],
        "list_price": [20.0, None, 10.0, 0.0, 50.0],
        "rating": [4.5, None, 3.0, None, None],
        "rating_count": [0.0, 9.0, None, None, None],
        "listed_at": [datetime(2024, 1, 1), datetime(2024, 1, 2, 12), None, None, None],
        "image": ["a.jpg"] * 5,
        "gender": ["men", "women", "men", "kids", None],
        "weight": [1.0, None, 2.5, 3.0, 4.0],
    },
    schema_overrides={"description": pl.String},
)
QUERIES = pl.DataFrame({"query_id": ["q1", "q2"], "text": ["x", None], "image": [None, None]})
PAIRS = QUERIES.select("query_id").join(PRODUCTS.select("product_id"), how="cross")
EXTRA = StructuredConfig(numeric=("weight",), categorical=("gender", "category_top"))


NEAR = {"q1": ("p1", "p2", "p4", "p5")}  # two shoes, a shirt and a thing without category; q2 is near nothing


class Neighbours(CatalogueVectors):
    """A search by title whose answers are given; `asked` are the queries that it was asked for."""

    def __init__(self, product_ids: pl.Series) -> None:
        encoder = CountsLetters()
        text, title = (Side(encoder, "letters", column) for column in ("text", "title"))
        super().__init__([Comparison("text.title", text, title)], {}, NoCache())
        self.places = {product: row for row, product in enumerate(product_ids)}
        self.asked: list[str] = []

    def nearest(self, queries: QueryBatch, by: Comparison, n: int, within: np.ndarray | None = None) -> Hits:
        self.asked += queries.frame["query_id"].to_list()
        found = [
            (place, self.places[product])
            for place, query in enumerate(queries.frame["query_id"])
            for product in NEAR.get(query, ())[:n]
        ]
        near = np.array(found, dtype=np.int64).reshape(-1, 2)
        return Hits(near[:, 0], near[:, 1], np.ones(len(near), dtype=np.float32))


class CountsLetters:
    modalities = frozenset({"text"})


class Index:
    """The group over one catalogue; near: with a search by title."""

    def __init__(self, products: pl.DataFrame, settings: StructuredConfig, *, near: bool = False) -> None:
        self.catalogue = catalogue_of(products)
        if near:
            self.catalogue.vectors = Neighbours(self.catalogue.product_ids)
        self.group = StructuredGroup.index(self.catalogue, settings)

    def features(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        return asked(self.group, self.catalogue, queries, pairs)

    def for_schema(self, schema: FeatureSchema) -> "Index":
        self.group = self.group.for_schema(schema)
        return self


def features(
    products: pl.DataFrame = PRODUCTS, config: StructuredConfig = EXTRA, *, near: bool = False
) -> pl.DataFrame:
    return Index(products, config, near=near).features(QUERIES, PAIRS)


LOGS = [log1p(10), log1p(40), log1p(20)]
SPREAD = sqrt(sum((x - sum(LOGS) / 3) ** 2 for x in LOGS) / 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("structured.price", [10, 40, 20, 30, None]),
        ("structured.log_price", [log1p(10), log1p(40), log1p(20), log1p(30), None]),
        ("structured.discount", [1 - 10 / 20, None, 0, None, None]),
        ("structured.price_rank_in_category", [0.5 / 3, 2.5 / 3, 1.5 / 3, 0.5, None]),
        ("structured.log_price_z_in_category", [*((x - sum(LOGS) / 3) / SPREAD for x in LOGS), 0, None]),
        ("structured.price_rank", [0.5 / 4, 3.5 / 4, 1.5 / 4, 2.5 / 4, None]),
        ("structured.brand_frequency", [log(2), log(2), log(1), None, None]),
        ("structured.category_frequency", [log(3), log(3), log(3), log(1), None]),
        ("structured.rating", [4.5, None, 3, None, None]),
        ("structured.rating_count", [0, log1p(9), None, None, None]),
        ("structured.age_days", [1.5, 0, None, None, None]),
        ("structured.missing_price", [0, 0, 0, 0, 1]),
        ("structured.missing_brand", [0, 0, 0, 1, 1]),
        ("structured.missing_rating", [0, 1, 0, 1, 1]),
        ("extra.weight", [1, None, 2.5, 3, 4]),
    ],
)
def test_values_are_those_worked_out_by_hand(name: str, expected: list[float | None]) -> None:
    assert features()[name].to_list() == pytest.approx(expected * 2, abs=1e-6)


def test_numbers_are_float32_without_nan() -> None:
    numeric = features(near=True).drop("extra.gender", "extra.category_top")
    assert set(numeric.dtypes) == {pl.Float32}
    assert numeric.select(pl.all().is_finite().all()).row(0) == (True,) * numeric.width


def test_flags_stand_only_for_fields_that_some_products_have_and_some_lack() -> None:
    found = [name for name in features().columns if "missing" in name]
    assert found == ["structured.missing_price", "structured.missing_brand", "structured.missing_rating"]


@pytest.mark.parametrize(
    ("dropped", "gone"),
    [
        ("rating", {"structured.rating", "structured.missing_rating"}),
        ("list_price", {"structured.discount"}),
        ("listed_at", {"structured.age_days"}),
        ("category", {"structured.category_frequency", "structured.price_rank_in_category",
                      "structured.log_price_z_in_category", "extra.category_top"}),
    ],
)  # fmt: skip
def test_columns_the_catalogue_lacks_are_absent(dropped: str, gone: set[str]) -> None:
    emptied = PRODUCTS.with_columns(pl.lit(None, PRODUCTS.schema[dropped]).alias(dropped))
    assert set(features().columns) - set(features(emptied).columns) == gone


def test_a_catalogue_of_titles_alone_has_no_structured_features() -> None:
    assert features(PRODUCTS.select("product_id", "title"), StructuredConfig()).width == 0


def test_the_nearest_products_vote_on_the_category() -> None:
    found = PAIRS.hstack(features(near=True))
    leaf, top = "text.category_agreement", "text.category_top_agreement"
    of_q1 = found.filter(query_id="q1")
    assert of_q1[leaf].to_list() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1 / 3, None])
    assert of_q1[top].to_list() == pytest.approx([1, 1, 1, 1, None])
    assert found.filter(query_id="q2").select(leaf, top).null_count().row(0) == (5, 5)


def test_no_neighbours_asked_for_means_no_agreement() -> None:
    assert not any("agreement" in name for name in features().columns)


def test_only_queries_of_the_pairs_look_for_neighbours() -> None:
    made = Index(PRODUCTS, EXTRA, near=True)
    made.features(QUERIES, PAIRS.filter(query_id="q2"))
    assert made.catalogue.vectors.asked == ["q2"]


def test_as_many_neighbours_vote_as_the_config_says() -> None:
    found = features(config=StructuredConfig(category_neighbours=2), near=True)
    shoes, shirts = found["text.category_agreement"][0], found["text.category_agreement"][3]
    assert (shoes, shirts) == (1.0, 0.0)


def test_one_query_alone_and_rows_in_any_order_give_the_same_bits() -> None:
    whole = PAIRS.hstack(features(near=True))
    made = Index(PRODUCTS.reverse(), EXTRA, near=True)
    for query in QUERIES["query_id"]:
        pairs = PAIRS.filter(query_id=query).reverse()
        alone = pairs.hstack(made.features(QUERIES.filter(query_id=query), pairs))
        assert_frame_equal(alone, whole.filter(query_id=query).reverse(), check_exact=True)


def schema_of(group: StructuredGroup) -> FeatureSchema:
    return FeatureSchema(group.features)


def test_codes_are_the_same_at_training_and_at_scoring() -> None:
    trained = Index(PRODUCTS, EXTRA)
    codes = {"extra.gender": ("kids", "men", "women"), "extra.category_top": ("Wear",)}
    assert trained.group.vocabularies == codes
    later = PRODUCTS.with_columns(gender=pl.Series(["women", "unisex", None, "men", "men"]))
    scored = Index(later, EXTRA).for_schema(schema_of(trained.group)).features(QUERIES, PAIRS)
    assert scored.schema["extra.gender"] == trained.features(QUERIES, PAIRS).schema["extra.gender"]
    assert scored["extra.gender"].to_physical()[:5].to_list() == [2, None, None, 1, 1]


def test_rare_values_share_a_code_and_so_do_unseen_ones() -> None:
    config = StructuredConfig(categorical=("gender",), max_categories=2)
    trained = Index(PRODUCTS, config)
    assert trained.group.vocabularies == {"extra.gender": ("kids", "men", OTHER)}  # kids before women: a tie
    found = trained.features(QUERIES, PAIRS)["extra.gender"]
    assert found[:5].to_list() == ["men", OTHER, "men", "kids", None]
    later = PRODUCTS.with_columns(gender=pl.lit("unisex"))
    scored = Index(later, config).for_schema(schema_of(trained.group)).features(QUERIES, PAIRS)
    assert scored["extra.gender"].unique().to_list() == [OTHER]


def test_the_columns_of_a_run_are_made_from_another_catalogue() -> None:
    trained = Index(PRODUCTS, EXTRA)
    whole = PRODUCTS.drop_nulls("price").with_columns(
        brand=pl.lit("Acme"), rating=pl.lit(None, pl.Float64), description=pl.concat_str("title", pl.lit("!"))
    )
    pairs = PAIRS.join(whole, on="product_id", how="semi")
    made = Index(whole, EXTRA)
    assert not any("missing" in name for name in made.group.names)
    found = made.for_schema(schema_of(trained.group)).features(QUERIES, pairs)
    assert set(trained.group.names) - set(found.columns) == {"structured.rating"}
    assert found["structured.missing_price"].unique().to_list() == [0]
    assert found["structured.missing_rating"].unique().to_list() == [1]
    assert found["extra.gender"].dtype == trained.features(QUERIES, PAIRS)["extra.gender"].dtype


def test_a_category_that_the_run_does_not_know_is_no_feature_of_it() -> None:
    schema = FeatureSchema((Feature("extra.gender", "categorical", ("men", "women")),))
    assert Index(PRODUCTS, EXTRA).for_schema(schema).group.vocabularies == {"extra.gender": ("men", "women")}


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (StructuredConfig(numeric=("heft",)), "'heft'"),
        (StructuredConfig(categorical=("sex",)), "'sex'"),
        (StructuredConfig(numeric=("gender",)), "'gender' of type String"),
    ],
)
def test_a_column_the_config_names_wrongly_is_told(config: StructuredConfig, named: str) -> None:
    with pytest.raises(InputError, match=named):
        Index(PRODUCTS, config)


def test_an_unknown_product_is_named() -> None:
    with pytest.raises(InputError, match="nowhere"):
        Index(PRODUCTS, EXTRA).features(QUERIES, PAIRS.with_columns(product_id=pl.lit("nowhere")))


PRICED = st.lists(
    st.tuples(st.sampled_from(["A", "B > C", None]), st.one_of(st.none(), st.integers(0, 9))),
    min_size=1,
    max_size=25,
).filter(lambda rows: any(c for c, _ in rows) and any(p is not None for _, p in rows))


@settings(max_examples=40)
@given(PRICED)
def test_price_standing_in_a_category_agrees_with_a_loop(rows: list[tuple[str | None, int | None]]) -> None:
    products = pl.DataFrame(
        {
            "product_id": [str(i) for i in range(len(rows))],
            "category": pl.Series([c for c, _ in rows], dtype=pl.String),
            "price": pl.Series([p for _, p in rows], dtype=pl.Float64),
        }
    )
    pairs = products.select(query_id=pl.lit("q1"), product_id="product_id")
    found = Index(products, StructuredConfig()).features(QUERIES, pairs)
    expected = []
    for category, price in rows:
        peers = [p for c, p in rows if c == category and p is not None]
        standing = None
        if category is not None and price is not None:
            standing = (sum(p < price for p in peers) + peers.count(price) / 2) / len(peers)
        expected.append(standing)
    assert found["structured.price_rank_in_category"].to_list() == pytest.approx(expected)
