"""What the benchmark of the ways of retrieval counts and learns."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks.bm25_variants import Bm25As, as_they_are
from benchmarks.retrieval_ways import CUTS, SHIPPED, WEIGHED, Sought, of_kind, subsets, with_weights
from features.build import FeatureBuilder
from features.encoders.vectors import Hits
from features.groups.lexical import LexicalConfig, LexicalGroup
from features.words.query_words import QueryWords
from features.words.tokens import tokenise

TITLES = ["red dresses", "red dress", "the boots of men", "men's t-shirt", "blue bootes", "red", None]
PRODUCTS = pl.DataFrame(
    {"product_id": [f"p{row}" for row in range(len(TITLES))], "title": TITLES}
).with_columns(pl.lit(None, pl.String).alias(name) for name in ("description", "brand", "category"))


@pytest.fixture(scope="module")
def builder() -> FeatureBuilder:
    return FeatureBuilder(PRODUCTS)


def test_read_as_the_product_reads_it_bm25_finds_what_the_product_finds(builder: FeatureBuilder) -> None:
    lexical = builder.groups["lexical"]
    assert isinstance(lexical, LexicalGroup)
    wanted = QueryWords.read(["red dress", "boots for men", "nothing", None]).wanted["terms"]
    ours = Bm25As(builder.catalogue, ["title"], LexicalConfig(), tokenise).best(wanted, 5)
    theirs = lexical.best_by_terms(wanted, 5)
    assert all((a == b).all() for a, b in zip(ours, theirs, strict=True))


def test_words_as_they_are_differ_from_the_product_s_in_their_endings_alone() -> None:
    texts = pl.Series(["Men's O'Neill T-shirt 7.5", "red dresses", None])
    assert as_they_are(texts).to_list() == [["men", "oneill", "tshirt", "7.5"], ["red", "dresses"], None]
    assert tokenise(texts).to_list() == [["men", "oneill", "tshirt", "7.5"], ["red", "dress"], None]


def hits(*lists: list[int]) -> Hits:
    queries = np.repeat(np.arange(len(lists)), [len(one) for one in lists])
    items = np.array([item for one in lists for item in one], dtype=np.int64)
    return Hits(queries, items, np.zeros(len(items)))


def sought(*keys: tuple[int, int, bool]) -> Sought:
    """Of (query, product, of the best grade); all are relevant."""
    query, items, best = (np.array(part) for part in zip(*keys, strict=True))
    ids = pl.Series("query_id", [f"q{number}" for number in range(4)])
    worth = {"best grade": best, "relevant": np.ones(len(best), dtype=bool)}
    return Sought(ids, 1000, query, query * 1000 + items, worth)


def test_recall_is_the_share_of_what_is_sought_among_the_first() -> None:
    wanted = sought((0, 5, True), (0, 150, True), (0, 999, False), (1, 0, False))
    table = wanted.recalls([hits(list(range(300)), [0], [1], [])])
    assert table["best grade@100"].to_list() == [1 / 2, None, None, None]
    assert table["best grade@200"].to_list() == [1, None, None, None]
    assert table["relevant@400"].to_list() == [2 / 3, 1, None, None]


def test_weights_are_learnt_on_the_other_half() -> None:
    """One way finds everything and the other nothing: both halves choose the first."""
    wanted = sought(*((query, 500, True) for query in range(4)))
    good, bad = hits(*[[500]] * 4), hits(*[list(range(400))] * 4)
    table, chosen = with_weights(wanted, [bad, good])
    assert table["query_id"].sort().to_list() == wanted.query_ids.to_list()
    assert all(weights[1] > 0 for weights in chosen)
    assert (table.select(f"best grade@{cut}" for cut in CUTS) == 1).to_series().all()


def test_every_way_is_measured_alone_and_left_out() -> None:
    ways = {name: hits([number]) for number, name in enumerate(("BM25", "text.title", "image"))}
    found = {name: (against, len(united)) for name, against, united in subsets(ways)}
    assert found["image"] == (SHIPPED, 1)
    assert found["all but image"] == (SHIPPED, 2)
    assert found["BM25 and text.title"] == ("BM25", 2)


def test_each_system_is_told_beside_what_it_is_compared_with(builder: FeatureBuilder) -> None:
    queries = pl.DataFrame({"query_id": ["a", "b"], "text": ["red dress", "drress"]})
    judged = pl.DataFrame(
        {
            "query_id": ["a", "a", "b", "b"],
            "product_id": ["p0", "p1", "p0", "p5"],
            "grade": [2.0, 1.0, 1.0, 0.0],
        }
    )
    of_words = of_kind(builder, queries, judged, 1)
    rows = {row["system"]: row["measures"] for row in of_words["rows"]}
    assert of_words["mended"] == 1
    assert rows["BM25, typos as they are"]["best grade@100"]["mean_a"] == 0.5
    assert rows["BM25, typos as they are"]["best grade@100"]["mean_b"] == 1
    assert rows[WEIGHED]["relevant@400"]["queries"] == 2
