"""The first screen of a report: a sentence of verdict per kind of query, what each source adds, what got worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import polars as pl

from features.feature_schema import FeatureSchema
from ltr.data.kinds import FEWEST, UNKNOWN, in_order
from ltr.evaluation.baselines import rungs
from ltr.evaluation.gate import LEVEL, Verdict
from ltr.evaluation.per_query import EvaluationConfig
from ltr.evaluation.significance import compare, holm
from ltr.evaluation.systems import Measurement
from ltr.reporting.words import source_in_words, system_in_words

_ASKED = {
    "words": "Queries in words",
    "photo": "Photo queries",
    "words and photo": "Words and photo together",
    UNKNOWN: "All queries",
}


@dataclass(frozen=True)
class VerdictLine:
    """What the model is worth to one kind of query; says: better, worse, `within noise`, or `too few`.

    test: the columns of Comparison (a the model, b the baseline) with p_holm over the kinds; none for too few.
    """

    kind: str
    queries: int
    baseline: str
    says: str
    test: Mapping[str, Any]


@dataclass(frozen=True)
class AddedSource:
    """What a source adds to those before it in the ladder: the paired difference and its p, corrected over all."""

    source: str
    test: Mapping[str, Any]

    @property
    def beyond_noise(self) -> bool:
        return bool(self.test["p_holm"] < LEVEL)


def verdict_lines(verdict: Verdict, gains: pl.DataFrame) -> list[VerdictLine]:
    """A line for each kind of query. gains: as from `query_gains`."""
    kinds = in_order(gains["kind"])
    tests = {row["segment"]: row for row in verdict.kinds.iter_rows(named=True)}
    if len(kinds) == 1:
        tests = {kinds[0]: {**vars(verdict.overall), "p_holm": verdict.overall.p_value}}
    lines = []
    for kind in kinds:
        mine = gains.filter(kind=kind)
        test = tests.get(kind)
        says = "too few" if test is None or (len(kinds) > 1 and mine.height < FEWEST) else _says(test)
        name = _ASKED.get(kind, f"Queries by {kind}")
        lines.append(VerdictLine(name, mine.height, system_in_words(mine["baseline"][0]), says, test or {}))
    return lines


def _says(test: Mapping[str, Any]) -> str:
    if test["p_holm"] >= LEVEL:
        return "within noise"
    return "better" if test["difference"] > 0 else "worse"


def added_sources(
    measured: Measurement,
    schema: FeatureSchema,
    ladder: Sequence[str],
    config: EvaluationConfig,
    taught: str,
) -> list[AddedSource]:
    """Each step of the ladder against the one before it, on all queries; none where the ladder was not climbed.

    taught: what the model has more than its ranker alone, where both were measured.
    """
    steps = _steps(measured, schema, ladder, taught)
    tests = []
    for (before, _), (name, source) in pairwise(steps):
        ours, theirs = (measured.per_query.filter(system=system) for system in (name, before))
        found = compare(ours, theirs, measured.headline, config.bootstrap)
        tests.append((source, vars(found)))
    adjusted = holm([test["p_value"] for _, test in tests])
    return [
        AddedSource(source, {**test, "p_holm": p_holm})
        for (source, test), p_holm in zip(tests, adjusted, strict=True)
    ]


def _steps(
    measured: Measurement, schema: FeatureSchema, ladder: Sequence[str], taught: str
) -> list[tuple[str, str]]:
    """(system, what it has more than the one before) from the first rung to the full model."""
    climbed = rungs(schema, ladder)
    systems = set(measured.per_query["system"])
    held: list[str] = []
    steps = []
    for name, features in climbed.items():
        if name in systems:
            steps.append((name, _more(features, held)))
            held = features.groups
    alone = f"{measured.model} alone"
    if alone in systems:
        steps += [(alone, _more(schema, held)), (measured.model, taught)]
    elif steps:
        steps.append((measured.model, _more(schema, held)))
    return steps


def _more(features: FeatureSchema, held: Sequence[str]) -> str:
    return ", ".join(source_in_words(group) for group in features.groups if group not in held)
