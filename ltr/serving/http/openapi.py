"""The API's description (OpenAPI 3.1), made of the paths and of the models that read their bodies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from ltr import __version__
from ltr.serving.http.problems import MEDIA_TYPE
from ltr.serving.http.server import ApiPath

_PROBLEM = {
    "type": "object",
    "description": "what was expected, what came, and the cure",
    "required": ["type", "title", "status", "detail", "where", "expected", "got", "cure", "request_id"],
    "properties": {
        "status": {"type": "integer"},
        **{
            name: {"type": "string"}
            for name in ("type", "title", "detail", "where", "expected", "got", "cure", "request_id")
        },
    },
}


def describe(paths: Sequence[ApiPath]) -> dict[str, Any]:
    """The whole description as JSON takes it."""
    bodies = list(dict.fromkeys(one.body for one in paths if one.body is not None))
    _, schemas = models_json_schema(
        [(body, "validation") for body in bodies], ref_template="#/components/schemas/{model}"
    )
    described: dict[str, Any] = {}
    for one in paths:
        name = re.sub(r"\{(\w+):path\}", r"{\1}", one.path)
        described.setdefault(name, {})[one.method.lower()] = _operation(one, name)
    return {
        "openapi": "3.1.0",
        "info": {"title": "shop-ltr", "version": __version__, "description": "A trained ranker, served."},
        "paths": described,
        "components": {
            "schemas": {**schemas.get("$defs", {}), "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(one: ApiPath, name: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "summary": one.about,
        "operationId": f"{one.method.lower()}{re.sub(r'[^a-z]+', '_', name)}".rstrip("_"),
        "responses": {
            "200": {"description": "the answer"},
            "default": {
                "description": "a problem",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    text = {"type": "string"}
    parameters = [
        {"name": found, "in": "path", "required": True, "schema": text}
        for found in re.findall(r"\{(\w+)\}", name)
    ]
    parameters += [{"name": query, "in": "query", "schema": text} for query in one.query]
    if parameters:
        made["parameters"] = parameters
    if one.body is not None:
        reference = {"$ref": f"#/components/schemas/{one.body.__name__}"}
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
    if one.access != "open":
        made["security"] = [{"token": []}]
    return made
