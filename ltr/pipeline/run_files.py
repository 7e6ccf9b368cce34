"""Another ranker's results, in TREC's files: measured, tested and judged as a run of our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from features.errors import InputError
from features.sources.schema import Products, completed
from ltr.config.tree import lay_over, parse_config
from ltr.evaluation import (
    TREC_EVAL,
    EvaluationConfig,
    Measurement,
    Verdict,
    judge,
    judge_run,
    measure_lists,
    query_segments,
    read_qrels,
    read_run,
)


@dataclass(frozen=True)
class MeasuredFiles:
    """verdict: of the run against the baseline, where there is one; notes: what was left out or taken otherwise."""

    measured: Measurement
    evaluation: EvaluationConfig
    verdict: Verdict | None
    notes: list[str]


def measure_run_files(
    run: Path, qrels: Path, baseline: Path | None, overrides: Mapping[str, Any]
) -> MeasuredFiles:
    """Measure a run against judgements, and against another run of the same judgements.

    overrides: {"evaluation.key": value} over trec_eval's own conventions. A judged query that a run has nothing
    for counts with nothing found. Raises InputError for files that cannot be read, or share no query.
    """
    evaluation = _conventions(overrides)
    judgements = read_qrels(qrels)
    names = _distinct(run, baseline)
    lists, notes = {}, []
    for path, name in zip(filter(None, (run, baseline)), names, strict=True):
        joined = judge_run(read_run(path), judgements)
        lists[name] = joined.pairs
        if joined.unjudged_queries:
            notes.append(f"{name}: left out {joined.unjudged_queries:,} queries without judgements")
        if joined.absent_queries:
            notes.append(
                f"{name}: nothing for {joined.absent_queries:,} judged queries, which count as nothing found"
            )
    if negative := int((judgements["grade"] < 0).sum()):
        notes.append(f"{qrels.name}: {negative:,} grades below 0 count as 0")
    queries = judgements.select("query_id").unique().sort("query_id")
    measured = measure_lists(lists, queries, evaluation, names[0])
    verdict = _verdict(measured, names, judgements, evaluation) if baseline else None
    return MeasuredFiles(measured, evaluation, verdict, notes)


def _distinct(run: Path, baseline: Path | None) -> list[str]:
    """The systems' names: the files', or their whole paths where these are alike."""
    if baseline is None:
        return [run.name]
    if run == baseline:
        cure = "name the file of another run"
        raise InputError(where="--baseline-file", expected="another run", got=str(run), cure=cure)
    return [run.name, baseline.name] if run.name != baseline.name else [str(run), str(baseline)]


def _verdict(
    measured: Measurement, names: list[str], judgements: pl.DataFrame, evaluation: EvaluationConfig
) -> Verdict:
    judged = judgements.with_columns(pl.col("grade").clip(0))
    asked = judged.select("query_id").unique().with_columns(text=pl.lit(None, pl.String))
    products = completed(Products, judged.select("product_id").unique())
    segments = query_segments(asked, judged, products, evaluation.relevant_from)
    ours, theirs = (
        measured.per_query.filter(pl.col("system") == name).drop("system", "kind", "segment")
        for name in names
    )
    return judge((names[0], ours), (names[1], theirs), segments, evaluation)


def _conventions(overrides: Mapping[str, Any]) -> EvaluationConfig:
    others = [name for name in overrides if not name.startswith("evaluation.")]
    if others:
        raise InputError(
            where="command line",
            expected="--evaluation.KEY VALUE beside the files",
            got=f"--{others[0]}",
            cure="leave it out: the files say all else",
        )
    tree = {"name": "files", "data": {"kind": "demo"}, "evaluation": TREC_EVAL.model_dump(mode="json")}
    return parse_config(lay_over(tree, overrides), Path.cwd(), "command line").evaluation
