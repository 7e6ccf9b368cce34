"""Errors as problem JSON (RFC 9457): what was expected, what came, and the cure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import ValidationError
from starlette.responses import Response

from features.errors import InputError, visible
from features.secrets import scrub

MEDIA_TYPE = "application/problem+json"
_MOST = 500  # characters of each part: what a stranger wrote is not sent back by the megabyte
_MOST_FAULTS = 1000  # of one body that are looked at
_TITLES = {
    400: "bad input",
    401: "a token is needed",
    404: "not found",
    405: "method not allowed",
    408: "the request came too slowly",
    409: "refused",
    413: "too large",
    415: "not JSON",
    422: "bad input",
    429: "too many requests",
    431: "too large a head",
    500: "a fault of the server",
    503: "not ready",
}


class RequestError(Exception):
    """An answer that is an error; the same four parts as InputError."""

    def __init__(
        self,
        status: int,
        *,
        where: str,
        expected: str,
        got: str,
        cure: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(where)
        self.status, self.headers = status, headers
        self.parts = {"where": where, "expected": expected, "got": got, "cure": cure}


def of_input_error(error: InputError, status: int = 422) -> RequestError:
    return RequestError(status, where=error.where, expected=error.expected, got=error.got, cure=error.cure)


def of_validation(error: ValidationError) -> RequestError:
    """A fault of the body's first faulty field: the field's path, what it should have been, and what stood there."""
    if error.error_count() > _MOST_FAULTS:
        got = f"{error.error_count():,} faults in it"
        expected = "what /openapi.json describes"
        return RequestError(422, where="body", expected=expected, got=got, cure="mend the body")
    faults = error.errors(include_url=False)
    # Of what may be one of several things the deepest fault is of the one that was meant.
    fault = max(
        (one for one in faults if one["loc"][:2] == faults[0]["loc"][:2]), key=lambda one: len(one["loc"])
    )
    where = ".".join(str(part) for part in fault["loc"]) or "body"
    if fault["type"] == "json_invalid":
        got = fault["msg"].removeprefix("Invalid JSON: ")
        return RequestError(422, where=where, expected="JSON", got=got, cure="mend it there")
    missing, unknown = fault["type"] == "missing", fault["type"] == "extra_forbidden"
    expected = fault["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    expected = "a value" if missing else "a known field" if unknown else expected[:1].lower() + expected[1:]
    got = "nothing" if missing else repr(where) if unknown else _short(fault["input"])
    cure = f"leave {where} out" if unknown else f"mend {where}; /openapi.json describes it"
    return RequestError(422, where=where, expected=expected, got=got, cure=cure)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def answer(problem: RequestError, request_id: str) -> Response:
    """One line of each part, whatever a stranger wrote into it."""
    parts = {name: _part(text) for name, text in problem.parts.items()}
    detail = f"{parts['where']}: expected {parts['expected']}, got {parts['got']}; {parts['cure']}"
    body = {
        "type": "about:blank",
        "title": _TITLES.get(problem.status, "error"),
        "status": problem.status,
        "detail": detail,
        **parts,
        "request_id": request_id,
    }
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(content, problem.status, dict(problem.headers or {}), MEDIA_TYPE)


def _part(text: str) -> str:
    """Cut before it is scrubbed, so that no length of it keeps the server busy, and again as it is shown."""
    shown = visible(scrub(text[: 4 * _MOST])) or "nothing"
    return shown if len(shown) <= _MOST else f"{shown[:_MOST]}…"
