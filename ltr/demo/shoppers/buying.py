"""From clicks to carts, purchases and returns, late ones among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ltr.demo.shoppers.people import DAY, BoolArray, FloatArray, IntArray
from ltr.demo.shoppers.settings import ShopperSettings

HOUR = 3600.0


@dataclass(frozen=True)
class Deeds:
    """Actions of one kind: rows of the requests, their products (rows), when (seconds) and known when."""

    action: str
    request: IntArray
    product: IntArray
    at: FloatArray
    known: FloatArray

    def where(self, keep: BoolArray, action: str, delay: FloatArray) -> Deeds:
        """Those that are kept lead to another action after a delay (one for each that is kept)."""
        at = self.at[keep] + delay
        return Deeds(action, self.request[keep], self.product[keep], at, at)


def clicks_and_after(
    settings: ShopperSettings,
    clicked: tuple[IntArray, IntArray, IntArray],
    worth: FloatArray,
    human: BoolArray,
    asked_at: FloatArray,
    rng: np.random.Generator,
) -> list[Deeds]:
    """clicked: request, place (from 0) and product of each click; worth in [0, 1], human, and when it was asked.

    Clicks follow the list's order, seconds apart; bots never buy.
    """
    request, place, product = clicked
    at = asked_at + 2 + 3.0 * place + rng.exponential(3.0, len(request))
    clicks = Deeds("click", request, product, at, at)
    again = human & (rng.random(len(at)) < settings.repeats)
    repeats = clicks.where(again, "click", rng.exponential(8.0, int(again.sum())))
    wanted = human & (rng.random(len(at)) < settings.carts * worth)
    carts = clicks.where(wanted, "cart", 5 + rng.exponential(60.0, int(wanted.sum())))
    bought = rng.random(len(carts.at)) < settings.buys * worth[wanted]
    wait = rng.exponential(settings.delay_hours * HOUR, int(bought.sum()))
    purchases = carts.where(bought, "purchase", 30 + wait)
    back = rng.random(len(purchases.at)) < settings.returns
    returned = purchases.where(back, "return", (2 + rng.exponential(6.0, int(back.sum()))) * DAY)
    return [_arriving(settings, deeds, rng) for deeds in (clicks, repeats, carts, purchases, returned)]


def _arriving(settings: ShopperSettings, deeds: Deeds, rng: np.random.Generator) -> Deeds:
    """Most are known a second later; late ones after hours or days."""
    late = rng.random(len(deeds.at)) < settings.late
    lag = np.where(late, rng.exponential(1.0, len(deeds.at)) * DAY, 1.0)
    return Deeds(deeds.action, deeds.request, deeds.product, deeds.at, deeds.at + lag)
