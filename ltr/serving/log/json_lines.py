"""Values as JSON, quickly: what is answered and what is logged."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_json


def as_json(value: Any) -> bytes:
    """One line of UTF-8; a number that JSON does not have is null, half a surrogate pair is written as its escape."""
    try:
        return to_json(value, inf_nan_mode="null")
    except PydanticSerializationError:  # texts that are no Unicode
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")
