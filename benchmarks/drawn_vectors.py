"""Vectors drawn so that they lie as a text encoder's do: where a real catalogue of that size is not at hand.

A tree of kinds: departments hold kinds, kinds hold families, families hold products. Each node is its parent and a
Gaussian step, whose variance falls along the dimensions by a power law; then all are of unit length. A query is a
family or a kind and a step of its own. SHARES, FALL and the sizes of the tree were set so that the vectors agree with
those of MiniLM over fashion's 43,261 titles and 600 queries in what a search hangs on: how much of the squared length
the first principal axes hold, and the cosines to the 1st, 10th and 100th neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

DIMENSIONS = 384
SHARES = (0.36, 0.2, 0.28, 0.16)  # of the variance: departments and what all share, kinds, families, own
DEPARTMENTS, KINDS_EACH, PRODUCTS_A_FAMILY = 12, 25, 10
FALL, OFFSET = 1.25, 16.0  # variance of dimension i ∝ (i + OFFSET) ** -FALL
BLOCK = 65_536


class Tree:
    """Where products may lie, for a catalogue of n products."""

    def __init__(self, products: int, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        variance = (np.arange(DIMENSIONS) + OFFSET) ** -FALL
        self._scale = np.sqrt(variance / variance.sum()).astype(np.float32)
        departments = self._step(DEPARTMENTS, SHARES[0]) + self._step(1, SHARES[0])
        self.kinds = np.repeat(departments, KINDS_EACH, axis=0)
        self.kinds += self._step(len(self.kinds), SHARES[1])
        of = self._rng.integers(0, len(self.kinds), max(products // PRODUCTS_A_FAMILY, 1))
        self.families = self.kinds[of] + self._step(len(of), SHARES[2])

    def products(self, n: int) -> Iterator[np.ndarray]:
        """(≤ BLOCK, d) unit vectors, block by block, families of uneven sizes."""
        weight = self._rng.pareto(1.5, len(self.families)) + 0.1
        for start in range(0, n, BLOCK):
            of = self._rng.choice(len(self.families), min(BLOCK, n - start), p=weight / weight.sum())
            yield unit(self.families[of] + self._step(len(of), SHARES[3]))

    def queries(self, n: int) -> np.ndarray:
        """(n, d): half of them ask for a kind, half for a family."""
        half = n // 2
        kinds = self.kinds[self._rng.integers(0, len(self.kinds), half)]
        families = self.families[self._rng.integers(0, len(self.families), n - half)]
        asked = np.concatenate(
            [kinds + self._step(half, SHARES[2]), families + self._step(n - half, SHARES[3])]
        )
        return unit(asked + self._step(n, 0.35))

    def _step(self, n: int, share: float) -> np.ndarray:
        drawn = self._rng.standard_normal((n, DIMENSIONS), dtype=np.float32)
        return drawn * (self._scale * np.float32(np.sqrt(share)))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def spread_of(vectors: np.ndarray, queries: np.ndarray) -> dict[str, list[float]]:
    """What a search hangs on, rounded."""
    part = vectors[:: max(len(vectors) // 20_000, 1)]
    values = np.linalg.eigvalsh((part.T @ part).astype(np.float64))[::-1]
    energy = (np.cumsum(values) / values.sum())[[15, 31, 63, 127]]
    found = {"energy_of_16_32_64_128_axes": energy}
    for name, asked in (("query", queries[:200]), ("product", vectors[:: max(len(vectors) // 200, 1)])):
        cosines = -np.sort(-(asked @ vectors.T), axis=1)
        found[f"cosine_to_1_10_100_of_a_{name}"] = cosines[:, [0 + (name == "product"), 10, 100]].mean(axis=0)
        found[f"mean_cosine_of_a_{name}"] = cosines.mean(keepdims=True)[0]
    return {name: np.round(values, 3).tolist() for name, values in found.items()}
