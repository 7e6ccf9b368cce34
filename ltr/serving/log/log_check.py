"""A log of what was served against the run that served it: the same scores again, and features as in training."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.batch import QueryBatch
from features.errors import InputError
from features.sources.events.ubi import ubi_files
from ltr.data.dataset import Dataset
from ltr.data.doctor import Finding, finding
from ltr.data.sketch import Sketch, examine_shifts, shifts
from ltr.runs.record import SKETCH, read_json
from ltr.runs.sums import check_files, read_about
from ltr.serving.catalogue.shown_catalogue import Filter, Range
from ltr.serving.live.live_run import LiveRun
from ltr.serving.ranking import candidates_of

MOST = 500  # requests that are looked at, the latest ones
_TOP = "category_top"


@dataclass(frozen=True)
class Logged:
    """A request that can be made again: scores by product, as they were logged."""

    request_id: str
    text: str
    count: int
    total: int
    filters: Mapping[str, Filter]
    scores: Mapping[str, float]
    asked_at: datetime | None = None


def check_log(live: LiveRun, folder: Path) -> list[Finding]:
    """Findings of the data doctor on a server's log; a FAIL means that serving and evaluation differ.

    Raises InputError for a folder without a log, one without a request of this run, and a run without its sketch.
    """
    path = live.run.folder / SKETCH
    if not path.is_file():
        raise InputError(
            where=live.run.folder,
            expected=f"{SKETCH}: what its features looked like in training",
            got="none",
            cure="train the run again",
        )
    check_files(live.run.folder, read_about(live.run.folder), SKETCH)
    logged, passed_over = read_log(live, folder)
    queries, lists = replay(live, logged)
    data = live.run.dataset(live.builder.build(queries, lists).frame)
    scores = live.run.score_dataset(data, queries, live.builder)
    others = ", ".join(f"{count:,} {why}" for why, count in passed_over.most_common())
    evidence = f"{len(logged):,} requests looked at" + (f"; passed over: {others}" if others else "")
    return [
        Finding("PASS", "requests can be made again", evidence),
        *_compared(logged, data, scores),
        *examine_shifts(shifts(Sketch.from_dict(read_json(path)), data)),
        _unseen(live, data),
    ]


def read_log(live: LiveRun, folder: Path) -> tuple[list[Logged], Counter[str]]:
    """The latest requests of this run that can be made again, and why others cannot."""
    found: list[Logged] = []
    passed_over: Counter[str] = Counter()
    for line in _lines(folder):
        more = line.get("query_attributes") or {}
        why = _why_not(live, line, more)
        if why is not None:
            passed_over[why] += 1
            continue
        shown = zip(line["query_response_hit_ids"], more["scores"], strict=True)
        scores = {product: score for product, score in shown if score is not None}
        filters = {
            name: Range(**wanted) if isinstance(wanted, dict) else tuple(wanted)
            for name, wanted in (more.get("filters") or {}).items()
        }
        asked_at = datetime.fromisoformat(more["asked_at"]) if "asked_at" in more else None
        about = line["query_id"], line["user_query"], more["candidates"], more["total"]
        found.append(Logged(*about, filters, scores, asked_at))
    if not found:
        said = ", ".join(f"{count:,} {why}" for why, count in passed_over.most_common()) or "none at all"
        raise InputError(
            where=folder,
            expected=f"requests that {live.label} served",
            got=said,
            cure="name the log of this run's server, or the run that served",
        )
    return found[-MOST:], passed_over


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    """The lists of a log, in the order of its files, those carried into a store too."""
    carried = folder / "carried"
    names = [*(ubi_files(carried) if carried.is_dir() and any(carried.iterdir()) else []), *ubi_files(folder)]
    for path in sorted(names, key=lambda path: path.name):
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except ValueError:  # cut off: its server was killed
                    continue
                if isinstance(line, dict) and "user_query" in line and "action_name" not in line:
                    yield line


def _why_not(live: LiveRun, line: Mapping[str, Any], more: Mapping[str, Any]) -> str | None:
    """Why a request cannot be made again; None for one that can."""
    runs = more.get("run")
    counted = None if live.counted_until is None else live.counted_until.isoformat()
    reasons = {
        "of another run": live.label not in ([runs] if isinstance(runs, str) else runs or []),
        "mixed of several runs": bool(more.get("ranks")),
        "of nothing found": not line["query_response_hit_ids"],
        "over the catalogue as it was before": more.get("index") != live.index,
        "with other counts of events than the store has now": more.get("counted_until") != counted,
        "with a photo, which is not logged": bool(more.get("photo")) or line["user_query"] is None,
        "with a history, which is not logged": bool(more.get("history")),
        "degraded": bool(more.get("degraded")),
        "sorted by price or date, not scored": not more.get("scores"),
    }
    return next((why for why, holds in reasons.items() if holds), None)


def replay(live: LiveRun, logged: list[Logged]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """queries (query_id, text, at) and pairs: each request's candidates found again, as a table for evaluation."""
    queries = pl.DataFrame(
        {
            "query_id": [one.request_id for one in logged],
            "text": [one.text for one in logged],
            "at": pl.Series([one.asked_at for one in logged], dtype=pl.Datetime("us", "UTC")),
        }
    ).unique("query_id", keep="first", maintain_order=True)
    parts = []
    for one in logged:
        query = QueryBatch(pl.DataFrame({"query_id": [one.request_id], "text": [one.text]}))
        rows = candidates_of(live.builder, query, one.count, live.catalogue.within(one.filters))
        ids = live.builder.catalogue.product_ids.gather(rows)
        parts.append(
            pl.DataFrame({"query_id": pl.repeat(one.request_id, len(ids), eager=True), "product_id": ids})
        )
    return queries, pl.concat(parts).unique(maintain_order=True).sort("query_id", "product_id")


def _compared(logged: list[Logged], data: Dataset, scores: np.ndarray) -> Iterator[Finding]:
    """Whether the scores, and the sizes of the lists, are those that were logged."""
    again: dict[str, dict[str, float]] = {}
    keys = data.frame.select("query_id", "product_id").rows()
    for (query, product), score in zip(keys, scores.tolist(), strict=True):
        again.setdefault(query, {})[product] = score
    apart, count, sizes = [], 0, []
    for one in logged:
        found = again.get(one.request_id, {})
        if len(found) != one.total:
            sizes.append(f"{one.request_id}: {one.total} then, {len(found)} now")
        for product, score in one.scores.items():
            count += 1
            if found.get(product) != score:
                apart.append(f"{product} of request {one.request_id}: {score} then, {found.get(product)} now")
    cure = "serving and evaluation differ: compare the versions in run.json with those installed here"
    said = f"{count - len(apart):,} of {count:,} equal bit by bit" + (f"; {apart[0]}" if apart else "")
    yield finding("FAIL" if apart else "PASS", "scores are those that were served", said, cure)
    said = f"{len(logged) - len(sizes):,} of {len(logged):,} as long" + (f"; {sizes[0]}" if sizes else "")
    yield finding("FAIL" if sizes else "PASS", "lists are those that were served", said, cure)


def _unseen(live: LiveRun, data: Dataset) -> Finding:
    """Values of categorical columns among the candidates that training did not see: they count as missing."""
    products = live.catalogue.products.filter(
        pl.col("product_id").is_in(data.frame["product_id"].unique().implode())
    )
    found = []
    for feature in data.schema.features:
        column = feature.name.partition(".")[2]
        source = "category" if column == _TOP else column
        if feature.kind != "categorical" or source not in products.columns:
            continue
        values = products[source].cast(pl.String)
        values = values.str.split(" > ").list.first() if column == _TOP else values
        unseen = values.filter(~values.is_in(list(feature.categories))).drop_nulls()
        if len(unseen):
            found.append(
                f"{column}: {unseen.n_unique()} values of {len(unseen):,} products, such as {unseen[0]!r}"
            )
    evidence = "; ".join(found) or "none that training did not see"
    cure = "train again on the catalogue as it is now: such values count as missing"
    return finding("WARN" if found else "PASS", "categories are known", evidence, cure)
