"""Which cosines a set of encoders can take between a query and a product: text–text, photo–photo, text–photo.

What holds of photos holds of any other modality that an encoder reads (see media).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import product as pairings
from typing import Literal

import polars as pl

from features.batch import has_values
from features.encoders.protocol import Encoder
from features.media.columns import column_of, media_columns, modality_of

TextField = Literal["title", "description", "category", "brand"]
TEXT_FIELDS: tuple[TextField, ...] = ("title", "description", "category", "brand")
_WORDS = {"image": "photo"}  # what features call a modality other than by its own name


@dataclass(frozen=True)
class Side:
    """A column of queries or products, seen by an encoder; equal where the vectors are equal."""

    encoder: Encoder = field(compare=False)
    fingerprint: str
    column: str

    @property
    def modality(self) -> str:
        return modality_of(self.column)

    @property
    def key(self) -> str:
        """Fit for a file's name."""
        return f"{self.column}-{self.fingerprint}".replace("/", "_")


@dataclass(frozen=True)
class Comparison:
    """One cosine: a side of the query against a side of the product, in one space."""

    name: str
    query: Side
    product: Side

    @property
    def group(self) -> str:
        return self.name.split(".", 1)[0]

    @property
    def searches(self) -> bool:
        """Whether the nearest products of its group are those nearest by this one: title, or like by like."""
        return self.name == "text.title" or self.query.modality == self.product.modality != "text"

    @property
    def word(self) -> str:
        """What features call one item of its modality: photo."""
        return _WORDS.get(self.group, self.group)


def comparisons(encoders: Collection[Encoder]) -> Iterator[Comparison]:
    """Every cosine these encoders can take, by a catalogue that has every column.

    encoders: in order of preference. Text is compared by the first that reads text, photos by the first
    that reads photos; text with photos by the first two that share a `space` (often one joint encoder).
    """
    readers = [encoder for encoder in encoders if "text" in encoder.modalities]
    for reader in readers[:1]:
        for column in TEXT_FIELDS:
            yield Comparison(f"text.{column}", _side(reader, "text"), _side(reader, column))
    for modality in sorted({name for encoder in encoders for name in encoder.modalities} - {"text"}):
        viewers = [encoder for encoder in encoders if modality in encoder.modalities]
        yield from _of_modality(modality, readers, viewers)


def compared_columns(products: pl.DataFrame) -> list[str]:
    """The comparable columns of which some product has a value."""
    fields = (*TEXT_FIELDS, "image", *media_columns(products.columns))
    return [name for name in fields if has_values(products, name)]


def _of_modality(modality: str, readers: list[Encoder], viewers: list[Encoder]) -> Iterator[Comparison]:
    """Of photos, or another modality than text: like with like, and with text where a space is shared."""
    word, column = _WORDS.get(modality, modality), column_of(modality)
    like = _side(viewers[0], column)
    yield Comparison(f"{modality}.{word}_{word}", like, like)
    joint = [
        (reader, viewer) for reader, viewer in pairings(readers, viewers) if reader.space == viewer.space
    ]
    for reader, viewer in joint[:1]:
        yield Comparison(f"{modality}.text_{word}", _side(reader, "text"), _side(viewer, column))
        yield Comparison(f"{modality}.{word}_title", _side(viewer, column), _side(reader, "title"))


def _side(encoder: Encoder, column: str) -> Side:
    return Side(encoder, encoder.fingerprint, column)
