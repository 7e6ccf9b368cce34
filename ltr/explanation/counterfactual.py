"""The smallest change of a product's own number, its price say, after which two products swap places.

Another price moves more than one feature of one row: ranks and z-scores of all candidates, standings within
the category, the ratio to a limit. So each trial goes through the feature builder, and the model scores the
whole list anew. The score is a step function of the price, without slope: trial values are laid out from
today's, close together on a log scale and on either side of the other candidates' prices, where ranks
change; between the last that does not swap the two and the first that does, bisection finds the switch.
A window narrower than the spacing of the trials, about 1/20 of the way, can be missed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from features.build import FeatureBuilder
from features.errors import InputError

Score = Callable[[FeatureBuilder, pl.DataFrame, pl.DataFrame], np.ndarray]
"""(builder, queries, pairs) → scores (n,) of the pairs: `SavedRun.score`."""

TRIALS = 20
NEIGHBOURS = 5  # candidates' prices tried on each side, the nearest
DIGITS = 5  # of the column's largest value: how finely a price is found


@dataclass(frozen=True)
class Shelf:
    """One query's candidates as a model scores them; `query` has one row, `pairs` a row a candidate."""

    builder: FeatureBuilder
    products: pl.DataFrame
    query: pl.DataFrame
    pairs: pl.DataFrame
    score: Score

    def lead(self, product: str, rival: str, column: str, value: float) -> float:
        """The product's score less its rival's, were its `column` of that value."""
        other = (
            pl.when(pl.col("product_id") == product)
            .then(pl.lit(value))
            .otherwise(pl.col(column).cast(pl.Float64))
        )
        builder = self.builder.with_numbers(self.products.with_columns(other.alias(column)))
        scores = self.score(builder, self.query, self.pairs)
        return float(scores[self._place(product)] - scores[self._place(rival)])

    def number(self, product: str, column: str) -> float | None:
        """The product's number today; InputError where the catalogue has no such column of numbers."""
        if column not in self.products.columns or not self.products[column].dtype.is_numeric():
            numeric = [c.name for c in self.products if c.dtype.is_numeric() and c.null_count() < len(c)]
            raise InputError(
                where="--change",
                expected="a numeric column of the products",
                got=repr(column),
                cure=f"choose among {', '.join(numeric)}" if numeric else "there is none",
            )
        return self.products.filter(product_id=product)[column].cast(pl.Float64)[0]

    def numbers(self, column: str) -> list[float]:
        """The candidates' different numbers."""
        candidates = self.products.join(self.pairs, on="product_id", how="semi")
        return candidates[column].drop_nulls().cast(pl.Float64).unique().sort().to_list()

    def _place(self, product: str) -> int:
        return int(self.pairs["product_id"].index_of(product) or 0)


@dataclass(frozen=True)
class Change:
    """The nearest number, going from `now` to `end`, with which the product and its rival swap places.

    value: None where no trial from `now` to `end` swaps them. lead: the product's score less its rival's,
    today and, as re-scored, after the change.
    """

    product_id: str
    rival: str
    column: str
    now: float
    value: float | None
    end: float
    lead: float
    lead_after: float | None = field(default=None)


def changes(shelf: Shelf, product: str, rival: str, column: str) -> list[Change]:
    """The smallest change downwards and the smallest upwards, within what the catalogue has of the column.

    Nothing for a product without the number, or a direction without room. Raises InputError for a column
    that is not numeric.
    """
    now = shelf.number(product, column)
    if now is None:
        return []
    known = shelf.products[column].cast(pl.Float64)
    low, high = float(known.min()), float(known.max())  # type: ignore[arg-type]
    step = resolution(max(abs(low), abs(high)))
    low, high = low - step if low > step else low, high + step  # a hair past all others: to undercut them
    return [_change(shelf, product, rival, column, now, end, step) for end in (low, high) if end != now]


def _change(
    shelf: Shelf, product: str, rival: str, column: str, now: float, end: float, step: float
) -> Change:
    def lead(value: float) -> float:
        return shelf.lead(product, rival, column, value)

    def ahead(gap: float) -> bool:  # equal scores are ranked by product_id
        return gap > 0 or (gap == 0 and product < rival)

    today = lead(now)
    values = trial_values(now, end, shelf.numbers(column), step)
    found = first_switch(lambda value: ahead(lead(value)) != ahead(today), now, values, step)
    after = None if found is None else lead(found)
    return Change(product, rival, column, now, found, end, today, after)


def resolution(largest: float) -> float:
    """One unit in the last of DIGITS digits: 0.01 where the dearest product costs 349."""
    return 10.0 ** (math.floor(math.log10(largest)) - DIGITS + 1) if largest else 1.0


def trial_values(now: float, end: float, others: Sequence[float], step: float) -> list[float]:
    """Values from `now` to `end`, the nearest first: evenly in log, and a step to either side of others'."""
    spread = np.geomspace if now > 0 and end > 0 else np.linspace
    low, high = sorted((now, end))
    near = sorted((v for v in others if low <= v <= high), key=lambda v: abs(v - now))[:NEIGHBOURS]
    around = [value + shift for value in near for shift in (-step, 0.0, step)]
    rounded = {_on_grid(value, step) for value in (*spread(now, end, TRIALS + 1), *around)}
    inside = {value for value in rounded if low <= value <= high} | {end}
    return sorted(inside - {now}, key=lambda value: abs(value - now))


def first_switch(
    swapped: Callable[[float], bool], now: float, values: Sequence[float], step: float
) -> float | None:
    """The value next to a switch, to `step`: swapped itself, while a step nearer to `now` is not."""
    before = now
    for value in values:
        if swapped(value):
            *_, last = _bisected(swapped, before, value, step)
            return last
        before = value
    return None


def _bisected(swapped: Callable[[float], bool], before: float, after: float, step: float) -> Iterator[float]:
    """Ever nearer values that are swapped; `before` is not, `after` is."""
    yield after
    while abs(after - before) > 1.5 * step:
        middle = _on_grid((before + after) / 2, step)
        if swapped(middle):
            after = middle
            yield after
        else:
            before = middle


def _on_grid(value: float, step: float) -> float:
    return round(round(float(value) / step) * step, 12)


def in_a_sentence(change: Change) -> str:
    """ "B: price 129 → 98.99 (-23 %) puts it above A", or which range holds no such price."""
    name = f"{change.product_id}: {change.column.replace('_', ' ')}"
    low, high = sorted((change.now, change.end))
    if change.value is None or change.lead_after is None:
        return f"{name} {change.now:,.6g}: none from {low:,.6g} to {high:,.6g} swaps it with {change.rival}"
    share = f" ({change.value / change.now - 1:+.1%})" if change.now else ""
    side = "above" if change.lead < change.lead_after else "below"
    return (
        f"{name} {change.now:,.6g} → {change.value:,.6g}{share} puts it {side} {change.rival} "
        f"(re-scored: {change.lead:+.4f} → {change.lead_after:+.4f})"
    )
