"""python -m ltr.compare A B [C …] [--config FILE] [--html FILE]

Products side by side, by their ids: what the catalogue says of each, and how alike every two of them are by
photo, title, price and category. With --html, also a page with their photos, sounds and videos.

python -m ltr.compare --like A [--weights.photo 2] [--config FILE]

All other products by their likeness to one: the weighted mean of photos, titles, prices and categories, no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ltr.config import command_line, output
from ltr.serving.arguments import check_compare, of_compare

if TYPE_CHECKING:
    import polars as pl


def main(argv: Sequence[str] | None = None) -> pl.DataFrame:
    arguments = of_compare(__doc__)
    given, config, weights = command_line.read_settings_and(arguments, argv, "weights", check=check_compare)

    from ltr.pipeline.prepare import load_collection
    from ltr.reporting.product_page import attributes, write_page
    from ltr.serving.catalogue.similar import like_by_weights, read_weights, two_by_two

    if given.like is not None:
        weighed = read_weights(weights)
        products = load_collection(config).products
        found = like_by_weights(config, products, given.like, weighed).head(given.top or 20)
        output.show(f"like {given.like}", found.columns, found.rows())
        beside = f"python -m ltr.compare {given.like} B{command_line.config_words(given)}"
    else:
        chosen, found = two_by_two(config, load_collection(config).products, given.products)
        lines = attributes(chosen)
        output.show("", ["", *given.products], [(line.name, *line.values) for line in lines])
        output.show("how alike, from 0 to 1", found.columns, found.rows())
        if given.html:
            write_page(given.html, chosen, lines, found)
            output.say(f"page: {given.html}")
        beside = f"python -m ltr.compare --like {given.products[0]}{command_line.config_words(given)}"
    if given.json:
        output.write_json(found.to_dicts())
    output.note(f"next: {beside}")
    return found


if __name__ == "__main__":
    command_line.run(main)
