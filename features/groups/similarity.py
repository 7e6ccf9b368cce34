"""Cosines of query and product by frozen encoders: text–text per field, photo–photo, text–photo.

What holds of photos holds of any other modality that an encoder reads (see media): its features make a group
of its name, `audio.audio_audio`, `audio.text_audio`, `audio.audio_title`.

Which columns there are depends on the catalogue and the encoders alone, never on the queries at
hand, so a table built for one query has the columns of the table that trained the model.
"""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from features.batch import PairBatch
from features.encoders import vectors
from features.encoders.comparisons import TEXT_FIELDS, Comparison, TextField
from features.feature_schema import Feature
from features.groups.protocol import Arrays, Group, GroupSettings
from features.groups.standings import rank_share, z_score
from features.index import CatalogueIndex


class SimilarityConfig(GroupSettings):
    """Which product fields a query's text is compared with; photos and the like, where encoders allow."""

    text_fields: tuple[TextField, ...] = Field(
        default=TEXT_FIELDS, description="fields absent from the catalogue are left out"
    )


class SimilarityGroup(Group):
    """Cosine of each pair, with its rank share and z-score in the list.

    Missing where the query or the product lacks what is compared, or it cannot be read.
    """

    kind = "similarity"
    settings: ClassVar[type[SimilarityConfig]] = SimilarityConfig

    def __init__(self, catalogue: CatalogueIndex, settings: SimilarityConfig) -> None:
        self._vectors = catalogue.vectors
        wanted = {f"text.{column}" for column in settings.text_fields}
        self._compared: list[Comparison] = [
            one for one in self._vectors.compared if one.name in wanted or one.group != "text"
        ]

    @classmethod
    def index(cls, catalogue: CatalogueIndex, settings: SimilarityConfig) -> Self:
        return cls(catalogue, settings)

    @property
    def features(self) -> tuple[Feature, ...]:
        return tuple(Feature(one.name + suffix) for one in self._compared for suffix in ("", "_rank", "_z"))

    def block(self, batch: PairBatch, out: np.ndarray) -> None:
        for place, one in enumerate(self._compared):
            asked = self._vectors.of_queries(batch.queries, one.query).take(batch.query_rows)
            offered = self._vectors.of_products(one.product).take(batch.product_rows)
            cosines = vectors.of_pairs(asked, offered)
            out[:, 3 * place] = cosines
            out[:, 3 * place + 1] = rank_share(cosines, batch.starts, batch.among)
            out[:, 3 * place + 2] = z_score(cosines, batch.starts, batch.among)

    def arrays(self) -> dict[str, np.ndarray]:
        return {}

    @classmethod
    def opened(
        cls,
        catalogue: CatalogueIndex,
        settings: SimilarityConfig,
        arrays: Arrays,  # noqa: ARG003 - the vectors are the catalogue's
    ) -> Self:
        return cls(catalogue, settings)
