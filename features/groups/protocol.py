"""What a group of features is, and which there are: one list, which a user's own group joins by `register`.

A group reads a catalogue once (`index`), is saved as arrays (`arrays`) and opened again without reading any text or
photo (`opened`), and answers for pairs (`block`): ten million training rows or the candidates of one request.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from features.batch import PairBatch, QueryBatch
from features.encoders.vectors import Hits
from features.feature_schema import Feature, FeatureSchema
from features.index import CatalogueIndex, Change
from features.words.typos import KnownWords

Arrays = Mapping[str, np.ndarray]


class GroupSettings(BaseModel):
    """The parent of every group's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Group(ABC):
    """A group of features over one catalogue.

    kind: names it in a config (`features.KIND`). settings: the class of its section. Its features may be of
    several names' groups (`text.title`, `image.photo_photo`).
    """

    kind: ClassVar[str]
    settings: ClassVar[type[BaseModel]]

    @classmethod
    @abstractmethod
    def index(cls, catalogue: CatalogueIndex, settings: Any) -> Self:
        """Read the catalogue's products (`catalogue.products`, rows in the index's order) once.

        Raises InputError for settings that do not fit the catalogue.
        """

    @property
    @abstractmethod
    def features(self) -> tuple[Feature, ...]:
        """In order; they hang on catalogue and settings alone, never on the queries at hand."""

    @abstractmethod
    def block(self, batch: PairBatch, out: np.ndarray) -> None:
        """Write the features of each pair into `out`, (pairs, features) float32 of the caller's; NaN is missing.

        What it needs of the queries it reads through `batch.queries.once`, their words by the catalogue's `words_of`.
        Must not hang on which other
        queries are in the batch; standings are of the lists between
        `batch.starts`, among the rows of `batch.among` (see `standings`).
        """

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """All that was read, by names fit for files: numbers, booleans and bytes, no objects."""

    @classmethod
    @abstractmethod
    def opened(cls, catalogue: CatalogueIndex, settings: Any, arrays: Arrays) -> Self:
        """The group that gave these arrays, which may be mapped from a disk and are not to be written."""

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    def reindexed(self, catalogue: CatalogueIndex, settings: Any, change: Change) -> Self:  # noqa: ARG002
        """The group over the catalogue as it is now, this one being over its earlier state: as `index` gives it.

        A group whose reading takes long reads what changed only.
        """
        return self.index(catalogue, settings)

    @property
    def known_words(self) -> list[KnownWords]:
        """The words that it looks for in the products: a query's word that no group knows may be a typo."""
        return []

    @property
    def finds_by(self) -> list[str]:
        """Names of the ways in which `find` finds products, in its order."""
        return []

    def find(self, queries: QueryBatch, n: int, within: np.ndarray | None = None) -> list[Hits]:  # noqa: ARG002
        """The n best products of the catalogue for each query, in each way that this group knows to find some.

        within: (products,) bool, those that may be found. Beside the cosines of the index, which are looked at anyway.
        """
        return []

    def refreshed(self) -> Self:
        """The group with what it reads beside the catalogue as that is now; itself where nothing is newer."""
        return self

    def for_schema(self, schema: FeatureSchema) -> Self:  # noqa: ARG002 - what most groups need of it: nothing
        """The group as a run of this schema wants it: with its codes of categories."""
        return self

    def with_numbers(self, products: pl.DataFrame) -> Self:  # noqa: ARG002
        """The group where the same products, in the index's order, have other numbers (price, rating, …)."""
        return self


_REGISTRY: dict[str, type[Group]] = {}


def register(group: type[Group]) -> None:
    """Make a kind of group known to every config read from now on; they stand in the order of registration.

    Raises ValueError for a kind taken by another class.
    """
    taken = _REGISTRY.get(group.kind)
    if taken is not None and taken is not group:
        raise ValueError(f"the kind {group.kind!r} is taken by {taken.__name__}")
    _REGISTRY[group.kind] = group


def known_groups() -> dict[str, type[Group]]:
    """By kind, in the order in which their features stand."""
    return dict(_REGISTRY)
