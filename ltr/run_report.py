"""What of a run goes on its report's page."""

from __future__ import annotations

from pydantic import BaseModel

from ltr.config import Config
from ltr.evaluation import convention
from ltr.examples import Example, build_examples, choose_queries
from ltr.ladder import baseline_scores
from ltr.report import Report
from ltr.run_folder import RunRecord, versions


def report_of(config: Config, record: RunRecord) -> Report:
    collection = record.prepared.collection
    grades = record.data.grades
    return Report(
        title=f"{config.name}: {config.ranker.kind} ({config.ranker.objective})",
        command=record.command,
        convention=convention(config.evaluation),
        measurement=record.measured,
        facts=_facts(config, record),
        findings=record.findings,
        cleaning=[
            (s.table, s.step, s.rows, s.affected, s.action, s.example) for s in collection.steps if s.affected
        ],
        examples=_examples(record),
        grades=(float(grades.min()), float(max(grades.max(), grades.min() + 1))),
    )


def _examples(record: RunRecord) -> list[Example]:
    """None for a table of ready-made features (svmlight): it has no titles or photos to look at."""
    collection, measured = record.prepared.collection, record.measured
    if collection.given is not None:
        return []
    chosen = choose_queries(measured, list(baseline_scores(record.data)))
    return build_examples(chosen, record.data.frame, record.scores, measured.model, collection)


def _facts(config: Config, record: RunRecord) -> list[tuple[str, str]]:
    collection, fitted, schema = record.prepared.collection, record.fitted, record.data.schema
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
