"""The server as a process of its own: says its address, ends gracefully, and killed loses nothing acknowledged."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")
from features.sources.events import read_ubi
from ltr import serve
from tests.ltr.conftest import Trained
from tests.ltr.serving.http.conftest import BEARER, KEY, TOKEN


@contextmanager
def server(run: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    environment = os.environ | {"LTR_SERVE_TOKEN": TOKEN, "SHOP_LTR_PSEUDONYM_KEY": f"1 {KEY.secret.hex()}"}
    command = [sys.executable, "-m", "ltr.serve", "--run", str(run), "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        said = ""
        for said in process.stdout:
            if said.startswith("serving"):
                break
        port = re.search(r"127\.0\.0\.1:(\d+)/", said)
        assert port, said
        try:
            yield process, int(port[1])
        finally:
            process.kill()


def post(port: int, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json", **BEARER})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


class Shoppers:
    """Threads that search and click until the server is gone; what it answered them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.shown: list[str] = []
        self.acknowledged: list[str] = []
        self.broken: list[BaseException] = []
        self._busy = threading.Event()
        self._threads = [threading.Thread(target=self._shop, daemon=True) for _ in range(3)]
        for thread in self._threads:
            thread.start()

    def _shop(self) -> None:
        for _ in range(1000):
            try:
                self.shown.append(post(self.port, "/search", {"text": "dress", "size": 1})[1]["request_id"])
                event = {"product_id": "p1", "action": "click", "request_id": self.shown[-1]}
                if post(self.port, "/events", {"events": [event]})[0] == 202:
                    self.acknowledged.append(event["request_id"])
            except ConnectionRefusedError:  # it does not listen any more: nothing was begun
                return
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(error)
                return
            if len(self.acknowledged) >= 6:
                self._busy.set()

    def wait(self) -> None:
        assert self._busy.wait(60), self.broken

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def test_stopped_it_finishes_and_killed_it_loses_nothing(trained: Trained, tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        log = tmp_path / number.name
        with server(trained.run, "--log", str(log)) as (process, port):
            shoppers = Shoppers(port)
            shoppers.wait()
            process.send_signal(number)
            shoppers.join()
            status = process.wait(60)
        if number == signal.SIGTERM:
            assert status == 0
            # A connection that was opened and not yet accepted is all that may break.
            assert all(isinstance(one, ConnectionResetError) for one in shoppers.broken), shoppers.broken
        events = read_ubi(log)
        assert set(shoppers.acknowledged) <= set(events.actions["request_id"])
        assert set(shoppers.shown) <= set(events.shown["request_id"])
        assert events.shown.height == len(shoppers.shown) or number == signal.SIGKILL


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "0.0.0.0"], "a token in the variable LTR_SERVE_TOKEN"),
        (["--others", "x"], "--others RUN goes with"),
        (["--port", "99999"], "--port"),
        (["--explore-swaps", "0.7"], "--explore-swaps"),
        (["--run", "nowhere"], "a run folder"),
        (["--workers", "many"], "--workers"),
    ],
)
def test_what_cannot_be_served_is_said_before(
    words: list[str], message: str, trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LTR_SERVE_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    given = words if "--run" in words else [*words, "--run", str(trained.run)]
    with pytest.raises(Exception, match=re.escape(message)):
        serve.main(given if "--port" in given else [*given, "--port", "0"])


def test_the_newest_demo_run_is_the_default(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ltr.serving.process import newest_demo_run

    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match="train one first"):
        newest_demo_run()
    for number, name in enumerate(("demo-xgboost", "demo-lightgbm", "demo-xgboost")):
        about = tmp_path / "runs" / name / "run.json"
        about.parent.mkdir(parents=True, exist_ok=True)
        about.write_text("{}")
        os.utime(about, (number, number))
    assert newest_demo_run() == Path("runs/demo-xgboost")
