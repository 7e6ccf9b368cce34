"""A client of the API over the small demo shop's run, in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from ltr.serving.http import make_app
from ltr.serving.live_runs import LiveRun
from ltr.serving.settings import ServeSettings
from tests.ltr.conftest import Trained

TOKEN = "a token of the tests"
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="session")
def live(trained: Trained) -> LiveRun:
    return LiveRun(trained.run)


@pytest.fixture(scope="session")
def client(live: LiveRun) -> Iterator[TestClient]:
    settings = ServeSettings(no_log=True, query_characters=60, body_bytes=300_000, photo_pixels=1_000_000)
    with TestClient(make_app(live, settings, TOKEN)) as made:
        yield made
