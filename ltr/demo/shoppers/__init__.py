"""Simulated people on the demo shop, whose taste, eyes and purse are known: the world that estimators are tried in.

at_server     The same people at a running server: they search, look, and tell it what they did
browsing      What is seen of a list, and what is clicked: four models of a shopper's eyes, exact and by lot
buying        From clicks to carts, purchases and returns, late ones among them
client        A shopper's device: JSON over HTTP to a running server, and what that took
people        Hidden taste, and who comes when and asks for what
policy        What is shown: any scores, with or without exploration, and its exact propensities
settings      How people look, click and buy
visits        People, a policy and their eyes together: the events that they leave, and the truth behind them
"""

from ltr.demo.shoppers.at_server import shop_at
from ltr.demo.shoppers.client import Client
from ltr.demo.shoppers.people import Requests
from ltr.demo.shoppers.policy import Policy, Shown
from ltr.demo.shoppers.settings import ShopperSettings
from ltr.demo.shoppers.visits import Shoppers, Visit

__all__ = ["Client", "Policy", "Requests", "ShopperSettings", "Shoppers", "Shown", "Visit", "shop_at"]
