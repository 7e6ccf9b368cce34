"""What a list is: the candidates that retrieval gives a query, as a shopper gets them, or its judged products alone.

Of a list as it is served most products are not judged. What training makes of them is a setting; measures of judged
lists leave them out.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from features.build import CANDIDATES


class UnjudgedConfig(BaseModel):
    """What training makes of the products of a list that nobody judged: most are poor, some are good."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(
        1.0,
        ge=0,
        le=1,
        description="what one counts in training, with grade 0, where a judged product counts 1; 0: left out",
    )
    share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="so many of them train, drawn at random; 0: left out. Where much of what is retrieved is good and "
        "merely not judged, any of them do harm",
    )

    def drawn(self, rows: int, *, weighing: bool) -> tuple[np.ndarray, float]:
        """Which of so many rows train, (rows,) bool, and what each counts.

        weighing: whether the ranker weighs rows; one that does not takes so many fewer of them.
        """
        share = self.share if weighing else self.share * self.weight
        if not self.weight * self.share:
            return np.zeros(rows, dtype=bool), 0.0
        return np.random.default_rng(0).random(rows) < share, self.weight if weighing else 1.0


UNJUDGED = UnjudgedConfig()


class ListsConfig(BaseModel):
    """Which products of a query are ranked: in training, in measuring, in explaining and in serving alike."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["served", "judged"] = Field(
        "served",
        description="served: what retrieval gives, judged products added; judged: the judged ones alone. A set "
        "of ready-made features, or one whose every candidate is judged, has judged lists",
    )
    candidates: int = Field(
        CANDIDATES, ge=1, description="of a query, by all ways of retrieval together; also in serving"
    )
    unjudged: UnjudgedConfig = UnjudgedConfig()
