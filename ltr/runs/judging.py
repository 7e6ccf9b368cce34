"""What to judge next of one run, or of two that are compared: for the command, and for whoever shows it to judges."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from features.errors import InputError
from ltr.evaluation.per_query import headline_metric
from ltr.pipeline.judging import judge_next
from ltr.pipeline.prepare import load_collection
from ltr.runs.record import SHOWN
from ltr.runs.saved_run import SavedRun
from ltr.runs.sums import SUMS, read_about


def next_to_judge(
    folder: Path, against: Path | None, count: int, judgements: pl.DataFrame | None = None
) -> pl.DataFrame:
    """The products to judge, most telling first, with their words: see `ltr.pipeline.judging.judge_next`.

    judgements: query_id, product_id, grade, made since; they count as judged. Adds the text of the `query` and the
    product's `title` where they are known, so that the file can be read as judgements once it has grades. Raises
    InputError for a run on judged lists, or runs without a query in common.
    """
    if count < 1:
        raise InputError(where="--count", expected="1 or more", got=str(count), cure="raise it")
    run = SavedRun.open(folder)
    shown, other = _shown(run), None if against is None else _shown(SavedRun.open(against))
    if other is not None and shown.join(other, on="query_id", how="semi").is_empty():
        got, cure = "none in common", "compare runs over the same queries"
        raise InputError(where=f"{folder}, {against}", expected="queries of both runs", got=got, cure=cure)
    collection = load_collection(run.config)
    judged = collection.judgements.select("query_id", "product_id", "grade")
    if judgements is not None:
        judged = pl.concat([judgements.select(judged.columns).cast(judged.schema), judged])
        judged = judged.unique(["query_id", "product_id"], keep="first")
    evaluation = run.config.evaluation
    k = int(headline_metric(evaluation).split("@")[1])
    found = judge_next(shown, other, judged, count, k, evaluation.gain)
    texts = collection.queries.rename({"text": "query"}, strict=False)
    for table, key, column in ((texts, "query_id", "query"), (collection.products, "product_id", "title")):
        if column in table.columns:
            found = found.join(table.select(key, column), on=key, how="left", maintain_order="left")
    return found


def _shown(run: SavedRun) -> pl.DataFrame:
    if SHOWN not in read_about(run.folder)[SUMS]:
        got, cure = "a run on judged lists", "train it anew, with lists.kind: served, over a catalogue"
        raise InputError(where=run.folder, expected=f"a run with {SHOWN}", got=got, cure=cure)
    return run.table(SHOWN)
