"""Shops small enough to enumerate: every context, action and list, with the truth as a sum."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ltr.experiments.off_policy.bandit import Logged
from ltr.experiments.off_policy.lists import ListLog
from ltr.experiments.off_policy.plackett_luce import all_rankings, ranking_chances


@dataclass(frozen=True)
class Shop:
    """Contexts are equally likely; logging, target and reward chances are (contexts, actions)."""

    logging: np.ndarray
    target: np.ndarray
    reward: np.ndarray

    @property
    def truth(self) -> float:
        return float((self.target * self.reward).sum(axis=1).mean())

    def log(self, rows: int, seed: int, *, informed: bool = True) -> Logged:
        """A log; informed: the contexts are told to the reward model."""
        rng = np.random.default_rng(seed)
        contexts, actions = self.logging.shape
        x = rng.integers(0, contexts, rows)
        action = (
            (rng.random(rows)[:, None] > np.cumsum(self.logging[x], axis=1)).sum(axis=1).clip(max=actions - 1)
        )
        reward = (rng.random(rows) < self.reward[x, action]).astype(float)
        context = np.eye(contexts)[x] if informed else rng.normal(size=(rows, 2))
        return Logged(
            reward, self.logging[x, action], self.target[x, action], context, action, self.target[x]
        )


def small_shop(seed: int = 0, contexts: int = 4, actions: int = 6, heat: float = 1.0) -> Shop:
    """heat: how far the two policies are from uniform, and so from each other. Products that fit a context
    are nearly always clicked there, others nearly never."""
    rng = np.random.default_rng(seed)
    logging, target = (np.exp(heat * rng.normal(size=(contexts, actions))) for _ in range(2))
    reward = rng.choice([0.03, 0.1, 0.9, 0.97], (contexts, actions))
    return Shop(
        logging / logging.sum(axis=1, keepdims=True), target / target.sum(axis=1, keepdims=True), reward
    )


@dataclass(frozen=True)
class ListShop:
    """One query: `chance` of a click at each place of each ranking (rankings, length), and both scores (m,)."""

    logging: np.ndarray
    target: np.ndarray
    rankings: np.ndarray
    chance: np.ndarray

    @property
    def truth(self) -> float:
        return float(ranking_chances(self.target, self.rankings) @ self.chance.sum(axis=1))

    @property
    def chances(self) -> np.ndarray:
        """Of each ranking, under the logged ranker."""
        return ranking_chances(self.logging, self.rankings)

    def whole(self) -> ListLog:
        """Every ranking once, with its expected rewards: for expectations by `chances`."""
        return self._log(np.arange(len(self.rankings)), self.chance)

    def draw(self, lists: int, seed: int) -> np.ndarray:
        """Which ranking each list of `log` shows."""
        return np.random.default_rng(seed).choice(len(self.rankings), lists, p=self.chances)

    def log(self, lists: int, seed: int) -> ListLog:
        drawn, rng = self.draw(lists, seed), np.random.default_rng((seed, 1))
        return self._log(
            drawn, (rng.random((lists, self.rankings.shape[1])) < self.chance[drawn]).astype(float)
        )

    def _log(self, drawn: np.ndarray, rewards: np.ndarray) -> ListLog:
        rows, m = len(drawn), len(self.logging)
        item = np.tile(np.arange(m), (rows, 1))
        logging, target = np.tile(self.logging, (rows, 1)), np.tile(self.target, (rows, 1))
        return ListLog(logging, target, item, self.rankings[drawn], rewards)


def list_shop(kind: str, seed: int = 0, candidates: int = 5, length: int = 3) -> ListShop:
    """How shoppers click: `independent` (own item and place), `cascade` (also those above), `whole` (also below)."""
    rng = np.random.default_rng(seed)
    rankings = all_rankings(candidates, length)
    worth, place = rng.uniform(0.1, 0.6, candidates), 1 / (1 + np.arange(length))
    own = worth[rankings] * place
    harm = 0.9 * worth / worth.max()
    factor = np.ones_like(own)
    for k, j in itertools.product(range(length), repeat=2):
        if kind != "independent" and (j < k or (kind == "whole" and j > k)):
            factor[:, k] *= 1 - harm[rankings[:, j]]
    return ListShop(rng.normal(0, 0.6, candidates), rng.normal(0, 0.6, candidates), rankings, own * factor)
