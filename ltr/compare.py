"""python -m ltr.compare A B [C …] [--config FILE] [--html FILE]

Products side by side, by their ids: what the catalogue says of each, and how alike every two of them are by
photo, title, price and category. With --html, also a page with their photos, sounds and videos.

python -m ltr.compare --like A [--weights.photo 2] [--config FILE]

All other products by their likeness to one: the weighted mean of photos, titles, prices and categories, no model.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ltr.config import command_line, output

if TYPE_CHECKING:
    import polars as pl

    from ltr.config.tree import Config


def main(argv: Sequence[str] | None = None) -> pl.DataFrame:
    given, config, weights = command_line.read_settings_and(_arguments(), argv, "weights", check=_check)
    found = _side_by_side(given, config) if given.like is None else _like(given, config, weights)
    if given.json:
        output.write_json(found.to_dicts())
    return found


def _arguments() -> argparse.ArgumentParser:
    made = command_line.parser(__doc__, json=True)
    made.add_argument("products", nargs="*", metavar="PRODUCT_ID", help="two or more products")
    made.add_argument("--like", metavar="PRODUCT_ID", help="a product to find others like it")
    made.add_argument("--top", type=command_line.one_or_more, default=20, help="how many --like prints")
    made.add_argument("--html", type=Path, help="the page to write")
    return made


def _check(given: argparse.Namespace) -> None:
    command_line.refuse_both(given, "like", "products", "html")
    if given.like is None and len(set(given.products)) < max(2, len(given.products)):
        got = " ".join(given.products) or "none"
        raise command_line.misuse("two or more different product ids", got, "name each product once")


def _side_by_side(given: argparse.Namespace, config: Config) -> pl.DataFrame:
    from features.disk import write_whole
    from ltr.pipeline.prepare import load_collection
    from ltr.reporting.product_page import attributes, page
    from ltr.serving.similar import make_likeness, pairwise

    products = load_collection(config).products
    likeness = make_likeness(config, products)
    chosen = products[likeness.rows_of(given.products)]
    lines, alike = attributes(chosen), pairwise(likeness, given.products)
    output.show("", ["", *given.products], [(line.name, *line.values) for line in lines])
    output.show("how alike, from 0 to 1", alike.columns, alike.rows())
    if given.html:
        write_whole(given.html, page(chosen, lines, alike))
        output.say(f"page: {given.html}")
    return alike


def _like(given: argparse.Namespace, config: Config, weights: dict[str, object]) -> pl.DataFrame:
    from ltr.pipeline.prepare import load_collection
    from ltr.serving.similar import like_by_weights, read_weights

    weighed = read_weights(weights)
    ranked = like_by_weights(config, load_collection(config).products, given.like, weighed).head(given.top)
    output.show(f"like {given.like}", ranked.columns, ranked.rows())
    return ranked


if __name__ == "__main__":
    command_line.run(main)
