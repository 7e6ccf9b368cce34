"""What of a run goes on its report's page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import BaseModel

from features.build import FeatureBuilder
from features.errors import InputError
from features.feature_schema import KEYS
from features.sources.config import CatalogueConfig
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.demo.shop import DemoShopConfig
from ltr.evaluation.baselines import baseline_scores
from ltr.evaluation.classification import Classification, classification, pooled
from ltr.evaluation.gate import Verdict, judge
from ltr.evaluation.per_query import convention
from ltr.evaluation.segments import query_segments
from ltr.evaluation.shown import shown_convention
from ltr.evaluation.systems import BEST
from ltr.evaluation.tracking import track
from ltr.evaluation.training_noise import BAGS, SPLIT
from ltr.explanation.contributions import reasons_for
from ltr.pipeline.fitting import embed
from ltr.pipeline.prepare import embedded_dataset
from ltr.rankers import Classifier
from ltr.reporting.run_page.calibration import calibrate
from ltr.reporting.run_page.examples import Candidates, Example, Reasons, build_examples, choose_queries
from ltr.reporting.run_page.first_screen import added_sources, verdict_lines
from ltr.reporting.run_page.query_gains import query_gains, query_lines
from ltr.reporting.run_page.report import Report, write_report
from ltr.runs.record import RunRecord, commit_of, new_run, versions, write_json, write_run
from ltr.training.anchoring import by_itself, describe, leans_on
from ltr.training.click_strategies import SURE


def save_run(target: Path, record: RunRecord, more: Mapping[str, Any] | None = None) -> None:
    """The whole run folder with its report; more: JSON files beside, by name. An earlier run is set aside.

    Then its figures go to MLflow, where the config names an address.
    """
    with new_run(target) as draft:
        write_run(draft, record)
        for name, value in (more or {}).items():
            write_json(draft / name, value)
        write_report(draft, report_of(record))
    track(target, record.config.tracking, record.config.name)


def report_of(record: RunRecord) -> Report:
    config, collection, measured = record.config, record.prepared.collection, record.measured
    grades = record.data.grades
    gains = query_gains(measured)
    verdict = _verdict(record, gains)
    rows = embed(config, record.prepared, record.data)
    shown = record.shown.measured if record.shown else None
    return Report(
        title=f"{config.name}: {config.ranker.kind} ({config.ranker.objective})",
        command=record.command,
        convention=convention(config.evaluation),
        measurement=measured,
        facts=_facts(record),
        about=_about(record),
        verdict=verdict,
        lines=verdict_lines(verdict, gains) if verdict else (),
        added=added_sources(measured, record.data.schema, config.ladder, config.evaluation, _taught(record)),
        gains=query_lines(gains, collection.queries),
        classified=_classified(record, rows),
        calibration=calibrate(record.data.frame, record.scores[measured.model], config.evaluation.bootstrap),
        importance=record.importance,
        robustness=record.robustness.points if record.robustness else (),
        robustness_says=record.robustness.findings if record.robustness else (),
        findings=record.findings,
        cleaning=[
            (s.table, s.step, s.rows, s.affected, s.action, s.example) for s in collection.steps if s.affected
        ],
        examples=_examples(record, gains, rows),
        shown=shown,
        shown_convention=shown_convention(config.evaluation, set(shown.summary["metric"]) if shown else ()),
        grades=(float(grades.min()), float(max(grades.max(), grades.min() + 1))),
    )


def _about(record: RunRecord) -> list[tuple[str, str]]:
    """When, of what, from which state of the files."""
    config, collection = record.config, record.prepared.collection
    return [
        ("made", f"{record.made_at:%Y-%m-%d %H:%M} UTC"),
        ("commit", commit_of(config.base) or "none: the folder is not under git"),
        (
            "data",
            f"{config.name}: {collection.products.height:,} products, {collection.queries.height:,} queries, "
            f"{collection.judgements.height:,} judgements",
        ),
    ]


def _verdict(record: RunRecord, gains: pl.DataFrame) -> Verdict | None:
    """The model beside the best baseline of each query's kind; None where no query counts."""
    if not gains.height:
        return None
    config, collection, metric = record.config, record.prepared.collection, record.measured.headline
    judged = record.data.frame.join(gains, on="query_id", how="semi")
    segments = query_segments(
        collection.queries, judged, collection.products, config.evaluation.relevant_from
    )
    model, baseline = (gains.select("query_id", pl.col(name).alias(metric)) for name in ("after", "before"))
    per_query = record.measured.per_query.filter(system=record.measured.model)
    known = [name for name in (SPLIT, BAGS) if name in per_query.columns]
    model = model.join(per_query.select("query_id", *known), on="query_id", maintain_order="left")
    return judge((record.measured.model, model), (BEST, baseline), segments, config.evaluation)


def _classified(record: RunRecord, rows: EmbeddedDataset) -> Classification | None:
    """How well a pointwise ranker tells grades apart on queries it has not seen; None for any other."""
    parts = []
    for model, fold in zip(record.fitted.models, record.folds, strict=True):
        ranker = by_itself(model.ranker)
        if not isinstance(ranker, Classifier):
            return None
        data = model.extend(rows.take(fold.test))
        parts.append(classification(data.grades, ranker.probabilities(data), ranker.classes))
    return pooled(parts)


def _examples(record: RunRecord, gains: pl.DataFrame, rows: EmbeddedDataset) -> list[Example]:
    """None for a table of ready-made features (svmlight): it has no titles or photos to look at."""
    config, collection, chosen = record.config, record.prepared.collection, choose_queries(gains)
    if collection.given is not None or not chosen:
        return []
    builder = record.prepared.builder
    asked = collection.queries.filter(pl.col("query_id").is_in([choice.query_id for choice in chosen]))
    judged = Candidates(record.data.frame, record.scores, _reasons(record, rows, asked))
    shop = collection.queries, collection.products
    currency = currency_of(config.data)
    searched = _searched(record, builder, asked)
    return build_examples(chosen, record.measured.model, shop, judged, searched, currency)


def currency_of(data: object) -> str:
    """What the catalogue's prices are in, where its settings say."""
    if isinstance(data, DemoShopConfig):
        return data.currency
    products = data.products if isinstance(data, CatalogueConfig) else None
    return (products.currency if products else None) or ""


def _searched(record: RunRecord, builder: FeatureBuilder, asked: pl.DataFrame) -> Candidates | None:
    """What retrieval gives for these queries, scored by the baselines and by the model that did not see the query.

    None where a query finds nothing at all.
    """
    config = record.config
    pairs = builder.candidates(asked, config.lists.candidates)
    if pairs["query_id"].n_unique() < asked.height:
        return None
    schema = record.data.schema
    table = builder.build(asked, pairs).frame
    data = Dataset.from_frame(table.select(*KEYS, *schema.names), schema)
    rows = embedded_dataset(config, data, asked, builder)
    scores = np.full(data.frame.height, np.nan)
    for model, fold in zip(record.fitted.models, record.folds, strict=True):
        tested = [query for query in data.query_ids if query in set(fold.test)]
        if tested:
            scores[rows.rows_of(tested)] = model.score(rows.take(tested))
    known = record.data.frame.select(*KEYS, "grade")
    graded = data.frame.select(KEYS).join(known, on=KEYS, how="left", maintain_order="left")
    systems = baseline_scores(Dataset.from_frame(table)) | {record.measured.model: scores}
    return Candidates(graded, systems, _reasons(record, rows, asked))


def _reasons(record: RunRecord, rows: EmbeddedDataset, asked: pl.DataFrame) -> Reasons:
    """Of every row of these queries, by the fold's model that did not see the query.

    None for a ranker that cannot be explained.
    """
    wanted = set(asked["query_id"])
    found: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for model, fold in zip(record.fitted.models, record.folds, strict=True):
        places = rows.rows_of([query for query in fold.test if query in wanted])
        keys = rows.data.frame.select(KEYS)[places].rows()
        try:
            found |= zip(keys, reasons_for(model, rows, places.tolist()), strict=True) if keys else ()
        except InputError:  # the page says so, where it speaks of importance
            return {}
    return found


def _facts(record: RunRecord) -> list[tuple[str, str]]:
    config, collection = record.config, record.prepared.collection
    fitted, schema = record.fitted, record.data.schema
    lists = f"{record.config.lists.candidates} candidates a query" if record.shown else "the judged products"
    return [
        ("lists", lists),
        ("features", f"{len(schema.features)} in groups {', '.join(schema.groups)}"),
        ("split", f"{_settings(config.split)}; {len(record.folds)} split(s)"),
        ("ranker", _settings(config.ranker)),
        *([("shown lists train", clicks_in_words(record))] if record.kept.choice else []),
        *([("the kept model", leaning)] if (leaning := describe(record.kept.ranker)) else []),
        ("trees kept", ", ".join(str(count) for count in fitted.best_iterations)),
        ("fitting", f"{fitted.seconds:.1f} s"),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions().items())),
        ("data fingerprints", ", ".join(f"{k} {v[:12]}" for k, v in collection.fingerprints.items())),
    ]


def _taught(record: RunRecord) -> str:
    """What the full model has more than its ranker alone."""
    anchors = dict.fromkeys(name for model in record.fitted.models for name in leans_on(model.ranker))
    other = ["other data"] if record.config.train.also or record.kept.choice else []
    return " and ".join([*(["leaning on " + " or ".join(anchors)] if anchors else []), *other])


def clicks_in_words(record: RunRecord) -> str:
    """Which strategy the kept model learned by, why, and which each split chose of its own training queries."""
    choice = record.kept.choice
    tried = (
        "; ".join(
            f"{one.strategy} {one.gain:+.3f} ± {SURE * one.error:.3f}" for one in choice.tried if one.error
        )
        if choice
        else ""
    )
    splits = Counter(model.choice.strategy for model in record.fitted.models if model.choice)
    by_split = ", ".join(f"{name} in {count}" for name, count in splits.items())
    beside = f"; against naive on held-out queries: {tried}" if tried else ""
    return f"{choice}{beside}; by split: {by_split}"


def _settings(config: BaseModel) -> str:
    """`name value` of every setting that says something."""
    values = config.model_dump(mode="json").items()
    return ", ".join(f"{name} {value}" for name, value in values if value not in (None, {}, []))
