"""What a new ranker's lists would have earned: each estimator and the click behaviour it assumes.

weights (n, L): chances of the new over the logged ranker, of an item given those above it (`conditional`) or
at its place whatever else is shown (`marginal`); rewards (n, L) by place.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ltr.experiments.estimates import Estimate, mean_of
from ltr.experiments.off_policy.plackett_luce import IntArray, place_chances, ranking_chances

FloatArray = npt.NDArray[np.float64]

ASSUMES = {
    "cascade-dr": "a place's reward depends on the items up to it (cascade); the reward model only lowers the noise",
    "reward-interaction": "a place's reward depends on the items up to it (cascade)",
    "pseudo-inverse": "a list's reward is a sum over its places, each of its own item alone",
    "item-position": "a place's reward depends on its own item alone",
    "whole list": "nothing more; its weights are the largest",
}


def whole_list(rewards: FloatArray, conditional: FloatArray) -> Estimate:
    """IPS on lists: one weight for the whole."""
    return mean_of(conditional.prod(axis=1) * rewards.sum(axis=1))


def item_position(rewards: FloatArray, marginal: FloatArray) -> Estimate:
    """Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay and Wen, KDD 2018."""
    return mean_of((marginal * rewards).sum(axis=1))


def reward_interaction(rewards: FloatArray, conditional: FloatArray) -> Estimate:
    """McInerney, Brost, Chandar, Mehrotra and Carterette, KDD 2020: weights of the items up to each place."""
    return mean_of((np.cumprod(conditional, axis=1) * rewards).sum(axis=1))


def cascade_dr(
    rewards: FloatArray, conditional: FloatArray, expected: FloatArray, before: FloatArray
) -> Estimate:
    """Kiyohara, Saito, Matsuhiro, Narita, Shimizu and Yamamoto, WSDM 2022.

    expected (n, L): model's sum of rewards from a place on, given the items up to it; before (n, L): its mean
    over the new ranker's next item, given the items above.
    """
    up_to = np.cumprod(conditional, axis=1)
    above = np.column_stack((np.ones(len(rewards)), up_to[:, :-1]))
    return mean_of((up_to * (rewards - expected) + above * before).sum(axis=1))


def pseudo_inverse(
    rewards: FloatArray, logging: FloatArray, target: FloatArray, shown: IntArray, rankings: IntArray
) -> Estimate:
    """Swaminathan, Krishnamurthy, Agarwal, Dudík, Langford, Jose and Zitouni, NeurIPS 2017.

    logging, target (n, m): scores; rankings: every one that can be shown.
    """
    return mean_of(pseudo_inverse_weights(logging, target, shown, rankings) * rewards.sum(axis=1))


def pseudo_inverse_weights(
    logging: FloatArray, target: FloatArray, shown: IntArray, rankings: IntArray
) -> FloatArray:
    """qᵀ Γ⁺ 1 of each list (n,): Γ the logged ranker's expected outer product of (place, item) indicators."""
    length, candidates = rankings.shape[1], logging.shape[1]
    both = np.concatenate((logging, target), axis=1)
    kinds, kind = np.unique(both, axis=0, return_inverse=True)
    slots = np.arange(length) * candidates
    indicators = np.zeros((len(rankings), length * candidates))
    indicators[np.arange(len(rankings))[:, None], rankings + slots] = 1
    solved = np.empty((len(kinds), length * candidates))
    for number, row in enumerate(kinds):
        chances = ranking_chances(row[:candidates], rankings)
        gamma = (indicators * chances[:, None]).T @ indicators
        wanted = place_chances(row[None, candidates:], length)[0].ravel()
        solved[number] = np.linalg.pinv(gamma, hermitian=True) @ wanted
    return np.take_along_axis(solved[kind.ravel()], shown + slots, axis=1).sum(axis=1)
