"""What keeps the server bounded: bodies, work under way and waiting, the token, the headers of every answer."""

from __future__ import annotations

import asyncio
import hmac
import math
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from ltr.serving.http.problems import RequestError
from ltr.serving.settings import LOOPBACK, TOKEN_VARIABLE

Made = TypeVar("Made")

_DIGITS = 15  # of a length that a body may say
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@\[\]\\?#]*))(?::\d{0,5})?")

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; font-src 'self'; manifest-src 'self'; media-src 'self' blob:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}


async def read_body(request: Request, most: int, seconds: float) -> bytes:
    """The whole body; a RequestError for one that is larger, slower, or that its client broke off."""
    said = request.headers.get("content-length", "0").lstrip("0")
    if said.isascii() and said.isdecimal() and (len(said) > _DIGITS or int(said) > most):
        raise _too_large(most, f"{said[:_DIGITS]} bytes")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise _too_large(most, "more")
                parts.append(part)
    except TimeoutError as error:
        got = f"{size:,} bytes of it"
        expected = f"the whole body within {seconds:g} seconds"
        raise RequestError(408, where="body", expected=expected, got=got, cure="send it again") from error
    except ClientDisconnect as error:
        raise RequestError(
            400, where="body", expected="the whole body", got="a part of it", cure="send it again"
        ) from error
    return b"".join(parts)


def _too_large(most: int, got: str) -> RequestError:
    cure = "send less, or raise --body-bytes"
    return RequestError(413, where="body", expected=f"at most {most:,} bytes", got=got, cure=cure)


def check_host(request: Request, listens_on: str) -> RequestError | None:
    """What is wrong with the host asked for: on loopback, another site may only pretend to be ours."""
    host = request.headers.get("host", "")
    found = _HOST.fullmatch(host)
    if found is None:
        expected = "a name or an address, and a port"
        return RequestError(400, where="host", expected=expected, got=repr(host[:80]), cure="send its own")
    name = found[1] or found[2]
    if listens_on not in LOOPBACK or name.lower() in LOOPBACK:
        return None
    expected = " or ".join(LOOPBACK)
    return RequestError(400, where="host", expected=expected, got=repr(name[:80]), cure="ask it by that name")


def check_token(request: Request, token: str | None, *, needed: bool) -> None:
    """Raise a RequestError where the server has a token and the request does not bring it.

    needed: refuse, too, where the server has none.
    """
    if token is None and needed:
        raise RequestError(
            401,
            where="server",
            expected=f"one that has a token, from {TOKEN_VARIABLE}",
            got="one without",
            cure="set the variable and start the server again",
        )
    if token is None:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise RequestError(
            401,
            where="authorization",
            expected="Bearer TOKEN, the server's own",
            got="another" if given else "none",
            cure="send the token that the server was started with",
            headers={"www-authenticate": "Bearer"},
        )


class Workers:
    """Threads that do what takes the processor, and a queue of a stated length before them."""

    def __init__(self, threads: int, queue: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threads + queue
        self.under_way = 0

    def admit(self) -> None:
        """Raise a RequestError of status 429 where queue and threads are full."""
        if self.under_way >= self._room:
            raise RequestError(
                429,
                where="server",
                expected=f"at most {self._room} requests under way",
                got="one more",
                cure="ask again in a second",
                headers={"retry-after": "1"},
            )

    def start(self, work: Callable[[], Made], seconds: float = math.inf) -> asyncio.Future[Made]:
        """Begin; what was begun takes its room until it ends, waited for or not.

        seconds: work that still waits for a thread after so long is not begun any more, for nobody waits for it: a
        server behind its load would else work for those who have gone, and be late for those who have not. Its future
        ends with a TimeoutError.
        """
        self.admit()
        self.under_way += 1
        due = time.monotonic() + seconds

        def unless_late() -> Made:
            if time.monotonic() > due:
                raise TimeoutError
            return work()

        future = asyncio.get_running_loop().run_in_executor(self._pool, unless_late)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: asyncio.Future[Made]) -> None:
        self.under_way -= 1
        if not future.cancelled():
            future.exception()  # of one that nobody waits for any more

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
