"""What to judge next of one run, or of two that are compared: for the command, and for whoever shows it to judges."""

from __future__ import annotations

import logging
from pathlib import Path

import polars as pl

from features.errors import InputError
from features.sources.load import Collection
from ltr.evaluation.per_query import headline_metric
from ltr.pipeline.judging import judge_next
from ltr.pipeline.prepare import load_collection
from ltr.runs.record import SHOWN
from ltr.runs.saved_run import SavedRun
from ltr.runs.sums import SUMS, read_about

log = logging.getLogger(__name__)


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
    shown, other, collection = _shown(run), None, load_collection(run.config)
    if against is not None:
        theirs = SavedRun.open(against)
        shown, other = _of_both(run, shown, theirs, _shown(theirs), collection)
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


def _of_both(
    run: SavedRun, shown: pl.DataFrame, theirs: SavedRun, other: pl.DataFrame, collection: Collection
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What both show of the queries that are the same in both, not by their ids alone: another shop's may be alike."""
    both = shown.join(other, on="query_id", how="semi")["query_id"].unique()
    same = both
    if theirs.config.data != run.config.data:
        ours, others = collection.queries, load_collection(theirs.config).queries
        asked = [
            name
            for name in ("query_id", "text", "image_hash")
            if name in ours.columns and name in others.columns
        ]
        same = ours.join(others, on=asked, how="semi", nulls_equal=True)["query_id"]
    same = both.filter(both.is_in(same.implode()))
    if same.is_empty():
        got = (
            f"none in common{f', but {len(both):,} ids of queries that ask something else' * bool(len(both))}"
        )
        cure = "compare runs over the same queries"
        where = f"{run.folder}, {theirs.folder}"
        raise InputError(where=where, expected="queries of both runs", got=got, cure=cure)
    if len(same) < len(both):
        log.warning(
            "left out %s of %s queries, which ask something else in the two runs",
            *(f"{count:,}" for count in (len(both) - len(same), len(both))),
        )
    kept = pl.DataFrame({"query_id": same})
    return shown.join(kept, on="query_id", how="semi"), other.join(kept, on="query_id", how="semi")


def _shown(run: SavedRun) -> pl.DataFrame:
    if SHOWN not in read_about(run.folder)[SUMS]:
        got, cure = "a run on judged lists", "train it anew, with lists.kind: served, over a catalogue"
        raise InputError(where=run.folder, expected=f"a run with {SHOWN}", got=got, cure=cure)
    return run.table(SHOWN)
