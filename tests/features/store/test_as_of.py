"""The point-in-time join against a loop over rows, and its rules one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from features.store import as_of
from features.store.as_of import join_as_of, newest_per_key

NOON = datetime(2020, 1, 1, 12)
HOUR = timedelta(hours=1)


def hours(*counts: float) -> list[datetime]:
    return [NOON + count * HOUR for count in counts]


def asked(keys: list[str | None], at: list[datetime]) -> pl.DataFrame:
    return pl.DataFrame({"key": keys, "at": at}, schema={"key": pl.String, "at": pl.Datetime("us")})


def known(keys: list[str], available_at: list[datetime], value: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"key": keys, "available_at": available_at, "value": value},
        schema={"key": pl.String, "available_at": pl.Datetime("us"), "value": pl.Float64},
    )


def joined(frame: pl.DataFrame, values: pl.DataFrame, max_age: timedelta | None = None) -> list[float | None]:
    result = join_as_of(frame, values, keys=["key"], available_at="available_at", max_age=max_age)
    assert result.drop("value").equals(frame)
    return result["value"].to_list()


# --- against brute force -------------------------------------------------------------------------

Row = tuple[str | None, int | None, int]  # two keys and a time
small_keys = st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from([0, 1, None]))
small_times = st.integers(-4, 4)
asked_rows = st.lists(st.tuples(small_keys, small_times), max_size=12)
known_rows = st.lists(
    st.tuples(
        st.tuples(st.sampled_from(["a", "b", "d"]), st.sampled_from([0, 1])),
        small_times,
        st.one_of(st.none(), st.integers(0, 99)),
    ),
    max_size=25,
)


def brute_force(asked_row: tuple, known_rows: list[tuple], max_age: int | None) -> int | None:
    key, at = asked_row
    newest = None
    for other, available_at, value in known_rows:
        in_time = available_at <= at and (max_age is None or at - available_at <= max_age)
        if None not in key and other == key and in_time and (newest is None or available_at >= newest[0]):
            newest = (available_at, value)
    return newest[1] if newest else None


def frame_of(rows: list[tuple], time: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "code": [key[0] for key, *_ in rows],  # the names the join itself might use inside
            "row": [key[1] for key, *_ in rows],
            time: [NOON + row[1] * HOUR for row in rows],
        },
        schema={"code": pl.String, "row": pl.Int32, time: pl.Datetime("us")},
    )


@pytest.mark.parametrize(
    "places", [2**63 - 1, 60 * 60 * 10**6 * 9], ids=["one block", "a key or two a block"]
)
@given(asked_rows, known_rows, st.one_of(st.none(), st.integers(0, 8)))
def test_equals_a_loop_over_rows(
    places: int, asked_rows: list[tuple], known_rows: list[tuple], max_age: int | None
) -> None:
    frame = frame_of(asked_rows, "at")
    values = frame_of(known_rows, "available_at").with_columns(
        pl.Series("value", [value for *_, value in known_rows], dtype=pl.Int64)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(as_of, "_INT64_PLACES", places)
        result = join_as_of(
            frame,
            values,
            keys=["code", "row"],
            available_at="available_at",
            max_age=None if max_age is None else max_age * HOUR,
        )
    assert result.drop("value").equals(frame)
    assert result["value"].to_list() == [brute_force(row, known_rows, max_age) for row in asked_rows]


@given(asked_rows, known_rows)
def test_newest_per_key_equals_asking_at_the_end_of_time(
    asked_rows: list[tuple], known_rows: list[tuple]
) -> None:
    frame = frame_of(asked_rows, "at")
    values = frame_of(known_rows, "available_at").with_columns(
        pl.Series("value", [value for *_, value in known_rows], dtype=pl.Int64)
    )
    result = newest_per_key(frame, values, keys=["code", "row"], available_at="available_at")
    assert result["value"].to_list() == [brute_force((key, 99), known_rows, None) for key, _ in asked_rows]


def test_agrees_with_polars_on_many_rows() -> None:
    rng = np.random.default_rng(7)
    frame = pl.DataFrame({"key": rng.integers(0, 300, 5_000), "at": rng.integers(0, 10**15, 5_000)})
    values = pl.DataFrame({"key": rng.integers(0, 250, 20_000), "t": rng.integers(0, 10**15, 20_000)})
    frame = frame.with_columns(pl.col("at").cast(pl.Datetime("us")), row=pl.int_range(pl.len()))
    values = values.with_columns(pl.col("t").cast(pl.Datetime("us")), value=pl.col("t"))
    ours = join_as_of(frame, values, keys=["key"], available_at="t")
    theirs = (
        frame.sort("at")
        .join_asof(values.sort("t"), left_on="at", right_on="t", by="key", check_sortedness=False)
        .sort("row")
    )
    assert ours["value"].equals(theirs["value"])
    assert ours["value"].null_count() > 0


# --- the rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "expected"),
    [(-0.001, None), (0, 1.0), (0.999, 1.0), (1, 2.0), (99, 2.0)],
    ids=["before", "at the very time", "between", "at the second", "long after"],
)
def test_newest_available_never_later(at: float, expected: float | None) -> None:
    assert joined(asked(["a"], hours(at)), known(["a", "a"], hours(0, 1), [1.0, 2.0])) == [expected]


def test_of_equal_times_the_later_row_counts() -> None:
    assert joined(asked(["a"], hours(1)), known(["a"] * 3, hours(0, 0, 0), [1.0, 3.0, 2.0])) == [2.0]


def test_a_null_that_is_newest_stays_null() -> None:
    assert joined(asked(["a"], hours(1)), known(["a", "a"], hours(0, 1), [1.0, None])) == [None]


@pytest.mark.parametrize(("age", "expected"), [(2 * HOUR, 1.0), (2 * HOUR - timedelta(microseconds=1), None)])
def test_max_age_is_inclusive(age: timedelta, expected: float | None) -> None:
    assert joined(asked(["a"], hours(2)), known(["a"], hours(0), [1.0]), max_age=age) == [expected]


def test_a_stale_value_does_not_uncover_an_older_one() -> None:
    values = known(["a", "a"], hours(0, 1), [1.0, 2.0])
    assert joined(asked(["a", "a"], hours(3, 1)), values, max_age=HOUR) == [None, 2.0]


def test_unknown_and_null_keys_are_null() -> None:
    assert joined(asked(["b", None, "a"], hours(1, 1, 1)), known(["a"], hours(0), [1.0])) == [None, None, 1.0]


def test_static_values_hold_at_any_time() -> None:
    values = pl.DataFrame({"key": ["a", "a"], "colour": ["red", "blue"]})
    result = join_as_of(
        asked(["a", "b"], hours(-1e5, 0)), values, keys=["key"], available_at=None, max_age=HOUR
    )
    assert result["colour"].to_list() == ["blue", None]


def test_no_rows_on_either_side() -> None:
    assert joined(asked([], []), known(["a"], hours(0), [1.0])) == []
    assert joined(asked(["a"], hours(0)), known([], [], [])) == [None]


def test_time_zones_and_units_mean_the_same_moment() -> None:
    frame = asked(["a"], hours(1)).with_columns(
        pl.col("at").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ns")
    )
    values = known(["a", "a"], hours(1, 2), [1.0, 2.0])
    assert joined(frame, values.with_columns(pl.col("available_at").dt.replace_time_zone("UTC"))) == [1.0]


def test_times_centuries_apart_do_not_overflow() -> None:
    moments = [datetime(1, 1, 1), datetime(9999, 12, 31)]
    keys = [f"k{i}" for i in range(100)]
    values = known(keys * 2, [m for m in moments for _ in keys], [float(i) for i in range(200)])
    assert joined(asked(keys, [datetime(9000, 1, 1)] * 100), values) == [float(i) for i in range(100)]


GOOD = asked(["a"], hours(0))
VALUES = known(["a"], hours(0), [1.0])


@pytest.mark.parametrize(
    ("frame", "values", "named"),
    [
        (GOOD.drop("key"), VALUES, "'key'"),
        (GOOD, VALUES.drop("key"), "'key'"),
        (GOOD.with_columns(key=pl.lit(1)), VALUES, "'key'"),
        (GOOD.drop("at"), VALUES, "'at'"),
        (GOOD.with_columns(at=pl.lit(date(2020, 1, 1))), VALUES, "'at'"),
        (GOOD.with_columns(at=pl.lit(None, pl.Datetime("us"))), VALUES, "1 nulls"),
        (GOOD, VALUES.with_columns(available_at=pl.lit("2020-01-01")), "'available_at'"),
        (GOOD.with_columns(at=pl.lit(datetime(2020, 1, 1, tzinfo=UTC))), VALUES, "time zone"),
        (GOOD.with_columns(value=pl.lit(0)), VALUES, "'value'"),
    ],
)
def test_bad_input_is_named(frame: pl.DataFrame, values: pl.DataFrame, named: str) -> None:
    with pytest.raises(InputError, match=named):
        join_as_of(frame, values, keys=["key"], available_at="available_at")


def test_a_negative_age_is_refused() -> None:
    with pytest.raises(InputError, match="max_age"):
        joined(GOOD, VALUES, max_age=-HOUR)
