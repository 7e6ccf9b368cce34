"""Where few queries say when to stop: each bag also watches training queries that it does not see, and all stop alike.

Early stopping on a handful of queries stops by chance, after 1 tree or 264. Here the training queries are dealt into
as many parts as there are bags, and each bag learns from all parts but one (subagging: Bühlmann and Yu, 2002). What
it leaves out it watches, beside the validation queries, so that between them the bags watch every query; the trees
kept by all are where the mean of their curves is highest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.feature_schema import KEYS
from ltr.data.dataset import Dataset

FEW = 100  # validation queries: fewer do not say when to stop
WINDOW = 11  # trees over which a curve is smoothed


@dataclass(frozen=True)
class Seat:
    """What one bag learns from, and what it watches."""

    train: Dataset
    watched: Dataset


def seats(
    train: Dataset, validation: Dataset, bags: int, seed: int, telling: Callable[[Dataset], bool]
) -> list[Seat]:
    """A seat for each bag; none where there are too few queries, or enough validation queries without it.

    telling: whether a part has lists whose order matters. Queries with weights are other sets' too, which are not
    what the validation is to speak of: none then, either.
    """
    queries = len(train.groups)
    if bags == 1 or len(validation.groups) >= FEW or queries < 2 * bags or train.weights is not None:
        return []
    part_of = np.random.default_rng(seed).permutation(queries) % bags
    made = []
    for bag in range(bags):
        left_out = _queries(train, part_of == bag)
        made.append(Seat(_queries(train, part_of != bag), _both(validation.judged(), left_out.judged())))
    return made if all(telling(seat.train) and telling(seat.watched) for seat in made) else []


def common_stop(curves: Sequence[Sequence[float]]) -> int:
    """How many trees all bags keep: where the mean of their curves, smoothed, is highest; the first of equals."""
    length = min(len(curve) for curve in curves)
    mean = np.mean([curve[:length] for curve in curves], axis=0)
    kernel = np.ones(min(WINDOW, length))
    smooth = np.convolve(mean, kernel, "same") / np.convolve(np.ones(length), kernel, "same")
    return int(np.argmax(np.round(smooth, 12))) + 1


def _both(first: Dataset, second: Dataset) -> Dataset:
    """The lists of both, end to end, whatever their queries are called."""
    frames = [part.frame.select(*KEYS, "grade") for part in (first, second)]
    return Dataset(
        pl.concat(frames),
        first.schema,
        np.concatenate([first.X, second.X]),
        pl.concat([first.query_ids, second.query_ids]),
        np.concatenate([first.groups, second.groups]),
    )


def _queries(data: Dataset, chosen: np.ndarray) -> Dataset:
    return data.take(data.query_ids.filter(pl.Series(chosen)))
