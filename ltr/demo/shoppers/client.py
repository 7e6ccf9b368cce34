"""A shopper's device: posts JSON to a running server over HTTP, and keeps what that took."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from features.errors import InputError

_BUSY, _TRIES = 429, 60
_SECONDS = 60.0  # for an answer


@dataclass
class Client:
    """Any number of threads may post at once, each over its own connection, which is kept.

    took: seconds of each answer. busy: how often the server had no room; degraded: answers without the model's order.
    """

    host: str
    port: int
    token: str = ""
    took: list[float] = field(default_factory=list)
    busy: int = 0
    degraded: int = 0
    _all: list[http.client.HTTPConnection] = field(default_factory=list, repr=False)
    _own: threading.local = field(default_factory=threading.local, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's JSON; a server that is full is asked again. Raises InputError where it refuses or is gone."""
        content = json.dumps(body).encode()
        for _ in range(_TRIES):
            began = time.perf_counter()
            status, found = self._ask(path, content)
            with self._lock:
                self.took.append(time.perf_counter() - began)
                self.busy += status == _BUSY
                self.degraded += bool(found.get("degraded"))
            if status != _BUSY:
                break
            time.sleep(0.1)
        if status >= 400:
            raise InputError(
                where=f"{self.host}:{self.port}{path}",
                expected=str(found.get("expected", "an answer")),
                got=str(found.get("got", f"status {status}")),
                cure=str(found.get("cure", "look at the server's own log")),
            )
        return found

    def close(self) -> None:
        """All connections, when no thread posts any more."""
        for connection in self._all:
            connection.close()

    def figures(self) -> dict[str, float]:
        """Requests so far, and milliseconds at three quantiles."""
        median, most, worst = np.quantile(self.took, [0.5, 0.95, 0.99]) * 1000 if self.took else [0.0] * 3
        return {"requests": len(self.took), "median": median, "95 %": most, "99 %": worst}

    def _ask(self, path: str, content: bytes) -> tuple[int, dict[str, Any]]:
        """A connection that the server has closed meanwhile is opened again, once."""
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.token}"}
        for again in (True, False):
            connection = self._connection()
            try:
                connection.request("POST", path, content, headers)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())
            except (OSError, http.client.HTTPException, ValueError) as error:
                connection.close()
                if again and isinstance(error, http.client.RemoteDisconnected | BrokenPipeError):
                    continue
                raise InputError(
                    where=f"{self.host}:{self.port}{path}",
                    expected="an answer in JSON",
                    got=f"none ({error})",
                    cure="look whether the server still runs",
                ) from error
        raise AssertionError("unreachable")

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection(self.host, self.port, timeout=_SECONDS)
            self._all.append(self._own.connection)
        made: http.client.HTTPConnection = self._own.connection
        return made
