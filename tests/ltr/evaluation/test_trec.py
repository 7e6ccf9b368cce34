"""TREC's files against trec_eval itself, on files as people have them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import InputError
from ltr.evaluation import (
    TREC_EVAL,
    EvaluationConfig,
    evaluate,
    judge_run,
    read_qrels,
    read_run,
    write_qrels,
    write_run,
)

MEASURES = {
    "nDCG": "ndcg_cut_{k}",
    "P": "P_{k}",
    "R": "recall_{k}",
    "AP": "map",
    "RR": "recip_rank",
}
IDS = ["a", "B", "é", "10", "9", "a1", "日本", "x-1", "Q0"]
QUERIES = ["q1", "007", "7", "żółć", "Q0"]
# Equal, nearly equal (the same in 32 bits), huge, tiny, infinite.
SCORES = [0.0, -0.0, 1.0, 1.00000001, 1.0000002, -3.5, 1e30, 1e300, 1e-300, float("inf"), float("-inf")]


def means(config: EvaluationConfig) -> dict[str, str]:
    """trec_eval's name of each of our columns."""
    rel = "" if config.relevant_from == 1 else f"(rel={config.relevant_from:g})"
    found = {}
    for ours, theirs in MEASURES.items():
        kind = ours if ours == "nDCG" else f"{ours}{rel}"
        cuts = config.cutoffs if "{k}" in theirs else (0,)
        found |= {f"{kind}@{k}" if k else kind: theirs.format(k=k) for k in cuts}
    return found


def trec_eval(
    run: dict[str, dict[str, float]], qrels: dict[str, dict[str, int]], config: EvaluationConfig
) -> dict[str, Any]:
    cuts = ",".join(map(str, config.cutoffs))
    measures = {f"ndcg_cut.{cuts}", f"P.{cuts}", f"recall.{cuts}", "map", "recip_rank"}
    judge = pytrec_eval.RelevanceEvaluator(qrels, measures, relevance_level=int(config.relevant_from))
    return judge.evaluate(run)


pairs_of = st.dictionaries(st.sampled_from(IDS), st.sampled_from(SCORES), min_size=1, max_size=9)
grades_of = st.dictionaries(st.sampled_from(IDS), st.integers(-2, 4), min_size=1, max_size=9)
runs = st.dictionaries(st.sampled_from(QUERIES), pairs_of, min_size=1, max_size=5)
judgements = st.dictionaries(st.sampled_from(QUERIES), grades_of, min_size=1, max_size=5)
blanks = st.sampled_from([" ", "\t", "  ", " \t "])


@settings(max_examples=150)
@given(
    run=runs,
    qrels=judgements,
    blank=blanks,
    relevant_from=st.sampled_from([1.0, 2.0]),
    seed=st.integers(0, 99),
)
def test_the_figures_are_trec_evals_own(
    run: dict[str, dict[str, float]],
    qrels: dict[str, dict[str, int]],
    blank: str,
    relevant_from: float,
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    if not run.keys() & qrels.keys():
        return
    folder = tmp_path_factory.mktemp("trec")
    random = np.random.default_rng(seed)
    # Lines in any order, with ranks that say nothing: only scores count.
    lines = [
        blank.join([q, "Q0", p, str(random.integers(99)), repr(s), "us"])
        for q, c in run.items()
        for p, s in c.items()
    ]
    judged = [blank.join([q, "0", p, str(g)]) for q, c in qrels.items() for p, g in c.items()]
    (folder / "run").write_text("\r\n".join(random.permutation(lines)) + "\n\n", encoding="utf-8")
    (folder / "qrels").write_text("\n".join(random.permutation(judged)), encoding="utf-8")
    config = TREC_EVAL.model_copy(update={"cutoffs": (1, 3, 5), "relevant_from": relevant_from})
    joined = judge_run(read_run(folder / "run"), read_qrels(folder / "qrels"))
    ours = {row["query_id"]: row for row in evaluate(joined.pairs, config).iter_rows(named=True)}
    theirs = trec_eval(run, qrels, config)
    assert set(ours) == set(qrels)
    assert joined.absent_queries == len(qrels.keys() - run.keys())
    assert joined.unjudged_queries == len(run.keys() - qrels.keys())
    assert joined.negative == sum(grade < 0 for of in qrels.values() for grade in of.values())
    for query, row in ours.items():
        for column, name in means(config).items():
            expected = theirs[query][name] if query in theirs else 0.0
            assert row[column] == pytest.approx(expected, abs=1e-9), (query, column)


@given(run=runs, qrels=judgements)
def test_what_is_written_comes_back(
    run: dict[str, dict[str, float]],
    qrels: dict[str, dict[str, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("trec")
    frame = pl.DataFrame(
        [(q, p, s) for q, of in run.items() for p, s in of.items()],
        ["query_id", "product_id", "score"],
        orient="row",
    )
    judged = pl.DataFrame(
        [(q, p, float(g)) for q, of in qrels.items() for p, g in of.items()],
        ["query_id", "product_id", "grade"],
        orient="row",
    )
    write_run(frame, folder / "run", "mine")
    write_qrels(judged, folder / "qrels")
    back = read_run(folder / "run").sort("query_id", "product_id")
    assert back.equals(frame.sort("query_id", "product_id"))
    assert read_qrels(folder / "qrels").equals(judged)
    with (folder / "run").open() as file:
        theirs = pytrec_eval.parse_run(file)
    assert {q: dict(of) for q, of in theirs.items()} == run


def test_a_gzipped_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "run.gz").write_bytes(gzip.compress(b"q Q0 p 1 2.5 t\n"))
    assert read_run(tmp_path / "run.gz").rows() == [("q", "p", 2.5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q Q0 p 1 2.5 t\nq Q0 p 1 2.5\n", "run, line 2: expected 6 fields"),
        ("q Q0 p 1 2.5 t u\n", "line 1: expected 6 fields"),
        ("\n\nq Q0 p 1 high t\n", "line 3: expected a number, got 'high' as the score"),
        ("q Q0 p 1 nan t\n", "expected a number, got 'nan'"),
        (
            "q Q0 p 1 1 t\nq Q0 o 2 1 t\nq\tQ0\tp\t3\t0\tt\n",
            "line 3: expected each product once a query, got product 'p' again",
        ),
        ("", "expected rows, got an empty file"),
    ],
)
def test_a_broken_run_is_told_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "run").write_text(text)
    with pytest.raises(InputError) as caught:
        read_run(tmp_path / "run")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q 0 p\n", "expected 4 fields"),
        ("q 0 p good\n", "got 'good' as the grade"),
        ("q 0 p inf\n", "expected a finite grade"),
        ("q 0 p 1\nq 1 p 2\n", "product 'p' again under query 'q'"),
    ],
)
def test_broken_judgements_are_told_with_their_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text(text)
    with pytest.raises(InputError) as caught:
        read_qrels(tmp_path / "qrels")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("q 1", "p", 1.0), "ids without blanks, got 'q 1'"),
        (("q", "", 1.0), "ids without blanks, got ''"),
        (("q", "p", None), "got null or NaN"),
        (("q", "p", float("nan")), "got null or NaN"),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(
    row: tuple[Any, ...], message: str, tmp_path: Path
) -> None:
    columns = {"query_id": pl.String, "product_id": pl.String, "score": pl.Float64}
    with pytest.raises(InputError, match=message):
        write_run(pl.DataFrame([row], columns, orient="row"), tmp_path / "run", "mine")
    assert not list(tmp_path.iterdir())


def test_neither_is_a_tag_of_two_words_nor_half_a_grade(tmp_path: Path) -> None:
    run = pl.DataFrame({"query_id": ["q"], "product_id": ["p"], "score": [0.5]})
    for tag in ("", "my run"):
        with pytest.raises(InputError, match="a word without blanks"):
            write_run(run, tmp_path / "run", tag)
    with pytest.raises(InputError, match=r"whole grades, got 0\.5"):
        write_qrels(run.rename({"score": "grade"}), tmp_path / "qrels")
    assert not list(tmp_path.iterdir())


def test_files_of_other_queries_are_refused() -> None:
    run = pl.DataFrame({"query_id": ["1"], "product_id": ["p"], "score": [1.0]})
    with pytest.raises(InputError, match="got none: '1' in one, '01' in the other"):
        judge_run(run, pl.DataFrame({"query_id": ["01"], "product_id": ["p"], "grade": [1.0]}))
