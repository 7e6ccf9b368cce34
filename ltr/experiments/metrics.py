"""What is measured: a mean per unit, a share of units, a ratio of sums, a mean or a quantile of rows.

Written as text: `gmv` (sum of a unit's rows, mean over units), `any:bought` (share of units with a row above 0),
`clicks/impressions` (sum over sum), `each:no_result` (mean over rows, such as searches), `p95:latency_ms`
(quantile of rows); each may have a name before: `ctr=…`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from features.errors import InputError
from ltr.experiments.columns import Columns
from ltr.experiments.estimates import Estimate, mean_of, quantile_of, quantile_slope, ratio_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Kind = Literal["mean", "share", "ratio", "quantile"]

_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?):(.+)")


@dataclass(frozen=True)
class Metric:
    """A measure of an arm; share: which quantile; lower: whether less is better."""

    name: str
    kind: Kind
    column: str
    per: str = ""
    share: float = 0.5
    lower: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, self.per) if self.per else (self.column,)

    @property
    def sign(self) -> int:
        """1 where more is better, −1 where less is."""
        return -1 if self.lower else 1

    @property
    def in_words(self) -> str:
        return {
            "mean": f"sum of {self.column} per unit, mean over units",
            "share": f"share of units with any {self.column}",
            "ratio": f"sum of {self.column} over sum of {self.per}"
            if self.per
            else f"mean of {self.column} over rows",
            "quantile": f"{self.share:.3g} quantile of {self.column} over rows",
        }[self.kind]


def parse_metric(text: str, lower: Sequence[str] = ()) -> Metric:
    """The metric that the text writes; InputError where it writes none."""
    name, equals, rest = text.partition("=")
    name, rest = (name, rest) if equals else (text, text)
    quantile = _QUANTILE.fullmatch(rest)
    above, slash, below = rest.partition("/")
    less = name in lower
    if quantile and float(quantile[1]) > 0:
        return Metric(name, "quantile", quantile[2], share=float(quantile[1]) / 100, lower=less)
    if rest.startswith("any:") and rest[4:]:
        return Metric(name, "share", rest[4:], lower=less)
    if rest.startswith("each:") and rest[5:]:
        return Metric(name, "ratio", rest[5:], lower=less)
    if slash and above and below:
        return Metric(name, "ratio", above, below, lower=less)
    if name and rest and ":" not in rest and not slash:
        return Metric(name, "mean", rest, lower=less)
    raise InputError(
        where="--metric",
        expected="COLUMN, any:COLUMN, each:COLUMN, COLUMN/COLUMN or p95:COLUMN, with NAME= before it or not",
        got=repr(text),
        cure="write one of these",
    )


@dataclass(frozen=True)
class UnitValues:
    """A metric of every unit that has it.

    units (k,): row numbers of the units; above, below (k,): their sums (below only for a ratio);
    for a quantile `above` holds rows instead, and `row_unit` (rows,) which of the k units each belongs to.
    """

    metric: Metric
    units: IntArray
    above: FloatArray
    below: FloatArray | None = None
    row_unit: IntArray | None = None

    def of(self, chosen: npt.NDArray[np.bool_]) -> UnitValues:
        """Those of the k units that are chosen (k,)."""
        if self.row_unit is None:
            below = None if self.below is None else self.below[chosen]
            return UnitValues(self.metric, self.units[chosen], self.above[chosen], below)
        place = np.cumsum(chosen) - 1
        rows = chosen[self.row_unit]
        return UnitValues(self.metric, self.units[chosen], self.above[rows], None, place[self.row_unit[rows]])

    def capped(self, most: float) -> UnitValues:
        return UnitValues(self.metric, self.units, np.minimum(self.above, most), self.below, self.row_unit)

    def slope(self) -> float | None:
        """Of a quantile, over all units: what the arms' errors share under the null. None for other kinds."""
        if self.row_unit is None or len(self.units) < 2:
            return None
        return quantile_slope(self.above, self.row_unit, len(self.units), self.metric.share)

    def estimate(self, slope: float | None = None) -> Estimate | None:
        """None where there is nothing to measure: fewer than two units, or a ratio over 0."""
        if len(self.units) < 2:
            return None
        if self.row_unit is not None:
            return quantile_of(self.above, self.row_unit, len(self.units), self.metric.share, slope)
        if self.below is not None:
            return ratio_of(self.above, self.below) if self.below.sum() > 0 else None
        return mean_of(self.above)

    @property
    def not_zero(self) -> int:
        """Units with something other than 0."""
        return int(np.count_nonzero(self.above))


def unit_values(metric: Metric, table: Columns, unit: IntArray, units: int) -> tuple[UnitValues, int]:
    """The metric of each unit (rows' units: (rows,)), and how many units are left out for a missing value."""
    columns = [table.numbers(name) for name in metric.columns]
    missing = np.isnan(np.stack(columns)).any(axis=0)
    if metric.kind == "quantile":
        rows = ~missing
        present = np.bincount(unit[rows], minlength=units) > 0
        place = np.cumsum(present) - 1
        found = UnitValues(
            metric, np.flatnonzero(present), columns[0][rows], row_unit=place[unit[rows]].astype(np.int64)
        )
        return found, units - int(present.sum())
    if metric.kind == "ratio" and not metric.per:
        counts = np.bincount(unit[~missing], minlength=units).astype(np.float64)
        total = np.bincount(unit[~missing], columns[0][~missing], units).astype(np.float64)
        seen = counts > 0
        return UnitValues(metric, np.flatnonzero(seen), total[seen], counts[seen]), units - int(seen.sum())
    present = np.bincount(unit, missing, units) == 0
    sums = [np.bincount(unit, np.nan_to_num(column), units)[present] for column in columns]
    if metric.kind == "share":
        positive = np.bincount(unit, np.nan_to_num(columns[0]) > 0, units)[present]
        sums = [(positive > 0).astype(np.float64)]
    _refuse_negative(metric, sums)
    below = sums[1] if metric.kind == "ratio" else None
    return UnitValues(metric, np.flatnonzero(present), sums[0], below), units - int(present.sum())


def _refuse_negative(metric: Metric, sums: Sequence[FloatArray]) -> None:
    if metric.kind == "ratio" and (sums[1] < 0).any():
        raise InputError(
            where=f"column {metric.per!r}",
            expected="counts of 0 or more below the line of a ratio",
            got=f"{sums[1].min():g} for one unit",
            cure="mend the column",
        )
