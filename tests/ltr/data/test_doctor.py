"""The data doctor: a healthy table passes every check, and each fault put into it is found by its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from ltr.data.doctor import LEAK, LEAK_SAMPLE, Finding, Findings, examine, examine_features, worst
from ltr.data.splits import Fold
from ltr.rankers import RANKERS

QUERIES, ROWS = 120, 5
LIMITS = {kind: RANKERS.settings_of(kind).limits for kind in ("lightgbm", "xgboost", "catboost")}
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
            "extra.weight": pl.Series(rng.random(count), dtype=pl.Float32),
            "extra.season": pl.Series(
                [("summer", "winter")[n % 2] for n in range(count)], dtype=pl.Enum(["summer", "winter"])
            ),
        }
    )


def queries_of(pairs: pl.DataFrame) -> pl.DataFrame:
    ids = pairs.select(pl.col("query_id").unique(maintain_order=True))
    return ids.with_columns(text="words of " + pl.col("query_id"), image=pl.col("query_id").cast(pl.Binary))


def folds_of() -> list[Fold]:
    """The test parts of both folds together are all queries."""
    ids = [f"q{n:03d}" for n in range(QUERIES)]
    one, other = ids[::2], ids[1::2]
    return [Fold(one[:50], one[50:], other), Fold(other[:50], other[50:], one)]


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


def known(column: str, rows: int) -> Change:
    """Null but for the first rows."""
    return lambda pairs: pairs.with_columns(pl.when(pl.int_range(pl.len()) < rows).then(column).alias(column))


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
    findings = examine(pairs, queries_of(pairs), folds_of(), relevant_from=1, limits=LIMITS)
    assert [finding for finding in findings if finding.level != "PASS"] == []
    assert len(findings) == len({finding.check for finding in findings}) == 23
    assert worst(findings) == "PASS"
    assert found("rows per query", findings).evidence == "min 5, median 5, max 5"


FAULTS: dict[str, tuple[str, str, Change, str]] = {
    "few rows": (
        "rows per query",
        "WARN",
        lambda p: p.filter(in_query(2, QUERIES)),
        "min 2, median 2, max 2",
    ),
    "shuffled": (
        "rows grouped by query",
        "WARN",
        lambda p: p.sort("product_id"),
        f"{QUERIES} queries in 600 runs",
    ),
    "one item": ("queries with one item", "WARN", lambda p: p.filter(in_query(1, 6)), "6 of 120 (5.0%)"),
    "all of one item": (
        "queries with one item",
        "FAIL",
        lambda p: p.filter(in_query(1, QUERIES)),
        "120 of 120",
    ),
    "one grade": (
        "queries with one grade",
        "WARN",
        grades(pl.when(pl.col("query_id") < "q003").then(1.0).otherwise(pl.col("grade"))),
        "3 of 120 (2.5%)",
    ),
    "all of one grade": ("queries with one grade", "FAIL", grades(pl.lit(1.0)), "120 of 120"),
    "nothing relevant": (
        "queries without relevant item",
        "WARN",
        grades(pl.when(pl.col("query_id") < "q003").then(0.5).otherwise(pl.col("grade"))),
        "3 of 120 (2.5%)",
    ),
    "never relevant": ("queries without relevant item", "FAIL", grades(pl.col("grade") / 10), "120 of 120"),
    "copies": (
        "duplicate pairs",
        "FAIL",
        lambda p: pl.concat([p, p.head(2)]),
        "2 pairs more than once, 0 of them",
    ),
    "conflict": (
        "duplicate pairs",
        "FAIL",
        lambda p: pl.concat([p, p.head(2).with_columns(grade=pl.lit(2.0))]),
        "2 pairs more than once, 2 of them",
    ),
    "negative grade": ("grades missing or negative", "FAIL", at(3, "grade", -1.0), "1 of 600"),
    "missing grade": ("grades missing or negative", "FAIL", at(3, "grade", None), "1 of 600"),
    "NaN grade": ("grades missing or negative", "FAIL", at(3, "grade", float("nan")), "1 of 600"),
    "grade 50": (
        "labels for lightgbm",
        "WARN",
        at(3, "grade", 50.0),
        "grade 50; lightgbm takes whole labels up to 30",
    ),
    "grade 50, XGBoost": (
        "labels for xgboost",
        "WARN",
        at(3, "grade", 50.0),
        "grade 50; xgboost takes labels up to 31",
    ),
    "long list": ("longest query for lightgbm", "FAIL", long_query(10_001), "10,001 rows, limit 10,000"),
    "long list on a GPU": (
        "longest query for catboost",
        "WARN",
        long_query(1_024),
        "1,024 rows, limit 1,023 on a GPU",
    ),
    "sparse": (
        "null share over 95%",
        "WARN",
        known("extra.weight", 24),
        "1 of 2 features: extra.weight (96.0%)",
    ),
    "NaN": ("NaN or infinite values", "FAIL", at(5, "extra.weight", float("nan")), "extra.weight"),
    "infinite": (
        "NaN or infinite values",
        "FAIL",
        at(5, "extra.weight", float("-inf")),
        "extra.weight",
    ),
    "constant": (
        "constant features",
        "WARN",
        lambda p: p.with_columns(pl.lit(3.5).alias("extra.one")),
        "1 of 3 features: extra.one",
    ),
    "equal": (
        "equal features",
        "WARN",
        lambda p: p.with_columns(pl.col("extra.weight").alias("extra.cost")),
        "extra.cost = extra.weight",
    ),
    "the grade itself": (
        "features that tell the grade",
        "FAIL",
        lambda p: p.with_columns(pl.col("grade").alias("extra.g")),
        "extra.g",
    ),
    "the grade reversed": (
        "features that tell the grade",
        "FAIL",
        lambda p: p.with_columns((-(pl.col("grade") ** 3)).alias("extra.g")),
        "extra.g",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_with_its_evidence_and_a_cure(fault: str) -> None:
    check, level, change, evidence = FAULTS[fault]
    pairs = change(healthy())
    finding = found(check, examine(pairs, queries_of(pairs), folds_of(), relevant_from=1, limits=LIMITS))
    assert finding.level == level
    assert evidence in finding.evidence
    assert finding.cure


BEARABLE: dict[str, tuple[str, Change]] = {
    "one query in 120 with one item": ("queries with one item", lambda p: p.filter(in_query(1, 1))),
    "fractional grades, which gains stand for": ("labels for lightgbm", grades(pl.col("grade") * 0.75)),
    "LightGBM's highest label": ("labels for lightgbm", at(3, "grade", 30.0)),
    "XGBoost's highest label": ("labels for xgboost", at(3, "grade", 31.0)),
    "the longest list": ("longest query for lightgbm", long_query(10_000)),
    "a long list where there is no limit": ("longest query for xgboost", long_query(10_001)),
    "95 % null": (
        "null share over 95%",
        known("extra.weight", 30),
    ),
    "one value or null": (
        "constant features",
        lambda p: p.with_columns(pl.when(pl.int_range(pl.len()) % 2 == 0).then(1.0).alias("extra.flag")),
    ),
    "nulls are no NaN": ("NaN or infinite values", at(5, "extra.weight", None)),
    "the grade with some noise": (
        "features that tell the grade",
        lambda p: p.with_columns((pl.col("grade") + 2 * pl.col("extra.weight")).alias("extra.g")),
    ),
    "too few known values to tell": (
        "features that tell the grade",
        lambda p: p.with_columns(pl.when(pl.int_range(pl.len()) < 19).then("grade").alias("extra.g")),
    ),
    "a true/false feature": (
        "features that tell the grade",
        lambda p: p.with_columns((pl.col("extra.weight") > 0.5).alias("extra.dear")),
    ),
}


@pytest.mark.parametrize("case", BEARABLE)
def test_what_is_bearable_passes(case: str) -> None:
    check, change = BEARABLE[case]
    finding = found(check, examine(change(healthy()), limits=LIMITS))
    assert finding.level == "PASS", finding
    assert not finding.cure


def test_the_handing_over_of_gains_is_said() -> None:
    findings = examine(grades(pl.col("grade") * 0.75)(healthy()), limits=LIMITS)
    assert (
        "some fractional; lightgbm takes whole labels up to 30, so it is handed gains"
        in found("labels for lightgbm", findings).evidence
    )
    assert "handed gains" not in found("labels for xgboost", findings).evidence


def test_ours_are_not_held_against_the_user() -> None:
    """What our own columns and encoders make cannot be left out by a user; a leak among them is yet told."""
    ours = healthy().with_columns(
        pl.lit(None, pl.Float32).alias("structured.rating"),
        pl.lit(1.0).alias("lexical.constant"),
        pl.col("lexical.bm25_title").alias("lexical.twin"),
        pl.col("grade").alias("text.title"),
    )
    findings = examine(ours)
    for check in ("null share over 95%", "constant features", "equal features"):
        assert found(check, findings).level == "PASS"
    assert "text.title" in found("features that tell the grade", findings).evidence


def test_all_null_features_are_sparse_and_neither_constant_nor_equal() -> None:
    pairs = healthy().with_columns(
        pl.lit(None, pl.Float32).alias(name) for name in ("extra.none", "extra.nil")
    )
    findings = examine(pairs)
    assert (
        "2 of 4 features: extra.none (100.0%), extra.nil (100.0%)"
        in found("null share over 95%", findings).evidence
    )
    assert found("constant features", findings).level == "PASS"
    assert found("equal features", findings).level == "PASS"


def test_no_pairs_at_all_is_one_clear_failure() -> None:
    (finding,) = examine(healthy().head(0))
    assert (finding.level, finding.evidence) == ("FAIL", "no judged pairs")
    assert finding.cure


def test_the_doctor_does_not_mind_the_order_of_rows() -> None:
    pairs = FAULTS["conflict"][2](healthy())
    shuffled = pairs.sample(fraction=1, shuffle=True, seed=1)
    one, other = (examine(p, queries_of(healthy()), folds_of(), limits=LIMITS) for p in (pairs, shuffled))
    assert [f for f in one if f.check != "rows grouped by query"] == [
        f for f in other if f.check != "rows grouped by query"
    ]


@pytest.mark.parametrize("rare", [0.5, 1e-4], ids=["many relevant", "hardly any relevant"])
@pytest.mark.parametrize("known", [1.0, 0.001], ids=["always known", "hardly ever known"])
@pytest.mark.parametrize("noise", [0.0, 0.02, 3.0])
def test_a_leak_is_found_among_many_rows(rare: float, known: float, noise: float) -> None:
    """Whatever a sample would show, the verdict is that of Spearman's correlation over all rows."""
    random = np.random.default_rng(1)
    count = 3 * LEAK_SAMPLE
    grade = (random.random(count) < rare).astype(float)
    feature = -grade + noise * random.random(count)
    feature[random.random(count) > known] = np.nan
    column = pl.Series(feature).fill_nan(None)
    there = ~np.isnan(feature)
    with np.errstate(invalid="ignore"):
        ranks = pl.DataFrame({"a": feature[there], "b": grade[there]}).select(pl.all().rank()).to_numpy()
        varies = len(np.unique(ranks[:, 1])) > 1
        leaks = bool(varies and abs(np.corrcoef(ranks.T)[0, 1]) > LEAK)
    pairs = pl.DataFrame({"query_id": "q", "product_id": pl.int_range(count, eager=True).cast(pl.String)})
    found = examine_features(pairs.with_columns(grade=pl.Series(grade), f=column))
    level = next(one.level for one in found if one.check == "features that tell the grade")
    assert level == ("FAIL" if leaks else "PASS")


def test_a_notebook_shows_findings_as_a_table_of_all_of_them_and_no_markup() -> None:
    found = Findings(Finding("WARN", f"check {number}", "title <b>x</b>", "cure") for number in range(40))
    page = found._repr_html_()
    assert page.count("check ") == 40
    assert "<b>" not in page
    pairs = pl.DataFrame({"query_id": ["q", "q"], "product_id": ["a", "b"], "grade": [0.0, 1.0]})
    assert isinstance(examine(pairs), Findings)
    assert isinstance(examine(pairs.clear()), Findings)
