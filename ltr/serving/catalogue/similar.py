"""Products like another one: a trained model asked with its words and photo, or likeness itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from features.encoders.cache import EmbeddingCache
from features.errors import InputError
from features.groups.likeness import PARTS, Likeness, LikenessWeights, overall, product_rows
from ltr.config.tree import Config
from ltr.pipeline.prepare import make_encoders
from ltr.runs.saved_run import SavedRun
from ltr.serving.ranking import SHOWN


def make_likeness(config: Config, products: pl.DataFrame) -> Likeness:
    """InputError for a config of ready-made features, whose products are numbers only."""
    if not {"title", "image"} & set(products.columns):
        raise InputError(
            where=f"config {config.name!r}",
            expected="products with titles or photos",
            got="ready-made features",
            cure="name a catalogue under data.products",
        )
    cache = EmbeddingCache(Path(config.cache.folder), config.cache.precision)
    return Likeness(products, make_encoders(config, products), cache)


def like_by_model(run: SavedRun, products: pl.DataFrame, product_id: str) -> pl.DataFrame:
    """The run's candidates for a query made of the product's title and photo, in the model's order.

    Returns rank, SHOWN, the parts of likeness, score.
    """
    row = products.row(product_rows(products["product_id"], [product_id])[0], named=True)
    likeness = make_likeness(run.config, products)
    query = pl.DataFrame(
        {"query_id": ["like"], "text": [row.get("title")]},
        schema={"query_id": pl.String, "text": pl.String},
    ).with_columns(image=pl.Series([row.get("image")], dtype=products.schema.get("image", pl.Binary)))
    builder = run.builder(products)
    pairs = builder.candidates(query, run.config.lists.candidates).filter(pl.col("product_id") != product_id)
    scored = pairs.with_columns(score=pl.Series(run.score(builder, query, pairs), dtype=pl.Float64))
    return _with_products(scored.select("product_id", "score"), likeness.to(product_id), products)


def like_by_weights(
    config: Config, products: pl.DataFrame, product_id: str, weights: LikenessWeights
) -> pl.DataFrame:
    """Every other product by the weighted mean of the parts of likeness; as `like_by_model`, without a model."""
    product_rows(products["product_id"], [product_id])
    parts = make_likeness(config, products).to(product_id)
    scored = parts.select("product_id", score=overall(parts, weights).cast(pl.Float64))
    return _with_products(scored.filter(pl.col("product_id") != product_id).drop_nulls(), parts, products)


def read_weights(given: Mapping[str, object]) -> LikenessWeights:
    """Weights of the parts of likeness by name; InputError where none is above 0 or one is no number."""
    try:
        weights = LikenessWeights.model_validate(given)
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(
            where=f"command line, --weights.{'.'.join(map(str, problem['loc']))}",
            expected=f"a number of 0 or more for one of {', '.join(PARTS)}",
            got=repr(problem["input"]),
            cure="mend it, or leave it out",
        ) from error
    if not any(weights.model_dump().values()):
        raise InputError(
            where="command line, --weights",
            expected="a part with a weight above 0",
            got="none",
            cure=f"weigh one of {', '.join(PARTS)}",
        )
    return weights


def two_by_two(
    config: Config, products: pl.DataFrame, product_ids: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The products of these ids in that order, and how alike every two of them are (see `pairwise`)."""
    chosen = products[product_rows(products["product_id"], product_ids)]
    return chosen, pairwise(make_likeness(config, products), product_ids)


def pairwise(likeness: Likeness, product_ids: Sequence[str]) -> pl.DataFrame:
    """a, b, PARTS and overall (by the default weights) of every two products."""
    parts = likeness.between(product_ids)
    return parts.with_columns(overall=overall(parts, LikenessWeights()).cast(pl.Float32))


def _with_products(scored: pl.DataFrame, parts: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    alike = parts.rename({part: f"{part} alike" for part in PARTS})
    return (
        scored.sort(["score", "product_id"], descending=[True, False])
        .join(
            products.select(n for n in SHOWN if n in products.columns), on="product_id", maintain_order="left"
        )
        .join(alike, on="product_id", how="left", maintain_order="left")
        .with_row_index("rank", offset=1)
        .select(
            "rank",
            *(name for name in SHOWN if name in products.columns),
            *(f"{part} alike" for part in PARTS),
            "score",
        )
    )
