"""The data doctor on a split: enough queries in each part, and none that looks like one in another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from ltr.data.findings import Finding, Level, finding
from ltr.data.splits import Fold, looks

FEW_QUERIES = 100
PAIRED_SD = 0.2  # usual standard deviation over queries of the difference of two rankers' nDCG@10
POWER = 2.8  # z(0.975) + z(0.8): found in 8 of 10 experiments at the 5 % level
LOOKS = ["words", "photo"]


def check_splits(
    pairs: pl.DataFrame, queries: pl.DataFrame | None, folds: Sequence[Fold]
) -> Iterator[Finding]:
    """Findings on judged pairs (query_id, product_id, …) and the looks of their queries (text, image)."""
    judged = set(pairs["query_id"].unique())
    tested = {query for fold in folds for query in fold.test} & judged if folds else judged
    yield _check_power(len(tested))
    if folds:
        yield _check_parts(folds, judged)
        yield from _check_leakage(_with_looks(pairs, queries), folds)


def _check_power(count: int) -> Finding:
    least = (
        "below about " + f"{POWER * PAIRED_SD / count**0.5:.3f}".removeprefix("0") if count else "of any size"
    )
    return finding(
        "WARN" if count < FEW_QUERIES else "PASS",
        "queries to test on",
        f"{count:,}: a difference in nDCG@10 {least} passes for chance",
        "judge more queries, or test on all of them in turn (split.kind: folds)",
    )


def _check_parts(folds: Sequence[Fold], judged: set[str]) -> Finding:
    counts = {
        "train": min(len(judged.intersection(fold.train)) for fold in folds),
        "validation": min(len(judged.intersection(fold.validation)) for fold in folds),
        "test": min(len(judged.intersection(fold.test)) for fold in folds),
    }
    empty = [part for part, count in counts.items() if not count]
    if empty == ["validation"] and not any(fold.validation for fold in folds):
        empty = []  # none was asked for: the model trains for its full number of trees
    level: Level = "PASS" if not empty else "WARN" if empty == ["validation"] else "FAIL"
    listed = ", ".join(f"{part} {count:,}" for part, count in counts.items())
    return finding(
        level,
        "parts of the split",
        f"judged queries in the least of {len(folds)} folds: {listed}",
        f"give {' and '.join(empty)} judged queries (section split)",
    )


def _with_looks(pairs: pl.DataFrame, queries: pl.DataFrame | None) -> pl.DataFrame:
    """Keys of the pairs with the `looks` of their queries: what a model can know a query by."""
    keys = pairs.select("query_id", "product_id")
    known = looks(keys.select("query_id").unique() if queries is None else queries)
    return keys.join(known, on="query_id", how="left", maintain_order="left")


def _check_leakage(pairs: pl.DataFrame, folds: Sequence[Fold]) -> Iterator[Finding]:
    """Over all folds, what of the test part training or validation has seen under other query ids."""
    texts = photos = same = known = tested = 0
    for fold in folds:
        test = _of(pairs, fold.test)
        seen = _of(pairs, [*fold.train, *fold.validation])
        has_text, has_photo = pl.col("words").is_not_null(), pl.col("photo").is_not_null()
        texts += _seen(test.filter(has_text), seen, LOOKS)["query_id"].n_unique()
        photos += _seen(test.filter(has_photo), seen, ["photo"])["query_id"].n_unique()
        same += _seen(test.filter(has_text | has_photo), seen, [*LOOKS, "product_id"]).height
        known += _seen(test, seen, ["product_id"]).height
        tested += test.height
    share = f"{known / max(tested, 1):.0%} of {tested:,} test pairs have a product seen in training"
    yield _leak(
        "query text in two parts", f"{texts:,} test queries whose text (and photo) also trains", texts
    )
    yield _leak("query photo in two parts", f"{photos:,} test queries whose photo also trains", photos)
    yield _leak("product in two parts", f"{share}, {same:,} of them for the same text and photo", same)


def _of(pairs: pl.DataFrame, query_ids: Sequence[str]) -> pl.DataFrame:
    return pairs.filter(pl.col("query_id").is_in(query_ids))


def _seen(test: pl.DataFrame, seen: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    return test.join(seen.select(on).unique(), on=on, how="semi", nulls_equal=True)


def _leak(check: str, evidence: str, count: int) -> Finding:
    cure = "keep queries that look alike in one part, or give them one query_id"
    return finding("WARN" if count else "PASS", check, evidence, cure)
