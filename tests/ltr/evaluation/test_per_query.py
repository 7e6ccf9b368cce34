"""From a scored table to values per query, means and intervals: bad input, order, left-out queries."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.stats
from ir_measures import AP, RR, Judged, P, R, nDCG
from pydantic import ValidationError

from features.errors import InputError
from ltr.evaluation import per_query as evaluation
from ltr.evaluation.per_query import EvaluationConfig, convention, evaluate, metric_names, summarise
from ltr.evaluation.significance import BootstrapConfig

DEFAULT = EvaluationConfig()


def random_pairs(queries: int, rows: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    n = queries * rows
    return pl.DataFrame(
        {
            "query_id": np.repeat([f"q{i}" for i in range(queries)], rows),
            "product_id": [f"p{i}" for i in range(n)],
            "grade": rng.choice([0.0, 0.0, 0.0, 1.0, 2.0], n),
            "score": rng.integers(0, 5, n).astype(float),
        }
    )


def test_the_order_of_rows_and_further_columns_do_not_matter() -> None:
    pairs = random_pairs(50, 12)
    shuffled = pairs.sample(fraction=1, shuffle=True, seed=1).with_columns(note=pl.lit("x"))
    assert evaluate(shuffled, DEFAULT).equals(evaluate(pairs, DEFAULT))


def test_a_query_is_measured_alike_alone_and_among_others() -> None:
    pairs = random_pairs(30, 8)
    together = evaluate(pairs, DEFAULT)
    alone = pl.concat([evaluate(part, DEFAULT) for part in pairs.partition_by("query_id")]).sort("query_id")
    assert together.equals(alone)
    assert together["query_id"].is_sorted()


@pytest.mark.parametrize("rows_at_once", [1, 3, 7, 40])
def test_large_tables_are_measured_in_parts_alike(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(rows_at_once)
    pairs = pl.DataFrame(
        {
            "query_id": rng.permuted(np.repeat([f"q{i}" for i in range(9)], rng.integers(1, 9, 9))),
            "product_id": "p",
            "grade": 0.0,
            "score": 0.0,
        }
    ).with_row_index()
    n = pairs.height
    pairs = pairs.with_columns(
        product_id=pl.col("product_id") + pl.col("index").cast(pl.String),
        grade=pl.Series(rng.integers(0, 4, n).astype(float)),
        score=pl.Series(rng.integers(0, 3, n).astype(float)),
    )
    whole = evaluate(pairs, EvaluationConfig())
    monkeypatch.setattr(evaluation, "ROWS_AT_ONCE", rows_at_once)
    assert evaluate(pairs, EvaluationConfig()).equals(whole)
    with pytest.raises(InputError, match="more than once"):
        evaluate(pl.concat([pairs, pairs.tail(1)]), EvaluationConfig())


def test_integer_ids_and_float32_scores_are_taken() -> None:
    pairs = pl.DataFrame({"query_id": [7, 7], "product_id": [1, 2], "grade": [0, 1], "score": [0.5, 0.25]})
    found = evaluate(pairs.cast({"score": pl.Float32}), DEFAULT).row(0, named=True)
    assert (found["query_id"], found["RR"]) == ("7", 1 / 2)


def test_no_rows_give_no_rows() -> None:
    per_query = evaluate(random_pairs(1, 1).clear(), DEFAULT)
    assert per_query.height == 0
    summary = summarise(per_query, DEFAULT)
    assert summary.select("mean", "low", "high").null_count().row(0) == (summary.height,) * 3


@pytest.mark.parametrize(
    ("change", "settings", "words"),
    [
        ({"score": pl.Series([1.0, float("nan")])}, {}, "scores that can be ordered, got NaN"),
        ({"grade": pl.Series([1.0, -1.0])}, {}, "grades of 0 or more"),
        ({"grade": pl.Series([1.0, float("inf")])}, {}, "grades of 0 or more"),
        ({"grade": pl.Series([1.0, float("nan")])}, {}, "grades of 0 or more"),
        ({"grade": pl.Series([1.0, 2000.0])}, {}, "grades up to 1023"),
        ({"grade": pl.Series([1.0, 3.0])}, {"gain": {0: 0, 1: 1, 2: 2}}, "the grades of the gain table"),
        ({"grade": pl.Series([1.0, 1.5])}, {"gain": {0: 0, 1: 1, 2: 2}}, "the grades of the gain table"),
        ({"product_id": pl.Series(["a", "a"])}, {}, "'q', 'a' more than once"),
        ({"product_id": pl.Series(["a", None])}, {}, "got null"),
        ({"query_id": pl.Series([None, "q"])}, {}, "got null"),
    ],
)
def test_bad_tables_are_refused_with_the_reason(
    change: dict[str, pl.Series], settings: dict[str, Any], words: str
) -> None:
    columns = {"query_id": ["q", "q"], "product_id": ["a", "b"], "grade": [1.0, 0.0], "score": [1.0, 2.0]}
    with pytest.raises(InputError, match=words):
        evaluate(pl.DataFrame(columns | change), EvaluationConfig(**settings))


@pytest.mark.parametrize("name", ["query_id", "product_id", "grade", "score"])
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(InputError, match=f"none named {name}"):
        evaluate(random_pairs(1, 2).drop(name), DEFAULT)


def test_the_unjudged_need_no_entry_in_the_gain_table() -> None:
    pairs = random_pairs(1, 3).with_columns(grade=pl.Series([None, 1.0, 2.0]))
    assert evaluate(pairs, EvaluationConfig(gain={1: 1, 2: 3}))["nDCG@10"].is_not_null().all()


def test_means_leave_out_per_measure_and_count_it() -> None:
    """q0 has gain but nothing of grade 2: nDCG counts it, AP does not."""
    config = EvaluationConfig(relevant_from=2)
    rows = [("q0", "a", 1.0, 1.0), ("q1", "a", 2.0, 1.0), ("q2", "a", 0.0, 1.0)]
    pairs = pl.DataFrame(rows, ["query_id", "product_id", "grade", "score"], orient="row")
    summary = summarise(evaluate(pairs, config), config)
    counts = {name: (n, out) for name, n, out in summary.select("metric", "queries", "left_out").iter_rows()}
    assert counts["nDCG@10"] == (2, 1)
    assert counts["AP(rel=2)"] == (1, 2)
    assert counts["Judged@10"] == (3, 0)


def test_means_and_intervals_are_those_of_each_column_alone() -> None:
    """Against SciPy's BCa bootstrap, whose draws differ: equal to within the noise of 2,000 resamples."""
    config = EvaluationConfig(cutoffs=(10,), bootstrap=BootstrapConfig(resamples=2000, confidence=0.9))
    per_query = evaluate(random_pairs(120, 6), config)
    assert per_query["AP"].null_count() > 0
    for metric, mean, low, high in (
        summarise(per_query, config).select("metric", "mean", "low", "high").iter_rows()
    ):
        values = per_query[metric].drop_nulls().to_numpy()
        assert mean == pytest.approx(values.mean())
        if values.std() == 0:
            assert low == pytest.approx(mean) == pytest.approx(high)
            continue
        scipys = scipy.stats.bootstrap(
            (values,),
            np.mean,
            n_resamples=2000,
            confidence_level=0.9,
            method="BCa",
            rng=np.random.default_rng(1),
        ).confidence_interval
        error = values.std() / len(values) ** 0.5
        assert (low, high) == pytest.approx((scipys.low, scipys.high), abs=error / 5)


def test_a_segment_is_summarised_from_its_rows() -> None:
    per_query = evaluate(random_pairs(40, 10), DEFAULT)
    segment = per_query.filter(pl.col("query_id") < "q2")
    means = summarise(segment, DEFAULT)
    assert means["mean"][0] == pytest.approx(segment["nDCG@1"].mean())
    assert means["queries"][0] == segment["nDCG@1"].count()


# --- settings


def test_names_follow_ir_measures() -> None:
    assert metric_names(EvaluationConfig(cutoffs=(10,), relevant_from=2)) == [
        str(nDCG @ 10),
        str(P(rel=2) @ 10),
        str(R(rel=2) @ 10),
        "F1(rel=2)@10",
        str(Judged @ 10),
        str(AP(rel=2)),
        str(RR(rel=2)),
    ]


@pytest.mark.parametrize(
    ("settings", "phrase"),
    [
        ({}, "gain 2^grade − 1"),
        ({"gain": "linear"}, "gain the grade"),
        ({"gain": {1: 1, 2: 10}}, "gain by table 1→1, 2→10"),
        ({"relevant_from": 1.5}, "relevant from grade 1.5"),
        ({}, "left out of the mean"),
        ({"empty_queries": "zero"}, "counted as 0"),
        ({"empty_queries": "one"}, "counted as 1"),
    ],
)
def test_the_convention_is_said(settings: dict[str, Any], phrase: str) -> None:
    assert phrase in convention(EvaluationConfig(**settings))


def test_the_config_survives_json() -> None:
    config = EvaluationConfig(gain={0: 0, 1.5: 4}, cutoffs=(10, 1, 10))
    assert config.cutoffs == (1, 10)
    assert EvaluationConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    "settings",
    [
        {"gain": "cubic"},
        {"gain": {1: -1}},
        {"gain": {}},
        {"cutoffs": ()},
        {"cutoffs": (0,)},
        {"relevant_from": 0},
        {"relevant_from": inf},
        {"depth": 3},
    ],
)
def test_config_refuses(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EvaluationConfig(**settings)
