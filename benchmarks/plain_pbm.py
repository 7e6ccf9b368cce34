"""The position-based model in plain Python, as published: what ours is tested and timed against."""

from __future__ import annotations

import numpy as np


def plain_pbm(
    item: np.ndarray, clicked: np.ndarray, prior: tuple[float, float], steps: int
) -> tuple[list[float], list[float]]:
    """EM of the position-based model as published (Chuklin et al., 2015, section 4.2), row by row in plain Python.

    There an unclicked row says something of both hidden events, so a pair's attraction is updated from all its rows.
    """
    pairs, places = int(item.max()) + 1, item.shape[1]
    alpha = [prior[0] / sum(prior)] * pairs
    gamma = [1.0 / (1 + place) for place in range(places)]
    rows = [
        (int(item[i, r]), r, bool(clicked[i, r]))
        for i in range(len(item))
        for r in range(places)
        if item[i, r] >= 0
    ]
    for _ in range(steps):
        a_top, a_low = [prior[0]] * pairs, [sum(prior)] * pairs
        g_top, g_low = [1.0] * places, [2.0] * places
        for pair, place, click in rows:
            a, g = alpha[pair], gamma[place]
            a_top[pair] += 1.0 if click else (1 - g) * a / (1 - g * a)
            a_low[pair] += 1.0
            g_top[place] += 1.0 if click else (1 - a) * g / (1 - g * a)
            g_low[place] += 1.0
        alpha = [top / low for top, low in zip(a_top, a_low, strict=True)]
        gamma = [top / low for top, low in zip(g_top, g_low, strict=True)]
    return alpha, gamma
