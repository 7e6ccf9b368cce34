"""Models fitted on earlier days and judged on later ones: log-likelihood and perplexity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from features.errors import InputError
from ltr.clicks.lists import FloatArray, ShownLists
from ltr.clicks.models.by_place import PositionBased, RateByPlace, UserBrowsing
from ltr.clicks.models.cascades import Cascade, DynamicBayesian, SimplifiedDBN
from ltr.clicks.models.model import ClickModel, clipped

MODELS: dict[str, Callable[[], ClickModel]] = {
    "ctr": RateByPlace,
    "pbm": PositionBased,
    "cascade": Cascade,
    "sdbn": SimplifiedDBN,
    "dbn": DynamicBayesian,
    "ubm": UserBrowsing,
}


@dataclass(frozen=True)
class Judged:
    """A model's figures on later lists: mean log-likelihood of a row, its error, and perplexity, whole and by place."""

    key: str
    name: str
    log_likelihood: float
    error: float
    perplexity: float
    by_place: FloatArray
    by_list: FloatArray  # mean log-likelihood of each list's rows


def log_likelihood(model: ClickModel, lists: ShownLists) -> FloatArray:
    """(n, k) ln P(what happened at a place | clicks above), 0 where nothing stood."""
    chance = clipped(model.conditional(lists))
    return np.where(lists.shown, np.log(np.where(lists.clicked, chance, 1 - chance)), 0.0)


def perplexity(model: ClickModel, lists: ShownLists) -> FloatArray:
    """(k,) 2^(−mean log2 P(click or none)) of each place, clicks above not known; 1 is best, 2 a coin. NaN: no list."""
    chance = clipped(model.marginal(lists))
    bits = np.where(lists.shown, np.log2(np.where(lists.clicked, chance, 1 - chance)), 0.0).sum(axis=0)
    count = lists.shown.sum(axis=0)
    return np.asarray(2 ** np.where(count > 0, -bits / np.maximum(count, 1), np.nan))


def judge(key: str, earlier: ShownLists, later: ShownLists) -> tuple[ClickModel, Judged]:
    """The model fitted on the earlier lists, and its figures on the later ones."""
    model = MODELS[key]()
    model.fit(earlier)
    rows = later.shown.sum(axis=1)
    by_list = log_likelihood(model, later).sum(axis=1) / np.maximum(rows, 1)
    places = perplexity(model, later)
    error = float(by_list.std() / np.sqrt(max(len(by_list), 1)))
    return model, Judged(
        key, model.name, float(by_list.mean()), error, float(np.nanmean(places)), places, by_list
    )


def choose(lists: ShownLists, keys: Sequence[str] = tuple(MODELS), share: float = 0.75) -> list[Judged]:
    """The models, best log-likelihood on the later lists first; InputError where there are no later lists."""
    earlier, later = lists.split(share)
    if not len(earlier) or not len(later):
        raise InputError(
            where="events",
            expected="lists of earlier and of later days",
            got=f"{len(lists)} in all",
            cure="bring more days",
        )
    return sorted((judge(key, earlier, later)[1] for key in keys), key=lambda one: -one.log_likelihood)
