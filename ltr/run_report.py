"""What of a run goes on its report's page."""

from __future__ import annotations

from features.load import Collection
from ltr.config import Config
from ltr.evaluation import convention
from ltr.examples import build_examples, choose_queries
from ltr.report import Report
from ltr.run_folder import RunRecord, versions

BASELINE_ORDER = ("BM25", "text cosine", "photo cosine", "random")


def report_of(config: Config, record: RunRecord) -> Report:
    baseline = next((name for name in BASELINE_ORDER if name in record.scores), record.measured.model)
    collection = record.prepared.collection
    grades = record.data.grades
    return Report(
        title=f"{config.name}: {config.ranker.kind} ({config.ranker.objective})",
        command=record.command,
        convention=convention(config.evaluation),
        measurement=record.measured,
        facts=_facts(config, record),
        findings=record.findings,
        cleaning=[(s.table, s.step, s.rows, s.affected, s.action, s.example) for s in collection.steps if s.affected],
        examples=_examples(record, baseline),
        baseline=baseline,
        grades=(float(grades.min()), float(max(grades.max(), grades.min() + 1))),
    )


def _examples(record: RunRecord, baseline: str) -> list:
    collection, measured = record.prepared.collection, record.measured
    if not _can_be_shown(collection):
        return []
    return build_examples(
        choose_queries(measured.per_query, measured.model, baseline, measured.headline),
        record.data.frame,
        {"baseline": record.scores[baseline], "model": record.scores[measured.model]},
        collection.queries,
        collection.products,
    )


def _can_be_shown(collection: Collection) -> bool:
    """A table of ready-made features (svmlight) has no titles or photos to look at."""
    return collection.given is None


def _facts(config: Config, record: RunRecord) -> list[tuple[str, str]]:
    collection, fitted = record.prepared.collection, record.fitted
    split = config.split.model_dump(mode="json")
    return [
        ("data", f"{collection.products.height:,} products, {collection.queries.height:,} queries, "
                 f"{collection.judgements.height:,} judgements"),
        ("features", f"{len(record.data.schema.features)} in groups {', '.join(record.data.schema.groups)}"),
        ("split", f"{', '.join(f'{key} {value}' for key, value in split.items())}; {len(record.folds)} split(s)"),
        ("ranker", ", ".join(f"{k} {v}" for k, v in config.ranker.model_dump(mode="json").items() if v not in (None, {}, []))),
        ("trees kept", ", ".join(str(count) for count in fitted.best_iterations)),
        ("fitting", f"{fitted.seconds:.1f} s"),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions().items())),
        ("data fingerprints", ", ".join(f"{k} {v[:12]}" for k, v in collection.fingerprints.items())),
    ]  # fmt: skip
