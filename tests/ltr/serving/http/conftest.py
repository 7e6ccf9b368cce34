"""Clients of the API over the small demo shop's run, in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")
from starlette.applications import Starlette
from starlette.testclient import TestClient

from features.errors import InputError
from features.sources.privacy import Key
from ltr import train
from ltr.serving.http import make_app
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.log.event_log import EventLog
from ltr.serving.settings import ServeSettings
from tests.ltr.conftest import Trained
from tests.ltr.serving.http import behaving

TOKEN = "a token of the tests"
BEARER = {"authorization": f"Bearer {TOKEN}"}
KEY = Key(1, b"k" * 32)
PATIENT = 60.0  # seconds: on a busy machine, too, an answer is degraded only where a test wants it so
Clients = Callable[..., TestClient]


@pytest.fixture(scope="session")
def live(trained: Trained) -> LiveRun:
    return LiveRun(trained.run)


@pytest.fixture(scope="session")
def client(live: LiveRun) -> Iterator[TestClient]:
    settings = ServeSettings(
        no_log=True,
        query_characters=60,
        body_bytes=300_000,
        photo_pixels=1_000_000,
        rerank_most=50,
        timeout=PATIENT,
    )
    app = make_app(LiveRuns(live), settings, TOKEN)
    with TestClient(app, base_url="http://localhost") as made:
        yield made


@pytest.fixture
def clients(live: LiveRun) -> Iterator[Clients]:
    """Makes one with other settings, runs or a log in a folder; all end with the test, and so does their work."""
    apps: list[Starlette] = []
    with ExitStack() as stack:

        def make(runs: LiveRuns | None = None, log: Path | None = None, **settings: Any) -> TestClient:
            event_log = None if log is None else EventLog(log, 1 << 20, 0.001)
            app = make_app(
                runs or LiveRuns(live),
                ServeSettings(**{"timeout": PATIENT, **settings}),
                TOKEN,
                event_log,
                KEY,
            )
            apps.append(app)
            return stack.enter_context(TestClient(app, base_url="http://localhost"))

        yield make
    # A stopped server lets its threads end by themselves, but what the next test counts is to be its own.
    for app in apps:
        app.state.server.workers._pool.shutdown(wait=True)


class Audited(NamedTuple):
    client: TestClient
    log: Path


@pytest.fixture(scope="module")
def audited(live: LiveRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    folder = tmp_path_factory.mktemp("audit")

    def examine(_: Any) -> Any:
        raise InputError(where="run", expected="no trial in this test", got="one", cure="none")

    app = make_app(
        LiveRuns(live, examine=examine),
        ServeSettings(judgements=folder / "judgements", timeout=PATIENT, body_bytes=2_000_000),
        TOKEN,
        EventLog(folder / "log", 1 << 20, 0.001),
        KEY,
    )
    with TestClient(app, base_url="http://localhost") as client:
        yield Audited(client, folder / "log")


COLOURS, THINGS = ("red", "blue", "grey", "green"), ("shoe", "hat", "bag", "lamp", "scarf")
ASKED = ["red shoe", "green lamp for home", "scarf", "blue"]
CONFIG = """
name: renewed
data:
  kind: catalogue
  products: {path: products.csv}
  queries: {path: queries.csv}
  judgements: {path: judgements.csv}
features: {history: {}}
encoders: {text: {kind: tfidf, dimensions: 8}}
ranker: {kind: xgboost, trees: 5, bags: 1, threads: 1, early_stopping_rounds: 0}
split: {kind: folds, folds: 2, validation_share: 0}
ladder: []
evaluation: {bootstrap: {resamples: 100}}
store: {root: ROOT/store}
cache: {folder: ROOT/cache}
runs: ROOT/runs
"""


def some(rng: np.random.Generator, ids: list[str]) -> pl.DataFrame:
    """Products of these ids as a shop may write them."""
    words = [
        f"{rng.choice(COLOURS)} {rng.choice(THINGS)} {rng.choice(COLOURS)} {n % 7}" for n in range(len(ids))
    ]
    return pl.DataFrame(
        {
            "product_id": ids,
            "title": words,
            "brand": [f"brand {rng.integers(4)}" for _ in ids],
            "category": [f"goods > {word.split()[1]}" for word in words],
            "price": rng.integers(5, 90, len(ids)).astype(float),
        }
    )


@pytest.fixture(scope="session")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a shop's files, which tests change, and a run over them that reads what shoppers met before."""
    folder = tmp_path_factory.mktemp("renewed")
    rng = np.random.default_rng(0)
    products = some(rng, [f"p{n:03d}" for n in range(80)])
    products.write_csv(folder / "products.csv")
    queries = pl.DataFrame({"query_id": ["q1", "q2", "q3", "q4"], "text": ASKED})
    histories = ["p001|p002", None, "p017", "p003|gone|p004"]
    queries.with_columns(history=pl.Series(histories)).write_csv(folder / "queries.csv")
    pairs = queries.select("query_id").join(products.select("product_id", "title"), how="cross")
    grades = pairs.select("query_id", "product_id", grade=pl.col("title").str.len_chars() % 4)
    grades.write_csv(folder / "judgements.csv")
    (folder / "shop.yaml").write_text(CONFIG.replace("ROOT", str(folder)))
    train.main(["--config", str(folder / "shop.yaml")])
    return folder


@pytest.fixture(scope="session")
def behaving_first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return behaving.make(tmp_path_factory.mktemp("behaving"))


@pytest.fixture
def shop(behaving_first: Path) -> Iterator[Path]:
    """A run that goes by counts of events, and the counts of half the log; as it was, for the next test."""
    kept = behaving_first.with_name(f"{behaving_first.name}-kept")
    if not kept.exists():
        shutil.copytree(behaving_first, kept)
    yield behaving_first
    shutil.rmtree(behaving_first)
    shutil.copytree(kept, behaving_first)
