"""The plan: how many units and days, for which effect, at what price of looking, with what guardrails."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.errors import InputError
from ltr.experiments.columns import Columns
from ltr.experiments.metrics import Metric, UnitValues, parse_metric, unit_values
from ltr.experiments.outcome import Check, Outcome, Says, Table
from ltr.experiments.plan.resampling import Past, Simulated, units_by_resampling
from ltr.experiments.plan.sample_size import (
    Spread,
    effect_seen,
    power_of,
    price_of_looking,
    scaled_spread,
    share_spread,
    units_for,
)
from ltr.experiments.plan.settings import PlanSettings
from ltr.experiments.served_log import searches_of_log

TITLE = "Plan of an A/B test"
FEW = 100  # units of the past: fewer, and their spread says nothing of the future's
ASSUMPTIONS = (
    "The test's units will be as those of the past are: same season, same traffic. Refuted by: the control's "
    "values in the test itself.",
    "The effect multiplies every unit's value alike (a share: adds that many more units). An effect in few "
    "units needs more. Refuted by: the test's segments.",
    "Run whole weeks: a part of one is other people than a whole one.",
)


@dataclass(frozen=True)
class Source:
    """What a plan starts from: the metric's name and spread, and the past where there is one."""

    name: str
    spread: Spread
    values: UnitValues | None = None
    cap: float = float("inf")


def plan_test(settings: PlanSettings, table: Columns | None = None) -> Outcome:
    """Units and days for the effect; says no when the days given are not enough."""
    if table is None and settings.data:
        past = settings.data  # a table, or a server's log: its searches, in an experiment or not
        of_log = past.is_dir()
        table = Columns(searches_of_log(past, of_arms=False), past) if of_log else Columns.read(past)
    source = _source(settings, table)
    reason = _unknowable(source, settings.effect)
    if reason:
        check = Check("past", "FAIL", reason)
        return Outcome("plan", TITLE, "cannot", reason, [check])
    units, simulated = _units(settings, source)
    price = price_of_looking(
        settings.looks, settings.level, settings.power, settings.spending, always_valid=settings.always_valid
    )
    total = math.ceil(units * price)
    guards = [_guardrail(settings, table, name, total) for name in settings.guardrail] if table else []
    return _outcome(settings, source, total, price, simulated, guards)


def _source(settings: PlanSettings, table: Columns | None) -> Source:
    if settings.rate is not None:
        return Source(settings.metric or "rate", share_spread(settings.rate, settings.effect))
    if settings.mean is not None and settings.sd is not None:
        spread = scaled_spread(settings.mean, settings.sd**2, settings.effect)
        return Source(settings.metric or "mean", spread)
    if table is None or settings.metric is None or settings.unit is None:
        raise InputError(
            where="plan", expected="past data", got="none", cure="name --data, --unit and --metric"
        )
    metric = parse_metric(settings.metric)
    values, cap = _past(table, settings.unit, metric), float("inf")
    if settings.cap and metric.kind == "mean" and len(values.units):
        cap = float(np.quantile(values.above, settings.cap))
    return Source(metric.name, _spread(values.capped(cap), settings.effect), values, cap)


def _past(table: Columns, unit: str, metric: Metric) -> UnitValues:
    rows, names = table.codes(unit)
    return unit_values(metric, table, rows, len(names))[0]


def _spread(values: UnitValues, effect: float) -> Spread:
    found = values.estimate()
    if found is None:
        return Spread(0.0, 0.0, 0.0)
    if values.metric.kind == "share":
        return share_spread(found.value, effect)
    return scaled_spread(found.value, found.variance * found.units, effect)


def _unknowable(source: Source, effect: float) -> str:
    """Why nothing can be planned, or nothing."""
    spread = source.spread
    if not spread.value or not spread.control > 0:
        return f"{source.name} is 0 or does not vary in the past"
    if spread.treatment < 0:
        return f"{source.name} of {spread.value:.3g} cannot rise by {effect:.0%}: no share is above 1"
    if source.values is not None and len(source.values.units) < FEW:
        return f"only {len(source.values.units)} units of the past; {FEW} are needed"
    return ""


def _units(settings: PlanSettings, source: Source) -> tuple[float, Simulated | None]:
    """For one look: by the normal formula, and on the past by resampling it."""
    first = units_for(source.spread, settings.effect, settings.level, settings.power, settings.share)
    if source.values is None or source.values.metric.kind == "quantile":
        return first, None
    found = units_by_resampling(
        Past(source.values, source.cap),
        first,
        settings.effect,
        settings.power,
        settings.level,
        settings.share,
        settings.seed,
    )
    return found.units, found


def _guardrail(settings: PlanSettings, table: Columns, text: str, total: int) -> list[object]:
    metric = parse_metric(text)
    spread = _spread(_past(table, settings.unit or "", metric), 0.0)
    if not spread.value:
        return [metric.name, 0.0, None]
    return [
        metric.name,
        spread.value,
        f"{effect_seen(spread, total, settings.level, settings.power, settings.share):.2%}",
    ]


def _outcome(
    settings: PlanSettings,
    source: Source,
    total: int,
    price: float,
    simulated: Simulated | None,
    guards: list[list[object]],
) -> Outcome:
    treated = math.ceil(total * settings.share)
    days = math.ceil(total / settings.per_day) if settings.per_day else None
    says, verdict = _verdict(settings, source, total, days)
    tables = [
        _plan_table(settings, source, total, price, days),
        _other_effects(settings, source, total, price),
    ]
    if guards:
        columns = ["guardrail", "now", f"loss seen with {settings.power:.0%} power"]
        tables.append(Table("Guardrails", columns, guards, "A smaller loss may pass unseen."))
    checks = [_power_check(settings, simulated)] if simulated else []
    planned = settings.model_dump(include={"level", "power", "effect", "looks", "always_valid"})
    figures: dict[str, Any] = {
        "plan": {"metric": source.name, "units": total, **planned},
        "baseline": source.spread.value,
        "treatment_units": treated,
        "days": days,
        "price_of_looking": price,
        "simulated_power": simulated.power if simulated else None,
    }
    return Outcome("plan", TITLE, says, verdict, checks, ASSUMPTIONS, tables, figures)


def _plan_table(settings: PlanSettings, source: Source, total: int, price: float, days: int | None) -> Table:
    treated = math.ceil(total * settings.share)
    looks = "any time" if settings.always_valid else f"{settings.looks}"
    rows: list[list[object]] = [
        ["metric", f"{source.name} = {source.spread.value:.4g} in the control"],
        ["effect to see", f"{settings.effect:+.2%}"],
        ["units in all", f"{total:,}"],
        ["treatment, control", f"{treated:,}, {total - treated:,}"],
        ["days", "not known: give --per-day" if days is None else f"{days:,}"],
        ["false alarms, power", f"{settings.level:.0%}, {settings.power:.0%}"],
        ["looks", f"{looks}, at {price:.2f} times the units of one look"],
    ]
    return Table("The plan", ["", ""], rows)


def _power_check(settings: PlanSettings, simulated: Simulated) -> Check:
    evidence = (
        f"{simulated.power:.1%} of {simulated.runs:,} tests on units drawn from the past see the effect with "
        f"{simulated.units:,} units and one look (± {1.96 * simulated.noise:.1%})"
    )
    near = abs(simulated.power - settings.power) <= 0.03
    return Check("power by resampling", "PASS" if near else "WARN", evidence)


def _verdict(settings: PlanSettings, source: Source, total: int, days: int | None) -> tuple[Says, str]:
    sentence = (
        f"{total:,} units in all see a change of {settings.effect:.2%} in {source.name} with "
        f"{settings.power:.0%} power"
    )
    if days is None:
        return "yes", f"{sentence}."
    sentence += f": {days:,} days at {settings.per_day:,.0f} a day"
    if settings.days is None or days <= settings.days:
        return "yes", f"{sentence}."
    return "no", f"{sentence}; there are {settings.days:g}."


def _other_effects(settings: PlanSettings, source: Source, total: int, price: float) -> Table:
    rows: list[list[object]] = []
    for factor in (0.5, 0.75, 1.0, 1.5, 2.0):
        effect = settings.effect * factor
        rows.append(
            [
                f"{effect:.2%}",
                math.ceil(total / factor**2),
                f"{power_of(source.spread, effect, total / price, settings.level, settings.share):.0%}",
            ]
        )
    return Table(
        "Other effects",
        ["effect", "units in all for it", f"power with {total:,} units"],
        rows,
        "By the normal formula from the plan's own number of units.",
    )
