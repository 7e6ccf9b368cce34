"""What reaches the connection before any request does: no HTTP, heads too large or too slow, lengths that lie."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("uvicorn")
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from ltr.serving.http import make_app, protocol
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.settings import ServeSettings

HOST = b"Host: localhost\r\n"
GOOD = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module")
def port(live: LiveRun) -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(protocol, "HEAD_SECONDS", 0.3)
        app = make_app(LiveRuns(live), ServeSettings(no_log=True, body_timeout=0.3, body_bytes=100_000))
        listening = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, ws="none", http=protocol.BoundedHttp)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(20)


def answer_to(port: int, sent: bytes, *, until_closed: bool = True) -> bytes:
    """All that the server says until it hangs up, or until one answer of it is whole."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as opened:
        got = b""
        try:
            opened.sendall(sent)
            while part := opened.recv(1 << 16):
                got += part
                if not until_closed and is_whole(got):
                    break
        except ConnectionError:  # it hung up while more was sent
            pass
        return got


def is_whole(got: bytes) -> bool:
    head, ended, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head)
    return bool(ended) and len(body) >= int(length[1] if length else 0)


def problem(got: bytes) -> dict[str, str]:
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, got
    assert b"x-request-id: " in head
    found = json.loads(body)
    assert found["status"] == int(head.split()[1])
    assert all(found[part] for part in ("where", "expected", "got", "cure"))
    return found


def is_well(port: int) -> None:
    assert answer_to(port, GOOD, until_closed=False).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 400),
        (b"GET  /health\r\n\r\n", 400),
        (b"POST /search HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
        (b"POST /search HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
        (b"POST /search HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n{}", 400),
        (b"POST /search HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}", 400),
        (b"POST /search HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X" * 900_000, 431),
        (b"GET /" + b"x" * 900_000, 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 200_000, 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a part", 408),
        (b"GET /hea", 408),
        (b"POST /search HTTP/1.1\r\n" + HOST + b"Connection: close\r\nContent-Length: 50\r\n\r\n{", 408),
        (b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n", 400),  # without a host
    ],
    ids=range(18),
)  # fmt: skip
def test_what_is_no_request_is_a_problem_and_the_end_of_it(port: int, sent: bytes, status: int) -> None:
    got = answer_to(port, sent)
    if got or status != 431:  # of a head that is still being sent, the hanging up may be all that arrives
        assert problem(got)["status"] == status
    is_well(port)


def test_a_client_that_says_nothing_is_hung_up_on(port: int) -> None:
    assert answer_to(port, b"") == b""
    is_well(port)


def test_a_large_body_refused_unread_leaves_the_connection_in_order(port: int) -> None:
    """What is still to come of it is no request, whatever it looks like."""
    large = b"POST /search HTTP/1.1\r\n" + HOST + b"Content-Length: 500000\r\n\r\n" + GOOD * 20
    got = answer_to(port, large + b"x" * (500_000 - 20 * len(GOOD)) + GOOD, until_closed=False)
    assert got.startswith(b"HTTP/1.1 413")
    assert got.count(b"HTTP/1.1") == 1
    is_well(port)


@settings(max_examples=60)
@given(
    st.binary(max_size=300)
    | st.builds(lambda at, by: GOOD[:at] + by + GOOD[at:], st.integers(0, len(GOOD)), st.binary(max_size=9))
)
def test_any_bytes(port: int, sent: bytes) -> None:
    got = answer_to(port, sent, until_closed=False)
    assert not got.startswith(b"HTTP/1.1 5")
    if got.startswith(b"HTTP/1.1 4"):
        problem(got)
    is_well(port)
