"""The bodies that the API takes, as pydantic models; OpenAPI describes them from here."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ltr.serving.catalogue import Range

MOST_SIZE = 100
_MOST_VALUES = 200  # of a filter


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


def _decoded(value: object) -> object:
    """base64, with or without the `data:image/…;base64,` that browsers write before it."""
    if not isinstance(value, str):
        return value
    text = value.partition("base64,")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a photo's bytes in base64") from error


Photo = Annotated[bytes, BeforeValidator(_decoded, json_schema_input_type=str)]
Values = Annotated[tuple[str, ...], Field(min_length=1, max_length=_MOST_VALUES)]
Id = Annotated[str, Field(min_length=1, max_length=500)]


class Person(Body):
    """Whose request it is; ids are replaced by keyed hashes before anything is kept."""

    shopper: Id | None = Field(None, description="the shop's own id of the shopper")
    session: Id | None = Field(None, description="the visit")


class SearchBody(Person):
    """Words, a photo, or both; with neither the filtered catalogue, sorted by price or date."""

    text: str | None = Field(None, description="the words")
    photo: Photo | None = Field(None, description="a photo's file in base64; an address is never fetched")
    filters: dict[str, Values | Range] = Field(
        {}, max_length=20, description="by column: {brand: [..], category: [path], price: {min, max}, …}"
    )
    sort: Literal["relevance", "price", "-price", "newest"] = "relevance"
    page: int = Field(1, ge=1, le=1000)
    size: int = Field(24, ge=1, le=MOST_SIZE, description="products a page")
    facets: bool = Field(default=True, description="whether to count values among the candidates")
    reasons: int = Field(0, ge=0, le=3, description="how many reasons in words each product is given")
