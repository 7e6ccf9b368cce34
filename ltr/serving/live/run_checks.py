"""Whether a run may serve: its files, its features over this catalogue, and queries whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from features.errors import InputError
from features.sources.formats.readers import read_table
from ltr.evaluation import evaluate, summarise
from ltr.pipeline.prepare import load_collection
from ltr.runs.record import read_json
from ltr.runs.sums import check_files, read_about
from ltr.serving.live.live_run import LiveRun
from ltr.serving.ranking import best_first, candidates_of

_QUERIES = 200  # of the run's own, whose judged lists are ranked again
_SLACK = 0.05  # of nDCG, below the held-out interval: other queries than those it was measured on


def check_run(live: LiveRun, golden: Path | None) -> list[str]:
    """What was checked, a line each. Raises InputError for the first check that fails."""
    return [
        check_sums(live),
        check_features(live),
        check_own_queries(live),
        *([check_golden(live, golden)] if golden else []),
    ]


def check_catalogue(live: LiveRun, golden: Path | None) -> list[str]:
    """As `check_run`, of the run that serves over a catalogue that changed."""
    return [check_features(live), *([check_golden(live, golden)] if golden else [])]


def check_sums(live: LiveRun) -> str:
    """Every file of the run is as it was written."""
    about = read_about(live.run.folder)
    names = [name for name in about["sha256"] if (live.run.folder / name).exists()]
    check_files(live.run.folder, about, *names)
    return f"{len(names)} files as they were written"


def check_features(live: LiveRun) -> str:
    """Every feature that the model was trained on can be made of this catalogue by these encoders."""
    made = {feature.name for group in live.builder.groups.values() for feature in group.features}
    absent = [name for name in live.run.schema.names if name not in made]
    if absent:
        raise InputError(
            where=live.run.folder,
            expected=f"its {len(live.run.schema.names)} features over this catalogue",
            got=f"{len(absent)} that cannot be made, such as {absent[0]!r}",
            cure="check the catalogue's columns and the encoders, or train again",
        )
    return f"{len(made)} features as the model was trained on"


def check_own_queries(live: LiveRun) -> str:
    """Judged lists of its own queries, ranked as served, are no worse than the interval of its held-out measure."""
    run = live.run
    judged = run.table("scores.parquet").select("query_id", "product_id", "grade")
    queries = load_collection(run.config).queries
    known = judged.filter(pl.col("product_id").is_in(live.builder.catalogue.product_ids.implode()))
    relevant = known.filter(pl.col("grade") > 0)["query_id"].unique().sort()
    chosen = queries.filter(pl.col("query_id").is_in(relevant.implode())).sort("query_id").head(_QUERIES)
    pairs = known.filter(pl.col("query_id").is_in(chosen["query_id"].implode()))
    scores = run.score(live.builder, chosen, pairs)
    if not np.isfinite(scores).all():
        raise _fails(
            live, "finite scores", f"{int((~np.isfinite(scores)).sum())} that are not", "its queries"
        )
    metrics = read_json(run.folder / "metrics.json")
    row = next(
        row
        for row in metrics["summary"]
        if row["system"] == metrics["model"] and row["metric"] == metrics["headline"]
    )
    measured = evaluate(pairs.with_columns(score=pl.Series(scores)), run.config.evaluation)
    summary = summarise(measured, run.config.evaluation).filter(metric=metrics["headline"])
    found = float(summary["mean"][0])
    least = row["low"] - _SLACK
    if found < least:
        expected = f"{metrics['headline']} of {least:.3f} or more, as it was measured held out"
        raise _fails(live, expected, f"{found:.3f} on {chosen.height} of its own queries", "its queries")
    return f"{metrics['headline']} {found:.3f} on {chosen.height} of its own queries ({least:.3f} or more expected)"


def check_golden(live: LiveRun, file: Path) -> str:
    """Golden queries: a table of query, product_id, top; each product stands among the first `top`."""
    table = read_table(file)
    absent = [name for name in ("query", "product_id", "top") if name not in table.columns]
    if absent:
        got = f"no column {absent[0]!r}"
        raise InputError(
            where=file, expected="columns query, product_id, top", got=got, cure="write a row a product"
        )
    missed = []
    for query, product, top in table.select("query", "product_id", "top").rows():
        first = _first(live, str(query), int(top))
        if str(product) not in first:
            missed.append(f"{product!r} for {query!r} is not among the first {top}")
    if missed:
        raise _fails(
            live,
            f"{table.height} golden products in their places",
            f"{len(missed)} missed: {missed[0]}",
            file,
        )
    return f"{table.height} golden products in their places"


def _first(live: LiveRun, words: str, top: int) -> Sequence[str]:
    query = live.query(words, None, "golden")
    rows = candidates_of(live.builder, query, live.run.config.lists.candidates)
    if not len(rows):
        return []
    order = best_first(rows, live.run.score_list(live.builder, query, rows))
    return live.builder.catalogue.product_ids.gather(rows[order[:top]]).to_list()


def _fails(live: LiveRun, expected: str, got: str, what: object) -> InputError:
    return InputError(
        where=f"{live.run.folder}, {what}",
        expected=expected,
        got=got,
        cure="the run that serves stays; look at this one's report, or train again",
    )
