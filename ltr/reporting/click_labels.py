"""Judgements from clicks on a self-contained page and on the console: can they be trusted, and what they rest on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from features.disk import write_whole
from ltr.clicks import Examination, LabelSettings
from ltr.clicks.examination import LEAST_KNOWN, LEAST_SHARE
from ltr.clicks.models import Judged
from ltr.config.output import write_json
from ltr.experiments.outcome import Bar, Check, Outcome, Table
from ltr.pipeline.events.labelling import Labelled
from ltr.reporting.experiments import experiment_page, print_outcome
from ltr.reporting.thumbnails import thumbnail

TITLE = "Judgements from clicks"
_FEW_LOTS = 0.01  # share of rows placed by lot, below which the check warns
_ASSUMES = {
    "places": "A product's worth to a query does not hang on why it stood where it stood, and a place is seen as "
    "often whatever stands there. Refuted by: examination that differs between methods, or a model that fits later "
    "days better.",
    "lots": "Where the place was drawn by lot, its propensity was logged truly; a place is seen as often whatever "
    "stands there.",
    "model": "Shoppers read and click as the model says. Refuted by: another model that fits later days better.",
    "naive": "Every row shown was seen. It seldom is: labels then repeat the order of the ranker that showed them.",
}


def outcome_of(found: Labelled, settings: LabelSettings) -> Outcome:
    """The verdict, its checks, tables and assumptions."""
    checks = tuple(_checks(found))
    figures = _figures(found)
    if found.labels is None or found.judgements is None:
        reasons = "; ".join(found.overlap.problems)
        return Outcome(
            "labels", TITLE, "cannot", reasons, checks, tables=(_left_out(found),), figures=figures
        )
    labels = found.labels
    clicked = labels.judgements["clicks"].sum()
    verdict = (
        f"{found.judgements.height:,} judgements from {found.lists:,} lists and {clicked:,} clicks, "
        f"views counted by {labels.counted.name}"
    )
    tables = [*_tables(found), _left_out(found)]
    bars = _bars(labels.counted.examination)
    return Outcome(
        "labels",
        TITLE,
        "yes",
        f"{verdict}; written to {settings.out.name}.",
        checks,
        (_ASSUMES[_way(found)],),
        tables,
        figures,
        bars,
        "chance that a place is seen",
    )


def _way(found: Labelled) -> str:
    counted = found.labels.counted if found.labels else None
    if counted is None or (counted.examination is None and counted.model is None):
        return "naive"
    if counted.model is not None:
        return "model"
    return "lots" if counted.examination and "lots" in counted.examination.method else "places"


def _checks(found: Labelled) -> Iterator[Check]:
    overlap = found.overlap
    yield Check(
        "products seen at several places",
        "PASS" if overlap.rows >= LEAST_SHARE else "FAIL",
        f"{overlap.rows:.1%} of rows are of pairs seen at two places or more ({LEAST_SHARE:.0%} are needed)",
    )
    yield Check(
        "places that can be compared",
        "PASS" if overlap.clicks >= LEAST_KNOWN else "FAIL",
        f"{overlap.clicks:.1%} of clicks are at places whose examination is known to ± 0.2 "
        f"({LEAST_KNOWN:.0%} are needed)",
    )
    yield Check(
        "places drawn by lot",
        "PASS" if overlap.by_lot >= _FEW_LOTS else "WARN",
        f"{overlap.by_lot:.1%} of rows have a logged propensity below 1; without exploration, why a product moved "
        "is not known",
    )
    labels = found.labels
    if labels is None:
        return
    yield Check(
        "clipped views",
        "PASS" if labels.clipped < 0.05 else "WARN",
        f"{labels.clipped:.1%} of clicks are at places that count as seen more often than they are",
    )
    if found.agreement is not None:
        low, high = found.agreement.interval
        yield Check(
            "agreement with people",
            "PASS" if low > 0 else "WARN",
            f"Kendall's tau within {found.agreement.queries:,} queries {found.agreement.kendall:.2f} "
            f"[{low:.2f}, {high:.2f}], Spearman of {found.agreement.pairs:,} pairs {found.agreement.spearman:.2f}; "
            + (
                "grades are on the human scale"
                if found.scaled
                else "their scale could not be fitted to the human one"
            ),
        )


def _tables(found: Labelled) -> Iterator[Table]:
    labels = found.labels
    if labels is None:
        return
    if labels.models:
        yield _models(labels.models)
    examination = labels.counted.examination
    if examination is not None:
        rows = [
            (place, *(None if np.isnan(value) else float(value) for value in values))
            for place, values in enumerate(zip(examination.seen, examination.error, strict=True), start=1)
        ]
        yield Table("How often each place is seen", ("place", "seen", "error"), rows, "The first place is 1.")
    views = labels.judgements["effective_size"]
    spread = [float(views.quantile(q) or 0.0) for q in (0.1, 0.5, 0.9)] if len(views) else [0.0] * 3
    prior = labels.prior
    yield Table(
        "What judgements rest on",
        ("figure", "value"),
        [
            ("views of a pair, a tenth has fewer", spread[0]),
            ("views of a pair, median", spread[1]),
            ("views of a pair, a tenth has more", spread[2]),
            ("prior: what a view earns", prior.mean),
            ("prior: views that it weighs as much as", prior.clicks + prior.passed),
            ("pairs left out for too few views", found.few),
        ],
    )


def _models(models: list[Judged]) -> Table:
    rows = [(one.name, one.log_likelihood, one.error, one.perplexity) for one in models]
    return Table(
        "Click models on later days",
        ("model", "log-likelihood a row", "error", "perplexity"),
        rows,
        "Fitted on the earlier three quarters of the days. Log-likelihood knows the clicks above (higher is better), "
        "perplexity does not (1 is best).",
    )


def _left_out(found: Labelled) -> Table:
    rows = [("rows shown", found.rows), *found.left_out.items()]
    return Table("What was read, and left out", ("what", "count"), rows)


def _bars(examination: Examination | None) -> list[Bar]:
    if examination is None:
        return []
    return [
        Bar(f"place {place}", float(seen), float(seen - 1.96 * error), float(seen + 1.96 * error))
        for place, (seen, error) in enumerate(zip(examination.seen, examination.error, strict=True), start=1)
        if not np.isnan(seen)
    ]


def _figures(found: Labelled) -> dict[str, Any]:
    overlap, labels = found.overlap, found.labels
    figures: dict[str, Any] = {
        "lists": found.lists,
        "rows": found.rows,
        "left_out": found.left_out,
        "rows_at_several_places": overlap.rows,
        "clicks_at_known_places": overlap.clicks,
        "rows_by_lot": overlap.by_lot,
    }
    if labels is not None and found.judgements is not None:
        examination = labels.counted.examination
        figures |= {
            "judgements": found.judgements.height,
            "views_counted_by": labels.counted.name,
            "examination": examination and examination.seen,
            "examination_error": examination and examination.error,
            "clipped": labels.clipped,
            "models": {one.key: one.log_likelihood for one in labels.models},
            "perplexity": {one.key: one.perplexity for one in labels.models},
        }
    if found.agreement is not None:
        figures["agreement"] = {"kendall": found.agreement.kendall, "spearman": found.agreement.spearman}
    return figures


def labels_page(found: Labelled, outcome: Outcome, command: str) -> str:
    """The whole page, with the pairs that clicks and people judge most differently."""
    rows = [] if found.differing is None else found.differing.to_dicts()
    pairs = [
        {
            "query_id": row["query_id"],
            "name": row.get("title") or row["product_id"],
            "photo": thumbnail(row.get("image")),
            "grade": f"{row['grade']:.2f}",
            "human": f"{row['human']:.2f}",
            "views": f"{row['effective_size']:,.0f}",
            "clicks": f"{row['clicks']:,}",
        }
        for row in rows
    ]
    photos = any(pair["photo"] for pair in pairs)
    return experiment_page(outcome, command, "labels.html", pairs=pairs, photos=photos)


def publish_labels(
    found: Labelled, settings: LabelSettings, command: str, as_json: str | None, html: Path | None
) -> Outcome:
    """To the console (or the record alone to stdout, where as_json is "-"), and to files."""
    outcome = outcome_of(found, settings)
    record = outcome.to_dict() | {"command": command}
    if as_json == "-":
        write_json(record)
    else:
        print_outcome(outcome)
        if as_json:
            write_whole(Path(as_json), json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    if html:
        write_whole(html, labels_page(found, outcome, command))
    return outcome
