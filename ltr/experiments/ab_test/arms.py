"""A test's rows by unit and arm: who was in which arm, what is left out, covariates from before exposure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from features.errors import InputError
from ltr.experiments.columns import Columns, FloatArray, IntArray
from ltr.experiments.metrics import Metric, UnitValues, unit_values
from ltr.experiments.outcome import Check

MIXED = "several"  # the segment of a unit whose rows are of more than one
# Numbers below the first are plain; then those of seconds, milli-, micro- and nanoseconds since 1970, from 1973 on.
_EPOCHS = ((1e8, None), (1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (np.inf, 1e-3))


@dataclass(frozen=True)
class Arms:
    """Units of a test: `arm` (units,) is a place in `names`, the control first; `row_unit` (rows,) of `table`."""

    table: Columns
    earlier: tuple[Columns, IntArray] | None
    names: tuple[str, ...]
    arm: IntArray
    row_unit: IntArray
    checks: tuple[Check, ...]

    @property
    def units(self) -> int:
        return len(self.arm)

    def counts(self, chosen: npt.NDArray[np.bool_] | None = None) -> dict[str, int]:
        arm = self.arm if chosen is None else self.arm[chosen]
        return dict(zip(self.names, np.bincount(arm, minlength=len(self.names)).tolist(), strict=True))

    def values(self, metric: Metric) -> tuple[UnitValues, int]:
        return unit_values(metric, self.table, self.row_unit, self.units)

    def before(self, metric: Metric, column: str | None) -> FloatArray | None:
        """What was known of each unit before exposure (units,), NaN where nothing was; None without any.

        A named column, which must not change within a unit; else the same metric's column in earlier rows.
        """
        if column is not None:
            return self._constant(column)
        if self.earlier is None or any(name not in self.earlier[0].frame.columns for name in metric.columns):
            return None
        earlier, unit = self.earlier
        values = earlier.numbers(metric.column)
        known = ~np.isnan(values)
        rows = np.bincount(unit[known], minlength=self.units)
        sums = np.bincount(unit[known], values[known], self.units)
        return np.divide(sums, rows, out=np.full(self.units, np.nan), where=rows > 0)

    def segment(self, column: str) -> pl.Series:
        """Each unit's value (units,), `several` where its rows differ."""
        codes, names = self.table.codes(column)
        low = np.full(self.units, len(names), dtype=np.int64)
        high = np.full(self.units, -1, dtype=np.int64)
        np.minimum.at(low, self.row_unit, codes)
        np.maximum.at(high, self.row_unit, codes)
        return pl.Series([names[a] if a == b else MIXED for a, b in zip(low, high, strict=True)])

    def _constant(self, column: str) -> FloatArray:
        values = self.table.numbers(column)
        known = ~np.isnan(values)
        unit = self.row_unit[known]
        low, high = np.full(self.units, np.inf), np.full(self.units, -np.inf)
        np.minimum.at(low, unit, values[known])
        np.maximum.at(high, unit, values[known])
        if (low < high).any():
            raise InputError(
                where=f"{self.table.where}, column {column!r}",
                expected="one value per unit, known before exposure",
                got=f"{int((low < high).sum()):,} units whose value changes",
                cure="give a covariate from before exposure only",
            )
        return np.where(np.isfinite(low), low, np.nan)


def read_arms(table: Columns, arm: str, unit: str, control: str | None, times: Sequence[str] = ()) -> Arms:
    """Rows → units. times: (a row's time, its unit's exposure) columns, to tell earlier rows apart.

    Units with rows in several arms are left out and counted: more than 1 % of them is a failed check.
    """
    arm_rows, names = table.codes(arm)
    unit_rows, unit_names = table.codes(unit)
    names, arm_rows = _control_first(names, arm_rows, control, f"{table.where}, column {arm!r}")
    first = np.full(len(unit_names), len(names), dtype=np.int64)
    last = np.full(len(unit_names), -1, dtype=np.int64)
    np.minimum.at(first, unit_rows, arm_rows)
    np.maximum.at(last, unit_rows, arm_rows)
    pure = first == last
    checks = [_pure_units(pure)]
    place = np.cumsum(pure) - 1
    rows = pure[unit_rows]
    earlier_rows, more = _earlier(table, times)
    checks += more
    now = rows & ~earlier_rows
    earlier = None
    if times:
        before = rows & earlier_rows
        if before.any():
            earlier = (Columns(table.frame.filter(pl.Series(before)), table.where), place[unit_rows[before]])
    kept = Columns(table.frame.filter(pl.Series(now)), table.where)
    return Arms(kept, earlier, tuple(names), first[pure], place[unit_rows[now]], tuple(checks))


def _control_first(
    names: list[str], rows: IntArray, control: str | None, where: str
) -> tuple[list[str], IntArray]:
    if len(names) < 2:
        raise InputError(
            where=where, expected="two arms or more", got=f"only {names[0]!r}", cure="name the column of arms"
        )
    if len(names) > 20:
        raise InputError(
            where=where, expected="a few arms", got=f"{len(names):,} values", cure="name the column of arms"
        )
    if control is None:
        return names, rows
    if control not in names:
        raise InputError(
            where="--control", expected=f"one of {', '.join(names)}", got=control, cure="name an arm"
        )
    order = [names.index(control), *(i for i, name in enumerate(names) if name != control)]
    return [names[i] for i in order], np.argsort(order)[rows]


def _pure_units(pure: npt.NDArray[np.bool_]) -> Check:
    mixed = int((~pure).sum())
    share = mixed / len(pure)
    evidence = f"{mixed:,} of {len(pure):,} units have rows in several arms" + (", left out" if mixed else "")
    return Check("one arm per unit", "FAIL" if share > 0.01 else "WARN" if mixed else "PASS", evidence)


def _earlier(table: Columns, times: Sequence[str]) -> tuple[npt.NDArray[np.bool_], list[Check]]:
    """Rows from before their unit's exposure (rows,)."""
    if not times:
        return np.zeros(len(table), dtype=bool), []
    (at, of_rows), (exposed, of_units) = (_instants(table, name) for name in times)
    if of_rows != of_units:
        names, kinds = list(times), {True: "moments", False: "plain numbers"}
        raise InputError(
            where=f"{table.where}, columns {names[0]!r} and {names[1]!r}",
            expected="times of one kind, to tell before from after",
            got=f"{kinds[of_rows]} and {kinds[of_units]}",
            cure="write both as dates with times, or both as seconds since 1970",
        )
    before = at < exposed
    evidence = (
        f"{int(before.sum()):,} of {len(table):,} rows are from before exposure and count only as covariates"
    )
    return before, [Check("exposure", "PASS", evidence)]


def _instants(table: Columns, name: str) -> tuple[FloatArray, bool]:
    """Times (rows,), and whether they are moments, in microseconds since 1970, or plain numbers, such as a test's days.

    Moments are dates, ISO texts, and numbers as large as seconds, or parts of them, since 1970 are.
    """
    given = table.series(name)
    if given.dtype == pl.String:
        parsed = given.str.to_datetime(time_zone="UTC", time_unit="us", strict=False)
        if parsed.null_count() == given.null_count():
            given = parsed
    if given.dtype.is_temporal():
        moment = given.cast(pl.Datetime("us")) if given.dtype == pl.Date else given.dt.cast_time_unit("us")
        return Columns(moment.to_physical().to_frame(name), table.where).complete(name), True
    numbers = table.complete(name)
    size = float(np.median(np.abs(numbers))) if len(numbers) else 0.0
    unit = next((unit for largest, unit in _EPOCHS if size < largest), _EPOCHS[-1][1])
    return (numbers, False) if unit is None else (numbers * unit, True)
