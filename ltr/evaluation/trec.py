"""TREC's files: what a system retrieved (a run) and what was judged (qrels), read, written and joined.

A run's line is `query Q0 product rank score tag`, a judgement's `query iteration product grade`, parted by any
blanks. As trec_eval does, the order is taken from the scores, never from the rank column or the order of lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features.disk import write_whole
from features.errors import InputError
from features.feature_schema import KEYS
from features.sources.formats.readers import decode, read_bytes
from ltr.evaluation.per_query import EvaluationConfig

# The conventions by which the figures are trec_eval's own.
TREC_EVAL = EvaluationConfig(gain="linear", empty_queries="zero", ties="trec_eval")
_RUN = ("query_id", "Q0", "product_id", "rank", "score", "tag")
_QRELS = ("query_id", "iteration", "product_id", "grade")
_BLANKS = r"[ \t\r\f\v]+"  # what C calls space: an id may hold any other


def read_run(path: Path) -> pl.DataFrame:
    """query_id, product_id, score (Float64) of a run, in the order of its lines.

    Raises InputError for a line of other than six fields, a score that is no number, and a product that a query
    has twice.
    """
    return _once(_numbers(_fields(path, _RUN), "score", path), path).select(*KEYS, "score")


def read_qrels(path: Path) -> pl.DataFrame:
    """query_id, product_id, grade (Float64, below 0 where the file has it so) of judgements.

    Raises InputError for a line of other than four fields, a grade that is no finite number, and a product that a
    query has twice.
    """
    qrels = _numbers(_fields(path, _QRELS), "grade", path)
    _refuse(qrels, ~pl.col("grade").is_finite(), "grade", "a finite grade", path)
    return _once(qrels, path).select(*KEYS, "grade")


def write_run(run: pl.DataFrame, path: Path, tag: str) -> None:
    """Write query_id, product_id, score as a run, best first; scores come back to the last bit.

    Raises InputError for a key or tag that a blank would part, and a score that is null or NaN.
    """
    _check_words(run, path)
    if not tag or pl.Series([tag]).str.contains(r"\s").item():
        raise InputError(where="tag", expected="a word without blanks", got=repr(tag), cure="choose another")
    if run["score"].is_null().any() or run["score"].is_nan().any():
        raise InputError(
            where=path, expected="a score for each pair", got="null or NaN", cure="drop those rows"
        )
    ordered = run.sort("query_id", "score", "product_id", descending=[False, True, True])
    rank = pl.int_range(1, pl.len() + 1).over("query_id")
    # As Python writes numbers: as few digits as tell them apart.
    score = pl.col("score").cast(pl.Float64).map_elements(repr, return_dtype=pl.String)
    line = pl.format("{} Q0 {} {} {} {}", "query_id", "product_id", rank, score, pl.lit(tag))
    write_whole(path, "".join(f"{text}\n" for text in ordered.select(line).to_series()))


def write_qrels(judgements: pl.DataFrame, path: Path) -> None:
    """Write query_id, product_id, grade as judgements.

    Raises InputError for a key that a blank would part, and for a fraction, which trec_eval would cut off.
    """
    _check_words(judgements, path)
    whole = judgements.select(grade=pl.col("grade").cast(pl.Int64, strict=False))
    fraction = judgements.filter((whole["grade"] != judgements["grade"]).fill_null(value=True))
    if fraction.height:
        got = f"{fraction['grade'][0]} for query {fraction['query_id'][0]!r}"
        raise InputError(
            where=path, expected="whole grades", got=got, cure="multiply the grades, or round them"
        )
    line = pl.format("{} 0 {} {}", "query_id", "product_id", whole["grade"])
    write_whole(path, "".join(f"{text}\n" for text in judgements.select(line).to_series()))


@dataclass(frozen=True)
class JudgedRun:
    """A run beside judgements: `pairs` as `evaluate` takes them, all judged queries and no others.

    unjudged_queries: of the run, left out; absent_queries: judged, and not in the run: nothing found for them;
    negative: judgements below 0, taken as 0.
    """

    pairs: pl.DataFrame
    unjudged_queries: int
    absent_queries: int
    negative: int


def judge_run(run: pl.DataFrame, qrels: pl.DataFrame) -> JudgedRun:
    """Join a run (query_id, product_id, score) with judgements; InputError where they share no query."""
    judged, asked = (frame["query_id"].unique() for frame in (qrels, run))
    shared = asked.is_in(judged.implode()).sum()
    if not shared:
        raise InputError(
            where="run and judgements",
            expected="queries that both have",
            got=f"none: {asked[0]!r} in one, {judged[0]!r} in the other" if len(asked) else "an empty run",
            cure="name the run and the judgements of the same queries",
        )
    kept = run.filter(pl.col("query_id").is_in(judged.implode()))
    pairs = qrels.join(kept, on=KEYS, how="full", coalesce=True).with_columns(pl.col("grade").clip(0))
    return JudgedRun(
        pairs, len(asked) - int(shared), len(judged) - int(shared), int((qrels["grade"] < 0).sum())
    )


def _fields(path: Path, names: tuple[str, ...]) -> pl.DataFrame:
    """The file's lines as columns of text, and `line`, from 1; empty lines are passed over."""
    lines = pl.Series("text", decode(read_bytes(path), path).split("\n"), dtype=pl.String)
    parts = lines.str.strip_chars(" \t\r\f\v").str.replace_all(_BLANKS, " ")
    frame = pl.DataFrame({"text": parts}).with_row_index("line", offset=1).filter(pl.col("text") != "")
    counts = frame["text"].str.count_matches(" ", literal=True) + 1
    wrong = frame.filter(counts != len(names))
    if wrong.height:
        raise InputError(
            where=f"{path}, line {wrong['line'][0]}",
            expected=f"{len(names)} fields ({' '.join(names)})",
            got=repr(wrong["text"][0][:60]),
            cure="write one line a pair, fields parted by blanks",
        )
    split = pl.col("text").str.split_exact(" ", len(names) - 1).struct.rename_fields(list(names))
    return frame.select("line", split.alias("fields")).unnest("fields")


def _numbers(frame: pl.DataFrame, column: str, path: Path) -> pl.DataFrame:
    read = frame.with_columns(pl.col(column).str.to_lowercase().cast(pl.Float64, strict=False).alias("_read"))
    _refuse(read, pl.col("_read").is_null() | pl.col("_read").is_nan(), column, "a number", path)
    return read.with_columns(pl.col("_read").alias(column)).drop("_read")


def _refuse(frame: pl.DataFrame, bad: pl.Expr, column: str, expected: str, path: Path) -> None:
    rows = frame.filter(bad)
    if rows.height:
        got, cure = (
            f"{rows[column][0]!r} as the {column} ({rows.height:,} such lines)",
            "mend or drop those lines",
        )
        raise InputError(where=f"{path}, line {rows['line'][0]}", expected=expected, got=got, cure=cure)


def _once(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    again = frame.filter(~pl.struct(*KEYS).is_first_distinct())
    if again.height:
        got = f"product {again['product_id'][0]!r} again under query {again['query_id'][0]!r}"
        where = f"{path}, line {again['line'][0]}"
        raise InputError(where=where, expected="each product once a query", got=got, cure="keep one of them")
    return frame


def _check_words(frame: pl.DataFrame, path: Path) -> None:
    for key in KEYS:
        parted = frame.filter(pl.col(key).str.contains(r"\s|^$").fill_null(value=True))
        if parted.height:
            got = repr(parted[key][0])
            cure = f"write other ids: the fields of the file are parted by blanks ({key})"
            raise InputError(where=path, expected="ids without blanks", got=got, cure=cure)
