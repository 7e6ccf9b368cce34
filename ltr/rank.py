"""python -m ltr.rank [--run RUN] --query "red dress under 50" [--image photo.jpg] [--top 20] [--json]

Rank the run's catalogue for a query it may never have seen: words, a photo, or both. Candidates come from BM25
and the cosines together, the order from the run's model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from features.errors import InputError
from features.images import ImageError, decode, read_bytes
from ltr import command_line
from ltr.command_line import say, show
from ltr.feature_table import load_collection
from ltr.saved_run import SavedRun

CANDIDATES = 200  # from BM25, and as many from each cosine
SHOWN = ("product_id", "title", "brand", "category", "price")


def main(argv: Sequence[str] | None = None) -> pl.DataFrame:
    arguments = command_line.parser(__doc__, config=False)
    command_line.add_run(arguments)
    arguments.add_argument("--query", help="words")
    arguments.add_argument("--image", type=Path, help="a photo")
    arguments.add_argument("--top", type=int, default=20, help="how many products to print")
    arguments.add_argument("--json", action="store_true", help="print JSON for programs")
    given = arguments.parse_args(argv)
    run = SavedRun.open(given.run)
    query = one_query(given.query, given.image)
    _check_asked(given.top, given.image, run)
    products = load_collection(run.config).products
    ranked = rank(run, products, query).head(given.top)
    if given.json:
        print(json.dumps(ranked.to_dicts(), ensure_ascii=False))
    else:
        say(f"{given.query or ''} {given.image or ''}".strip())
        if not ranked.height:
            say("nothing found: no product has a word of the query, or looks or reads like it")
            return ranked
        show("", ["rank", *ranked.columns[1:]], ranked.rows())
    return ranked


def one_query(text: str | None, image: Path | None) -> pl.DataFrame:
    """A queries frame of one row; InputError when there is nothing to look for, or the photo cannot be read."""
    if not (text and text.strip()) and image is None:
        raise InputError(
            where="command line", expected="--query or --image", got="neither", cure="say what to look for"
        )
    photo = None
    if image is not None:
        try:
            photo = read_bytes(str(image))
            decode(photo)
        except (ImageError, OSError) as error:
            raise InputError(
                where=image,
                expected="a photo",
                got=f"none that can be read ({error})",
                cure="name a whole JPEG or PNG file",
            ) from error
    row = {"query_id": "query", "text": text, "image": photo}
    return pl.DataFrame([row], schema={"query_id": pl.String, "text": pl.String, "image": pl.Binary})


def _check_asked(top: int, image: Path | None, run: SavedRun) -> None:
    """Raise InputError for an empty list, or a photo that the run would pass over without a word."""
    if top < 1:
        raise InputError(
            where="command line",
            expected="--top of 1 or more",
            got=f"{top}",
            cure="ask for a product or more",
        )
    if run.schema.groups and not {"lexical", "text", "image"} & set(run.schema.groups):
        raise InputError(
            where=run.folder,
            expected="a run that compares queries with products",
            got=f"features of {', '.join(run.schema.groups)} only",
            cure="switch on features.lexical or name an encoder, and train again",
        )
    if image and "image" not in run.schema.groups:
        raise InputError(
            where=run.folder,
            expected="a run that looks at photos, for --image",
            got=f"features of {', '.join(run.schema.groups)} only",
            cure="name an image encoder under encoders and train again, or ask with --query alone",
        )


def rank(run: SavedRun, products: pl.DataFrame, query: pl.DataFrame) -> pl.DataFrame:
    """The candidates in the model's order: rank, product_id, title, brand, category, price, score."""
    builder = run.builder(products)
    pairs = builder.candidates(query, CANDIDATES)
    if not pairs.height:
        return pl.DataFrame(schema={"rank": pl.Int64, "product_id": pl.String})
    scored = pairs.with_columns(score=pl.Series(run.score(builder, query, pairs)))
    return (
        scored.sort(["score", "product_id"], descending=[True, False])
        .join(products, on="product_id", maintain_order="left")
        .with_row_index("rank", offset=1)
        .select("rank", *(name for name in SHOWN if name in products.columns), "score")
    )


if __name__ == "__main__":
    command_line.run(main)
