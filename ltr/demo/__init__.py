"""The embedded default: a generated shop whose right answers are known.

photos                 Product photos of the demo shop: a silhouette per kind of product, in a colour
                       and a pattern
shop                   The embedded default: a generated shop with photos, whose right answers are
                       known
shoppers/              Simulated people on the demo shop, whose taste, eyes and purse are known
words                  What the demo shop sells and how shopkeepers and shoppers put it in words,
                       seldom the same ones
"""

from ltr.demo.shop import DemoShop, DemoShopConfig, generate

__all__ = ["DemoShop", "DemoShopConfig", "generate"]
