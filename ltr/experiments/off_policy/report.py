"""Estimates of a new policy beside the logged one's own value: table, plot, verdict; shared by both kinds of log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from features.errors import InputError
from ltr.experiments.columns import Columns
from ltr.experiments.estimates import Estimate, mean_of
from ltr.experiments.off_policy.settings import OffPolicySettings
from ltr.experiments.outcome import Bar, Check, Outcome, Says, Table, failed, refused

REFUTED = 0.01  # p below which two estimates of the same rows cannot both be right


@dataclass(frozen=True)
class Valued:
    """An estimate, its degrees of freedom, what it assumes beyond the rest, and why it is refused, if it is."""

    name: str
    estimate: Estimate
    df: float
    assumes: str
    refused: str = ""


def logged_value(settings: OffPolicySettings) -> Estimate | None:
    """The value that the new policy had in its own log, where there is one."""
    if settings.truth is None:
        return None
    rewards = Columns.read(settings.truth).complete(settings.reward)
    return mean_of(rewards) if len(rewards) > 1 else None


def gain(valued: Valued, own: Estimate) -> Estimate:
    """New policy less logged policy, on the same units."""
    return Estimate(valued.estimate.value - own.value, valued.estimate.influence - own.influence)


def same_value(strong: Estimate, weak: Estimate) -> float:
    """p of two estimates on the same units having the same expectation (Hausman, Econometrica 1978)."""
    apart = Estimate(strong.value - weak.value, strong.influence - weak.influence)
    return float(2 * norm.sf(abs(apart.value) / apart.error)) if apart.error > 0 else 1.0


def judged(
    title: str,
    settings: OffPolicySettings,
    valued: Sequence[Valued],
    own: Estimate,
    truth: Estimate | None,
    checks: Sequence[Check],
    assumptions: Sequence[str],
) -> Outcome:
    """Better (yes), worse or not seen (no) by the estimator that decides."""
    chosen = _chosen(settings, valued)
    table, figures = _table(settings, valued, own, truth), _figures(settings, valued, own, truth)
    every = [*checks, *([Check(chosen.name, "FAIL", chosen.refused)] if chosen.refused else [])]
    shown: dict[str, Any] = {"assumptions": assumptions, "tables": [table], "figures": figures}
    if failed(every):
        return refused("off-policy", title, every, **shown)
    says, verdict = _verdict(settings, chosen, own)
    warned = [check.name for check in checks if check.state == "WARN"]
    verdict += f" With care: {', '.join(warned)}." if warned else ""
    bars = _bars(settings, valued, own, truth)
    name = "new policy less logged policy"
    return Outcome("off-policy", title, says, verdict, every, bars=bars, bars_title=name, **shown)


def _verdict(settings: OffPolicySettings, chosen: Valued, own: Estimate) -> tuple[Says, str]:
    low, high = gain(chosen, own).interval(settings.level, chosen.df)
    value = chosen.estimate.value
    says: Says = "yes" if low > 0 else "no"
    found = {True: "The new policy is better", False: "The new policy is not shown to be better"}[low > 0]
    found = "The new policy is worse" if high < 0 else found
    return says, (
        f"{found}: {value:.4g} against the log's {own.value:.4g} by {chosen.name}: {value - own.value:+.4g} "
        f"({low:+.4g} to {high:+.4g})."
    )


def _bars(
    settings: OffPolicySettings, valued: Sequence[Valued], own: Estimate, truth: Estimate | None
) -> list[Bar]:
    known = [v for v in valued if not v.refused]
    bars = [Bar(v.name, gain(v, own).value, *gain(v, own).interval(settings.level, v.df)) for v in known]
    if truth is None:
        return bars
    reach = float(norm.isf(settings.level / 2) * np.hypot(truth.error, own.error))
    apart = truth.value - own.value
    return [*bars, Bar("its own log", apart, apart - reach, apart + reach)]


def _chosen(settings: OffPolicySettings, valued: Sequence[Valued]) -> Valued:
    if settings.estimator is None:
        return valued[0]
    found = next((v for v in valued if v.name == settings.estimator), None)
    if found is None:
        raise InputError(
            where="--estimator",
            expected=f"one that this log allows: {', '.join(v.name for v in valued)}",
            got=settings.estimator,
            cure="choose one of them (dr and switch need --action and --target uniform or --policy)",
        )
    return found


def _table(
    settings: OffPolicySettings, valued: Sequence[Valued], own: Estimate, truth: Estimate | None
) -> Table:
    rows: list[list[object]] = []
    for v in valued:
        low, high = v.estimate.interval(settings.level, v.df)
        shown = (
            [None, f"refused: {v.refused}"] if v.refused else [v.estimate.value, f"{low:.4g} to {high:.4g}"]
        )
        rows.append([v.name, *shown, v.assumes])
    rows.append(["the log itself", own.value, "{:.4g} to {:.4g}".format(*own.interval(settings.level)), ""])
    if truth:
        interval = "{:.4g} to {:.4g}".format(*truth.interval(settings.level))
        rows.append(["the new policy's own log", truth.value, interval, "what the estimates should find"])
    return Table(
        "Value of the new policy", ["estimator", "mean reward", "interval", "assumes beyond the rest"], rows
    )


def _figures(
    settings: OffPolicySettings, valued: Sequence[Valued], own: Estimate, truth: Estimate | None
) -> dict[str, object]:
    found = []
    for v in valued:
        low, high = v.estimate.interval(settings.level, v.df)
        known = not v.refused
        found.append(
            {
                "estimator": v.name,
                "value": v.estimate.value if known else None,
                "low": low if known else None,
                "high": high if known else None,
                "refused": v.refused or None,
            }
        )
    return {
        "estimates": found,
        "logged": own.value,
        "truth": {"value": truth.value, "error": truth.error} if truth else None,
    }
