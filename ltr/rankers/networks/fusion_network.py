"""One network over frozen embeddings and numbers: a tower per modality, and gates that weigh them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ltr.rankers.networks.embedded_fields import Tower

OUTPUTS = 2  # the score, and the log-odds of relevance


class FusionNetwork(nn.Module):
    """(n, inputs + fields) rows, the last columns telling which fields are there → (n, 2).

    Query and product meet in a tower as the products of their projections (low-rank bilinear pooling, Kim
    et al., ICLR 2017). Per unit, a softmax over the towers says how much each counts (gated multimodal
    units, Arevalo et al., 2017); a tower whose product field is missing has no say, and the numbers are
    always there. In training whole modalities are hidden at random (ModDrop, Neverova et al., 2016), so
    that none is leant on alone. A linear path from the numbers to the score stands beside it (Wide & Deep,
    Cheng et al., 2016).

    fields: input columns by embedded field, in the order of the presence columns. numbers: the other ones.
    """

    def __init__(
        self,
        fields: Mapping[str, Sequence[int]],
        numbers: Sequence[int],
        towers: Sequence[Tower],
        width: int,
        dropout: float,
        hidden_share: float,
    ) -> None:
        super().__init__()
        self.fields, self.numbers, self.towers = dict(fields), list(numbers), list(towers)
        self.width, self.hidden_share = width, hidden_share
        self.project = nn.ModuleDict({name: nn.Linear(len(c), width) for name, c in fields.items()})
        self.read = nn.ModuleList(
            _layers((len(tower.fields) + len(tower.meetings)) * width, width, dropout) for tower in towers
        )
        self.read_numbers = nn.Sequential(
            _layers(len(numbers), 2 * width, dropout), _layers(2 * width, width, dropout)
        )
        modalities = len(towers) + 1
        self.gate = nn.Linear(modalities * width + len(fields), modalities * width)
        self.head = nn.Sequential(_layers(width, width, dropout), nn.Linear(width, OUTPUTS))
        self.wide = nn.Linear(len(numbers), OUTPUTS)

    def forward(self, rows: Tensor) -> Tensor:
        inputs, there = (
            rows[:, : rows.shape[1] - len(self.fields)],
            rows[:, rows.shape[1] - len(self.fields) :],
        )
        there = self._hide(there)
        projected = {
            name: self.project[name](inputs[:, columns]) * there[:, [place]]
            for place, (name, columns) in enumerate(self.fields.items())
        }
        numbers = inputs[:, self.numbers]
        tokens = [self._read(number, projected) for number in range(len(self.towers))]
        tokens.append(self.read_numbers(numbers))
        return self.head(self._fuse(torch.stack(tokens, dim=1), there)) + self.wide(numbers)

    def _read(self, number: int, projected: Mapping[str, Tensor]) -> Tensor:
        tower = self.towers[number]
        met = [projected[query] * projected[product] for query, product in tower.meetings]
        return self.read[number](torch.cat([*(projected[name] for name in tower.fields), *met], dim=1))

    def _fuse(self, tokens: Tensor, there: Tensor) -> Tensor:
        """(n, modalities, width) → (n, width)."""
        places = {name: place for place, name in enumerate(self.fields)}
        columns = [
            there[:, [places[product] for product in _products(tower)]].amax(dim=1) for tower in self.towers
        ]
        # Where a field of the modality is there on the product's side; numbers always are.
        has = torch.stack([*columns, there.new_ones(len(there))], dim=1)[:, :, None]
        tokens = tokens * has
        gates = self.gate(torch.cat([tokens.flatten(1), there], dim=1)).view_as(tokens)
        return (gates.masked_fill(has == 0, -1e30).softmax(dim=1) * tokens).sum(dim=1)

    def _hide(self, there: Tensor) -> Tensor:
        """In training, take whole modalities from rows drawn at random."""
        if not self.training or not self.hidden_share:
            return there
        kept = torch.ones_like(there)
        places = {name: place for place, name in enumerate(self.fields)}
        for tower in self.towers:
            stays = (torch.rand(len(there), 1, device=there.device) >= self.hidden_share).to(there.dtype)
            kept[:, [places[product] for product in _products(tower)]] = stays
        return there * kept


def _products(tower: Tower) -> list[str]:
    return [name for name in tower.fields if not name.startswith("query_")]


def _layers(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU(), nn.Dropout(dropout))
