"""A small shop without photos, made at once, for tests of its shoppers."""

from __future__ import annotations

import pytest

import ltr.demo.shop
from ltr.demo.shop import DemoShop, DemoShopConfig, generate


def bare_shop(products: int = 120, queries: int = 24) -> DemoShop:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ltr.demo.shop, "render", lambda *_: b"")
        return generate(DemoShopConfig(products=products, queries=queries))
