"""The feature store with several writers at once, and elsewhere than in a plain folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.errors import InputError
from features.store import delta
from features.store.delta import FeatureStore, FeatureView, WriteMode

PRICES = FeatureView("prices", keys=("product_id",))
DAY = timedelta(days=1)
START = datetime(2020, 1, 1)


def prices(*rows: tuple[str, int, float | None]) -> pl.DataFrame:
    """Rows of (product, day, price)."""
    return pl.DataFrame(
        {
            "product_id": [product for product, _, _ in rows],
            "available_at": [START + day * DAY for _, day, _ in rows],
            "structured.price": pl.Series([price for *_, price in rows], dtype=pl.Float32),
        },
        schema_overrides={"product_id": pl.String, "available_at": pl.Datetime("us")},
    )


def asked(*rows: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"product_id": [product for product, _ in rows], "at": [START + day * DAY for _, day in rows]}
    )


def price_list(frame: pl.DataFrame) -> list[float | None]:
    return frame["structured.price"].to_list()


ROW = prices(("a", 0, 1.0))


# --- several writers -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["append", "upsert"])
@pytest.mark.parametrize("exists", [True, False], ids=["table exists", "table is made meanwhile"])
def test_a_commit_that_came_second_is_made_again_on_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: WriteMode, exists: bool
) -> None:
    store = FeatureStore(tmp_path)
    if exists:
        store.write(PRICES, prices(("z", 0, 0.0)))
    prepare = delta._prepare

    def overtaken(*arguments: object) -> object:
        """The other process commits after we looked at the table and before we do."""
        monkeypatch.setattr(delta, "_prepare", prepare)
        store.write(PRICES, prices(("a", 0, 1.0), ("b", 0, 1.0)))
        return prepare(*arguments)

    monkeypatch.setattr(delta, "_prepare", overtaken)
    assert store.write(PRICES, prices(("a", 0, 2.0)), mode=mode) == 1 + exists
    assert store.read(PRICES).height == 3 + exists - (mode == "upsert")
    assert price_list(store.as_of(asked(("a", 0), ("b", 0)), [PRICES])) == [2.0, 1.0]


WRITER = """
import sys, polars as pl
from datetime import datetime
from features.store.delta import FeatureStore, FeatureView
store, view = FeatureStore(sys.argv[1]), FeatureView("shared", keys=("writer", "row"))
print("ready", flush=True)
sys.stdin.readline()
for row in range(5):
    frame = pl.DataFrame({"writer": [sys.argv[2]], "row": [row], "available_at": [datetime(2020, 1, 1)]})
    print(store.write(view, frame), flush=True)
"""


def test_two_processes_writing_at_once_both_land(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    versions = [int(line) for text in _go(writers) for line in text.split()]
    assert sorted(versions) == list(range(10))
    rows = FeatureStore(tmp_path).read(FeatureView("shared", keys=("writer", "row")))
    assert sorted(rows.select("writer", "row").rows()) == [(w, r) for w in "ab" for r in range(5)]


def _go(writers: list[subprocess.Popen[str]]) -> list[str]:
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    return [writer.communicate(timeout=60)[0] for writer in writers]


# --- elsewhere than in a folder ------------------------------------------------------------------


def test_a_file_address_is_a_folder(tmp_path: Path) -> None:
    FeatureStore(tmp_path.as_uri()).write(PRICES, ROW)
    assert FeatureStore(tmp_path).read(PRICES).equals(ROW)


@pytest.fixture
def bucket() -> Iterator[str]:
    command = [sys.executable, str(Path(__file__).with_name("fake_object_store.py")), "test-key"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


def test_an_object_store_works_through_its_options(bucket: str) -> None:
    options = {
        "AWS_ENDPOINT_URL": bucket,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test-key",  # the server refuses any other
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "nowhere",
    }
    store = FeatureStore("s3://bucket/some/folder", options)
    assert not store.exists(PRICES)
    assert store.write(PRICES, prices(("a", 0, 1.0)), metadata={"config": "1"}) == 0
    assert store.write(PRICES, prices(("a", 0, 2.0), ("b", 0, 3.0)), mode="upsert") == 1
    assert price_list(store.as_of(asked(("b", 1), ("a", 1)), [PRICES])) == [3.0, 2.0]
    assert price_list(store.read(PRICES, version=0)) == [1.0]
    assert store.metadata(PRICES) == {"config": "1"}
    assert store.folder is None
    assert store.forget(PRICES, pl.col("product_id") == "a") == 1
    assert price_list(store.read(PRICES)) == [3.0]
    with pytest.raises(InputError, match="missing or damaged"):
        store.read(PRICES, version=0)
