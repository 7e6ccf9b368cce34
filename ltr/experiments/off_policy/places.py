"""A server's log: places that were left to chance, each with its propensity; the new policy's chance of the same.

One row is one place of one list, so that a place's reward is taken to hang on its own product alone (Li,
Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay and Wen, "Offline evaluation of ranking policies with click models", KDD
2018): what the server logs of a place is the chance of its product there, whatever stands at the others.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from features.errors import InputError
from ltr.experiments.columns import Columns
from ltr.experiments.off_policy.bandit import ASSUMPTIONS, judge_bandit
from ltr.experiments.off_policy.overlap import mean_weight_check, weights_by_unit
from ltr.experiments.off_policy.settings import OffPolicySettings
from ltr.experiments.off_policy.support import TARGET, places_support_check, with_support
from ltr.experiments.outcome import Check, Outcome
from ltr.experiments.served_log import explored_of_log

ASSUMED = (
    "A place's reward depends on its own product and place alone (item-position), not on what stands at the others. "
    "Refuted by: nothing in this log; interleave or run an A/B test before it goes live.",
    "Only the places that were left to chance count; further down, the log shows one list.",
)


def judge_places(settings: OffPolicySettings, table: Columns | None = None) -> Outcome:
    """table: the log's places with `target` and `supported` (`support.with_support`); without, settings.policy says
    what the new policy does.

    Raises InputError where nothing was left to chance, and where nothing says what the new policy does.
    """
    table = table or _with_policy(settings, explored_of_log(settings.data))
    unit = settings.unit or "person"
    known = {"propensity": "propensity", "target": TARGET, "action": None, "policy": None, "unit": unit}
    settings = settings.model_copy(update=known)
    return judge_bandit(settings, table, list(_by_place(table, unit)), (*ASSUMPTIONS, *ASSUMED))


def _by_place(table: Columns, unit: str) -> Iterator[Check]:
    """Support, and the mean weight at each place: what the new policy puts there must have been there now and then."""
    place, units = table.complete("position"), table.codes(unit)[0]
    weights = table.probabilities(TARGET) / table.probabilities("propensity", above_zero=True)
    yield places_support_check(table.frame, weights_by_unit(weights, units))
    for number in np.unique(place):
        here = place == number
        own = np.unique(units[here], return_inverse=True)[1].astype(np.int64)
        yield mean_weight_check(weights_by_unit(weights[here], own), f"mean weight, place {number:.0f}")


def _with_policy(settings: OffPolicySettings, places: pl.DataFrame) -> Columns:
    """The places with the chance that a table (text, position, product_id, probability) gives them."""
    if settings.policy is None:
        raise InputError(
            where="off-policy",
            expected="what the new policy would show",
            got="nothing that says it",
            cure="name a run with --run, or a table of text, position, product_id, probability with --policy",
        )
    policy = Columns.read(settings.policy)
    keys = ["text", "position", "product_id"]
    given = pl.DataFrame(
        {
            "text": policy.names("text"),
            "position": pl.Series(policy.complete("position")).cast(pl.Int64),
            "product_id": policy.names("product_id"),
            TARGET: policy.probabilities("probability"),
        }
    )
    given = given.group_by(keys).agg(pl.col(TARGET).sum())
    sums = given.group_by(keys[:2]).agg(pl.col(TARGET).sum().alias("sum"))
    wrong = sums.filter((pl.col("sum") - 1).abs() > 1e-6)
    if wrong.height:
        raise InputError(
            where=settings.policy,
            expected="chances that sum to 1 at each place of each text",
            got=f"a sum of {wrong['sum'][0]:.4g} ({wrong.height:,} such places)",
            cure="mend them",
        )
    absent = places.join(sums, on=keys[:2], how="anti").height
    if absent:
        raise InputError(
            where=settings.policy,
            expected="chances for every text and place that the log left to chance",
            got=f"none for {absent:,} of {places.height:,}",
            cure="add them, also for queries by photo, which have no text",
        )
    made = places.join(given, on=keys, how="left").with_columns(pl.col(TARGET).fill_null(0.0))
    return Columns(with_support(made, given, ["text"]), settings.data)
