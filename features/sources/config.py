"""Where the data lies and what its columns are called: the `data` section of a config.

A canonical column is taken from the column named for it, else from one of its own name if there is one;
`[]` leaves it out. Paths are relative to the config file's folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from features.errors import InputError
from features.media.columns import hash_column
from features.sources.events.cleaning import EventRules

Names = str | tuple[str, ...] | None
# Words that name features or embeddings already; `image` has its own section and column.
_TAKEN = (
    *("text", "image", "lexical", "structured", "extra", "embedding", "given"),
    *("title", "description", "brand", "category"),
)


def _open_modalities(media: dict[str, str]) -> dict[str, str]:
    for name in media:
        if name in _TAKEN or not re.fullmatch(r"[a-z][a-z0-9]*", name):
            raise ValueError(
                f"modalities in lower-case letters and digits, such as audio (not {name!r}), and not "
                f"{', '.join(_TAKEN[:2])} and other names of features"
            )
    return media


Media = Annotated[dict[str, str], AfterValidator(_open_modalities)]
_MEDIA = (
    "further columns of files, by the modality that an encoder reads ({audio: sound_file}): bytes, or "
    "file paths relative to the table's folder"
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)  # some codecs are of no text, such as base64
    except (LookupError, UnicodeError) as error:
        raise ValueError(f"an encoding that Python knows, such as cp1252 or utf-16 (not {name!r})") from error
    return name


class TableConfig(_Strict):
    """A file of rows, and how it is written where that cannot be read from the file itself."""

    path: Path
    separator: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="between the fields of a CSV file; none: as its header shows",
    )
    encoding: Annotated[str, AfterValidator(_known_encoding)] | None = Field(
        None,
        description="of a text file, such as cp1252; none: UTF-8, or UTF-16 where its first bytes say so",
    )
    decimal: Literal[".", ","] | None = Field(
        None, description="the decimal mark of numbers and prices written as text; none: decided per column"
    )


class ProductColumns(_Strict):
    """The source's names of the product's columns; several are joined (texts, ids) or are levels (category)."""

    product_id: Names = None
    title: Names = None
    description: Names = None
    brand: Names = None
    category: Names = Field(default=None, description="a path, a list, or one column a level")
    price: Names = None
    list_price: Names = Field(default=None, description="the price before any discount")
    currency: Names = Field(default=None, description="of the product's prices, where they do not name it")
    group: Names = Field(
        default=None,
        description="what the rows of one product's variants share (Shopify's Handle): texts that a row lacks are "
        "taken from the first of its group",
    )
    rating: Names = None
    rating_count: Names = None
    listed_at: Names = None
    image: Names = Field(
        default=None, description="encoded bytes, or file paths relative to the table's folder"
    )


_HELPERS = {"currency", "group"}  # say how other columns are read; they are no columns of the products


class ProductsConfig(TableConfig):
    columns: ProductColumns = ProductColumns()
    numeric: tuple[str, ...] = Field((), description="further columns that are numbers")
    categorical: tuple[str, ...] = Field((), description="further columns that are categories")
    media: Media = Field({}, description=_MEDIA)
    price_unit: Literal["units", "cents"] = "units"
    currency: str | None = Field(
        None,
        pattern="^[A-Za-z]{3}$",
        description="of the prices to keep, such as EUR; none: the most frequent one",
    )
    category_separator: str = Field(">", min_length=1, description="between the levels of a category path")

    @model_validator(mode="after")
    def _own_names(self) -> Self:
        extra = (*self.numeric, *self.categorical)
        canonical = {*ProductColumns.model_fields, hash_column("image")} - _HELPERS
        taken = [name for name in extra if name in canonical or extra.count(name) > 1]
        if taken:
            raise ValueError(f"numeric and categorical to name other columns, each once (not {taken[0]!r})")
        return self


class ImagesConfig(_Strict):
    """Photos in a table of their own (`path`), or files in a folder named in a column of the products."""

    path: Path | None = None
    key: str = Field("product_id", description="the table's column of product ids")
    folder: Path | None = None
    column: str = Field(
        "image",
        description="the photo in the table, or the file name in the products table; there also a pattern, "
        "such as '{id}.jpg' (the product's id) or '{sku}_1.png' (another column)",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.folder is None):
            raise ValueError("either path (a table of photos) or folder (photo files)")
        return self


class QueryColumns(_Strict):
    query_id: Names = None
    text: Names = None
    image: Names = Field(
        default=None,
        description="encoded bytes, or file paths relative to the table's folder, else to data.images.folder",
    )
    split: Names = Field(default=None, description="which part of a fixed split the query belongs to")
    segment: Names = Field(default=None, description="a kind of query that reports show apart")
    at: Names = Field(
        default=None,
        description="when it was asked (without a zone: UTC), for splits by time, and for what was known then",
    )
    session: Names = Field(
        default=None, description="of whoever asked; becomes a pseudonym, as in the events"
    )
    shopper: Names = Field(default=None, description="who asked; becomes a pseudonym, as in the events")
    history: Names = Field(
        default=None,
        description="product_ids that the shopper or session had met before it, oldest first: a list, or a|b|c; "
        "where it says nothing, it comes from data.events by `at`, session and shopper",
    )


class QueriesConfig(TableConfig):
    columns: QueryColumns = QueryColumns()
    media: Media = Field({}, description=_MEDIA)


class JudgementColumns(_Strict):
    query_id: Names = None
    query: Names = Field(
        default=None, description="the query's text, where there is no query_id or no table of queries"
    )
    product_id: Names = None
    grade: Names = Field(default=None, description="several columns are several raters")
    title: Names = Field(default=None, description="the product's title, where there is no table of products")
    weight: Names = Field(
        default=None, description="what a judgement counts in training, 0 or more; without it all count 1"
    )
    source: Names = Field(
        default=None,
        description="who judged: rows that say `clicks` come from shoppers' clicks, as ltr.label_clicks writes them",
    )


def _plain_names(grades: object) -> object:
    """YAML reads yes, on and true as one truth, null as nothing, and 1.0 as a number: names are text."""
    if not isinstance(grades, dict):
        return grades
    return {_plain_name(name): grade for name, grade in grades.items()}


def _plain_name(name: object) -> object:
    if name is None:
        return "null"
    if isinstance(name, bool):
        return str(name).lower()
    return f"{name:.17g}" if isinstance(name, int | float) else name


Grades = Annotated[dict[str, float | None], BeforeValidator(_plain_names)]


class JudgementsConfig(TableConfig):
    columns: JudgementColumns = JudgementColumns()
    grades: Grades | None = Field(
        default=None, description="the number that each text grade stands for; null leaves its judgements out"
    )
    candidates: Literal["listed", "catalogue"] = Field(
        "listed",
        description="of a query: the products listed for it, or all there are, the unlisted with grade 0",
    )


class EventColumns(_Strict):
    request_id: Names = Field(
        default=None, description="one asking of a query: what its shown list and actions share"
    )
    query_id: Names = None
    query: Names = Field(default=None, description="the query's text")
    product_id: Names = None
    position: Names = Field(default=None, description="of a shown product, from 1 or from 0")
    shown: Names = Field(default=None, description="a whole list in order: 'a|b|c', or a list")
    action: Names = Field(default=None, description="click, cart, purchase, return, like, or shown")
    at: Names = None
    available_at: Names = Field(
        default=None, description="when it could be known; without it, when it happened"
    )
    value: Names = Field(default=None, description="the price paid")
    session: Names = None
    shopper: Names = Field(default=None, description="becomes a pseudonym, as the session does")
    run: Names = None
    arm: Names = None
    propensity: Names = Field(
        default=None, description="the probability that this product stood at this position"
    )


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"a time zone such as Europe/Berlin (not {name!r})") from error
    return name


class EventsConfig(TableConfig):
    """A table of events; or UBI files: `path` is their folder, or a file whose name begins with `ubi_`.

    UBI files name all by themselves: what says how a table is read is refused beside them.
    """

    columns: EventColumns = EventColumns()
    actions: dict[str, Literal["shown", "click", "cart", "purchase", "return", "like"]] = Field(
        default={}, description="what the table's own names of actions stand for; other names are left out"
    )
    action: Literal["shown", "click", "cart", "purchase", "return", "like"] | None = Field(
        default=None, description="what every row is, where no column says it"
    )
    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = Field(
        default=None, description="of times that name none, such as Europe/Berlin; none: UTC"
    )
    cleaning: EventRules = EventRules()

    def is_ubi(self, base: Path) -> bool:
        """Whether these are UBI files, from this folder on; InputError for settings of which they heed none."""
        if not ((base / self.path).is_dir() or self.path.name.startswith("ubi_")):
            return False
        usual = EventsConfig(path=self.path, cleaning=self.cleaning)
        unread = [name for name in type(self).model_fields if getattr(self, name) != getattr(usual, name)]
        if unread:
            raise InputError(
                where=f"data.events.{unread[0]}",
                expected="a plain table of events",
                got=f"UBI files ({self.path}), which are read by their own names",
                cure="leave the setting out, or name a table",
            )
        return True


class CatalogueConfig(_Strict):
    """A shop's tables. Without `queries` or `products` they are taken from the judgements."""

    kind: Literal["catalogue"] = "catalogue"
    products: ProductsConfig | None = None
    images: ImagesConfig | None = None
    queries: QueriesConfig | None = None
    judgements: JudgementsConfig | None = None
    events: EventsConfig | None = None
    files_outside: bool = Field(
        default=False,
        description="whether photos and other files may lie outside their folder: absolute paths, .., links",
    )

    @model_validator(mode="after")
    def _some_products(self) -> Self:
        if self.products is None and self.judgements is None:
            raise ValueError("products, or judgements that hold their titles")
        return self


class SvmlightConfig(_Strict):
    """Ready-made features in svmlight files: no texts, no photos."""

    kind: Literal["svmlight"] = "svmlight"
    files: dict[str, Path] = Field(
        min_length=1, description="one file a part; its name becomes the queries' split"
    )
