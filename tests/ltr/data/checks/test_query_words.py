"""The doctor on words of queries that no product has: counted, with what they are read as, and when it warns."""

from __future__ import annotations

from itertools import product

import polars as pl
import pytest

from features import FeatureBuilder, FeaturesConfig
from features.batch import QueryBatch
from ltr.data.checks.query_words import MANY, examine_query_words
from ltr.data.doctor import Finding
from ltr.demo import DemoShopConfig, generate

PRODUCTS = pl.DataFrame(
    {
        "product_id": ["a", "b", "c"],
        "title": ["rain jacket", "rain jacket", "packet of screws 5 mm"],
        "description": ["waterproof", None, None],
        "brand": ["Marlow", None, None],
        "category": [None, None, "tools"],
    },
    schema_overrides={"category": pl.String},
)


def found(*texts: str | None, typos: bool = True, config: FeaturesConfig | None = None) -> list[Finding]:
    queries = pl.DataFrame({"query_id": [f"q{n}" for n in range(len(texts))], "text": texts})
    fields = (config or FeaturesConfig()).worded_fields
    return examine_query_words(PRODUCTS, queries.cast(pl.String), fields, typos=typos)


def test_each_kind_of_query_is_counted_with_examples_the_commonest_first() -> None:
    texts = (
        "jakcet",
        "jakcet",
        "wterproof jacket",
        "jacket zip",
        "zip of gold",
        "marlow under 20",
        "screws 9 mm",
        None,
    )
    (one,) = found(*texts)
    assert one.evidence == (
        "5 of 7 (71%); in 3 all such words are read as the nearest that one has ('jakcet' as 'jacket', 'wterproof' as "
        "'waterproof'); in 2 (29%) not ('zip', 'gold')"
    )
    assert one.level == "PASS"


def test_a_query_with_one_word_mended_and_one_not_is_not_mended() -> None:
    (one,) = found("jakcet zip")
    assert (
        "in 0 all such words are read as the nearest that one has ('jakcet' as 'jacket'); in 1 (100%) not ('zip')"
        in (one.evidence)
    )


@pytest.mark.parametrize(("strange", "level"), [(4, "PASS"), (5, "PASS"), (6, "WARN")])
def test_it_warns_where_more_than_half_have_a_word_that_nothing_is_like(strange: int, level: str) -> None:
    assert MANY == 0.5
    (one,) = found(*["veste imperméable"] * strange, *["rain jacket"] * (10 - strange))
    assert one.level == level
    assert ("one language" in one.cure) == (level == "WARN")


def test_typos_left_as_typed_count_as_such() -> None:
    (one,) = found("jakcet", typos=False)
    assert one.level == "WARN"
    assert "in 1 (100%) not ('jakcet')" in one.evidence
    assert one.cure.endswith("features.typos mends typos")


@pytest.mark.parametrize("texts", [(None,), ("",), ()])
def test_without_words_it_says_nothing(texts: tuple[str | None, ...]) -> None:
    assert found(*texts) == []


def test_without_a_group_that_reads_words_it_says_nothing() -> None:
    off = FeaturesConfig.model_validate(dict.fromkeys(("lexical", "asked_words", "shown_words"), False))
    assert found("jakcet", config=off) == []


@pytest.mark.parametrize(
    "settings",
    [{}, {"lexical": {"fields": ["title"]}, "asked_words": False, "shown_words": False}, {"lexical": False}],
    ids=["defaults", "titles alone", "no lexical group"],
)
def test_it_reads_as_the_features_do(settings: dict) -> None:
    """Of every word of a shop's titles with each letter left out, as many queries are mended, and as the same."""
    shop = generate(DemoShopConfig(products=80, queries=8))
    words = sorted({word for title in shop.products["title"] for word in title.lower().split()})
    typed = [word[:cut] + word[cut + 1 :] for word, cut in product(words, range(3)) if len(word) > cut]
    queries = pl.DataFrame({"query_id": [f"q{n}" for n in range(len(typed))], "text": typed})
    config = FeaturesConfig.model_validate(settings)
    builder = FeatureBuilder(shop.products, config, {})
    read = builder.catalogue.words_of(QueryBatch(queries)).read_as
    (one,) = examine_query_words(shop.products, queries, config.worded_fields, typos=True)
    assert f"in {sum(map(bool, read)):,} all such words are read" in one.evidence
    named = {f"{word!r} as {as_!r}" for of_query in read for word, as_ in of_query.items()}
    assert any(read)
    assert set(one.evidence.partition("has (")[2].partition(", …)")[0].split(", ")) <= named
