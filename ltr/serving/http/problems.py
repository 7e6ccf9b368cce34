"""Errors as problem JSON (RFC 9457): what was expected, what came, and the cure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from features.errors import InputError, visible
from features.secrets import scrub

MEDIA_TYPE = "application/problem+json"
_MOST = 500  # characters of each part: what a stranger wrote is not sent back by the megabyte
_MOST_FAULTS = 1000  # of one body that are looked at
_UNKNOWN = "extra_forbidden"  # pydantic's name of it
# What pydantic says around what was expected, in words of Python.
_PYTHONS = re.compile(
    r"^(?:Value error, |Input should (?:be|have) |(?:Tuple|Dictionary|String) should (?:have |match ))"
    r"| after validation, not \d+$"
)
# What other search APIs call a field of ours.
_ELSEWHERE = (
    {"query": "text", "q": "text", "words": "text", "image": "photo", "img": "photo"}
    | dict.fromkeys(("limit", "top", "top_k", "count", "page_size", "per_page", "rows", "n"), "size")
    | {
        "user": "shopper",
        "user_id": "shopper",
        "session_id": "session",
        "order_by": "sort",
        "filter": "filters",
    }
    | {"products": "candidates", "documents": "candidates", "items": "candidates"}
    | dict.fromkeys(("id", "doc_id", "item_id", "sku", "product"), "product_id")
)
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


def of_validation(error: ValidationError, model: type[BaseModel]) -> RequestError:
    """A fault of the body's first faulty field: the field's path, what it should have been, and what stood there.

    model: what the body should have been, whose names are told where one is not known.
    """
    if error.error_count() > _MOST_FAULTS:
        got = f"{error.error_count():,} faults in it"
        expected = "what /openapi.json describes"
        return RequestError(422, where="body", expected=expected, got=got, cure="mend the body")
    faults = error.errors(include_url=False)
    # A needed field that is not there stands there by a wrong name, where another is not known beside it.
    beside = [one for one in faults if one["type"] == _UNKNOWN and one["loc"][:-1] == faults[0]["loc"][:-1]]
    first = beside[0] if beside and faults[0]["type"] == "missing" else faults[0]
    # Of what may be one of several things the deepest fault is of the one that was meant.
    near = [one for one in faults if one["loc"][:2] == first["loc"][:2]]
    # And of two as deep not that of the one that takes another kind of value.
    fault = max(near, key=lambda one: (len(one["loc"]), not one["type"].endswith("_type"), one is first))
    where, known = _place(fault["loc"], model)
    if fault["type"] == "json_invalid":
        got = fault["msg"].removeprefix("Invalid JSON: ")
        return RequestError(422, where=where, expected="JSON", got=got, cure="mend it there")
    if fault["type"] == _UNKNOWN:
        cure = _nearest(str(fault["loc"][-1]), known) or f"leave {where} out"
        expected = f"a known field ({', '.join(known)})"
        return RequestError(422, where=where, expected=expected, got=repr(where), cure=cure)
    missing = fault["type"] == "missing"
    expected = _PYTHONS.sub("", fault["msg"])
    expected = "a value" if missing else expected[:1].lower() + expected[1:]
    got = "nothing" if missing else _short(fault["input"])
    return RequestError(
        422, where=where, expected=expected, got=got, cure=f"mend {where}; /openapi.json describes it"
    )


def _nearest(name: str, known: list[str]) -> str | None:
    """The question whether another field was meant; None where none is near."""
    meant = _ELSEWHERE.get(name.casefold())
    near = [meant] if meant in known else difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else None


def _place(loc: tuple[int | str, ...], model: type[BaseModel]) -> tuple[str, list[str]]:
    """A fault's place as the body spells it, and the fields known there.

    Names by which pydantic tells alternatives apart (Range, tuple[…], str) are no part of it.
    """
    models, path, known = [model], list[str](), list[str]()
    for part in loc:
        known = list(dict.fromkeys(name for one in models for name in one.model_fields))
        fields = [one.model_fields[part] for one in models if part in one.model_fields]
        models = [inner for field in fields for inner in _models_in(field.annotation)] or models
        tags = {"str", "int", "float", "constrained-str", *(one.__name__ for one in models)}
        if part in known or not (part in tags or "[" in str(part)):
            path.append(str(part))
    return ".".join(path) or "body", known


def _models_in(kind: Any) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [found for inner in getattr(kind, "__args__", ()) for found in _models_in(inner)]


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
