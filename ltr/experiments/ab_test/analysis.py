"""The whole of an A/B test: the sample ratio first, then metrics, guardrails, segments, and one verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.errors import InputError
from ltr.evaluation.significance import holm
from ltr.experiments.ab_test.arms import Arms, read_arms
from ltr.experiments.ab_test.calibration import false_alarms
from ltr.experiments.ab_test.comparison import Compared, How, compare_arms
from ltr.experiments.ab_test.sample_ratio import REFUSE, planned_shares, sample_ratio
from ltr.experiments.ab_test.settings import AbSettings
from ltr.experiments.ab_test.tables import bars, metric_table, segment_table, versions_table
from ltr.experiments.columns import Columns, FloatArray, pairs
from ltr.experiments.estimates import Difference, mean_of
from ltr.experiments.looks import Looks
from ltr.experiments.metrics import Metric, UnitValues, parse_metric
from ltr.experiments.outcome import Check, Outcome, State, Table, failed, refused
from ltr.experiments.served_log import searches_of_log

TITLE = "A/B test"
ASSUMPTIONS = (
    "A unit's outcome depends on its own arm only (no spill-over between units). Refuted by: nothing in this "
    "table; think of shared stock, prices and accounts.",
    "Units were assigned at random in the planned shares. Refuted by: the sample ratio.",
    "Units are independent of each other; rows of one unit need not be (delta method). Refuted by: A/A splits.",
    "The mean of the difference is close to normal. Refuted by: its skewness, and A/A splits.",
)


@dataclass(frozen=True)
class Test:
    """What was compared: the deciding metric, the others, and the deciding one by segment."""

    deciding: list[Compared]
    others: list[Compared]
    segments: list[tuple[str, str, Compared]]
    checks: list[Check]

    @property
    def all(self) -> list[Compared]:
        return [*self.deciding, *self.others]


def analyse_ab(settings: AbSettings, table: Columns | None = None) -> Outcome:
    """Read and judge; a failed sample ratio or too little data ends it before any metric is shown."""
    if table is None and settings.data.is_dir():
        settings, table = settings.of_served_log(), Columns(searches_of_log(settings.data), settings.data)
    table = table or Columns.read(settings.data)
    times = (settings.at, settings.exposed_at) if settings.at and settings.exposed_at else ()
    metrics = _metrics(settings)
    arms = read_arms(table, settings.arm, settings.unit, settings.control, times)
    shares = planned_shares(arms.names, pairs(settings.allocation, "allocation"))
    checks = [sample_ratio(arms.counts(), shares), *arms.checks]
    if failed(checks):
        return refused("ab", TITLE, checks, assumptions=ASSUMPTIONS, figures={"units": arms.counts()})
    test = _compare(settings, arms, metrics, shares)
    checks += test.checks
    return _outcome(settings, arms, test, checks)


def _metrics(settings: AbSettings) -> list[Metric]:
    metrics = [parse_metric(text, settings.lower) for text in settings.metric]
    names = [metric.name for metric in metrics]
    asked = {
        "--lower": settings.lower,
        "--guardrail": settings.guardrail,
        "--before": tuple(pairs(settings.before, "before")),
    }
    for option, wanted in asked.items():
        for name in wanted:
            if name not in names:
                raise InputError(
                    where=option,
                    expected=f"one of the metrics {', '.join(names)}",
                    got=repr(name),
                    cure="name a metric",
                )
    if len(set(names)) < len(names):
        raise InputError(
            where="--metric", expected="different names", got=", ".join(names), cure="name each: NAME=…"
        )
    return metrics


def _compare(settings: AbSettings, arms: Arms, metrics: Sequence[Metric], shares: dict[str, float]) -> Test:
    looks = settings.shared_by(len(arms.names) - 1)
    how = How(looks, settings.cap, settings.decide_by)
    covariates = pairs(settings.before, "before")
    compared: list[list[Compared]] = []
    checks: list[Check] = []
    segments: list[tuple[str, str, Compared]] = []
    for metric in metrics:
        values, missing = arms.values(metric)
        before = arms.before(metric, covariates.get(metric.name))
        checks += [*_missing(arms, values, missing), *_balance(arms, metric, before)]
        compared.append(
            [
                compare_arms(values, arms.arm, {0: arms.names[0], place: name}, before, how)
                for place, name in enumerate(arms.names)
                if place
            ]
        )
        if metric is metrics[0]:
            for column in settings.segment:
                checks.append(_segment_ratio(arms, column, shares))
                segments += _by_segment(
                    arms, column, values, before, How(Looks(), settings.cap, settings.decide_by)
                )
        if settings.a_a:
            alarms = false_alarms(values, settings.a_a, settings.level, settings.seed)
            checks.append(Check(f"A/A, {metric.name}", alarms.check.state, alarms.check.evidence))
    checks += [c.check for group in compared for c in group]
    return Test(compared[0], [c for group in compared[1:] for c in group], segments, checks)


def _missing(arms: Arms, values: UnitValues, missing: int) -> Iterator[Check]:
    if not missing:
        return
    present = np.zeros(arms.units)
    present[values.units] = 1
    sides = [mean_of(present[arms.arm == place]) for place in range(len(arms.names))]
    uneven = any(Difference(sides[0], side).p_value < REFUSE for side in sides[1:])
    more = "; the arms differ in this, so what is left is no fair comparison" if uneven else ""
    evidence = f"{missing:,} of {arms.units:,} units lack a value and are left out{more}"
    yield Check(f"missing, {values.metric.name}", "FAIL" if uneven else "WARN", evidence)


def _balance(arms: Arms, metric: Metric, before: FloatArray | None) -> Iterator[Check]:
    """A covariate from before exposure cannot differ between the arms but by chance."""
    if before is None:
        return
    known = ~np.isnan(before)
    sides = [before[known & (arms.arm == place)] for place in range(len(arms.names))]
    if min(len(side) for side in sides) < 2:
        return
    control = mean_of(sides[0])
    p_value = min(Difference(control, mean_of(side)).p_value for side in sides[1:])
    state: State = "FAIL" if p_value < REFUSE else "PASS"
    meaning = "it was touched by the treatment, or the arms are not random" if state == "FAIL" else "balanced"
    yield Check(
        f"covariate, {metric.name}",
        state,
        f"known of {known.mean():.0%} of the units; p = {p_value:.2g}: {meaning}",
    )


def _segment_ratio(arms: Arms, column: str, shares: dict[str, float]) -> Check:
    segment = arms.segment(column).to_numpy()
    names = list(dict.fromkeys(segment.tolist()))
    found = [(name, sample_ratio(arms.counts(segment == name), shares)) for name in names]
    bad = [f"{name}: {check.evidence}" for name, check in found if check.state == "FAIL"]
    evidence = "; ".join(bad) or f"as planned in each of {len(names)} segments"
    return Check(f"sample ratio by {column}", "WARN" if bad else "PASS", evidence)


def _by_segment(
    arms: Arms, column: str, values: UnitValues, before: FloatArray | None, how: How
) -> Iterator[tuple[str, str, Compared]]:
    segment = arms.segment(column).to_numpy()
    for name in sorted(set(segment.tolist())):
        part = values.of(segment[values.units] == name)
        for place in range(1, len(arms.names)):
            names = {0: arms.names[0], place: arms.names[place]}
            yield column, name, compare_arms(part, arms.arm, names, before, how)


def _outcome(settings: AbSettings, arms: Arms, test: Test, checks: list[Check]) -> Outcome:
    looks = settings.shared_by(len(arms.names) - 1)
    tables, figures = _shown(settings, arms, test, looks)
    unsound = [check for check in failed(checks) if check.name.startswith(("missing", "covariate"))]
    if unsound or all(c.check.state == "FAIL" for c in test.deciding):
        return refused("ab", TITLE, checks, assumptions=ASSUMPTIONS, tables=tables, figures=figures)
    says, verdict = _verdict(settings, looks, test)
    doubts = [c.name for c in checks if c.state == "WARN" and c.name.startswith("sample ratio")]
    verdict += f" Doubt: {', '.join(doubts)}." if doubts else ""
    return Outcome(
        "ab", TITLE, says, verdict, checks, ASSUMPTIONS, tables, figures, bars(test.all), "relative lift, %"
    )


def _shown(settings: AbSettings, arms: Arms, test: Test, looks: Looks) -> tuple[list[Table], dict[str, Any]]:
    """The page's tables and the record's figures."""
    others = holm([c.reading.p_value for c in test.others])
    parts = holm([c.reading.p_value for *_, c in test.segments])
    tables = [
        metric_table(arms, test.deciding, test.others, others, looks),
        versions_table(test.all),
        *([segment_table(test.segments, parts, settings.level)] if test.segments else []),
    ]
    figures: dict[str, Any] = {
        "units": arms.counts(),
        "reading": looks.in_words,
        "metrics": [_figures(c) for c in test.all],
        "segments": [
            {"column": column, "segment": name, **_figures(c), "p_holm": p}
            for (column, name, c), p in zip(test.segments, parts, strict=True)
        ],
    }
    return tables, figures


def _verdict(settings: AbSettings, looks: Looks, test: Test) -> tuple[Any, str]:
    guards = [c for c in test.all if c.metric.name in settings.guardrail]
    broken = [c for c in guards if c.worse]
    if broken:
        names = ", ".join(f"{c.metric.name} in {c.arm}" for c in broken)
        return "no", f"A guardrail is broken: {names} is worse beyond noise."
    metric = test.deciding[0].metric.name
    open_guards = [c.metric.name for c in guards if not c.within(settings.margin)]
    caution = (
        f" Not ruled out that {', '.join(dict.fromkeys(open_guards))} loses more than {settings.margin:.0%}."
        if open_guards
        else ""
    )
    better = sorted((c for c in test.deciding if c.better), key=lambda c: -c.difference.value * c.metric.sign)
    if better:
        return "yes", f"{better[0].arm} is better in {metric}: {_lift(better[0])}.{caution}"
    worse = [c for c in test.deciding if c.worse]
    if len(worse) == len(test.deciding):
        return "no", f"{worse[0].arm} is worse in {metric}: {_lift(worse[0])}."
    lifts = "; ".join(f"{c.arm} {_lift(c)}" for c in test.deciding)
    if not looks.final:
        return "cannot", f"Not decided yet in {metric}: {lifts}. Go on as planned."
    return "no", f"No difference seen in {metric}: {lifts}. Keep the control."


def _lift(compared: Compared) -> str:
    base = abs(compared.difference.a.value)
    if not compared.difference.known:
        return "not known"
    found = compared.reading
    if not base:
        return f"{compared.difference.value:+.4g} ({found.low:+.4g} to {found.high:+.4g})"
    return (
        f"{compared.difference.value / base:+.2%} ({found.low / base:+.2%} to {found.high / base:+.2%}, "
        f"p = {found.p_value:.2g})"
    )


def _figures(c: Compared) -> dict[str, Any]:
    return {
        "metric": c.metric.name,
        "what": c.metric.in_words,
        "arm": c.arm,
        "version": c.version,
        "control": c.difference.a.value,
        "treatment": c.difference.b.value,
        "difference": c.difference.value,
        "error": c.difference.error,
        "low": c.reading.low,
        "high": c.reading.high,
        "p": c.reading.p_value,
        "lift": c.difference.lift,
        "says": c.says,
        "raw": _version(c.raw),
        "capped": _version(c.capped) if c.capped else None,
        "cuped": {"variance_fell": c.adjusted.fell, "correlation": c.adjusted.correlation}
        if c.adjusted
        else None,
    }


def _version(found: Difference) -> dict[str, float]:
    low, high = found.interval()
    return {"difference": found.value, "error": found.error, "low": low, "high": high, "p": found.p_value}
