"""Model-level fusion: a network over embeddings and numbers, trained on whole lists of products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from ltr.rankers.networks.embedded_fields import embedded_fields, presence, towers_of
from ltr.rankers.networks.fusion_network import FusionNetwork
from ltr.rankers.networks.listwise_losses import approx_ndcg, lambdaloss, listnet
from ltr.rankers.networks.network import NetworkRanker
from ltr.rankers.networks.network_settings import NeuralConfig
from ltr.rankers.networks.query_batches import QueryBatch

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {"listnet": listnet, "lambdaloss": lambdaloss, "approx_ndcg": approx_ndcg}


class NeuralRanker(NetworkRanker[NeuralConfig]):
    """See NeuralConfig and FusionNetwork; without embeddings among the features it reads the numbers alone.

    Embeddings are the features named `embedding.FIELD_i`, raw or reduced, as ltr.fusion appends them.
    """

    config_class = NeuralConfig

    def _inputs(self, X: np.ndarray) -> np.ndarray:
        return np.hstack([super()._inputs(X), presence(X, self._fields())])

    def _fields(self) -> dict[str, list[int]]:
        """Embedded fields by name, but for those that no training pair had."""
        varying = set(self._standardiser.numeric)
        return {name: found for name, found in embedded_fields(self.schema).items() if varying & set(found)}

    def _build(self) -> nn.Module:
        sources, config = self._standardiser.sources, self.config
        fields = {name: np.flatnonzero(np.isin(sources, found)) for name, found in self._fields().items()}
        embedded = np.concatenate([*fields.values(), np.empty(0, np.int64)])
        numbers = np.setdiff1d(np.arange(len(sources)), embedded)
        towers = towers_of(tuple(fields))
        return FusionNetwork(
            {name: columns.tolist() for name, columns in fields.items()},
            numbers.tolist(),
            towers,
            config.width,
            config.dropout,
            config.modality_dropout,
        )

    def _loss(self, outputs: Tensor, batch: QueryBatch) -> Tensor:
        loss = LOSSES[self.config.objective]
        listwise = loss(batch.padded(outputs[:, 0]), batch.padded(batch.gains), batch.mask)
        relevant = (batch.labels > 0).to(outputs.dtype)
        pointwise = functional.binary_cross_entropy_with_logits(outputs[:, 1], relevant)
        return listwise + self.config.pointwise_weight * pointwise

    def _to_scores(self, outputs: np.ndarray) -> np.ndarray:
        return outputs[:, 0]
