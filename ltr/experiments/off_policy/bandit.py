"""One action a row: the log read, its overlap checked, every estimator computed, one verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.errors import InputError
from ltr.experiments.columns import Columns, FloatArray, IntArray
from ltr.experiments.estimates import Estimate, mean_of
from ltr.experiments.off_policy import estimators
from ltr.experiments.off_policy.overlap import (
    effective_check,
    effective_size,
    mean_weight_check,
    support_check,
    weights_by_unit,
)
from ltr.experiments.off_policy.report import Valued, judged, logged_value
from ltr.experiments.off_policy.reward_model import calibrated, context_matrix, expected_rewards, folds_of
from ltr.experiments.off_policy.settings import UNIFORM, OffPolicySettings
from ltr.experiments.outcome import Check, Outcome, failed, refused

TITLE = "Off-policy estimate"
FOLDS = 5
ASSUMPTIONS = (
    "The logged propensities are the chances with which actions were taken. Refuted by: a mean weight that is not 1.",
    "Whatever the new policy may do, the log did sometimes (support). Refuted by: actions never logged, the mean "
    "weight, the effective size.",
    "An action's reward depends on its own row only, and will be then what it was.",
)


@dataclass(frozen=True)
class Logged:
    """A log of n rows; target_all (n, actions): the new policy's chance of every action, where it is known."""

    reward: FloatArray
    propensity: FloatArray
    target: FloatArray
    context: FloatArray
    action: IntArray | None = None
    target_all: FloatArray | None = None
    unit: IntArray | None = None

    @property
    def weights(self) -> FloatArray:
        return self.target / self.propensity


def read_log(settings: OffPolicySettings, table: Columns) -> Logged:
    reward = table.complete(settings.reward)
    propensity = table.probabilities(settings.propensity or "", above_zero=True)
    context = context_matrix(table, settings.context)
    unit = table.codes(settings.unit)[0] if settings.unit else None
    if settings.target is not None and settings.target != UNIFORM:
        target = table.probabilities(settings.target)
        action = table.codes(settings.action)[0] if settings.action else None
        return Logged(reward, propensity, target, context, action, None, unit)
    action, names = table.codes(settings.action or "")
    if settings.policy:
        target_all, action = _policy(settings, table, names)
    else:
        actions = settings.actions or len(names)
        if actions < len(names):
            raise InputError(
                where="--actions",
                expected=f"{len(names):,} or more",
                got=str(actions),
                cure="count the log's actions",
            )
        target_all = np.full((len(table), actions), 1 / actions)
    target = target_all[np.arange(len(table)), action]
    return Logged(reward, propensity, target, context, action, target_all, unit)


def _policy(settings: OffPolicySettings, table: Columns, logged: list[str]) -> tuple[FloatArray, IntArray]:
    """The new policy's chance of each action in each row (rows, actions), and the rows' actions among them."""
    policy = Columns.read(settings.policy) if settings.policy else table
    name = settings.action or ""
    chance = policy.probabilities("probability")
    keys = [column for column in settings.context if column in policy.frame.columns]
    frame = policy.frame.select(pl.col(c).cast(pl.String) for c in (name, *keys)).with_columns(chance=chance)
    actions = sorted({*logged, *policy.names(name).to_list()})
    group = frame.select(keys).with_columns(one=1).unique(maintain_order=True).with_row_index("group")
    rows = table.frame.select(pl.col(c).cast(pl.String) for c in keys).with_columns(one=1)
    on = [*keys, "one"]
    row_group = rows.join(group, on=on, how="left", maintain_order="left")["group"]
    if row_group.null_count():
        raise InputError(
            where=settings.policy,
            expected="chances for every context of the log",
            got=f"none for {row_group.null_count():,} rows",
            cure="add them",
        )
    place = (
        frame.with_columns(one=1).join(group, on=on, how="left", maintain_order="left")["group"].to_numpy()
    )
    codes = frame[name].cast(pl.Enum(actions)).to_physical().to_numpy()
    chances = np.zeros((group.height, len(actions)))
    np.add.at(chances, (place, codes), chance)
    if not np.allclose(chances.sum(axis=1), 1, atol=1e-6):
        raise InputError(
            where=settings.policy,
            expected="chances that sum to 1 in each context",
            got=f"a sum of {chances.sum(axis=1)[np.abs(chances.sum(axis=1) - 1).argmax()]:.4g}",
            cure="mend them",
        )
    action = table.names(name).cast(pl.Enum(actions)).to_physical().to_numpy().astype(np.int64)
    return chances[row_group.to_numpy()], action


def check_log(log: Logged) -> list[Check]:
    weights = weights_by_unit(log.weights, log.unit)
    checks = [effective_check(weights), mean_weight_check(weights)]
    if log.action is not None and log.target_all is not None:
        checks.append(support_check(log.action, log.target_all))
    return checks


def estimates(log: Logged, clip: float | None = None, seed: int = 0) -> dict[str, Estimate]:
    """Every estimator that the log allows, by name."""
    weights = log.weights
    found = {
        "snips": estimators.snips(log.reward, weights),
        "ips": estimators.ips(log.reward, weights),
        "clipped": estimators.clipped(log.reward, weights, clip),
    }
    if log.action is not None and log.target_all is not None:
        unit = np.arange(len(weights)) if log.unit is None else log.unit
        fold = folds_of(unit, FOLDS, seed)
        model = expected_rewards(log.reward, log.action, log.context, log.target_all.shape[1], fold)
        model = calibrated(model, log.action, log.reward, weights, fold)
        robust = (log.reward, weights, log.action, log.target_all, model)
        found = {"dr": estimators.doubly_robust(*robust), "switch": estimators.switch(*robust), **found}
    return {name: estimators.by_unit(estimate, log.unit) for name, estimate in found.items()}


def judge_bandit(
    settings: OffPolicySettings,
    table: Columns,
    more: Sequence[Check] = (),
    assumptions: Sequence[str] = ASSUMPTIONS,
) -> Outcome:
    """Refuses where the log does not hold enough of the new policy; else its value against the log's own."""
    log = read_log(settings, table)
    checks = [*check_log(log), *more]
    own = estimators.by_unit(mean_of(log.reward), log.unit)
    truth = logged_value(settings)
    if failed(checks):
        return refused("off-policy", TITLE, checks, assumptions=assumptions, figures={"logged": own.value})
    df = effective_size(weights_by_unit(log.weights, log.unit)) - 1
    valued = [
        Valued(name, estimate, df, estimators.ASSUMES[name])
        for name, estimate in estimates(log, settings.clip, settings.seed).items()
    ]
    return judged(TITLE, settings, valued, own, truth, checks, assumptions)
