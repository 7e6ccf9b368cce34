"""The data doctor: a healthy table passes every check, and each fault put into it is found by its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from ltr.doctor import Finding, examine, to_frame, to_text, worst
from ltr.splits import Fold

QUERIES, ROWS = 120, 5
RANKERS = ("lightgbm", "xgboost", "catboost")
Change = Callable[[pl.DataFrame], pl.DataFrame]


def healthy() -> pl.DataFrame:
    """120 queries of 5 products each: grades 0, 1, 2, 0, 1 and features that do not follow them."""
    rng = np.random.default_rng(0)
    count = QUERIES * ROWS
    return pl.DataFrame(
        {
            "query_id": [f"q{n // ROWS:03d}" for n in range(count)],
            "product_id": [f"p{n % ROWS}" for n in range(count)],
            "grade": [(0.0, 1.0, 2.0)[n % ROWS % 3] for n in range(count)],
            "lexical.bm25_title": pl.Series(rng.random(count), dtype=pl.Float32),
            "structured.price": pl.Series(rng.random(count), dtype=pl.Float32),
            "extra.season": pl.Series(
                [("summer", "winter")[n % 2] for n in range(count)], dtype=pl.Enum(["summer", "winter"])
            ),
        }
    )


def queries_of(pairs: pl.DataFrame) -> pl.DataFrame:
    ids = pairs.select(pl.col("query_id").unique(maintain_order=True))
    return ids.with_columns(text="words of " + pl.col("query_id"), image=pl.col("query_id").cast(pl.Binary))


def folds_of(count: int = QUERIES) -> list[Fold]:
    """Three folds; every query is tested once, every tenth of the others validates."""
    ids = [f"q{n:03d}" for n in range(count)]
    folds = []
    for k in range(3):
        rest = [q for n, q in enumerate(ids) if n % 3 != k]
        folds.append(Fold([q for n, q in enumerate(rest) if n % 10], rest[::10], ids[k::3]))
    return folds


def found(check: str, findings: list[Finding]) -> Finding:
    (one,) = [finding for finding in findings if finding.check == check]
    return one


def at(row: int, column: str, value: object) -> Change:
    return lambda pairs: pairs.with_columns(
        pl.when(pl.int_range(pl.len()) == row)
        .then(pl.lit(value))
        .otherwise(pl.col(column))
        .cast(pairs.schema[column])
        .alias(column)
    )


def grades(expression: pl.Expr) -> Change:
    return lambda pairs: pairs.with_columns(grade=expression)


def in_query(row_limit: int, queries: int) -> pl.Expr:
    """Keeps the first rows of the first queries, and all rows of the others."""
    place = pl.int_range(pl.len()).over("query_id")
    return (place < row_limit) | (pl.col("query_id") >= f"q{queries:03d}")


def long_query(rows: int) -> Change:
    return lambda pairs: pl.concat(
        [
            pairs,
            pl.select(
                query_id=pl.lit("q999"),
                product_id="x" + pl.int_range(rows).cast(pl.String),
                grade=pl.lit(1.0),
            ),
        ],
        how="diagonal",
    )


def test_a_healthy_table_passes_every_check() -> None:
    pairs = healthy()
    findings = examine(pairs, queries_of(pairs), folds_of(), relevant_from=1, rankers=RANKERS)
    assert [finding for finding in findings if finding.level != "PASS"] == []
    assert len(findings) == len({finding.check for finding in findings}) == 22
    assert worst(findings) == "PASS"
    assert found("rows per query", findings).evidence == "min 5, median 5, max 5"


FAULTS: dict[str, tuple[str, str, Change, str]] = {
    "few rows": ("rows per query", "WARN", lambda p: p.filter(in_query(2, QUERIES)), "min 2, median 2, max 2"),
    "shuffled": ("rows grouped by query", "WARN", lambda p: p.sort("product_id"), f"{QUERIES} queries in 600 runs"),
    "one item": ("queries with one item", "WARN", lambda p: p.filter(in_query(1, 6)), "6 of 120 (5.0%)"),
    "all of one item": ("queries with one item", "FAIL", lambda p: p.filter(in_query(1, QUERIES)), "120 of 120"),
    "one grade": (
        "queries with one grade", "WARN",
        grades(pl.when(pl.col("query_id") < "q003").then(1.0).otherwise(pl.col("grade"))), "3 of 120 (2.5%)",
    ),
    "all of one grade": ("queries with one grade", "FAIL", grades(pl.lit(1.0)), "120 of 120"),
    "nothing relevant": (
        "queries without relevant item", "WARN",
        grades(pl.when(pl.col("query_id") < "q003").then(0.5).otherwise(pl.col("grade"))), "3 of 120 (2.5%)",
    ),
    "never relevant": ("queries without relevant item", "FAIL", grades(pl.col("grade") / 10), "120 of 120"),
    "copies": ("duplicate pairs", "FAIL", lambda p: pl.concat([p, p.head(2)]), "2 pairs more than once, 0 of them"),
    "conflict": (
        "duplicate pairs", "FAIL",
        lambda p: pl.concat([p, p.head(2).with_columns(grade=pl.lit(2.0))]), "2 pairs more than once, 2 of them",
    ),
    "negative grade": ("grades missing or negative", "FAIL", at(3, "grade", -1.0), "1 of 600"),
    "missing grade": ("grades missing or negative", "FAIL", at(3, "grade", None), "1 of 600"),
    "NaN grade": ("grades missing or negative", "FAIL", at(3, "grade", float("nan")), "1 of 600"),
    "grade 50": ("labels for lightgbm", "WARN", at(3, "grade", 50.0), "highest grade 50; lightgbm takes whole labels up to 31"),
    "grade 50, XGBoost": ("labels for xgboost", "WARN", at(3, "grade", 50.0), "highest grade 50; xgboost takes labels up to 31"),
    "long list": ("longest query for lightgbm", "FAIL", long_query(10_001), "10,001 rows, limit 10,000"),
    "long list on a GPU": ("longest query for catboost", "WARN", long_query(1_024), "1,024 rows, limit 1,023 on a GPU"),
    "sparse": (
        "null share", "WARN",
        lambda p: p.with_columns(pl.when(pl.int_range(pl.len()) < 24).then("structured.price").alias("structured.price")),
        "1 features more than 95% null: structured.price (96.0%)",
    ),
    "NaN": ("NaN or infinite values", "FAIL", at(5, "structured.price", float("nan")), "structured.price"),
    "infinite": ("NaN or infinite values", "FAIL", at(5, "structured.price", float("-inf")), "structured.price"),
    "constant": ("constant features", "WARN", lambda p: p.with_columns(pl.lit(3.5).alias("extra.one")), "1 features: extra.one"),
    "equal": (
        "equal features", "WARN",
        lambda p: p.with_columns(pl.col("structured.price").alias("extra.cost")), "extra.cost = structured.price",
    ),
    "the grade itself": ("features that tell the grade", "FAIL", lambda p: p.with_columns(pl.col("grade").alias("extra.g")), "extra.g"),
    "the grade reversed": (
        "features that tell the grade", "FAIL",
        lambda p: p.with_columns((-(pl.col("grade") ** 3)).alias("extra.g")), "extra.g",
    ),
    "few queries": (
        "queries to test on", "WARN", lambda p: p.filter(pl.col("query_id") < "q099"),
        f"99: a difference in nDCG@10 below about {2.8 * 0.2 / 99**0.5:.3f}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_with_its_evidence_and_a_cure(fault: str) -> None:
    check, level, change, evidence = FAULTS[fault]
    pairs = change(healthy())
    finding = found(check, examine(pairs, queries_of(pairs), folds_of(), relevant_from=1, rankers=RANKERS))
    assert finding.level == level
    assert evidence in finding.evidence
    assert finding.cure


BEARABLE: dict[str, tuple[str, Change]] = {
    "one query in 120 with one item": ("queries with one item", lambda p: p.filter(in_query(1, 1))),
    "fractional grades, which gains stand for": ("labels for lightgbm", grades(pl.col("grade") * 0.75)),
    "the highest label": ("labels for xgboost", at(3, "grade", 31.0)),
    "the longest list": ("longest query for lightgbm", long_query(10_000)),
    "a long list where there is no limit": ("longest query for xgboost", long_query(10_001)),
    "95 % null": (
        "null share",
        lambda p: p.with_columns(pl.when(pl.int_range(pl.len()) < 30).then("structured.price").alias("structured.price")),
    ),
    "one value or null": (
        "constant features",
        lambda p: p.with_columns(pl.when(pl.int_range(pl.len()) % 2 == 0).then(1.0).alias("extra.flag")),
    ),
    "nulls are no NaN": ("NaN or infinite values", at(5, "structured.price", None)),
    "the grade with some noise": (
        "features that tell the grade",
        lambda p: p.with_columns((pl.col("grade") + 2 * pl.col("structured.price")).alias("extra.g")),
    ),
    "too few known values to tell": (
        "features that tell the grade",
        lambda p: p.with_columns(pl.when(pl.int_range(pl.len()) < 19).then("grade").alias("extra.g")),
    ),
    "a true/false feature": (
        "features that tell the grade",
        lambda p: p.with_columns((pl.col("structured.price") > 0.5).alias("extra.dear")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BEARABLE)
def test_what_is_bearable_passes(case: str) -> None:
    check, change = BEARABLE[case]
    finding = found(check, examine(change(healthy()), rankers=RANKERS))
    assert finding.level == "PASS", finding
    assert not finding.cure


def test_the_handing_over_of_gains_is_said() -> None:
    findings = examine(grades(pl.col("grade") * 0.75)(healthy()), rankers=RANKERS)
    assert (
        "some fractional; lightgbm takes whole labels up to 31, so it is handed gains"
        in found("labels for lightgbm", findings).evidence
    )
    assert "handed gains" not in found("labels for xgboost", findings).evidence


def test_an_all_null_feature_is_sparse_and_not_constant() -> None:
    pairs = healthy().with_columns(pl.lit(None, pl.Float32).alias("extra.none"))
    findings = examine(pairs)
    assert "extra.none (100.0%)" in found("null share", findings).evidence
    assert found("constant features", findings).level == "PASS"


def test_no_pairs_at_all_is_one_clear_failure() -> None:
    (finding,) = examine(healthy().head(0))
    assert (finding.level, finding.evidence) == ("FAIL", "no judged pairs")
    assert finding.cure


# Between the parts of a split. q000 is tested in fold 0, where q001 trains or validates; and the other way round.


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
    findings = examine(healthy(), looks(text, image), folds_of())
    for check, count, evidence in (
        ("query text in two parts", texts, f"{texts} test queries whose text"),
        ("query photo in two parts", photos, f"{photos} test queries whose photo"),
        (
            "product in two parts",
            pairs,
            f"100% of 600 test pairs have a product seen in training, {pairs} of them",
        ),
    ):
        finding = found(check, findings)
        assert finding.level == ("WARN" if count else "PASS")
        assert finding.evidence.startswith(evidence)
        assert bool(finding.cure) == bool(count)


def test_products_of_their_own_in_each_query_are_not_seen_in_training() -> None:
    pairs = healthy().with_columns(product_id=pl.col("query_id") + pl.col("product_id"))
    finding = found("product in two parts", examine(pairs, queries_of(pairs), folds_of()))
    assert finding.evidence.startswith("0% of 600 test pairs")


@pytest.mark.parametrize("queries", [None, queries_of(healthy()).select("query_id")])
def test_queries_without_looks_cannot_look_alike(queries: pl.DataFrame | None) -> None:
    findings = examine(healthy(), queries, folds_of())
    assert found("query text in two parts", findings).level == "PASS"
    assert found("query photo in two parts", findings).level == "PASS"


def test_photos_may_be_paths() -> None:
    queries = queries_of(healthy()).with_columns(image=pl.lit("same.jpg"))
    finding = found("query photo in two parts", examine(healthy(), queries, folds_of()))
    assert finding.evidence.startswith(f"{QUERIES} test queries")


@pytest.mark.parametrize(
    ("train", "validation", "test", "level"),
    [
        (["q000"], ["q001"], ["q002"], "PASS"),
        (["q000"], [], ["q002"], "WARN"),
        (["unjudged"], ["q001"], ["q002"], "FAIL"),
        (["q000"], ["q001"], ["unjudged"], "FAIL"),
        (["q000"], ["unjudged"], ["unjudged 2"], "FAIL"),
    ],
)
def test_every_part_needs_judged_queries(
    train: list[str], validation: list[str], test: list[str], level: str
) -> None:
    finding = found("parts of the split", examine(healthy(), folds=[Fold(train, validation, test)]))
    assert finding.level == level
    assert bool(finding.cure) == (level != "PASS")


def test_without_folds_nothing_is_said_of_parts() -> None:
    checks = {finding.check for finding in examine(healthy())}
    assert "queries to test on" in checks
    assert not {"parts of the split", "product in two parts"} & checks


# How findings are told.

SAMPLE = [
    Finding("PASS", "rows per query", "min 3, median 28, max 54"),
    Finding("WARN", "null share", "1 features", "leave it out"),
]


def test_the_worst_finding_counts() -> None:
    fail = Finding("FAIL", "grades", "", "")
    assert [worst([]), worst(SAMPLE[:1]), worst(SAMPLE), worst([fail, *SAMPLE])] == [
        "PASS",
        "PASS",
        "WARN",
        "FAIL",
    ]


def test_findings_as_text_are_aligned_and_cured() -> None:
    assert to_text(SAMPLE).splitlines() == [
        "PASS  rows per query  min 3, median 28, max 54",
        "WARN  null share      1 features",
        "                      cure: leave it out",
    ]


def test_findings_as_a_frame() -> None:
    frame = to_frame(SAMPLE)
    assert frame.columns == ["level", "check", "evidence", "cure"]
    assert frame.rows()[0] == ("PASS", "rows per query", "min 3, median 28, max 54", "")
    assert to_frame([]).height == 0


def test_the_doctor_does_not_mind_the_order_of_rows() -> None:
    pairs = FAULTS["conflict"][2](healthy())
    shuffled = pairs.sample(fraction=1, shuffle=True, seed=1)
    one, other = (examine(p, queries_of(healthy()), folds_of(), rankers=RANKERS) for p in (pairs, shuffled))
    assert [f for f in one if f.check != "rows grouped by query"] == [
        f for f in other if f.check != "rows grouped by query"
    ]
