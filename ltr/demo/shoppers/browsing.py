"""What is seen of a list, and what is clicked: four models of a shopper's eyes, exact and by lot.

attraction: (n, k) chance of a click on a product that is seen. satisfaction: (n, k) chance that a clicked
one ends the search. Both 0 where a list is shorter.
"""

from __future__ import annotations

import numpy as np

from ltr.demo.shoppers.people import BoolArray, FloatArray
from ltr.demo.shoppers.settings import ShopperSettings

_STEP = 0.2  # of the strength: e^(−strength / 5) go on to the next place
_ACROSS = 0.1  # of a grid's row: how much deeper its last place is than its first


def depths(settings: ShopperSettings) -> FloatArray:
    """(k,) how deep each place lies: 1, 2, 3 … in a list; in a grid the places of a row nearly alike."""
    place = np.arange(settings.shown)
    if settings.layout == "list":
        return 1.0 + place.astype(np.float64)
    across = _ACROSS * (place % settings.columns) / settings.columns
    return np.asarray(1.0 + place // settings.columns + across, dtype=np.float64)


def place_seen(settings: ShopperSettings) -> FloatArray:
    """(k,) chance that a place is looked at, whatever stands above it.

    By position and trust: depth^−strength (Joachims, Swaminathan and Schnabel, WSDM 2017). In cascades: that one
    who was never stopped by a click gets there.
    """
    depth = depths(settings)
    if settings.examination in ("position", "trust"):
        chance = depth**-settings.strength
    else:
        chance = np.exp(-_STEP * settings.strength * (depth - depth[0]))
    return chance * _below(settings, settings.scrolls)


def _below(settings: ShopperSettings, chance: float) -> FloatArray:
    """(k,) 1 above the fold, the chance below it."""
    fold = settings.shown if settings.fold is None else settings.fold
    return np.where(np.arange(settings.shown) < fold, 1.0, chance)


def trusting(settings: ShopperSettings, attraction: FloatArray) -> FloatArray:
    """Chance of a click on what is seen, where people trust the order: Agarwal et al., WWW 2019.

    ε⁺ of the good ones and ε⁻ of the others, both less with depth; without trust bias the attraction itself.
    """
    if settings.examination != "trust":
        return attraction
    depth = depths(settings)
    good, bad = 0.98 - 0.01 * depth.clip(max=50), 0.3 / depth
    return np.where(attraction > 0, good * attraction + bad * (1 - attraction), 0.0)


def chances(
    settings: ShopperSettings, attraction: FloatArray, satisfaction: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Exact chance that each place (n, k) is seen, and that it is clicked."""
    seen = np.broadcast_to(place_seen(settings), attraction.shape)
    if settings.examination in ("cascade", "dynamic-bayesian"):
        ends = attraction if settings.examination == "cascade" else attraction * satisfaction
        going = np.cumprod(1 - ends, axis=1)
        seen = seen * np.concatenate((np.ones((len(going), 1)), going[:, :-1]), axis=1)
    return seen, seen * trusting(settings, attraction)


def browse(
    settings: ShopperSettings, attraction: FloatArray, satisfaction: FloatArray, rng: np.random.Generator
) -> tuple[BoolArray, BoolArray]:
    """What is seen and what is clicked, by lot: (n, k) each, with the chances of `chances`."""
    count, length = attraction.shape
    scrolls = rng.random((count,)) < settings.scrolls
    reach = np.where(scrolls[:, None], 1.0, _below(settings, 0.0))
    tempted = rng.random(attraction.shape) < trusting(settings, attraction)
    if settings.examination in ("position", "trust"):
        depth = depths(settings)
        seen = rng.random(attraction.shape) < depth**-settings.strength * reach
        return seen, seen & tempted
    ends = tempted
    if settings.examination == "dynamic-bayesian":
        ends = tempted & (rng.random(attraction.shape) < satisfaction)
    steps = np.diff(depths(settings), prepend=1.0)
    goes_on = rng.random(attraction.shape) < np.exp(-_STEP * settings.strength * steps)
    stops = np.zeros((count, length), dtype=bool)
    stops[:, 1:] = ends[:, :-1]
    seen = np.logical_and.accumulate(goes_on & ~stops & (reach > 0), axis=1)
    return seen, seen & tempted
