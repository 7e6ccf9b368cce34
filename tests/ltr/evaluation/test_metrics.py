"""The measures against trec_eval (through ir-measures), scikit-learn, and the formulas written out."""

from __future__ import annotations

from math import inf, log, log2, nextafter
from typing import Any

import ir_measures
import numpy as np
import polars as pl
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, Judged, P, R, nDCG

from features.errors import InputError
from ltr.evaluation.metrics import accuracy, confusion_matrix, log_loss
from ltr.evaluation.per_query import EvaluationConfig, evaluate, metric_names, summarise

TABLE = {0.0: 0.0, 1.0: 1.0, 2.0: 5.0, 3.0: 6.0, 4.0: 20.0}

# One query's rows: (grade, score); no grade = unjudged, no score = not retrieved.
Rows = list[tuple[float | None, float | None]]
Gain = str | dict[float, float]


def table(*queries: Rows) -> pl.DataFrame:
    """Queries q0000, q0001, … with products p000, p001, …; row order shuffled."""
    rows = [
        (f"q{q:04}", f"p{p:03}", grade, score)
        for q, rows in enumerate(queries)
        for p, (grade, score) in enumerate(rows)
    ]
    schema = {"query_id": pl.String, "product_id": pl.String, "grade": pl.Float64, "score": pl.Float64}
    return pl.DataFrame(rows, schema, orient="row").sample(fraction=1, shuffle=True, seed=len(rows))


def measured(rows: Rows, **settings: Any) -> dict[str, Any]:
    """The single query's row of measures."""
    return evaluate(table(rows), EvaluationConfig(**settings)).row(0, named=True)


def gain_of(grade: float | None, gain: Gain) -> float:
    if grade is None:
        return 0.0
    return gain[grade] if isinstance(gain, dict) else (2.0**grade - 1 if gain == "exp" else grade)


# --- against trec_eval


def trec_values(pairs: pl.DataFrame, config: EvaluationConfig) -> dict[tuple[str, str], float]:
    """(query, our column) → value of ir-measures, which breaks ties by *descending* id: ids are mirrored."""
    mirrored = pairs.with_columns(
        product_id=(999 - pl.col("product_id").str.slice(1).cast(pl.Int64)).cast(str)
    )
    rel, k = int(config.relevant_from), config.cutoffs
    gains = {g: int(gain_of(g, config.gain)) for g in range(5)}
    ndcg = nDCG if config.gain == "linear" else nDCG(gains=gains)
    names = dict(zip([ndcg @ i for i in k], metric_names(config), strict=False))
    same_name = [*(m(rel=rel) @ i for m in (P, R) for i in k), AP(rel=rel), RR(rel=rel)]
    names |= {measure: str(measure) for measure in same_name}
    qrels, run = dicts(mirrored)
    found = list(ir_measures.pytrec_eval.iter_calc(list(names), qrels, run))
    shares = ir_measures.iter_calc([Judged @ i for i in k], *dicts(pairs))  # this one breaks ties as we do
    return {(x.query_id, names.get(x.measure, str(x.measure))): x.value for x in (*found, *shares)}


def dicts(pairs: pl.DataFrame) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    qrels: dict[str, dict[str, int]] = {}
    run: dict[str, dict[str, float]] = {}
    for query, product, grade, score in pairs.iter_rows():
        if grade is not None:
            qrels.setdefault(query, {})[product] = int(grade)
        if score is not None:
            run.setdefault(query, {})[product] = score
    return qrels, run


def assert_agrees_with_trec(pairs: pl.DataFrame, config: EvaluationConfig) -> int:
    """Compare every value of every query that has both a judgement and a retrieved row."""
    ours = {row["query_id"]: row for row in evaluate(pairs, config).iter_rows(named=True)}
    theirs = trec_values(pairs, config)
    for (query, name), value in theirs.items():
        assert ours[query][name] == pytest.approx(value, abs=1e-9), (query, name)
    return len(theirs)


@pytest.mark.parametrize("gain", ["exp", "linear", TABLE])
@pytest.mark.parametrize("relevant_from", [1, 2])
def test_agrees_with_trec_eval_on_thousands_of_rankings(gain: Gain, relevant_from: int) -> None:
    """Ties, single rows, nothing relevant, unjudged and unretrieved rows, at once; trec's empties are 0."""
    rng = np.random.default_rng(relevant_from)
    queries: list[Rows] = []
    for _ in range(1000):
        size = int(rng.choice([1, 2, 5, 12, 40]))
        grades = rng.choice([None, 0, 0, 1, 2, 3, 4], size)
        scores = rng.integers(0, rng.choice([1, 4, 1000]), size) / 8  # exact in the 32 bits trec_eval keeps
        queries.append(
            [(g, None if rng.random() < 0.1 else float(s)) for g, s in zip(grades, scores, strict=True)]
        )
    config = EvaluationConfig(
        gain=gain, relevant_from=relevant_from, empty_queries="zero", cutoffs=(1, 3, 10)
    )
    compared = assert_agrees_with_trec(table(*queries), config)
    assert compared > 800 * len(metric_names(config)) * 14 / 17  # F1@k, 3 columns, is not in trec_eval


GRADES = st.one_of(st.none(), st.integers(0, 4).map(float))
SCORES = st.one_of(st.none(), st.integers(-4, 4).map(lambda n: n / 4))


@settings(max_examples=60)
@given(st.lists(st.lists(st.tuples(GRADES, SCORES), min_size=1, max_size=6), min_size=1, max_size=4))
def test_agrees_with_trec_eval_on_small_worlds(queries: list[Rows]) -> None:
    assert_agrees_with_trec(table(*queries), EvaluationConfig(empty_queries="zero", cutoffs=(1, 2, 5)))


# --- against the formulas, where trec_eval cannot follow (fractional grades, all 64 bits of a score)


def by_the_formulas(rows: Rows, gain: Gain, relevant_from: float, k: int) -> dict[str, float | None]:
    shown = [(score, p) for p, (_, score) in enumerate(rows) if score is not None]
    ranked = [rows[p][0] for _, p in sorted(shown, key=lambda x: (-x[0], x[1]))]
    gains = [gain_of(grade, gain) for grade in ranked]
    ideal = sorted((gain_of(grade, gain) for grade, _ in rows), reverse=True)
    found = [rank for rank, grade in enumerate(ranked, 1) if (grade or 0) >= relevant_from]
    relevant = sum((grade or 0) >= relevant_from for grade, _ in rows)

    def dcg(values: list[float]) -> float:
        return sum(value / log2(1 + rank) for rank, value in enumerate(values[:k], 1))

    hits = sum(rank <= k for rank in found)
    p, r = hits / k, hits / relevant if relevant else 0.0
    values = {
        "P": p,
        "R": r,
        "F1": 2 * p * r / (p + r) if hits else 0.0,
        "AP": sum(n / rank for n, rank in enumerate(found, 1)) / max(relevant, 1),
        "RR": 1 / found[0] if found else 0.0,
    }
    ndcg = dcg(gains) / dcg(ideal) if dcg(ideal) > 0 else None
    return {"nDCG": ndcg, **{name: value if relevant else None for name, value in values.items()}}


NASTY_SCORES = st.one_of(
    st.none(),
    st.sampled_from(
        [0.0, -0.0, 1.0, nextafter(1.0, 2), nextafter(1.0, 0), 1e300, 2e300, -1e300, -2e300, inf, -inf]
    ),
    st.floats(allow_nan=False),
)
FRACTIONS = st.one_of(
    st.none(), st.sampled_from([0.0, 1.0, 1.33, 1.5, 1.67, 2.0, 2.33, 3.0]), st.floats(0, 5)
)


@pytest.mark.parametrize("gain", ["exp", "linear"])
@settings(max_examples=150)
@given(
    rows=st.lists(st.tuples(FRACTIONS, NASTY_SCORES), min_size=1, max_size=12),
    relevant_from=st.sampled_from([0.5, 1.0, 1.5, 2.33]),
    k=st.integers(1, 6),
)
def test_equals_the_formulas(gain: str, rows: Rows, relevant_from: float, k: int) -> None:
    found = measured(rows, gain=gain, relevant_from=relevant_from, cutoffs=(k,))
    by_kind = {name.split("@")[0].split("(")[0]: value for name, value in found.items()}
    for name, value in by_the_formulas(rows, gain, relevant_from, k).items():
        assert by_kind[name] == (None if value is None else pytest.approx(value, abs=1e-9)), name


def test_scores_apart_in_their_last_bit_only_are_ranked_by_it_in_a_crowd_of_queries() -> None:
    """The sort key of many queries has no room for all 64 bits of a score, nor for all digits of a gain."""
    bad_first: Rows = [(1, 1.0), (1 + 1e-15, nextafter(1.0, 2)), (0, nextafter(1.0, 0))]
    found = evaluate(table(*[bad_first] * 3000), EvaluationConfig(relevant_from=1 + 1e-15))
    assert found["RR(rel=1)"].unique().to_list() == [1.0]
    assert found["nDCG@10"].unique().to_list() == [1.0]


def test_linear_ndcg_equals_scikit_learn_on_fractional_grades() -> None:
    rng = np.random.default_rng(0)
    grades, scores = rng.uniform(0, 3, (200, 15)), rng.normal(size=(200, 15))
    rows = [list(zip(g, s, strict=True)) for g, s in zip(grades.tolist(), scores.tolist(), strict=True)]
    ours = evaluate(table(*rows), EvaluationConfig(gain="linear"))["nDCG@10"]
    theirs = [sklearn.metrics.ndcg_score(g[None], s[None], k=10) for g, s in zip(grades, scores, strict=True)]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_by_hand() -> None:
    rows: Rows = [(0, 4.0), (3, 3.0), (None, 2.0), (1, 1.0), (2, None)]
    found = measured(rows, cutoffs=(4,))
    ideal = 7 / log2(2) + 3 / log2(3) + 1 / log2(4)
    assert found["nDCG@4"] == pytest.approx((7 / log2(3) + 1 / log2(5)) / ideal)
    assert found["P@4"] == 2 / 4
    assert found["R@4"] == pytest.approx(2 / 3)
    assert found["F1@4"] == pytest.approx(2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3))
    assert found["AP"] == pytest.approx((1 / 2 + 2 / 4 + 0) / 3)
    assert found["RR"] == 1 / 2
    assert found["Judged@4"] == 3 / 4
    assert (found["rows"], found["relevant"]) == (5, 3)


# --- conventions


def test_equal_scores_rank_by_product_id_so_a_constant_scorer_is_never_lucky() -> None:
    best_last: Rows = [(0, 1.0)] * 9 + [(3, 1.0)]
    assert measured(best_last)["RR"] == 1 / 10
    assert measured(best_last[::-1])["RR"] == 1


@pytest.mark.parametrize(("empty_queries", "expected"), [("skip", None), ("zero", 0.0), ("one", 1.0)])
def test_a_query_with_nothing_relevant(empty_queries: str, expected: float | None) -> None:
    pairs = table([(0, 1.0), (None, 2.0)], [(1, 1.0)])
    config = EvaluationConfig(empty_queries=empty_queries)
    empty, full = evaluate(pairs, config).iter_rows(named=True)
    assert {empty[name] for name in metric_names(config) if not name.startswith("Judged")} == {expected}
    assert full["nDCG@10"] == full["R@10"] == full["AP"] == 1.0
    mean = summarise(evaluate(pairs, config), config).row(
        by_predicate=pl.col("metric") == "nDCG@10", named=True
    )
    counted = 1 if expected is None else 2
    assert (mean["queries"], mean["left_out"]) == (counted, 2 - counted)
    assert mean["mean"] == (1.0 + (expected or 0.0)) / counted


def test_ndcg_counts_a_query_with_gain_but_nothing_relevant() -> None:
    found = measured([(1, 1.0), (0, 2.0)], relevant_from=2)
    assert found["nDCG@10"] == pytest.approx(log2(2) / log2(3))
    assert found["P(rel=2)@10"] is found["AP(rel=2)"] is None


def test_a_judged_query_with_nothing_retrieved_scores_zero() -> None:
    found = measured([(1, None), (0, None)])
    assert {found[name] for name in metric_names(EvaluationConfig())} == {0.0}


# --- classifiers


def test_classification_measures_equal_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 4, (2, 500))
    probabilities = rng.dirichlet(np.full(4, 0.1), 500)  # some all but 0
    assert accuracy(labels, predicted) == pytest.approx(sklearn.metrics.accuracy_score(labels, predicted))
    expected = sklearn.metrics.confusion_matrix(labels, predicted)
    np.testing.assert_array_equal(confusion_matrix(labels, predicted, 4), expected)
    assert log_loss(labels, probabilities) == pytest.approx(sklearn.metrics.log_loss(labels, probabilities))


def test_confusion_matrix_keeps_classes_that_never_occur() -> None:
    matrix = confusion_matrix(np.array([0, 0]), np.array([0, 1]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_log_loss_of_a_sure_mistake_is_finite() -> None:
    assert log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-log(np.finfo(float).eps))


def test_log_loss_refuses_what_are_no_probabilities() -> None:
    with pytest.raises(InputError, match=r"sums to 1\.5"):
        log_loss(np.array([0]), np.array([[1.0, 0.5]]))
