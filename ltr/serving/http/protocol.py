"""The connection below the application: what is no HTTP, or a head too large or too slow, is a problem too."""

from __future__ import annotations

import uuid
from asyncio import TimerHandle, Transport
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ltr.serving.http import problems
from ltr.serving.http.limits import SECURITY_HEADERS
from ltr.serving.http.problems import RequestError

MOST_HEAD = 64 << 10  # bytes of a request line and its headers
HEAD_SECONDS = 10.0  # for a client to send them


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's own protocol waits for a head for as long as its client likes, and keeps however much comes of it."""

    _in_head, _head_size = True, 0
    _due: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head:
            self._head_size = 0
            return
        self._head_size += len(data)
        if self._head_size > MOST_HEAD and not self.transport.is_closing():
            self.refuse(431, f"a head of at most {MOST_HEAD:,} bytes", "more", "send fewer headers")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        if self._due is None:
            self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._wait_no_more()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self.refuse(400, "an HTTP/1.1 request", msg.rstrip("."), "mend its head, or its length")

    def refuse(self, status: int, expected: str, got: str, cure: str) -> None:
        """Answer with a problem, and hang up."""
        problem = RequestError(status, where="request", expected=expected, got=got, cure=cure)
        request_id = uuid.uuid4().hex
        answer = problems.answer(problem, request_id)
        own = {**answer.headers, "x-request-id": request_id, **SECURITY_HEADERS, "connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        begin = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n"
        self.transport.write(begin.encode("latin-1") + bytes(answer.body))
        self.transport.close()

    def _wait_for_head(self) -> None:
        self._due = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def _wait_no_more(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _too_late(self) -> None:
        self._due = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_for_head()  # of one sent ahead, while the one before is being answered
        elif self._head_size:
            self.refuse(408, f"a whole head within {HEAD_SECONDS:g} seconds", "a part of it", "send it again")
        else:
            self.transport.close()
