"""The data doctor on splits: it finds queries that look alike in two parts, and parts without judgements."""

from __future__ import annotations

import polars as pl
import pytest

from ltr.data.doctor import Finding, check_splits
from ltr.data.splits import Fold

QUERIES, ROWS = 120, 5


def healthy(queries: int = QUERIES) -> pl.DataFrame:
    """Every query judges the same five products."""
    count = queries * ROWS
    return pl.DataFrame(
        {
            "query_id": [f"q{n // ROWS:03d}" for n in range(count)],
            "product_id": [f"p{n % ROWS}" for n in range(count)],
        }
    )


def queries_of(pairs: pl.DataFrame) -> pl.DataFrame:
    """Every query with its own text and photo."""
    ids = pairs.select(pl.col("query_id").unique(maintain_order=True))
    return ids.with_columns(text="words of " + pl.col("query_id"), image=pl.col("query_id").cast(pl.Binary))


def folds_of() -> list[Fold]:
    """Three folds; every query is tested once; q000 while q001 trains, and the other way round."""
    ids = [f"q{n:03d}" for n in range(QUERIES)]
    folds = []
    for k in range(3):
        rest = [q for n, q in enumerate(ids) if n % 3 != k]
        folds.append(Fold([q for n, q in enumerate(rest) if n % 10], rest[::10], ids[k::3]))
    return folds


def check(
    pairs: pl.DataFrame, queries: pl.DataFrame | None = None, folds: list[Fold] | None = None
) -> dict[str, Finding]:
    found = list(check_splits(pairs, queries, folds_of() if folds is None else folds))
    return {finding.check: finding for finding in found}


def test_a_healthy_split_passes() -> None:
    found = check(healthy(), queries_of(healthy()))
    assert {finding.level for finding in found.values()} == {"PASS"}
    assert len(found) == 5


@pytest.mark.parametrize(("queries", "level"), [(99, "WARN"), (100, "PASS")])
def test_few_queries_hide_differences(queries: int, level: str) -> None:
    finding = check(healthy(queries), folds=[])["queries to test on"]
    assert finding.level == level
    assert "split.kind" not in finding.cure  # all are tested already
    assert (
        f"{queries}: a difference in nDCG@10 below about {2.8 * 0.2 / queries**0.5:.3f}".replace("0.", ".")
        in finding.evidence
    )


def looks(text: tuple[str | None, str | None], image: tuple[str | None, str | None]) -> pl.DataFrame:
    """The queries with other looks for q000 and q001."""
    changed = pl.DataFrame({"query_id": ["q000", "q001"], "text": text, "image": image}).with_columns(
        pl.col("image").cast(pl.Binary)
    )
    rest = queries_of(healthy()).filter(pl.col("query_id") > "q001")
    return pl.concat([changed.cast({"text": pl.String, "image": pl.Binary}), rest])


@pytest.mark.parametrize(
    ("text", "image", "texts", "photos", "pairs"),
    [
        (("red shoes", " RED  Shoes! "), (None, None), 2, 0, 2 * ROWS),
        (("red shoes", "red shoes"), ("one", "two"), 0, 0, 0),
        (("red shoes", "blue shoes"), ("one", "one"), 0, 2, 0),
        (("red shoes", "red shoes"), ("one", "one"), 2, 2, 2 * ROWS),
        ((None, None), ("one", "one"), 0, 2, 2 * ROWS),
        ((None, ""), (None, None), 0, 0, 0),
    ],
    ids=["same text", "same text, other photo", "same photo, other text", "both", "photo alone", "neither"],
)
def test_queries_that_look_alike_in_two_parts(
    text: tuple[str | None, str | None],
    image: tuple[str | None, str | None],
    texts: int,
    photos: int,
    pairs: int,
) -> None:
    found = check(healthy(), looks(text, image))
    for name, count, evidence in (
        ("query text in two parts", texts, f"{texts} test queries whose text"),
        ("query photo in two parts", photos, f"{photos} test queries whose photo"),
        (
            "product in two parts",
            pairs,
            f"100% of 600 test pairs have a product seen in training, {pairs} of them",
        ),
    ):
        finding = found[name]
        assert finding.level == ("WARN" if count else "PASS")
        assert finding.evidence.startswith(evidence)
        assert bool(finding.cure) == bool(count)


def test_products_of_their_own_in_each_query_are_not_seen_in_training() -> None:
    pairs = healthy().with_columns(product_id=pl.col("query_id") + pl.col("product_id"))
    finding = check(pairs, queries_of(pairs))["product in two parts"]
    assert finding.evidence.startswith("0% of 600 test pairs")


@pytest.mark.parametrize("queries", [None, queries_of(healthy()).select("query_id")])
def test_queries_without_looks_cannot_look_alike(queries: pl.DataFrame | None) -> None:
    found = check(healthy(), queries)
    assert found["query text in two parts"].level == "PASS"
    assert found["query photo in two parts"].level == "PASS"


def test_photos_may_be_paths() -> None:
    queries = queries_of(healthy()).with_columns(image=pl.lit("same.jpg"))
    finding = check(healthy(), queries)["query photo in two parts"]
    assert finding.evidence.startswith(f"{QUERIES} test queries")


@pytest.mark.parametrize(
    ("train", "validation", "test", "level"),
    [
        (["q000"], ["q001"], ["q002"], "PASS"),
        (["q000"], [], ["q002"], "PASS"),
        (["q000"], ["unjudged"], ["q002"], "WARN"),
        (["unjudged"], ["q001"], ["q002"], "FAIL"),
        (["q000"], ["q001"], ["unjudged"], "FAIL"),
        (["q000"], ["unjudged"], ["unjudged 2"], "FAIL"),
    ],
)
def test_every_part_needs_judged_queries(
    train: list[str], validation: list[str], test: list[str], level: str
) -> None:
    finding = check(healthy(), folds=[Fold(train, validation, test)])["parts of the split"]
    assert finding.level == level
    assert bool(finding.cure) == (level != "PASS")


def test_without_folds_nothing_is_said_of_parts() -> None:
    assert list(check(healthy(), folds=[])) == ["queries to test on"]
