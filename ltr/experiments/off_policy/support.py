"""Could a server's log have shown what the new policy would, place by place? Known from the rankings it drew from.

What a list was drawn from is logged with it (`served_log.explored_of_log`, column drawn_from), so that this needs no
luck: a place where the new policy puts what the log's could not is told from one list of it.
"""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import polars as pl

from ltr.experiments.interleaving.chances import chances_of
from ltr.experiments.off_policy.overlap import LOST_MASS
from ltr.experiments.outcome import Check, State
from ltr.experiments.served_log import SWAPS

TARGET = "target"  # column: the new policy's chance of the product at the place
SUPPORTED = "supported"  # the new policy's chances of what the log's could put at the place; null: not known
_NEVER = 1e-9  # a chance that is none
_UNSURE = 0.05  # of the new policy's chances, of which the log does not say whether it could show them: more is told
_CELL = ["text", "filters", "history", "explored", "position"]


def with_support(rows: pl.DataFrame, wanted: pl.DataFrame, asked: list[str]) -> pl.DataFrame:
    """The log's rows (`asked`, position, drawn_from) with the column `supported`.

    wanted: what the new policy does: `asked`, position, product_id, target (its chance of the product there).
    """
    place = [*asked, "position", "drawn_from"]
    kinds = rows.select(place).drop_nulls("drawn_from").unique()
    drawn = kinds["drawn_from"].unique()
    may = pl.DataFrame(
        [(one, place, product) for one in drawn for place, product in possible(one)],
        schema={"drawn_from": pl.String, "position": pl.Int64, "product_id": pl.String},
        orient="row",
    )
    shared = kinds.join(wanted, on=[*asked, "position"], nulls_equal=True).join(
        may, on=["drawn_from", "position", "product_id"], how="semi"
    )
    sums = shared.group_by(place).agg(pl.col(TARGET).sum().alias(SUPPORTED))
    made = rows.join(sums, on=place, how="left", nulls_equal=True, maintain_order="left")
    known = pl.col("drawn_from").is_not_null()
    return made.with_columns(pl.when(known).then(pl.col(SUPPORTED).fill_null(0.0)).alias(SUPPORTED))


@lru_cache(maxsize=4096)
def possible(drawn_from: str) -> tuple[tuple[int, str], ...]:
    """Places from 1, and what may stand there."""
    made = json.loads(drawn_from)
    tops = made["tops"]
    if made["method"] == SWAPS:
        shown = tops[0]
        return tuple(
            (place + 1, product)
            for place in range(len(shown))
            for product in shown[max(0, place - 1) : place + 2]
        )
    items = list(dict.fromkeys(product for top in tops for product in top))
    number = {product: item for item, product in enumerate(items)}
    rankings = tuple(tuple(number[product] for product in top) for top in tops)
    chances = chances_of(made["method"], rankings).places
    return tuple((int(place) + 1, items[item]) for place, item in np.argwhere(chances > _NEVER))


def places_support_check(rows: pl.DataFrame, weights: np.ndarray) -> Check:
    """FAIL where the log's policy could not show a thousandth of what the new one would.

    weights: of independent units. Where a list's rankings are not known whole, what the new policy puts at a place and
    the log never had there may be lost: at most that, and at most what the mean weight leaves (95 %).
    """
    logged = (
        rows.select(*_CELL, "product_id", TARGET).unique().group_by(_CELL).agg(logged=pl.col(TARGET).sum())
    )
    found = rows.join(logged, on=_CELL, how="left", nulls_equal=True)
    missing = (1 - pl.col("logged")).clip(0, 1)
    known = found.select(
        lost=(1 - pl.col(SUPPORTED)).clip(0, 1).fill_null(0.0).mean(),
        unsure=pl.when(pl.col(SUPPORTED).is_null()).then(missing).otherwise(0.0).mean(),
    )
    lost, unsure = known.row(0)
    reach = 1.645 * float(weights.std(ddof=1)) / np.sqrt(len(weights)) if len(weights) > 1 else 1.0
    unsure = min(unsure, max(0.0, 1 - float(weights.mean()) + reach))
    state: State = "PASS"
    if lost > _NEVER or unsure > _UNSURE:
        state = "FAIL" if lost > LOST_MASS else "WARN"
    evidence = f"the log's lists could not have shown {lost:.2%} of what the new policy puts at their places"
    if unsure > _NEVER:
        evidence += f"; of up to {unsure:.1%} more they do not say whether they could"
    return Check("support", state, evidence)
