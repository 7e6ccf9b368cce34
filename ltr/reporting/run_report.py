"""What of a run goes on its report's page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel

from features.errors import InputError
from ltr.data.embedded import EmbeddedDataset
from ltr.evaluation.gate import Verdict, judge
from ltr.evaluation.per_query import convention
from ltr.evaluation.segments import query_segments
from ltr.explanation.contributions import reasons_for
from ltr.pipeline.prepare import embedded_dataset
from ltr.reporting.calibration import calibrate
from ltr.reporting.examples import Choice, Example, Reasons, build_examples, choose_queries
from ltr.reporting.query_gains import query_gains, query_lines
from ltr.reporting.report import Report, write_report
from ltr.runs.record import RunRecord, new_run, versions, write_json, write_run


def save_run(target: Path, record: RunRecord, more: Mapping[str, Any] | None = None) -> None:
    """The whole run folder with its report; more: JSON files beside, by name. An earlier run is set aside."""
    with new_run(target) as draft:
        write_run(draft, record)
        for name, value in (more or {}).items():
            write_json(draft / name, value)
        write_report(draft, report_of(record))


def report_of(record: RunRecord) -> Report:
    config, collection, measured = record.config, record.prepared.collection, record.measured
    grades = record.data.grades
    gains = query_gains(measured)
    return Report(
        title=f"{config.name}: {config.ranker.kind} ({config.ranker.objective})",
        command=record.command,
        convention=convention(config.evaluation),
        measurement=measured,
        facts=_facts(record),
        plain=measured.plain,
        verdict=_verdict(record, gains),
        gains=query_lines(gains, collection.queries),
        calibration=calibrate(record.data.frame, record.scores[measured.model], config.evaluation.bootstrap),
        importance=record.importance,
        robustness=record.robustness.points if record.robustness else (),
        robustness_says=record.robustness.findings if record.robustness else (),
        findings=record.findings,
        cleaning=[
            (s.table, s.step, s.rows, s.affected, s.action, s.example) for s in collection.steps if s.affected
        ],
        examples=_examples(record, gains),
        grades=(float(grades.min()), float(max(grades.max(), grades.min() + 1))),
    )


def _verdict(record: RunRecord, gains: pl.DataFrame) -> Verdict | None:
    """The model beside the best plain baseline of each query's kind; None where no query counts."""
    if not gains.height:
        return None
    config, collection, metric = record.config, record.prepared.collection, record.measured.headline
    judged = record.data.frame.join(gains, on="query_id", how="semi")
    segments = query_segments(
        collection.queries, judged, collection.products, config.evaluation.relevant_from
    )
    model, baseline = (gains.select("query_id", pl.col(name).alias(metric)) for name in ("after", "before"))
    return judge(
        (record.measured.model, model), ("the best plain baseline", baseline), segments, config.evaluation
    )


def _examples(record: RunRecord, gains: pl.DataFrame) -> list[Example]:
    """None for a table of ready-made features (svmlight): it has no titles or photos to look at."""
    collection = record.prepared.collection
    if collection.given is not None:
        return []
    chosen = choose_queries(gains)
    reasons = _reasons(record, chosen)
    shop = collection.queries, collection.products
    return build_examples(chosen, record.data.frame, record.scores, record.measured.model, shop, reasons)


def _reasons(record: RunRecord, chosen: list[Choice]) -> Reasons:
    """Of every candidate of the chosen queries, by the fold's model that did not see the query.

    None for a ranker that cannot be explained.
    """
    config, collection = record.config, record.prepared.collection
    rows = EmbeddedDataset(record.data)
    if config.embeddings is not None:
        rows = embedded_dataset(config, record.data, collection.queries, record.prepared.builder)
    wanted = {choice.query_id for choice in chosen}
    found: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for model, fold in zip(record.fitted.models, record.folds, strict=True):
        places = rows.rows_of([query for query in fold.test if query in wanted])
        keys = record.data.frame.select("query_id", "product_id")[places].rows()
        try:
            found |= zip(keys, reasons_for(model, rows, places.tolist()), strict=True) if keys else ()
        except InputError:  # the page says so, where it speaks of importance
            return {}
    return found


def _facts(record: RunRecord) -> list[tuple[str, str]]:
    config, collection = record.config, record.prepared.collection
    fitted, schema = record.fitted, record.data.schema
    sizes = (
        f"{collection.products.height:,} products",
        f"{collection.queries.height:,} queries",
        f"{collection.judgements.height:,} judgements",
    )
    return [
        ("data", ", ".join(sizes)),
        ("features", f"{len(schema.features)} in groups {', '.join(schema.groups)}"),
        ("split", f"{_settings(config.split)}; {len(record.folds)} split(s)"),
        ("ranker", _settings(config.ranker)),
        ("trees kept", ", ".join(str(count) for count in fitted.best_iterations)),
        ("fitting", f"{fitted.seconds:.1f} s"),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions().items())),
        ("data fingerprints", ", ".join(f"{k} {v[:12]}" for k, v in collection.fingerprints.items())),
    ]


def _settings(config: BaseModel) -> str:
    """`name value` of every setting that says something."""
    values = config.model_dump(mode="json").items()
    return ", ".join(f"{name} {value}" for name, value in values if value not in (None, {}, []))
