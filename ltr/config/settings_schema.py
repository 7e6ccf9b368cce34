"""The settings' JSON Schema, made from the tree itself; `settings.json` beside it is its copy, read without the tree.

After a change of any setting: `make settings`, which writes settings.json and docs/settings.md anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from features.encoders.registry import ENCODERS
from features.kinds import Kinds
from ltr.config.settings import SCHEMA_FILE, to_markdown
from ltr.config.tree import Config
from ltr.rankers import RANKERS

_TITLE = "Settings of shop-ltr"


OWN = ("features", "ltr")  # packages whose kinds the page shows; a plug-in's are known while it is registered


def schema() -> dict[str, Any]:
    """JSON Schema of a config file, the kinds of encoders and rankers that this package has among it."""
    made = Config.model_json_schema()
    properties, defs = made["properties"], made["$defs"]
    properties["encoders"]["additionalProperties"] = _one_of(ENCODERS, defs)
    properties["ranker"] = {**_one_of(RANKERS, defs), "default": properties["ranker"]["default"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": _TITLE}


def _one_of(kinds: Kinds[Any, Any], defs: dict[str, Any]) -> dict[str, Any]:
    own = [one for one in kinds.classes if one.__module__.partition(".")[0] in OWN]
    classes: list[type[BaseModel]] = own
    refs, more = models_json_schema([(one, "validation") for one in classes])
    defs.update(more.get("$defs", {}))
    mapping = {one.model_fields["kind"].default: refs[one, "validation"]["$ref"] for one in own}
    return {
        "oneOf": [{"$ref": ref} for ref in mapping.values()],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }


def write(page: Path) -> None:
    """Write settings.json beside this file, and the page of settings."""
    SCHEMA_FILE.write_text(json.dumps(schema(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    page.parent.mkdir(exist_ok=True)
    page.write_text(to_markdown(), encoding="utf-8")
