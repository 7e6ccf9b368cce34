"""Whether so few queries train that chance would have much of the say: then the ranker leans on a plain cosine."""

from __future__ import annotations

from ltr.config.tree import Config
from ltr.data.splits import FoldsConfig
from ltr.pipeline.examination import Examined
from ltr.training.anchoring import cosines_of
from ltr.training.transfer import FEW, WHEN_FEW


def few_queries(config: Config, examined: Examined) -> int | None:
    """The training queries, where `train.base: when_few` has the ranker lean because of them; None where not.

    Those of the model that is kept, by the last split, since a search sees no other: then training and search lean
    alike. One query leaves none to learn by how much. A cosine is a feature made here: of ready-made ones nobody
    knows what they are.
    """
    wanted, given = config.train, examined.prepared.collection.given
    if wanted.base != WHEN_FEW or wanted.clicks.strategy != "none" or given is not None:
        return None
    last = examined.folds[-1]
    queries = len(last.train) + (len(last.test) if isinstance(config.split, FoldsConfig) else 0)
    return (
        queries if len(last.train) > 1 and queries <= FEW and cosines_of(examined.prepared.schema) else None
    )
