"""Lists: a log of candidates with the scores they were drawn by, every list estimator, one verdict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.errors import InputError
from ltr.experiments.columns import Columns, FloatArray, IntArray
from ltr.experiments.estimates import Estimate, mean_of
from ltr.experiments.off_policy import list_estimators as of_lists
from ltr.experiments.off_policy.estimators import by_unit
from ltr.experiments.off_policy.overlap import (
    effective_check,
    effective_size,
    mean_weight_check,
    weights_by_unit,
)
from ltr.experiments.off_policy.plackett_luce import (
    ENUMERATED,
    all_rankings,
    count_rankings,
    next_chances,
    place_chances,
    taken,
)
from ltr.experiments.off_policy.report import REFUTED, Valued, judged, logged_value, same_value
from ltr.experiments.off_policy.reward_model import fit_ridge, folds_of
from ltr.experiments.off_policy.settings import OffPolicySettings
from ltr.experiments.outcome import Check, Outcome, failed, refused

TITLE = "Off-policy estimate of lists"
FOLDS = 5
MANY_ITEMS = 300  # of their own in the reward model; more, and it goes by the scores alone
ASSUMPTIONS = (
    "Lists were drawn by Plackett-Luce from the logged scores, and will be from the new ones. Refuted by: a mean "
    "weight that is not 1.",
    "The candidates are those that the new ranker would have. Nothing in the log can refute it.",
    "Each estimator adds an assumption of how shoppers click, told beside it. Refuted by: another that assumes less.",
)
WEAKER = {  # each beside one that assumes less
    "item-position": "reward-interaction",
    "pseudo-inverse": "whole list",
    "reward-interaction": "whole list",
}


@dataclass(frozen=True)
class ListLog:
    """n lists of L places from m candidates; −inf scores where a list has fewer candidates.

    logging, target (n, m): scores; item (n, m): which item a candidate is; shown (n, L): candidates by place;
    rewards (n, L); unit (n,) or None.
    """

    logging: FloatArray
    target: FloatArray
    item: IntArray
    shown: IntArray
    rewards: FloatArray
    unit: IntArray | None = None

    @property
    def target_next(self) -> FloatArray:
        return next_chances(self.target, self.shown)

    @property
    def conditional(self) -> FloatArray:
        """Weights of an item given those above it (n, L)."""
        return taken(self.target_next, self.shown) / taken(next_chances(self.logging, self.shown), self.shown)

    @property
    def rankings(self) -> IntArray | None:
        """Every ranking that can be shown; None where there are too many, or lists differ in candidates."""
        candidates, length = self.logging.shape[1], self.shown.shape[1]
        whole = np.isfinite(self.logging).all() and np.isfinite(self.target).all()
        many = count_rankings(candidates, length) > ENUMERATED
        return None if many or not whole else all_rankings(candidates, length)

    @property
    def marginal(self) -> FloatArray:
        """Weights of an item at its place, whatever else is shown (n, L)."""
        parts = []
        for scores in (self.target, self.logging):
            kinds, kind = np.unique(scores, axis=0, return_inverse=True)
            chances = place_chances(kinds, self.shown.shape[1])
            parts.append(taken(chances[kind.ravel()], self.shown))
        return parts[0] / parts[1]


def read_lists(settings: OffPolicySettings, table: Columns) -> tuple[ListLog, Check]:
    """Rows of candidates → lists; lists of another length than most are left out and counted."""
    rows, names = table.codes(settings.list or "")
    item, _ = table.codes(settings.action or "")
    place = table.numbers(settings.position or "")
    scores = [table.complete(name) for name in (settings.logging_score, settings.target_score) if name]
    reward = np.nan_to_num(table.numbers(settings.reward))
    order = np.argsort(rows, kind="stable")
    column = np.empty(len(rows), dtype=np.int64)
    starts = np.searchsorted(rows[order], np.arange(len(names)))
    column[order] = np.arange(len(rows)) - starts[rows[order]]
    width = int(column.max()) + 1
    was_shown = ~np.isnan(place)
    lengths = np.bincount(rows[was_shown], minlength=len(names))
    length = int(np.bincount(lengths[lengths > 0]).argmax()) if was_shown.any() else 0
    _refuse_places(settings, place[was_shown], length)
    grids = [
        _grid(value, rows, column, (len(names), width), fill)
        for value, fill in ((scores[0], -np.inf), (scores[1], -np.inf), (item.astype(np.float64), -1.0))
    ]
    shown = np.full((len(names), length), -1, dtype=np.int64)
    rewards = np.zeros((len(names), length))
    inside = was_shown & (place <= length)
    at = (rows[inside], place[inside].astype(np.int64) - 1)
    shown[at], rewards[at] = column[inside], reward[inside]
    good = (lengths == length) & (shown >= 0).all(axis=1)
    evidence = f"{int(good.sum()):,} of {len(names):,} lists have places 1 to {length}" + (
        "" if good.all() else "; the others are left out"
    )
    check = Check("lists", "PASS" if good.all() else "WARN" if good.mean() > 0.9 else "FAIL", evidence)
    unit = None
    if settings.unit:
        units, _ = table.codes(settings.unit)
        first = units[order][starts][good]
        unit = np.unique(first, return_inverse=True)[1].astype(np.int64)
    log = ListLog(
        grids[0][good], grids[1][good], grids[2][good].astype(np.int64), shown[good], rewards[good], unit
    )
    return log, check


def _grid(
    values: FloatArray, rows: IntArray, column: IntArray, shape: tuple[int, int], fill: float
) -> FloatArray:
    made = np.full(shape, fill)
    made[rows, column] = values
    return made


def _refuse_places(settings: OffPolicySettings, places: FloatArray, length: int) -> None:
    if not length or (places < 1).any() or (places % 1 != 0).any():
        raise InputError(
            where=f"column {settings.position!r}",
            expected="places 1, 2, … and empty for what was not shown",
            got="none" if not length else f"{places[(places < 1) | (places % 1 != 0)][0]:g}",
            cure="mend the column or name another",
        )


def reward_to_come(log: ListLog, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """`expected` and `before` of `cascade_dr`, out of fold: fitted from the last place back to the first."""
    rows, length = log.shown.shape
    unit = np.arange(rows) if log.unit is None else log.unit
    fold, chances = folds_of(unit, FOLDS, seed), log.target_next
    score = np.where(np.isfinite(log.target), log.target, 0.0)
    above = np.cumsum(np.take_along_axis(score, log.shown, axis=1), axis=1)
    prefix = np.column_stack((np.zeros(rows), above[:, :-1]))
    items = int(log.item.max()) + 1
    many = items > MANY_ITEMS
    expected, before = np.empty((rows, length)), np.empty((rows, length))
    for part in range(FOLDS):
        train, test = fold != part, fold == part
        later = np.zeros(rows)
        for place in reversed(range(length)):
            at = log.shown[:, place]
            own, code = score[np.arange(rows), at], log.item[np.arange(rows), at]
            columns = [np.ones(rows), own, prefix[:, place]]
            design = np.column_stack(columns) if many else np.column_stack((*columns, np.eye(items)[code]))
            model = fit_ridge(design[train], (log.rewards[:, place] + later)[train]).coefficients
            every = model[0] + model[1] * score + model[2] * prefix[:, place, None]
            if not many:
                every = every + model[3:][log.item]
            later = (chances[:, place] * every).sum(axis=1)
            expected[test, place] = every[np.arange(rows), at][test]
            before[test, place] = later[test]
    return expected, before


def list_values(log: ListLog, seed: int = 0) -> list[Valued]:
    """Every estimator that the log allows; one whose own weights are too few is refused."""
    conditional = log.conditional
    up_to: FloatArray = np.cumprod(conditional, axis=1).astype(np.float64)
    marginal = log.marginal
    found: list[tuple[str, Estimate, FloatArray]] = [
        ("cascade-dr", of_lists.cascade_dr(log.rewards, conditional, *reward_to_come(log, seed)), up_to),
        ("reward-interaction", of_lists.reward_interaction(log.rewards, conditional), up_to),
        ("whole list", of_lists.whole_list(log.rewards, conditional), up_to[:, -1:]),
        ("item-position", of_lists.item_position(log.rewards, marginal), marginal),
    ]
    if log.rankings is not None:
        weights = of_lists.pseudo_inverse_weights(log.logging, log.target, log.shown, log.rankings)
        found.append(("pseudo-inverse", mean_of(weights * log.rewards.sum(axis=1)), np.abs(weights)[:, None]))
    valued = []
    for name, estimate, weights in found:
        smallest = min((weights_by_unit(w, log.unit) for w in weights.T), key=effective_size)
        check = effective_check(smallest)
        reason = check.evidence if check.state == "FAIL" else ""
        df = max(effective_size(smallest) - 1, 1.0)
        valued.append(Valued(name, by_unit(estimate, log.unit), df, of_lists.ASSUMES[name], reason))
    return valued


def judge_lists(settings: OffPolicySettings, table: Columns) -> Outcome:
    """Every estimator beside one that assumes less; those that the data refute are told."""
    log, check = read_lists(settings, table)
    checks = [check]
    if len(log.rewards) < 2:
        return refused("off-policy", TITLE, [Check("lists", "FAIL", "fewer than two whole lists")])
    checks += [
        mean_weight_check(weights_by_unit(weights, log.unit), f"mean weight, place {place}")
        for place, weights in enumerate(np.cumprod(log.conditional, axis=1).T, start=1)
    ]
    own = by_unit(mean_of(log.rewards.sum(axis=1)), log.unit)
    if failed(checks):
        return refused("off-policy", TITLE, checks, assumptions=ASSUMPTIONS, figures={"logged": own.value})
    valued = list_values(log, settings.seed)
    if log.rankings is None:
        checks.append(
            Check(
                "pseudo-inverse",
                "WARN",
                f"not computed: more than {ENUMERATED:,} rankings of a list, or lists differ in candidates",
            )
        )
    checks += _refutations(valued)
    return judged(TITLE, settings, valued, own, logged_value(settings), checks, ASSUMPTIONS)


def _refutations(valued: list[Valued]) -> list[Check]:
    by_name = {v.name: v for v in valued if not v.refused}
    checks = []
    for strong, weak in WEAKER.items():
        if strong in by_name and weak in by_name:
            p_value = same_value(by_name[strong].estimate, by_name[weak].estimate)
            bad = p_value < REFUTED
            evidence = f"against {weak}, which assumes less: p = {p_value:.2g}" + (
                ": its assumption does not hold here" if bad else ""
            )
            checks.append(Check(f"assumption of {strong}", "WARN" if bad else "PASS", evidence))
    return checks
