"""Batches of whole queries for a network: rows flat for its layers, padded lists for listwise losses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ltr.rankers.lists import starts_of


@dataclass(frozen=True)
class TrainingPart:
    """n rows, those of a query together: inputs (n, d), labels (n,) class numbers, gains (n,), groups (q,)."""

    inputs: Tensor
    labels: Tensor
    gains: Tensor
    groups: np.ndarray

    @classmethod
    def of(
        cls, inputs: np.ndarray, labels: np.ndarray, gains: np.ndarray, groups: np.ndarray, device: str
    ) -> TrainingPart:
        return cls(
            torch.from_numpy(inputs).to(device),
            torch.from_numpy(labels).to(device),
            torch.from_numpy(gains.astype(np.float32)).to(device),
            groups,
        )


@dataclass(frozen=True)
class QueryBatch:
    """Rows of some queries; `places` (n,) is each one's cell in the padded (queries, longest) lists."""

    inputs: Tensor
    labels: Tensor
    gains: Tensor
    places: Tensor
    shape: tuple[int, int]

    def padded(self, values: Tensor) -> Tensor:
        """(n,) → (queries, longest), 0 where there is no row."""
        return (
            values.new_zeros(self.shape[0] * self.shape[1])
            .index_copy(0, self.places, values)
            .view(self.shape)
        )

    @property
    def mask(self) -> Tensor:
        return self.padded(torch.ones_like(self.gains)).bool()


def query_batches(
    part: TrainingPart, cells: int, longest: int, random: np.random.Generator
) -> Iterator[QueryBatch]:
    """All queries once, in random order, in batches of at most `cells` padded cells (or one query).

    Of a query with more than `longest` rows so many are drawn, anew each time: pairwise losses cost the
    square of a list's length.
    """
    starts = starts_of(part.groups)
    for queries in _packed(part.groups.clip(max=longest), random.permutation(len(part.groups)), cells):
        rows = [_drawn(starts[query], part.groups[query], longest, random) for query in queries]
        yield _batch(part, rows)


def _packed(lengths: np.ndarray, order: np.ndarray, cells: int) -> Iterator[list[int]]:
    batch: list[int] = []
    width = 0
    for query in order:
        width = max(width, lengths[query])
        if batch and (len(batch) + 1) * width > cells:
            yield batch
            batch, width = [], lengths[query]
        batch.append(query)
    yield batch


def _drawn(start: int, length: int, longest: int, random: np.random.Generator) -> np.ndarray:
    if length <= longest:
        return np.arange(start, start + length)
    return start + np.sort(random.choice(length, longest, replace=False))


def _batch(part: TrainingPart, rows: list[np.ndarray]) -> QueryBatch:
    width = max(len(found) for found in rows)
    places = np.concatenate([np.arange(len(found)) + number * width for number, found in enumerate(rows)])
    device = part.inputs.device
    taken = torch.from_numpy(np.concatenate(rows)).to(device)
    return QueryBatch(
        part.inputs[taken],
        part.labels[taken],
        part.gains[taken],
        torch.from_numpy(places).to(device),
        (len(rows), width),
    )
