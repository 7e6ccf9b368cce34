"""A table built part by part: the same as at once, and after kill -9 it goes on where it was."""

from __future__ import annotations

import dataclasses
import logging
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features import build
from features.build import FeatureBuilder, parts
from ltr.config.tree import Config, parse_config
from ltr.pipeline import prepare as prepare_module
from ltr.pipeline.prepare import Prepared, prepare

SHOP = {
    "name": "shop",
    "data": {"kind": "demo", "products": 60, "queries": 30, "judged_per_query": 10},
    "encoders": {"text": {"kind": "tfidf", "dimensions": 8}, "image": {"kind": "colours"}},
}
SMALL = 40  # pairs of a part

# A build that is killed, as by the machine, once its second part is written.
KILLED = """
import os, signal, sys
from pathlib import Path
from features.build import FeatureBuilder
from features.store.delta import FeatureStore
from ltr.pipeline.prepare import prepare
from tests.ltr.pipeline.test_prepare_parts import SMALL, settings, small_parts

small_parts()
written, write = [], FeatureStore.write

def counted(*given, **more):
    made = write(*given, **more)
    written.append(made)
    if len(written) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return made

FeatureStore.write = counted
prepare(settings(Path(sys.argv[1])))
"""


def settings(folder: Path) -> Config:
    places = {"store": {"root": str(folder / "store")}, "cache": {"folder": str(folder / "cache")}}
    return parse_config(SHOP | places, folder, "test")


def small_parts() -> list[int]:
    """Parts of SMALL pairs from now on; how many pairs each had that is built."""
    built: list[int] = []
    stream = FeatureBuilder.stream

    def in_small(self: FeatureBuilder, queries: pl.DataFrame, pairs: pl.DataFrame, after: int = 0) -> object:
        for frame in stream(self, queries, pairs, after, SMALL):
            built.append(frame.height)
            yield frame

    FeatureBuilder.stream = in_small  # type: ignore[method-assign, assignment]
    return built


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    monkeypatch.setattr(FeatureBuilder, "stream", FeatureBuilder.stream)  # to be put back
    return small_parts()


def same(prepared: Prepared, other: Prepared) -> None:
    assert prepared.schema == other.schema
    assert_frame_equal(prepared.table.frame, other.table.frame, check_exact=True)


def test_in_parts_it_is_the_table_built_at_once(tmp_path: Path, in_parts: list[int]) -> None:
    found = prepare(settings(tmp_path / "parts"))
    assert len(in_parts) > 4
    assert sum(in_parts) == found.table.frame.height
    pairs = found.table.frame.select("query_id", "product_id", "grade", "retrieved")
    assert_frame_equal(found.builder.build(found.collection.queries, pairs).frame, found.table.frame)
    again = prepare(settings(tmp_path / "parts"))
    assert again.from_store
    same(again, found)


def test_killed_it_goes_on_and_ends_the_same(tmp_path: Path, in_parts: list[int]) -> None:
    whole = prepare(settings(tmp_path / "whole"))
    parts_of_all = list(in_parts)
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "killed")], check=False)
    assert done.returncode == -signal.SIGKILL
    in_parts.clear()
    resumed = prepare(settings(tmp_path / "killed"))
    assert in_parts == parts_of_all[2:], "the first two parts are not built again"
    assert not resumed.from_store
    same(resumed, whole)


def test_a_rebuild_begins_anew(tmp_path: Path, in_parts: list[int]) -> None:
    first = prepare(settings(tmp_path))
    in_parts.clear()
    again = prepare(settings(tmp_path), rebuild=True)
    assert sum(in_parts) == first.table.frame.height
    same(again, first)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 25), st.integers(0, 60))
def test_parts_are_whole_lists_and_leave_nothing_out(sizes: list[int], at_once: int, after: int) -> None:
    rows = np.repeat(np.arange(len(sizes)), sizes)
    ends = np.cumsum(sizes).tolist()
    every = list(parts(rows, 0, at_once))
    assert [start for start, _ in every] == [0, *(end for _, end in every[:-1])]
    assert every[-1][1] == len(rows)
    assert all(end in ends for _, end in every)
    assert all(end - start <= max(at_once, *sizes) for start, end in every)
    rest = list(parts(rows, after, at_once))
    assert rest == ([p for p in every if p[0] >= after] if after in [0, *(e for _, e in every)] else every)


def test_no_pairs_make_no_parts() -> None:
    assert list(parts(np.zeros(0, dtype=np.int64), 0, 5)) == []
    assert build.PAIRS_AT_ONCE > SMALL


def test_a_build_says_which_words_were_read_otherwise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_collection = prepare_module.read_collection

    def with_typos(config: Config) -> object:
        found = read_collection(config)
        return dataclasses.replace(found, queries=found.queries.with_columns(text=pl.lit("red trousres")))

    monkeypatch.setattr(prepare_module, "read_collection", with_typos)
    for typos in (True, False):
        caplog.clear()
        with caplog.at_level(logging.INFO, "ltr"):
            shop = SHOP | {"features": {"typos": typos}}
            places = {"store": {"root": str(tmp_path / "s")}, "cache": {"folder": str(tmp_path / "c")}}
            prepare(parse_config(shop | places, tmp_path, "test"))
        said = "in 30 of 30 queries, are read as the nearest that one has: 'trousre' as 'trouser'"
        assert (said in caplog.text) == typos
