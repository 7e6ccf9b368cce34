"""What each place of a shown list would credit each ranker with if it is clicked; nothing where they agree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ltr.experiments.columns import IntArray
from ltr.experiments.interleaving.optimised import reciprocal_ranks

FloatArray = npt.NDArray[np.float64]


def informative(ranks: FloatArray) -> npt.NDArray[np.bool_]:
    """False for the places of the prefix that all rankers share (places,): a click there tells nothing.

    Which team has such an item is chance alone, and only adds noise. ranks (places, rankers).
    """
    places = np.arange(1, len(ranks) + 1)[:, None]
    shared = (ranks == places).all(axis=1)
    return ~np.logical_and.accumulate(shared)


def team_credit(team: IntArray, ranks: FloatArray) -> FloatArray:
    """1 for the ranker whose item it is (places, rankers)."""
    made = np.zeros_like(ranks)
    made[np.arange(len(team)), team] = 1
    return made * informative(ranks)[:, None]


def probabilistic_credit(ranks: FloatArray, depth: int, tau: float) -> FloatArray:
    """The chance that each ranker had put the item there, given those above (places, rankers).

    All assignments are counted, not the one that was drawn (Hofmann et al., CIKM 2011).
    """
    force = np.nan_to_num(ranks**-tau)
    above = np.cumsum(force, axis=0) - force
    left = (np.arange(1, depth + 1, dtype=np.float64) ** -tau).sum() - above
    chance = np.divide(force, left, out=np.zeros_like(force), where=left > 1e-12)
    total = chance.sum(axis=1, keepdims=True)
    return np.divide(chance, total, out=np.full_like(chance, 1 / ranks.shape[1]), where=total > 0)


def rank_credit(ranks: FloatArray, depth: int) -> FloatArray:
    """1/rank in each ranker's list, as `optimised` makes unbiased."""
    return reciprocal_ranks(ranks, depth)
