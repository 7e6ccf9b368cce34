"""The bodies that the API takes, as pydantic models; OpenAPI describes them from here."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
import unicodedata
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from features.sources.events.event_log import Action
from ltr.serving.catalogue.shown_catalogue import Range

MOST_SIZE = 100
_MOST_VALUES = 200  # of a filter
_MOST_EVENTS = 1000  # of one request
_FIRST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)  # what counts minutes or days since 1970 lies before
_UNSEEN = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]")


class Body(BaseModel):
    """Of a field that stands twice in a body the last one counts, as most readers of JSON have it.

    Values are of the kind that JSON has for them: true is no 1, and "3" no 3.
    most_commas: of the whole body, as a bound of the values in it that costs nothing to check.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)
    most_commas: ClassVar[int] = 20_000


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
Id = Annotated[str, Field(max_length=500, pattern=r"\S")]  # of blanks alone nobody and nothing is called
Value = Annotated[str, Field(max_length=500)]
Values = Annotated[tuple[Value, ...], Field(min_length=1, max_length=_MOST_VALUES, fail_fast=True)]


class Person(Body):
    """Whose request it is; ids are replaced by keyed hashes before anything is kept."""

    shopper: Id | None = Field(None, description="the shop's own id of the shopper")
    session: Id | None = Field(None, description="the visit")


class Query(Person):
    text: str | None = Field(None, description="the words")
    photo: Photo | None = Field(None, description="a photo's file in base64; an address is never fetched")


class SearchBody(Query):
    """Words, a photo, or both; with neither the filtered catalogue, sorted by price or date."""

    history: tuple[Id, ...] = Field(
        (),
        max_length=_MOST_VALUES,
        description="ids that the shopper met before, oldest first; they are not kept",
    )
    filters: dict[Id, Values | Range] = Field(
        {}, max_length=20, description="by column: {brand: [..], category: [path], price: {min, max}, …}"
    )
    sort: Literal["relevance", "price", "-price", "newest"] = "relevance"
    page: int = Field(1, ge=1, le=1000)
    size: int = Field(24, ge=1, le=MOST_SIZE, description="products a page")
    list_id: str | None = Field(
        None,
        pattern="^[0-9a-f]{32}$",
        description="of further pages: the list_id of the first page's answer, so that they go on with its list",
    )
    facets: bool = Field(default=True, description="whether to count values among the candidates")
    reasons: int = Field(0, ge=0, le=3, description="how many reasons in words each product is given")


class Candidate(Body):
    """A product that the shop's engine found; features: values of the run's features that the shop knows itself."""

    product_id: Id
    features: dict[Id, float | Value | None] = Field(
        {},
        max_length=2000,
        fail_fast=True,
        description="by the run's feature name; one of a category takes its text",
    )


class RerankBody(Query):
    """Candidates of the shop's own engine, to be put into the run's order."""

    most_commas: ClassVar[int] = 1_000_000
    candidates: tuple[Candidate | Id, ...] = Field(
        min_length=1, max_length=10_000, fail_fast=True, description="ids, or ids with features"
    )


class CompareBody(Body):
    """Two products or more, side by side."""

    products: tuple[Id, ...] = Field(min_length=2, max_length=12)

    @field_validator("products")
    @classmethod
    def _each_once(cls, products: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(products)) < len(products):
            raise ValueError("different products")
        return products


class ExplainBody(Query):
    """What a product's score is made of; with `over`, why it stands above that one."""

    product_id: Id
    over: Id | None = None
    filters: dict[Id, Values | Range] = Field({}, max_length=20)


class BesideBody(Query):
    """One query by two orders."""

    filters: dict[Id, Values | Range] = Field({}, max_length=20)
    against: Id = Field("bm25", description="bm25, or the name of a run beside the one that serves")
    size: int = Field(10, ge=1, le=MOST_SIZE)


def _one_name(judge: str) -> str:
    """One judge however the name is typed: else two would seem to agree."""
    name = " ".join(_UNSEEN.sub("", unicodedata.normalize("NFC", judge)).split())
    if not name:
        raise ValueError("a name")
    return name


Judge = Annotated[
    str,
    Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"),
    AfterValidator(_one_name),
]


class GivenBody(Query):
    """What a judge gave a query's products so far."""

    judge: Judge


class JudgeBody(GivenBody):
    """Grades of a query's products by one judge; null takes one back."""

    grades: dict[Id, Annotated[int, Field(ge=0, le=3)] | None] = Field(min_length=1, max_length=200)


class Act(Body):
    """What was done with a product."""

    product_id: Id
    action: Action
    request_id: str | None = Field(
        None, pattern="^[0-9a-f]{32}$", description="of the answer that showed it; none: from elsewhere"
    )
    value: float | None = Field(None, ge=0, description="the price paid")
    at: AwareDatetime | None = Field(
        None,
        strict=False,
        description="when: with its zone, or seconds or milliseconds since 1970; none: now",
    )

    @model_validator(mode="after")
    def _not_to_come(self) -> Self:
        if self.at is not None and not _FIRST < self.at < dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5):
            raise ValueError("a time after 1990 that is not to come")
        return self


class EventsBody(Person):
    events: tuple[Act, ...] = Field(min_length=1, max_length=_MOST_EVENTS, fail_fast=True)


class PromoteBody(Body):
    """A run to put in place of the one that serves."""

    run: Id = Field(description="the name of a run folder beside the one that serves")
    force: bool = Field(default=False, description="without a decision to go live; recorded in the run")
    by: str = Field("", max_length=200, description="who decided")


class RenewBody(Body):
    """The catalogue's files were changed: products that are new, changed or gone are to be served so."""

    by: str = Field("", max_length=200, description="who changed them")


class RollBackBody(Body):
    by: str = Field("", max_length=200, description="who decided")
