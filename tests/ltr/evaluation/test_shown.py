"""Figures of what is shown: against a loop, their bounds, and worlds in which they are known."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ltr.evaluation import EvaluationConfig
from ltr.evaluation.shown import (
    CEILING,
    ShownLists,
    kept_values,
    measure_kept,
    measure_shown,
    shown_convention,
    true_metric,
)

CONFIG = EvaluationConfig(cutoffs=(3,), relevant_from=2)
ROWS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.one_of(st.none(), st.integers(0, 3)),
        st.booleans(),
        st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    ),
    min_size=1,
    max_size=16,
)


def table(rows: list[tuple[str, int | None, bool, float]]) -> pl.DataFrame:
    schema = {"query_id": pl.String, "grade": pl.Float64, "retrieved": pl.Boolean, "score": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("n")
    return frame.with_columns(product_id=pl.format("p{}", pl.col("n").cast(pl.String).str.zfill(2))).sort(
        "query_id", "product_id"
    )


def dcg(gains: list[float]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains[:3]))


def expected(frame: pl.DataFrame, best: float) -> dict[str, float | None]:
    """One query's measures by the words of the convention."""
    judged = [2**grade - 1 for grade in frame["grade"].drop_nulls()]
    ideal = dcg(sorted(judged, reverse=True))
    order = frame.filter("retrieved").sort("score", "product_id", descending=[True, False])
    grades = order["grade"].to_list()
    filled = {what: [2**g - 1 if g is not None else what for g in grades] for what in (0.0, best)}
    relevant = [g for g in frame["grade"].drop_nulls() if g >= 2]
    others = frame["grade"].drop_nulls().len() - len(relevant)
    found, above = 0.0, 0
    for grade in grades:
        if grade is not None and grade >= 2:
            found += 1 - (min(above, len(relevant)) / min(len(relevant), others) if above else 0)
        above += grade is not None and grade < 2
    shown = grades[:3]
    return {
        "condensed nDCG@3": dcg([2**g - 1 for g in grades if g is not None]) / ideal if ideal else None,
        "Judged@3": sum(g is not None for g in shown) / max(len(shown), 1),
        "worst": dcg(filled[0.0]) / ideal if ideal else None,
        "best": min(dcg(filled[best]) / ideal, 1) if ideal else None,
        "bpref": found / len(relevant) if relevant else None,
    }


@settings(max_examples=80)
@given(ROWS)
def test_agrees_with_a_loop(rows: list[tuple[str, int | None, bool, float]]) -> None:
    frame = table(rows)
    found = ShownLists.of(frame, CONFIG).per_query(frame["score"].to_numpy())
    best = max((2**g - 1 for g in frame["grade"].drop_nulls()), default=0.0)
    for row in found.iter_rows(named=True):
        wanted = expected(frame.filter(query_id=row["query_id"]), best)
        for name, value in wanted.items():
            assert row[name] == (None if value is None else pytest.approx(value, abs=1e-12)), name
        if row["worst"] is not None:
            assert row["worst"] <= row["best"] + 1e-12
            assert row["worst"] <= row["condensed nDCG@3"] + 1e-12


@settings(max_examples=30)
@given(ROWS)
def test_no_order_beats_the_ceiling_and_row_order_does_not_matter(
    rows: list[tuple[str, int | None, bool, float]],
) -> None:
    frame = table(rows)
    lists = ShownLists.of(frame, CONFIG)
    found = lists.per_query(frame["score"].to_numpy())
    for ours, most in zip(found["condensed nDCG@3"], lists.ceiling()["condensed nDCG@3"], strict=True):
        assert ours is None or ours <= most + 1e-12


def test_where_all_is_judged_and_retrieved_every_figure_is_ndcg() -> None:
    rng = np.random.default_rng(0)
    rows = [("ab"[n % 2], int(rng.integers(0, 4)), True, float(rng.random())) for n in range(30)]
    frame = table(rows)
    truth = frame.select("query_id", "product_id", "grade")
    found = ShownLists.of(frame, CONFIG, truth).per_query(frame["score"].to_numpy())
    for name in ("worst", "best", "true nDCG@3"):
        np.testing.assert_allclose(found[name], found["condensed nDCG@3"], rtol=1e-12)
    assert found["Judged@3"].to_list() == [1.0, 1.0]


def test_the_truth_is_explained_only_where_it_is_measured() -> None:
    message, measured = (shown_convention(CONFIG, names) for names in ([], [true_metric(CONFIG)]))
    assert "true" not in message
    assert measured.startswith(message.removesuffix("."))
    assert "; true: " in measured


def test_a_query_that_finds_nothing_counts_as_nothing() -> None:
    frame = table([("a", 3, False, 1.0), ("b", 3, True, 1.0)])
    found = ShownLists.of(frame, CONFIG).per_query(np.ones(2))
    assert found["condensed nDCG@3"].to_list() == [0.0, 1.0]
    assert found["R(best grade)"].to_list() == [0.0, 1.0]


def test_queries_of_no_test_part_are_left_out() -> None:
    frame = table([("a", 3, False, 1.0), ("b", 3, True, 1.0)])
    assert ShownLists.of(frame, CONFIG).per_query(np.array([np.nan, 1.0]))["query_id"].to_list() == ["b"]


def test_what_was_kept_is_measured_again_and_only_by_its_own_convention() -> None:
    rng = np.random.default_rng(5)
    rows = [(f"q{i % 9}", [None, 0, 1, 2, 3][rng.integers(5)], True, 0.0) for i in range(180)]
    frame = table(rows)  # type: ignore[arg-type]
    scores = {name: rng.normal(size=frame.height) for name in ("random", "BM25", "popularity", "model")}
    queries = pl.DataFrame({"query_id": frame["query_id"].unique(), "text": "words"})
    measured = measure_shown(ShownLists.of(frame, CONFIG), scores, queries, "model")
    kept = kept_values(measured, CONFIG)
    again = measure_kept(kept, queries, CONFIG, "model")
    assert again is not None
    assert_frame_equal(again.summary, measured.summary)
    assert_frame_equal(again.tests, measured.tests)
    assert measured.summary["system"][0] == CEILING
    for other in ({"gain": "linear"}, {"cutoffs": (5,)}, {"empty_queries": "zero"}):
        assert measure_kept(kept, queries, CONFIG.model_copy(update=other), "model") is None
