"""A light graph network over what was looked at together, beside the sparse walk on the same graph.

LightGCN (He et al., SIGIR 2020) turned to next products: vectors of products, smoothed over the normalised graph of
co-occurrence, layer by layer; a history is the sum of its last products' vectors, the n-th last by 1/n; the loss is the
softmax over all products. Sessions are parted, and each part's steps are learned on the graph of the other parts, so
that the pair to be found is never in its own edge.
"""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp
import torch
from torch import nn

from ltr.recommendation import Histories, steps_of
from ltr.recommendation.histories import FloatArray, IntArray

PARTS, BATCH, REACH = 4, 512, 5


class GraphNetwork:
    """layers: smoothings over the graph; 0: vectors alone."""

    def __init__(self, layers: int, epochs: int, seed: int = 0) -> None:
        self.name = f"network_{layers}"
        self._layers, self._epochs, self._seed = layers, epochs, seed

    def fit(self, histories: Histories) -> None:
        torch.manual_seed(self._seed)
        random = np.random.default_rng(self._seed)
        part = random.integers(0, PARTS, len(histories))
        seen = histories.matrix()
        graphs = [_graph(seen[part != one]) for one in range(PARTS)]
        whole = _graph(seen)
        steps = steps_of(histories)
        last, weights = _last_products([step.history for step in steps])
        target = torch.tensor([step.target for step in steps])
        own = part[[step.session for step in steps]]
        vectors = _Vectors(histories.count)
        optimiser = torch.optim.Adam(vectors.parameters(), lr=0.01)
        for _ in range(self._epochs):
            order = random.permutation(len(steps))
            batches = [
                (one, order[own[order] == one][start : start + BATCH])
                for one in range(PARTS)
                for start in range(0, int((own == one).sum()), BATCH)
            ]
            for number in random.permutation(len(batches)):
                one, rows = batches[number]
                smooth = vectors(graphs[one], self._layers)
                asked = (smooth[last[rows]] * weights[rows, :, None]).sum(1)
                loss = nn.functional.cross_entropy(asked @ smooth.T, target[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        with torch.no_grad():
            self._vectors = vectors(whole, self._layers).numpy().astype(np.float64)

    def scores(self, history: IntArray) -> FloatArray:
        if not len(history):
            return np.zeros(len(self._vectors))
        last = history[::-1][:REACH]
        asked = (1 / np.arange(1, len(last) + 1)) @ self._vectors[last]
        found = self._vectors @ asked
        return np.asarray(np.exp(found - found.max()))


class _Vectors(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.own = nn.Embedding(count, 64)
        nn.init.normal_(self.own.weight, std=0.1)

    def forward(self, graph: torch.Tensor, layers: int) -> torch.Tensor:
        at = self.own.weight
        total = at
        for _ in range(layers):
            at = graph @ at
            total = total + at
        return total


def _graph(seen: sp.csr_matrix) -> torch.Tensor:
    """Co-occurrence, each edge divided by the roots of both ends' degrees."""
    edges = (seen.T @ seen).tocsr()
    edges.setdiag(0)
    edges.eliminate_zeros()
    root = sp.diags(1 / np.sqrt(np.maximum(np.asarray(edges.sum(axis=1)).ravel(), 1)))
    even = (root @ edges @ root).tocsr().astype(np.float32)
    places = (torch.tensor(even.indptr.astype(np.int64)), torch.tensor(even.indices.astype(np.int64)))
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # torch calls its sparse rows beta
        return torch.sparse_csr_tensor(*places, torch.tensor(even.data), even.shape, check_invariants=False)


def _last_products(histories: list[IntArray]) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, REACH) the last products, newest first, and their weights, 0 where there are fewer."""
    last, weights = np.zeros((len(histories), REACH), dtype=np.int64), np.zeros((len(histories), REACH))
    for row, history in enumerate(histories):
        newest = history[::-1][:REACH]
        last[row, : len(newest)] = newest
        weights[row, : len(newest)] = 1 / np.arange(1, len(newest) + 1)
    return torch.tensor(last), torch.tensor(weights, dtype=torch.float32)
