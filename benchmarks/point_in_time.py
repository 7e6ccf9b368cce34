"""python -m benchmarks.point_in_time [--small]

How fast is the point-in-time join beside the as-of joins of polars and pandas, and what does it prevent?
The speed part joins random rows by key and time in every way, checks that all agree, and times them in
turn. The other part, `benchmarks/hm_popularity.py`, does it on H&M's transactions and shows the leaks.

--small: 1/50 of the rows, and no file written: whether it still runs and agrees.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks import hm_popularity, record
from features.store.as_of import join_as_of

Ways = dict[str, Callable[[], pl.Series]]
OURS = "join_as_of"
TWO_YEARS = timedelta(days=2 * 365) // timedelta(microseconds=1)


def main() -> None:
    arguments = argparse.ArgumentParser(description="Speed of the point-in-time join, and what it prevents.")
    arguments.add_argument("--small", action="store_true", help="1/50 of the rows, no file written")
    small = arguments.parse_args().small
    scale = 50 if small else 1
    figures = speed(left=1_000_000 // scale, right=5_000_000 // scale, keys=10_000 // scale, turns=5)
    if record.have("hm"):
        figures["hm"] = hm_popularity.measure()
    if not small:
        record.write("point_in_time", "python -m benchmarks.point_in_time", software() | figures)


def software() -> dict[str, Any]:
    names = ("pandas", "deltalake", "pyarrow")
    return {
        "python": platform.python_version(),
        "other_versions": {name: version(name) for name in names},
        "polars_threads": pl.thread_pool_size(),
    }


def speed(left: int, right: int, keys: int, turns: int) -> dict[str, Any]:
    """Best of the turns in seconds, and each way's seconds over ours, after checking that all agree."""
    frame, values = random_rows(left, right, keys)
    ways = from_any_order(frame, values) | from_sorted(frame, values)
    expected = ways[OURS]()
    for name, way in ways.items():
        if not way().equals(expected):
            raise AssertionError(f"{name} gives other values than {OURS}")
    taken = [{name: timed(way) for name, way in ways.items()} for _ in range(turns)]
    seconds = {name: min(turn[name] for turn in taken) for name in ways}
    ratio = {name: value / seconds[OURS] for name, value in seconds.items()}
    show(f"{left:,} rows as of their time in {right:,} rows of {keys:,} keys", seconds, ratio)
    return {
        "rows": {"left": left, "right": right, "keys": keys},
        "turns": turns,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "ratio": {name: round(value, 2) for name, value in ratio.items()},
    }


def random_rows(left: int, right: int, keys: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two years of microseconds, String keys; a ninth of the rows ask for a key that has no values."""
    rng = np.random.default_rng(0)
    names = pl.Series([f"P{number:07d}" for number in range(keys + keys // 8)])
    frame = pl.DataFrame(
        {
            "row": np.arange(left),
            "key": names[rng.integers(0, len(names), left)],
            "at": rng.integers(0, TWO_YEARS, left),
        }
    )
    values = pl.DataFrame(
        {
            "key": names[rng.integers(0, keys, right)],
            "t": rng.integers(0, TWO_YEARS, right),
            "value": rng.random(right),
        }
    )
    return frame.cast({"at": pl.Datetime("us")}), values.cast({"t": pl.Datetime("us")})


def from_any_order(frame: pl.DataFrame, values: pl.DataFrame) -> Ways:
    """Unsorted rows in, values in the rows' own order out: what a user needs."""
    asked, known = frame.to_pandas(), values.to_pandas()
    return {
        OURS: lambda: join_as_of(frame, values, keys=["key"], available_at="t")["value"],
        "polars join_asof(by)": lambda: polars_by(frame.sort("at"), values.sort("t")).sort("row")["value"],
        "pandas merge_asof(by)": lambda: from_pandas(
            pandas_by(asked.sort_values("at"), known.sort_values("t")).sort_values("row")
        ),
    }


def from_sorted(frame: pl.DataFrame, values: pl.DataFrame) -> Ways:
    """The libraries' best case: both sides in order of time already, and the rows left in that order.

    The sort back to the rows' own order, for the comparison, costs hundredths of a second.
    """
    asked, known = frame.sort("at"), values.sort("t")
    asked_pandas, known_pandas = asked.to_pandas(), known.to_pandas()
    order = asked["row"].arg_sort()
    return {
        "sorted: join_as_of": lambda: join_as_of(asked, known, keys=["key"], available_at="t")["value"][
            order
        ],
        "sorted: polars join_asof(by)": lambda: polars_by(asked, known)["value"][order],
        "sorted: pandas merge_asof(by)": lambda: from_pandas(pandas_by(asked_pandas, known_pandas))[order],
    }


def polars_by(asked: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    return asked.join_asof(known, left_on="at", right_on="t", by="key", check_sortedness=False)


def pandas_by(asked: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    return pd.merge_asof(asked, known, left_on="at", right_on="t", by="key")


def from_pandas(joined: pd.DataFrame) -> pl.Series:
    """Its values; pandas writes NaN where polars has null."""
    return pl.Series("value", joined["value"].to_numpy()).fill_nan(None)


def timed(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def show(title: str, seconds: dict[str, float], ratio: dict[str, float]) -> None:
    table = Table("way", "seconds", "÷ ours", title=title)
    for name, taken in seconds.items():
        table.add_row(name, f"{taken:.2f}", f"{ratio[name]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
