"""Damage to a feature table is found or has no effect; a store that cannot be written says so in one line."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features.errors import InputError
from features.store import files
from features.store.delta import FeatureStore, FeatureView

VIEW = FeatureView("pairs", keys=("query_id", "product_id"), available_at=None)


def rows(seed: int) -> pl.DataFrame:
    draw = random.Random(seed)
    pairs = [(f"q{i}", f"p{j}") for i in range(5) for j in range(4)]
    values = {f"f{k}": [draw.random() if draw.random() > 0.1 else None for _ in pairs] for k in range(3)}
    keys = {"query_id": [q for q, _ in pairs], "product_id": [p for _, p in pairs]}
    return pl.DataFrame(keys | {"word": [f"wörd {draw.random()}" for _ in pairs]} | values)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    made = FeatureStore(tmp_path)
    made.write(VIEW, rows(0), metadata={"features": "[]"})
    made.write(VIEW, rows(1), mode="overwrite", metadata={"features": "[1]"})
    made.write(VIEW, rows(2).with_columns(pl.col("query_id") + "b"), metadata={"features": "[1, 2]"})
    return made


def state(store: FeatureStore) -> tuple[list[object], dict[str, str]]:
    frame = store.read(VIEW)
    return [frame.columns, *frame.rows()], store.metadata(VIEW)


def stored(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "pairs").rglob("*") if path.is_file())


def test_a_flipped_bit_anywhere_is_found_or_has_no_effect(store: FeatureStore, tmp_path: Path) -> None:
    before, draw, found = state(store), random.Random(0), 0
    for path in stored(tmp_path):
        whole = path.read_bytes()
        for _ in range(40):
            flipped = bytearray(whole)
            flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
            path.write_bytes(flipped)
            try:
                # Other metadata than was written last: the features would be built again.
                assert state(store)[0] == before[0]
            except InputError:
                found += 1
            path.write_bytes(whole)
    assert state(store) == before
    assert found > 50


def test_a_damaged_log_is_set_aside_by_an_overwrite(store: FeatureStore, tmp_path: Path) -> None:
    log = max((tmp_path / "pairs" / "_delta_log").glob("*.json"))
    log.write_bytes(log.read_bytes()[:50])
    with pytest.raises(InputError, match="remove it and build the features again"):
        store.read(VIEW)
    with pytest.warns(UserWarning, match="set aside and made anew"):
        assert store.write(VIEW, rows(5), mode="overwrite") == 0
    assert store.read(VIEW).equals(rows(5))
    assert len(list(tmp_path.glob("pairs@*"))) == 1


def test_damaged_data_are_written_over(store: FeatureStore, tmp_path: Path) -> None:
    for path in (tmp_path / "pairs").glob("*.parquet"):
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="missing or damaged file"):
        store.read(VIEW)
    store.write(VIEW, rows(5), mode="overwrite")
    assert store.read(VIEW).equals(rows(5))


def record_changed(tmp_path: Path, change: Callable[[dict[str, Any]], object], version: int) -> None:
    """Rewrite what the store noted in one commit, as another version would have noted it."""
    log = tmp_path / "pairs" / "_delta_log" / f"{version:020}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        if noted := action.get("commitInfo", {}).get("feature_view"):
            record = json.loads(noted) if isinstance(noted, str) else noted
            change(record)
            action["commitInfo"]["feature_view"] = json.dumps(record) if isinstance(noted, str) else record
    log.write_text("\n".join(json.dumps(action) for action in actions) + "\n")


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("lacking", [("sum",), ("files", "content", "sum"), ("written_at", "sum"), ("rows",)])
def test_a_table_of_an_older_version_is_called_so_and_an_overwrite_makes_it_anew(
    store: FeatureStore, tmp_path: Path, version: int, lacking: tuple[str, ...]
) -> None:
    record_changed(tmp_path, lambda record: [record.pop(name) for name in lacking], version)
    with pytest.raises(InputError, match=r"written by an older version.*--rebuild"):
        store.read(VIEW)
    with pytest.raises(InputError, match=r"written by an older version.*--rebuild"):
        store.write(VIEW, rows(4), mode="append")
    with pytest.warns(UserWarning, match="written by an older version; it is set aside and made anew"):
        store.write(VIEW, rows(5), mode="overwrite")
    assert store.read(VIEW).equals(rows(5))
    assert len(list(tmp_path.glob("pairs@*"))) == 1


def test_a_table_whose_sums_are_those_of_an_older_version_is_called_so(
    store: FeatureStore, tmp_path: Path
) -> None:
    def summed(record: dict[str, Any]) -> None:
        plain = json.dumps({name: value for name, value in record.items() if name != "sum"}, sort_keys=True)
        record["sum"] = hashlib.sha256(plain.encode()).hexdigest()[:32]

    record_changed(tmp_path, summed, 1)
    with pytest.raises(InputError, match=r"written by an older version.*--rebuild"):
        store.read(VIEW)


def test_a_table_of_a_newer_version_and_a_damaged_record_are_told_apart(
    store: FeatureStore, tmp_path: Path
) -> None:
    record_changed(tmp_path, lambda record: record.update(rows=7), 1)
    with pytest.raises(InputError, match="not as it was written"):
        store.read(VIEW)
    with pytest.warns(UserWarning, match="set aside and made anew"):
        store.write(VIEW, rows(5), mode="overwrite")
    assert store.read(VIEW).equals(rows(5))
    record_changed(tmp_path, lambda record: record.update(region="eu"), 0)
    with pytest.raises(InputError, match="written by a newer version"):
        store.read(VIEW)


@pytest.mark.parametrize("mode", ["append", "upsert", "overwrite"])
def test_a_store_that_is_full_says_so_and_stays_as_it_was(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    before, there = state(store), stored(tmp_path)

    @contextmanager
    def full(path: Path) -> Iterator[Path]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        yield path

    monkeypatch.setattr(files, "whole_file", full)
    with pytest.raises(
        InputError, match="expected a place where tables can be written, got Could not create"
    ):
        store.write(VIEW, rows(4).with_columns(pl.col("query_id") + "c"), mode=mode)
    assert state(store) == before
    assert stored(tmp_path) == there


def test_a_clock_set_back_does_not_mislead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, real, day = FeatureStore(tmp_path), time.time, 86400
    for number, shift in enumerate((0, -day, -2 * day)):
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda shift=shift: real() + shift)
            store.write(VIEW, rows(number), mode="overwrite")
    assert store.history(VIEW)["written_at"].is_sorted(descending=True)
    with pytest.raises(InputError, match="a version from 0"):
        store.read(VIEW, datetime.now(UTC) - timedelta(hours=12))
    assert store.read(VIEW, datetime.now(UTC) + timedelta(hours=1)).equals(rows(2))
